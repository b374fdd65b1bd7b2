//! A swap with all that there is to do: room, zones, protection, health at load balancers, the end of the old one.

use hollowtrees_domain::swap::balance;
use hollowtrees_harness::{
    Aws,
    aws::{Instance, NewGroup, Service},
};
use hollowtrees_schemas::proto;
use serde_json::json;

use crate::world::{World, params};

/// The group is full.
pub(crate) const SIZES: (u32, u32, u32) = (2, 2, 2);
pub(crate) const ZONES: [&str; 2] = ["us-east-1a", "us-east-1b"];

/// A full group of one member in each of two zones.
pub(crate) fn full(name: &str, types: &[&str]) -> NewGroup {
    NewGroup::new(name)
        .zones(&ZONES)
        .types(types)
        .sizes(SIZES.0, SIZES.1, SIZES.2)
        .spot()
}

/// The group; the instance that goes, which is protected.
pub(crate) async fn group(aws: &Aws, name: &str) -> String {
    let arn = aws.create_target_group(name, "instance").await.unwrap();
    aws.create_classic_balancer(name).await.unwrap();
    let group = full(name, &["m5.large"])
        .target_group(&arn)
        .classic_balancer(name);
    let (old, _) = aws.create(&group).await.unwrap().members.remove(0);
    let params = [
        ("AutoScalingGroupName", name),
        ("InstanceIds.member.1", old.as_str()),
        ("ProtectedFromScaleIn", "true"),
    ];
    let protected = aws.call(Service::AutoScaling, "SetInstanceProtection", &params);
    protected.await.unwrap();
    old
}

/// Its old one is interrupted by nobody. It needs a run of an incident ([`World::undrained`]).
pub(crate) fn action(world: &World, old: &str) -> proto::Action {
    proto::Action {
        params: params(json!({"wait_for_targets": "5m"})),
        ..world.action(old, "advisory")
    }
}

/// What it changes, in order.
pub(crate) const CHANGES: [&str; 9] = [
    "RunInstances",
    "UpdateAutoScalingGroup",
    "SuspendProcesses",
    "AttachInstances",
    "SetInstanceProtection",
    "DetachInstances",
    "UpdateAutoScalingGroup",
    "ResumeProcesses",
    "TerminateInstances",
];

/// Everything that was launched for it is in the group or has ended; how many that were.
pub(crate) async fn launched(world: &World, old: &str) -> usize {
    let all = world.aws.instances().await.unwrap();
    launched_of(&all, old).len()
}

/// What of these was launched for it. All of that is in the group or has ended.
pub(crate) fn launched_of<'a>(all: &'a [Instance], old: &str) -> Vec<&'a Instance> {
    let replaces = |found: &&Instance| {
        let of = found.tags.get("hollowtrees.io/replaces");
        of.is_some_and(|of| of == old)
    };
    let launched: Vec<_> = all.iter().filter(replaces).collect();
    for instance in &launched {
        let orphan = instance.state != "terminated" && instance.group.is_none();
        assert!(!orphan, "{instance:?}");
    }
    launched
}

/// Whether the group's zones are left alone.
pub(crate) async fn is_suspended(world: &World, group: &str) -> bool {
    let params = [("AutoScalingGroupNames.member.1", group)];
    let shown = world
        .aws
        .call(Service::AutoScaling, "DescribeAutoScalingGroups", &params);
    shown.await.unwrap().contains(balance::REBALANCE)
}

/// Nothing of a swap is left in the group or in its record.
pub(crate) async fn assert_at_rest(world: &World, group: &str) {
    assert!(!is_suspended(world, group).await);
    let record = world.record(group).await;
    assert_eq!(
        (
            record.lease,
            record.pending,
            record.written_max,
            record.rebalance_suspended
        ),
        (None, None, 0, false)
    );
}
