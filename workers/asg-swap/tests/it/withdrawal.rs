//! Withdrawn at each stage.

use std::time::Duration;

use hollowtrees_harness::aws::{Delays, NewGroup};

use crate::world::World;

const LONG: Duration = Duration::from_secs(3600);

/// A swap that is withdrawn once this fact is told, with AWS as slow as that; its outcome.
async fn withdrawn_at(fact: &str, delays: Delays) -> (World, String, hollowtrees_schemas::proto::Outcome) {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("g").sizes(1, 1, 1)).await.remove(0);
    world.aws.set_delays(delays);
    world.incident(&old, "open").await;
    let worker = world.worker().await;
    world.send(&world.action(&old, "advisory")).await;
    world.fact(fact).await;
    world.incident(&old, "cancelled").await;
    let outcome = world.end().await;
    worker.stop().await;
    (world, old, outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_attached_the_launched_one_is_ended() {
    let slow = Delays {
        running: LONG,
        ..Delays::default()
    };
    let (world, old, outcome) = withdrawn_at("launched", slow).await;
    assert_eq!(outcome.result, "cancelled", "{outcome:?}");
    world.unswapped("g", &old, (1, 1, 1)).await;
    assert_eq!(world.aws.count("AttachInstances"), 0);
    assert_eq!(world.instance(&old).await.state, "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_old_one_is_out_the_attached_one_is_taken_back() {
    let slow = Delays {
        in_service: LONG,
        ..Delays::default()
    };
    let (world, old, outcome) = withdrawn_at("attached", slow).await;
    assert_eq!(outcome.result, "cancelled", "{outcome:?}");
    world.unswapped("g", &old, (1, 1, 1)).await;
    assert_eq!(world.members("g").await, [old]);
    let record = world.record("g").await;
    assert_eq!(
        (record.written_max, record.swaps[0].result.as_str()),
        (0, "cancelled")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_old_one_is_out_the_swap_is_completed() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("g").sizes(1, 1, 1)).await.remove(0);
    world.incident(&old, "open").await;
    world.drain(&old, "published", "").await;
    let worker = world.worker().await;
    world.send(&world.action(&old, "advisory")).await;
    world.fact("detached").await;
    world.drain(&old, "done", "cancelled").await;
    world.incident(&old, "cancelled").await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("g", &old, (1, 1, 1)).await;
    // It may have pods, which nobody drains any more.
    assert_eq!(world.instance(&old).await.state, "running");
    assert!(outcome.message.contains("still runs"), "{outcome:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_began_nothing_is_touched() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("g")).await.remove(0);
    world.incident(&old, "cancelled").await;
    let worker = world.worker().await;
    world.send(&world.action(&old, "advisory")).await;
    assert_eq!(world.end().await.result, "cancelled");
    assert_eq!(world.aws.writes().len(), 0);
    worker.stop().await;
}
