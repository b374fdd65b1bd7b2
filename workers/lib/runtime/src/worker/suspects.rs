//! Actions whose starts broke off more than once: one of them may be what the process dies of, and it takes all that
//! run beside it along. They run one after another, so that the innocent among them come to their end.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::queue::{Item, Queue};

/// A suspect that has run for as long as this holds up the next one no longer.
const CLEARED_AFTER: Duration = Duration::from_secs(10);

/// Suspects that wait, and the one that runs.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    queue: Queue,
    running: Option<(String, Instant)>,
}

impl Suspects {
    /// Adds one, or replaces what was known of it.
    pub(crate) fn put(&mut self, id: &str, item: Item) {
        self.queue.put(id, item);
    }

    /// Changes what is known of one that waits; nothing if it does not.
    pub(crate) fn change(&mut self, id: &str, change: impl FnOnce(&mut Item)) {
        self.queue.change(id, change);
    }

    /// The most urgent one, if it may start or needs only an answer.
    pub(crate) fn pop(&mut self, now: Timestamp, slot_free: bool) -> Option<String> {
        let free = self.frees_at().is_none_or(|at| at <= Instant::now());
        let id = self.queue.pop(now, slot_free && free)?;
        if free {
            self.running = Some((id.clone(), Instant::now()));
        }
        Some(id)
    }

    /// One that ran has come to an end.
    pub(crate) fn ended(&mut self, id: &str) {
        if self.running.as_ref().is_some_and(|(running, _)| running == id) {
            self.running = None;
        }
    }

    /// When to look again by a clock, should nothing else happen.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        self.queue.next_wake()
    }

    /// When the next one may start beside the one that runs.
    pub(crate) fn frees_at(&self) -> Option<Instant> {
        self.running.as_ref().map(|(_, since)| *since + CLEARED_AFTER)
    }

    /// All that wait, for handing them over.
    pub(crate) fn drain(&mut self) -> Vec<String> {
        self.queue.drain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_runs_at_a_time_and_no_longer_than_it_takes_to_be_cleared() {
        let now = Timestamp::UNIX_EPOCH;
        let item = Item {
            not_before: None,
            deadline: None,
            expires: true,
            withdrawn: false,
        };
        let mut suspects = Suspects::default();
        for id in ["a", "b", "c", "d"] {
            suspects.put(id, item);
        }
        assert_eq!(suspects.pop(now, false), None, "no slot is free");
        assert_eq!(suspects.pop(now, true).as_deref(), Some("a"));
        assert_eq!(suspects.pop(now, true), None, "one runs");
        suspects.ended("somebody else");
        assert_eq!(suspects.pop(now, true), None);
        suspects.ended("a");
        assert_eq!(suspects.pop(now, true).as_deref(), Some("b"));
        suspects.change("d", |item| item.withdrawn = true);
        assert_eq!(
            suspects.pop(now, true).as_deref(),
            Some("d"),
            "an answer starts nothing"
        );
        tokio::time::advance(CLEARED_AFTER).await;
        assert_eq!(
            suspects.pop(now, true).as_deref(),
            Some("c"),
            "the one before lives long enough"
        );
        suspects.ended("b");
        assert!(suspects.frees_at().is_some(), "it is not the one that counts");
    }
}
