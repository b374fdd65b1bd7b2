//! Workers that die, and workers that are told to stop.

use std::time::Duration;

use hollowtrees_harness::{
    aws::{Delays, NewGroup},
    proxy::Fault,
};
use serde_json::Value;

use crate::world::{BOUND, World};

/// Dies when the checkpoint says this; another one goes on.
async fn dies_when(said: &str, field: &str, is_so: fn(&Value) -> bool) {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("g").sizes(1, 1, 1)).await.remove(0);
    world.aws.set_delays(Delays {
        running: Duration::from_millis(600),
        in_service: Duration::from_millis(600),
    });
    // What is said only while a call is under way lasts long enough to be seen.
    for call in ["RunInstances", "DetachInstances", "UpdateAutoScalingGroup"] {
        let slow = Fault::slow(Duration::from_millis(600));
        world.aws.inject(slow.containing(format!("Action={call}&")));
    }
    let action = world.action(&old, "certain");
    let first = world.worker().await;
    world.send(&action).await;
    hollowtrees_harness::eventually(said, BOUND, async || {
        is_so(&world.checkpoint(&action, field).await)
    })
    .await;
    first.crash().await;
    let second = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.attempt),
        ("succeeded", 2),
        "{said}: {outcome:?}"
    );
    world.swapped("g", &old, (1, 1, 1)).await;
    let all = world.aws.instances().await.unwrap();
    assert_eq!(all.len(), 2, "{said}: {all:?}");
    let record = world.record("g").await;
    assert_eq!((record.lease, record.written_max), (None, 0), "{said}");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_with_its_choice_made() {
    dies_when("the choice to be saved", "choices", |value| value.is_array()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_with_a_launch_in_doubt() {
    dies_when("the launch to be under way", "in_doubt", |value| value == true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_with_its_replacement_launched() {
    dies_when("the launch to be noted", "launched", Value::is_string).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_with_room_made() {
    dies_when("the room to be noted", "room", |value| value == 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_with_its_replacement_attached() {
    dies_when("the attachment to be noted", "attached", |value| value == true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_with_the_detaching_under_way() {
    dies_when("the detaching to be under way", "detaching", |value| {
        value == true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_with_the_old_one_out() {
    dies_when("the detaching to be noted", "detached", |value| value == true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_deaths_in_the_middle_of_many_swaps_are_one_replacement_each() {
    let mut world = World::new().await;
    let mut olds = Vec::new();
    for number in 0..6 {
        let name = format!("g-{number}");
        let group = NewGroup::new(&name).sizes(1, 2, 2);
        olds.extend(
            world
                .group(&group)
                .await
                .into_iter()
                .map(|old| (name.clone(), old)),
        );
    }
    world.aws.set_delays(Delays {
        running: Duration::from_millis(800),
        in_service: Duration::from_millis(800),
    });
    for (_, old) in &olds {
        world.send(&world.action(old, "certain")).await;
    }
    let mut worker = world.worker().await;
    for writes in [5, 14, 21, 28] {
        let what = format!("{writes} writes");
        hollowtrees_harness::eventually(what, BOUND, async || world.aws.writes().len() >= writes).await;
        worker.crash().await;
        worker = world.worker().await;
    }
    for _ in &olds {
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    }
    for (group, old) in &olds {
        world.swapped(group, old, (1, 2, 2)).await;
    }
    let all = world.aws.instances().await.unwrap();
    assert_eq!(all.len(), 2 * olds.len(), "{all:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_stop_hands_over() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("g").sizes(1, 1, 1)).await.remove(0);
    world.aws.set_delays(Delays {
        running: Duration::from_secs(4),
        ..Delays::default()
    });
    let first = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    world.fact("launched").await;
    first.stop().await;
    assert_eq!(world.replacements(&old).await.len(), 1);
    let second = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("g", &old, (1, 1, 1)).await;
    assert_eq!(world.aws.instances().await.unwrap().len(), 2);
    second.stop().await;
}
