//! Launches.

use std::collections::BTreeSet;

use hollowtrees_aws::Refusal;
use hollowtrees_domain::swap::world::SpotMarket;
use hollowtrees_harness::aws::{Call, NewGroup, Service};

use crate::{A, B, Stage};

/// The parameters of the last launch.
pub(crate) fn last(stage: &Stage) -> Call {
    let calls = stage.cloud.calls();
    calls
        .into_iter()
        .rev()
        .find(|call| call.action == "RunInstances")
        .unwrap()
}

#[tokio::test]
async fn one_call_one_instance() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    cloud
        .create(&NewGroup::new("group").sizes(0, 0, 1))
        .await
        .unwrap();
    let mut launch = stage.launch_from("group", "token-1").await;
    launch.spot = Some(SpotMarket {
        max_price: Some("0.07".to_owned()),
    });
    let first = region.launch(&launch).await.unwrap();
    assert_eq!(
        region.launch(&launch).await.unwrap().id,
        first.id,
        "the same call, the same instance"
    );
    let call = last(&stage);
    let template = Stage::version_of(&mut launch).clone();
    for (name, value) in [
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("ClientToken", "token-1"),
        ("InstanceType", "m5.large"),
        ("SubnetId", launch.subnet.as_str()),
        ("LaunchTemplate.LaunchTemplateId", template.id.as_str()),
        ("LaunchTemplate.Version", "1"),
        ("InstanceMarketOptions.MarketType", "spot"),
        ("InstanceMarketOptions.SpotOptions.SpotInstanceType", "one-time"),
        (
            "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior",
            "terminate",
        ),
        ("InstanceMarketOptions.SpotOptions.MaxPrice", "0.07"),
    ] {
        assert_eq!(call.get(name), Some(value), "{name}");
    }

    // Another call under the same token.
    launch.instance_type = "c5.large".to_owned();
    let mismatch = region.launch(&launch).await.unwrap_err();
    assert_eq!(mismatch.code(), Some("IdempotentParameterMismatch"));
    assert!(matches!(mismatch, Refusal::Rejected { .. }));

    // On demand.
    launch.token = "token-2".to_owned();
    launch.spot = None;
    let on_demand = region.launch(&launch).await.unwrap();
    assert!(!on_demand.spot);
    assert_eq!(last(&stage).get("InstanceMarketOptions.MarketType"), None);

    // What a token launched and what then ended does not come again.
    region
        .terminate(std::slice::from_ref(&on_demand.id))
        .await
        .unwrap();
    let ended = region.launch(&launch).await.unwrap_err();
    assert_eq!(ended.code(), Some("IdempotentInstanceTerminated"));
    assert!(ended.is_definite());
}

#[tokio::test]
async fn a_launch_that_could_be_another_is_not_made() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    cloud
        .create(&NewGroup::new("group").sizes(0, 0, 1).spot())
        .await
        .unwrap();
    let mut launch = stage.launch_from("group", "token").await;
    launch.spot = None;
    let refused = region.launch(&launch).await.unwrap_err();
    assert_eq!(refused.code(), Some("template-market"), "{refused}");
    Stage::version_of(&mut launch).version = "$Latest".to_owned();
    let refused = region.launch(&launch).await.unwrap_err();
    assert_eq!(refused.code(), Some("template-version"), "{refused}");
    assert_eq!(cloud.writes(), []);
}

#[tokio::test]
async fn the_templates_tags_stay() {
    let stage = Stage::new().await;
    let tagged = [
        "instance",
        "volume",
        "network-interface",
        "spot-instances-request",
    ];
    let mut group = NewGroup::new("group").sizes(0, 0, 1);
    for (i, kind) in tagged.iter().enumerate() {
        let at = |name: &str| format!("TagSpecification.{}.{name}", i + 1);
        group = group
            .template(&at("ResourceType"), kind)
            .template(&at("Tag.1.Key"), "from")
            .template(&at("Tag.1.Value"), &format!("template-{kind}"))
            .template(&at("Tag.2.Key"), "ours")
            .template(&at("Tag.2.Value"), "no");
    }
    stage.cloud.create(&group).await.unwrap();
    let mut launch = stage.launch_from("group", "t-1").await;
    launch.tags = [("ours".to_owned(), "yes".to_owned())].into();
    let instance = stage.region.launch(&launch).await.unwrap();
    assert_eq!(instance.tags["ours"], "yes");
    assert_eq!(instance.tags["from"], "template-instance");
    let said = |call: &Call| {
        let mut said = Vec::new();
        for i in (1..).take_while(|i| call.get(&format!("TagSpecification.{i}.ResourceType")).is_some()) {
            let part = |name: &str| {
                call.get(&format!("TagSpecification.{i}.{name}"))
                    .unwrap_or_default()
            };
            for tag in (1..).take_while(|tag| !part(&format!("Tag.{tag}.Key")).is_empty()) {
                said.push(format!(
                    "{} {}={}",
                    part("ResourceType"),
                    part(&format!("Tag.{tag}.Key")),
                    part(&format!("Tag.{tag}.Value"))
                ));
            }
        }
        said
    };
    let expected = [
        "instance from=template-instance",
        "instance ours=yes",
        "network-interface from=template-network-interface",
        "network-interface ours=no",
        "spot-instances-request from=template-spot-instances-request",
        "spot-instances-request ours=no",
        "volume from=template-volume",
        "volume ours=yes",
    ];
    assert_eq!(said(&last(&stage)), expected);
    // No request for spot instances is made by a launch on demand.
    launch.spot = None;
    launch.token = "t-2".to_owned();
    stage.region.launch(&launch).await.unwrap();
    let without: Vec<_> = expected
        .into_iter()
        .filter(|tag| !tag.starts_with("spot"))
        .collect();
    assert_eq!(said(&last(&stage)), without);
}

#[tokio::test]
async fn disks_and_user_data_are_the_templates() {
    let stage = Stage::new().await;
    let cloud = &stage.cloud;
    // "#!/bin/sh" and "exit"
    let user_data = "IyEvYmluL3NoCmV4aXQK";
    let group = NewGroup::new("group")
        .sizes(0, 0, 1)
        .template("UserData", user_data)
        .template("BlockDeviceMapping.1.DeviceName", "/dev/sdf")
        .template("BlockDeviceMapping.1.Ebs.VolumeSize", "37")
        .template("BlockDeviceMapping.1.Ebs.VolumeType", "gp3")
        .template("BlockDeviceMapping.2.DeviceName", "/dev/sdg")
        .template("BlockDeviceMapping.2.Ebs.VolumeSize", "11")
        .template("BlockDeviceMapping.2.Ebs.DeleteOnTermination", "false");
    cloud.create(&group).await.unwrap();
    let launch = stage.launch_from("group", "t-1").await;
    let instance = stage.region.launch(&launch).await.unwrap();
    // Not said again: what a launch says would stand for the template's.
    let call = last(&stage);
    for name in ["UserData", "BlockDeviceMapping.1.DeviceName", "ImageId"] {
        assert_eq!(call.get(name), None, "{name}");
    }
    let ask =
        async |action: &str, params: &[(&str, &str)]| cloud.call(Service::Ec2, action, params).await.unwrap();
    let given = ask(
        "DescribeInstanceAttribute",
        &[("InstanceId", &instance.id), ("Attribute", "userData")],
    )
    .await;
    assert_eq!(texts(&given, "value"), [user_data], "{given}");
    let volumes = ask(
        "DescribeVolumes",
        &[
            ("Filter.1.Name", "attachment.instance-id"),
            ("Filter.1.Value.1", &instance.id),
        ],
    )
    .await;
    let disks: BTreeSet<_> = texts(&volumes, "device")
        .into_iter()
        .zip(texts(&volumes, "size"))
        .collect();
    // Beside the one of the image, whose size is the simulation's.
    for disk in [("/dev/sdf", "37"), ("/dev/sdg", "11")].map(|(a, b)| (a.to_owned(), b.to_owned())) {
        assert!(disks.contains(&disk), "{disk:?} in {volumes}");
    }
    assert_eq!(disks.len(), 3, "{volumes}");
}

/// What the elements of this name hold, in the order of an answer.
fn texts(answer: &str, element: &str) -> Vec<String> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let parts = answer.split(&open).skip(1);
    parts
        .map(|part| part.split(&close).next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_subnet_goes_into_the_templates_first_interface() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    let group = NewGroup::new("group")
        .zones(&[A, B])
        .sizes(0, 0, 1)
        .template("NetworkInterface.1.DeviceIndex", "0")
        .template("NetworkInterface.1.AssociatePublicIpAddress", "false")
        .template("NetworkInterface.1.DeleteOnTermination", "true")
        .template("NetworkInterface.1.Description", "first");
    cloud.create(&group).await.unwrap();
    let mut launch = stage.launch_from("group", "t-1").await;
    let group = region.group("group").await.unwrap().unwrap();
    let in_b = group.subnets.iter().find(|subnet| subnet.zone == B).unwrap();
    launch.subnet = in_b.id.clone();
    let instance = region.launch(&launch).await.unwrap();
    assert_eq!(
        (instance.subnet.as_str(), instance.zone.as_str()),
        (in_b.id.as_str(), B)
    );
    let call = last(&stage);
    for (name, value) in [
        ("SubnetId", None),
        ("NetworkInterface.1.DeviceIndex", Some("0")),
        ("NetworkInterface.1.SubnetId", Some(in_b.id.as_str())),
        ("NetworkInterface.1.AssociatePublicIpAddress", Some("false")),
        ("NetworkInterface.1.DeleteOnTermination", Some("true")),
        ("NetworkInterface.1.Description", Some("first")),
        ("NetworkInterface.2.DeviceIndex", None),
    ] {
        assert_eq!(call.get(name), value, "{name}");
    }
}
