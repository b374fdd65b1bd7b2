//! What is to be known of many instances at once, to tell whose they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_ec2::types::Filter;
use jiff::Timestamp;

use crate::{Refusal, Region, read};

/// Instances asked for at once; EC2 takes 200 values a filter.
pub const AT_ONCE: usize = 200;

/// Tag that Auto Scaling puts on each member of a group.
const GROUP: &str = "aws:autoscaling:groupName";

/// What tells where an instance belongs. What EC2 does not say is empty: of an ended instance it says little but tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its id.
    pub id: String,
    /// Its type.
    pub instance_type: String,
    /// Its availability zone.
    pub zone: String,
    /// Its private DNS name: the name of its node, unless that was set otherwise.
    pub private_name: String,
    /// The first address of each of its interfaces: its own, and those that a network plugin gives to pods left out.
    pub addresses: Vec<String>,
    /// Its VPC.
    pub network: String,
    /// Its auto-scaling group.
    pub group: String,
    /// Its account.
    pub account: String,
    /// When it was launched.
    pub launched_at: Option<Timestamp>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Region {
    /// Up to [`AT_ONCE`] instances in one call and its pages; those that EC2 does not know are left out. One that ended is
    /// known for about an hour, a new one perhaps not for some seconds (EC2 API reference, "eventual consistency").
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn machines(&self, ids: &[String]) -> Result<Vec<Machine>, Refusal> {
        if ids.is_empty() {
            // Without a filter EC2 would tell all.
            return Ok(Vec::new());
        }
        // By filter: one that is gone is no error then.
        let filter = Filter::builder()
            .name("instance-id")
            .set_values(Some(ids.to_vec()))
            .build();
        self.found(vec![filter]).await
    }

    /// All instances that have a tag of this key, whatever its value, and have neither ended nor are ending.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn machines_with(&self, key: &str) -> Result<Vec<Machine>, Refusal> {
        let states = ["pending", "running", "stopping", "stopped"].map(str::to_owned);
        let filter =
            |name: &str, values: Vec<String>| Filter::builder().name(name).set_values(Some(values)).build();
        let filters = vec![
            filter("tag-key", vec![key.to_owned()]),
            filter("instance-state-name", states.to_vec()),
        ];
        self.found(filters).await
    }

    async fn found(&self, filters: Vec<Filter>) -> Result<Vec<Machine>, Refusal> {
        let reservations = self
            .ec2()
            .describe_instances()
            .set_filters(Some(filters))
            .max_results(1000)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        Ok(reservations
            .iter()
            .flat_map(|reservation| {
                let account = reservation.owner_id().unwrap_or_default();
                reservation
                    .instances()
                    .iter()
                    .map(move |found| machine(found, account))
            })
            .collect())
    }

    /// How long a lifecycle hook waits for an answer (`HeartbeatTimeout`); none if the group has no such hook.
    ///
    /// # Errors
    /// AWS did not say; `Missing` or `Rejected` if there is no such group.
    pub async fn hook_timeout(&self, group: &str, hook: &str) -> Result<Option<Duration>, Refusal> {
        let answer = self
            .autoscaling()
            .describe_lifecycle_hooks()
            .auto_scaling_group_name(group)
            .lifecycle_hook_names(hook)
            .send()
            .await?;
        Ok(answer
            .lifecycle_hooks()
            .iter()
            .find(|found| found.lifecycle_hook_name() == Some(hook))
            .and_then(|found| found.heartbeat_timeout())
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Duration::from_secs))
    }
}

fn machine(from: &aws_sdk_ec2::types::Instance, account: &str) -> Machine {
    let tags = read::tags(from.tags());
    let known = read::instance(from);
    Machine {
        id: known.id,
        instance_type: known.instance_type,
        zone: known.zone,
        private_name: from.private_dns_name().unwrap_or_default().to_owned(),
        addresses: from
            .network_interfaces()
            .iter()
            .filter_map(|interface| interface.private_ip_address())
            .chain(from.private_ip_address())
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        network: from.vpc_id().unwrap_or_default().to_owned(),
        group: tags.get(GROUP).cloned().unwrap_or_default(),
        account: account.to_owned(),
        launched_at: from
            .launch_time()
            .and_then(|at| Timestamp::from_second(at.secs()).ok()),
        tags,
    }
}
