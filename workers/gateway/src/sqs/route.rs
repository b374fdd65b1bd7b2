//! Whose an instance is: pure.
//!
//! The first of these that says something counts: the tag `hollowtrees.io/cluster`; the tags Kubernetes, EKS and
//! Cluster API put on the instances of a cluster; the auto-scaling group; the account; the queue's own cluster. An
//! instance that two clusters claim by tag is told to both.

use std::collections::{BTreeMap, BTreeSet};

use hollowtrees_aws::Machine;

use super::read::Event;

/// Names the cluster, as its agents are configured.
const OURS: &str = "hollowtrees.io/cluster";
/// `kubernetes.io/cluster/<name>`: `owned` or `shared` (AWS cloud provider).
const KUBERNETES: &str = "kubernetes.io/cluster/";
/// Their value is the cluster's name (EKS user guide, "Tag your resources").
const EKS: [&str; 3] = ["aws:eks:cluster-name", "eks:cluster-name", "eks:eks-cluster-name"];

/// What tells clusters apart.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// Clusters spoken for; none: all.
    pub clusters: BTreeSet<String>,
    /// Cluster by the name it has in tags, where that is another.
    pub names: BTreeMap<String, String>,
    /// Cluster by group, the first that fits.
    pub groups: Vec<(Pattern, String)>,
    /// Cluster by account.
    pub accounts: BTreeMap<String, String>,
}

/// A name, or the beginning of one followed by `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    start: String,
    open: bool,
}

impl Pattern {
    /// From its text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(start) => Self {
                start: start.to_owned(),
                open: true,
            },
            None => Self {
                start: text.to_owned(),
                open: false,
            },
        }
    }

    /// Whether it stands for this name.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        if self.open {
            name.starts_with(&self.start)
        } else {
            name == self.start
        }
    }
}

/// Where an event goes. With no cluster at all, nothing says whose its instance is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routed {
    /// To these clusters.
    pub to: BTreeSet<String>,
    /// It belongs to these too, which are not spoken for here.
    pub foreign: BTreeSet<String>,
}

impl Routes {
    /// `otherwise`: the queue's own cluster, or empty.
    #[must_use]
    pub fn route(&self, event: &Event, machine: Option<&Machine>, otherwise: &str) -> Routed {
        let (to, foreign) = self
            .claimed(event, machine, otherwise)
            .into_iter()
            .partition(|cluster| self.clusters.is_empty() || self.clusters.contains(cluster));
        Routed { to, foreign }
    }

    fn claimed(&self, event: &Event, machine: Option<&Machine>, otherwise: &str) -> BTreeSet<String> {
        let by_tag = machine.map(|machine| self.tagged(machine)).unwrap_or_default();
        if !by_tag.is_empty() {
            return by_tag;
        }
        let group = machine
            .map(|machine| machine.group.as_str())
            .filter(|group| !group.is_empty())
            .unwrap_or(&event.group);
        let by_group = self
            .groups
            .iter()
            .find(|(pattern, _)| !group.is_empty() && pattern.fits(group))
            .map(|(_, cluster)| cluster.clone());
        by_group
            .or_else(|| self.accounts.get(account(event, machine)).cloned())
            .or_else(|| (!otherwise.is_empty()).then(|| otherwise.to_owned()))
            .into_iter()
            .collect()
    }

    fn tagged(&self, machine: &Machine) -> BTreeSet<String> {
        if let Some(cluster) = machine.tags.get(OURS).filter(|name| !name.is_empty()) {
            return BTreeSet::from([cluster.clone()]);
        }
        let by_key = machine.tags.keys().filter_map(|key| key.strip_prefix(KUBERNETES));
        let by_value = EKS
            .iter()
            .filter_map(|key| machine.tags.get(*key).map(String::as_str));
        by_key
            .chain(by_value)
            .filter(|name| !name.is_empty())
            .map(|name| self.names.get(name).map_or(name, String::as_str).to_owned())
            .collect()
    }
}

/// The event's account, else that of the instance.
pub(super) fn account<'a>(event: &'a Event, machine: Option<&'a Machine>) -> &'a str {
    if event.account.is_empty() {
        machine
            .map(|machine| machine.account.as_str())
            .unwrap_or_default()
    } else {
        &event.account
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::{Contents, Origin, contents};
    use super::*;

    fn event() -> Event {
        let body = r#"{"detail-type": "EC2 Spot Instance Interruption Warning", "source": "aws.ec2", "account": "111122223333",
            "time": "2026-01-01T00:00:00Z", "detail": {"instance-id": "i-1", "instance-action": "terminate"}}"#;
        let Contents { mut events, .. } = contents(body, &Origin::default());
        events.remove(0)
    }

    fn machine(tags: &[(&str, &str)]) -> Machine {
        Machine {
            group: "workers-a".to_owned(),
            tags: tags
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            ..Machine::default()
        }
    }

    fn routes() -> Routes {
        Routes {
            clusters: BTreeSet::new(),
            names: BTreeMap::from([("prod-eu-1".to_owned(), "prod".to_owned())]),
            groups: vec![
                (Pattern::new("workers-b"), "b".to_owned()),
                (Pattern::new("workers-*"), "grouped".to_owned()),
            ],
            accounts: BTreeMap::from([("111122223333".to_owned(), "accounted".to_owned())]),
        }
    }

    fn routed(to: &[&str], foreign: &[&str]) -> Routed {
        let names = |clusters: &[&str]| clusters.iter().map(|name| (*name).to_owned()).collect();
        Routed {
            to: names(to),
            foreign: names(foreign),
        }
    }

    fn to(clusters: &[&str]) -> Routed {
        routed(clusters, &[])
    }

    #[test]
    fn the_surest_sign_counts() {
        for (tags, expected) in [
            (
                &[
                    ("hollowtrees.io/cluster", "own"),
                    ("kubernetes.io/cluster/x", "owned"),
                ][..],
                &["own"][..],
            ),
            (&[("kubernetes.io/cluster/x", "owned"), ("Name", "n")], &["x"]),
            (&[("kubernetes.io/cluster/prod-eu-1", "owned")], &["prod"]),
            (&[("eks:cluster-name", "e")], &["e"]),
            (
                &[
                    ("aws:eks:cluster-name", "x"),
                    ("kubernetes.io/cluster/x", "owned"),
                ],
                &["x"],
            ),
            (
                &[
                    ("kubernetes.io/cluster/x", "shared"),
                    ("kubernetes.io/cluster/y", "shared"),
                ],
                &["x", "y"],
            ),
            (
                &[
                    ("kubernetes.io/cluster/", "owned"),
                    ("hollowtrees.io/cluster", ""),
                ],
                &["grouped"],
            ),
        ] {
            let found = routes().route(&event(), Some(&machine(tags)), "default");
            assert_eq!(found, to(expected), "{tags:?}");
        }
    }

    #[test]
    fn what_is_not_known_of_the_instance_is_made_up_for() {
        let mut routes = routes();
        let with_group = Event {
            group: "workers-b".to_owned(),
            ..event()
        };
        assert_eq!(routes.route(&with_group, None, "default"), to(&["b"]));
        assert_eq!(routes.route(&event(), None, "default"), to(&["accounted"]));
        routes.accounts.clear();
        assert_eq!(routes.route(&event(), None, "default"), to(&["default"]));
        assert_eq!(routes.route(&event(), None, ""), to(&[]));
    }

    #[test]
    fn clusters_that_are_not_spoken_for_are_foreign() {
        let routes = Routes {
            clusters: BTreeSet::from(["x".to_owned()]),
            ..routes()
        };
        let both = machine(&[("kubernetes.io/cluster/x", ""), ("kubernetes.io/cluster/y", "")]);
        assert_eq!(routes.route(&event(), Some(&both), ""), routed(&["x"], &["y"]));
        let other = machine(&[("kubernetes.io/cluster/y", "")]);
        assert_eq!(routes.route(&event(), Some(&other), "x"), routed(&[], &["y"]));
    }
}
