//! Auto-scaling groups.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_autoscaling::config::{Builder, retry::RetryConfig};
use aws_sdk_ec2::types::Filter;
use hollowtrees_domain::swap::world::{Group, Standing, Subnet};

use crate::{Refusal, Region, read};

/// Where an instance is a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The group's name.
    pub group: String,
    /// Where it stands there.
    pub standing: Standing,
    /// The same in AWS's own word: `Terminating:Wait`.
    pub state: String,
}

/// Instances whose groups are asked for at once (Auto Scaling API reference, `DescribeAutoScalingInstances`).
pub const MEMBERSHIPS_AT_ONCE: usize = 50;
/// Groups asked for at once (Auto Scaling API reference, `DescribeAutoScalingGroups`, `MaxRecords`).
pub const GROUPS_AT_ONCE: usize = 100;
/// Subnets asked for at once; EC2 takes 200 values a filter.
const A_FILTER: usize = 200;

impl Region {
    /// The group that an instance is a member of; none if it is in none, which Auto Scaling also says of an instance
    /// that is not there.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn membership(&self, instance: &str) -> Result<Option<Membership>, Refusal> {
        Ok(self.memberships(&[instance.to_owned()]).await?.remove(instance))
    }

    /// The same of several, at most [`MEMBERSHIPS_AT_ONCE`], in one call.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn memberships(&self, instances: &[String]) -> Result<HashMap<String, Membership>, Refusal> {
        if instances.is_empty() {
            // Without an id Auto Scaling would tell all.
            return Ok(HashMap::new());
        }
        let answer = self
            .autoscaling()
            .describe_auto_scaling_instances()
            .set_instance_ids(Some(instances.to_vec()))
            .send()
            .await?;
        Ok(answer
            .auto_scaling_instances()
            .iter()
            .filter_map(|found| {
                let state = found.lifecycle_state().unwrap_or_default();
                let membership = Membership {
                    group: found.auto_scaling_group_name()?.to_owned(),
                    standing: read::standing(state),
                    state: state.to_owned(),
                };
                Some((found.instance_id()?.to_owned(), membership))
            })
            .collect())
    }

    /// A group as it is now, with the zones of its subnets; none if there is none of this name. A subnet that is no
    /// longer there is left out.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn group(&self, name: &str) -> Result<Option<Group>, Refusal> {
        Ok(self.groups(&[name.to_owned()]).await?.remove(name))
    }

    /// The same of several, at most [`GROUPS_AT_ONCE`], in one call.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn groups(&self, names: &[String]) -> Result<HashMap<String, Group>, Refusal> {
        if names.is_empty() {
            // Without a name Auto Scaling would tell all.
            return Ok(HashMap::new());
        }
        let answer = self
            .autoscaling()
            .describe_auto_scaling_groups()
            .set_auto_scaling_group_names(Some(names.to_vec()))
            .max_records(i32::try_from(GROUPS_AT_ONCE).unwrap_or(i32::MAX))
            .send()
            .await?;
        let found = answer.auto_scaling_groups();
        let ids = found.iter().flat_map(read::subnet_ids).collect();
        self.find_zones(ids).await?;
        let zones = self.zones();
        Ok(found
            .iter()
            .map(|found| {
                let subnets = read::subnet_ids(found).into_iter().filter_map(|id| {
                    let zone = zones.get(&id)?.clone();
                    Some(Subnet { id, zone })
                });
                let group = read::group(found, subnets.collect());
                (group.name.clone(), group)
            })
            .collect())
    }

    /// Learns the zones of these subnets. One that was seen once is not asked for again: it never changes.
    async fn find_zones(&self, ids: BTreeSet<String>) -> Result<(), Refusal> {
        let unknown: Vec<_> = {
            let zones = self.zones();
            ids.into_iter().filter(|id| !zones.contains_key(id)).collect()
        };
        for asked in unknown.chunks(A_FILTER) {
            // By filter: one that is gone is no error then.
            let filter = Filter::builder()
                .name("subnet-id")
                .set_values(Some(asked.to_vec()))
                .build();
            let found = self
                .ec2()
                .describe_subnets()
                .filters(filter)
                .into_paginator()
                .items()
                .send()
                .collect::<Result<Vec<_>, _>>()
                .await?;
            self.zones().extend(
                found
                    .into_iter()
                    .filter_map(|subnet| Some((subnet.subnet_id?, subnet.availability_zone?))),
            );
        }
        Ok(())
    }

    /// Attaches instances, at most 20, all or none; AWS raises desired by each. One alone that is a member already was
    /// attached before, and desired was raised then. Asked once: after an unclear answer look at the group.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did.
    pub async fn attach(&self, group: &str, instances: &[String]) -> Result<(), Refusal> {
        let answer = self
            .autoscaling()
            .attach_instances()
            .auto_scaling_group_name(group)
            .set_instance_ids(Some(instances.to_vec()))
            .customize()
            .config_override(once())
            .send()
            .await;
        match answer.map_err(Refusal::from) {
            Err(refusal) if instances.len() == 1 && refusal.is_member_of(group) => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// Protects members in service from scale-in, at most 50, all or none. To protect one that is protected is no error.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did. `Rejected` if one is no member in service.
    pub async fn protect(&self, group: &str, instances: &[String]) -> Result<(), Refusal> {
        self.autoscaling()
            .set_instance_protection()
            .auto_scaling_group_name(group)
            .set_instance_ids(Some(instances.to_vec()))
            .protected_from_scale_in(true)
            .customize()
            .config_override(once())
            .send()
            .await?;
        Ok(())
    }

    /// Takes instances out of their group, at most 20, all or none; they go on running. With `decrement` desired is
    /// lowered with each, otherwise the group launches others. Asked once: after an unclear answer look at the group.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did.
    pub async fn detach(&self, group: &str, instances: &[String], decrement: bool) -> Result<(), Refusal> {
        self.autoscaling()
            .detach_instances()
            .auto_scaling_group_name(group)
            .set_instance_ids(Some(instances.to_vec()))
            .should_decrement_desired_capacity(decrement)
            .customize()
            .config_override(once())
            .send()
            .await?;
        Ok(())
    }

    /// Sets how many the group should have, at once. Asked once: after an unclear answer look at the group.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did.
    pub async fn set_desired(&self, group: &str, desired: u32) -> Result<(), Refusal> {
        self.autoscaling()
            .set_desired_capacity()
            .auto_scaling_group_name(group)
            .desired_capacity(size(desired)?)
            .honor_cooldown(false)
            .customize()
            .config_override(once())
            .send()
            .await?;
        Ok(())
    }

    /// Sets how many the group may have. AWS lowers desired with it where that is above. Asked once: after an unclear
    /// answer look at the group.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did.
    pub async fn set_max(&self, group: &str, max: u32) -> Result<(), Refusal> {
        self.autoscaling()
            .update_auto_scaling_group()
            .auto_scaling_group_name(group)
            .max_size(size(max)?)
            .customize()
            .config_override(once())
            .send()
            .await?;
        Ok(())
    }

    /// Suspends or resumes one process of a group. To do what is done already is no error.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did.
    pub async fn suspend(&self, group: &str, process: &str, suspend: bool) -> Result<(), Refusal> {
        let once = once();
        if suspend {
            let call = self.autoscaling().suspend_processes();
            let call = call.auto_scaling_group_name(group).scaling_processes(process);
            call.customize().config_override(once).send().await?;
        } else {
            let call = self.autoscaling().resume_processes();
            let call = call.auto_scaling_group_name(group).scaling_processes(process);
            call.customize().config_override(once).send().await?;
        }
        Ok(())
    }

    /// Ends a member of a group. With `decrement` desired is lowered with it, otherwise the group launches another.
    /// Asked once: after an unclear answer look at the group.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did. `Missing` if it is a member of no group.
    pub async fn terminate_member(&self, instance: &str, decrement: bool) -> Result<(), Refusal> {
        self.autoscaling()
            .terminate_instance_in_auto_scaling_group()
            .instance_id(instance)
            .should_decrement_desired_capacity(decrement)
            .customize()
            .config_override(once())
            .send()
            .await?;
        Ok(())
    }
}

/// One attempt: what it does depends on what is there, so nobody repeats it without looking.
pub(crate) fn once() -> Builder {
    aws_sdk_autoscaling::Config::builder().retry_config(RetryConfig::disabled())
}

fn size(of: u32) -> Result<i32, Refusal> {
    i32::try_from(of).map_err(|_| Refusal::unsaid("size", format!("a group has no {of} instances")))
}
