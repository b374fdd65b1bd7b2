//! What became of each pod, told by the requests that were made for it and by what each drain says of it.

use std::collections::BTreeMap;

use hollowtrees_cluster::engine::Summary;
use hollowtrees_harness::{kubectl::Drained, proxy};
use http::Method;

/// What a drain did about a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fate {
    /// Left alone; the drain may succeed with it there.
    Skipped,
    /// Left alone, and nothing of the node is drained because of it.
    Refused,
    /// It would have gone, had the node not been refused.
    Unasked,
    /// Evicted, and done with.
    Evicted,
    /// Deleted, and done with.
    Deleted,
    /// Evicted or deleted, and waited for in vain.
    Unended,
    /// Ending already: not asked for again, and done with.
    Going,
    /// Not granted: the drain failed because of it.
    Left,
    /// Not granted, and taken for gone.
    Believed,
}

/// What was granted about a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Granted {
    eviction: bool,
    deletion: bool,
}

/// Requests about pods, by namespace and name, as the API server was seen to answer them.
pub(crate) fn granted(seen: &[proxy::Seen]) -> BTreeMap<(String, String), Granted> {
    let mut all: BTreeMap<_, Granted> = BTreeMap::new();
    for request in seen {
        let path = request.path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let (namespace, name, evicts) = match parts[..] {
            ["api", "v1", "namespaces", namespace, "pods", name, "eviction"]
                if request.method == Method::POST =>
            {
                (namespace, name, true)
            }
            ["api", "v1", "namespaces", namespace, "pods", name] if request.method == Method::DELETE => {
                (namespace, name, false)
            }
            _ => continue,
        };
        let granted = all.entry((namespace.to_owned(), name.to_owned())).or_default();
        if request.status.is_some_and(|status| status.is_success()) {
            granted.eviction |= evicts;
            granted.deletion |= !evicts;
        }
    }
    all
}

impl Granted {
    fn fate(self, ended: bool) -> Option<Fate> {
        match (self.deletion, self.eviction, ended) {
            (false, false, _) => None,
            (.., false) => Some(Fate::Unended),
            (true, ..) => Some(Fate::Deleted),
            (false, true, true) => Some(Fate::Evicted),
        }
    }
}

/// What kubectl did about a pod.
pub(crate) fn by_kubectl(drained: &Drained, namespace: &str, name: &str, granted: Granted) -> Fate {
    let path = format!("{namespace}/{name}");
    if drained.refused.contains_key(&path) {
        return Fate::Refused;
    }
    if !drained.delete.contains(&path) {
        return Fate::Skipped;
    }
    if !drained.refused.is_empty() {
        return Fate::Unasked;
    }
    let gone = drained.gone.contains(&path);
    let (quoted, space) = (format!("{name:?}"), format!("{namespace:?}"));
    // An eviction's error names its pod; a deletion's is one for all.
    let evicts = drained.errors.iter().all(|error| error.contains("error when "));
    let failed = if evicts {
        drained
            .errors
            .iter()
            .any(|error| error.contains(&quoted) && error.contains(&space))
    } else {
        !gone
    };
    match granted.fate(!failed) {
        Some(fate) => fate,
        None if failed => Fate::Left,
        None if gone => Fate::Going,
        None => Fate::Believed,
    }
}

/// What our engine did about a pod; none where it says nothing of it.
pub(crate) fn by_us(summary: &Summary, namespace: &str, name: &str, granted: Granted) -> Option<Fate> {
    let path = format!("{namespace}/{name}");
    if summary.skipped.contains_key(&path) {
        return Some(Fate::Skipped);
    }
    let left = summary.left.contains_key(&path);
    if let Some(fate) = granted.fate(!left) {
        // What it says it did it did, and the other way round.
        let told = match fate {
            Fate::Evicted => summary.evicted.contains(&path),
            Fate::Deleted => {
                summary.forced.contains_key(&path)
                    || summary.shortened.contains(&path)
                    || summary.deleted.contains(&path)
            }
            _ => true,
        };
        return told.then_some(fate);
    }
    if left {
        return Some(Fate::Left);
    }
    summary.others.contains(&path).then_some(Fate::Going)
}
