//! What the servers are to hold: streams, buckets, and the consumers of the workers one has.

use std::str::FromStr;

use clap::Args;
use hollowtrees_bus::{
    Bus,
    apply::{self, Difference, Weight},
    topology::{self, Consumer, Profile},
};
use serde::Serialize;

use crate::exit::Failure;

/// What is declared, beside the streams and buckets, which are always the same.
#[derive(Clone, Debug, Default, Args)]
pub struct Declared {
    /// Also the consumers of this cluster's own workers (drain); may be given more than once
    #[arg(long, value_name = "NAME")]
    pub cluster: Vec<String>,
    /// Copies of each stream and bucket, and with 3 the room of a cluster: 1 or 3 [default: as many as there
    /// are, else 1]
    #[arg(long, value_name = "N", value_parser = replicas)]
    pub replicas: Option<usize>,
    /// Also the consumer of a worker of your own, for all clusters or for one: `NAME[@CLUSTER]=KIND,KIND`; may be
    /// given more than once
    #[arg(long, value_name = "WORKER")]
    pub worker: Vec<Own>,
}

/// A worker of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    name: String,
    cluster: Option<String>,
    kinds: Vec<String>,
}

impl FromStr for Own {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no worker; write NAME=KIND,KIND or NAME@CLUSTER=KIND,KIND");
        let (worker, kinds) = text.split_once('=').ok_or_else(bad)?;
        let (name, cluster) = match worker.split_once('@') {
            Some((name, cluster)) => (name, Some(cluster)),
            None => (worker, None),
        };
        let plain = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let kinds: Vec<_> = kinds.split(',').map(|kind| kind.trim().to_owned()).collect();
        if !plain(name) || cluster == Some("") || kinds.iter().any(String::is_empty) {
            return Err(bad());
        }
        Ok(Self {
            name: name.to_owned(),
            cluster: cluster.map(str::to_owned),
            kinds,
        })
    }
}

impl Declared {
    /// Every consumer there is to be.
    pub fn consumers(&self) -> Vec<Consumer> {
        let mut consumers = topology::consumers();
        consumers.extend(
            self.cluster
                .iter()
                .flat_map(|cluster| topology::of_cluster(cluster)),
        );
        for Own { name, cluster, kinds } in &self.worker {
            let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
            consumers.push(Consumer::actions(name, cluster.as_deref(), &kinds));
        }
        consumers
    }

    /// Room and copies: as asked for, else as it is. An `apply` that was given no number must not take copies
    /// away from a cluster that has three.
    pub(super) async fn profile(&self, bus: &Bus) -> Result<Profile, Failure> {
        let three = match self.replicas {
            Some(replicas) => replicas == Profile::CLUSTER.replicas,
            None => {
                let found = apply::check(bus, Profile::CLUSTER, &[]).await?;
                let not_three = found
                    .iter()
                    .filter(|found| found.actual.is_empty() || found.setting == "num_replicas");
                topology::streams(Profile::CLUSTER).len() > not_three.count()
            }
        };
        Ok(if three { Profile::CLUSTER } else { Profile::LOCAL })
    }
}

fn replicas(text: &str) -> Result<usize, String> {
    match text {
        "1" => Ok(Profile::LOCAL.replicas),
        "3" => Ok(Profile::CLUSTER.replicas),
        _ => Err("copies are 1 (one server) or 3 (a cluster)".to_owned()),
    }
}

/// A difference as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Json<'a> {
    /// Stream, or stream/consumer.
    what: &'a str,
    /// `existence` where the whole thing is missing.
    setting: &'a str,
    declared: &'a str,
    actual: &'a str,
    /// `sizing`, `meaning` or `fixed`.
    weight: &'static str,
}

impl<'a> From<&'a Difference> for Json<'a> {
    fn from(found: &'a Difference) -> Self {
        Self {
            what: &found.what,
            setting: found.setting,
            declared: &found.declared,
            actual: &found.actual,
            weight: match found.weight {
                Weight::Sizing => "sizing",
                Weight::Meaning => "meaning",
                Weight::Fixed => "fixed",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_of_ones_own() {
        let check = |text: &str, expected: Option<(&str, Option<&str>, &[&str])>| {
            let found = text.parse::<Own>().ok();
            let expected = expected.map(|(name, cluster, kinds)| Own {
                name: name.to_owned(),
                cluster: cluster.map(str::to_owned),
                kinds: kinds.iter().map(|&kind| kind.to_owned()).collect(),
            });
            assert_eq!(found, expected, "{text}");
        };
        check("mine=page", Some(("mine", None, &["page"])));
        check(
            "mine@prod.eu=page, call",
            Some(("mine", Some("prod.eu"), &["page", "call"])),
        );
        for wrong in [
            "",
            "mine",
            "=page",
            "mine=",
            "mine=a,,b",
            "mine@=a",
            "my worker=a",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn each_cluster_has_its_own_drain() {
        let declared = Declared {
            cluster: vec!["prod.eu".to_owned()],
            ..Declared::default()
        };
        let names: Vec<_> = declared.consumers().into_iter().map(|found| found.name).collect();
        assert_eq!(
            names,
            [
                "router-notices",
                "router-outcomes",
                "asg-swap",
                "lifecycle",
                "notify",
                "metrics-notices",
                "metrics-actions",
                "metrics-outcomes",
                "metrics-incidents",
                "metrics-dead",
                "drain-prod=2Eeu"
            ]
        );
    }
}
