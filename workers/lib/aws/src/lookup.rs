//! What is to be known of many instances at once, to tell whose they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use aws_sdk_ec2::types::{Filter, InstanceNetworkInterface};
use hollowtrees_domain::address::Prefix;
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
    /// The first addresses of each of its interfaces: its own.
    pub addresses: BTreeSet<IpAddr>,
    /// All others of its interfaces, and the prefixes delegated to them: those that a network plugin gives to pods.
    pub lent: BTreeSet<Prefix>,
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
            .flat_map(first)
            .chain(from.private_ip_address())
            .filter_map(|text| text.parse().ok())
            .collect(),
        lent: from
            .network_interfaces()
            .iter()
            .flat_map(others)
            .filter_map(|text| text.parse().ok())
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

/// The IPv6 address that is an interface's own: the one marked so, else the first.
fn own_v6(of: &InstanceNetworkInterface) -> Option<&str> {
    let all = of.ipv6_addresses();
    let marked = all.iter().find(|address| address.is_primary_ipv6() == Some(true));
    marked.or_else(|| all.first())?.ipv6_address()
}

/// An interface's own addresses.
fn first(of: &InstanceNetworkInterface) -> impl Iterator<Item = &str> {
    of.private_ip_address().into_iter().chain(own_v6(of))
}

/// An interface's other addresses and prefixes.
fn others(of: &InstanceNetworkInterface) -> impl Iterator<Item = &str> {
    let own: Vec<_> = first(of).collect();
    let addresses = of
        .private_ip_addresses()
        .iter()
        .filter_map(|address| address.private_ip_address());
    let addresses_v6 = of
        .ipv6_addresses()
        .iter()
        .filter_map(|address| address.ipv6_address());
    let prefixes = of
        .ipv4_prefixes()
        .iter()
        .filter_map(|prefix| prefix.ipv4_prefix());
    let prefixes_v6 = of
        .ipv6_prefixes()
        .iter()
        .filter_map(|prefix| prefix.ipv6_prefix());
    addresses
        .chain(addresses_v6)
        .filter(move |address| !own.contains(address))
        .chain(prefixes)
        .chain(prefixes_v6)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{
        Instance, InstanceIpv4Prefix, InstanceIpv6Address, InstanceIpv6Prefix, InstancePrivateIpAddress,
    };

    use super::*;

    #[test]
    fn which_addresses_are_its_own() {
        let v4 = |address: &str, primary| {
            InstancePrivateIpAddress::builder()
                .private_ip_address(address)
                .primary(primary)
                .build()
        };
        let v6 = |address: &str, primary| {
            InstanceIpv6Address::builder()
                .ipv6_address(address)
                .is_primary_ipv6(primary)
                .build()
        };
        let first = InstanceNetworkInterface::builder()
            .private_ip_address("10.0.0.1")
            .private_ip_addresses(v4("10.0.0.1", true))
            .private_ip_addresses(v4("10.0.0.5", false))
            .ipv6_addresses(v6("2001:db8::5", false))
            .ipv6_addresses(v6("2001:db8::1", true))
            .ipv4_prefixes(InstanceIpv4Prefix::builder().ipv4_prefix("10.0.0.16/28").build());
        let second = InstanceNetworkInterface::builder()
            .private_ip_address("10.0.1.1")
            .ipv6_addresses(v6("2001:db8:1::1", false))
            .ipv6_addresses(v6("2001:db8:1::2", false))
            .ipv6_prefixes(
                InstanceIpv6Prefix::builder()
                    .ipv6_prefix("2001:db8:2::/80")
                    .build(),
            );
        let found = machine(
            &Instance::builder()
                .network_interfaces(first.build())
                .network_interfaces(second.build())
                .build(),
            "1",
        );
        let own = ["10.0.0.1", "10.0.1.1", "2001:db8::1", "2001:db8:1::1"];
        assert_eq!(found.addresses, own.map(|text| text.parse().unwrap()).into());
        let lent = [
            "10.0.0.5",
            "10.0.0.16/28",
            "2001:db8::5",
            "2001:db8:1::2",
            "2001:db8:2::/80",
        ];
        assert_eq!(found.lent, lent.map(|text| text.parse().unwrap()).into());
    }
}
