//! Groups of all kinds: of a launch configuration, by requirements, with images of their own.

use std::{collections::BTreeMap, time::Duration};

use hollowtrees_harness::{
    aws::{Delays, NewGroup, Service},
    proxy::Fault,
};
use hollowtrees_schemas::{names::mode, proto};
use serde_json::json;

use crate::{
    policy,
    rights::listed,
    world::{BOUND, World, detail, params, replicas},
};

/// "#!/bin/sh" and "exit"
const USER_DATA: &str = "IyEvYmluL3NoCmV4aXQK";
const X86: &str = "ami-12c6146b";
const ARM: &str = "ami-0e9271c829888680e";
const REQUIREMENTS: &str = "GetInstanceTypesFromInstanceRequirements";

async fn security_group(world: &World) -> String {
    let ec2 = async |action: &str, params: &[(&str, &str)]| {
        world.aws.call(Service::Ec2, action, params).await.unwrap()
    };
    let vpc = text(&ec2("DescribeVpcs", &[]).await, "vpcId");
    let params = [
        ("GroupName", "nodes"),
        ("GroupDescription", "of a test"),
        ("VpcId", vpc.as_str()),
    ];
    text(&ec2("CreateSecurityGroup", &params).await, "groupId")
}

fn text(answer: &str, element: &str) -> String {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let rest = answer.split_once(&open).unwrap_or_else(|| panic!("{answer}")).1;
    rest.split(&close).next().unwrap().to_owned()
}

async fn described(world: &World, instance: &str) -> String {
    let asked = [("InstanceId.1", instance)];
    let told = world.aws.call(Service::Ec2, "DescribeInstances", &asked).await;
    told.unwrap()
}

/// Mixed, by what every type of this test's prices has.
fn small(name: &str) -> NewGroup {
    NewGroup::new(name).zones(&["us-east-1a"]).by_requirements(&[
        ("VCpuCount.Min", "2"),
        ("VCpuCount.Max", "4"),
        ("MemoryMiB.Min", "4096"),
        ("CpuManufacturers.member.1", "intel"),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_launch_configuration_is_replaced_by_one_like_it() {
    let mut world = World::new().await;
    let sg = security_group(&world).await;
    let group = NewGroup::new("lc")
        .sizes(1, 1, 1)
        .tag("team", "x", true)
        .configuration("SecurityGroups.member.1", &sg)
        .configuration("UserData", USER_DATA)
        .configuration("KeyName", "key")
        .configuration("BlockDeviceMappings.member.1.DeviceName", "/dev/sdf")
        .configuration("BlockDeviceMappings.member.1.Ebs.VolumeSize", "37");
    let old = world.group(&group).await.remove(0);
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("lc", &old, (1, 1, 1)).await;
    assert_eq!((new.instance_type.as_str(), new.spot), ("m5.large", false));
    assert_eq!(new.tags["team"], "x");
    // The group's own launch and ours made the same of it.
    for instance in [&old, &new.id] {
        let told = described(&world, instance).await;
        assert_eq!(text(&told, "imageId"), X86, "{told}");
        assert_eq!(text(&told, "keyName"), "key", "{told}");
        assert!(told.contains(&sg), "{told}");
        let asked = [("InstanceId", instance.as_str()), ("Attribute", "userData")];
        let given = world
            .aws
            .call(Service::Ec2, "DescribeInstanceAttribute", &asked)
            .await;
        assert_eq!(text(&given.unwrap(), "value"), USER_DATA);
    }
    let writes: Vec<String> = world.aws.writes().into_iter().map(|call| call.action).collect();
    assert_eq!(
        writes,
        [
            "RunInstances",
            "UpdateAutoScalingGroup",
            "AttachInstances",
            "DetachInstances",
            "UpdateAutoScalingGroup"
        ]
    );
    assert_eq!(world.aws.count("DescribeLaunchConfigurations"), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spot_member_of_a_launch_configuration_keeps_its_highest_price() {
    let mut world = World::new().await;
    let group = NewGroup::new("spot")
        .zones(&["us-east-1a", "us-east-1b"])
        .sizes(1, 1, 2)
        .configuration("SpotPrice", "0.07")
        .configuration("AssociatePublicIpAddress", "true");
    let old = world.group(&group).await.remove(0);
    assert!(world.instance(&old).await.spot);
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert!(world.swapped("spot", &old, (1, 1, 2)).await.spot);
    let call = world.launches().remove(0);
    for (name, value) in [
        ("InstanceMarketOptions.SpotOptions.MaxPrice", "0.07"),
        ("NetworkInterface.1.AssociatePublicIpAddress", "true"),
    ] {
        assert_eq!(call.get(name), Some(value), "{name}");
    }

    // A share on demand goes before the configuration's market.
    let old = world.members("spot").await.remove(0);
    world.aws.forget_calls();
    let on_demand = proto::Action {
        params: params(json!({"on_demand": "1"})),
        ..world.action(&old, "certain")
    };
    world.send(&on_demand).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert!(!world.swapped("spot", &old, (1, 1, 2)).await.spot);
    assert_eq!(world.launches()[0].get("InstanceMarketOptions.MarketType"), None);
    worker.stop().await;
}

/// Dies while its launch is under way, and another one goes on.
async fn dies_in_its_launch(group: NewGroup, name: &str) {
    let mut world = World::new().await;
    let old = world.group(&group).await.remove(0);
    world.aws.set_delays(Delays {
        running: Duration::from_millis(600),
        ..Delays::default()
    });
    let slow = Fault::slow(Duration::from_millis(800));
    world.aws.inject(slow.containing("Action=RunInstances&"));
    let action = world.action(&old, "certain");
    let first = world.worker().await;
    world.send(&action).await;
    hollowtrees_harness::eventually("the launch to be under way", BOUND, async || {
        world.checkpoint(&action, "in_doubt").await == true
    })
    .await;
    first.crash().await;
    let second = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.attempt),
        ("succeeded", 2),
        "{outcome:?}"
    );
    world.swapped(name, &old, (1, 1, 1)).await;
    assert_eq!(world.aws.instances().await.unwrap().len(), 2);
    let asked: Vec<_> = world.launches().into_iter().map(|call| call.params).collect();
    assert!(asked.iter().all(|call| *call == asked[0]), "{asked:#?}");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_of_a_configuration_is_repeated_unchanged_after_a_crash() {
    let group = NewGroup::new("lc")
        .sizes(1, 1, 1)
        .configuration("UserData", USER_DATA)
        .configuration("MetadataOptions.HttpTokens", "required");
    dies_in_its_launch(group, "lc").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_by_requirements_is_repeated_unchanged_after_a_crash() {
    dies_in_its_launch(small("small").sizes(1, 1, 1), "small").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_with_an_image_of_its_own_is_repeated_unchanged_after_a_crash() {
    let group = NewGroup::new("own").type_with_image("m6g.large", ARM);
    dies_in_its_launch(group.sizes(1, 1, 1), "own").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_made_anew_during_a_launch_in_doubt_launches_nothing_else() {
    let mut world = World::new().await;
    let group = NewGroup::new("lc").sizes(1, 1, 1).configuration("KeyName", "old");
    let old = world.group(&group).await.remove(0);
    world.dies_unanswered(&old).await;
    world.aws.heal();
    let scaling = async |action: &str, params: &[(&str, &str)]| {
        world
            .aws
            .call(Service::AutoScaling, action, params)
            .await
            .unwrap()
    };
    scaling("DeleteLaunchConfiguration", &[("LaunchConfigurationName", "lc")]).await;
    let anew = [
        ("LaunchConfigurationName", "lc"),
        ("ImageId", X86),
        ("InstanceType", "m5.large"),
        ("KeyName", "new"),
    ];
    scaling("CreateLaunchConfiguration", &anew).await;
    let second = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    // What was launched is found by its tags; nothing of the new one ever was.
    let new = world.swapped("lc", &old, (1, 1, 1)).await;
    assert_eq!(text(&described(&world, &new.id).await, "keyName"), "old");
    assert_eq!(world.aws.instances().await.unwrap().len(), 2);
    let keys: Vec<_> = world.launches();
    assert!(
        keys.iter().all(|call| call.get("KeyName") == Some("old")),
        "{keys:?}"
    );
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_is_gone_or_cannot_be_launched_is_named() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    for (name, group, told) in [
        (
            "gone",
            NewGroup::new("gone").from_configuration(),
            "launch configuration gone was not found",
        ),
        (
            "linked",
            NewGroup::new("linked").configuration("ClassicLinkVPCId", "vpc-1"),
            "launch configuration linked with a ClassicLink to vpc-1",
        ),
    ] {
        let old = world.group(&group).await.remove(0);
        if name == "gone" {
            let delete = [("LaunchConfigurationName", name)];
            let deleted = world
                .aws
                .call(Service::AutoScaling, "DeleteLaunchConfiguration", &delete)
                .await;
            deleted.unwrap();
            world.aws.forget_calls();
        }
        world.send(&world.action(&old, "certain")).await;
        let outcome = world.end().await;
        assert_eq!(
            (outcome.result.as_str(), outcome.reason.as_str()),
            ("failed", "no-choice")
        );
        assert!(outcome.message.contains(told), "{}", outcome.message);
        assert_eq!(world.aws.writes(), []);
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_members_of_launch_configurations_are_one_read_of_them() {
    let mut world = World::new().await;
    let mut olds = Vec::new();
    for number in 0..12 {
        let name = format!("lc-{number}");
        let group = NewGroup::new(&name).sizes(1, 1, 2).from_configuration();
        olds.push((world.group(&group).await.remove(0), name));
    }
    for (old, _) in &olds {
        world.send(&world.action(old, "certain")).await;
    }
    let worker = world.worker().await;
    for _ in &olds {
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    }
    for (old, name) in &olds {
        world.swapped(name, old, (1, 1, 2)).await;
    }
    let reads = world.aws.count("DescribeLaunchConfigurations");
    assert!(reads < olds.len(), "{reads}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_by_requirements_gets_the_cheapest_type_that_meets_them() {
    let mut world = World::new().await;
    let group = small("small").sizes(2, 2, 3).spot();
    let members = world.group(&group).await;
    let old = world.instance(&members[0]).await;
    assert_eq!(old.instance_type, "c5.large", "the smallest");
    // The cheapest of all are another maker's, burst, and have too many vCPUs.
    for (instance_type, dollars) in [
        ("m5a.large", 0.01),
        ("t3.large", 0.015),
        ("r5.2xlarge", 0.01),
        ("m5.large", 0.03),
        ("m4.large", 0.035),
        ("c5.large", 0.02),
    ] {
        world.aws.set_spot_price(instance_type, "us-east-1a", dollars);
    }
    let worker = world.worker().await;
    let rehearsed = proto::Action {
        mode: mode::DRY_RUN.to_owned(),
        ..world.action(&old.id, "advisory")
    };
    world.send(&rehearsed).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let choices = detail(&outcome)["choices"].clone();
    let listed = choices.as_array().unwrap();
    assert_eq!(listed.len(), 24, "{choices}");
    let ends = [0, 1, 23].map(|at| listed[at]["type"].as_str().unwrap());
    // The interrupted pool stays, as the last.
    assert_eq!(ends, ["m5.large", "m4.large", "c5.large"], "{choices}");
    for member in &members {
        world.send(&world.action(member, "certain")).await;
    }
    for _ in &members {
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    }
    for member in &members {
        let new = world.replacements(member).await.remove(0);
        assert_eq!((new.instance_type.as_str(), new.spot), ("m5.large", true));
    }
    assert_eq!(world.sizes("small").await, (2, 2, 3));
    // Three swaps of a process asked once; there are pages.
    let first_pages = world
        .aws
        .calls()
        .into_iter()
        .filter(|call| call.action == REQUIREMENTS && call.get("NextToken").is_none());
    let asked = first_pages.count();
    assert!((1..=replicas()).contains(&asked), "{asked}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_cannot_be_told_at_first_are_asked_for_again() {
    let mut world = World::new().await;
    let old = world.group(&small("small").sizes(1, 1, 2)).await.remove(0);
    let fault = Service::Ec2.fault("RequestLimitExceeded", 503);
    let of_types = format!("Action={REQUIREMENTS}&");
    // More than the SDK repeats by itself.
    world.aws.inject(fault.times(7).containing(of_types));
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("small", &old, (1, 1, 2)).await;
    // On demand without prices: a type like the old one.
    assert_eq!(new.instance_type, world.instance(&old).await.instance_type);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_fits_is_told() {
    let mut world = World::new().await;
    let old = world.group(&small("small").sizes(1, 1, 2)).await.remove(0);
    let worker = world.worker().await;
    let action = proto::Action {
        params: params(json!({"allowed_types": "x9.*"})),
        ..world.action(&old, "certain")
    };
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "no-choice")
    );
    assert!(outcome.message.contains("takes out all"), "{}", outcome.message);
    assert_eq!(world.aws.writes(), []);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_with_an_image_of_its_own_is_launched_with_it() {
    let mut world = World::new().await;
    let group = NewGroup::new("own")
        .zones(&["us-east-1a"])
        .type_with_image("m6g.large", ARM)
        .types(&["m5.large"])
        .sizes(1, 1, 2)
        .spot();
    let old = world.group(&group).await.remove(0);
    assert_eq!(text(&described(&world, &old).await, "imageId"), ARM);
    for (instance_type, dollars) in [("m5.large", 0.03), ("m6g.large", 0.02)] {
        world.aws.set_spot_price(instance_type, "us-east-1a", dollars);
    }
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    assert_eq!(world.end().await.result, "succeeded");
    let new = world.swapped("own", &old, (1, 1, 2)).await;
    assert_eq!(new.instance_type, "m5.large", "the other one was interrupted");
    assert_eq!(text(&described(&world, &new.id).await, "imageId"), X86);
    // Back: now it is m5.large that was interrupted.
    world.send(&world.action(&new.id, "certain")).await;
    assert_eq!(world.end().await.result, "succeeded");
    let again = world.swapped("own", &new.id, (1, 1, 2)).await;
    assert_eq!(again.instance_type, "m6g.large");
    assert_eq!(text(&described(&world, &again.id).await, "imageId"), ARM);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_each_kind_need_what_the_page_of_rights_says() {
    let mut world = World::new().await;
    let all = listed("### Rights in AWS");
    let kinds = [
        (
            NewGroup::new("lc").from_configuration(),
            "For groups of launch configurations",
        ),
        (small("small").spot(), "For groups of types by requirements"),
    ];
    let worker = world.worker().await;
    for (group, page) in kinds {
        let more = listed(page);
        let old = world.group(&group.sizes(1, 1, 1)).await.remove(0);
        world.send(&world.action(&old, "certain")).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        let made: BTreeMap<String, usize> =
            world
                .aws
                .calls()
                .into_iter()
                .fold(BTreeMap::new(), |mut made, call| {
                    *made.entry(call.right()).or_default() += 1;
                    made
                });
        policy::assert_allowed(&world, &policy::page()).await;
        // EC2 reads the parameter, with our rights.
        for needed in more.iter().filter(|right| *right != "ssm:GetParameters") {
            assert!(
                made.contains_key(needed),
                "{needed} is named but not called: {made:?}"
            );
            assert!(!all.contains(needed), "{needed} is named twice");
        }
        for call in made.keys() {
            assert!(
                all.contains(call) || more.contains(call),
                "the page does not name {call}"
            );
        }
    }
    worker.stop().await;
}
