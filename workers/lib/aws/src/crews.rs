//! All groups of a region with the numbers of their members, in few calls.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types as asg;
use aws_sdk_ec2::types::{Filter, InstanceLifecycleType, SpotInstanceRequest, SpotInstanceState};
use hollowtrees_domain::{
    recommend::{Pool, Price},
    swap::world::Standing,
};

use crate::{Refusal, Region, read};

/// Groups a call; what Auto Scaling gives at most.
const A_PAGE: i32 = 100;
/// Requests a call; what EC2 gives at most.
const REQUESTS_A_PAGE: i32 = 1_000;
/// The tag that Auto Scaling gives to members.
const GROUP_TAG: &str = "aws:autoscaling:groupName";

/// A group, and who is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crew {
    /// The group's name.
    pub group: String,
    /// `DesiredCapacity`, in instances or, with weights, in units.
    pub desired: u32,
    /// Its members.
    pub members: Vec<CrewMember>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrewMember {
    /// `i-...`
    pub instance: String,
    /// Its type and zone, where Auto Scaling says them.
    pub pool: Option<Pool>,
    /// Where it stands.
    pub standing: Standing,
    /// Its weight, 1 without weights.
    pub weight: u32,
}

impl Region {
    /// All groups: one call for a hundred.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn crews(&self) -> Result<Vec<Crew>, Refusal> {
        let groups = self
            .autoscaling()
            .describe_auto_scaling_groups()
            .into_paginator()
            .page_size(A_PAGE)
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        Ok(groups.iter().map(crew).collect())
    }

    /// Ids of the spot instances that groups launched or took in, and that are there still.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn spot_members(&self) -> Result<BTreeSet<String>, Refusal> {
        let members = Filter::builder().name("tag-key").values(GROUP_TAG).build();
        let reservations = self
            .ec2()
            .describe_instances()
            .filters(members)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        Ok(reservations
            .iter()
            .flat_map(|reservation| reservation.instances())
            .filter(|instance| instance.instance_lifecycle() == Some(&InstanceLifecycleType::Spot))
            .filter_map(|instance| instance.instance_id().map(str::to_owned))
            .collect())
    }

    /// What is paid at most for each spot instance of the account, in dollars an hour, as its request says: the price on demand
    /// where no other was asked for. One call for a thousand.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn most_paid(&self) -> Result<BTreeMap<String, Price>, Refusal> {
        let active = Filter::builder().name("state");
        let requests = self
            .ec2()
            .describe_spot_instance_requests()
            .filters(active.values(SpotInstanceState::Active.as_str()).build())
            .into_paginator()
            .page_size(REQUESTS_A_PAGE)
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        let of = |request: &SpotInstanceRequest| {
            let price = Price::parse(request.spot_price()?).ok()?;
            Some((request.instance_id()?.to_owned(), price))
        };
        Ok(requests.iter().filter_map(of).collect())
    }
}

fn pool(of: &asg::Instance) -> Option<Pool> {
    let said = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    Some(Pool {
        instance_type: said(of.instance_type())?,
        zone: said(of.availability_zone())?,
    })
}

fn crew(from: &asg::AutoScalingGroup) -> Crew {
    let members = from.instances().iter().filter_map(|member| {
        let state = member.lifecycle_state().map_or("", asg::LifecycleState::as_str);
        Some(CrewMember {
            instance: member.instance_id()?.to_owned(),
            pool: pool(member),
            standing: read::standing(state),
            weight: read::weight(member),
        })
    });
    Crew {
        group: from.auto_scaling_group_name().unwrap_or_default().to_owned(),
        desired: from
            .desired_capacity()
            .and_then(|size| u32::try_from(size).ok())
            .unwrap_or_default(),
        members: members.collect(),
    }
}
