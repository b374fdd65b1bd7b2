//! A replacement is protected from scale-in as the old one was.

use std::time::Duration;

use hollowtrees_harness::{
    aws::{Delays, NewGroup, Service},
    proxy::Fault,
};

use crate::world::{World, detail};

fn writes(world: &World) -> Vec<String> {
    world.aws.writes().into_iter().map(|call| call.action).collect()
}

async fn protected(world: &World, group: &str) -> Vec<String> {
    world.aws.group(group).await.unwrap().protected
}

#[tokio::test(flavor = "multi_thread")]
async fn the_replacement_is_protected_before_the_old_one_goes() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("kept")).await.remove(0);
    world.protect(&old).await;
    // Nothing can be protected before it is in service.
    world.aws.set_delays(Delays {
        in_service: Duration::from_secs(1),
        ..Delays::default()
    });
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("kept", &old, (1, 1, 2)).await;
    assert_eq!(protected(&world, "kept").await, [new.id]);
    assert_eq!(
        writes(&world),
        [
            "RunInstances",
            "AttachInstances",
            "SetInstanceProtection",
            "DetachInstances"
        ]
    );
    assert_eq!(detail(&outcome)["scale_in_protection"], "copied", "{outcome:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_where_the_old_one_was_not_protected_or_the_group_protects_all() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    for (name, protects_new) in [("bare", false), ("all", true)] {
        let group = NewGroup::new(name);
        let group = if protects_new { group.protects_new() } else { group };
        let old = world.group(&group).await.remove(0);
        world.send(&world.action(&old, "certain")).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        let new = world.swapped(name, &old, (1, 1, 2)).await;
        assert_eq!(protected(&world, name).await.contains(&new.id), protects_new);
        assert_eq!(
            writes(&world),
            ["RunInstances", "AttachInstances", "DetachInstances"]
        );
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_the_right_swaps_all_the_same_and_says_so() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("denied")).await.remove(0);
    world.protect(&old).await;
    let denied = Service::AutoScaling.fault("AccessDenied", 403);
    world
        .aws
        .inject(denied.containing("Action=SetInstanceProtection&"));
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("denied", &old, (1, 1, 2)).await;
    assert!(protected(&world, "denied").await.is_empty());
    assert!(
        outcome.message.contains("not protected from scale-in"),
        "{outcome:?}"
    );
    let told = detail(&outcome);
    assert!(
        told["scale_in_protection"]
            .as_str()
            .unwrap()
            .contains("AccessDenied"),
        "{told}"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_shows_in_the_group() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("lost")).await.remove(0);
    world.protect(&old).await;
    let lost = Fault::lost_reply().containing("Action=SetInstanceProtection&");
    world.aws.inject(lost);
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("lost", &old, (1, 1, 2)).await;
    assert_eq!(protected(&world, "lost").await, [new.id]);
    assert_eq!(world.aws.count("SetInstanceProtection"), 1);
    assert_eq!(detail(&outcome)["scale_in_protection"], "copied", "{outcome:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_of_a_group_share_a_call() {
    let mut world = World::new().await;
    let olds = world.group(&NewGroup::new("many").sizes(5, 5, 5)).await;
    for old in &olds {
        world.protect(old).await;
    }
    world.aws.set_delays(Delays {
        in_service: Duration::from_secs(2),
        ..Delays::default()
    });
    let worker = world.worker().await;
    for old in &olds {
        world.send(&world.action(old, "certain")).await;
    }
    for _ in &olds {
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        assert_eq!(detail(&outcome)["scale_in_protection"], "copied", "{outcome:?}");
    }
    let mut members = world.members("many").await;
    let mut kept = protected(&world, "many").await;
    members.sort();
    kept.sort();
    assert_eq!(members, kept);
    let calls = world.aws.count("SetInstanceProtection");
    assert!((1..5).contains(&calls), "{calls} calls");
    worker.stop().await;
}
