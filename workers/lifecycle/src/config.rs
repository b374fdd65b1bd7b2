//! The lifecycle worker's own configuration; the frame's is described in `hollowtrees_runtime::config`.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use hollowtrees_cluster::Access;
use hollowtrees_runtime::{
    config::{self, Problem},
    worker::{self, Kind},
};
use hollowtrees_schemas::{envelope::DataFormat, names::kind};
use serde::{Deserialize, Serialize};

/// The documented defaults.
pub const DEFAULTS: &str = include_str!("../lifecycle.toml");

/// The longest a call may take.
const OPERATION_MAX: Duration = Duration::from_secs(20);
/// Kept of a handler's time for the answer to the hook: the longest call and 5 s.
pub(crate) const LAST_WORDS: Duration = OPERATION_MAX.saturating_add(Duration::from_secs(5));

/// Everything the lifecycle worker can be told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Settings {
    /// `[aws]`
    pub aws: Aws,
    /// `[cluster]`
    pub cluster: Cluster,
    /// `[hook]`
    pub hook: Hook,
    /// `[deregister]`
    pub deregister: Deregister,
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

/// How much is done at once, deregistrations too, and how long it may take.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Hook {
    /// Actions held at once.
    pub accepted: usize,
    /// Hooks held open at once.
    pub running: usize,
    /// How long one is held open.
    #[serde(with = "config::duration")]
    pub time_limit: Duration,
    /// Between two looks at the work.
    #[serde(with = "config::duration")]
    pub poll: Duration,
    /// How long an instance may take to be seen waiting.
    #[serde(with = "config::duration")]
    pub seen_within: Duration,
    /// How outcomes are written.
    pub format: Format,
}

/// Which load balancers are touched, and how often they are asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Deregister {
    /// Names of target groups and classic load balancers; empty: all.
    pub balancers: Vec<String>,
    /// How old the picture of them may be.
    #[serde(with = "config::duration")]
    pub fresh: Duration,
    /// Between two looks at what drains.
    #[serde(with = "config::duration")]
    pub poll: Duration,
    /// Whether one process of all serves the deregistrations of a region of an account, as far as it has room for them.
    pub affinity: bool,
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

    /// How the API server of the cluster that is seen is reached; none where none is.
    pub fn api_server(&self) -> Option<Access> {
        let cluster = &self.cluster;
        (!cluster.name.is_empty()).then(|| Access {
            kubeconfig: (!cluster.kubeconfig.as_os_str().is_empty()).then(|| cluster.kubeconfig.clone()),
            context: (!cluster.context.is_empty()).then(|| cluster.context.clone()),
        })
    }

    /// What the worker loop is told; `grace`: how long hooks that are answered just then are waited for at the end.
    pub fn loop_settings(&self, grace: Duration) -> worker::Settings {
        let hook = &self.hook;
        worker::Settings {
            accepted: hook.accepted,
            running: hook.running,
            time_limit: hook.time_limit + LAST_WORDS,
            grace,
            affinity: self.deregister.affinity,
            format: hook.format.into(),
            ..worker::Settings::new(
                "lifecycle",
                vec![
                    Kind::with_dry_run(kind::DEREGISTER),
                    Kind::with_dry_run(kind::HOOK),
                ],
            )
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
        let (aws, hook) = (&self.aws, &self.hook);
        check(
            (seconds(1)..=OPERATION_MAX).contains(&aws.attempt_timeout),
            "aws.attempt_timeout",
            "expected 1s to 20s",
        );
        check(
            (aws.attempt_timeout..=OPERATION_MAX).contains(&aws.operation_timeout),
            "aws.operation_timeout",
            "expected aws.attempt_timeout to 20s",
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
            (1..=20_000).contains(&hook.accepted),
            "hook.accepted",
            "expected 1 to 20000",
        );
        check(
            (1..=hook.accepted).contains(&hook.running),
            "hook.running",
            "expected 1 to hook.accepted",
        );
        check(
            (seconds(60)..=seconds(48 * 60 * 60)).contains(&hook.time_limit),
            "hook.time_limit",
            "expected 1m to 48h, which is as long as Auto Scaling waits",
        );
        check(
            (Duration::from_millis(50)..=seconds(10)).contains(&hook.poll),
            "hook.poll",
            "expected 50ms to 10s",
        );
        check(
            hook.seen_within <= seconds(120),
            "hook.seen_within",
            "expected 2m at most",
        );
        let deregister = &self.deregister;
        check(
            deregister.balancers.iter().all(|name| !name.is_empty()),
            "deregister.balancers",
            "expected names of target groups and classic load balancers",
        );
        check(
            deregister.fresh <= seconds(60),
            "deregister.fresh",
            "expected 1m at most",
        );
        check(
            (Duration::from_millis(100)..=seconds(30)).contains(&deregister.poll),
            "deregister.poll",
            "expected 100ms to 30s",
        );
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
            (None, "lifecycle")
        );
        assert_eq!(config.access().region, None);
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
        check("HT_AWS__OPERATION_TIMEOUT", "1m", "aws.operation_timeout");
        check("HT_HOOK__RUNNING", "0", "hook.running");
        check("HT_HOOK__TIME_LIMIT", "49h", "hook.time_limit");
        check("HT_HOOK__POLL", "1m", "hook.poll");
        check("HT_HOOK__SEEN_WITHIN", "1h", "hook.seen_within");
        check("HT_DEREGISTER__FRESH", "2m", "deregister.fresh");
        check("HT_DEREGISTER__POLL", "1ms", "deregister.poll");
        check("HT_HOOK__NONSENSE", "1", "nonsense");
    }
}
