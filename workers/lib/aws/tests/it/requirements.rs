//! Types by requirements, and images of overrides.

use std::{collections::BTreeMap, time::Duration};

use hollowtrees_aws::{Options, Refusal};
use hollowtrees_domain::swap::{
    source::{Need, Resolved, needs},
    world::{Blueprint, Fitting, Override, Source, Types},
};
use hollowtrees_harness::aws::{NewGroup, Service};

use crate::{Stage, launch::last};

const X86: &str = "ami-12c6146b";
const ARM: &str = "ami-0e9271c829888680e";

/// Calls are counted: none is repeated because the simulation takes long to read all types for the first time.
async fn patient() -> Stage {
    let change = |options: &mut Options| {
        options.attempt_timeout = Duration::from_secs(60);
        options.operation_timeout = Duration::from_secs(120);
    };
    Stage::with(change).await
}

/// Two vCPUs, four to eight GiB.
fn small() -> Vec<(&'static str, &'static str)> {
    vec![
        ("VCpuCount.Min", "2"),
        ("VCpuCount.Max", "2"),
        ("MemoryMiB.Min", "4096"),
        ("MemoryMiB.Max", "8192"),
    ]
}

/// What EC2 is to be asked for this group.
async fn need(stage: &Stage, group: &str) -> Vec<Need> {
    let source = stage.region.group(group).await.unwrap().unwrap().source;
    let mut known = Resolved::default();
    for named in hollowtrees_domain::swap::source::templates(&source) {
        let template = stage.region.template(&named).await.unwrap();
        known.templates.push((named, template));
    }
    needs(&source, &known).unwrap()
}

fn names(of: &[Fitting]) -> Vec<&str> {
    of.iter().map(|fitting| fitting.name.as_str()).collect()
}

#[tokio::test]
async fn what_a_group_requires_is_asked_of_ec2() {
    let stage = Stage::new().await;
    let mut requirements = small();
    requirements.extend([
        ("CpuManufacturers.member.1", "intel"),
        ("ExcludedInstanceTypes.member.1", "m4*"),
        ("ExcludedInstanceTypes.member.2", "*6*"),
        ("SpotMaxPricePercentageOverLowestPrice", "120"),
    ]);
    let group = NewGroup::new("small")
        .sizes(0, 0, 1)
        .by_requirements(&requirements);
    stage.cloud.create(&group).await.unwrap();
    let need = need(&stage, "small").await.remove(0);
    assert_eq!(need.image, X86);
    let found = stage.region.fitting(&need).await.unwrap();
    let fitting = names(&found);
    assert!(
        fitting.contains(&"m5.large") && fitting.contains(&"c5.large"),
        "{fitting:?}"
    );
    for other in [
        "m4.large",
        "m6i.large",
        "m5a.large",
        "m6g.large",
        "t3.large",
        "m5.xlarge",
        "r5.large",
    ] {
        assert!(!fitting.contains(&other), "{other} in {fitting:?}");
    }
    for one in &found {
        assert_eq!(one.vcpus, 2, "{one:?}");
        assert!((4096..=8192).contains(&one.memory_mib), "{one:?}");
    }
    let asked = stage.cloud.calls();
    let asked = asked
        .iter()
        .find(|call| call.action == "GetInstanceTypesFromInstanceRequirements")
        .unwrap();
    for (name, value) in [
        ("ArchitectureType.1", Some("x86_64")),
        ("VirtualizationType.1", Some("hvm")),
        ("InstanceRequirements.VCpuCount.Max", Some("2")),
        ("InstanceRequirements.ExcludedInstanceType.2", Some("*6*")),
        ("InstanceRequirements.SpotMaxPricePercentageOverLowestPrice", None),
    ] {
        assert_eq!(asked.get(name), value, "{name}");
    }
}

#[tokio::test]
async fn an_image_decides_of_the_architecture_and_an_answer_serves_for_minutes() {
    let stage = patient().await;
    let attributes: BTreeMap<_, _> = small()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
        .collect();
    let need = |image: &str| Need {
        attributes: attributes.clone(),
        image: image.to_owned(),
        template: None,
    };
    let arm = stage.region.fitting(&need(ARM)).await.unwrap();
    let x86 = stage.region.fitting(&need(X86)).await.unwrap();
    assert!(names(&arm).contains(&"m6g.large"), "{arm:?}");
    assert!(!names(&arm).contains(&"m5.large"), "{arm:?}");
    assert!(!names(&x86).contains(&"m6g.large"), "{x86:?}");
    assert_eq!(stage.region.fitting(&need(X86)).await.unwrap(), x86);
    let count = |action: &str| stage.cloud.count(action);
    assert_eq!(
        (
            count("GetInstanceTypesFromInstanceRequirements"),
            count("DescribeImages")
        ),
        (2, 2)
    );
    let described = count("DescribeInstanceTypes");
    assert!((2..=4).contains(&described), "{described}");

    let missing = stage.region.fitting(&need("ami-00000000000000000")).await;
    assert!(matches!(&missing, Err(Refusal::Missing { .. })), "{missing:?}");
}

#[tokio::test]
async fn an_image_that_its_template_names_is_resolved() {
    let stage = Stage::new().await;
    stage.cloud.name_image("resolve:ssm:/nodes", ARM);
    let group = NewGroup::new("named")
        .sizes(0, 0, 1)
        .template("ImageId", "resolve:ssm:/nodes")
        .types(&["m6g.large"]);
    stage.cloud.create(&group).await.unwrap();
    let launch = stage.launch_from("named", "t").await;
    let Blueprint::Template(template) = launch.blueprint else {
        panic!()
    };
    assert_eq!(
        stage.region.template(&template).await.unwrap().image.as_deref(),
        Some("resolve:ssm:/nodes")
    );
    let attributes = small().into_iter();
    let need = Need {
        attributes: attributes
            .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
            .collect(),
        image: "resolve:ssm:/nodes".to_owned(),
        template: Some(template),
    };
    let found = stage.region.fitting(&need).await.unwrap();
    assert!(
        names(&found).contains(&"m6g.large") && !names(&found).contains(&"m5.large"),
        "{found:?}"
    );
    // What a name stands for is asked once.
    let asked = stage.cloud.count("DescribeLaunchTemplateVersions");
    stage.region.fitting(&need).await.unwrap();
    assert_eq!(stage.cloud.count("DescribeLaunchTemplateVersions"), asked);
}

#[tokio::test]
async fn an_answer_of_several_pages_is_read_whole() {
    let stage = patient().await;
    let attributes = [
        ("VCpuCount.Min", "1"),
        ("MemoryMiB.Min", "0"),
        ("VCpuCount.Max", "8"),
    ];
    let need = Need {
        attributes: attributes
            .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
            .into(),
        image: X86.to_owned(),
        template: None,
    };
    let found = stage.region.fitting(&need).await.unwrap();
    assert!(found.len() > 200, "{}", found.len());
    let pages = stage.cloud.count("GetInstanceTypesFromInstanceRequirements");
    assert_eq!(pages, found.len().div_ceil(100));
    let mut named = names(&found);
    named.sort_unstable();
    named.dedup();
    assert_eq!(named.len(), found.len());
}

#[tokio::test]
async fn requirements_that_are_refused_are_a_definite_answer() {
    let stage = Stage::new().await;
    let need = Need {
        attributes: [("LocalStorage".to_owned(), vec!["required".to_owned()])].into(),
        image: X86.to_owned(),
        template: None,
    };
    let refused = stage.region.fitting(&need).await.unwrap_err();
    assert!(matches!(refused, Refusal::Rejected { .. }), "{refused:?}");
}

#[tokio::test]
async fn an_overrides_image_stands_for_the_templates() {
    let stage = Stage::new().await;
    let group = NewGroup::new("mixed")
        .sizes(0, 1, 1)
        .type_with_image("m6g.large", ARM)
        .types(&["m5.large"]);
    let made = stage.cloud.create(&group).await.unwrap();
    let found = stage.region.group("mixed").await.unwrap().unwrap();
    let Source::Mixed { overrides, .. } = &found.source else {
        panic!("{:?}", found.source)
    };
    let of = |types: &str, image: Option<&str>| Override {
        types: Types::Named(types.to_owned()),
        weight: 1,
        template: None,
        image: image.map(str::to_owned),
    };
    assert_eq!(*overrides, [of("m6g.large", Some(ARM)), of("m5.large", None)]);
    let image_of = async |id: &str| {
        let params = [("InstanceId.1", id)];
        let told = stage.cloud.call(Service::Ec2, "DescribeInstances", &params).await;
        let told = told.unwrap();
        let image = told.split("<imageId>").nth(1).unwrap();
        image.split('<').next().unwrap().to_owned()
    };
    assert_eq!(image_of(&made.members[0].0).await, ARM, "the group's own");
    let mut launch = stage.launch_from("mixed", "t-1").await;
    launch.image = Some(ARM.to_owned());
    launch.instance_type = "m6g.large".to_owned();
    let instance = stage.region.launch(&launch).await.unwrap();
    let call = last(&stage);
    assert_eq!(call.get("ImageId"), Some(ARM));
    assert!(call.get("LaunchTemplate.LaunchTemplateId").is_some());
    assert_eq!(image_of(&instance.id).await, ARM);
    launch.image = None;
    launch.token = "t-2".to_owned();
    let instance = stage.region.launch(&launch).await.unwrap();
    assert_eq!(last(&stage).get("ImageId"), None);
    assert_eq!(image_of(&instance.id).await, X86);
}
