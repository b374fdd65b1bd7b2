//! Launch configurations: read, and launched from.

use hollowtrees_aws::Refusal;
use hollowtrees_domain::swap::world::{Blueprint, ConfigurationRef, Launch, Source, SpotMarket};
use hollowtrees_harness::{
    aws::{Call, NewGroup, Service},
    proxy::Fault,
};

use crate::{Stage, launch::last};

/// "#!/bin/sh" and "exit"
const USER_DATA: &str = "IyEvYmluL3NoCmV4aXQK";
const IMAGE: &str = "ami-12c6146b";

/// A security group of the default VPC.
async fn security_group(stage: &Stage, name: &str) -> String {
    let vpcs = stage.cloud.call(Service::Ec2, "DescribeVpcs", &[]).await.unwrap();
    let vpc = text(&vpcs, "vpcId");
    let params = [
        ("GroupName", name),
        ("GroupDescription", "of a test"),
        ("VpcId", vpc.as_str()),
    ];
    let made = stage
        .cloud
        .call(Service::Ec2, "CreateSecurityGroup", &params)
        .await
        .unwrap();
    text(&made, "groupId")
}

fn text(answer: &str, element: &str) -> String {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let rest = answer.split_once(&open).unwrap_or_else(|| panic!("{answer}")).1;
    rest.split(&close).next().unwrap().to_owned()
}

/// A launch from the configuration of this group, as it is now.
async fn launch_from(stage: &Stage, group: &str, token: &str) -> Launch {
    let group = stage.region.group(group).await.unwrap().expect("the group");
    let Source::Configuration(name) = &group.source else {
        panic!("{:?}", group.source)
    };
    let mut found = stage
        .region
        .configurations(std::slice::from_ref(name))
        .await
        .unwrap();
    let found = found.remove(name).expect("the configuration");
    Launch {
        blueprint: Blueprint::Configuration(found.pinned),
        image: None,
        instance_type: found.instance_type,
        subnet: group.subnets[0].id.clone(),
        placement_group: None,
        reserved: None,
        spot: None,
        token: token.to_owned(),
        tags: [("hollowtrees.io/action".to_owned(), token.to_owned())].into(),
    }
}

fn says(call: &Call, expected: &[(&str, Option<&str>)]) {
    for (name, value) in expected {
        assert_eq!(call.get(name), *value, "{name}");
    }
}

#[tokio::test]
async fn all_that_a_configuration_says_is_said_of_its_launch() {
    let stage = Stage::new().await;
    let (first, second) = (
        security_group(&stage, "first").await,
        security_group(&stage, "second").await,
    );
    let group = NewGroup::new("lc")
        .sizes(0, 0, 1)
        .configuration("SecurityGroups.member.1", &first)
        .configuration("SecurityGroups.member.2", &second)
        .configuration("UserData", USER_DATA)
        .configuration("KeyName", "key")
        .configuration("InstanceMonitoring.Enabled", "false")
        .configuration("EbsOptimized", "true")
        .configuration("PlacementTenancy", "dedicated")
        .configuration("MetadataOptions.HttpTokens", "required")
        .configuration("MetadataOptions.HttpPutResponseHopLimit", "2")
        .configuration("MetadataOptions.HttpEndpoint", "enabled")
        .configuration("BlockDeviceMappings.member.1.DeviceName", "/dev/sdf")
        .configuration("BlockDeviceMappings.member.1.Ebs.VolumeSize", "37")
        .configuration("BlockDeviceMappings.member.1.Ebs.VolumeType", "gp3")
        .configuration("BlockDeviceMappings.member.1.Ebs.Iops", "3100")
        .configuration("BlockDeviceMappings.member.1.Ebs.Throughput", "130")
        .configuration("BlockDeviceMappings.member.1.Ebs.Encrypted", "true")
        .configuration("BlockDeviceMappings.member.1.Ebs.DeleteOnTermination", "false");
    stage.cloud.create(&group).await.unwrap();
    let launch = launch_from(&stage, "lc", "t-1").await;
    let instance = stage.region.launch(&launch).await.unwrap();
    let call = last(&stage);
    says(
        &call,
        &[
            ("LaunchTemplate.LaunchTemplateId", None),
            ("ImageId", Some(IMAGE)),
            ("InstanceType", Some("m5.large")),
            ("SubnetId", Some(&launch.subnet)),
            ("SecurityGroupId.1", Some(&first)),
            ("SecurityGroupId.2", Some(&second)),
            ("SecurityGroup.1", None),
            ("NetworkInterface.1.DeviceIndex", None),
            ("UserData", Some(USER_DATA)),
            ("KeyName", Some("key")),
            // Told as empty, and so not said.
            ("KernelId", None),
            ("RamdiskId", None),
            ("Monitoring.Enabled", Some("false")),
            ("EbsOptimized", Some("true")),
            ("Placement.Tenancy", Some("dedicated")),
            ("MetadataOptions.HttpTokens", Some("required")),
            ("MetadataOptions.HttpPutResponseHopLimit", Some("2")),
            ("MetadataOptions.HttpEndpoint", Some("enabled")),
            ("BlockDeviceMapping.1.DeviceName", Some("/dev/sdf")),
            ("BlockDeviceMapping.1.Ebs.VolumeSize", Some("37")),
            ("BlockDeviceMapping.1.Ebs.VolumeType", Some("gp3")),
            ("BlockDeviceMapping.1.Ebs.Iops", Some("3100")),
            ("BlockDeviceMapping.1.Ebs.Throughput", Some("130")),
            ("BlockDeviceMapping.1.Ebs.Encrypted", Some("true")),
            ("BlockDeviceMapping.1.Ebs.DeleteOnTermination", Some("false")),
            ("BlockDeviceMapping.1.NoDevice", None),
            ("IamInstanceProfile.Name", None),
            ("InstanceMarketOptions.MarketType", None),
            ("TagSpecification.1.ResourceType", Some("instance")),
            ("TagSpecification.1.Tag.1.Value", Some("t-1")),
            ("TagSpecification.2.ResourceType", Some("volume")),
        ],
    );
    // What EC2 made of it.
    let ask = async |action: &str, params: &[(&str, &str)]| {
        stage.cloud.call(Service::Ec2, action, params).await.unwrap()
    };
    let attribute = [("InstanceId", instance.id.as_str()), ("Attribute", "userData")];
    let given = ask("DescribeInstanceAttribute", &attribute).await;
    assert_eq!(text(&given, "value"), USER_DATA, "{given}");
    let told = ask("DescribeInstances", &[("InstanceId.1", &instance.id)]).await;
    assert_eq!(text(&told, "imageId"), IMAGE);
    assert!(told.contains(&first) && told.contains(&second), "{told}");
}

#[tokio::test]
async fn a_public_address_is_said_of_the_interface_with_its_subnet_and_groups() {
    let stage = Stage::new().await;
    let own = security_group(&stage, "own").await;
    for public in ["true", "false"] {
        let name = format!("public-{public}");
        let group = NewGroup::new(&name)
            .sizes(0, 0, 1)
            .configuration("SecurityGroups.member.1", &own)
            .configuration("AssociatePublicIpAddress", public);
        stage.cloud.create(&group).await.unwrap();
        let launch = launch_from(&stage, &name, &name).await;
        stage.region.launch(&launch).await.unwrap();
        says(
            &last(&stage),
            &[
                ("SubnetId", None),
                ("SecurityGroupId.1", None),
                ("NetworkInterface.1.DeviceIndex", Some("0")),
                ("NetworkInterface.1.AssociatePublicIpAddress", Some(public)),
                ("NetworkInterface.1.DeleteOnTermination", Some("true")),
                ("NetworkInterface.1.SubnetId", Some(&launch.subnet)),
                ("NetworkInterface.1.SecurityGroupId.1", Some(&own)),
                ("NetworkInterface.2.DeviceIndex", None),
            ],
        );
    }
}

#[tokio::test]
async fn the_market_is_the_launchs() {
    let stage = Stage::new().await;
    let group = NewGroup::new("spot")
        .sizes(0, 1, 1)
        .configuration("SpotPrice", "0.07");
    let made = stage.cloud.create(&group).await.unwrap();
    let own = stage.region.instance(&made.members[0].0).await.unwrap().unwrap();
    assert!(own.spot, "the group's own");
    let found = stage.region.configurations(&["spot".to_owned()]).await.unwrap();
    assert_eq!(found["spot"].max_price.as_deref(), Some("0.07"));
    let mut launch = launch_from(&stage, "spot", "t-1").await;
    // On demand, if it is to be: a configuration's price is only said where it is asked for.
    let on_demand = stage.region.launch(&launch).await.unwrap();
    assert!(!on_demand.spot);
    says(&last(&stage), &[("InstanceMarketOptions.MarketType", None)]);
    launch.token = "t-2".to_owned();
    launch.spot = Some(SpotMarket {
        max_price: Some("0.07".to_owned()),
    });
    assert!(stage.region.launch(&launch).await.unwrap().spot);
    says(
        &last(&stage),
        &[
            ("InstanceMarketOptions.MarketType", Some("spot")),
            (
                "InstanceMarketOptions.SpotOptions.SpotInstanceType",
                Some("one-time"),
            ),
            ("InstanceMarketOptions.SpotOptions.MaxPrice", Some("0.07")),
        ],
    );
}

#[tokio::test]
async fn a_profile_goes_by_its_name_or_its_arn() {
    let stage = Stage::new().await;
    let arn = "arn:aws:iam::123456789012:instance-profile/nodes";
    for (name, profile, by_name, by_arn) in [
        ("named", "nodes", Some("nodes"), None),
        ("by-arn", arn, None, Some(arn)),
    ] {
        let group = NewGroup::new(name)
            .sizes(0, 0, 1)
            .configuration("IamInstanceProfile", profile);
        stage.cloud.create(&group).await.unwrap();
        let launch = launch_from(&stage, name, name).await;
        // The simulation knows no profiles, and refuses after it has noted the call.
        let refused = stage.region.launch(&launch).await;
        assert!(refused.is_err(), "{refused:?}");
        says(
            &last(&stage),
            &[
                ("IamInstanceProfile.Name", by_name),
                ("IamInstanceProfile.Arn", by_arn),
            ],
        );
    }
}

#[tokio::test]
async fn one_call_reads_many_and_each_is_read_once() {
    let stage = Stage::new().await;
    let names: Vec<String> = (0..50).map(|number| format!("lc-{number}")).collect();
    for name in &names {
        let create = [
            ("LaunchConfigurationName", name.as_str()),
            ("ImageId", IMAGE),
            ("InstanceType", "m5.large"),
        ];
        stage
            .cloud
            .call(Service::AutoScaling, "CreateLaunchConfiguration", &create)
            .await
            .unwrap();
    }
    let found = stage.region.configurations(&names).await.unwrap();
    assert_eq!(found.len(), 50);
    assert_eq!(stage.cloud.count("DescribeLaunchConfigurations"), 1);
    let none = stage.region.configurations(&["other".to_owned()]).await.unwrap();
    assert!(none.is_empty(), "{none:?}");
    assert!(stage.region.configurations(&[]).await.unwrap().is_empty());
    // What was read once is launched from without another read.
    stage.cloud.forget_calls();
    stage
        .cloud
        .create(&NewGroup::new("group").sizes(0, 0, 1))
        .await
        .unwrap();
    let subnet = stage.region.group("group").await.unwrap().unwrap().subnets[0]
        .id
        .clone();
    let launch = Launch {
        blueprint: Blueprint::Configuration(found["lc-7"].pinned.clone()),
        image: None,
        instance_type: "m5.large".to_owned(),
        subnet,
        placement_group: None,
        reserved: None,
        spot: None,
        token: "t".to_owned(),
        tags: [("a".to_owned(), "b".to_owned())].into(),
    };
    stage.region.launch(&launch).await.unwrap();
    assert_eq!(stage.cloud.count("DescribeLaunchConfigurations"), 0);
}

#[tokio::test]
async fn a_launch_is_of_the_configuration_that_was_chosen_or_not_at_all() {
    let stage = Stage::new().await;
    let group = NewGroup::new("lc").sizes(0, 0, 1).configuration("KeyName", "old");
    stage.cloud.create(&group).await.unwrap();
    let launch = launch_from(&stage, "lc", "t").await;
    let delete = [("LaunchConfigurationName", "lc")];
    let create = [
        ("LaunchConfigurationName", "lc"),
        ("ImageId", IMAGE),
        ("InstanceType", "m5.large"),
        ("KeyName", "new"),
    ];
    let scaling = async |action: &str, params: &[(&str, &str)]| {
        stage
            .cloud
            .call(Service::AutoScaling, action, params)
            .await
            .unwrap()
    };
    // Another process, that has not read it before.
    let elsewhere = Stage::region_of(&stage.cloud).await;
    scaling("DeleteLaunchConfiguration", &delete).await;
    let gone = elsewhere.launch(&launch).await.unwrap_err();
    assert!(matches!(gone, Refusal::Missing { .. }), "{gone:?}");
    scaling("CreateLaunchConfiguration", &create).await;
    let replaced = elsewhere.launch(&launch).await.unwrap_err();
    assert_eq!(replaced.code(), Some("configuration-replaced"), "{replaced}");
    assert!(replaced.is_definite());
    // Of an earlier call that says nothing.
    let doubtful = elsewhere.launch_again(&launch).await.unwrap_err();
    assert!(!doubtful.is_definite(), "{doubtful:?}");
    assert_eq!(stage.cloud.count("RunInstances"), 0);
    // Who has read it goes on with it.
    stage.region.launch(&launch).await.unwrap();
    says(&last(&stage), &[("KeyName", Some("old"))]);
    let now = launch_from(&stage, "lc", "t").await;
    assert_ne!(now.blueprint, launch.blueprint);
    let Blueprint::Configuration(ConfigurationRef { name, arn }) = now.blueprint else {
        panic!()
    };
    assert!(
        name == "lc" && arn.ends_with(":launchConfigurationName/lc"),
        "{arn}"
    );
}

#[tokio::test]
async fn a_repeated_launch_is_the_same_call_also_elsewhere() {
    let stage = Stage::new().await;
    let group = NewGroup::new("lc")
        .sizes(0, 0, 1)
        .configuration("UserData", USER_DATA)
        .configuration("BlockDeviceMappings.member.1.DeviceName", "/dev/sdf")
        .configuration("BlockDeviceMappings.member.1.Ebs.VolumeSize", "37");
    stage.cloud.create(&group).await.unwrap();
    let launch = launch_from(&stage, "lc", "t").await;
    stage
        .cloud
        .inject(Fault::lost_reply().times(1).containing("Action=RunInstances&"));
    let first = stage.region.launch(&launch).await.unwrap();
    let elsewhere = Stage::region_of(&stage.cloud).await;
    let second = elsewhere.launch_again(&launch).await.unwrap();
    assert_eq!(first.id, second.id);
    assert_eq!(stage.alive().await, 1);
}

#[tokio::test]
async fn what_a_launch_into_a_subnet_cannot_have_is_named() {
    let stage = Stage::new().await;
    for (name, param, value, named) in [
        (
            "classic",
            "SecurityGroups.member.1",
            "web",
            "the security group `web`",
        ),
        ("linked", "ClassicLinkVPCId", "vpc-1", "a ClassicLink to vpc-1"),
    ] {
        let group = NewGroup::new(name).sizes(0, 0, 1).configuration(param, value);
        stage.cloud.create(&group).await.unwrap();
        let found = stage.region.configurations(&[name.to_owned()]).await.unwrap();
        let beyond = found[name].beyond.as_deref().unwrap_or_default();
        assert!(beyond.contains(named), "{beyond}");
    }
}
