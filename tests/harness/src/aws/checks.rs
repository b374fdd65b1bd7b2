//! What AWS asks of the caller's policy before it does a call: actions on resources, and what it knows of each.
//!
//! Sources: Service Authorization Reference, the page of EC2 Auto Scaling, for its calls; for those of EC2 its user guide, as
//! [`launch`] says; IAM user guide, "AWS global condition context keys". That the other calls are asked of what they name, and
//! reads of `*`, follows the forms of that reference, whose pages on these were not at hand; nor was any of it verified against AWS
//! itself. A call that is not written down here is an error.
//!
//! Left out, so that a policy that goes by it does not allow what AWS would: tags of anything but instances and groups, and keys
//! beyond those that [`super::Policy`] knows. A group is the one that the harness has now, and its tags are those it has now. All
//! is of one account, whatever role a call is signed for.

mod launch;

use super::groups::Tag;
use super::query::Call;
use super::{Aws, Policy, Service};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Moto's account.
const ACCOUNT: &str = "123456789012";
/// Calls that AWS lets nobody narrow to a resource.
const OF_NO_RESOURCE: [&str; 19] = [
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    "autoscaling:DescribeLaunchConfigurations",
    "autoscaling:DescribeLifecycleHooks",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeSpotInstanceRequests",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "ec2:GetInstanceTypesFromInstanceRequirements",
    "ec2:GetSpotPlacementScores",
    "elasticloadbalancing:DescribeInstanceHealth",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
];
/// Calls about one group, which they name.
const OF_GROUP: [&str; 10] = [
    "AttachInstances",
    "CompleteLifecycleAction",
    "DeleteAutoScalingGroup",
    "DetachInstances",
    "RecordLifecycleActionHeartbeat",
    "ResumeProcesses",
    "SetDesiredCapacity",
    "SetInstanceProtection",
    "SuspendProcesses",
    "UpdateAutoScalingGroup",
];

/// One thing that AWS asks of a policy: may this be done to that?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Such as `ec2:RunInstances`.
    pub action: String,
    /// The ARN of what it is done to; `*` where AWS knows no resource of the action.
    pub resource: String,
    /// Condition keys, small, and their values.
    keys: BTreeMap<String, Vec<String>>,
}

impl Check {
    /// Without condition keys.
    pub fn new(action: &str, resource: impl Into<String>) -> Self {
        Self {
            action: action.to_owned(),
            resource: resource.into(),
            keys: BTreeMap::new(),
        }
    }

    /// With this value of a condition key, beside others that it has.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.keys
            .entry(key.to_lowercase())
            .or_default()
            .push(value.to_owned());
        self
    }

    /// The values of a condition key, which is small here.
    pub(super) fn values(&self, key: &str) -> &[String] {
        self.keys.get(key).map_or(&[], Vec::as_slice)
    }

    /// With tags that what it is about has.
    fn tagged<'a>(self, service: &str, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        tags.into_iter().fold(self, |check, (key, value)| {
            check
                .with(&format!("aws:ResourceTag/{key}"), value)
                .with(&format!("{service}:ResourceTag/{key}"), value)
        })
    }

    /// With tags that the call gives.
    fn tagging<'a>(self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        tags.into_iter().fold(self, |check, (key, value)| {
            check
                .with(&format!("aws:RequestTag/{key}"), value)
                .with("aws:TagKeys", key)
        })
    }
}

impl Aws {
    /// Makes a role and an instance profile that has it.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn create_instance_profile(&self, profile: &str, role: &str) -> Result<()> {
        let profile = ("InstanceProfileName", profile);
        let role = ("RoleName", role);
        for (action, params) in [
            ("CreateRole", vec![role, ("AssumeRolePolicyDocument", "{}")]),
            ("CreateInstanceProfile", vec![profile]),
            ("AddRoleToInstanceProfile", vec![profile, role]),
        ] {
            // Past the record of calls.
            let moto = &self.strict.moto;
            moto.call("us-east-1", Service::Iam, action, &params).await?;
        }
        Ok(())
    }

    /// What AWS asks of the caller's policy for this call; it is done only where all of it is allowed.
    ///
    /// # Errors
    /// If that is not written down for this call, or moto does not tell of what it is about.
    pub async fn checks(&self, call: &Call) -> Result<Vec<Check>> {
        let right = call.right();
        let mut checks = match (right.as_str(), call.action.as_str()) {
            ("ec2:RunInstances", _) => self.checks_of_launch(call).await?,
            ("ec2:DescribeLaunchTemplateVersions", _) if call.get("ResolveAlias") == Some("true") => {
                let mut checks = vec![Check::new(&right, "*")];
                checks.extend(self.parameter_of_template(call).await?);
                checks
            }
            ("ec2:TerminateInstances", _) => self.of_instances(call, "InstanceId").await?,
            // One that no launch makes has no `ec2:CreateAction`.
            ("ec2:CreateTags", _) => {
                let checks = self.of_instances(call, "ResourceId").await?.into_iter();
                checks.map(|check| check.tagging(given(call, "Tag"))).collect()
            }
            ("autoscaling:TerminateInstanceInAutoScalingGroup", _) => {
                let group = self.group_of_member(call).await?;
                vec![self.of_group(call, &group).await]
            }
            ("autoscaling:CreateOrUpdateTags", _) => {
                let group = needed(call, "Tags.member.1.ResourceId")?;
                vec![self.of_group(call, group).await]
            }
            (_, action) if call.signed_for == "autoscaling" && OF_GROUP.contains(&action) => {
                vec![self.of_group(call, needed(call, "AutoScalingGroupName")?).await]
            }
            ("elasticloadbalancing:DeregisterTargets" | "elasticloadbalancing:RegisterTargets", _) => {
                vec![Check::new(&right, needed(call, "TargetGroupArn")?)]
            }
            (
                "elasticloadbalancing:DeregisterInstancesFromLoadBalancer"
                | "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
                _,
            ) => {
                let name = needed(call, "LoadBalancerName")?;
                vec![Check::new(&right, arn(call, &format!("loadbalancer/{name}")))]
            }
            (
                "sqs:ReceiveMessage"
                | "sqs:DeleteMessage"
                | "sqs:DeleteMessageBatch"
                | "sqs:ChangeMessageVisibility"
                | "sqs:ChangeMessageVisibilityBatch"
                | "sqs:SendMessage"
                | "sqs:SendMessageBatch"
                | "sqs:GetQueueAttributes",
                _,
            ) => {
                let url = needed(call, "QueueUrl")?;
                let name = url.rsplit('/').next().unwrap_or_default();
                // The right is that of the single call.
                let right = right.trim_end_matches("Batch");
                vec![Check::new(right, arn(call, name))]
            }
            ("sts:AssumeRole", _) => vec![Check::new(&right, needed(call, "RoleArn")?)],
            (right, _) if OF_NO_RESOURCE.contains(&right) => vec![Check::new(right, "*")],
            _ => {
                return Err(Error::new(format!(
                    "what AWS checks for {right} is not written down here"
                )));
            }
        };
        for check in &mut checks {
            *check = check.clone().with("aws:RequestedRegion", &call.region);
        }
        Ok(checks)
    }

    /// All calls so far are allowed by a policy, and each statement of it is needed for one of them.
    ///
    /// # Errors
    /// If one is not, or a statement is for nothing: which. As [`Self::checks`].
    pub async fn judge(&self, policy: &Policy) -> Result<()> {
        let mut all = Vec::new();
        for call in self.calls() {
            let checks = self.checks(&call).await?;
            if let Some(denied) = policy.denied(&checks) {
                return Err(Error::new(format!("{call:?} is not allowed: {denied:?}")));
            }
            all.push(checks);
        }
        let mut idle = policy.without_each_statement().into_iter();
        match idle.find(|(_, left)| all.iter().all(|checks| left.denied(checks).is_none())) {
            Some((idle, _)) => Err(Error::new(format!("no call needs: {idle}"))),
            None => Ok(()),
        }
    }

    /// The call of each instance that it names, with the tags they have.
    async fn of_instances(&self, call: &Call, named: &str) -> Result<Vec<Check>> {
        let mut checks = Vec::new();
        for id in (1..).map_while(|place| call.get(&format!("{named}.{place}"))) {
            if !id.starts_with("i-") {
                return Err(Error::new(format!(
                    "of what kind {id} is, is not written down here"
                )));
            }
            let found = self.strict.moto.instance(&call.region, id).await?;
            let tags = found.map(|found| found.tags).unwrap_or_default();
            let tags = tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            let check = Check::new(&call.right(), arn(call, &format!("instance/{id}")));
            checks.push(check.tagged("ec2", tags));
        }
        Ok(checks)
    }

    /// The call of a group by its name; one that is not there has no tags.
    async fn of_group(&self, call: &Call, name: &str) -> Check {
        let mut world = self.strict.world.lock().await;
        let tags = world.find(&call.region, name).map(|group| group.tags.clone());
        let resource =
            format!("autoScalingGroup:00000000-0000-4000-8000-000000000000:autoScalingGroupName/{name}");
        let tags = tags.unwrap_or_default();
        let tags = tags
            .iter()
            .map(|Tag { key, value, .. }| (key.as_str(), value.as_str()));
        Check::new(&call.right(), arn(call, &resource)).tagged("autoscaling", tags)
    }

    /// The group that a member is in, or was in.
    async fn group_of_member(&self, call: &Call) -> Result<String> {
        let id = needed(call, "InstanceId")?;
        let mut world = self.strict.world.lock().await;
        if let Some(group) = world.group_of(&call.region, id) {
            return Ok(group.name.clone());
        }
        let mut groups = world.groups.iter().rev();
        let found =
            groups.find(|group| group.region == call.region && group.left.iter().any(|left| left == id));
        found
            .map(|group| group.name.clone())
            .ok_or_else(|| Error::new(format!("of which group {id} is cannot be told")))
    }
}

/// The ARN of what a call of its service is about.
fn arn(call: &Call, resource: &str) -> String {
    format!("arn:aws:{}:{}:{ACCOUNT}:{resource}", call.signed_for, call.region)
}

fn needed<'a>(call: &'a Call, name: &str) -> Result<&'a str> {
    call.get(name)
        .ok_or_else(|| Error::new(format!("{} without {name}", call.action)))
}

/// Tags as a call names them: `Tag.1.Key`.
fn given<'a>(call: &'a Call, at: &str) -> Vec<(&'a str, &'a str)> {
    (1..)
        .map_while(|place| {
            let key = call.get(&format!("{at}.{place}.Key"))?;
            Some((key, call.get(&format!("{at}.{place}.Value")).unwrap_or_default()))
        })
        .collect()
}
