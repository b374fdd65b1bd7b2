//! A swap whose action was given up while it was under way: what it left in its group is taken back.

use std::time::Duration;

use hollowtrees_asg_swap::config::Orphans;
use hollowtrees_harness::{
    aws::{Delays, Service},
    eventually,
};
use hollowtrees_schemas::{
    key,
    proto::{self, time::to_proto},
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    sweep::{Replica, over},
    world::{ACCOUNT, BOUND, CLUSTER, REGION, World},
    zones::{is_suspended, one_a_zone},
};

/// No room, and the replacement in the other zone: MaxSize is raised and AZRebalance suspended.
async fn group(world: &World) -> Vec<String> {
    one_a_zone(world, "left", 2).await
}

/// The action's record as the loop leaves it when it gives an action up, and its swap as if it had begun long ago.
async fn give_up(world: &World, action: &proto::Action) {
    let key = key::ledger(CLUSTER, &action.id.parse().unwrap());
    let entry = world.bus.ledger().get(&key).await.unwrap().unwrap();
    let given_up = proto::LedgerEntry {
        state: "done".to_owned(),
        checkpoint: None,
        outcome: Some(proto::Outcome {
            result: "failed".to_owned(),
            reason: "poison".to_owned(),
            ..proto::Outcome::default()
        }),
        ..entry.value
    };
    world.bus.ledger().put(&key, &given_up).await.unwrap();
    let mut record = world.record("left").await;
    let long_ago = Timestamp::now() - SignedDuration::from_mins(30);
    for swap in &mut record.swaps {
        swap.opened_at = Some(to_proto(long_ago));
    }
    let key = key::group(ACCOUNT, REGION, "left");
    world.bus.groups().put(&key, &record).await.unwrap();
}

/// A swap that gets as far as this call, at which its worker dies; its action is given up.
async fn dies_at(world: &World, old: &str, call: &str) -> proto::Action {
    all_die_at(world, &[old.to_owned()], call).await.remove(0)
}

async fn all_die_at(world: &World, olds: &[String], call: &str) -> Vec<proto::Action> {
    world.aws.inject(
        Service::AutoScaling
            .fault("InternalFailure", 500)
            .containing(format!("Action={call}&")),
    );
    let worker = world.worker().await;
    let actions: Vec<_> = olds.iter().map(|old| world.action(old, "certain")).collect();
    for action in &actions {
        world.send(action).await;
    }
    // What a fault answers is not among the calls: the step before it is.
    let before = match call {
        "AttachInstances" => "SuspendProcesses",
        _ => "AttachInstances",
    };
    eventually("the step before it", BOUND, async || world.aws.count(before) >= 1).await;
    eventually("its place in the group's record", BOUND, async || {
        let swaps = world.record("left").await.swaps;
        let all_attached = swaps.len() == olds.len() && swaps.iter().all(|swap| swap.surplus == 1);
        call == "AttachInstances" || all_attached
    })
    .await;
    worker.crash().await;
    world.aws.heal();
    for action in &actions {
        give_up(world, action).await;
    }
    actions
}

/// Sweeps until nothing of this action is left: sizes that were just written are let show first.
async fn settled(world: &World, replica: &Replica, action: &proto::Action) {
    eventually("nothing to be left", BOUND, async || {
        over(world).await;
        let swept = replica.sweep(world).await;
        swept
            .settled
            .contains(&format!("left {}", action.id))
            .then_some(())
            .ok_or_else(|| format!("{swept:?}"))
    })
    .await;
    let record = world.record("left").await;
    assert!(
        record.swaps.iter().all(|swap| !swap.result.is_empty()),
        "{record:?}"
    );
    assert_eq!((record.base_max, record.written_max, record.lease), (0, 0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn room_and_zones_are_as_they_were() {
    let world = World::new().await;
    let old = group(&world).await.remove(0);
    let action = dies_at(&world, &old, "AttachInstances").await;
    assert_eq!(world.sizes("left").await, (2, 2, 3));
    assert!(is_suspended(&world, "left").await);
    let replica = Replica::new(&world, Orphans::Report).await;
    settled(&world, &replica, &action).await;
    assert_eq!(world.sizes("left").await, (2, 2, 2));
    assert!(!is_suspended(&world, "left").await);
    assert!(world.members("left").await.contains(&old));
}

#[tokio::test(flavor = "multi_thread")]
async fn desired_is_told_of_and_lowered_where_that_is_asked_for() {
    let world = World::new().await;
    let old = group(&world).await.remove(0);
    let action = dies_at(&world, &old, "DetachInstances").await;
    assert_eq!(
        (world.sizes("left").await, world.members("left").await.len()),
        ((2, 3, 3), 3)
    );
    let reporter = Replica::new(&world, Orphans::Report).await;
    eventually("zones to be evened out", BOUND, async || {
        over(&world).await;
        let swept = reporter.sweep(&world).await;
        assert_eq!(swept.stale, [format!("left {}", action.id)]);
        !is_suspended(&world, "left").await
    })
    .await;
    assert!(reporter.shows("hollowtrees_asg_swap_orphans{what=\"record\"} 1"));
    assert_eq!(
        (world.sizes("left").await, world.members("left").await.len()),
        ((2, 3, 3), 3)
    );

    let ender = Replica::new(&world, Orphans::Terminate).await;
    let new = world.replacements(&old).await.remove(0).id;
    settled(&world, &ender, &action).await;
    assert_eq!(world.sizes("left").await, (2, 2, 2));
    // The old one is there still, so that its replacement goes.
    eventually("two members", BOUND, async || {
        world.members("left").await.len() == 2
    })
    .await;
    assert!(world.members("left").await.contains(&old));
    assert_eq!(world.instance(&new).await.state, "terminated");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_old_one_is_gone_its_replacement_stays() {
    let world = World::new().await;
    let old = group(&world).await.remove(0);
    let action = dies_at(&world, &old, "DetachInstances").await;
    let new = world.replacements(&old).await.remove(0).id;
    world.aws.hold_replacements(true).await.unwrap();
    let params = [("InstanceId.1", old.as_str())];
    world
        .aws
        .call(Service::Ec2, "TerminateInstances", &params)
        .await
        .unwrap();
    let ender = Replica::new(&world, Orphans::Terminate).await;
    settled(&world, &ender, &action).await;
    assert_eq!(world.sizes("left").await, (2, 2, 2));
    world.aws.hold_replacements(false).await.unwrap();
    eventually("two members", BOUND, async || {
        world.members("left").await.len() == 2
    })
    .await;
    assert!(world.members("left").await.contains(&new));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_swap_of_the_group_forgets_no_unit_of_desired() {
    let mut world = World::new().await;
    let old = group(&world).await.remove(0);
    let action = dies_at(&world, &old, "DetachInstances").await;
    let first = world.replacements(&old).await.remove(0).id;
    let members = world.members("left").await;
    let other = members.iter().find(|id| **id != old && **id != first).unwrap();
    world.aws.set_delays(Delays {
        running: Duration::ZERO,
        in_service: Duration::ZERO,
    });
    let worker = world.worker().await;
    world.send(&world.action(other, "certain")).await;
    let mut outcome = world.end().await;
    // That of the other one is told once more.
    while outcome.reason == "poison" {
        outcome = world.end().await;
    }
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    worker.stop().await;
    let record = world.record("left").await;
    let surplus: u32 = record.swaps.iter().map(|swap| swap.surplus).sum();
    assert_eq!((surplus, world.sizes("left").await.1), (1, 3), "{record:?}");
    let ender = Replica::new(&world, Orphans::Terminate).await;
    settled(&world, &ender, &action).await;
    assert_eq!(world.sizes("left").await, (2, 2, 2));
    eventually("two members", BOUND, async || {
        world.members("left").await.len() == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_none_waits_for_the_other() {
    let world = World::new().await;
    let olds = group(&world).await;
    all_die_at(&world, &olds, "DetachInstances").await;
    assert_eq!(world.sizes("left").await, (2, 4, 4));
    // Room that nobody needs.
    let params = [("AutoScalingGroupName", "left"), ("MaxSize", "5")];
    let raised = world
        .aws
        .call(Service::AutoScaling, "UpdateAutoScalingGroup", &params);
    raised.await.unwrap();
    let key = key::group(ACCOUNT, REGION, "left");
    let mut record = world.record("left").await;
    record.written_max = 5;
    record.latest_max = None;
    world.bus.groups().put(&key, &record).await.unwrap();
    let reporter = Replica::new(&world, Orphans::Report).await;
    eventually("all but desired to be as it was", BOUND, async || {
        over(&world).await;
        let swept = reporter.sweep(&world).await;
        let sizes = world.sizes("left").await;
        let is_done = sizes == (2, 4, 4) && !is_suspended(&world, "left").await;
        is_done
            .then_some(())
            .ok_or_else(|| format!("{sizes:?} {swept:?}"))
    })
    .await;
    assert_eq!(world.members("left").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redriven_action_goes_on_with_what_it_left() {
    let mut world = World::new().await;
    let old = group(&world).await.remove(0);
    let given_up = dies_at(&world, &old, "DetachInstances").await;
    let new = world.replacements(&old).await.remove(0).id;
    let worker = world.worker().await;
    world
        .send(&proto::Action {
            redrive: 1,
            ..given_up
        })
        .await;
    let mut outcome = world.end().await;
    while outcome.reason == "poison" {
        outcome = world.end().await;
    }
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(world.swapped("left", &old, (2, 2, 2)).await.id, new);
    assert!(!is_suspended(&world, "left").await);
    assert_eq!(world.aws.count("RunInstances"), 1);
    worker.stop().await;
}
