use std::time::Duration;

use hollowtrees_bus::liveness::{Lease, Standing};
use hollowtrees_harness::{Nats, eventually};
use hollowtrees_schemas::proto;

use crate::support::{connect, connected};

fn me(process: &str) -> proto::Liveness {
    let worker = proto::Worker {
        kind: "drain".to_owned(),
        process: process.to_owned(),
        version: "1".to_owned(),
    };
    proto::Liveness {
        worker: Some(worker),
        serves: vec!["drain".to_owned()],
        started_at: None,
        ..proto::Liveness::default()
    }
}

fn worker(process: &str) -> proto::Worker {
    me(process).worker.unwrap()
}

fn is_alive(standing: Standing) -> bool {
    matches!(standing, Standing::Alive(_))
}

#[tokio::test]
async fn who_goes_is_seen_to_go_and_who_stays_to_stay() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let watcher = Lease::register(&bus, &me("watcher")).await.unwrap();
    let leaves = Lease::register(&bus, &me("leaves")).await.unwrap();
    let dies = Lease::register(&connect(&nats.url()).await, &me("dies"))
        .await
        .unwrap();
    for name in ["leaves", "dies", "watcher"] {
        assert!(is_alive(watcher.standing(&worker(name)).await), "{name}");
    }
    eventually("someone to serve drain", Duration::from_secs(5), async || {
        watcher.is_served("drain").then_some(())
    })
    .await;
    assert!(!watcher.is_served("notify"));

    leaves.release().await;
    drop(leaves);
    eventually(
        "the one that left to be gone",
        Duration::from_secs(3),
        async || (watcher.standing(&worker("leaves")).await == Standing::Gone).then_some(()),
    )
    .await;

    drop(dies);
    assert!(
        is_alive(watcher.standing(&worker("dies")).await),
        "its word is still fresh"
    );
    eventually(
        "the one that died to be gone",
        Duration::from_secs(15),
        async || (watcher.standing(&worker("dies")).await == Standing::Gone).then_some(()),
    )
    .await;
    assert!(is_alive(watcher.standing(&worker("watcher")).await));
}

#[tokio::test]
async fn a_word_that_could_not_be_renewed_is_a_lapse() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let lease = Lease::register(&bus, &me("one")).await.unwrap();
    assert!(lease.is_fresh());
    assert_eq!(lease.lapses(), 0);
    nats.pause().unwrap();
    eventually("the word to go stale", Duration::from_secs(10), async || {
        (!lease.is_fresh()).then_some(())
    })
    .await;
    assert_eq!(lease.lapses(), 0, "it is counted when it is over");
    nats.resume().unwrap();
    eventually("the word to be renewed", Duration::from_secs(30), async || {
        lease.is_fresh().then_some(())
    })
    .await;
    assert_eq!(lease.lapses(), 1, "a claim from before is to be proven");
}

#[tokio::test]
async fn the_clocks_are_compared() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let lease = Lease::register(&bus, &me("one")).await.unwrap();
    // One machine, one clock: what is measured is the error of the measure.
    let offset = lease.clock_offset();
    assert!(!offset.is_zero() && offset.abs().as_millis() < 250, "{offset:?}");
}

#[tokio::test]
async fn who_was_away_takes_nobody_for_dead() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let lease = Lease::register(&bus, &me("one")).await.unwrap();
    let stranger = worker("never-seen");
    assert_eq!(
        lease.standing(&stranger).await,
        Standing::Unknown,
        "it has only just come"
    );
    eventually("a view that is complete", Duration::from_secs(15), async || {
        (lease.standing(&stranger).await == Standing::Gone).then_some(())
    })
    .await;
    nats.kill();
    nats.restart().await.unwrap();
    eventually(
        "an answer after the outage",
        Duration::from_secs(15),
        async || (bus.ping(Duration::from_secs(1)).await.is_some()).then_some(()),
    )
    .await;
    assert_eq!(
        lease.standing(&stranger).await,
        Standing::Unknown,
        "the others may be on their way back"
    );
}
