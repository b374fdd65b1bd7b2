//! Groups with Capacity Rebalancing: what they do is left to them, and what they do not is done.

use std::{cell::Cell, time::Duration};

use hollowtrees_harness::{
    aws::{Delays, NewGroup, Service},
    eventually,
};
use hollowtrees_schemas::proto;

use crate::world::{BOUND, World};

const SPOT: &[&str] = &["m5.large", "m4.large"];

fn rebalancing(name: &str) -> NewGroup {
    NewGroup::new(name)
        .sizes(1, 2, 4)
        .types(SPOT)
        .spot()
        .capacity_rebalance()
}

fn is(outcome: &proto::Outcome, result: &str, reason: &str) {
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        (result, reason),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_group_does_is_told_and_left_to_it() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let olds = world.group(&rebalancing("own")).await;
    world.send(&world.action(&olds[0], "advisory")).await;
    let outcome = world.end().await;
    is(&outcome, "skipped", "group-replaces-itself");
    assert!(
        outcome
            .message
            .contains("1 are in service and 0 join, 2 are desired"),
        "{outcome:?}"
    );

    world.aws.set_delays(Delays {
        in_service: Duration::from_secs(60),
        ..Delays::default()
    });
    world.aws.recommend_rebalance(&olds[0]).await.unwrap();
    world.send(&world.action(&olds[0], "certain")).await;
    let outcome = world.end().await;
    is(&outcome, "skipped", "group-replaces-it");
    assert!(
        outcome
            .message
            .contains("1 are in service and 1 join, 2 are desired"),
        "{outcome:?}"
    );
    // The other one has had no replacement by that.
    world.incident(&olds[0], "open").await;
    world.send(&world.action(&olds[1], "certain")).await;
    is(&world.end().await, "skipped", "group-replaces-itself");
    assert_eq!(world.aws.writes(), []);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_on_demand_and_a_group_that_may_not_launch_are_swapped() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let on_demand = NewGroup::new("on-demand").capacity_rebalance();
    let old = world.group(&on_demand).await.remove(0);
    world.send(&world.action(&old, "certain")).await;
    is(&world.end().await, "succeeded", "");
    world.swapped("on-demand", &old, (1, 1, 2)).await;

    let old = world.group(&rebalancing("frozen")).await.remove(0);
    let suspend = [
        ("AutoScalingGroupName", "frozen"),
        ("ScalingProcesses.member.1", "Launch"),
    ];
    let call = world.aws.call(Service::AutoScaling, "SuspendProcesses", &suspend);
    call.await.unwrap();
    world.aws.recommend_rebalance(&old).await.unwrap();
    world.send(&world.action(&old, "certain")).await;
    is(&world.end().await, "succeeded", "");
    world.swapped("frozen", &old, (1, 2, 4)).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_has_its_time_to_begin() {
    let mut world = World::with(&[("HT_SWAP__GROUP_REPLACES_WITHIN", "60s")]).await;
    let worker = world.worker().await;
    let olds = world.group(&rebalancing("slow")).await;
    world.aws.hold_replacements(true).await.unwrap();
    world.aws.recommend_rebalance(&olds[0]).await.unwrap();
    world.send(&world.action(&olds[0], "certain")).await;
    eventually("some looks", BOUND, async || {
        world.aws.count("DescribeAutoScalingGroups") > 3
    })
    .await;
    world.aws.set_delays(Delays {
        in_service: Duration::from_secs(60),
        ..Delays::default()
    });
    world.aws.hold_replacements(false).await.unwrap();
    is(&world.end().await, "skipped", "group-replaces-it");
    assert_eq!(world.aws.writes(), []);
    assert!(world.replacements(&olds[0]).await.is_empty());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_has_not_begun_in_time_is_done_in_its_place() {
    let mut world = World::with(&[("HT_SWAP__GROUP_REPLACES_WITHIN", "1s")]).await;
    let worker = world.worker().await;
    for (name, begins_later) in [("never", false), ("later", true)] {
        let olds = world.group(&rebalancing(name)).await;
        world.aws.hold_replacements(true).await.unwrap();
        world.aws.recommend_rebalance(&olds[0]).await.unwrap();
        world.aws.set_delays(Delays {
            in_service: Duration::from_secs(2),
            ..Delays::default()
        });
        world.send(&world.action(&olds[0], "certain")).await;
        world.fact("attached").await;
        if begins_later {
            // Both launch for the same one. The group ends what is too much.
            world.aws.hold_replacements(false).await.unwrap();
        }
        let least = Cell::new(u32::MAX);
        let sample = async |world: &World| {
            let serving = world.aws.in_service(&[name]).await.unwrap()[0];
            least.set(least.get().min(serving));
        };
        let outcome = loop {
            sample(&world).await;
            let outcome = world.next().await;
            if outcome.result != "progress" {
                break outcome;
            }
        };
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        world.aws.hold_replacements(false).await.unwrap();
        eventually("two to be in service again", BOUND, async || {
            let group = world.aws.group(name).await.unwrap();
            sample(&world).await;
            group.members.len() == 2 && group.members.iter().all(|(_, state)| state == "InService")
        })
        .await;
        assert!(!world.members(name).await.contains(&olds[0]));
        assert_eq!(world.sizes(name).await, (1, 2, 4));
        assert!(least.get() >= 2, "{name}: {least:?}");
        world.aws.set_delays(Delays::default());
    }
    worker.stop().await;
}
