//! A pod, as far as a drain looks at it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// What is known of a pod that is bound to a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pod {
    /// Tells it from an earlier or later pod of the same name.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The node it is bound to.
    pub node: String,
    /// All labels: budgets select by them. Pods of one template have the same.
    pub labels: Arc<Labels>,
    /// The annotations somebody looks at, not all of them.
    pub annotations: BTreeMap<String, String>,
    /// `terminationGracePeriodSeconds`
    pub grace_seconds: u32,
    /// What keeps it alive.
    pub owner: Owner,
    /// The kubelet's own, from a file; only a picture of it is in the API.
    pub mirror: bool,
    /// Phase `Pending`: none of its containers was started yet.
    pub pending: bool,
    /// Its condition `Ready` holds.
    pub ready: bool,
    /// Phase `Succeeded` or `Failed`.
    pub finished: bool,
    /// Every container that was ever started has ended.
    pub containers_ended: bool,
    /// Of a `system-*-critical` priority.
    pub critical: bool,
    /// `status.startTime`
    pub started_at: Option<Timestamp>,
    /// It tolerates the taint of a node that is drained.
    pub tolerates: bool,
    /// It has a volume that is lost with it.
    pub empty_dir: bool,
    /// Its persistent volume claims, by name.
    pub claims: Vec<String>,
    /// Who has to let go before the object vanishes.
    pub finalizers: Vec<String>,
    /// It is being deleted.
    pub deletion: Option<Deletion>,
}

/// What keeps a pod alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owner {
    /// Nothing: gone is gone.
    #[default]
    None,
    /// A `DaemonSet`: it puts a new one on the same node.
    DaemonSet,
    /// Some other controller: it starts another one elsewhere.
    Controller,
}

/// A pod's deletion, as the API server has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// `deletionTimestamp`: when its grace is over, not when it was asked for.
    pub ends_at: Timestamp,
    /// `deletionGracePeriodSeconds`
    pub grace_seconds: u32,
}

impl Pod {
    /// `namespace/name`, for people.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}
