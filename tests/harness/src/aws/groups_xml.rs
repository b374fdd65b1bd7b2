//! Groups as Auto Scaling answers with them.

use super::groups::{Asg, Member, Override, Source, Template};
use super::query::escape;
use crate::http_server::{self, Body};
use http::{Response, StatusCode};
use std::fmt::Write as _;

/// The answer of `DescribeAutoScalingGroups`.
pub(super) fn groups<'a>(found: impl Iterator<Item = &'a Asg>) -> Response<Body> {
    let groups: String = found.map(group).collect();
    answer(
        "DescribeAutoScalingGroups",
        &format!("<AutoScalingGroups>{groups}</AutoScalingGroups>"),
    )
}

/// The answer of `DescribeAutoScalingInstances`.
pub(super) fn instances<'a>(found: impl Iterator<Item = (&'a Asg, &'a Member)>) -> Response<Body> {
    let mut list = String::new();
    for (group, found) in found {
        let name = element("AutoScalingGroupName", &group.name);
        write!(list, "<member>{name}{}</member>", member(found)).ok();
    }
    answer(
        "DescribeAutoScalingInstances",
        &format!("<AutoScalingInstances>{list}</AutoScalingInstances>"),
    )
}

pub(super) fn answer(action: &str, result: &str) -> Response<Body> {
    let text = format!(
        "<{action}Response xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><{action}Result>{result}\
         </{action}Result><ResponseMetadata><RequestId>testbed</RequestId></ResponseMetadata></{action}Response>"
    );
    http_server::with_type(StatusCode::OK, "text/xml", text)
}

fn group(of: &Asg) -> String {
    let zones: String = of.zones().iter().map(|zone| element("member", zone)).collect();
    let mut members = String::new();
    // Those of its warm pool are told one by one only (Auto Scaling API reference, DescribeAutoScalingGroups).
    for found in of.members.iter().filter(|member| !member.is_warm()) {
        write!(members, "<member>{}</member>", member(found)).ok();
    }
    let mut suspended = String::new();
    for process in &of.suspended {
        write!(suspended, "<member>{}</member>", element("ProcessName", process)).ok();
    }
    let mut tags = String::new();
    for tag in &of.tags {
        let parts = [
            element("ResourceId", &of.name),
            element("ResourceType", "auto-scaling-group"),
            element("Key", &tag.key),
            element("Value", &tag.value),
            element("PropagateAtLaunch", &tag.propagate.to_string()),
        ];
        write!(tags, "<member>{}</member>", parts.concat()).ok();
    }
    let targets: String = of
        .target_groups
        .iter()
        .map(|arn| element("member", arn))
        .collect();
    let classic: String = of
        .classic_balancers
        .iter()
        .map(|name| element("member", name))
        .collect();
    let subnets: Vec<_> = of.subnets.iter().map(|(id, _)| id.as_str()).collect();
    let parts = [
        element("AutoScalingGroupName", &of.name),
        source(&of.source),
        element("MinSize", &of.sizes.min.to_string()),
        element("MaxSize", &of.sizes.max.to_string()),
        element("DesiredCapacity", &of.sizes.desired.to_string()),
        format!("<AvailabilityZones>{zones}</AvailabilityZones>"),
        format!("<Instances>{members}</Instances>"),
        format!("<SuspendedProcesses>{suspended}</SuspendedProcesses>"),
        element("VPCZoneIdentifier", &subnets.join(",")),
        format!("<Tags>{tags}</Tags>"),
        format!("<TargetGroupARNs>{targets}</TargetGroupARNs>"),
        format!("<LoadBalancerNames>{classic}</LoadBalancerNames>"),
        super::configurations::as_elements(&of.said),
        element("CapacityRebalance", &of.capacity_rebalance.to_string()),
        element("NewInstancesProtectedFromScaleIn", &of.protects_new.to_string()),
    ];
    format!("<member>{}</member>", parts.concat())
}

fn member(of: &Member) -> String {
    [
        element("InstanceId", &of.id),
        element("InstanceType", &of.instance_type),
        element("AvailabilityZone", &of.zone),
        element("LifecycleState", of.state()),
        element("HealthStatus", "Healthy"),
        element("ProtectedFromScaleIn", &of.protected.to_string()),
        element("WeightedCapacity", &of.weight.to_string()),
    ]
    .concat()
}

fn source(of: &Source) -> String {
    match of {
        Source::Template(of) => format!("<LaunchTemplate>{}</LaunchTemplate>", template(of)),
        Source::Configuration(name) => element("LaunchConfigurationName", name),
        Source::Mixed {
            template: of,
            overrides,
            max_price,
            on_demand_base,
            on_demand_percentage,
        } => {
            let overrides: String = overrides.iter().map(an_override).collect();
            let distribution = [
                element("OnDemandBaseCapacity", &on_demand_base.to_string()),
                element(
                    "OnDemandPercentageAboveBaseCapacity",
                    &on_demand_percentage.to_string(),
                ),
                max_price
                    .as_ref()
                    .map(|price| element("SpotMaxPrice", price))
                    .unwrap_or_default(),
            ]
            .concat();
            format!(
                "<MixedInstancesPolicy><LaunchTemplate><LaunchTemplateSpecification>{}</LaunchTemplateSpecification>\
                 <Overrides>{overrides}</Overrides></LaunchTemplate><InstancesDistribution>{distribution}\
                 </InstancesDistribution></MixedInstancesPolicy>",
                template(of)
            )
        }
    }
}

fn an_override(of: &Override) -> String {
    let mut text = String::from("<member>");
    if let Some(instance_type) = &of.instance_type {
        text += &element("InstanceType", instance_type);
    }
    if let Some(weight) = of.weight {
        text += &element("WeightedCapacity", &weight.to_string());
    }
    if let Some(own) = &of.template {
        write!(
            text,
            "<LaunchTemplateSpecification>{}</LaunchTemplateSpecification>",
            template(own)
        )
        .ok();
    }
    if let Some(image) = &of.image {
        text += &element("ImageId", image);
    }
    if !of.requirements.is_empty() {
        let asked = super::configurations::as_elements(&of.requirements);
        text += &format!("<InstanceRequirements>{asked}</InstanceRequirements>");
    }
    text + "</member>"
}

fn template(of: &Template) -> String {
    let version = of.version.as_ref();
    [
        element("LaunchTemplateId", &of.id),
        element("LaunchTemplateName", &of.name),
        version
            .map(|version| element("Version", version))
            .unwrap_or_default(),
    ]
    .concat()
}

fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}
