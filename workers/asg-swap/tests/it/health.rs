//! The old one stays until its replacement is healthy at the load balancers of its group.

use std::{collections::BTreeSet, time::Duration};

use hollowtrees_harness::{
    aws::{Call, NewGroup, Service},
    eventually,
    proxy::Fault,
};
use hollowtrees_schemas::proto;
use serde_json::json;

use crate::{
    policy,
    rights::listed,
    world::{BOUND, World, detail, params},
};

/// A group of one, and the ARN of its target group.
pub(crate) async fn balanced(world: &World, name: &str) -> (String, String) {
    let arn = world.aws.create_target_group(name, "instance").await.unwrap();
    let old = world
        .group(&NewGroup::new(name).target_group(&arn))
        .await
        .remove(0);
    (old, arn)
}

/// Every target is new still.
pub(crate) fn nobody_is_healthy(new: &str) -> Fault {
    let target = format!("<Target><Id>{new}</Id><Port>80</Port></Target>");
    let health = "<TargetHealth><State>initial</State></TargetHealth>";
    Fault::status(200)
        .body(format!(
            "<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions><member>{target}{health}\
             </member></TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>"
        ))
        .containing("Action=DescribeTargetHealth&")
}

/// Nothing is in service at a classic load balancer yet.
fn nothing_serves(new: &str) -> Fault {
    let state =
        format!("<InstanceId>{new}</InstanceId><State>OutOfService</State><ReasonCode>Instance</ReasonCode>");
    Fault::status(200)
        .body(format!(
            "<DescribeInstanceHealthResponse><DescribeInstanceHealthResult><InstanceStates><member>{state}</member>\
             </InstanceStates></DescribeInstanceHealthResult></DescribeInstanceHealthResponse>"
        ))
        .containing("Action=DescribeInstanceHealth&")
}

pub(crate) fn waiting(world: &World, old: &str, wait: &str) -> proto::Action {
    proto::Action {
        params: params(json!({"wait_for_targets": wait})),
        ..world.action(old, "certain")
    }
}

async fn some_more_looks(world: &World) {
    let looks = world.aws.count("DescribeAutoScalingGroups");
    eventually("some more looks", BOUND, async || {
        world.aws.count("DescribeAutoScalingGroups") > looks + 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_one_is_detached_once_its_replacement_gets_requests() {
    let mut world = World::new().await;
    let (old, arn) = balanced(&world, "healthy").await;
    world.aws.inject(nobody_is_healthy("i-0aaaaaaaaaaaaaaaa"));
    let worker = world.worker().await;
    world.send(&waiting(&world, &old, "5m")).await;
    world.fact("in-service").await;
    some_more_looks(&world).await;
    assert_eq!(world.aws.registered(&arn).await.unwrap().len(), 1);
    assert_eq!(world.aws.count("DetachInstances"), 0);
    world.aws.heal();
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("healthy", &old, (1, 1, 2)).await;
    assert_eq!(world.aws.registered(&arn).await.unwrap(), [new.id]);
    assert_eq!(detail(&outcome)["targets"]["found"], "healthy", "{outcome:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_healthy_in_time_takes_the_old_ones_place_all_the_same() {
    let mut world = World::new().await;
    let (old, _) = balanced(&world, "never").await;
    world.aws.inject(nobody_is_healthy("i-0aaaaaaaaaaaaaaaa"));
    let worker = world.worker().await;
    world.send(&waiting(&world, &old, "2s")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("never", &old, (1, 1, 2)).await;
    let told = detail(&outcome);
    assert_eq!(told["targets"]["found"], "waiting", "{told}");
    assert!(told["targets"]["seconds"].as_f64().unwrap() >= 2.0, "{told}");
    worker.stop().await;
}

/// The wait by the rule is five minutes, and the old one has less than one.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_healthy_before_the_old_ones_end_takes_its_place_before_it() {
    let mut world = World::new().await;
    let (old, _) = balanced(&world, "ends").await;
    world.aws.inject(nobody_is_healthy("i-0aaaaaaaaaaaaaaaa"));
    let worker = world.worker().await;
    let (action, end) = world.ending(waiting(&world, &old, "5m"), Duration::from_secs(30));
    world.send(&action).await;
    world.fact("in-service").await;
    some_more_looks(&world).await;
    assert_eq!(world.aws.count("DetachInstances"), 0, "it is waited for");
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.assert_cut("DetachInstances", &["AttachInstances"], end);
    world.swapped("ends", &old, (1, 1, 2)).await;
    let told = detail(&outcome);
    assert_eq!(told["targets"]["found"], "waiting", "{told}");
    assert!(told["targets"]["seconds"].as_f64().unwrap() < 30.0, "{told}");
    let says = "the old one was let go all the same";
    assert!(outcome.message.contains(says), "{outcome:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_ask_or_is_not_asked_waits_for_nothing() {
    let mut world = World::with(&[("HT_SWAP__WAIT_FOR_TARGETS", "5m")]).await;
    let denied = Service::Balancing.fault("AccessDenied", 403);
    world
        .aws
        .inject(denied.containing("Action=DescribeTargetHealth&"));
    let worker = world.worker().await;
    let (old, _) = balanced(&world, "denied").await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(detail(&outcome)["targets"]["found"], "untold", "{outcome:?}");
    // A rule's word goes before the configuration's, and most groups have no target groups.
    world.aws.heal();
    let (old, _) = balanced(&world, "unasked").await;
    world.send(&waiting(&world, &old, "0s")).await;
    let alone = world.group(&NewGroup::new("alone")).await.remove(0);
    world.send(&world.action(&alone, "certain")).await;
    for _ in 0..2 {
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        assert_eq!(detail(&outcome)["targets"], json!(null), "{outcome:?}");
    }
    assert_eq!(world.aws.count("DescribeTargetHealth"), 0);
    worker.stop().await;
}

/// A group of one at a classic load balancer, and in a target group.
async fn at_both(world: &World, name: &str) -> String {
    let arn = world.aws.create_target_group(name, "instance").await.unwrap();
    world.aws.create_classic_balancer(name).await.unwrap();
    let group = NewGroup::new(name).target_group(&arn).classic_balancer(name);
    world.group(&group).await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn classic_load_balancers_are_asked_too() {
    let mut world = World::new().await;
    let old = at_both(&world, "both").await;
    world.aws.inject(nothing_serves("i-0aaaaaaaaaaaaaaaa"));
    let worker = world.worker().await;
    world.send(&waiting(&world, &old, "5m")).await;
    world.fact("in-service").await;
    some_more_looks(&world).await;
    assert_eq!(world.aws.count("DetachInstances"), 0);
    world.aws.heal();
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("both", &old, (1, 1, 2)).await;
    assert_eq!(world.aws.registered_classic("both").await.unwrap(), [new.id]);
    assert_eq!(detail(&outcome)["targets"]["found"], "healthy", "{outcome:?}");
    let asked: BTreeSet<String> = world.aws.calls().iter().map(Call::right).collect();
    let more = listed("With `wait_for_targets`");
    assert!(asked.is_superset(&more) && more.len() == 2, "{more:?}, {asked:?}");
    policy::assert_allowed(&world, &policy::page()).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_classic_ones_do_not_say_keeps_nobody_from_waiting_for_target_groups() {
    let mut world = World::new().await;
    let old = at_both(&world, "half").await;
    let denied = Service::ClassicBalancing.fault("AccessDenied", 403);
    world
        .aws
        .inject(denied.containing("Action=DescribeInstanceHealth&"));
    world.aws.inject(nobody_is_healthy("i-0aaaaaaaaaaaaaaaa"));
    let worker = world.worker().await;
    world.send(&waiting(&world, &old, "3s")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("half", &old, (1, 1, 2)).await;
    assert_eq!(detail(&outcome)["targets"]["found"], "waiting", "{outcome:?}");
    // Only the classic one says nothing, and the target group is healthy.
    world.aws.heal();
    let denied = Service::ClassicBalancing.fault("AccessDenied", 403);
    world
        .aws
        .inject(denied.containing("Action=DescribeInstanceHealth&"));
    let old = at_both(&world, "rest").await;
    world.send(&waiting(&world, &old, "5m")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(detail(&outcome)["targets"]["found"], "untold", "{outcome:?}");
    worker.stop().await;
}
