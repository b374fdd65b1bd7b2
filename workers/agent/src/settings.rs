//! The agent's own configuration; defaults and documentation are in `agent.toml`.

use std::{net::SocketAddr, time::Duration};

use hollowtrees_runtime::config::{self, Problem};
use hollowtrees_schemas::names::mode;
use serde::{Deserialize, Serialize};

/// Longest life IMDS gives a token.
const LONGEST_TOKEN: Duration = Duration::from_secs(6 * 60 * 60);

/// All of it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Cluster this node belongs to.
    pub cluster: String,
    /// Kubernetes name of this node, or empty.
    pub node: String,
    /// Mode of what the provider says.
    pub mode: String,
    /// `[metadata]`
    pub metadata: Metadata,
    /// `[poll]`
    pub poll: Poll,
    /// `[spool]`
    pub spool: Spool,
    /// `[trigger]`
    pub trigger: Trigger,
}

/// `[metadata]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// `http://HOST[:PORT]`
    pub url: String,
    /// Ask without a token where none can be had.
    pub allow_v1: bool,
    /// Limit of one request.
    #[serde(with = "config::duration")]
    pub timeout: Duration,
    /// Life asked for a token.
    #[serde(with = "config::duration")]
    pub token_ttl: Duration,
}

/// `[poll]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// Between two readings.
    #[serde(with = "config::duration")]
    pub interval: Duration,
}

/// `[spool]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Spool {
    /// Most notices kept.
    pub notices: usize,
}

/// `[trigger]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Loopback address, or off.
    pub listen: Option<SocketAddr>,
}

impl config::Settings for Settings {
    fn validate(&self, problems: &mut Vec<Problem>) {
        let mut refuse = |key: &str, what: &str| problems.push(Problem::new(key, what));
        if self.cluster.is_empty() {
            refuse("cluster", "is empty; name the cluster as its router does");
        }
        if !mode::ALL.contains(&self.mode.as_str()) {
            refuse(
                "mode",
                &format!("`{}` is not one of {}", self.mode, mode::ALL.join(", ")),
            );
        }
        if let Err(why) = crate::imds::base(&self.metadata.url) {
            refuse("metadata.url", &why);
        }
        if self.metadata.timeout.is_zero() {
            refuse("metadata.timeout", "is zero; give at least 100ms");
        }
        if self.metadata.token_ttl < Duration::from_secs(1) || self.metadata.token_ttl > LONGEST_TOKEN {
            refuse(
                "metadata.token_ttl",
                "is not between 1s and 6h, what the service gives",
            );
        }
        if self.poll.interval < Duration::from_millis(10) {
            refuse("poll.interval", "is below 10ms; 2s finds a notice soon enough");
        }
        if self.spool.notices == 0 {
            refuse("spool.notices", "is zero; give at least 1");
        }
        if self
            .trigger
            .listen
            .is_some_and(|address| !address.ip().is_loopback())
        {
            refuse(
                "trigger.listen",
                "is not a loopback address; whoever reaches it can drain this node",
            );
        }
    }
}
