//! Workers that die among many swaps, and workers that are told to stop.

use std::time::Duration;

use hollowtrees_harness::aws::{Delays, NewGroup};

use crate::world::{BOUND, World};

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
