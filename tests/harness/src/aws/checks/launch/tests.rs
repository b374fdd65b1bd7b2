//! What a launch names and makes, by itself and by its template.

use super::{Call, Said, parameter};
use std::collections::BTreeMap;

/// Of a template as EC2 answers with it.
const DATA: &str = "<launchTemplateData><iamInstanceProfile><name>nodes</name></iamInstanceProfile><blockDeviceMappingSet>\
    <item><deviceName>/dev/xvda</deviceName><ebs><snapshotId>snap-1</snapshotId></ebs></item></blockDeviceMappingSet>\
    <networkInterfaceSet><item><deviceIndex>0</deviceIndex><groupSet><groupId>sg-2</groupId></groupSet>\
    <subnetId>subnet-1</subnetId></item></networkInterfaceSet><imageId>ami-1</imageId><keyName>k</keyName><placement>\
    <groupName>g</groupName></placement><tagSpecificationSet><item><resourceType>spot-instances-request</resourceType>\
    <tagSet><item><key>a</key><value>b</value></item></tagSet></item></tagSpecificationSet><securityGroupIdSet>\
    <item>sg-1</item></securityGroupIdSet><capacityReservationSpecification><capacityReservationTarget>\
    <capacityReservationId>cr-1</capacityReservationId></capacityReservationTarget></capacityReservationSpecification>\
    </launchTemplateData>";

fn call(params: &[(&str, &str)]) -> Call {
    let params = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Call {
        action: "RunInstances".to_owned(),
        params: params.collect::<BTreeMap<_, _>>(),
        region: "r".to_owned(),
        signed_for: "ec2".to_owned(),
        key: String::new(),
    }
}

/// What it names and makes, from the kind on.
fn of(params: &[(&str, &str)], with_template: bool) -> (Vec<String>, Vec<String>) {
    let call = call(params);
    let mut said = Said::by_call(&call);
    if with_template {
        let document = roxmltree::Document::parse(DATA).unwrap();
        said = said.over(Said::by_template(document.root_element()));
    }
    let names = said.names(&call).into_iter();
    let mut names: Vec<_> = names
        .map(|arn| arn.splitn(6, ':').last().unwrap_or_default().to_owned())
        .collect();
    names.sort();
    (names, said.makes().into_iter().map(str::to_owned).collect())
}

#[test]
fn all_that_a_template_names() {
    let (names, makes) = of(&[], true);
    let expected = [
        "capacity-reservation/cr-1",
        "image/ami-1",
        "key-pair/k",
        "placement-group/g",
        "security-group/sg-1",
        "security-group/sg-2",
        "snapshot/snap-1",
        "subnet/subnet-1",
    ];
    assert_eq!(names, expected);
    let expected = [
        "instance",
        "volume",
        "network-interface",
        "spot-instances-request",
    ];
    assert_eq!(makes, expected);
}

#[test]
fn what_a_call_says_stands_for_the_same_of_its_template() {
    let params = [
        ("ImageId", "ami-2"),
        ("NetworkInterface.1.DeviceIndex", "0"),
        ("NetworkInterface.1.NetworkInterfaceId", "eni-1"),
        ("SecurityGroupId.1", "sg-3"),
        ("SecurityGroupId.2", "sg-4"),
        ("TagSpecification.1.ResourceType", "volume"),
        ("TagSpecification.1.Tag.1.Key", "a"),
        ("TagSpecification.1.Tag.1.Value", "b"),
    ];
    let (names, makes) = of(&params, true);
    let expected = [
        "capacity-reservation/cr-1",
        "image/ami-2",
        "key-pair/k",
        "network-interface/eni-1",
        "placement-group/g",
        "security-group/sg-3",
        "security-group/sg-4",
        "snapshot/snap-1",
    ];
    assert_eq!(names, expected);
    assert_eq!(makes, ["instance", "volume"]);
}

#[test]
fn what_is_named_by_nothing() {
    let (names, makes) = of(
        &[("ImageId", "resolve:ssm:/nodes"), ("SubnetId", "subnet-2")],
        false,
    );
    assert_eq!(names, ["image/*", "security-group/*", "subnet/subnet-2"]);
    assert_eq!(makes, ["instance", "volume", "network-interface"]);
}

#[test]
fn the_parameter_of_an_image() {
    let arn = |image: &str| parameter(&call(&[]), image).map(|check| check.resource);
    assert_eq!(arn("ami-1"), None);
    for (image, expected) in [
        ("resolve:ssm:/nodes", "arn:aws:ssm:r:123456789012:parameter/nodes"),
        (
            "resolve:ssm:nodes:3",
            "arn:aws:ssm:r:123456789012:parameter/nodes",
        ),
        (
            "resolve:ssm:/aws/service/eks/1",
            "arn:aws:ssm:r::parameter/aws/service/eks/1",
        ),
    ] {
        assert_eq!(arn(image).as_deref(), Some(expected));
    }
}
