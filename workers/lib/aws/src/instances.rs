//! EC2 instances, and the templates they come from.

use aws_sdk_ec2::{
    error::ProvideErrorMetadata,
    types::{Filter, LaunchTemplateVersion},
};
use hollowtrees_domain::swap::world::{Instance, Template, TemplateRef};

use crate::{Refusal, Region, read};

impl Region {
    /// An instance; none if there is none of this id, or no longer (EC2 forgets one about an hour after its end). A new
    /// one may not be found for some seconds (EC2 API reference, "eventual consistency").
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn instance(&self, id: &str) -> Result<Option<Instance>, Refusal> {
        let answer = match self.ec2().describe_instances().instance_ids(id).send().await {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("InvalidInstanceID.NotFound") => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(answer
            .reservations()
            .iter()
            .flat_map(|reservation| reservation.instances())
            .next()
            .map(read::instance))
    }

    /// All instances with this tag that are neither ended nor ending: `pending`, `running`, `stopping`, `stopped`.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn instances_tagged(&self, key: &str, value: &str) -> Result<Vec<Instance>, Refusal> {
        let states = ["pending", "running", "stopping", "stopped"].map(str::to_owned);
        let reservations = self
            .ec2()
            .describe_instances()
            .filters(filter(format!("tag:{key}"), vec![value.to_owned()]))
            .filters(filter("instance-state-name", states.to_vec()))
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
        })
    }

    pub(crate) async fn template_version(&self, of: &TemplateRef) -> Result<LaunchTemplateVersion, Refusal> {
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

    /// Ends an instance. One that is gone already is well.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did.
    pub async fn terminate(&self, instance: &str) -> Result<(), Refusal> {
        match self
            .ec2()
            .terminate_instances()
            .instance_ids(instance)
            .send()
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("InvalidInstanceID.NotFound") => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn filter(name: impl Into<String>, values: Vec<String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values)).build()
}
