//! A group does not even out its zones while both the old one and its replacement are members, and does so afterwards.

use std::time::Duration;

use hollowtrees_asg_swap::config::Orphans;
use hollowtrees_domain::swap::balance;
use hollowtrees_harness::aws::{Delays, NewGroup, Service};
use hollowtrees_schemas::{
    key,
    names::result,
    proto::{self, time::to_proto},
};
use serde_json::json;

use crate::{
    sweep::{Replica, over},
    world::{ACCOUNT, REGION, World, detail},
};

const ZONES: [&str; 2] = ["us-east-1a", "us-east-1b"];
const GROUP: [(&str, &str); 2] = [
    ("AutoScalingGroupName", "even"),
    ("ScalingProcesses.member.1", balance::REBALANCE),
];

/// Two members, one a zone, of which the first is to go; the interrupted pool comes last, so that the replacement is in the other zone.
pub(crate) async fn one_a_zone(world: &World, group: &str, max: u32) -> Vec<String> {
    let group = NewGroup::new(group).zones(&ZONES).sizes(2, 2, max).spot();
    let members = world.group(&group).await;
    for zone in ZONES {
        world.aws.set_spot_price("m5.large", zone, 0.03);
    }
    world.aws.forget_calls();
    members
}

async fn even(world: &World) -> String {
    one_a_zone(world, "even", 3).await.remove(0)
}

/// Whether its AZRebalance is.
pub(crate) async fn is_suspended(world: &World, group: &str) -> bool {
    let params = [("AutoScalingGroupNames.member.1", group)];
    let shown = world
        .aws
        .call(Service::AutoScaling, "DescribeAutoScalingGroups", &params);
    shown.await.unwrap().contains(balance::REBALANCE)
}

fn writes(world: &World) -> Vec<String> {
    world.aws.writes().into_iter().map(|call| call.action).collect()
}

/// It is swapped, and nothing is suspended or resumed.
async fn swaps_by_three_calls(world: &mut World, old: &str) -> proto::Outcome {
    let worker = world.worker().await;
    world.send(&world.action(old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("even", old, (2, 2, 3)).await;
    let expected = ["RunInstances", "AttachInstances", "DetachInstances"];
    assert_eq!(writes(world), expected);
    worker.stop().await;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn zones_are_left_alone_until_the_old_one_is_out() {
    let mut world = World::new().await;
    let old = even(&world).await;
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("even", &old, (2, 2, 3)).await;
    assert_ne!(new.zone, world.instance(&old).await.zone);
    assert_eq!(
        writes(&world),
        [
            "RunInstances",
            "SuspendProcesses",
            "AttachInstances",
            "DetachInstances",
            "ResumeProcesses"
        ]
    );
    for call in world
        .aws
        .writes()
        .iter()
        .filter(|call| call.action.ends_with("Processes"))
    {
        assert_eq!(call.list("ScalingProcesses"), ["AZRebalance"]);
    }
    assert!(!is_suspended(&world, "even").await);
    assert!(!world.record("even").await.rebalance_suspended);
    let told = detail(&outcome);
    assert_eq!(
        (&told["rebalance"], &told["restored"]),
        (&json!("suspended"), &json!(true))
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_suspended_stays_so() {
    let mut world = World::new().await;
    let old = even(&world).await;
    let theirs = world.aws.call(Service::AutoScaling, "SuspendProcesses", &GROUP);
    theirs.await.unwrap();
    world.aws.forget_calls();
    swaps_by_three_calls(&mut world, &old).await;
    assert!(is_suspended(&world, "even").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_the_right_swaps_all_the_same_and_says_so() {
    let mut world = World::new().await;
    let old = even(&world).await;
    let denied = Service::AutoScaling.fault("AccessDenied", 403);
    world.aws.inject(denied.containing("Action=SuspendProcesses&"));
    let outcome = swaps_by_three_calls(&mut world, &old).await;
    let told = detail(&outcome);
    assert!(
        told["rebalance"].as_str().unwrap().contains("AccessDenied"),
        "{told}"
    );
    assert_eq!(told["restored"], true);
    assert!(!world.record("even").await.rebalance_suspended);
}

/// A record that says it was suspended, with a swap of this result.
async fn left(world: &World, group: &str, result: &str) {
    let record = proto::Group {
        schema: 1,
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        name: group.to_owned(),
        rebalance_suspended: true,
        swaps: vec![proto::GroupSwap {
            action_id: world.action("i-0123456789abcdef0", "certain").id,
            result: result.to_owned(),
            opened_at: Some(to_proto(jiff::Timestamp::now())),
            ..proto::GroupSwap::default()
        }],
        ..proto::Group::default()
    };
    let key = key::group(ACCOUNT, REGION, group);
    world.bus.groups().put(&key, &record).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_has_zones_evened_out_that_no_swap_needs_any_more() {
    let world = World::new().await;
    even(&world).await;
    let replica = Replica::new(&world, Orphans::Report).await;
    let suspend = async || {
        let done = world.aws.call(Service::AutoScaling, "SuspendProcesses", &GROUP);
        done.await.unwrap();
    };
    let sweep = async || {
        over(&world).await;
        replica.sweep(&world).await
    };
    suspend().await;
    // A swap is open, which needs it or resumes it.
    left(&world, "even", "").await;
    assert_eq!(sweep().await.resumed, Vec::<String>::new());
    assert!(is_suspended(&world, "even").await);
    // AWS does not answer: the next sweep is soon.
    left(&world, "even", result::FAILED).await;
    let fault = Service::AutoScaling.fault("InternalFailure", 500);
    world.aws.inject(fault.containing("Action=ResumeProcesses&"));
    assert_eq!(sweep().await.missed, [REGION]);
    assert!(world.record("even").await.rebalance_suspended);
    world.aws.heal();
    assert_eq!(sweep().await.resumed, ["even"]);
    assert!(!is_suspended(&world, "even").await);
    let record = world.record("even").await;
    assert_eq!((record.rebalance_suspended, record.lease), (false, None));
    // The group is gone, and with it what was suspended.
    left(&world, "gone", result::FAILED).await;
    assert_eq!(sweep().await.resumed, ["gone"]);
    assert_eq!(sweep().await.resumed, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_group_launched_meanwhile_goes_and_nothing_that_serves() {
    let mut world = World::new().await;
    let olds = world.group(&NewGroup::new("early").sizes(2, 3, 4)).await;
    world.aws.set_delays(Delays {
        running: Duration::ZERO,
        in_service: Duration::from_secs(3),
    });
    let worker = world.worker().await;
    world.send(&world.action(&olds[0], "certain")).await;
    world.fact("attached").await;
    // It goes before its replacement serves, and the group launches another one, which takes longer.
    world.aws.set_delays(Delays {
        in_service: Duration::from_secs(3600),
        ..Delays::default()
    });
    world.aws.interrupt(&olds[0]).await.unwrap();
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(detail(&outcome)["old_left_first"], true);
    let new = world.replacements(&olds[0]).await.remove(0).id;
    let mut expected = vec![olds[1].clone(), olds[2].clone(), new];
    expected.sort();
    let mut members = world.members("early").await;
    members.sort();
    assert_eq!(members, expected);
    assert_eq!(world.sizes("early").await, (2, 3, 4));
    assert_eq!(world.aws.count("TerminateInstanceInAutoScalingGroup"), 1);
    assert_eq!(world.aws.count("SetDesiredCapacity"), 0);
    worker.stop().await;
}
