//! What a mixed group says of its launches: templates of single types, a highest price.

use hollowtrees_harness::{
    aws::{NewGroup, Service},
    eventually,
};

use crate::world::{BOUND, World};

const ZONE: &str = "us-east-1a";
/// Images and user data of versions 1 and 2 of a type's own template: "#!/bin/sh" with "one" and "two".
const IMAGES: [&str; 2] = ["ami-0e9271c829888680e", "ami-03cf127a"];
const USER_DATA: [&str; 2] = ["IyEvYmluL3NoCm9uZQo=", "IyEvYmluL3NoCnR3bwo="];
const PRICE: &str = "0.07";

async fn ec2(world: &World, action: &str, params: &[(&str, &str)]) -> String {
    world.aws.call(Service::Ec2, action, params).await.unwrap()
}

fn text(answer: &str, element: &str) -> String {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let rest = answer.split_once(&open).unwrap_or_else(|| panic!("{answer}")).1;
    rest.split(&close).next().unwrap().to_owned()
}

/// What a version of the template says.
fn says(version: usize) -> [(&'static str, &'static str); 5] {
    [
        ("LaunchTemplateData.ImageId", IMAGES[version - 1]),
        ("LaunchTemplateData.UserData", USER_DATA[version - 1]),
        ("LaunchTemplateData.TagSpecification.1.ResourceType", "instance"),
        ("LaunchTemplateData.TagSpecification.1.Tag.1.Key", "of"),
        (
            "LaunchTemplateData.TagSpecification.1.Tag.1.Value",
            ["first", "second"][version - 1],
        ),
    ]
}

/// A template of a type's own: its id.
async fn own_template(world: &World, name: &str) -> String {
    let params = [&[("LaunchTemplateName", name)][..], &says(1)].concat();
    text(
        &ec2(world, "CreateLaunchTemplate", &params).await,
        "launchTemplateId",
    )
}

/// A group of m5.large of the group's template and of m4.large, the cheapest, of this one.
async fn group(world: &World, name: &str, template: &str) -> Vec<String> {
    for (instance_type, dollars) in [("m5.large", 0.03), ("m4.large", 0.02)] {
        world.aws.set_spot_price(instance_type, ZONE, dollars);
    }
    let group = NewGroup::new(name)
        .zones(&[ZONE])
        .types(&["m5.large"])
        .type_from("m4.large", template)
        .spot()
        .max_price(PRICE);
    world.group(&group.sizes(2, 2, 3)).await
}

/// What an instance was made of: image, user data, the template's tag.
async fn made_of(world: &World, instance: &str) -> (String, String, Option<String>) {
    let described = ec2(world, "DescribeInstances", &[("InstanceId.1", instance)]).await;
    let asked = [("InstanceId", instance), ("Attribute", "userData")];
    let given = ec2(world, "DescribeInstanceAttribute", &asked).await;
    let user_data = if given.contains("<value>") {
        text(&given, "value")
    } else {
        String::new()
    };
    let tags = world.instance(instance).await.tags;
    (text(&described, "imageId"), user_data, tags.get("of").cloned())
}

fn of_version(version: usize) -> (String, String, Option<String>) {
    let of = says(version)[4].1.to_owned();
    (
        IMAGES[version - 1].to_owned(),
        USER_DATA[version - 1].to_owned(),
        Some(of),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_with_a_template_of_its_own_is_launched_from_it_at_the_groups_highest_price() {
    let mut world = World::new().await;
    let template = own_template(&world, "of-m4").await;
    let old = group(&world, "mixed", &template).await.remove(0);
    let of_group = made_of(&world, &old).await;
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("mixed", &old, (2, 2, 3)).await;
    assert_eq!((new.instance_type.as_str(), new.spot), ("m4.large", true));
    assert_eq!(made_of(&world, &new.id).await, of_version(1));
    // Back: m4.large was interrupted now, and the other type is of the group's template.
    world.send(&world.action(&new.id, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let again = world.swapped("mixed", &new.id, (2, 2, 3)).await;
    assert_eq!((again.instance_type.as_str(), again.spot), ("m5.large", true));
    assert_eq!(made_of(&world, &again.id).await, of_group);
    let launches = world.launches();
    let said = |name: &str| launches.iter().map(|call| call.get(name)).collect::<Vec<_>>();
    let templates = said("LaunchTemplate.LaunchTemplateId");
    assert_eq!(templates[0], Some(template.as_str()));
    assert_ne!(templates[1], templates[0]);
    assert_eq!(said("LaunchTemplate.Version"), [Some("1"), Some("1")]);
    let price = "InstanceMarketOptions.SpotOptions.MaxPrice";
    assert_eq!(said(price), [Some(PRICE), Some(PRICE)]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_version_of_a_types_own_template_is_the_one_of_the_choice_whoever_goes_on() {
    let mut world = World::new().await;
    let template = own_template(&world, "of-m4").await;
    let olds = group(&world, "mixed", &template).await;
    // It has chosen and cannot launch yet.
    let throttled = Service::Ec2.fault("RequestLimitExceeded", 503);
    let throttled = throttled.containing("Action=RunInstances&");
    world.aws.inject(throttled.clone());
    let first = world.worker().await;
    let action = world.action(&olds[0], "certain");
    world.send(&action).await;
    eventually("a launch to be tried", BOUND, async || throttled.struck() > 0).await;
    let chosen = world.checkpoint(&action, "choices").await;
    assert_eq!(
        (&chosen[0]["type"], &chosen[0]["version"]),
        (&"m4.large".into(), &"1".into())
    );
    let params = [&[("LaunchTemplateId", template.as_str())][..], &says(2)].concat();
    ec2(&world, "CreateLaunchTemplateVersion", &params).await;
    let params = [
        ("LaunchTemplateId", template.as_str()),
        ("SetDefaultVersion", "2"),
    ];
    ec2(&world, "ModifyLaunchTemplate", &params).await;
    first.crash().await;
    world.aws.heal();
    let second = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.attempt),
        ("succeeded", 2),
        "{outcome:?}"
    );
    let new = world.swapped("mixed", &olds[0], (2, 2, 3)).await;
    assert_eq!(new.instance_type, "m4.large");
    assert_eq!(made_of(&world, &new.id).await, of_version(1));
    // Who chooses from now on takes the new one.
    world.send(&world.action(&olds[1], "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("mixed", &olds[1], (2, 2, 3)).await;
    assert_eq!(new.instance_type, "m4.large");
    assert_eq!(made_of(&world, &new.id).await, of_version(2));
    let launches = world.launches();
    let versions: Vec<_> = launches
        .iter()
        .map(|call| call.get("LaunchTemplate.Version"))
        .collect();
    assert_eq!(versions, [Some("1"), Some("2")]);
    second.stop().await;
}
