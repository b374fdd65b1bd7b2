//! What a group names beside its sizes: templates, types by requirements, subnets; when it is made, and when it is edited.

use super::group_params;
use super::groups::{self, Asg};
use super::query::{Call, Refusal};
use super::strict::{Stop, Strict};

/// What an edit of the source begins with.
const SOURCES: [&str; 3] = [
    "LaunchTemplate.",
    "MixedInstancesPolicy.",
    "LaunchConfigurationName",
];

impl Strict {
    /// Finds what it names as it came in a call.
    pub(super) async fn resolve(&self, group: &mut Asg) -> Result<(), Stop> {
        let region = group.region.clone();
        for template in group.templates() {
            let by = match template.id.as_str() {
                "" => ("LaunchTemplateName", template.name.clone()),
                id => ("LaunchTemplateId", id.to_owned()),
            };
            let version = template.version.as_deref().unwrap_or("$Default");
            let found = self.moto.template(&region, (by.0, &by.1), version).await?;
            (template.id, template.name) = (found.id, found.name);
        }
        for (template, of) in group.by_requirements() {
            self.fit(&region, &template, of).await?;
        }
        for (subnet, zone) in &mut group.subnets {
            *zone = self
                .moto
                .zone_of_subnet(&region, subnet)
                .await?
                .ok_or_else(|| Refusal::validation(format!("The subnet ID '{subnet}' does not exist")))?;
        }
        Ok(())
    }

    /// Takes over what an `UpdateAutoScalingGroup` says of subnets and of what is launched. Members stay as they are.
    pub(super) async fn edit(&self, group: &mut Asg, call: &Call) -> Result<(), Stop> {
        let subnets = call.get("VPCZoneIdentifier");
        let source = call
            .params
            .keys()
            .any(|name| SOURCES.iter().any(|source| name.starts_with(source)));
        if subnets.is_none() && !source {
            return Ok(());
        }
        if subnets.is_some() {
            group.subnets = groups::subnets(call);
        }
        if source {
            group.source = group_params::source(call)?;
        }
        self.resolve(group).await
    }

    /// Learns the types that meet an override's requirements and run its image.
    async fn fit(
        &self,
        region: &str,
        template: &groups::Template,
        of: &mut groups::Override,
    ) -> Result<(), Stop> {
        let version = template.version.as_deref().unwrap_or("$Default");
        let by = ("LaunchTemplateId", template.id.as_str());
        let image = match of.image.clone() {
            Some(own) => Some(own),
            None => self.moto.template(region, by, version).await?.image,
        };
        let image = image.ok_or_else(|| Refusal::validation("requirements without an image"))?;
        let named = self.knobs().images.get(&image).cloned();
        let image = named.unwrap_or(image);
        let (architecture, virtualization) = self.moto.platform(region, &image).await?;
        // In EC2's names; what a type may cost is not judged.
        let asked = of.requirements.iter().filter_map(|(name, value)| {
            let name = name.replace("s.member.", ".");
            (!name.contains("Price")).then(|| (name, value.clone()))
        });
        let asked = asked.collect();
        of.fitting = self
            .types
            .meeting(&self.moto, region, &asked, &[architecture], &[virtualization])
            .await?;
        Ok(())
    }
}
