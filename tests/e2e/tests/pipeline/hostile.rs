//! Garbage, newer records, and a router whose rules are broken while it runs.

use std::time::Duration;

use hollowtrees_e2e::{
    checker::Books,
    pipeline::{Pipeline, interruption},
};
use hollowtrees_harness::eventually;
use hollowtrees_schemas::{
    codec::Wire,
    envelope::{self, DataFormat},
    id::{IncidentKey, MessageId},
    key,
    outgoing::{self, Outgoing},
    proto,
    subject::Subject,
};

use crate::support::{BOUND, PLAIN, Small};

/// Headers and a body.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [u8]);

fn bytes(subject: Subject, headers: &[(&str, &str)], body: &[u8], id: &str) -> Outgoing {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Outgoing {
        subject,
        wire: Wire {
            headers,
            body: bytes::Bytes::copy_from_slice(body),
        },
        message_id: MessageId::of("/test/garbage", id),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_every_subject_is_kept_and_stops_nothing() {
    let small = Small::start(Some(PLAIN), Duration::from_millis(5)).await;
    let bus = &small.pipeline.bus;
    let subjects = || {
        let (cluster, instance) = ("c1".to_owned(), "i-x".to_owned());
        [
            Subject::Notice {
                cluster: cluster.clone(),
                kind: "spot-interruption".to_owned(),
                instance: instance.clone(),
            },
            Subject::Action {
                cluster: cluster.clone(),
                action: "drain".to_owned(),
                instance: instance.clone(),
            },
            Subject::Outcome {
                cluster,
                action: "drain".to_owned(),
                result: "succeeded".to_owned(),
                instance,
            },
        ]
    };
    let mut sent = 0;
    for (number, subject) in subjects().into_iter().enumerate() {
        let ce = [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/x"),
            ("ce-type", "io.hollowtrees.notice.v1"),
        ];
        let newer = [
            ("ce-specversion", "2.0"),
            ("ce-id", "1"),
            ("ce-source", "/x"),
            ("ce-type", "x"),
        ];
        let cases: [Case<'_>; 6] = [
            (&[], b""),
            (&[], b"\x00\xff\xfe"),
            (&ce, b"{\"kind\": 7}"),
            (&ce, b""),
            (&newer, b"{}"),
            (&[("Content-Type", "application/cloudevents-batch+json")], b"[]"),
        ];
        for (case, (headers, body)) in cases.into_iter().enumerate() {
            bus.publish(
                &bytes(subject.clone(), headers, body, &format!("{number}.{case}")),
                None,
            )
            .await
            .unwrap();
            sent += 1;
        }
    }
    // Readable, and wrong: the field is named.
    let wrong = proto::Notice {
        certainty: "perhaps".to_owned(),
        ..interruption("i-wrong", 60)
    };
    bus.publish(
        &outgoing::notice(&envelope::notice(wrong, "/x"), DataFormat::Json).unwrap(),
        None,
    )
    .await
    .unwrap();
    sent += 1;

    small
        .pipeline
        .notify(interruption("i-1", 100), "/aws/1/eu/imds")
        .await;
    let books = Books::when_finished(bus, 1, BOUND).await;
    books.assert_sound();
    let (first, last) = eventually("all of it to be dead letters", BOUND, async || {
        let range = bus.dead_range().await.ok().flatten().unwrap_or((1, 0));
        if range.1 + 1 - range.0 == sent {
            Ok(range)
        } else {
            Err(format!("{range:?} of {sent}"))
        }
    })
    .await;
    let mut named = false;
    for number in first..=last {
        let letter = bus.dead_show(number).await.unwrap();
        assert!(
            !letter.reason.is_empty() && !letter.subject.is_empty(),
            "{letter:?}"
        );
        named |= letter.reason.contains("certainty") && letter.reason.contains("perhaps");
    }
    assert!(named, "the wrong field is named");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_newer_layout_is_not_written() {
    let small = Small::start(Some(PLAIN), Duration::from_millis(5)).await;
    let bus = &small.pipeline.bus;
    let at = key::incident(&IncidentKey::new("c1", "i-newer", "live"));
    let newer = proto::Incident {
        schema: 2,
        cluster: "c1".to_owned(),
        instance: "i-newer".to_owned(),
        ..Default::default()
    };
    let revision = bus.incidents().create(&at, &newer).await.unwrap();
    small
        .pipeline
        .notify(interruption("i-newer", 100), "/aws/1/eu/imds")
        .await;
    small
        .pipeline
        .notify(interruption("i-1", 100), "/aws/1/eu/imds")
        .await;
    Books::when_finished_of(bus, "i-1", BOUND).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    // Still the one that was written, and the notice still waits for who can read it.
    bus.incidents()
        .remove(&at, Some(revision))
        .await
        .expect("nobody wrote it meanwhile");
    Books::when_finished_of(bus, "i-newer", BOUND).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_rules_leave_the_last_good_ones_in_force() {
    let nats = hollowtrees_harness::Nats::start().await.unwrap();
    let pipeline = Pipeline::prepare(
        crate::support::PROGRAMS,
        &[nats.url()],
        hollowtrees_bus::topology::Profile::LOCAL,
    )
    .await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rules.yaml");
    std::fs::write(&file, PLAIN).unwrap();
    let router = pipeline.router("router", Some(&file));
    let worker = pipeline.worker("worker", Duration::from_millis(5));
    router.ready().await;
    worker.ready().await;

    std::fs::write(
        &file,
        "version: 1\nrules:\n  - name: plain\n    steps: [{ action: [drain] }]\n",
    )
    .unwrap();
    router
        .worker
        .signal(hollowtrees_harness::supervise::Signal::HUP)
        .unwrap();
    router
        .worker
        .logged("rules.yaml:4", BOUND)
        .await
        .expect("file and line are named");
    pipeline.notify(interruption("i-1", 100), "/aws/1/eu/imds").await;
    Books::when_finished(&pipeline.bus, 1, BOUND).await.assert_sound();

    // A file that is changed is read without a signal.
    std::fs::write(&file, PLAIN.replace("plain", "renamed")).unwrap();
    eventually("the new rules to be in force", BOUND, || {
        Box::pin(renamed(&pipeline))
    })
    .await;
}

/// Whether a notice sent now is handled by the rule under its new name.
async fn renamed(pipeline: &Pipeline) -> bool {
    let instance = format!("i-{:08x}", rand::random::<u32>());
    pipeline
        .notify(interruption(&instance, 100), "/aws/1/eu/imds")
        .await;
    Books::when_finished_of(&pipeline.bus, &instance, BOUND).await;
    let books = Books::read(&pipeline.bus).await;
    books.runs.values().any(|run| run.rule == "renamed")
}
