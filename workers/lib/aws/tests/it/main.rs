//! The crate against the simulated AWS of the harness, through the real SDK.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what they cannot do fails them"
)]

mod balancers;
mod configurations;
mod faults;
mod groups;
mod hooks;
mod instances;
mod launch;
mod queues;
mod requirements;

use std::{collections::BTreeMap, time::Duration};

use hollowtrees_aws::{Aws, Keys, Options, Region};
use hollowtrees_domain::swap::world::{Blueprint, Launch, SpotMarket, TemplateRef};
use hollowtrees_harness as harness;

const A: &str = "us-east-1a";
const B: &str = "us-east-1b";

fn options(cloud: &harness::Aws) -> Options {
    Options {
        region: Some("us-east-1".to_owned()),
        endpoint: Some(cloud.url()),
        keys: Some(Keys::new("testbed", "testbed")),
        attempt_timeout: Duration::from_secs(5),
        operation_timeout: Duration::from_secs(15),
        ..Options::default()
    }
}

/// A simulated AWS, and the crate that speaks with it.
struct Stage {
    cloud: harness::Aws,
    aws: Aws,
    region: Region,
}

impl Stage {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// As another process has it, which has read nothing yet.
    async fn region_of(cloud: &harness::Aws) -> Region {
        let aws = Aws::connect(&options(cloud)).await.unwrap();
        aws.region("us-east-1")
    }

    async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let cloud = harness::Aws::start().await.unwrap();
        let mut options = options(&cloud);
        change(&mut options);
        let aws = Aws::connect(&options).await.unwrap();
        assert_eq!(aws.default_region(), Some("us-east-1"));
        let region = aws.region("us-east-1");
        Self { cloud, aws, region }
    }

    /// A launch from the template of this group, of its newest version.
    async fn launch_from(&self, group: &str, token: &str) -> Launch {
        let group = self.region.group(group).await.unwrap().expect("the group");
        let (hollowtrees_domain::swap::world::Source::Template(template)
        | hollowtrees_domain::swap::world::Source::Mixed { template, .. }) = &group.source
        else {
            panic!("{:?}", group.source)
        };
        let template: TemplateRef = self.region.template(template).await.unwrap().resolved;
        Launch {
            blueprint: Blueprint::Template(template),
            image: None,
            instance_type: "m5.large".to_owned(),
            subnet: group.subnets[0].id.clone(),
            placement_group: None,
            reserved: None,
            spot: Some(SpotMarket::default()),
            token: token.to_owned(),
            tags: BTreeMap::from([("hollowtrees.io/action".to_owned(), token.to_owned())]),
        }
    }

    /// The version that a launch goes by.
    fn version_of(launch: &mut Launch) -> &mut TemplateRef {
        match &mut launch.blueprint {
            Blueprint::Template(template) => template,
            other @ Blueprint::Configuration(_) => panic!("{other:?}"),
        }
    }

    /// How many instances there are that have not ended.
    async fn alive(&self) -> usize {
        let all = self.cloud.instances().await.unwrap();
        all.iter()
            .filter(|instance| instance.state != "terminated")
            .count()
    }
}
