//! The policies that the page of rights gives: all that swaps do is allowed by them, and nothing that is not ours to do.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hollowtrees_harness::aws::{Call, Check, Delays, NewGroup, Policy};
use serde_json::{Value, json};

use crate::{
    rights,
    world::{REGION, World, params},
};

const LONG: Duration = Duration::from_secs(3600);
/// The tag of groups that are ours.
const MANAGED: &str = "hollowtrees.io/managed";
/// The name of an image, as a template has it.
const IMAGE: &str = "resolve:ssm:/nodes";

/// A call, and what AWS asks of the caller's policy for it.
struct Asked {
    call: Call,
    checks: Vec<Check>,
}

/// The policy of the page.
pub(crate) fn page() -> Policy {
    Policy::parse(rights::policy(0)).unwrap()
}

/// It, with the narrower right to end instances.
pub(crate) fn narrowed() -> Policy {
    page().narrowed_by(&Policy::parse(rights::policy(1)).unwrap())
}

async fn asked(world: &World, call: Call) -> Asked {
    let checks = world.aws.checks(&call).await.unwrap();
    Asked { call, checks }
}

async fn recorded(world: &World) -> Vec<Asked> {
    let mut all = Vec::new();
    for call in world.aws.calls() {
        all.push(asked(world, call).await);
    }
    all
}

fn assert_all_allowed(policy: &Policy, all: &[Asked]) {
    for one in all {
        let denied = policy.denied(&one.checks);
        assert!(denied.is_none(), "{:?}\nneeds {denied:?}", one.call);
    }
}

/// All calls so far are allowed by a policy.
pub(crate) async fn assert_allowed(world: &World, policy: &Policy) {
    let all = recorded(world).await;
    assert!(!all.is_empty(), "nothing was called");
    assert_all_allowed(policy, &all);
}

/// As the page says of the narrower right: the tag of the group is given to its instances.
pub(crate) fn giving(group: NewGroup) -> NewGroup {
    group.unmanaged().tag(MANAGED, "true", true)
}

/// With an instance profile.
fn with_profile(group: NewGroup) -> NewGroup {
    group.template("IamInstanceProfile.Name", "nodes")
}

/// A world with the role that the page's policy may pass.
async fn world() -> World {
    let world = World::new().await;
    world.aws.create_instance_profile("nodes", "NODES").await.unwrap();
    world.aws.name_image(IMAGE, "ami-12c6146b");
    world
}

/// Replaces a member of this group, whose action has this certainty and these parameters; all that was called.
async fn swap(world: &mut World, group: &NewGroup, certainty: &str, with: Value) -> Vec<Asked> {
    let old = world.group(group).await.remove(0);
    world.protect(&old).await;
    world.undrained(&old).await;
    let mut action = world.action(&old, certainty);
    action.params = params(with);
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    recorded(world).await
}

/// All that swaps of groups of all kinds call, whatever comes in between.
async fn of_all_kinds(world: &mut World, of: fn(NewGroup) -> NewGroup) -> Vec<Asked> {
    let worker = world.worker().await;
    let full = NewGroup::new("full")
        .zones(&["us-east-1a", "us-east-1b"])
        .types(&["m5.large"])
        .sizes(2, 2, 2)
        .spot()
        .template("TagSpecification.1.ResourceType", "spot-instances-request")
        .template("TagSpecification.1.Tag.1.Key", "team")
        .template("TagSpecification.1.Tag.1.Value", "a");
    let mut all = swap(world, &of(with_profile(full)), "advisory", json!({})).await;
    let plain = of(with_profile(NewGroup::new("ended")));
    all.extend(swap(world, &plain, "certain", json!({"strategy": "terminate"})).await);
    let configured = NewGroup::new("lc").configuration("IamInstanceProfile", "nodes");
    all.extend(swap(world, &of(configured), "advisory", json!({})).await);
    let small = NewGroup::new("small")
        .by_requirements(&[
            ("VCpuCount.Min", "2"),
            ("VCpuCount.Max", "4"),
            ("MemoryMiB.Min", "4096"),
        ])
        .template("ImageId", IMAGE)
        .spot();
    all.extend(swap(world, &of(small), "certain", json!({})).await);

    // Withdrawn: what was launched is ended, by the group where it is in it.
    let [pending, joining] = [(LONG, Duration::ZERO), (Duration::ZERO, LONG)];
    for (at, (running, in_service)) in [("launched", pending), ("attached", joining)] {
        let old = world.group(&of(NewGroup::new(at).sizes(1, 1, 1))).await.remove(0);
        world.aws.set_delays(Delays { running, in_service });
        world.incident(&old, "open").await;
        world.send(&world.action(&old, "advisory")).await;
        world.fact(at).await;
        world.incident(&old, "cancelled").await;
        assert_eq!(world.end().await.result, "cancelled");
        all.extend(recorded(world).await);
    }

    // It leaves before its replacement serves.
    let early = of(NewGroup::new("early").sizes(1, 2, 3));
    let old = world.group(&early).await.remove(0);
    world.aws.set_delays(Delays {
        in_service: LONG,
        ..Delays::default()
    });
    world.aws.hold_replacements(true).await.unwrap();
    world.send(&world.action(&old, "certain")).await;
    world.fact("attached").await;
    world.aws.interrupt(&old).await.unwrap();
    assert_eq!(world.end().await.result, "succeeded");
    all.extend(recorded(world).await);
    worker.stop().await;
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_swaps_call_is_allowed_and_needs_each_statement() {
    let mut world = world().await;
    let all = of_all_kinds(&mut world, |group| group).await;
    let page = page();
    assert_all_allowed(&page, &all);
    for (statement, left) in page.without_each_statement() {
        let refused = all.iter().any(|one| left.denied(&one.checks).is_some());
        assert!(refused, "nothing needs: {statement}");
    }

    // Each right is asked for, those too that no call of ours has the name of.
    let asked_for: BTreeSet<_> = all
        .iter()
        .flat_map(|one| &one.checks)
        .map(|check| check.action.clone())
        .collect();
    let of_kinds = &rights::OF_SWAPS[..3];
    let listed: BTreeSet<_> = of_kinds.iter().flat_map(|head| rights::listed(head)).collect();
    assert_eq!(asked_for, listed);

    // What the page says may be narrowed in the third is all that is launched with.
    let launches: Vec<_> = all
        .iter()
        .filter(|one| one.call.action == "RunInstances")
        .collect();
    let used: Vec<_> = launches
        .iter()
        .filter_map(|one| one.call.get("SubnetId"))
        .collect();
    let only = |subnets: &[&str]| {
        let kinds = [
            "instance/*",
            "volume/*",
            "network-interface/*",
            "security-group/*",
            "launch-template/*",
        ];
        let more = ["spot-instances-request/*"];
        let subnets = subnets.iter().map(|id| format!("subnet/{id}"));
        let mut resources: Vec<_> = kinds
            .into_iter()
            .chain(more)
            .map(str::to_owned)
            .chain(subnets)
            .collect();
        for kind in &mut resources {
            *kind = format!("arn:aws:ec2:{REGION}:123456789012:{kind}");
        }
        resources.push(format!("arn:aws:ec2:{REGION}::image/*"));
        let run = json!({"Effect": "Allow", "Action": ["ec2:RunInstances"], "Resource": resources});
        let run = json!({"Version": "2012-10-17", "Statement": [run]}).to_string();
        page.narrowed_by(&Policy::parse(&run).unwrap())
    };
    let (narrow, elsewhere) = (only(&used), only(&["subnet-elsewhere"]));
    for one in launches {
        assert_eq!(narrow.denied(&one.checks), None, "{:?}", one.call);
        let denied = elsewhere.denied(&one.checks).expect("another subnet is denied");
        assert!(denied.resource.contains(":subnet/"), "{denied:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_groups_give_their_tag_the_narrower_right_to_end_instances_is_enough() {
    let mut world = world().await;
    let all = of_all_kinds(&mut world, giving).await;
    let narrowed = narrowed();
    assert_all_allowed(&narrowed, &all);

    // Where they do not, what swaps launched is ended, and old instances are not.
    let worker = world.worker().await;
    world.aws.set_delays(Delays::default());
    world.aws.hold_replacements(false).await.unwrap();
    let (group, with) = (NewGroup::new("kept"), json!({}));
    let of_old = swap(&mut world, &group, "advisory", with).await;
    let (ends, others): (Vec<_>, Vec<_>) = of_old
        .into_iter()
        .partition(|one| one.call.action == "TerminateInstances");
    assert_all_allowed(&narrowed, &others);
    assert_eq!(ends.len(), 1);
    assert!(narrowed.denied(&ends[0].checks).is_some());
    let new = world.members("kept").await.remove(0);
    let end = call("ec2", "TerminateInstances", &[("InstanceId.1", &new)]);
    let end = asked(&world, end).await;
    assert_eq!(narrowed.denied(&end.checks), None);
    worker.stop().await;

    let all: Vec<_> = all.into_iter().chain([end]).collect();
    for (statement, left) in narrowed.without_each_statement() {
        let refused = all.iter().any(|one| left.denied(&one.checks).is_some());
        assert!(refused, "nothing needs: {statement}");
    }
}

fn call(service: &str, action: &str, with: &[(&str, &str)]) -> Call {
    let with = with
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Call {
        action: action.to_owned(),
        params: with.collect::<BTreeMap<_, _>>(),
        region: REGION.to_owned(),
        signed_for: service.to_owned(),
        key: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_to_do_is_denied_and_each_condition_denies_some_of_it() {
    let world = world().await;
    world
        .aws
        .create_instance_profile("admins", "ADMINS")
        .await
        .unwrap();
    world.group(&giving(NewGroup::new("ours"))).await;
    let member = world.group(&NewGroup::new("theirs").unmanaged()).await.remove(0);
    let alone = world.aws.launch(REGION, 1, &[]).await.unwrap().remove(0);
    let powerful = NewGroup::new("powerful").template("IamInstanceProfile.Name", "admins");
    world.group(&powerful).await;
    let (member, alone) = (member.as_str(), alone.as_str());

    let theirs = ("AutoScalingGroupName", "theirs");
    let mut calls: Vec<_> = [
        "AttachInstances",
        "DetachInstances",
        "SetDesiredCapacity",
        "UpdateAutoScalingGroup",
        "SuspendProcesses",
        "ResumeProcesses",
        "SetInstanceProtection",
        "DeleteAutoScalingGroup",
    ]
    .map(|action| call("autoscaling", action, &[theirs]))
    .into();
    let takes_over = [
        ("Tags.member.1.ResourceId", "theirs"),
        ("Tags.member.1.Key", MANAGED),
        ("Tags.member.1.Value", "true"),
    ];
    let tags = [
        ("ResourceId.1", alone),
        ("Tag.1.Key", MANAGED),
        ("Tag.1.Value", "true"),
    ];
    calls.extend([
        call(
            "autoscaling",
            "TerminateInstanceInAutoScalingGroup",
            &[("InstanceId", member)],
        ),
        call(
            "autoscaling",
            "DeleteAutoScalingGroup",
            &[("AutoScalingGroupName", "ours")],
        ),
        call("autoscaling", "CreateOrUpdateTags", &takes_over),
        call("ec2", "CreateTags", &tags),
        call(
            "ec2",
            "RunInstances",
            &[("LaunchTemplate.LaunchTemplateName", "powerful")],
        ),
        call(
            "ec2",
            "RunInstances",
            &[("ImageId", "ami-1"), ("IamInstanceProfile.Name", "admins")],
        ),
    ]);
    let ends = [member, alone].map(|id| call("ec2", "TerminateInstances", &[("InstanceId.1", id)]));
    let mut foreign = Vec::new();
    for call in calls {
        foreign.push(asked(&world, call).await.checks);
    }
    // To a service that we do not call; that other right may be another policy's to give.
    let role = "arn:aws:iam::123456789012:role/NODES";
    let to = |service: &str| Check::new("iam:PassRole", role).with("iam:PassedToService", service);
    foreign.push(vec![to("lambda.amazonaws.com")]);

    let (page, narrowed) = (page(), narrowed());
    for checks in &foreign {
        assert!(page.denied(checks).is_some(), "{checks:?}");
    }
    assert!(page.allows(&to("ec2.amazonaws.com")));
    for call in ends {
        let checks = asked(&world, call).await.checks;
        assert!(narrowed.denied(&checks).is_some(), "{checks:?}");
        // The page says that it may, and how that is narrowed.
        assert_eq!(page.denied(&checks), None);
        foreign.push(checks);
    }
    for checks in &foreign {
        assert!(narrowed.denied(checks).is_some(), "{checks:?}");
    }
    for policy in [&page, &narrowed] {
        for (condition, left) in policy.without_each_condition() {
            let freed =
                |checks: &Vec<Check>| policy.denied(checks).is_some() && left.denied(checks).is_none();
            assert!(foreign.iter().any(freed), "nothing is denied by: {condition}");
        }
    }
    // The same of a group that is ours is allowed, and of one that is named in place of the tag.
    let attach = |group: &str| {
        call(
            "autoscaling",
            "AttachInstances",
            &[("AutoScalingGroupName", group)],
        )
    };
    let [ours, theirs] = [
        asked(&world, attach("ours")).await.checks,
        asked(&world, attach("theirs")).await.checks,
    ];
    assert_eq!(page.denied(&ours), None);
    let named = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "autoscaling:AttachInstances",
        "Resource": "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/theirs"}});
    let named = page.narrowed_by(&Policy::parse(&named.to_string()).unwrap());
    assert!(named.denied(&theirs).is_none() && named.denied(&ours).is_some());
    // What is not written down is not passed over.
    assert!(world.aws.checks(&call("ec2", "CreateFleet", &[])).await.is_err());
}
