//! The SDK's types as those of the swap.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types as asg;
use aws_sdk_ec2::types as ec2;
use hollowtrees_domain::swap::{
    processes::Maintenance,
    world::{
        Group, Instance, Life, Member, Override, Sizes, Source, Standing, Subnet, Tag, TemplateRef, Types,
    },
};

use crate::{placement, requirements};

/// The one allocation strategy of spot instances that goes by the order of types (Auto Scaling API reference,
/// `InstancesDistribution`).
const PRIORITIZED: &str = "capacity-optimized-prioritized";
/// The `DesiredCapacityType` by which an instance counts one, or its weight.
const UNITS: &str = "units";

/// A state name of EC2. An unknown one counts as on its way out: nothing is built on it.
pub(crate) fn life(state: Option<&ec2::InstanceStateName>) -> Life {
    match state.map(ec2::InstanceStateName::as_str) {
        Some("pending") => Life::Pending,
        Some("running") => Life::Running,
        Some("stopping" | "stopped") => Life::Stopped,
        _ => Life::Gone,
    }
}

/// A lifecycle state of Auto Scaling (user guide, "Amazon EC2 Auto Scaling instance lifecycle").
pub(crate) fn standing(state: &str) -> Standing {
    match state {
        "InService" => Standing::InService,
        "Standby" | "EnteringStandby" => Standing::Standby,
        "Detaching" | "Detached" | "Quarantined" => Standing::Leaving,
        _ if state.starts_with("Terminat") || state.starts_with("Warmed:Terminat") => Standing::Leaving,
        _ if state.starts_with("Warmed:") => Standing::Warm,
        // Pending and its waits, a root volume being replaced; whatever comes to be.
        _ => Standing::Joining,
    }
}

pub(crate) fn instance(from: &ec2::Instance) -> Instance {
    Instance {
        id: owned(from.instance_id()),
        life: life(from.state().and_then(ec2::InstanceState::name)),
        instance_type: from
            .instance_type()
            .map(|found| found.as_str().to_owned())
            .unwrap_or_default(),
        subnet: owned(from.subnet_id()),
        zone: owned(from.placement().and_then(ec2::Placement::availability_zone)),
        spot: from.instance_lifecycle() == Some(&ec2::InstanceLifecycleType::Spot),
        tags: tags(from.tags()),
    }
}

pub(crate) fn tags(from: &[ec2::Tag]) -> BTreeMap<String, String> {
    from.iter()
        .map(|tag| (owned(tag.key()), owned(tag.value())))
        .collect()
}

/// The ids of a group's subnets, in its order.
pub(crate) fn subnet_ids(from: &asg::AutoScalingGroup) -> Vec<String> {
    from.vpc_zone_identifier()
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .collect()
}

pub(crate) fn group(from: &asg::AutoScalingGroup, subnets: Vec<Subnet>) -> Group {
    Group {
        name: owned(from.auto_scaling_group_name()),
        sizes: Sizes {
            min: size(from.min_size()),
            desired: size(from.desired_capacity()),
            max: size(from.max_size()),
        },
        members: from
            .instances()
            .iter()
            .map(|member| Member {
                instance: owned(member.instance_id()),
                standing: standing(member.lifecycle_state().map_or("", asg::LifecycleState::as_str)),
                weight: weight(member),
                zone: owned(member.availability_zone()),
                protected: member.protected_from_scale_in().unwrap_or_default(),
            })
            .collect(),
        subnets,
        source: source(from),
        placement: placement::of(from),
        capacity_rebalance: from.capacity_rebalance().unwrap_or_default(),
        suspended: from
            .suspended_processes()
            .iter()
            .map(|process| owned(process.process_name()))
            .collect(),
        maintenance: from.instance_maintenance_policy().and_then(maintenance),
        target_groups: from.target_group_arns().to_vec(),
        classic_balancers: from.load_balancer_names().to_vec(),
        tags: from
            .tags()
            .iter()
            .map(|tag| Tag {
                key: owned(tag.key()),
                value: owned(tag.value()),
                propagate: tag.propagate_at_launch().unwrap_or_default(),
            })
            .collect(),
    }
}

/// The part of a policy that bounds what a swap does; it is -1 where one was taken away.
fn maintenance(from: &asg::InstanceMaintenancePolicy) -> Option<Maintenance> {
    let most = u32::try_from(from.max_healthy_percentage()?).ok()?;
    Some(Maintenance { most })
}

/// The weight of a member, which Auto Scaling tells only where the group has weights.
pub(crate) fn weight(of: &asg::Instance) -> u32 {
    let weight = of.weighted_capacity().and_then(|weight| weight.parse().ok());
    weight.filter(|weight| *weight > 0).unwrap_or(1)
}

/// What a group launches from, or what of it a swap does not know.
fn source(from: &asg::AutoScalingGroup) -> Source {
    if let Some(policy) = from.mixed_instances_policy() {
        // In vCPUs or MiB: what attaching adds to desired then is not documented, nor what a member counts.
        if let Some(unit) = from.desired_capacity_type().filter(|unit| *unit != UNITS) {
            return Source::Unknown(format!(
                "a policy whose capacity counts {unit} (DesiredCapacityType)"
            ));
        }
        return mixed(policy).unwrap_or_else(Source::Unknown);
    }
    if let Some(template) = from.launch_template() {
        return template_ref(template).map_or_else(
            || Source::Unknown("a launch template without an id".into()),
            Source::Template,
        );
    }
    from.launch_configuration_name().map_or_else(
        || {
            Source::Unknown(
                "neither a launch template, nor a mixed instances policy, nor a launch configuration".into(),
            )
        },
        |name| Source::Configuration(name.to_owned()),
    )
}

fn mixed(policy: &asg::MixedInstancesPolicy) -> Result<Source, String> {
    let launch = policy
        .launch_template()
        .ok_or("a mixed instances policy without a launch template")?;
    let template = launch
        .launch_template_specification()
        .and_then(template_ref)
        .ok_or("a mixed instances policy without a launch template")?;
    let overrides = launch
        .overrides()
        .iter()
        .map(an_override)
        .collect::<Result<_, _>>()?;
    Ok(Source::Mixed {
        template,
        overrides,
        max_price: policy
            .instances_distribution()
            .and_then(asg::InstancesDistribution::spot_max_price)
            .filter(|price| !price.is_empty())
            .map(str::to_owned),
        prioritized: policy
            .instances_distribution()
            .and_then(asg::InstancesDistribution::spot_allocation_strategy)
            .is_some_and(|strategy| strategy == PRIORITIZED),
    })
}

fn an_override(from: &asg::LaunchTemplateOverrides) -> Result<Override, String> {
    let types = match (from.instance_type(), from.instance_requirements()) {
        (Some(instance_type), _) => Types::Named(instance_type.to_owned()),
        (None, Some(asked)) => Types::Required(requirements::of(asked)?),
        (None, None) => return Err("an override with neither an instance type nor requirements".into()),
    };
    let weight = match from.weighted_capacity() {
        None | Some("") => 1,
        Some(text) => text
            .parse()
            .map_err(|_| format!("an override whose weight is `{text}`"))?,
    };
    Ok(Override {
        types,
        weight,
        template: from.launch_template_specification().and_then(template_ref),
        image: from.image_id().filter(|id| !id.is_empty()).map(str::to_owned),
    })
}

/// AWS always answers with the id, also where the group was made with the name; no version is the default one.
fn template_ref(from: &asg::LaunchTemplateSpecification) -> Option<TemplateRef> {
    Some(TemplateRef {
        id: from.launch_template_id().filter(|id| !id.is_empty())?.to_owned(),
        version: from
            .version()
            .filter(|version| !version.is_empty())
            .unwrap_or("$Default")
            .to_owned(),
    })
}

fn size(from: Option<i32>) -> u32 {
    from.unwrap_or_default().try_into().unwrap_or_default()
}

fn owned(from: Option<&str>) -> String {
    from.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifecycle_states() {
        use Standing::{InService, Joining, Leaving, Standby, Warm};
        for (state, expected) in [
            ("Pending", Joining),
            ("Pending:Wait", Joining),
            ("Pending:Proceed", Joining),
            ("Warmed:Pending", Warm),
            ("Warmed:Running", Warm),
            ("Warmed:Pending:Wait", Warm),
            ("Warmed:Stopped", Warm),
            ("Warmed:Hibernated", Warm),
            ("ReplacingRootVolume:Wait", Joining),
            ("InService", InService),
            ("EnteringStandby", Standby),
            ("Standby", Standby),
            ("Terminating", Leaving),
            ("Terminating:Wait", Leaving),
            ("Terminating:Proceed", Leaving),
            ("Terminating:Retained", Leaving),
            ("Terminated", Leaving),
            ("Warmed:Terminating:Wait", Leaving),
            ("Detaching", Leaving),
            ("Detached", Leaving),
            ("Quarantined", Leaving),
            ("SomethingNew", Joining),
        ] {
            assert_eq!(standing(state), expected, "{state}");
        }
    }

    #[test]
    fn instance_states() {
        for (state, expected) in [
            ("pending", Life::Pending),
            ("running", Life::Running),
            ("stopping", Life::Stopped),
            ("stopped", Life::Stopped),
            ("shutting-down", Life::Gone),
            ("terminated", Life::Gone),
            ("something-new", Life::Gone),
        ] {
            assert_eq!(life(Some(&state.into())), expected, "{state}");
        }
        assert_eq!(life(None), Life::Gone);
    }

    fn template(id: &str, version: Option<&str>) -> asg::LaunchTemplateSpecification {
        asg::LaunchTemplateSpecification::builder()
            .launch_template_id(id)
            .set_version(version.map(str::to_owned))
            .build()
    }

    fn mixed_group(
        overrides: Vec<asg::LaunchTemplateOverrides>,
        price: Option<&str>,
    ) -> asg::AutoScalingGroup {
        let launch = asg::LaunchTemplate::builder()
            .launch_template_specification(template("lt-1", Some("3")))
            .set_overrides(Some(overrides))
            .build();
        let distribution = asg::InstancesDistribution::builder()
            .set_spot_max_price(price.map(str::to_owned))
            .build();
        let policy = asg::MixedInstancesPolicy::builder()
            .launch_template(launch)
            .instances_distribution(distribution)
            .build();
        asg::AutoScalingGroup::builder()
            .mixed_instances_policy(policy)
            .build()
    }

    fn reference(id: &str, version: &str) -> TemplateRef {
        TemplateRef {
            id: id.into(),
            version: version.into(),
        }
    }

    #[test]
    fn what_a_group_launches_from() {
        let plain = asg::AutoScalingGroup::builder()
            .launch_template(template("lt-1", None))
            .build();
        assert_eq!(source(&plain), Source::Template(reference("lt-1", "$Default")));

        let own = asg::LaunchTemplateOverrides::builder()
            .instance_type("m6g.large")
            .weighted_capacity("2")
            .image_id("ami-arm")
            .launch_template_specification(template("lt-arm", Some("$Latest")))
            .build();
        let bare = asg::LaunchTemplateOverrides::builder()
            .instance_type("m5.large")
            .build();
        assert_eq!(
            source(&mixed_group(vec![own, bare], Some("0.05"))),
            Source::Mixed {
                template: reference("lt-1", "3"),
                overrides: vec![
                    Override {
                        types: Types::Named("m6g.large".into()),
                        weight: 2,
                        template: Some(reference("lt-arm", "$Latest")),
                        image: Some("ami-arm".into()),
                    },
                    Override {
                        types: Types::Named("m5.large".into()),
                        weight: 1,
                        template: None,
                        image: None,
                    },
                ],
                max_price: Some("0.05".into()),
                prioritized: false,
            }
        );
        // No price is what Auto Scaling writes as an empty one.
        assert!(matches!(
            source(&mixed_group(Vec::new(), Some(""))),
            Source::Mixed { max_price: None, overrides, .. } if overrides.is_empty()
        ));
    }

    fn by_requirements() -> asg::LaunchTemplateOverrides {
        let requirements = asg::InstanceRequirements::builder()
            .v_cpu_count(asg::VCpuCountRequest::builder().min(2).build())
            .spot_max_price_percentage_over_lowest_price(50)
            .build();
        asg::LaunchTemplateOverrides::builder()
            .instance_requirements(requirements)
            .build()
    }

    #[test]
    fn types_by_requirements() {
        let mut group = mixed_group(vec![by_requirements()], None);
        group.desired_capacity_type = Some("units".to_owned());
        let Source::Mixed { overrides, .. } = source(&group) else {
            panic!("{:?}", source(&group))
        };
        let Types::Required(asked) = &overrides[0].types else {
            panic!("{overrides:?}")
        };
        assert_eq!(asked.attributes["VCpuCount.Min"], ["2"]);
        assert_eq!(asked.protection.spot_over_lowest, Some(50));
        assert_eq!((overrides.len(), overrides[0].weight), (1, 1));
    }

    #[test]
    fn a_launch_configuration() {
        let configuration = asg::AutoScalingGroup::builder()
            .launch_configuration_name("lc")
            .build();
        assert_eq!(source(&configuration), Source::Configuration("lc".to_owned()));
    }

    #[test]
    fn whose_types_are_prioritized() {
        for (strategy, expected) in [
            (None, false),
            (Some("lowest-price"), false),
            (Some("price-capacity-optimized"), false),
            (Some("capacity-optimized-prioritized"), true),
        ] {
            let launch = asg::LaunchTemplate::builder()
                .launch_template_specification(template("lt-1", None))
                .build();
            let distribution = asg::InstancesDistribution::builder()
                .set_spot_allocation_strategy(strategy.map(str::to_owned))
                .on_demand_allocation_strategy("prioritized")
                .build();
            let policy = asg::MixedInstancesPolicy::builder()
                .launch_template(launch)
                .instances_distribution(distribution)
                .build();
            let found = mixed(&policy).unwrap();
            assert!(
                matches!(found, Source::Mixed { prioritized, .. } if prioritized == expected),
                "{strategy:?}: {found:?}"
            );
        }
    }

    #[test]
    fn what_a_swap_does_not_know_is_named() {
        let unknown = |group: &asg::AutoScalingGroup| match source(group) {
            Source::Unknown(what) => what,
            known => panic!("{known:?}"),
        };
        let of_nothing = asg::LaunchTemplateOverrides::builder().build();
        assert!(unknown(&mixed_group(vec![of_nothing], None)).contains("neither an instance type nor"));
        for unit in ["vcpu", "memory-mib"] {
            let mut group = mixed_group(vec![by_requirements()], None);
            group.desired_capacity_type = Some(unit.to_owned());
            assert!(unknown(&group).contains(&format!("counts {unit} (DesiredCapacityType)")));
        }
        let weight = asg::LaunchTemplateOverrides::builder()
            .instance_type("m5.large")
            .weighted_capacity("heavy")
            .build();
        assert!(unknown(&mixed_group(vec![weight], None)).contains("heavy"));
        assert!(unknown(&asg::AutoScalingGroup::builder().build()).contains("neither"));
    }

    #[test]
    fn subnets_in_their_order() {
        let group = asg::AutoScalingGroup::builder()
            .vpc_zone_identifier("subnet-2, subnet-1")
            .build();
        assert_eq!(subnet_ids(&group), ["subnet-2", "subnet-1"]);
        assert!(subnet_ids(&asg::AutoScalingGroup::builder().build()).is_empty());
    }
}
