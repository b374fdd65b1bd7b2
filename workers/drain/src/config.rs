//! The drain worker's own configuration; the frame's is described in `hollowtrees_runtime::config`.

use std::{path::PathBuf, time::Duration};

use hollowtrees_cluster::Access;
use hollowtrees_domain::drain::{Options, Tolerating, Unbudgeted, cap::Cap};
use hollowtrees_runtime::{
    config::{self, Format, Problem},
    worker::{self, Kind},
};
use hollowtrees_schemas::names::kind;
use serde::{Deserialize, Serialize};

/// The documented defaults.
pub const DEFAULTS: &str = include_str!("../drain.toml");

/// Everything the drain worker can be told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Settings {
    /// `[cluster]`
    pub cluster: Cluster,
    /// `[drain]`
    pub drain: Drain,
    /// `[pods]`
    pub pods: Pods,
}

/// Which cluster, and how to reach it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Cluster {
    /// Its name on the bus.
    pub name: String,
    /// A kubeconfig file; empty for the usual places.
    pub kubeconfig: PathBuf,
    /// A context of that file; empty for its current one.
    pub context: String,
    /// How long one request may take.
    #[serde(with = "config::duration")]
    pub request_timeout: Duration,
    /// Requests about pods under way at once.
    pub in_flight: usize,
}

/// How much is done at once, and how long it may take.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Drain {
    /// Actions held at once.
    pub accepted: usize,
    /// The longest a drain may take.
    #[serde(with = "config::duration")]
    pub time_limit: Duration,
    /// How long after its first notice an unknown node is waited for.
    #[serde(with = "config::duration")]
    pub node_wait: Duration,
    /// How long is waited for the volumes of a node without pods.
    #[serde(with = "config::duration")]
    pub volume_wait: Duration,
    /// How close to its time a scheduled end counts as certain.
    #[serde(with = "config::duration")]
    pub scheduled_force_within: Duration,
    /// The most nodes that take no pods at once, as far as advisory notices add to them.
    pub advisory_cordons: Cap,
    /// How outcomes are written.
    pub format: Format,
}

/// Which pods go.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Pods {
    /// Those without a controller.
    pub bare: bool,
    /// Those with an `emptyDir`.
    pub empty_dir: bool,
    /// Those of `DaemonSets`.
    pub daemons: bool,
    /// Annotations, `key=value`, of those that are never touched.
    pub opt_out: Vec<String>,
    /// Annotations, `key=value`, of those that are left alone until they would have to be forced.
    pub until_last_moment: Vec<String>,
    /// What is done with those that tolerate the taint of a drained node.
    pub tolerating: Tolerating,
    /// How those go that no budget covers.
    pub unbudgeted: Unbudgeted,
    /// Labels, `key=value`, of those that go last.
    pub last: Vec<String>,
}

impl Settings {
    /// How to reach the API server.
    pub fn access(&self) -> Access {
        let cluster = &self.cluster;
        Access {
            kubeconfig: (!cluster.kubeconfig.as_os_str().is_empty()).then(|| cluster.kubeconfig.clone()),
            context: (!cluster.context.is_empty()).then(|| cluster.context.clone()),
        }
    }

    /// What the cluster's engine is told.
    pub fn engine(&self) -> hollowtrees_cluster::Settings {
        let pairs = |texts: &[String]| texts.iter().filter_map(|text| pair(text)).collect();
        hollowtrees_cluster::Settings {
            options: Options {
                bare: self.pods.bare,
                empty_dir: self.pods.empty_dir,
                daemons: self.pods.daemons,
                opt_out: pairs(&self.pods.opt_out),
                reserve: pairs(&self.pods.until_last_moment),
                tolerating: self.pods.tolerating,
                unbudgeted: self.pods.unbudgeted,
                last: pairs(&self.pods.last),
            },
            in_flight: self.cluster.in_flight,
            request_timeout: self.cluster.request_timeout,
            volume_wait: self.drain.volume_wait,
            ..hollowtrees_cluster::Settings::default()
        }
    }

    /// What the worker loop is told; `grace`: how long running drains are waited for at the end.
    pub fn loop_settings(&self, grace: Duration) -> worker::Settings {
        let kinds = [kind::CORDON, kind::DRAIN, kind::REMOVE_NODE, kind::UNCORDON].map(Kind::with_dry_run);
        worker::Settings {
            cluster: Some(self.cluster.name.clone()),
            accepted: self.drain.accepted,
            // A drain that runs waits in the engine; the engine has limits of its own.
            running: self.drain.accepted,
            time_limit: self.drain.time_limit,
            grace,
            format: self.drain.format.into(),
            ..worker::Settings::new("drain", kinds.to_vec())
        }
    }
}

impl config::Settings for Settings {
    fn validate(&self, problems: &mut Vec<Problem>) {
        let mut check = |good: bool, key: &'static str, why: &str| {
            if !good {
                problems.push(Problem::new(key, why));
            }
        };
        check(
            !self.cluster.name.is_empty(),
            "cluster.name",
            "is empty; give the cluster's name as its notices carry it",
        );
        check(
            (1..=4_096).contains(&self.cluster.in_flight),
            "cluster.in_flight",
            "expected 1 to 4096",
        );
        check(
            self.cluster.request_timeout >= Duration::from_secs(1),
            "cluster.request_timeout",
            "expected at least 1s",
        );
        check(
            (1..=20_000).contains(&self.drain.accepted),
            "drain.accepted",
            "expected 1 to 20000",
        );
        check(
            self.drain.time_limit >= Duration::from_secs(60),
            "drain.time_limit",
            "expected at least 1m",
        );
        for (key, texts) in [
            ("pods.opt_out", &self.pods.opt_out),
            ("pods.until_last_moment", &self.pods.until_last_moment),
            ("pods.last", &self.pods.last),
        ] {
            for text in texts.iter().filter(|text| pair(text).is_none()) {
                check(false, key, &format!("`{text}` is no key=value"));
            }
        }
    }
}

fn pair(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    (!key.trim().is_empty()).then(|| (key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use hollowtrees_runtime::config::Loader;

    use super::*;

    #[test]
    fn the_defaults_need_nothing_but_a_name() {
        let env = [("HT_CLUSTER__NAME".to_owned(), "prod".to_owned())].into();
        let config = Loader::new(DEFAULTS).env(env).load::<Settings>().unwrap().own;
        assert_eq!(config.engine().options, Options::default());
        let settings = config.loop_settings(Duration::from_secs(1));
        assert_eq!(
            (settings.cluster.as_deref(), settings.consumer().name.as_str()),
            (Some("prod"), "drain-prod")
        );
        let refused = Loader::new(DEFAULTS).load::<Settings>().unwrap_err().to_string();
        assert!(refused.contains("cluster.name"), "{refused}");
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let check = |key: &str, value: &str, expected: &str| {
            let env = [("HT_CLUSTER__NAME", "prod"), (key, value)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()));
            let refused = Loader::new(DEFAULTS)
                .env(env.into())
                .load::<Settings>()
                .unwrap_err()
                .to_string();
            assert!(refused.contains(expected), "{refused}");
        };
        check("HT_PODS__OPT_OUT", "a=b,nonsense", "nonsense");
        check("HT_PODS__UNTIL_LAST_MOMENT", "nonsense", "pods.until_last_moment");
        check("HT_PODS__TOLERATING", "sometimes", "last-moment");
        check("HT_PODS__UNBUDGETED", "sometimes", "auto");
        check("HT_DRAIN__ADVISORY_CORDONS", "most", "such as `30%`");
        check("HT_CLUSTER__IN_FLIGHT", "0", "cluster.in_flight");
        check("HT_DRAIN__TIME_LIMIT", "1s", "drain.time_limit");
    }
}
