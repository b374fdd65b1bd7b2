//! Types that meet requirements.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use aws_sdk_ec2::types::{ArchitectureType, ArchitectureValues, Filter, VirtualizationType};
use hollowtrees_domain::swap::{
    source::Need,
    world::{Fitting, TemplateRef},
};
use tokio::time::Instant;

use crate::{Refusal, Region, requirements};

/// How long an answer serves: types come and go by the month.
const SERVES: Duration = Duration::from_secs(600);
/// Answers that are kept, and images.
const KEPT: usize = 256;
/// Types asked for at once; EC2 takes 200 values a filter.
const A_FILTER: usize = 200;

/// What an image runs on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Platform {
    architecture: ArchitectureType,
    virtualization: VirtualizationType,
}

/// What types have to be like, and to run.
type Asked = (BTreeMap<String, Vec<String>>, Platform);

/// What was learnt of types and images.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    /// An image never changes what it runs on; what a name of images stands for may, but hardly to another architecture.
    platforms: HashMap<String, Platform>,
    /// A type never changes its size.
    sizes: HashMap<String, Fitting>,
    answers: HashMap<Asked, (Instant, Arc<Vec<Fitting>>)>,
}

impl Region {
    /// All types of the region that meet requirements and run an image, with their sizes. EC2 considers neither prices nor
    /// capacity for it. An answer serves for ten minutes.
    ///
    /// # Errors
    /// AWS did not say; `Missing` if there is no such image.
    pub async fn fitting(&self, need: &Need) -> Result<Vec<Fitting>, Refusal> {
        let platform = self.platform(need).await?;
        let asked = (need.attributes.clone(), platform.clone());
        let now = Instant::now();
        let known = self.learnt().answers.get(&asked).cloned();
        if let Some((_, answer)) = known.filter(|(at, _)| now.duration_since(*at) < SERVES) {
            return Ok(answer.to_vec());
        }
        let found = self
            .ec2()
            .get_instance_types_from_instance_requirements()
            .architecture_types(platform.architecture)
            .virtualization_types(platform.virtualization)
            .instance_requirements(requirements::request(&need.attributes))
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        let names: Vec<String> = found.into_iter().filter_map(|one| one.instance_type).collect();
        self.learn_sizes(&names).await?;
        let mut learnt = self.learnt();
        let fitting: Vec<Fitting> = names
            .iter()
            .filter_map(|name| learnt.sizes.get(name).cloned())
            .collect();
        if learnt.answers.len() >= KEPT {
            learnt.answers.clear();
        }
        learnt.answers.insert(asked, (now, Arc::new(fitting.clone())));
        Ok(fitting)
    }

    async fn platform(&self, need: &Need) -> Result<Platform, Refusal> {
        if let Some(known) = self.learnt().platforms.get(&need.image) {
            return Ok(known.clone());
        }
        let image = match &need.template {
            Some(template) => self.image_of(template).await?,
            None => need.image.clone(),
        };
        let answer = self.ec2().describe_images().image_ids(&image).send().await?;
        let found = answer.images().first().ok_or_else(|| Refusal::Missing {
            code: "InvalidAMIID.NotFound".into(),
            message: format!("there is no image {image}"),
        })?;
        let architecture = found.architecture().map(ArchitectureValues::as_str);
        let platform = Platform {
            architecture: architecture
                .ok_or_else(|| Refusal::unclear(format!("an image {image} without an architecture")))?
                .into(),
            virtualization: found
                .virtualization_type()
                .cloned()
                .unwrap_or(VirtualizationType::Hvm),
        };
        let mut learnt = self.learnt();
        if learnt.platforms.len() >= KEPT {
            learnt.platforms.clear();
        }
        learnt.platforms.insert(need.image.clone(), platform.clone());
        Ok(platform)
    }

    /// The image that a template names by a parameter of Systems Manager, as it is now.
    async fn image_of(&self, template: &TemplateRef) -> Result<String, Refusal> {
        let answer = self
            .ec2()
            .describe_launch_template_versions()
            .launch_template_id(&template.id)
            .versions(&template.version)
            .resolve_alias(true)
            .send()
            .await?;
        let found = answer.launch_template_versions().first();
        let image = found.and_then(|version| version.launch_template_data()?.image_id());
        image.map(str::to_owned).ok_or_else(|| Refusal::Missing {
            code: "image".into(),
            message: format!("launch template {} names no image", template.id),
        })
    }

    /// Learns the sizes of these types, each once. One that EC2 does not describe stays unknown.
    async fn learn_sizes(&self, names: &[String]) -> Result<(), Refusal> {
        let unknown: Vec<String> = {
            let learnt = self.learnt();
            let unknown = names.iter().filter(|name| !learnt.sizes.contains_key(*name));
            unknown.cloned().collect()
        };
        for asked in unknown.chunks(A_FILTER) {
            // By filter: one that is not described is no error then.
            let filter = Filter::builder()
                .name("instance-type")
                .set_values(Some(asked.to_vec()))
                .build();
            let found = self
                .ec2()
                .describe_instance_types()
                .filters(filter)
                .into_paginator()
                .items()
                .send()
                .collect::<Result<Vec<_>, _>>()
                .await?;
            let sizes = found.iter().filter_map(|of| {
                let fitting = Fitting {
                    name: of.instance_type()?.as_str().to_owned(),
                    vcpus: u32::try_from(of.v_cpu_info()?.default_v_cpus()?).ok()?,
                    memory_mib: u64::try_from(of.memory_info()?.size_in_mib()?).ok()?,
                    current: of.current_generation().unwrap_or_default(),
                };
                Some((fitting.name.clone(), fitting))
            });
            self.learnt().sizes.extend(sizes);
        }
        Ok(())
    }
}
