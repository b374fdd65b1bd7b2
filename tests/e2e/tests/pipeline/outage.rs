//! The bus away, a worker paused, a process told to stop: nothing lost, nothing twice.

use std::{collections::HashSet, time::Duration};

use hollowtrees_e2e::{
    checker::{Books, assert_once_in_effect},
    pipeline::interruption,
};
use hollowtrees_harness::eventually;

use crate::support::{BOUND, PLAIN, Small};

const KINDS: [&str; 2] = ["drain", "asg-swap"];

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_is_cut_for_twenty_seconds_in_mid_run() {
    let small = Small::start(Some(PLAIN), Duration::from_millis(500)).await;
    let instances: Vec<_> = (0..100).map(|number| format!("i-{number}")).collect();
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
    assert_once_in_effect(&small.pipeline.world, &instances, &KINDS, &HashSet::new());
    assert_eq!(small.pipeline.world.begun(), 200, "no handler was started twice");
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
    small.worker.worker.pause().unwrap();
    let paused = small.worker.worker.pid().unwrap().to_string();
    let other = small.pipeline.worker("worker-2", Duration::from_millis(50));
    other.ready().await;
    let books = Books::when_finished(&small.pipeline.bus, 1, BOUND).await;
    books.assert_sound();
    small.worker.worker.resume().unwrap();
    small
        .worker
        .worker
        .logged("The claim on an action was lost", BOUND)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    for deeds in small.pipeline.world.deeds().values() {
        assert!(
            !deeds.effects.contains(&paused),
            "the fence kept the one that woke up from acting: {deeds:?}"
        );
        assert_eq!(deeds.effects.len(), 1);
    }
    Books::read(&small.pipeline.bus).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_of_everything_loses_and_repeats_nothing() {
    let small = Small::start(Some(PLAIN), Duration::from_millis(100)).await;
    let instances: Vec<_> = (0..100).map(|number| format!("i-{number}")).collect();
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
    for process in [&small.router, &small.worker] {
        let status = process.worker.terminate(Duration::from_secs(30)).await.unwrap();
        assert!(status.success(), "{status}");
        process.worker.restart().unwrap();
        process.ready().await;
    }
    let books = Books::when_finished(&small.pipeline.bus, instances.len(), BOUND).await;
    books.assert_sound();
    assert_once_in_effect(&small.pipeline.world, &instances, &KINDS, &HashSet::new());
    assert_eq!(small.pipeline.world.begun(), 200, "no handler was started twice");
}
