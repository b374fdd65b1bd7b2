//! The bus away, a worker paused, a process told to stop: nothing lost, nothing twice.

use std::time::Duration;

use hollowtrees_e2e::{
    checker::{Books, assert_begun_once, assert_once_in_effect},
    kills::Kills,
    pipeline::interruption,
};
use hollowtrees_harness::eventually;

use crate::support::{BOUND, KINDS, PLAIN, Small, instances};

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_is_cut_for_twenty_seconds_in_mid_run() {
    // Two of each: whoever is back first must not take from the other, who is cut off and alive.
    let small = Small::replicated(2, Some(PLAIN), Duration::from_millis(500)).await;
    let instances = instances(100);
    for instance in &instances {
        small
            .pipeline
            .notify(interruption(instance, 300), "/aws/1/eu/imds")
            .await;
    }
    eventually("work to be under way", BOUND, async || {
        small.pipeline.world.begun() >= 30
    })
    .await;
    small.nats.kill();
    tokio::time::sleep(Duration::from_secs(20)).await;
    small.nats.restart().await.unwrap();
    let books = Books::when_finished(&small.pipeline.bus, instances.len(), BOUND).await;
    books.assert_sound();
    assert_once_in_effect(&small.pipeline.world, &instances, &KINDS, &Kills::default());
    assert_begun_once(&small.pipeline.world, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_paused_past_its_lease_does_nothing_when_it_wakes() {
    let small = Small::start(Some(PLAIN), Duration::from_secs(2)).await;
    small
        .pipeline
        .notify(interruption("i-1", 300), "/aws/1/eu/imds")
        .await;
    eventually("both to begin", BOUND, async || small.pipeline.world.begun() == 2).await;
    // Between the beginning and the fence.
    small.workers[0].worker.pause().unwrap();
    let paused = small.workers[0].worker.pid().unwrap().to_string();
    let other = small.pipeline.worker("worker-2", Duration::from_millis(50));
    other.ready().await;
    let books = Books::when_finished(&small.pipeline.bus, 1, BOUND).await;
    books.assert_sound();
    small.workers[0].worker.resume().unwrap();
    small.workers[0]
        .worker
        .logged("The claim on an action was lost", BOUND)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    for deeds in small.pipeline.world.deeds().values() {
        assert!(
            deeds.effects.iter().all(|(process, _)| *process != paused),
            "the fence kept the one that woke up from acting: {deeds:?}"
        );
        assert_eq!(deeds.effects.len(), 1);
    }
    Books::read(&small.pipeline.bus).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_of_everything_loses_and_repeats_nothing() {
    let small = Small::replicated(2, Some(PLAIN), Duration::from_millis(100)).await;
    let instances = instances(100);
    for instance in &instances {
        small
            .pipeline
            .notify(interruption(instance, 300), "/aws/1/eu/imds")
            .await;
    }
    eventually("work to be under way", BOUND, async || {
        small.pipeline.world.begun() >= 20
    })
    .await;
    for process in small.routers.iter().chain(&small.workers) {
        let status = process.worker.terminate(Duration::from_secs(30)).await.unwrap();
        assert!(status.success(), "{status}");
        process.worker.restart().unwrap();
        process.ready().await;
    }
    let books = Books::when_finished(&small.pipeline.bus, instances.len(), BOUND).await;
    books.assert_sound();
    assert_once_in_effect(&small.pipeline.world, &instances, &KINDS, &Kills::default());
    assert_begun_once(&small.pipeline.world, 200);
}
