//! Suspended processes of a group, and its instance maintenance policy.

use std::time::Duration;

use hollowtrees_harness::{
    aws::{Delays, NewGroup, Service},
    eventually,
};
use hollowtrees_schemas::proto;
use serde_json::json;

use crate::world::{BOUND, World, detail, params};

async fn suspend(world: &World, group: &str, process: &str) {
    let call = [
        ("AutoScalingGroupName", group),
        ("ScalingProcesses.member.1", process),
    ];
    let suspended = world.aws.call(Service::AutoScaling, "SuspendProcesses", &call);
    suspended.await.unwrap();
    world.aws.forget_calls();
}

fn by(world: &World, instance: &str, strategy: &str) -> proto::Action {
    proto::Action {
        params: params(json!({"strategy": strategy})),
        ..world.action(instance, "certain")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_needs_no_process_of_the_group() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    for process in [
        "Launch",
        "Terminate",
        "HealthCheck",
        "ReplaceUnhealthy",
        "AlarmNotification",
    ] {
        let old = world.group(&NewGroup::new(process)).await.remove(0);
        suspend(&world, process, process).await;
        world.send(&by(&world, &old, "swap")).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{process}: {outcome:?}");
        world.swapped(process, &old, (1, 1, 2)).await;
        for call in ["SuspendProcesses", "ResumeProcesses"] {
            assert_eq!(world.aws.count(call), 0, "{process}");
        }
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_group_cannot_replace_is_not_taken_from_it() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    for (strategy, process) in [
        ("detach", "Launch"),
        ("terminate", "Launch"),
        ("terminate", "Terminate"),
    ] {
        let name = format!("{strategy}-{process}");
        let old = world.group(&NewGroup::new(&name)).await.remove(0);
        suspend(&world, &name, process).await;
        world.send(&by(&world, &old, strategy)).await;
        let outcome = world.end().await;
        assert_eq!(
            (outcome.result.as_str(), outcome.reason.as_str()),
            ("skipped", "process-suspended"),
            "{outcome:?}"
        );
        assert!(outcome.message.contains(process), "{outcome:?}");
        assert_eq!(world.aws.writes(), []);
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_registered_nowhere_is_not_waited_for() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let arn = world.aws.create_target_group("web", "instance").await.unwrap();
    let old = world
        .group(&NewGroup::new("web").target_group(&arn))
        .await
        .remove(0);
    suspend(&world, "web", "AddToLoadBalancer").await;
    let action = proto::Action {
        // Longer than the test takes.
        params: params(json!({"wait_for_targets": "5m"})),
        deadline: None,
        ..world.action(&old, "certain")
    };
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("web", &old, (1, 1, 2)).await;
    assert!(world.aws.registered(&arn).await.unwrap().is_empty());
    assert_eq!(world.aws.count("DescribeTargetHealth"), 0);
    let told = detail(&outcome);
    assert_eq!(
        (&told["unregistered"], &told["targets"]),
        (&json!(true), &json!(null))
    );
    assert!(
        outcome.message.contains("AddToLoadBalancer of web was suspended"),
        "{outcome:?}"
    );
    worker.stop().await;
}

/// A group of ten that may have a fifth more while instances are replaced.
fn maintained(name: &str) -> NewGroup {
    NewGroup::new(name)
        .sizes(1, 10, 20)
        .said("InstanceMaintenancePolicy.MinHealthyPercentage", "90")
        .said("InstanceMaintenancePolicy.MaxHealthyPercentage", "120")
}

/// Sends all away, and says how many members the group ever had.
async fn most_members(world: &mut World, name: &str, olds: &[String], certainty: &str) -> usize {
    for old in olds {
        world.send(&world.action(old, certainty)).await;
    }
    let mut most = 0;
    let mut ended = 0;
    while ended < olds.len() {
        let outcome = world.next().await;
        most = most.max(world.members(name).await.len());
        if outcome.result == "progress" {
            continue;
        }
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        ended += 1;
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_are_replaced_at_once_than_the_maintenance_policy_lets() {
    let mut world = World::with(&[
        ("HT_SWAP__RUNNING_WITHIN", "5s"),
        ("HT_SWAP__IN_SERVICE_WITHIN", "10s"),
    ])
    .await;
    world.aws.set_delays(Delays {
        in_service: Duration::from_millis(700),
        ..Delays::default()
    });
    let olds = world.group(&maintained("kept")).await;
    for old in &olds {
        world.undrained(old).await;
    }
    let worker = world.worker().await;
    let most = most_members(&mut world, "kept", &olds[..6], "advisory").await;
    assert!((11..=12).contains(&most), "{most}");
    assert_eq!(world.sizes("kept").await, (1, 10, 20));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_interrupted_for_certain_or_soon_does_not_wait_for_the_policy() {
    let mut world = World::with(&[
        ("HT_SWAP__RUNNING_WITHIN", "60s"),
        ("HT_SWAP__IN_SERVICE_WITHIN", "70s"),
    ])
    .await;
    world.aws.set_delays(Delays {
        in_service: Duration::from_secs(3),
        ..Delays::default()
    });
    let worker = world.worker().await;
    // The deadline of these is in 120 s, so sooner than a swap may take.
    for certainty in ["certain", "advisory"] {
        let olds = world.group(&maintained(certainty)).await;
        for old in &olds[..6] {
            world.undrained(old).await;
            world.send(&world.action(old, certainty)).await;
        }
        eventually("all to be attached at once", BOUND, async || {
            world.members(certainty).await.len() == 16
        })
        .await;
        for _ in 0..6 {
            let outcome = world.end().await;
            assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        }
        assert_eq!(world.sizes(certainty).await, (1, 10, 20));
    }
    worker.stop().await;
}
