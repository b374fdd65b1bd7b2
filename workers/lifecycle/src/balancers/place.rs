//! Where an instance is registered.

use std::{collections::BTreeSet, sync::Arc};

use hollowtrees_aws::{Classic, Machine, Standing, Target, TargetGroup, TargetKind};
use serde::{Deserialize, Serialize};

/// What is registered with one of them.
pub(crate) type Targets = Arc<Vec<(Target, Standing)>>;

/// All target groups and classic balancers that may be touched, with what is registered there.
pub(crate) struct Picture {
    pub(crate) groups: Vec<(TargetGroup, Targets)>,
    pub(crate) classics: Vec<Classic>,
}

/// A target group or a classic balancer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Balancer {
    /// A target group.
    #[serde(rename = "target-group")]
    Group {
        /// Its ARN.
        arn: String,
        /// Its name.
        name: String,
    },
    /// A classic balancer.
    #[serde(rename = "classic")]
    Classic {
        /// Its name.
        name: String,
    },
}

impl Balancer {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Group { name, .. } | Self::Classic { name } => name,
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Group { .. } => "target-group",
            Self::Classic { .. } => "classic",
        }
    }
}

/// One registration of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// With whom.
    pub(crate) balancer: Balancer,
    /// Under this id or address.
    pub(crate) id: String,
    /// With this port, as text: a `Struct` knows no integers.
    pub(crate) port: Option<String>,
    /// An address outside the VPC.
    pub(crate) zone: Option<String>,
    /// We take it out, and put it back if the incident is withdrawn; else somebody else has taken it out.
    pub(crate) ours: bool,
}

impl Place {
    fn new(balancer: Balancer, target: Target, standing: Standing) -> Self {
        Self {
            balancer,
            id: target.id,
            port: target.port.map(|port| port.to_string()),
            zone: target.zone,
            ours: standing == Standing::Registered,
        }
    }

    pub(crate) fn target(&self) -> Target {
        Target {
            id: self.id.clone(),
            port: self.port.as_ref().and_then(|port| port.parse().ok()),
            zone: self.zone.clone(),
        }
    }
}

/// Whether this one may be touched: all of them where none is named.
pub(crate) fn is_meant(named: &[String], name: &str) -> bool {
    named.is_empty() || named.iter().any(|other| other == name)
}

/// All registrations of an instance with what is named. `machine`: what EC2 says of it, for groups of addresses.
pub(crate) fn places(
    picture: &Picture,
    instance: &str,
    machine: Option<&Machine>,
    named: &[String],
) -> Vec<Place> {
    let addresses: BTreeSet<_> = machine
        .iter()
        .flat_map(|machine| machine.addresses.iter().map(String::as_str))
        .collect();
    let is_it = |group: &TargetGroup, target: &Target| match group.kind {
        TargetKind::Instance => target.id == instance,
        // The same address may be another machine's in another VPC.
        TargetKind::Ip => {
            addresses.contains(target.id.as_str())
                && machine.is_some_and(|machine| machine.network == group.network)
        }
        TargetKind::Other => false,
    };
    let groups = picture
        .groups
        .iter()
        .filter(|(group, _)| is_meant(named, &group.name))
        .flat_map(|(group, targets)| {
            targets
                .iter()
                .filter(|(target, _)| is_it(group, target))
                .map(|(target, standing)| {
                    let balancer = Balancer::Group {
                        arn: group.arn.clone(),
                        name: group.name.clone(),
                    };
                    Place::new(balancer, target.clone(), *standing)
                })
        });
    let classics = picture
        .classics
        .iter()
        .filter(|classic| is_meant(named, &classic.name) && classic.instances.contains(instance))
        .map(|classic| {
            let name = classic.name.clone();
            Place::new(
                Balancer::Classic { name },
                of_classic(instance),
                Standing::Registered,
            )
        });
    groups.chain(classics).collect()
}

/// A classic balancer knows instances, without ports.
pub(crate) fn of_classic(instance: &str) -> Target {
    Target {
        id: instance.to_owned(),
        port: None,
        zone: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(id: &str, port: i32) -> Target {
        Target {
            id: id.to_owned(),
            port: Some(port),
            zone: None,
        }
    }

    fn group(name: &str, kind: TargetKind, targets: &[(&str, i32, Standing)]) -> (TargetGroup, Targets) {
        let about = TargetGroup {
            arn: format!("arn:{name}"),
            name: name.to_owned(),
            kind,
            network: "vpc-1".to_owned(),
        };
        let targets = targets
            .iter()
            .map(|(id, port, standing)| (target(id, *port), *standing));
        (about, Arc::new(targets.collect()))
    }

    #[test]
    fn where_an_instance_is_registered() {
        use Standing::{Draining, Registered};
        let picture = Picture {
            groups: vec![
                group(
                    "web",
                    TargetKind::Instance,
                    &[
                        ("i-1", 80, Registered),
                        ("i-1", 81, Draining),
                        ("i-2", 80, Registered),
                    ],
                ),
                group(
                    "api",
                    TargetKind::Ip,
                    &[("10.0.0.1", 80, Registered), ("10.0.0.9", 80, Registered)],
                ),
                group("fn", TargetKind::Other, &[("i-1", 80, Registered)]),
            ],
            classics: vec![Classic {
                name: "old".to_owned(),
                instances: ["i-1".to_owned()].into(),
            }],
        };
        let machine = |network: &str| Machine {
            addresses: vec!["10.0.0.1".to_owned()],
            network: network.to_owned(),
            ..Machine::default()
        };
        let check = |instance: &str, machine: Option<&Machine>, named: &[&str], expected: &[&str]| {
            let named: Vec<_> = named.iter().map(|&name| name.to_owned()).collect();
            let found = places(&picture, instance, machine, &named);
            let found: Vec<_> = found
                .iter()
                .map(|place| {
                    let port = place.port.as_deref().unwrap_or("-");
                    format!("{} {}:{port} {}", place.balancer.name(), place.id, place.ours)
                })
                .collect();
            assert_eq!(found, expected, "{instance} {named:?}");
        };
        let (web, again) = ("web i-1:80 true", "web i-1:81 false");
        check("i-1", None, &[], &[web, again, "old i-1:- true"]);
        check(
            "i-1",
            Some(&machine("vpc-1")),
            &[],
            &[web, again, "api 10.0.0.1:80 true", "old i-1:- true"],
        );
        check("i-1", Some(&machine("vpc-2")), &["api"], &[]);
        check("i-1", None, &["old", "other"], &["old i-1:- true"]);
        check("i-3", None, &[], &[]);
    }
}
