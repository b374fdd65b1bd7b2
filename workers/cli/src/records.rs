//! Records of buckets, as they are now.

use std::{collections::BTreeMap, time::Duration};

use hollowtrees_bus::{Record, Store, StoreError, watch::Change};
use hollowtrees_schemas::token;

use crate::exit::Failure;

/// A bucket that is silent for so long does not answer.
const SILENCE: Duration = Duration::from_secs(15);
/// A key no record has, to learn at once whether the bucket is there.
const NO_KEY: &str = "hollowtrees.none";

/// What was found: records by key, and those that this version cannot read.
#[derive(Debug)]
pub struct Found<T> {
    /// By key.
    pub records: BTreeMap<String, T>,
    /// Each says its key and why.
    pub unreadable: Vec<StoreError>,
}

/// Filter for the keys of one cluster, one instance, or both: the first two parts of keys of incidents and
/// runs.
pub fn keys(cluster: Option<&str>, instance: Option<&str>) -> Vec<String> {
    let part = |name: Option<&str>| name.map_or_else(|| "*".to_owned(), token::escape);
    match (cluster, instance) {
        (None, None) => vec![">".to_owned()],
        (Some(cluster), None) => vec![format!("{}.>", token::escape(cluster))],
        // With and without further parts.
        (cluster, instance @ Some(_)) => {
            let head = format!("{}.{}", part(cluster), part(instance));
            vec![format!("{head}.>"), head]
        }
    }
}

/// All records whose keys match one of `filters`.
///
/// # Errors
/// The bucket is not there, or falls silent.
pub async fn present<T: Record>(store: &Store<T>, filters: &[String]) -> Result<Found<T>, Failure> {
    // A watch would go on trying for ever.
    store.get(NO_KEY).await?;
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    let mut watch = store.watch(&filters);
    let mut found = Found {
        records: BTreeMap::new(),
        unreadable: Vec::new(),
    };
    loop {
        let change = tokio::time::timeout(SILENCE, watch.next()).await.map_err(|_| {
            Failure::unavailable(format!(
                "{} sent nothing for {} s; is NATS overloaded?",
                store.bucket(),
                SILENCE.as_secs()
            ))
        })?;
        match change {
            Change::Resync => {
                found.records.clear();
                found.unreadable.clear();
            }
            Change::Put(key, entry) => {
                found.records.insert(key, entry.value);
            }
            Change::Removed(key) => {
                found.records.remove(&key);
            }
            Change::Unreadable(error) => found.unreadable.push(error),
            Change::Synced => return Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::keys;

    #[test]
    fn filters_of_keys() {
        assert_eq!(keys(None, None), [">"]);
        assert_eq!(keys(Some("a.b"), None), ["a=2Eb.>"]);
        assert_eq!(keys(None, Some("i-1")), ["*.i-1.>", "*.i-1"]);
        assert_eq!(keys(Some("c"), Some("i-1")), ["c.i-1.>", "c.i-1"]);
    }
}
