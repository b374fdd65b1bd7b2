//! What became of the pods of a drained node.

use std::collections::BTreeMap;

use hollowtrees_domain::drain::Skip;

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Only pods that stay, or have ended, are left.
    Empty,
    /// Its time was over.
    Late,
    /// The node is gone, or another one has its name.
    NodeGone,
    /// It was called off.
    Left,
    /// The process ends.
    Stopping,
}

/// What became of the pods, by `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How it ended.
    pub ended: Ended,
    /// Evicted within their budgets.
    pub evicted: Vec<String>,
    /// Deleted rather than evicted, since no budget covers them.
    pub deleted: Vec<String>,
    /// Deleted past their budgets, with what was overridden.
    pub forced: BTreeMap<String, Override>,
    /// Given less grace than their own: a rule's, or what is left of the time.
    pub shortened: Vec<String>,
    /// Gone or going by somebody else's doing.
    pub others: Vec<String>,
    /// Left alone, and why.
    pub skipped: BTreeMap<String, Skip>,
    /// Ended, but held by these finalizers.
    pub finalizing: BTreeMap<String, Vec<String>>,
    /// Still there, and what was said last about them.
    pub left: BTreeMap<String, String>,
    /// Volumes that were still attached to the node when its pods were gone and all the wait was over.
    pub attached: Vec<String>,
    /// Requests made for its pods.
    pub requests: u64,
}

impl Summary {
    /// How many each list has, by its name. A pod may be in several: `evicted`, and `left` as long as it is ending.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, usize); 8] {
        [
            ("evicted", self.evicted.len()),
            ("deleted", self.deleted.len()),
            ("forced", self.forced.len()),
            ("shortened", self.shortened.len()),
            ("others", self.others.len()),
            ("skipped", self.skipped.len()),
            ("finalizing", self.finalizing.len()),
            ("left", self.left.len()),
        ]
    }
}

/// What a forced deletion went past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// Names of the budgets that cover the pod.
    pub budgets: Vec<String>,
    /// The last refusal.
    pub refusal: String,
    /// Seconds of grace it was given.
    pub grace_seconds: u32,
}
