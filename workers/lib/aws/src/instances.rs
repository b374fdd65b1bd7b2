//! EC2 instances, and the templates they come from.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_ec2::{
    error::ProvideErrorMetadata,
    types::{Filter, LaunchTemplateVersion},
};
use hollowtrees_domain::swap::world::{Instance, Template, TemplateRef};

use crate::{Refusal, Region, read};

/// Versions of launch templates that are remembered.
const TEMPLATES: usize = 256;

/// Instances of one call of `TerminateInstances`; EC2 takes up to 1,000 and advises fewer (EC2 API reference).
pub const TERMINATED_AT_ONCE: usize = 50;

impl Region {
    /// An instance; none if there is none of this id, or no longer (EC2 forgets one about an hour after its end). A new
    /// one may not be found for some seconds (EC2 API reference, "eventual consistency").
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn instance(&self, id: &str) -> Result<Option<Instance>, Refusal> {
        Ok(self.instances(&[id.to_owned()]).await?.remove(id))
    }

    /// The same of several, at most [`crate::lookup::AT_ONCE`].
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn instances(&self, ids: &[String]) -> Result<HashMap<String, Instance>, Refusal> {
        if ids.is_empty() {
            // Without a filter EC2 would tell all.
            return Ok(HashMap::new());
        }
        // By filter: one that is gone is no error then.
        let found = self.found_by(vec![filter("instance-id", ids.to_vec())]).await?;
        Ok(found
            .into_iter()
            .map(|instance| (instance.id.clone(), instance))
            .collect())
    }

    /// All instances with this tag that are neither ended nor ending: `pending`, `running`, `stopping`, `stopped`.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn instances_tagged(&self, key: &str, value: &str) -> Result<Vec<Instance>, Refusal> {
        let mut found = self.instances_tagged_any(key, &[value.to_owned()]).await?;
        Ok(found.remove(value).unwrap_or_default())
    }

    /// The same for each of several values of the tag, at most [`crate::lookup::AT_ONCE`].
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn instances_tagged_any(
        &self,
        key: &str,
        values: &[String],
    ) -> Result<HashMap<String, Vec<Instance>>, Refusal> {
        let mut by_value: HashMap<String, Vec<Instance>> = HashMap::new();
        if values.is_empty() {
            return Ok(by_value);
        }
        let states = ["pending", "running", "stopping", "stopped"].map(str::to_owned);
        let filters = vec![
            filter(format!("tag:{key}"), values.to_vec()),
            filter("instance-state-name", states.to_vec()),
        ];
        for instance in self.found_by(filters).await? {
            let value = instance.tags.get(key).cloned().unwrap_or_default();
            by_value.entry(value).or_default().push(instance);
        }
        Ok(by_value)
    }

    async fn found_by(&self, filters: Vec<Filter>) -> Result<Vec<Instance>, Refusal> {
        let reservations = self
            .ec2()
            .describe_instances()
            .set_filters(Some(filters))
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        Ok(reservations
            .iter()
            .flat_map(|reservation| reservation.instances())
            .map(read::instance)
            .collect())
    }

    /// A version of a launch template, `$Latest` and `$Default` resolved to its number.
    ///
    /// # Errors
    /// AWS did not say; `Missing` if there is no such template or version.
    pub async fn template(&self, of: &TemplateRef) -> Result<Template, Refusal> {
        let version = self.template_version(of).await?;
        let data = version.launch_template_data();
        Ok(Template {
            resolved: TemplateRef {
                id: of.id.clone(),
                version: version
                    .version_number()
                    .ok_or_else(|| Refusal::unclear(format!("a version of {} without a number", of.id)))?
                    .to_string(),
            },
            instance_type: data
                .and_then(|data| data.instance_type())
                .map(|found| found.as_str().to_owned()),
            image: data.and_then(|data| data.image_id()).map(str::to_owned),
            by_requirements: data.is_some_and(|data| data.instance_requirements().is_some()),
        })
    }

    /// A version by its number never changes, and is read once.
    pub(crate) async fn template_version(
        &self,
        of: &TemplateRef,
    ) -> Result<Arc<LaunchTemplateVersion>, Refusal> {
        let is_fixed = of.version.parse::<u64>().is_ok();
        if let Some(known) = self.templates().get(of).filter(|_| is_fixed) {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(self.read_template_version(of).await?);
        let number = read
            .version_number()
            .map_or_else(String::new, |number| number.to_string());
        let mut known = self.templates();
        if known.len() >= TEMPLATES {
            known.clear();
        }
        let fixed = TemplateRef {
            id: of.id.clone(),
            version: number,
        };
        known.insert(fixed, Arc::clone(&read));
        Ok(read)
    }

    async fn read_template_version(&self, of: &TemplateRef) -> Result<LaunchTemplateVersion, Refusal> {
        let answer = self
            .ec2()
            .describe_launch_template_versions()
            .launch_template_id(&of.id)
            .versions(&of.version)
            .send()
            .await?;
        answer
            .launch_template_versions
            .and_then(|found| found.into_iter().next())
            .ok_or_else(|| Refusal::Missing {
                code: "InvalidLaunchTemplateId.VersionNotFound".into(),
                message: format!("launch template {} has no version {}", of.id, of.version),
            })
    }

    /// Ends instances, at most [`TERMINATED_AT_ONCE`]. One alone that is gone already is well; of several EC2 ends none where it does
    /// not know one.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did.
    pub async fn terminate(&self, instances: &[String]) -> Result<(), Refusal> {
        let asked = self.ec2().terminate_instances();
        match asked.set_instance_ids(Some(instances.to_vec())).send().await {
            Ok(_) => Ok(()),
            Err(error) if instances.len() == 1 && error.code() == Some("InvalidInstanceID.NotFound") => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn filter(name: impl Into<String>, values: Vec<String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values)).build()
}
