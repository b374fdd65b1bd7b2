//! The swap worker's own configuration; the frame's is described in `hollowtrees_runtime::config`.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use hollowtrees_cluster::Access;
use hollowtrees_domain::swap::Strategy;
use hollowtrees_runtime::{
    config::{self, Problem},
    worker::{self, Kind},
};
use hollowtrees_schemas::{envelope::DataFormat, names::kind};
use serde::{Deserialize, Serialize};

/// The documented defaults.
pub const DEFAULTS: &str = include_str!("../asg-swap.toml");

/// Kept of a handler's time, so that it says itself how it ended: the longest call (see `aws.operation_timeout`) and 5 s.
pub(crate) const LAST_WORDS: Duration = OPERATION_MAX.saturating_add(Duration::from_secs(5));
/// The longest a call may take.
const OPERATION_MAX: Duration = Duration::from_secs(20);
/// A record holds a few more.
const MAX_OPEN_ACCOUNT: u32 = 200;

/// Everything the swap worker can be told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Settings {
    /// `[aws]`
    pub aws: Aws,
    /// `[cluster]`
    pub cluster: Cluster,
    /// `[swap]`
    pub swap: Swap,
    /// `[sweep]`
    pub sweep: Sweep,
    /// `[exporter]`
    pub exporter: Exporter,
}

/// How AWS is reached.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Aws {
    /// Region of actions that name none; empty: the environment's.
    pub region: String,
    /// How long one attempt of a call may take.
    #[serde(with = "config::duration")]
    pub attempt_timeout: Duration,
    /// How long a call may take.
    #[serde(with = "config::duration")]
    pub operation_timeout: Duration,
    /// Attempts of a call.
    pub attempts: u32,
    /// Roles of other accounts, by account.
    pub roles: BTreeMap<String, String>,
}

/// The cluster whose nodes are seen, and how to reach it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Cluster {
    /// Its name on the bus; empty: none is.
    pub name: String,
    /// A kubeconfig file; empty for the usual places.
    pub kubeconfig: PathBuf,
    /// A context of that file; empty for its current one.
    pub context: String,
}

/// How much is done at once, how, and how long it may take.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Swap {
    /// Actions held at once.
    pub accepted: usize,
    /// Swaps under way at once.
    pub running: usize,
    /// How long until the replacement is in service.
    #[serde(with = "config::duration")]
    pub time_limit: Duration,
    /// How long the old one's drain is waited for.
    #[serde(with = "config::duration")]
    pub drain_wait: Duration,
    /// Between two looks.
    #[serde(with = "config::duration")]
    pub poll: Duration,
    /// A launch runs within this.
    #[serde(with = "config::duration")]
    pub running_within: Duration,
    /// How long a replacement's node is waited for.
    #[serde(with = "config::duration")]
    pub wait_for_node: Duration,
    /// How long a replacement's health at its load balancers is waited for.
    #[serde(with = "config::duration")]
    pub wait_for_targets: Duration,
    /// What was attached is in service within this.
    #[serde(with = "config::duration")]
    pub in_service_within: Duration,
    /// How long a group with Capacity Rebalancing has to begin to replace an instance itself; zero: it is left to it.
    #[serde(with = "config::duration")]
    pub group_replaces_within: Duration,
    /// The way of groups without a tag.
    pub strategy: Strategy,
    /// Whether one process of all works the swaps of a region of an account, as far as it has room for them.
    pub affinity: bool,
    /// Swaps of one account that may be open at once, over all groups and processes; 0: as many as come.
    pub max_open_account: u32,
    /// How long after what fell back to on demand was launched, or last tried, it is tried to have it on spot; zero: never.
    #[serde(with = "config::duration")]
    pub spot_again: Duration,
    /// Members of a group that this is tried for at once.
    pub spot_again_at_once: usize,
    /// Groups that need no tag to be touched.
    pub groups: Vec<String>,
    /// A file with prices on demand.
    pub on_demand: Option<PathBuf>,
    /// How outcomes are written.
    pub format: Format,
}

/// How what swaps left behind is looked for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sweep {
    /// What is done about it.
    pub orphans: Orphans,
    /// Between two sweeps of all processes.
    #[serde(with = "config::duration")]
    pub every: Duration,
    /// What is younger is left alone.
    #[serde(with = "config::duration")]
    pub older_than: Duration,
}

/// What is shown of groups, as the original `aws-autoscaling-exporter` did.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Exporter {
    /// Between two reads of all groups; zero: none are read.
    #[serde(with = "config::duration")]
    pub every: Duration,
    /// Regions; none: that of `aws`.
    pub regions: Vec<String>,
    /// Between two reads of prices; zero: none are read.
    #[serde(with = "config::duration")]
    pub prices_every: Duration,
}

/// What is done about orphans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Orphans {
    /// They are told of.
    Report,
    /// They are ended.
    Terminate,
    /// Nobody looks.
    Off,
}

/// `json` or `protobuf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// proto3-JSON.
    Json,
    /// Protobuf.
    Protobuf,
}

impl From<Format> for DataFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Protobuf => Self::Protobuf,
        }
    }
}

impl Settings {
    /// How AWS is reached.
    pub fn access(&self) -> hollowtrees_aws::Options {
        let aws = &self.aws;
        hollowtrees_aws::Options {
            region: (!aws.region.is_empty()).then(|| aws.region.clone()),
            attempt_timeout: aws.attempt_timeout,
            operation_timeout: aws.operation_timeout,
            attempts: aws.attempts,
            // What is none was refused before.
            accounts: hollowtrees_aws::roles(&aws.roles).unwrap_or_default(),
            ..hollowtrees_aws::Options::default()
        }
    }

    /// How to reach the API server; none: no Kubernetes is spoken to.
    pub fn api_server(&self) -> Option<Access> {
        let cluster = &self.cluster;
        (!cluster.name.is_empty()).then(|| Access {
            kubeconfig: (!cluster.kubeconfig.as_os_str().is_empty()).then(|| cluster.kubeconfig.clone()),
            context: (!cluster.context.is_empty()).then(|| cluster.context.clone()),
        })
    }

    /// What the worker loop is told; `grace`: how long running swaps are waited for at the end.
    pub fn loop_settings(&self, grace: Duration) -> worker::Settings {
        let swap = &self.swap;
        worker::Settings {
            accepted: swap.accepted,
            running: swap.running,
            time_limit: swap.time_limit + swap.drain_wait + LAST_WORDS,
            grace,
            affinity: swap.affinity,
            format: swap.format.into(),
            ..worker::Settings::new("asg-swap", vec![Kind::with_dry_run(kind::ASG_SWAP).saga()])
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
        let seconds = Duration::from_secs;
        let (aws, swap) = (&self.aws, &self.swap);
        check(
            (seconds(1)..=seconds(20)).contains(&aws.attempt_timeout),
            "aws.attempt_timeout",
            "expected 1s to 20s",
        );
        check(
            (aws.attempt_timeout..=OPERATION_MAX).contains(&aws.operation_timeout),
            "aws.operation_timeout",
            "expected aws.attempt_timeout to 20s, for a group's lease lasts 30s",
        );
        check(
            (1..=10).contains(&aws.attempts),
            "aws.attempts",
            "expected 1 to 10",
        );
        for bad in hollowtrees_aws::roles(&aws.roles).err().into_iter().flatten() {
            check(false, "aws.roles", &bad.to_string());
        }
        check(
            (1..=20_000).contains(&swap.accepted),
            "swap.accepted",
            "expected 1 to 20000",
        );
        check(
            (1..=swap.accepted).contains(&swap.running),
            "swap.running",
            "expected 1 to swap.accepted",
        );
        check(
            swap.max_open_account <= MAX_OPEN_ACCOUNT,
            "swap.max_open_account",
            "expected 0, for no limit, to 200",
        );
        check(
            swap.time_limit >= seconds(60),
            "swap.time_limit",
            "expected at least 1m",
        );
        check(
            (Duration::from_millis(50)..=seconds(60)).contains(&swap.poll),
            "swap.poll",
            "expected 50ms to 1m",
        );
        check(
            swap.wait_for_node.is_zero() || !self.cluster.name.is_empty(),
            "swap.wait_for_node",
            "needs cluster.name (HT_CLUSTER__NAME), the cluster whose nodes are waited for; give its name as its notices carry \
             it, or wait for none with 0s",
        );
        check(
            swap.wait_for_node < swap.time_limit,
            "swap.wait_for_node",
            "expected less than swap.time_limit",
        );
        check(
            swap.wait_for_targets < swap.time_limit,
            "swap.wait_for_targets",
            "expected less than swap.time_limit",
        );
        check(
            swap.group_replaces_within < swap.time_limit,
            "swap.group_replaces_within",
            "expected less than swap.time_limit",
        );
        for (key, limit) in [
            ("swap.running_within", swap.running_within),
            ("swap.in_service_within", swap.in_service_within),
        ] {
            check(limit >= seconds(1), key, "expected at least 1s");
        }
        check(
            swap.spot_again.is_zero() || (seconds(10)..=seconds(7 * 86_400)).contains(&swap.spot_again),
            "swap.spot_again",
            "expected 0s, for never, or 10s to 168h",
        );
        check(
            (1..=100).contains(&swap.spot_again_at_once),
            "swap.spot_again_at_once",
            "expected 1 to 100; 0s as swap.spot_again turns it off",
        );
        let Exporter {
            every, prices_every, ..
        } = self.exporter;
        for (key, every) in [("exporter.every", every), ("exporter.prices_every", prices_every)] {
            check(
                every.is_zero() || (seconds(1)..=seconds(3_600)).contains(&every),
                key,
                "expected 0s, for none, or 1s to 1h",
            );
        }
        check(
            prices_every.is_zero() || !every.is_zero(),
            "exporter.prices_every",
            "needs exporter.every: prices are shown of the members that are read",
        );
        check(
            (seconds(60)..=seconds(86_400)).contains(&self.sweep.every),
            "sweep.every",
            "expected 1m to 24h",
        );
        check(
            (seconds(300)..=seconds(7 * 86_400)).contains(&self.sweep.older_than),
            "sweep.older_than",
            "expected 5m to 168h: younger ones may be a swap's that is under way",
        );
        for group in swap.groups.iter().filter(|group| group.trim().is_empty()) {
            check(false, "swap.groups", &format!("`{group}` is no name of a group"));
        }
    }
}

#[cfg(test)]
mod tests {
    use hollowtrees_runtime::config::Loader;

    use super::*;

    #[test]
    fn the_defaults_need_nothing() {
        let config = Loader::new(DEFAULTS).load::<Settings>().unwrap().own;
        let settings = config.loop_settings(Duration::from_secs(1));
        assert_eq!(
            (settings.cluster.as_deref(), settings.consumer().name.as_str()),
            (None, "asg-swap")
        );
        assert_eq!(config.access().region, None);
        assert!(config.api_server().is_none(), "no Kubernetes unless it is named");
        assert_eq!(config.swap.strategy, Strategy::Swap);
        assert_eq!(config.sweep.orphans, Orphans::Report);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let check = |key: &str, value: &str, expected: &str| {
            let env = [(key.to_owned(), value.to_owned())];
            let refused = Loader::new(DEFAULTS)
                .env(env.into())
                .load::<Settings>()
                .unwrap_err()
                .to_string();
            assert!(refused.contains(expected), "{refused}");
        };
        check("HT_SWAP__STRATEGY", "swop", "strategy");
        check("HT_AWS__OPERATION_TIMEOUT", "1m", "aws.operation_timeout");
        check(
            "HT_AWS__ROLES__210987654321",
            "swap",
            "aws.roles: `swap` is no role of 210987654321",
        );
        check("HT_SWAP__RUNNING", "0", "swap.running");
        check("HT_SWAP__TIME_LIMIT", "1s", "swap.time_limit");
        check("HT_SWAP__POLL", "5m", "swap.poll");
        check("HT_SWAP__NONSENSE", "1", "nonsense");
        check("HT_SWAP__SPOT_AGAIN", "1s", "swap.spot_again: expected 0s");
        check("HT_SWAP__SPOT_AGAIN_AT_ONCE", "0", "swap.spot_again_at_once");
        check("HT_SWEEP__ORPHANS", "delete", "sweep.orphans");
        check("HT_SWEEP__EVERY", "1s", "sweep.every");
        check("HT_EXPORTER__EVERY", "10ms", "exporter.every");
        check(
            "HT_EXPORTER__PRICES_EVERY",
            "2h",
            "exporter.prices_every: expected",
        );
        let alone = "exporter.prices_every: needs exporter.every";
        check("HT_EXPORTER__PRICES_EVERY", "5m", alone);
        check("HT_SWEEP__OLDER_THAN", "0s", "sweep.older_than");
        check("HT_SWAP__WAIT_FOR_NODE", "soon", "swap.wait_for_node");
        let unnamed = "swap.wait_for_node: needs cluster.name (HT_CLUSTER__NAME)";
        check("HT_SWAP__WAIT_FOR_NODE", "90s", unnamed);
        check("HT_SWAP__WAIT_FOR_NODE", "15m", "swap.time_limit");
    }

    #[test]
    fn a_named_cluster_is_seen() {
        let env = [
            ("HT_CLUSTER__NAME", "prod"),
            ("HT_CLUSTER__KUBECONFIG", "/etc/kube"),
            ("HT_SWAP__WAIT_FOR_NODE", "2m"),
        ];
        let env = env.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let config = Loader::new(DEFAULTS)
            .env(env.into())
            .load::<Settings>()
            .unwrap()
            .own;
        let access = config.api_server().unwrap();
        assert_eq!(access.kubeconfig, Some("/etc/kube".into()));
        assert_eq!(access.context, None);
        assert_eq!(config.swap.wait_for_node, Duration::from_secs(120));
        // It serves all clusters as ever.
        assert_eq!(config.loop_settings(Duration::ZERO).cluster, None);
    }
}
