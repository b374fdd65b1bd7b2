//! Many nodes at once, and what the API server says was done to their pods.

use std::{collections::BTreeMap, ops::Range};

use hollowtrees_harness::{
    Error,
    control_plane::{Audit, Entry, fixtures},
    eventually,
};
use hollowtrees_schemas::proto;
use serde_json::Value;

use crate::support::{BOUND, Ground};

/// Pods on nodes, and the record of what was asked about them since.
pub(crate) struct Burst {
    /// Uids, by name. None of the pods has an owner, so each is there once.
    uids: BTreeMap<String, String>,
    pub(crate) audit: Audit,
    /// Who may have asked.
    users: Vec<String>,
}

/// On each node as many pods that end two seconds after they are asked to, and as many critical ones, which go after
/// them: a drain of it is under way for longer than that.
pub(crate) fn two_tiers(ground: &Ground, nodes: Range<usize>, each: usize) -> Vec<Value> {
    let mut pods = Vec::new();
    for n in nodes {
        let node = format!("{}-{n}", ground.name);
        for i in 0..each {
            let first = fixtures::pod(&format!("first-{n}-{i}"), "x", &node);
            pods.push(fixtures::annotated(first, fixtures::EXIT_AFTER, "2s"));
            let mut then = fixtures::pod(&format!("then-{n}-{i}"), "x", &node);
            then["spec"]["priorityClassName"] = "system-cluster-critical".into();
            pods.push(then);
        }
    }
    pods
}

impl Burst {
    /// Puts the pods where they belong; what is asked from now on is asked about them.
    pub(crate) async fn of(ground: &Ground, pods: Vec<Value>) -> Self {
        ground.post_pods(pods).await;
        let found = ground.admin.list(&ground.pods_path()).await.unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let uids = found
            .iter()
            .map(|pod| (text(&pod["metadata"]["name"]), text(&pod["metadata"]["uid"])))
            .collect();
        Self {
            uids,
            audit: ground.audit(),
            users: vec![ground.user()],
        }
    }

    /// Somebody else may ask as well.
    pub(crate) fn and_by(mut self, user: &str) -> Self {
        self.users.push(user.to_owned());
        self
    }

    pub(crate) fn pods(&self) -> usize {
        self.uids.len()
    }

    /// All requests that change something.
    pub(crate) fn writes(&self) -> Vec<Entry> {
        let mut entries = self.audit.entries().unwrap();
        let reads = ["get", "list", "watch"];
        entries.retain(|entry| self.users.contains(&entry.user) && !reads.contains(&entry.verb.as_str()));
        entries
    }

    /// All answers about evictions.
    pub(crate) fn evictions(&self) -> Vec<Entry> {
        let mut entries = self.writes();
        entries.retain(|entry| entry.resource == "pods/eviction");
        entries
    }

    /// Evictions that were granted, by the pod's uid.
    pub(crate) fn granted(&self) -> BTreeMap<String, Vec<Entry>> {
        let mut granted: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for entry in self.evictions() {
            if entry.is_done() {
                granted.entry(entry.uid.clone()).or_default().push(entry);
            }
        }
        granted
    }

    /// Pods that were deleted.
    pub(crate) fn deleted(&self) -> Vec<Entry> {
        let mut entries = self.writes();
        entries.retain(|entry| entry.resource == "pods" && entry.verb == "delete" && entry.is_done());
        entries
    }

    pub(crate) async fn has_granted(&self, count: usize) {
        eventually(
            format!("{count} evictions to be granted"),
            BOUND,
            async || match self.granted().len() {
                enough if enough >= count => Ok(()),
                few => Err(Error::new(few.to_string())),
            },
        )
        .await;
    }

    /// Each pod was evicted once, and nothing else was evicted or deleted.
    pub(crate) fn assert_each_went_once(&self) {
        let granted = self.granted();
        for (name, uid) in &self.uids {
            let times = granted.get(uid).map_or(0, Vec::len);
            assert_eq!(times, 1, "{name}: {:?}", granted.get(uid));
        }
        assert_eq!(granted.len(), self.uids.len(), "nobody else: {granted:?}");
        assert_eq!(self.deleted(), []);
    }

    /// Each pod went by an eviction. One whose answer was lost on the way may have been asked for again while it was
    /// ending: says how many were. One whose asker had gone before the answer may have been evicted all the same. A
    /// server that is killed takes its last `unrecorded` words along.
    pub(crate) fn assert_each_went(&self, unrecorded: usize) -> usize {
        let granted = self.granted();
        let evictions = self.evictions();
        let cut_off = |uid: &str| {
            evictions
                .iter()
                .any(|entry| entry.uid == uid && entry.may_be_done())
        };
        let (mut missing, mut again, mut unanswered) = (Vec::new(), 0, 0);
        for (name, uid) in &self.uids {
            let times = granted.get(uid).map_or(0, Vec::len);
            assert!(times <= 2, "{name}: {:?}", granted.get(uid));
            match times {
                0 if cut_off(uid) => unanswered += 1,
                0 => missing.push(name),
                times => again += times - 1,
            }
        }
        assert!(missing.len() <= unrecorded, "{missing:?}");
        assert_eq!(
            granted.len() + unanswered + missing.len(),
            self.uids.len(),
            "nobody else: {granted:?}"
        );
        assert_eq!(self.deleted(), []);
        again
    }
}

/// All of them succeeded.
pub(crate) fn assert_succeeded(ends: &BTreeMap<String, proto::Outcome>) {
    for outcome in ends.values() {
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    }
}
