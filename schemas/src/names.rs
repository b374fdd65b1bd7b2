//! Every name that two processes must agree on, once: streams, buckets, headers, and the words in messages.
//!
//! Kinds, results, states and the like are strings on the wire, not enums, so that a kind of one's own needs
//! no change here; these constants are the ones Hollowtrees itself knows.

pub mod header;
mod words;

pub use words::{
    action_state, certainty, effect, error_class, kind, ledger_state, mode, on_failure, phase, reason,
    result, state, when_expired,
};

use std::fmt;

/// Consumer in the subject of dead letters that the gateway wrote: bodies of requests and of queues' messages.
pub const GATEWAY: &str = "gateway";

/// Path of the gateway that takes what a queue of AWS would deliver.
pub const AWS_EVENTS: &str = "/aws/events";

/// A JetStream stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// What providers said.
    Notices,
    /// What workers are to do.
    Actions,
    /// What came of it.
    Outcomes,
    /// What became of incidents and runs.
    Incidents,
    /// What nobody could use.
    Dead,
}

impl Stream {
    /// All streams, in the order a message travels.
    pub const ALL: [Self; 5] = [
        Self::Notices,
        Self::Actions,
        Self::Outcomes,
        Self::Incidents,
        Self::Dead,
    ];

    /// Name on the server, e.g. `HT_NOTICES`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notices => "HT_NOTICES",
            Self::Actions => "HT_ACTIONS",
            Self::Outcomes => "HT_OUTCOMES",
            Self::Incidents => "HT_INCIDENTS",
            Self::Dead => "HT_DEAD",
        }
    }

    /// Subjects it stores: one pattern for each shape of [`crate::subject::Subject`], with the exact number
    /// of tokens, so that the server refuses a subject nobody could parse.
    pub const fn subjects(self) -> &'static [&'static str] {
        match self {
            Self::Notices => &["ht.notice.v1.*.*.*"],
            Self::Actions => &["ht.action.v1.*.*.*"],
            Self::Outcomes => &["ht.outcome.v1.*.*.*.*"],
            Self::Incidents => &["ht.incident.v1.*.*.*", "ht.run.v1.*.*.*"],
            Self::Dead => &["ht.dead.v1.*.*.*"],
        }
    }

    /// The stream of that name on the server.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.name() == name)
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A KV bucket. Keys are made in [`crate::key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bucket {
    /// [`crate::proto::Incident`] by cluster and instance.
    Incidents,
    /// [`crate::proto::Run`] by incident, generation, rule and certainty.
    Runs,
    /// [`crate::proto::LedgerEntry`] by cluster and action id.
    Ledger,
    /// [`crate::proto::Group`] by account, region and name.
    Groups,
    /// [`crate::proto::Liveness`] by kind and process.
    Workers,
}

impl Bucket {
    /// All buckets.
    pub const ALL: [Self; 5] = [
        Self::Incidents,
        Self::Runs,
        Self::Ledger,
        Self::Groups,
        Self::Workers,
    ];

    /// Name on the server, e.g. `ht_incidents`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Incidents => "ht_incidents",
            Self::Runs => "ht_runs",
            Self::Ledger => "ht_ledger",
            Self::Groups => "ht_groups",
            Self::Workers => "ht_workers",
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
