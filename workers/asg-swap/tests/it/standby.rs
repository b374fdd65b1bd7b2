//! What serves nothing is not replaced: instances in standby, and those of a warm pool.

use hollowtrees_harness::aws::{NewGroup, Service};
use hollowtrees_schemas::proto;
use serde_json::json;

use crate::world::{World, params};

async fn enter_standby(world: &World, group: &str, instance: &str, decrement: &str) {
    let call = [
        ("AutoScalingGroupName", group),
        ("InstanceIds.member.1", instance),
        ("ShouldDecrementDesiredCapacity", decrement),
    ];
    let entered = world.aws.call(Service::AutoScaling, "EnterStandby", &call).await;
    entered.unwrap();
    world.aws.forget_calls();
}

/// Skipped for this reason by each strategy, and nothing is written.
async fn is_skipped(world: &mut World, instance: &str, reason: &str) {
    for strategy in ["swap", "detach", "terminate"] {
        let action = proto::Action {
            id: format!(
                "{:032x}",
                u128::from(strategy.as_bytes()[0]) << 64 | seed(instance)
            ),
            params: params(json!({"strategy": strategy})),
            ..world.action(instance, "certain")
        };
        world.send(&action).await;
        let outcome = world.end().await;
        assert_eq!(
            (outcome.result.as_str(), outcome.reason.as_str()),
            ("skipped", reason),
            "{outcome:?}"
        );
    }
    assert_eq!(world.aws.writes(), []);
}

/// A number of an instance's own.
fn seed(instance: &str) -> u128 {
    u128::from_str_radix(instance.trim_start_matches("i-"), 16).unwrap() & u128::from(u64::MAX)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_in_standby_is_not_replaced() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    for (name, decrement, desired) in [("fewer", "true", 1), ("as-many", "false", 2)] {
        let olds = world.group(&NewGroup::new(name).sizes(1, 2, 3)).await;
        enter_standby(&world, name, &olds[0], decrement).await;
        is_skipped(&mut world, &olds[0], "standby").await;
        assert_eq!(world.sizes(name).await, (1, desired, 3));
        // What serves is swapped as ever, whatever stands by.
        world.send(&world.action(&olds[1], "certain")).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        world.swapped(name, &olds[1], (1, desired, 3)).await;
        assert!(world.members(name).await.contains(&olds[0]));
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_of_a_warm_pool_is_not_replaced() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    for state in ["Warmed:Stopped", "Warmed:Running", "Warmed:Pending:Wait"] {
        let name = state.replace(':', "-");
        let old = world.group(&NewGroup::new(&name)).await.remove(0);
        world.aws.set_member_state(&old, Some(state)).await.unwrap();
        is_skipped(&mut world, &old, "warm-pool").await;
    }
    worker.stop().await;
}
