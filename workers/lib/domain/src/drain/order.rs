//! Which pod of all nodes comes first.

use std::sync::Arc;

use jiff::Timestamp;

use super::Tier;

/// Pods whose latest starts lie within one bucket are as urgent as each other: the node decides.
pub const BUCKET_SECONDS: i64 = 5;

/// A place in the one queue of all pods: the most urgent first, and among those as urgent node by node, so that
/// nodes are finished one after another instead of all of them halfway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    bucket: i64,
    node: Arc<str>,
    tier: Tier,
    uid: Arc<str>,
}

impl Place {
    /// The place of a pod; without a latest start it comes after all that have one.
    #[must_use]
    pub fn new(latest_start: Option<Timestamp>, node: Arc<str>, tier: Tier, uid: Arc<str>) -> Self {
        let bucket = latest_start.map_or(i64::MAX, |at| at.as_second().div_euclid(BUCKET_SECONDS));
        Self {
            bucket,
            node,
            tier,
            uid,
        }
    }

    /// The latest start, rounded down to its bucket; `None` without one.
    #[must_use]
    pub fn latest_start(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.bucket.checked_mul(BUCKET_SECONDS)?).ok()
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &Arc<str> {
        &self.node
    }

    /// The pod.
    #[must_use]
    pub fn uid(&self) -> &Arc<str> {
        &self.uid
    }
}
