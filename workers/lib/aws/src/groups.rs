//! Auto-scaling groups.

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

/// Subnets asked for at once; EC2 takes 200 values a filter.
const A_FILTER: usize = 200;

impl Region {
    /// The group that an instance is a member of; none if it is in none, which Auto Scaling also says of an instance
    /// that is not there.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn membership(&self, instance: &str) -> Result<Option<Membership>, Refusal> {
        let answer = self
            .autoscaling()
            .describe_auto_scaling_instances()
            .instance_ids(instance)
            .send()
            .await?;
        Ok(answer.auto_scaling_instances().first().and_then(|found| {
            let state = found.lifecycle_state().unwrap_or_default();
            Some(Membership {
                group: found.auto_scaling_group_name()?.to_owned(),
                standing: read::standing(state),
                state: state.to_owned(),
            })
        }))
    }

    /// A group as it is now, with the zones of its subnets; none if there is none of this name. A subnet that is no
    /// longer there is left out.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn group(&self, name: &str) -> Result<Option<Group>, Refusal> {
        let answer = self
            .autoscaling()
            .describe_auto_scaling_groups()
            .auto_scaling_group_names(name)
            .send()
            .await?;
        let Some(found) = answer.auto_scaling_groups().first() else {
            return Ok(None);
        };
        let subnets = self.subnets(read::subnet_ids(found)).await?;
        Ok(Some(read::group(found, subnets)))
    }

    /// Subnets with their zones, in this order. A zone that was seen once is not asked for again: it never changes.
    async fn subnets(&self, ids: Vec<String>) -> Result<Vec<Subnet>, Refusal> {
        let unknown: Vec<_> = {
            let zones = self.zones();
            ids.iter()
                .filter(|id| !zones.contains_key(*id))
                .cloned()
                .collect()
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
        let zones = self.zones();
        Ok(ids
            .into_iter()
            .filter_map(|id| {
                let zone = zones.get(&id)?.clone();
                Some(Subnet { id, zone })
            })
            .collect())
    }

    /// Attaches an instance; AWS raises desired by it. One that is a member already was attached before, and desired
    /// was raised then. Asked once: after an unclear answer look at the group.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did.
    pub async fn attach(&self, group: &str, instance: &str) -> Result<(), Refusal> {
        let answer = self
            .autoscaling()
            .attach_instances()
            .auto_scaling_group_name(group)
            .instance_ids(instance)
            .customize()
            .config_override(once())
            .send()
            .await;
        match answer.map_err(Refusal::from) {
            Err(refusal) if !refusal.is_member_of(group) => Err(refusal),
            _ => Ok(()),
        }
    }

    /// Takes an instance out of its group; it goes on running. With `decrement` desired is lowered with it, otherwise
    /// the group launches another. Asked once: after an unclear answer look at the group.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did.
    pub async fn detach(&self, group: &str, instance: &str, decrement: bool) -> Result<(), Refusal> {
        self.autoscaling()
            .detach_instances()
            .auto_scaling_group_name(group)
            .instance_ids(instance)
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
