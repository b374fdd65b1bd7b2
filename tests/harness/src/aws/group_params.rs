//! Parts of a group as they come in the parameters of a call.

use super::groups::{Override, Source, Tag, Template};
use super::query::{Call, Refusal};
use std::collections::BTreeMap;

/// Its tags, or those of `CreateOrUpdateTags`.
pub(super) fn tags(call: &Call) -> Vec<Tag> {
    (1..)
        .map_while(|i| {
            Some(Tag {
                key: call.get(&format!("Tags.member.{i}.Key"))?.to_owned(),
                value: call
                    .get(&format!("Tags.member.{i}.Value"))
                    .unwrap_or_default()
                    .to_owned(),
                propagate: call.get(&format!("Tags.member.{i}.PropagateAtLaunch")) == Some("true"),
            })
        })
        .collect()
}

/// Parameters that are told as they were said.
pub(super) fn as_said(call: &Call) -> BTreeMap<String, String> {
    let is_told = |name: &str| {
        let first = name.split('.').next().unwrap_or_default();
        [
            "PlacementGroup",
            "CapacityReservationSpecification",
            "InstanceMaintenancePolicy",
        ]
        .contains(&first)
    };
    let told = call.params.iter().filter(|(name, _)| is_told(name));
    told.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What it launches from.
pub(super) fn source(call: &Call) -> Result<Source, Refusal> {
    if let Some(name) = call.get("LaunchConfigurationName") {
        return Ok(Source::Configuration(name.to_owned()));
    }
    if let Some(template) = template(call, "LaunchTemplate") {
        return Ok(Source::Template(template));
    }
    let policy = "MixedInstancesPolicy.LaunchTemplate";
    let Some(first) = template(call, &format!("{policy}.LaunchTemplateSpecification")) else {
        return Err(Refusal::validation(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or \
             MixedInstancesPolicy parameter.",
        ));
    };
    let overrides = (1..)
        .map_while(|i| {
            let at = format!("{policy}.Overrides.member.{i}");
            let under = format!("{at}.");
            call.params
                .keys()
                .any(|name| name.starts_with(&under))
                .then(|| Override {
                    instance_type: call.get(&format!("{at}.InstanceType")).map(str::to_owned),
                    weight: call.number(&format!("{at}.WeightedCapacity")),
                    template: template(call, &format!("{at}.LaunchTemplateSpecification")),
                    image: call.get(&format!("{at}.ImageId")).map(str::to_owned),
                    fitting: Vec::new(),
                    requirements: call
                        .params
                        .iter()
                        .filter_map(|(name, value)| {
                            let rest = name.strip_prefix(&under)?;
                            let rest = rest.strip_prefix("InstanceRequirements.")?;
                            Some((rest.to_owned(), value.clone()))
                        })
                        .collect(),
                })
        })
        .collect();
    let distribution = |name: &str| format!("MixedInstancesPolicy.InstancesDistribution.{name}");
    Ok(Source::Mixed {
        template: first,
        overrides,
        max_price: call.get(&distribution("SpotMaxPrice")).map(str::to_owned),
        on_demand_base: call
            .number(&distribution("OnDemandBaseCapacity"))
            .unwrap_or_default(),
        on_demand_percentage: call
            .number(&distribution("OnDemandPercentageAboveBaseCapacity"))
            .unwrap_or(100),
    })
}

fn template(call: &Call, at: &str) -> Option<Template> {
    let part = |name: &str| call.get(&format!("{at}.{name}")).map(str::to_owned);
    let (id, name) = (part("LaunchTemplateId"), part("LaunchTemplateName"));
    (id.is_some() || name.is_some()).then(|| Template {
        id: id.unwrap_or_default(),
        name: name.unwrap_or_default(),
        version: part("Version"),
    })
}
