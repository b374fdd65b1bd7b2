//! A group to be made, and its launch template.

use super::rules::Sizes;
use super::strict::Strict;
use super::{Aws, Call, Group, Service};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// A group to be made, with a launch template of the same name. At first: one instance, of `m5.large`, on demand, in
/// us-east-1a, tagged as managed by Hollowtrees.
#[derive(Clone, Debug)]
pub struct NewGroup {
    name: String,
    region: String,
    zones: Vec<String>,
    sizes: Sizes,
    types: Vec<OfType>,
    requirements: Vec<(String, String)>,
    configuration: Option<Vec<(String, String)>>,
    spot: bool,
    max_price: Option<String>,
    capacity_rebalance: bool,
    protects_new: bool,
    target_groups: Vec<String>,
    classic_balancers: Vec<String>,
    tags: Vec<(String, String, bool)>,
    template: Vec<(String, String)>,
    said: Vec<(String, String)>,
}

/// A type of a mixed group.
#[derive(Clone, Debug, Default)]
struct OfType {
    name: String,
    weight: Option<u32>,
    template: Option<String>,
    image: Option<String>,
}

impl NewGroup {
    /// One of this name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            region: "us-east-1".to_owned(),
            zones: vec!["us-east-1a".to_owned()],
            sizes: Sizes {
                min: 1,
                desired: 1,
                max: 2,
            },
            types: Vec::new(),
            requirements: Vec::new(),
            configuration: None,
            spot: false,
            max_price: None,
            capacity_rebalance: false,
            protects_new: false,
            target_groups: Vec::new(),
            classic_balancers: Vec::new(),
            tags: vec![("hollowtrees.io/managed".to_owned(), "true".to_owned(), false)],
            template: Vec::new(),
            said: Vec::new(),
        }
    }

    /// In this region, whose zones are to be named; else us-east-1.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    /// Over the default subnets of these zones.
    #[must_use]
    pub fn zones(mut self, zones: &[&str]) -> Self {
        self.zones = zones.iter().map(|&zone| zone.to_owned()).collect();
        self
    }

    /// With these sizes.
    #[must_use]
    pub fn sizes(mut self, min: u32, desired: u32, max: u32) -> Self {
        self.sizes = Sizes { min, desired, max };
        self
    }

    /// Mixed, of these types in this order; the group launches the first one.
    #[must_use]
    pub fn types(mut self, types: &[&str]) -> Self {
        self.types.extend(types.iter().map(|&name| OfType {
            name: name.to_owned(),
            ..OfType::default()
        }));
        self
    }

    /// Mixed, with a type that counts this much.
    #[must_use]
    pub fn weighted(mut self, instance_type: &str, weight: u32) -> Self {
        self.types.push(OfType {
            name: instance_type.to_owned(),
            weight: Some(weight),
            ..OfType::default()
        });
        self
    }

    /// Mixed, with a type that has a launch template of its own: its id.
    #[must_use]
    pub fn type_from(mut self, instance_type: &str, template: &str) -> Self {
        self.types.push(OfType {
            name: instance_type.to_owned(),
            template: Some(template.to_owned()),
            ..OfType::default()
        });
        self
    }

    /// Mixed, with a type that has an image of its own.
    #[must_use]
    pub fn type_with_image(mut self, instance_type: &str, image: &str) -> Self {
        self.types.push(OfType {
            name: instance_type.to_owned(),
            image: Some(image.to_owned()),
            ..OfType::default()
        });
        self
    }

    /// Mixed, by requirements instead of types, by their names on the wire of Auto Scaling: `VCpuCount.Min`,
    /// `ExcludedInstanceTypes.member.1`. The group launches the smallest type that meets them.
    #[must_use]
    pub fn by_requirements(mut self, requirements: &[(&str, &str)]) -> Self {
        let requirements = requirements.iter();
        self.requirements
            .extend(requirements.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// From a launch configuration of the same name, of `m5.large`.
    #[must_use]
    pub fn from_configuration(mut self) -> Self {
        self.configuration.get_or_insert_default();
        self
    }

    /// With this in its launch configuration, by its name on the wire: `BlockDeviceMappings.member.1.DeviceName`.
    #[must_use]
    pub fn configuration(mut self, name: &str, value: &str) -> Self {
        let params = self.configuration.get_or_insert_default();
        params.push((name.to_owned(), value.to_owned()));
        self
    }

    /// All its instances are spot.
    #[must_use]
    pub fn spot(mut self) -> Self {
        self.spot = true;
        self
    }

    /// Spot up to this price, for a mixed group.
    #[must_use]
    pub fn max_price(mut self, dollars: &str) -> Self {
        self.max_price = Some(dollars.to_owned());
        self
    }

    /// With this of its own, by its name on the wire: `PlacementGroup`,
    /// `CapacityReservationSpecification.CapacityReservationPreference`. It is told of the group; what the group launches itself
    /// is as without it.
    #[must_use]
    pub fn said(mut self, name: &str, value: &str) -> Self {
        self.said.push((name.to_owned(), value.to_owned()));
        self
    }

    /// It replaces instances at risk itself.
    #[must_use]
    pub fn capacity_rebalance(mut self) -> Self {
        self.capacity_rebalance = true;
        self
    }

    /// All that joins it is protected from scale-in.
    #[must_use]
    pub fn protects_new(mut self) -> Self {
        self.protects_new = true;
        self
    }

    /// What is attached to it is registered with this target group: its ARN.
    #[must_use]
    pub fn target_group(mut self, arn: &str) -> Self {
        self.target_groups.push(arn.to_owned());
        self
    }

    /// What is attached to it is registered with this classic load balancer.
    #[must_use]
    pub fn classic_balancer(mut self, name: &str) -> Self {
        self.classic_balancers.push(name.to_owned());
        self
    }

    /// Without the tag that gives it to Hollowtrees.
    #[must_use]
    pub fn unmanaged(mut self) -> Self {
        self.tags.retain(|(key, ..)| key != "hollowtrees.io/managed");
        self
    }

    /// With this tag, given to its instances or not.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str, propagate: bool) -> Self {
        self.tags.push((key.to_owned(), value.to_owned(), propagate));
        self
    }

    /// With this in its launch template, by its name on the wire: `NetworkInterface.1.DeviceIndex`.
    #[must_use]
    pub fn template(mut self, name: &str, value: &str) -> Self {
        self.template.push((name.to_owned(), value.to_owned()));
        self
    }

    fn template_params(&self) -> Vec<(String, String)> {
        let own = |name: &str| self.template.iter().any(|(other, _)| other == name);
        let mut params = vec![("LaunchTemplateName".to_owned(), self.name.clone())];
        for (name, value) in [("ImageId", "ami-12c6146b"), ("InstanceType", "m5.large")] {
            if !own(name) {
                params.push((format!("LaunchTemplateData.{name}"), value.to_owned()));
            }
        }
        if self.spot && self.types.is_empty() {
            let name = "LaunchTemplateData.InstanceMarketOptions.MarketType";
            params.push((name.to_owned(), "spot".to_owned()));
        }
        for (name, value) in &self.template {
            params.push((format!("LaunchTemplateData.{name}"), value.clone()));
        }
        params
    }

    fn configuration_call(&self, said: &[(String, String)], region: &str) -> Call {
        let mut params: BTreeMap<_, _> = [
            ("LaunchConfigurationName", self.name.as_str()),
            ("ImageId", "ami-12c6146b"),
            ("InstanceType", "m5.large"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        params.extend(said.iter().cloned());
        Call {
            action: "CreateLaunchConfiguration".to_owned(),
            params,
            region: region.to_owned(),
            signed_for: "autoscaling".to_owned(),
            key: String::new(),
        }
    }

    fn source_params(&self) -> Vec<(String, String)> {
        if self.configuration.is_some() {
            return vec![("LaunchConfigurationName".to_owned(), self.name.clone())];
        }
        if self.types.is_empty() && self.requirements.is_empty() {
            return [("LaunchTemplateName", self.name.as_str()), ("Version", "$Latest")]
                .map(|(name, value)| (format!("LaunchTemplate.{name}"), value.to_owned()))
                .to_vec();
        }
        let policy = |name: &str, value: &str| (format!("MixedInstancesPolicy.{name}"), value.to_owned());
        let mut params = vec![
            policy(
                "LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateName",
                &self.name,
            ),
            policy("LaunchTemplate.LaunchTemplateSpecification.Version", "$Latest"),
            policy(
                "InstancesDistribution.OnDemandPercentageAboveBaseCapacity",
                if self.spot { "0" } else { "100" },
            ),
        ];
        if let Some(price) = &self.max_price {
            params.push(policy("InstancesDistribution.SpotMaxPrice", price));
        }
        for (i, of) in self.types.iter().enumerate() {
            let at = |name: &str| format!("LaunchTemplate.Overrides.member.{}.{name}", i + 1);
            params.push(policy(&at("InstanceType"), &of.name));
            if let Some(image) = &of.image {
                params.push(policy(&at("ImageId"), image));
            }
            if let Some(weight) = of.weight {
                params.push(policy(&at("WeightedCapacity"), &weight.to_string()));
            }
            if let Some(template) = &of.template {
                params.push(policy(
                    &at("LaunchTemplateSpecification.LaunchTemplateId"),
                    template,
                ));
                params.push(policy(&at("LaunchTemplateSpecification.Version"), "$Default"));
            }
        }
        for (name, value) in &self.requirements {
            let at = "LaunchTemplate.Overrides.member.1.InstanceRequirements";
            params.push(policy(&format!("{at}.{name}"), value));
        }
        params
    }

    fn params(&self, subnets: &[String]) -> BTreeMap<String, String> {
        let mut params: BTreeMap<_, _> = [
            ("AutoScalingGroupName", self.name.clone()),
            ("MinSize", self.sizes.min.to_string()),
            ("DesiredCapacity", self.sizes.desired.to_string()),
            ("MaxSize", self.sizes.max.to_string()),
            ("VPCZoneIdentifier", subnets.join(",")),
            ("CapacityRebalance", self.capacity_rebalance.to_string()),
            ("NewInstancesProtectedFromScaleIn", self.protects_new.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        params.extend(self.source_params());
        params.extend(self.said.iter().cloned());
        for (i, arn) in self.target_groups.iter().enumerate() {
            params.insert(format!("TargetGroupARNs.member.{}", i + 1), arn.clone());
        }
        for (i, name) in self.classic_balancers.iter().enumerate() {
            params.insert(format!("LoadBalancerNames.member.{}", i + 1), name.clone());
        }
        for (i, (key, value, propagate)) in self.tags.iter().enumerate() {
            let at = |name: &str| format!("Tags.member.{}.{name}", i + 1);
            params.insert(at("Key"), key.clone());
            params.insert(at("Value"), value.clone());
            params.insert(at("PropagateAtLaunch"), propagate.to_string());
        }
        params
    }

    /// Makes it, without a record of the calls.
    pub(super) async fn create(&self, strict: &Strict) -> Result<Group> {
        let region = self.region.as_str();
        let subnets = strict.moto.subnets(region, &self.zones).await?;
        if let Some(said) = &self.configuration {
            let create = self.configuration_call(said, region);
            let made = strict.configurations().create(&create);
            made.map_err(|refusal| Error::new(refusal.message))?;
        } else {
            let params = self.template_params();
            let params: Vec<_> = params
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            strict
                .moto
                .call(region, Service::Ec2, "CreateLaunchTemplate", &params)
                .await?;
        }
        let call = Call {
            action: "CreateAutoScalingGroup".to_owned(),
            params: self.params(&subnets),
            region: region.to_owned(),
            signed_for: "autoscaling".to_owned(),
            key: String::new(),
        };
        strict.create_group(&call).await?;
        strict
            .group(region, &self.name)
            .await
            .ok_or_else(|| Error::new(format!("the group {} was not made", self.name)))
    }
}

impl Aws {
    /// A group of a region as it is now.
    ///
    /// # Errors
    /// If there is none.
    pub async fn group_in(&self, region: &str, name: &str) -> Result<Group> {
        self.strict
            .group(region, name)
            .await
            .ok_or_else(|| Error::new(format!("there is no auto-scaling group {name} in {region}")))
    }
}
