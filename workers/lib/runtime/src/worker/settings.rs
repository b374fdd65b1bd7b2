//! How much a worker takes on.

use std::time::Duration;

use hollowtrees_schemas::{envelope::DataFormat, proto};

use super::Kind;

/// Limits and names of one action worker.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Durable name its processes share, also its kind in `ht_workers`: `drain`, `asg-swap`.
    pub worker: String,
    /// Kinds of action it serves.
    pub kinds: Vec<Kind>,
    /// The one cluster it serves; `None` for all.
    pub cluster: Option<String>,
    /// Actions held at once, waiting ones included.
    pub accepted: usize,
    /// Handlers that run at once.
    pub running: usize,
    /// The longest one handler may take, should the action not say less.
    pub time_limit: Duration,
    /// Starts that may end without a result before the action counts as poison.
    pub poison_after: u32,
    /// How long running handlers may go on once the process is told to stop.
    pub grace: Duration,
    /// Whether actions may be given to another process of its consumer, where a handler says so ([`super::Job::elsewhere`]).
    pub affinity: bool,
    /// How the data of outcomes is written.
    pub format: DataFormat,
}

impl Settings {
    /// Settings with the limits that suit most workers.
    pub fn new(worker: impl Into<String>, kinds: Vec<Kind>) -> Self {
        Self {
            worker: worker.into(),
            kinds,
            cluster: None,
            accepted: 1_024,
            running: 64,
            time_limit: Duration::from_secs(15 * 60),
            poison_after: 5,
            grace: Duration::from_secs(20),
            affinity: false,
            format: DataFormat::Json,
        }
    }

    pub(crate) fn kind_names(&self) -> Vec<&str> {
        self.kinds.iter().map(|kind| kind.name.as_str()).collect()
    }

    pub(crate) fn has_dry_run(&self, kind: &str) -> bool {
        self.kinds
            .iter()
            .any(|served| served.name == kind && served.dry_run)
    }

    /// Whether an action is of a kind and a cluster that it serves.
    pub(crate) fn serves(&self, action: &proto::Action) -> bool {
        let is_its_cluster = self
            .cluster
            .as_ref()
            .is_none_or(|cluster| *cluster == action.cluster);
        is_its_cluster && self.kinds.iter().any(|served| served.name == action.kind)
    }

    pub(crate) fn is_saga(&self, kind: &str) -> bool {
        self.kinds.iter().any(|served| served.name == kind && served.saga)
    }

    /// The consumer its processes share.
    pub fn consumer(&self) -> hollowtrees_bus::topology::Consumer {
        hollowtrees_bus::topology::Consumer::actions(
            &self.worker,
            self.cluster.as_deref(),
            &self.kind_names(),
        )
    }
}
