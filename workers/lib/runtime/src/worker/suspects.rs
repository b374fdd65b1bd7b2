//! Actions whose starts broke off more than once: one of them may be what the process dies of, and it takes all that
//! run beside it along. One starts alone; each that proves innocent lets one more run beside the others, so that it is
//! 1, 2, 4, ... of them, and a storm of innocents is over soon. Those for which one more start that breaks off is the
//! last run alone whatever was proved, so that nobody is given up for what another did.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use super::queue::{Item, Queue};

/// A suspect that has run for as long as this is none any more, as is one that comes to an end.
const CLEARED_AFTER: Duration = Duration::from_secs(3);

/// Suspects that wait, and those that run.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    queue: Queue,
    running: HashMap<String, Instant>,
    /// Of both, those that run beside no other.
    alone: HashSet<String>,
    /// How many proved innocent since there was none; one more than that may run at once.
    innocent: usize,
}

impl Suspects {
    /// Adds one, or replaces what was known of it; `alone`: it runs beside no other.
    pub(crate) fn put(&mut self, id: &str, item: Item, alone: bool) {
        if self.queue.is_empty() && self.running.is_empty() {
            self.innocent = 0;
        }
        self.queue.put(id, item);
        if alone {
            self.alone.insert(id.to_owned());
        }
    }

    /// Changes what is known of one that waits; nothing if it does not.
    pub(crate) fn change(&mut self, id: &str, change: impl FnOnce(&mut Item)) {
        self.queue.change(id, change);
    }

    /// The most urgent one that needs only an answer, with `false`, or else that may start, with `true`.
    pub(crate) fn pop(&mut self, now: Timestamp, slot_free: bool) -> Option<(String, bool)> {
        if let Some(id) = self.queue.pop(now, false) {
            return Some((id, false));
        }
        self.clear();
        let next = self.queue.peek(now)?;
        let alone =
            self.alone.contains(next) || self.running.keys().any(|running| self.alone.contains(running));
        let others = if alone { 0 } else { self.innocent };
        if !slot_free || self.running.len() > others {
            return None;
        }
        let id = self.queue.pop(now, true)?;
        self.running.insert(id.clone(), Instant::now());
        Some((id, true))
    }

    /// One that ran has come to an end; whether it is `innocent`, as who lets the process live is.
    pub(crate) fn ended(&mut self, id: &str, innocent: bool) {
        self.alone.remove(id);
        if self.running.remove(id).is_some() && innocent {
            self.innocent += 1;
        }
    }

    fn clear(&mut self) {
        let (now, before) = (Instant::now(), self.running.len());
        self.running
            .retain(|_, since| now.duration_since(*since) < CLEARED_AFTER);
        self.innocent += before - self.running.len();
    }

    /// When to look again by a clock, should nothing else happen.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        self.queue.next_wake()
    }

    /// When the next one that runs is a suspect no more.
    pub(crate) fn frees_at(&self) -> Option<Instant> {
        self.running.values().min().map(|since| *since + CLEARED_AFTER)
    }

    /// All that wait, for handing them over.
    pub(crate) fn drain(&mut self) -> Vec<String> {
        self.alone.clear();
        self.queue.drain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: Item = Item {
        not_before: None,
        deadline: None,
        expires: true,
        withdrawn: false,
    };

    fn all_of(suspects: &mut Suspects) -> Vec<String> {
        std::iter::from_fn(|| suspects.pop(Timestamp::UNIX_EPOCH, true))
            .map(|(id, _)| id)
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn one_starts_alone_and_an_answer_takes_no_place() {
        let now = Timestamp::UNIX_EPOCH;
        let mut suspects = Suspects::default();
        for id in ["a", "b", "c", "d"] {
            suspects.put(id, ITEM, false);
        }
        assert_eq!(suspects.pop(now, false), None, "no slot is free");
        assert_eq!(suspects.pop(now, true), Some(("a".to_owned(), true)));
        assert_eq!(suspects.pop(now, true), None, "one runs");
        suspects.ended("somebody else", true);
        assert_eq!(suspects.pop(now, true), None);
        suspects.change("d", |item| item.withdrawn = true);
        assert_eq!(
            suspects.pop(now, true),
            Some(("d".to_owned(), false)),
            "an answer starts nothing"
        );
        suspects.ended("d", true);
        assert_eq!(suspects.pop(now, true), None, "an answer proves nothing");
        suspects.ended("a", false);
        assert_eq!(all_of(&mut suspects), ["b"], "one that broke off widens nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn twice_as_many_start_whenever_all_that_ran_are_innocent() {
        let mut suspects = Suspects::default();
        for number in 0..20 {
            suspects.put(&format!("s{number:02}"), ITEM, false);
        }
        assert_eq!(all_of(&mut suspects), ["s00"]);
        tokio::time::advance(CLEARED_AFTER - Duration::from_millis(1)).await;
        assert_eq!(all_of(&mut suspects), [""; 0]);
        assert_eq!(
            suspects.frees_at(),
            Some(Instant::now() + Duration::from_millis(1))
        );
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(
            all_of(&mut suspects),
            ["s01", "s02"],
            "the first lives long enough"
        );
        suspects.ended("s00", true);
        assert_eq!(all_of(&mut suspects), [""; 0], "it is not counted twice");
        suspects.ended("s01", true);
        assert_eq!(all_of(&mut suspects), ["s03", "s04"]);
        suspects.ended("s02", true);
        assert_eq!(all_of(&mut suspects), ["s05", "s06"], "four at once");
        tokio::time::advance(CLEARED_AFTER).await;
        assert_eq!(all_of(&mut suspects).len(), 8);
        tokio::time::advance(CLEARED_AFTER).await;
        assert_eq!(all_of(&mut suspects).len(), 5, "all that are left");
        tokio::time::advance(CLEARED_AFTER).await;
        assert_eq!(suspects.pop(Timestamp::UNIX_EPOCH, true), None);
        assert_eq!(suspects.frees_at(), None);
        // The storm is over; the next one begins as carefully.
        suspects.put("x", ITEM, false);
        suspects.put("y", ITEM, false);
        assert_eq!(all_of(&mut suspects), ["x"]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_at_its_last_start_runs_beside_no_other() {
        let mut suspects = Suspects::default();
        for (id, alone) in [
            ("a", false),
            ("b", false),
            ("last", true),
            ("c", false),
            ("d", false),
        ] {
            suspects.put(id, ITEM, alone);
        }
        assert_eq!(all_of(&mut suspects), ["a"]);
        suspects.ended("a", true);
        assert_eq!(
            all_of(&mut suspects),
            ["b"],
            "two may run, and not beside the next"
        );
        suspects.ended("b", true);
        assert_eq!(all_of(&mut suspects), ["last"]);
        tokio::time::advance(CLEARED_AFTER).await;
        assert_eq!(all_of(&mut suspects), ["c", "d"]);
    }
}
