//! The agent's own configuration; defaults and documentation are in `agent.toml`.

use std::{net::SocketAddr, time::Duration};

use hollowtrees_runtime::config::{self, Problem};
use hollowtrees_schemas::names::mode;
use serde::{Deserialize, Serialize};

use crate::{connection::Base, document::Pauses, provider::Choice};

/// Longest life IMDS gives a token.
const LONGEST_TOKEN: Duration = Duration::from_secs(6 * 60 * 60);

/// Nothing is asked more often.
const SHORTEST: Duration = Duration::from_millis(10);
/// No provider gives longer notice of a preemption, nor does its service let a request wait longer.
pub(crate) const LONGEST_NOTICE: Duration = Duration::from_secs(60 * 60);

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
    /// Cloud this node runs in, or how that is found out.
    pub provider: Choice,
    /// `[detect]`
    pub detect: Detect,
    /// `[metadata]`
    pub metadata: Metadata,
    /// `[poll]`
    pub poll: Poll,
    /// `[maintenance]`
    pub maintenance: Maintenance,
    /// `[gcp]`
    pub gcp: Gcp,
    /// `[azure]`
    pub azure: Azure,
    /// `[cordon]`
    pub cordon: Cordon,
    /// `[exporters]`
    pub exporters: Exporters,
    /// `[spool]`
    pub spool: Spool,
    /// `[trigger]`
    pub trigger: Trigger,
}

/// `[detect]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Detect {
    /// Directory of the firmware's files.
    pub dmi: String,
    /// Between two searches.
    #[serde(with = "config::duration")]
    pub retry: Duration,
}

/// `[metadata]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// `http://HOST[:PORT]`; none: the provider's own.
    pub url: Vec<String>,
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
    /// Between two readings of the document that tells of an interruption.
    #[serde(with = "config::duration")]
    pub interval: Duration,
    /// Of EC2's rebalance recommendation; zero: never.
    #[serde(with = "config::duration")]
    pub rebalance: Duration,
    /// Of EC2's target lifecycle state; zero: never.
    #[serde(with = "config::duration")]
    pub lifecycle: Duration,
    /// Of EC2's scheduled events; zero: never.
    #[serde(with = "config::duration")]
    pub maintenance: Duration,
    /// Of EC2's older document of an interruption; zero: never.
    #[serde(with = "config::duration")]
    pub termination_time: Duration,
}

/// `[maintenance]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// What is made of maintenance after which the instance goes on as it was.
    pub pauses: Pauses,
}

/// `[gcp]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gcp {
    /// How long a preempted instance has.
    #[serde(with = "config::duration")]
    pub notice: Duration,
    /// How long a request waits for a change.
    #[serde(with = "config::duration")]
    pub wait: Duration,
}

/// `[azure]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Azure {
    /// Approve events once everything that follows from them is done.
    pub approve: bool,
}

/// `[cordon]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cordon {
    /// How long the bus may take to store a notice before the agent cordons its own node; zero: for ever.
    #[serde(with = "config::duration")]
    pub when_cut_off: Duration,
    /// `https://HOST[:PORT]` of the API server.
    pub server: String,
    /// Directory of `token` and `ca.crt`.
    pub credentials: String,
}

/// `[exporters]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Exporters {
    /// `aws_instance_*`
    pub spot_termination_exporter: bool,
    /// `gcp_instance_*`
    pub preemption_exporter: bool,
    /// `sth_*`
    pub spot_termination_handler: bool,
}

/// `[spool]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Spool {
    /// Most notices kept.
    pub notices: usize,
    /// Where they are kept besides memory; empty: nowhere.
    pub directory: String,
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
        if self.detect.retry < SHORTEST {
            refuse("detect.retry", "is below 10ms; 10s is soon enough");
        }
        for why in self.metadata.url.iter().filter_map(|url| Base::parse(url).err()) {
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
        if self.poll.interval < SHORTEST {
            refuse("poll.interval", "is below 10ms; 2s finds a notice soon enough");
        }
        for (key, every) in [
            ("poll.rebalance", self.poll.rebalance),
            ("poll.lifecycle", self.poll.lifecycle),
            ("poll.maintenance", self.poll.maintenance),
            ("poll.termination_time", self.poll.termination_time),
        ] {
            if !every.is_zero() && every < SHORTEST {
                refuse(key, "is below 10ms; give 0s to do without");
            }
        }
        if self.gcp.notice > LONGEST_NOTICE {
            refuse(
                "gcp.notice",
                "is above 1h; Google gives 30s, or 120s where asked to",
            );
        }
        if self.gcp.wait < Duration::from_secs(1) || self.gcp.wait > LONGEST_NOTICE {
            refuse("gcp.wait", "is not between 1s and 1h");
        }
        if !self.cordon.when_cut_off.is_zero() {
            if self.cordon.when_cut_off < SHORTEST {
                refuse("cordon.when_cut_off", "is below 10ms; give 0s to do without");
            }
            if self.node.is_empty() {
                refuse(
                    "node",
                    "is empty; cordon.when_cut_off has to know which node it is: HT_NODE",
                );
            }
            if let Err(why) = Base::parse_https(&self.cordon.server) {
                refuse("cordon.server", &why);
            }
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
