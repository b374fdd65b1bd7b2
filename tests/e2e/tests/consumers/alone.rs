//! What holds without a router, and among copies.

use std::{collections::BTreeSet, time::Duration};

use hollowtrees_e2e::pipeline::interruption;
use hollowtrees_harness::eventually;
use hollowtrees_schemas::{id::MessageId, outgoing::Outgoing};

use crate::{
    language::Example,
    world::{BOUND, World, in_every_language},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_stays_done() {
    in_every_language(async |language| {
        let world = World::start(language).await;
        for instance in ["i-1", "i-2"] {
            world.notify(interruption(instance, 120)).await;
            world.action(instance).await;
        }
        // Nobody but the example knows from here on what was done.
        world.router.worker.kill();
        let serve = world.example(Example::Serve).await;
        let first = world.ended("i-1").await;
        world.ended("i-2").await;
        // The same action comes again, to the same process and to the next: nothing marks it as seen.
        for again in 0..2 {
            let message = world.action("i-1").await;
            let mut wire = message.wire;
            wire.headers
                .retain(|(name, _)| !name.eq_ignore_ascii_case("nats-msg-id"));
            let copy = Outgoing {
                subject: message.subject.parse().unwrap(),
                wire,
                message_id: MessageId::of("/test/again", &again.to_string()),
            };
            world.pipeline.bus.publish(&copy, None).await.unwrap();
            world.settled().await;
            assert_eq!(world.pager.people("i-1"), ["ann", "bob"], "after {again}");
            serve.worker.terminate(BOUND).await.unwrap();
            serve.worker.restart().unwrap();
        }
        world.router.worker.restart().unwrap();
        world.router.ready().await;
        for instance in ["i-1", "i-2"] {
            world.finished(instance, "succeeded").await;
        }
        world.assert_sound().await;
        assert_eq!(world.ended("i-1").await, first);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_share_the_work_and_one_that_stops_ends_what_it_has() {
    in_every_language(async |language| {
        let world = World::start(language).await;
        let copies = [
            world.example(Example::Serve).await,
            world.example(Example::Serve).await,
        ];
        // Both are at work on one each.
        world.pager.hold();
        for instance in ["i-0", "i-1"] {
            world.notify(interruption(instance, 120)).await;
        }
        let pages = world.pager.asked(2).await;
        assert_ne!(pages[0].process, pages[1].process, "{pages:?}");
        // One is told to stop: it takes no more, and ends what it has.
        let [goes, stays] = &copies;
        goes.worker
            .signal(hollowtrees_harness::supervise::Signal::TERM)
            .unwrap();
        for instance in ["i-2", "i-3", "i-4"] {
            world.notify(interruption(instance, 120)).await;
            world.action(instance).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(goes.worker.exit_status(), None, "it waits for the pager");
        world.pager.answer();
        let status = goes.worker.exited(BOUND).await.unwrap();
        assert!(status.success(), "{status}");
        for number in 0..5 {
            world.finished(&format!("i-{number}"), "succeeded").await;
        }
        world.assert_sound().await;
        let pages = world.pager.pages();
        assert_eq!(pages.len(), 10, "nobody is paged twice: {pages:?}");
        let mut of_it: Vec<BTreeSet<_>> = Vec::new();
        for number in 0..5 {
            let about = format!("i-{number} in ");
            let of_one = pages.iter().filter(|page| page.about.starts_with(&about));
            of_it.push(of_one.map(|page| page.process.clone()).collect());
        }
        assert!(
            of_it.iter().all(|processes| processes.len() == 1),
            "each was done by one: {of_it:?}"
        );
        assert_ne!(of_it[0], of_it[1]);
        assert!(
            of_it[2] == of_it[3] && of_it[3] == of_it[4],
            "who stops takes no more: {of_it:?}"
        );
        assert!(stays.worker.exit_status().is_none());
    })
    .await;
}

impl World {
    /// Waits until every action was acknowledged.
    async fn settled(&self) {
        eventually("every action to be settled", BOUND, async || {
            let text = self.consumers().await;
            let consumer = text["account_details"][0]["stream_detail"]
                .as_array()?
                .iter()
                .find(|stream| stream["name"] == "HT_ACTIONS")?["consumer_detail"]
                .as_array()?
                .iter()
                .find(|consumer| consumer["name"] == crate::world::KIND)?
                .clone();
            (consumer["num_pending"] == 0 && consumer["num_ack_pending"] == 0).then_some(())
        })
        .await;
    }

    async fn consumers(&self) -> serde_json::Value {
        let url = format!("{}/jsz?consumers=true&streams=true", self.nats.monitor_url());
        let (_, body) = hollowtrees_harness::http_get::get(&url).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }
}
