//! Where an instance is registered.

use std::{net::IpAddr, sync::Arc};

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
    /// The address is not the machine's own: a pod has it, and later perhaps another one.
    #[serde(default)]
    pub(crate) of_pod: bool,
}

/// Whose address a target is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The machine's, or it is known by its id.
    Machine,
    /// A pod's on it.
    Pod,
}

impl Place {
    fn new(balancer: Balancer, target: Target, standing: Standing, whose: Whose) -> Self {
        Self {
            balancer,
            id: target.id,
            port: target.port.map(|port| port.to_string()),
            zone: target.zone,
            ours: standing == Standing::Registered,
            of_pod: whose == Whose::Pod,
        }
    }

    /// Whether what is known of a machine says that the address of a pod is still one of its interfaces'. Another machine may
    /// have got it since.
    pub(crate) fn is_still_of(&self, machine: &Machine) -> bool {
        self.id.parse().is_ok_and(|address| lends(machine, address))
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

/// Whether an address is one that its interfaces have for pods.
fn lends(machine: &Machine, address: IpAddr) -> bool {
    machine.lent.iter().any(|lent| lent.contains(address))
}

/// Whose address it is, if anybody's here.
fn whose(machine: &Machine, target: &Target, pods: bool) -> Option<Whose> {
    let address = target.id.parse::<IpAddr>().ok()?.to_canonical();
    if machine.addresses.contains(&address) {
        return Some(Whose::Machine);
    }
    (pods && lends(machine, address)).then_some(Whose::Pod)
}

/// All registrations of an instance with what is named. `machine`: what EC2 says of it, for groups of addresses. `pods`: with
/// those that its pods have.
pub(crate) fn places(
    picture: &Picture,
    instance: &str,
    machine: Option<&Machine>,
    named: &[String],
    pods: bool,
) -> Vec<Place> {
    let is_it = |group: &TargetGroup, target: &Target| match group.kind {
        TargetKind::Instance => (target.id == instance).then_some(Whose::Machine),
        // The same address may be another machine's in another VPC.
        TargetKind::Ip => machine
            .filter(|machine| machine.network == group.network)
            .and_then(|machine| whose(machine, target, pods)),
        TargetKind::Other => None,
    };
    let groups = picture
        .groups
        .iter()
        .filter(|(group, _)| is_meant(named, &group.name))
        .flat_map(|(group, targets)| {
            targets.iter().filter_map(|(target, standing)| {
                let whose = is_it(group, target)?;
                let balancer = Balancer::Group {
                    arn: group.arn.clone(),
                    name: group.name.clone(),
                };
                Some(Place::new(balancer, target.clone(), *standing, whose))
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
                Whose::Machine,
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
                    &[
                        ("10.0.0.1", 80, Registered),
                        ("10.0.0.9", 80, Registered),
                        ("10.0.0.20", 80, Registered),
                    ],
                ),
                group(
                    "api6",
                    TargetKind::Ip,
                    &[
                        ("2001:DB8:0::1", 80, Registered),
                        ("2001:db8::2:0:7", 80, Registered),
                        ("2001:db8::3:0:7", 80, Registered),
                    ],
                ),
                group("fn", TargetKind::Other, &[("i-1", 80, Registered)]),
            ],
            classics: vec![Classic {
                name: "old".to_owned(),
                instances: ["i-1".to_owned()].into(),
            }],
        };
        let machine = |network: &str| Machine {
            addresses: ["10.0.0.1", "2001:db8::1"]
                .map(|text| text.parse().unwrap())
                .into(),
            lent: ["10.0.0.16/28", "2001:db8::2:0:0/96"]
                .map(|text| text.parse().unwrap())
                .into(),
            network: network.to_owned(),
            ..Machine::default()
        };
        let found = |instance: &str, machine: Option<&Machine>, named: &[&str], pods: bool| {
            let named: Vec<_> = named.iter().map(|&name| name.to_owned()).collect();
            places(&picture, instance, machine, &named, pods)
        };
        let check = |instance: &str, machine: Option<&Machine>, named: &[&str], expected: &[&str]| {
            let found = found(instance, machine, named, false);
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
            &[
                web,
                again,
                "api 10.0.0.1:80 true",
                "api6 2001:DB8:0::1:80 true",
                "old i-1:- true",
            ],
        );
        check("i-1", Some(&machine("vpc-2")), &["api"], &[]);
        check("i-1", None, &["old", "other"], &["old i-1:- true"]);
        check("i-3", None, &[], &[]);
        // With the pods', which are told from its own.
        let with_pods = found("i-1", Some(&machine("vpc-1")), &["api", "api6"], true);
        let told: Vec<_> = with_pods
            .iter()
            .map(|place| (place.id.as_str(), place.of_pod))
            .collect();
        assert_eq!(
            told,
            [
                ("10.0.0.1", false),
                ("10.0.0.20", true),
                ("2001:DB8:0::1", false),
                ("2001:db8::2:0:7", true)
            ]
        );
        let pod = &with_pods[1];
        assert!(pod.is_still_of(&machine("vpc-1")));
        assert!(!pod.is_still_of(&Machine::default()), "it has it no more");
    }
}
