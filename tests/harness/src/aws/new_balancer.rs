//! Load balancers of a test: made, filled, looked at, past the faults and the record of calls.

use super::balancers::fields;
use super::moto::Moto;
use super::query::escape;
use super::strict::lock;
use super::{Aws, Service};
use crate::{Error, Result};
use roxmltree::Document;
use std::time::Duration;

const REGION: &str = "us-east-1";

/// What a target group and its load balancer balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balancing {
    /// Requests, of HTTP.
    Application,
    /// Connections, of TCP.
    Network,
    /// Packets, of GENEVE, to appliances.
    Gateway,
}

impl Balancing {
    const fn word(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Network => "network",
            Self::Gateway => "gateway",
        }
    }

    /// Protocol and port of targets. AWS takes no other port for GENEVE.
    const fn protocol(self) -> (&'static str, &'static str) {
        match self {
            Self::Application => ("HTTP", "80"),
            Self::Network => ("TCP", "80"),
            Self::Gateway => ("GENEVE", "6081"),
        }
    }
}

impl Aws {
    /// From now on what is taken out of a load balancer drains for this long.
    pub fn set_draining(&self, delay: Duration) {
        lock(&self.strict.draining).delay = delay;
    }

    /// Makes a target group of us-east-1 for targets of this type (`instance`, `ip`) on port 80, in the default VPC: its ARN.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn create_target_group(&self, name: &str, target_type: &str) -> Result<String> {
        self.target_group_for(Balancing::Application, name, target_type)
            .await
    }

    /// The same with a load balancer of this kind before it, by name and ARN of the group: its type as AWS tells it, and the
    /// group's ARN.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn create_balanced(
        &self,
        kind: Balancing,
        name: &str,
        target_type: &str,
    ) -> Result<(String, String)> {
        let group = self.target_group_for(kind, name, target_type).await?;
        let zones = self
            .moto()
            .call(REGION, Service::Ec2, "DescribeSubnets", &[])
            .await?;
        let subnet = one(&zones, "subnetId")?;
        let params = [
            ("Name", name),
            ("Type", kind.word()),
            ("Subnets.member.1", subnet.as_str()),
        ];
        let made = self
            .moto()
            .call(REGION, Service::Balancing, "CreateLoadBalancer", &params)
            .await?;
        let (balancer, told) = (one(&made, "LoadBalancerArn")?, one(&made, "Type")?);
        let mut params = vec![
            ("LoadBalancerArn", balancer.as_str()),
            ("DefaultActions.member.1.Type", "forward"),
            ("DefaultActions.member.1.TargetGroupArn", group.as_str()),
        ];
        // One of packets has a listener for all.
        if kind != Balancing::Gateway {
            let (protocol, port) = kind.protocol();
            params.extend([("Protocol", protocol), ("Port", port)]);
        }
        self.moto()
            .call(REGION, Service::Balancing, "CreateListener", &params)
            .await?;
        Ok((told, group))
    }

    async fn target_group_for(&self, kind: Balancing, name: &str, target_type: &str) -> Result<String> {
        let (protocol, port) = kind.protocol();
        let vpcs = self
            .moto()
            .call(REGION, Service::Ec2, "DescribeVpcs", &[])
            .await?;
        let vpc = one(&vpcs, "vpcId")?;
        let params = [
            ("Name", name),
            ("Protocol", protocol),
            ("Port", port),
            ("VpcId", vpc.as_str()),
            ("TargetType", target_type),
        ];
        let made = self
            .moto()
            .call(REGION, Service::Balancing, "CreateTargetGroup", &params)
            .await?;
        one(&made, "TargetGroupArn")
    }

    /// Removes a target group.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn delete_target_group(&self, arn: &str) -> Result<()> {
        let params = [("TargetGroupArn", arn)];
        let gone = self
            .moto()
            .call(REGION, Service::Balancing, "DeleteTargetGroup", &params);
        gone.await.map(drop)
    }

    /// Makes a classic load balancer of us-east-1.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn create_classic_balancer(&self, name: &str) -> Result<()> {
        let listener = |field: &str| format!("Listeners.member.1.{field}");
        let (protocol, outside, inside) = (
            listener("Protocol"),
            listener("LoadBalancerPort"),
            listener("InstancePort"),
        );
        let params = [
            ("LoadBalancerName", name),
            (protocol.as_str(), "HTTP"),
            (outside.as_str(), "80"),
            (inside.as_str(), "80"),
            ("AvailabilityZones.member.1", "us-east-1a"),
        ];
        let made = self
            .moto()
            .call(REGION, Service::ClassicBalancing, "CreateLoadBalancer", &params);
        made.await.map(drop)
    }

    /// Registers targets with a target group, by id or address. The record of calls knows nothing of it.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn register(&self, arn: &str, targets: &[String]) -> Result<()> {
        self.name_all(
            Service::Balancing,
            "RegisterTargets",
            ("TargetGroupArn", arn),
            "Targets",
            "Id",
            targets,
        )
        .await
    }

    /// Registers instances with a classic load balancer. The record of calls knows nothing of it.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn register_classic(&self, name: &str, instances: &[String]) -> Result<()> {
        let of = ("LoadBalancerName", name);
        let action = "RegisterInstancesWithLoadBalancer";
        self.name_all(
            Service::ClassicBalancing,
            action,
            of,
            "Instances",
            "InstanceId",
            instances,
        )
        .await
    }

    async fn name_all(
        &self,
        service: Service,
        action: &str,
        of: (&str, &str),
        list: &str,
        field: &str,
        named: &[String],
    ) -> Result<()> {
        let names: Vec<_> = (1..=named.len())
            .map(|i| format!("{list}.member.{i}.{field}"))
            .collect();
        let mut params = vec![of];
        params.extend(
            names
                .iter()
                .map(String::as_str)
                .zip(named.iter().map(String::as_str)),
        );
        self.moto().call(REGION, service, action, &params).await.map(drop)
    }

    /// What is registered with a target group, and not taken out.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn registered(&self, arn: &str) -> Result<Vec<String>> {
        let params = [("TargetGroupArn", arn)];
        let xml = self
            .moto()
            .call(REGION, Service::Balancing, "DescribeTargetHealth", &params)
            .await?;
        let found = fields(&xml, "Target", ["Id", "Port"])?;
        Ok(found.into_iter().map(|(id, _)| id).collect())
    }

    /// What is registered with a classic load balancer, and not taken out.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn registered_classic(&self, name: &str) -> Result<Vec<String>> {
        let params = [("LoadBalancerName", name)];
        let xml = self
            .moto()
            .call(
                REGION,
                Service::ClassicBalancing,
                "DescribeInstanceHealth",
                &params,
            )
            .await?;
        let found = fields(&xml, "member", ["InstanceId", "State"])?;
        Ok(found.into_iter().map(|(id, _)| id).collect())
    }

    /// The private address of an instance.
    ///
    /// # Errors
    /// If there is none.
    pub async fn address(&self, instance: &str) -> Result<String> {
        let params = [("InstanceId.1", instance)];
        let xml = self
            .moto()
            .call(REGION, Service::Ec2, "DescribeInstances", &params)
            .await?;
        one(&xml, "privateIpAddress")
    }

    /// Past the faults and the record of calls.
    fn moto(&self) -> &Moto {
        &self.strict.moto
    }
}

/// The text of the first element of this name.
pub(super) fn one(xml: &str, element: &str) -> Result<String> {
    let document = Document::parse(xml).map_err(|error| Error::new(format!("no XML: {error}: {xml}")))?;
    let found = document
        .descendants()
        .find(|node| node.is_element() && node.tag_name().name() == element)
        .and_then(|node| node.text().map(str::to_owned));
    found.ok_or_else(|| Error::new(format!("no {element} in {}", escape(xml))))
}
