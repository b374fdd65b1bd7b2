//! What is due when, from a watch of the records. A hint: whatever is done is decided by the record itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use hollowtrees_schemas::{id::IncidentKey, key};
use jiff::Timestamp;
use tokio::sync::Notify;

/// A record with a time, by its key in the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    Incident(String),
    Run(String),
}

/// Which of the two watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Incidents,
    Runs,
}

/// All records of the two buckets by key, with their due times.
#[derive(Debug, Default)]
pub(crate) struct Index {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// When the record says it is due.
    records: BTreeMap<Item, Option<Timestamp>>,
    /// When somebody here will look at it: what the record says, or later where that was tried.
    alarms: BTreeMap<Item, Timestamp>,
    order: BTreeSet<(Timestamp, Item)>,
    incidents_complete: bool,
    runs_complete: bool,
}

impl Inner {
    fn alarm(&mut self, item: &Item, at: Option<Timestamp>) {
        if let Some(before) = self.alarms.remove(item) {
            self.order.remove(&(before, item.clone()));
        }
        if let Some(at) = at {
            self.alarms.insert(item.clone(), at);
            self.order.insert((at, item.clone()));
        }
    }
}

impl Index {
    /// A record is as it is now.
    pub(crate) fn put(&self, item: Item, due: Option<Timestamp>) {
        let mut inner = self.inner();
        inner.alarm(&item, due);
        inner.records.insert(item, due);
        drop(inner);
        self.changed.notify_one();
    }

    /// A record is gone.
    pub(crate) fn remove(&self, item: &Item) {
        let mut inner = self.inner();
        inner.alarm(item, None);
        inner.records.remove(item);
    }

    /// Everything of a bucket is told anew.
    pub(crate) fn clear(&self, kind: Kind) {
        let mut inner = self.inner();
        let of_kind = |item: &Item| match item {
            Item::Incident(_) => kind == Kind::Incidents,
            Item::Run(_) => kind == Kind::Runs,
        };
        inner.records.retain(|item, _| !of_kind(item));
        inner.alarms.retain(|item, _| !of_kind(item));
        inner.order.retain(|(_, item)| !of_kind(item));
        match kind {
            Kind::Incidents => inner.incidents_complete = false,
            Kind::Runs => inner.runs_complete = false,
        }
    }

    /// Everything of a bucket was told.
    pub(crate) fn complete(&self, kind: Kind) {
        let mut inner = self.inner();
        match kind {
            Kind::Incidents => inner.incidents_complete = true,
            Kind::Runs => inner.runs_complete = true,
        }
    }

    /// Whether both buckets were told to the end.
    pub(crate) fn is_complete(&self) -> bool {
        let inner = self.inner();
        inner.incidents_complete && inner.runs_complete
    }

    /// Looks at a record again at `at`, unless its record changes before.
    pub(crate) fn look_again(&self, item: &Item, at: Timestamp) {
        let mut inner = self.inner();
        if inner.records.contains_key(item) && !inner.alarms.contains_key(item) {
            inner.alarm(item, Some(at));
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Looks at an incident at once if at `now` it only waits for its runs.
    pub(crate) fn poke_incident(&self, incident: &IncidentKey, now: Timestamp) {
        let item = Item::Incident(key::incident(incident));
        let mut inner = self.inner();
        if inner
            .records
            .get(&item)
            .is_some_and(|due| due.is_some_and(|due| due <= now))
        {
            inner.alarm(&item, Some(now));
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Takes what is due; it is not due again until its record changes or [`Index::look_again`].
    pub(crate) fn take_due(&self, now: Timestamp, most: usize) -> Vec<Item> {
        let mut inner = self.inner();
        let due: Vec<Item> = inner
            .order
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(most)
            .map(|(_, item)| item.clone())
            .collect();
        for item in &due {
            inner.alarm(item, None);
        }
        due
    }

    /// The next time something is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.inner().order.first().map(|(at, _)| *at)
    }

    /// Waits until something may be due earlier than it was.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Whether an incident of that key was seen: a hint to read before writing.
    pub(crate) fn knows_incident(&self, key: &str) -> bool {
        self.inner().records.contains_key(&Item::Incident(key.to_owned()))
    }

    /// Keys of the runs of one generation of an incident.
    pub(crate) fn runs_of(&self, incident: &IncidentKey, generation: u64) -> Vec<String> {
        // The parts before the rule; the rule and the certainty follow.
        let whole = key::run(incident, generation, "r", "c");
        let prefix = whole.strip_suffix("r.c").unwrap_or(&whole).to_owned();
        self.runs_from(&prefix)
    }

    /// Keys of all runs of an instance, of every generation and mode.
    pub(crate) fn all_runs_of(&self, incident: &IncidentKey) -> Vec<String> {
        let live = IncidentKey::new(incident.cluster(), incident.instance(), "");
        self.runs_from(&format!("{}.", key::incident(&live)))
    }

    fn runs_from(&self, prefix: &str) -> Vec<String> {
        let inner = self.inner();
        let after = inner.records.range(Item::Run(prefix.to_owned())..);
        let keys = after.map_while(|(item, _)| match item {
            Item::Run(key) if key.starts_with(prefix) => Some(key.clone()),
            Item::Run(_) | Item::Incident(_) => None,
        });
        keys.collect()
    }

    /// How many incidents and runs there are, and how many of them have a time.
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        let inner = self.inner();
        let incidents = inner.records.range(..Item::Run(String::new())).count();
        (incidents, inner.records.len() - incidents, inner.alarms.len())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn run(key: &str) -> Item {
        Item::Run(key.to_owned())
    }

    #[test]
    fn what_is_due_is_taken_once_in_order() {
        let index = Index::default();
        index.put(run("b"), Some(at(2)));
        index.put(run("a"), Some(at(1)));
        index.put(run("c"), Some(at(9)));
        assert_eq!(index.take_due(at(5), 10), [run("a"), run("b")]);
        assert_eq!(index.take_due(at(5), 10), []);
        index.look_again(&run("a"), at(7));
        index.put(run("b"), Some(at(6)));
        index.look_again(&run("b"), at(3));
        assert_eq!(index.next_due(), Some(at(6)), "the record's own time is kept");
        index.remove(&run("b"));
        index.look_again(&run("b"), at(3));
        assert_eq!(
            index.take_due(at(8), 10),
            [run("a")],
            "what was removed has no time"
        );
        index.clear(Kind::Runs);
        assert_eq!((index.next_due(), index.sizes()), (None, (0, 0, 0)));
    }

    #[test]
    fn runs_are_found_by_generation() {
        let index = Index::default();
        let (live, test) = (
            IncidentKey::new("c", "i-1", ""),
            IncidentKey::new("c", "i-1", "test"),
        );
        let other = IncidentKey::new("c", "i-10", "");
        for (incident, generation) in [(&live, 1), (&live, 2), (&live, 11), (&test, 1), (&other, 1)] {
            index.put(run(&key::run(incident, generation, "rule", "certain")), None);
        }
        assert_eq!(index.runs_of(&live, 1), ["c.i-1.1.rule.certain"]);
        assert_eq!(index.runs_of(&test, 1), ["c.i-1.1-test.rule.certain"]);
        assert_eq!(index.all_runs_of(&test).len(), 4);
    }
}
