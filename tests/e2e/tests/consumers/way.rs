//! From a notice to the page and the outcome.

use std::time::Duration;

use hollowtrees_bus::read::{From, Until};
use hollowtrees_e2e::pipeline::interruption;
use hollowtrees_harness::eventually;
use hollowtrees_schemas::{
    codec::Wire,
    envelope::{self, Envelope},
    id::MessageId,
    names::{Stream, header},
    outgoing::Outgoing,
    proto,
    subject::Subject,
};

use crate::{
    language::{Example, Language},
    world::{BOUND, KIND, World, in_every_language},
};

/// Longer than the 5 s after which the server gives an action that is silent to another copy.
const LONG: Duration = Duration::from_millis(6_500);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_is_kept_and_ends_after_its_deadline_too() {
    in_every_language(async |language| {
        let world = World::start(language).await;
        // Either would begin what the other is silent about.
        let _copies = [
            world.example(Example::Serve).await,
            world.example(Example::Serve).await,
        ];
        let watch = world.example(Example::Watch).await;
        world.pager.hold();
        // Names are escaped in subjects and keys, percent-encoded in headers.
        let instance = "i.ü 1/\"%";
        let notice = proto::Notice {
            kind: "preempted".to_owned(),
            ..interruption(instance, 4)
        };
        world.notify(notice).await;
        world.pager.asked(1).await;
        tokio::time::sleep(LONG).await;
        world.pager.answer();
        let outcome = world.ended(instance).await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        world.finished(instance, "succeeded").await;
        world.assert_sound().await;
        assert_eq!(
            world.pager.people(instance),
            ["ann"],
            "nobody else began meanwhile"
        );
        assert_told_as_we_would(&world).await;
        let escaped = if language == Language::Rust {
            "live"
        } else {
            "preempted active live"
        };
        watch.worker.logged(escaped, BOUND).await.unwrap();
        for said in [
            "notice c1 i.ü 1/\"%",
            "outcome c1 i.ü 1/\"% page-oncall succeeded Paged ann.",
        ] {
            watch.worker.logged(said, BOUND).await.unwrap();
        }
    })
    .await;
}

/// Every outcome of the example has the ids, attributes and facts that the project's own workers give it.
async fn assert_told_as_we_would(world: &World) {
    let bus = &world.pipeline.bus;
    let mut reading = bus
        .read(Stream::Outcomes, &[], From::First, Until::Present)
        .await
        .unwrap();
    let mut results = Vec::new();
    while let Some(message) = reading.next().await.unwrap() {
        let told = Envelope::<proto::Outcome>::decode(&message.wire).unwrap();
        let ours = envelope::outcome(told.data.clone(), told.source.clone());
        assert_eq!(told.source, format!("/hollowtrees/c1/{KIND}"));
        assert_eq!(told.id, ours.id);
        assert_eq!(
            (&told.subject, &told.partitionkey),
            (&ours.subject, &ours.partitionkey)
        );
        assert_eq!(told.traceparent, ours.traceparent);
        let id = message.wire.header(header::MESSAGE_ID).map(str::to_owned);
        assert_eq!(id, Some(MessageId::of(&told.source, &told.id).to_string()));
        let outcome = told.data;
        let worker = outcome.worker.clone().unwrap();
        assert!(worker.kind == KIND && !worker.process.is_empty() && !worker.version.is_empty());
        assert_eq!((outcome.generation, outcome.attempt), (1, 1), "{outcome:?}");
        assert_eq!(
            (outcome.provider.as_str(), outcome.certainty.as_str()),
            ("aws", "certain")
        );
        let times = outcome.times.unwrap();
        let begun = [
            times.noticed_at,
            times.published_at,
            times.accepted_at,
            times.started_at,
        ];
        assert!(begun.iter().all(Option::is_some), "{begun:?}");
        assert_eq!(times.ended_at.is_some(), outcome.result != "progress");
        results.push(outcome.result);
    }
    let expected: &[&str] = match world.language {
        // Its start is in the ledger.
        Language::Rust => &["succeeded"],
        Language::Python | Language::Go | Language::Node => &["progress", "succeeded"],
    };
    assert_eq!(results, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_live_or_no_action_touches_nothing_and_stops_nothing() {
    in_every_language(async |language| {
        let world = World::start(language).await;
        let _serve = world.example(Example::Serve).await;
        for mode in ["test", "dry-run"] {
            let notice = proto::Notice {
                mode: mode.to_owned(),
                ..interruption(&format!("i-{mode}"), 60)
            };
            world.notify(notice).await;
            let outcome = world.ended(&format!("i-{mode}")).await;
            assert_eq!(
                (outcome.result.as_str(), outcome.reason.as_str()),
                ("skipped", mode)
            );
        }
        let garbage = Outgoing {
            subject: Subject::Action {
                cluster: "c1".to_owned(),
                action: KIND.to_owned(),
                instance: "i-garbage".to_owned(),
            },
            wire: Wire {
                headers: vec![("ce-id".to_owned(), "1".to_owned())],
                body: bytes::Bytes::from_static(b"{\"id\": 7}"),
            },
            message_id: MessageId::of("/test/garbage", "1"),
        };
        world.pipeline.bus.publish(&garbage, None).await.unwrap();
        eventually("a dead letter", BOUND, async || {
            world.pipeline.bus.dead_range().await.unwrap()
        })
        .await;
        let letter = world.pipeline.bus.dead_show(1).await.unwrap();
        assert_eq!(
            (letter.stream.as_str(), letter.consumer.as_str()),
            ("HT_ACTIONS", KIND)
        );
        assert_eq!(letter.subject, garbage.subject.to_string());
        assert_eq!(letter.body, garbage.wire.body);
        assert!(
            letter
                .headers
                .iter()
                .any(|header| header.name == "ce-id" && header.value == "1"),
            "{letter:?}"
        );

        // The server goes and comes back, and so does the example.
        world.nats.restart().await.unwrap();
        world.router.ready().await;
        world
            .notify(proto::Notice {
                kind: "alert".to_owned(),
                ..interruption("i-nobody", 60)
            })
            .await;
        let outcome = world.ended("i-nobody").await;
        assert_eq!(
            (outcome.result.as_str(), outcome.reason.as_str()),
            ("failed", "no-people")
        );
        assert!(world.pager.pages().is_empty());
        world.notify(interruption("i-live", 60)).await;
        world.finished("i-live", "succeeded").await;
        // What the router was at when the server went is handed out again later.
        for (instance, result) in [
            ("i-test", "succeeded"),
            ("i-dry-run", "succeeded"),
            ("i-nobody", "failed"),
        ] {
            world.finished(instance, result).await;
        }
        world.assert_sound().await;
        assert_eq!(world.pager.people("i-live"), ["ann", "bob"]);
    })
    .await;
}
