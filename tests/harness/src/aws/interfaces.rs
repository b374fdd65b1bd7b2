//! Addresses of instances besides their first: moto's, and the delegated prefixes that moto does not know.
//!
//! Source: EC2 API reference, AssignPrivateIpAddresses, AssignIpv6Addresses, InstanceNetworkInterface (`ipv4PrefixSet`,
//! `ipv6PrefixSet`); EC2 user guide, "Prefix delegation for Amazon EC2 network interfaces" (a /28, or a /80).

use super::new_balancer::one;
use super::query::escape;
use super::strict::{Strict, lock};
use super::{Aws, Service};
use crate::Result;
use std::collections::BTreeMap;

const REGION: &str = "us-east-1";

/// Prefixes by the id of their interface.
pub(super) type Prefixes = BTreeMap<String, Vec<String>>;

impl Aws {
    /// Gives the first interface of an instance one more address. The record of calls knows nothing of it.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn assign(&self, instance: &str, address: &str) -> Result<()> {
        let (action, list) = if address.contains(':') {
            ("AssignIpv6Addresses", "Ipv6Addresses.1")
        } else {
            ("AssignPrivateIpAddresses", "PrivateIpAddress.1")
        };
        self.of_interface(instance, action, (list, address)).await
    }

    /// Takes an IPv4 address from an instance that [`Aws::assign`] gave it.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn unassign(&self, instance: &str, address: &str) -> Result<()> {
        let one = ("PrivateIpAddress.1", address);
        self.of_interface(instance, "UnassignPrivateIpAddresses", one)
            .await
    }

    /// Delegates a prefix (`10.0.0.16/28`, `2001:db8::/80`) to the first interface of an instance.
    ///
    /// # Errors
    /// If moto does not know it.
    pub async fn delegate(&self, instance: &str, prefix: &str) -> Result<()> {
        let interface = self.interface(instance).await?;
        let mut prefixes = lock(&self.strict.prefixes);
        prefixes.entry(interface).or_default().push(prefix.to_owned());
        Ok(())
    }

    async fn of_interface(&self, instance: &str, action: &str, more: (&str, &str)) -> Result<()> {
        let interface = self.interface(instance).await?;
        let params = [("NetworkInterfaceId", interface.as_str()), more];
        let called = self.strict.moto.call(REGION, Service::Ec2, action, &params);
        called.await.map(drop)
    }

    async fn interface(&self, instance: &str) -> Result<String> {
        let params = [("InstanceId.1", instance)];
        let moto = &self.strict.moto;
        let xml = moto.call(REGION, Service::Ec2, "DescribeInstances", &params);
        one(&xml.await?, "networkInterfaceId")
    }
}

impl Strict {
    /// An answer of moto about instances, with the prefixes of their interfaces.
    pub(super) fn with_prefixes(&self, mut xml: String) -> String {
        for (interface, prefixes) in lock(&self.prefixes).iter() {
            let items = |is: fn(&str) -> bool, element: &str| -> String {
                let of_kind = prefixes.iter().filter(|prefix| is(prefix));
                of_kind
                    .map(|prefix| format!("<item><{element}>{}</{element}></item>", escape(prefix)))
                    .collect()
            };
            let v4 = items(|prefix| !prefix.contains(':'), "ipv4Prefix");
            let v6 = items(|prefix| prefix.contains(':'), "ipv6Prefix");
            let id = format!("<networkInterfaceId>{interface}</networkInterfaceId>");
            let sets = format!("<ipv4PrefixSet>{v4}</ipv4PrefixSet><ipv6PrefixSet>{v6}</ipv6PrefixSet>{id}");
            xml = xml.replace(&id, &sets);
        }
        xml
    }
}
