//! Load balancers: what is registered with them, taken out, put back.
//!
//! Sources: Elastic Load Balancing API references 2015-12-01 (target groups of application, network and gateway load
//! balancers) and 2012-06-01 (classic); user guides, "Deregistration delay" and "Configure connection draining". To take
//! out what is not there, or to put in what is there already, changes nothing, so the SDK may repeat both.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancing::types::Instance as Registered;
use aws_sdk_elasticloadbalancingv2::types::{
    TargetDescription, TargetHealthDescription, TargetHealthStateEnum, TargetTypeEnum,
};

use crate::{Refusal, Region};

/// Targets or instances named in one call.
pub const TARGETS_AT_ONCE: usize = 100;
/// Target groups or balancers of a page: the most AWS gives.
const PAGE: i32 = 400;
/// What a classic balancer says of an instance that was taken out and has connections still.
const IN_PROGRESS: &str = "deregistration currently in progress";
/// Its codes for an instance that is not there.
const NO_INSTANCE: [&str; 2] = ["InvalidInstance", "InvalidEndPoint"];

/// By what a target group knows its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// By instance ids.
    Instance,
    /// By IP addresses.
    Ip,
    /// Functions or load balancers: no instances.
    Other,
}

/// A target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// What it has in it.
    pub kind: TargetKind,
    /// Its VPC, in which addresses are unique.
    pub network: String,
}

/// What is registered with a target group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// An instance's id, or an address.
    pub id: String,
    /// The port it is registered with: the same instance may be there with several.
    pub port: Option<i32>,
    /// The zone of an address outside the VPC (`all`).
    pub zone: Option<String>,
}

/// How a target stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Registered, healthy or not.
    Registered,
    /// Taken out; its connections are waited for.
    Draining,
}

/// A classic load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classic {
    /// Its name.
    pub name: String,
    /// The ids of the instances that are registered.
    pub instances: BTreeSet<String>,
}

impl Region {
    /// All target groups.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn target_groups(&self) -> Result<Vec<TargetGroup>, Refusal> {
        let groups = self
            .balancing()
            .describe_target_groups()
            .page_size(PAGE)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        Ok(groups
            .iter()
            .filter_map(|found| {
                Some(TargetGroup {
                    arn: found.target_group_arn()?.to_owned(),
                    name: found.target_group_name().unwrap_or_default().to_owned(),
                    kind: match found.target_type() {
                        // Groups from before there were kinds have instances.
                        None | Some(TargetTypeEnum::Instance) => TargetKind::Instance,
                        Some(TargetTypeEnum::Ip) => TargetKind::Ip,
                        Some(_) => TargetKind::Other,
                    },
                    network: found.vpc_id().unwrap_or_default().to_owned(),
                })
            })
            .collect())
    }

    /// All targets of a group, those that drain too. What is out of it is left out.
    ///
    /// # Errors
    /// AWS did not say; `Missing` if there is no such group.
    pub async fn targets(&self, group: &str) -> Result<Vec<(Target, Standing)>, Refusal> {
        let answer = self
            .balancing()
            .describe_target_health()
            .target_group_arn(group)
            .send()
            .await?;
        Ok(answer
            .target_health_descriptions()
            .iter()
            .filter_map(target)
            .collect())
    }

    /// Ids of a group's targets, and whether it sends them requests, or would: not while they are new, unhealthy or
    /// drain. Where it is in no use, or checks nothing, it has nothing to wait for. Of one with several ports all count.
    ///
    /// # Errors
    /// AWS did not say; `Missing` if there is no such group.
    pub async fn target_health(&self, group: &str) -> Result<BTreeMap<String, bool>, Refusal> {
        let call = self.balancing().describe_target_health();
        let answer = call.target_group_arn(group).send().await?;
        let mut healthy = BTreeMap::new();
        for found in answer.target_health_descriptions() {
            let Some(id) = found.target().and_then(|target| target.id()) else {
                continue;
            };
            let state = found.target_health().and_then(|health| health.state());
            let serves = matches!(
                state,
                Some(
                    TargetHealthStateEnum::Healthy
                        | TargetHealthStateEnum::Unused
                        | TargetHealthStateEnum::Unavailable
                )
            );
            healthy
                .entry(id.to_owned())
                .and_modify(|all| *all &= serves)
                .or_insert(serves);
        }
        Ok(healthy)
    }

    /// Takes targets out of a group, at most [`TARGETS_AT_ONCE`].
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did; `Missing` if there is no such group.
    pub async fn deregister_targets(&self, group: &str, targets: &[Target]) -> Result<(), Refusal> {
        self.balancing()
            .deregister_targets()
            .target_group_arn(group)
            .set_targets(Some(targets.iter().map(described).collect()))
            .send()
            .await?;
        Ok(())
    }

    /// Puts targets into a group, at most [`TARGETS_AT_ONCE`]. One that drains is in service again.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did; `Rejected` for an instance that does not run.
    pub async fn register_targets(&self, group: &str, targets: &[Target]) -> Result<(), Refusal> {
        self.balancing()
            .register_targets()
            .target_group_arn(group)
            .set_targets(Some(targets.iter().map(described).collect()))
            .send()
            .await?;
        Ok(())
    }

    /// All classic load balancers, with the instances that are registered; those that drain are not.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn classic_balancers(&self) -> Result<Vec<Classic>, Refusal> {
        let balancers = self
            .classic_balancing()
            .describe_load_balancers()
            .page_size(PAGE)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        Ok(balancers
            .iter()
            .filter_map(|found| {
                Some(Classic {
                    name: found.load_balancer_name()?.to_owned(),
                    instances: found
                        .instances()
                        .iter()
                        .filter_map(|instance| instance.instance_id().map(str::to_owned))
                        .collect(),
                })
            })
            .collect())
    }

    /// Of these instances, those that a classic balancer sends requests to or whose connections it waits for.
    ///
    /// # Errors
    /// AWS did not say; `Missing` if there is no such balancer.
    pub async fn classic_standing(
        &self,
        balancer: &str,
        instances: &[String],
    ) -> Result<Vec<(String, Standing)>, Refusal> {
        let asked = self.instance_health(balancer, instances).await;
        match asked {
            // One of them is no more: then all that the balancer knows of itself.
            Err(Refusal::Rejected { code, .. } | Refusal::Missing { code, .. })
                if NO_INSTANCE.contains(&code.as_str()) =>
            {
                self.instance_health(balancer, &[]).await
            }
            told => told,
        }
    }

    /// Instances that a classic balancer sends requests to.
    ///
    /// # Errors
    /// AWS did not say; `Missing` if there is no such balancer.
    pub async fn classic_health(&self, balancer: &str) -> Result<BTreeSet<String>, Refusal> {
        let found = self.instance_health(balancer, &[]).await?.into_iter();
        let serve = found.filter(|(_, standing)| *standing == Standing::Registered);
        Ok(serve.map(|(instance, _)| instance).collect())
    }

    async fn instance_health(
        &self,
        balancer: &str,
        instances: &[String],
    ) -> Result<Vec<(String, Standing)>, Refusal> {
        let answer = self
            .classic_balancing()
            .describe_instance_health()
            .load_balancer_name(balancer)
            .set_instances((!instances.is_empty()).then(|| named(instances)))
            .send()
            .await?;
        Ok(answer
            .instance_states()
            .iter()
            .filter(|state| state.state() == Some("InService"))
            .filter_map(|state| {
                let drains = state.description().unwrap_or_default().contains(IN_PROGRESS);
                let standing = if drains {
                    Standing::Draining
                } else {
                    Standing::Registered
                };
                Some((state.instance_id()?.to_owned(), standing))
            })
            .collect())
    }

    /// Takes instances out of a classic balancer, at most [`TARGETS_AT_ONCE`].
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did; `Missing` if there is no such balancer.
    pub async fn deregister_instances(&self, balancer: &str, instances: &[String]) -> Result<(), Refusal> {
        self.classic_balancing()
            .deregister_instances_from_load_balancer()
            .load_balancer_name(balancer)
            .set_instances(Some(named(instances)))
            .send()
            .await?;
        Ok(())
    }

    /// Puts instances into a classic balancer, at most [`TARGETS_AT_ONCE`].
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did.
    pub async fn register_instances(&self, balancer: &str, instances: &[String]) -> Result<(), Refusal> {
        self.classic_balancing()
            .register_instances_with_load_balancer()
            .load_balancer_name(balancer)
            .set_instances(Some(named(instances)))
            .send()
            .await?;
        Ok(())
    }
}

impl Refusal {
    /// Whether AWS refuses for one of the instances or targets that a call names: the others may be asked for without it.
    pub fn is_of_a_target(&self) -> bool {
        matches!(self, Self::Rejected { code, .. } if code == "InvalidTarget" || NO_INSTANCE.contains(&code.as_str()))
    }
}

fn target(found: &TargetHealthDescription) -> Option<(Target, Standing)> {
    let health = found.target_health()?;
    let standing = match health.state()? {
        TargetHealthStateEnum::Draining => Standing::Draining,
        // `unused` is also what a group without a balancer says of its targets: only the reason tells one that is out.
        TargetHealthStateEnum::Unused
            if health
                .reason()
                .is_some_and(|reason| reason.as_str() == "Target.NotRegistered") =>
        {
            return None;
        }
        _ => Standing::Registered,
    };
    let target = found.target()?;
    let target = Target {
        id: target.id()?.to_owned(),
        port: target.port(),
        zone: target.availability_zone().map(str::to_owned),
    };
    Some((target, standing))
}

fn described(target: &Target) -> TargetDescription {
    TargetDescription::builder()
        .id(&target.id)
        .set_port(target.port)
        .set_availability_zone(target.zone.clone())
        .build()
}

fn named(instances: &[String]) -> Vec<Registered> {
    let named = instances
        .iter()
        .map(|id| Registered::builder().instance_id(id).build());
    named.collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::{TargetHealth, TargetHealthReasonEnum};

    use super::*;

    #[test]
    fn what_is_out_of_a_group() {
        let check = |state: &str, reason: Option<&str>, expected: Option<Standing>| {
            let health = TargetHealth::builder()
                .state(state.into())
                .set_reason(reason.map(TargetHealthReasonEnum::from))
                .build();
            let described = TargetDescription::builder().id("i-1").port(80).build();
            let found = TargetHealthDescription::builder()
                .target(described)
                .target_health(health)
                .build();
            let found = target(&found).map(|(_, standing)| standing);
            assert_eq!(found, expected, "{state} {reason:?}");
        };
        check("healthy", None, Some(Standing::Registered));
        check("initial", None, Some(Standing::Registered));
        check("unhealthy", Some("Target.Timeout"), Some(Standing::Registered));
        check(
            "draining",
            Some("Target.DeregistrationInProgress"),
            Some(Standing::Draining),
        );
        check("unused", Some("Target.NotRegistered"), None);
        // A group that no balancer uses, a zone that the balancer does not, an instance that is stopped.
        check("unused", Some("Target.NotInUse"), Some(Standing::Registered));
        check("unused", Some("Target.InvalidState"), Some(Standing::Registered));
        check("unavailable", None, Some(Standing::Registered));
    }
}
