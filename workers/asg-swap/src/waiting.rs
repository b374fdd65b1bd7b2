//! Swaps that wait until fewer of their group are open, in the order of their deadlines.
//!
//! They wait in the worker loop's queue, where they hold no slot and end with their deadline. Of those of this process the one
//! with the earliest deadline goes first; between processes goes whoever asks first.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;

/// Who comes this much later than it was told to, waits no more. The loop's own wait between two tries is 10 s at most.
const LATE: Duration = Duration::from_secs(12);
/// Waits until the next try: the first in line, for each that is before it, the longest. Each try looks at AWS.
const FIRST: Duration = Duration::from_secs(1);
const EACH: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// Who waits, by group and action.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<HashMap<String, HashMap<String, Waiter>>>);

struct Waiter {
    deadline: Timestamp,
    until: Instant,
}

/// Where in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// How many are before it.
    pub(crate) before: usize,
    /// When to try again.
    pub(crate) again: Duration,
}

impl Waiting {
    /// Puts an action in its place in the line of its group.
    pub(crate) fn queue(
        &self,
        group: &str,
        action: &str,
        deadline: Option<Timestamp>,
        now: Timestamp,
    ) -> Place {
        let deadline = deadline.unwrap_or(Timestamp::MAX);
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain(|_, waiting| {
            waiting.retain(|_, waiter| waiter.until > Instant::now() && waiter.deadline > now);
            !waiting.is_empty()
        });
        let waiting = groups.entry(group.to_owned()).or_default();
        let mine = (deadline, action);
        let before = waiting
            .iter()
            .filter(|(other, waiter)| (waiter.deadline, other.as_str()) < mine && *other != action)
            .count();
        let each = EACH.saturating_mul(u32::try_from(before).unwrap_or(u32::MAX));
        let again = FIRST.saturating_add(each).min(LONGEST);
        let until = Instant::now() + again + LATE;
        waiting.insert(action.to_owned(), Waiter { deadline, until });
        Place { before, again }
    }

    /// Takes an action out of the line.
    pub(crate) fn leave(&self, group: &str, action: &str) {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = groups.get_mut(group) {
            waiting.remove(action);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_deadline_goes_first() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let waiting = Waiting::default();
        let before = |group: &str, action: &str, deadline: Option<i64>, now: i64| {
            waiting.queue(group, action, deadline.map(at), at(now)).before
        };
        assert_eq!(before("g", "b", Some(200), 0), 0);
        assert_eq!(before("g", "a", Some(100), 0), 0);
        assert_eq!(before("g", "b", Some(200), 0), 1);
        assert_eq!(before("g", "never", None, 0), 2);
        assert_eq!(before("other", "never", None, 0), 0);
        waiting.leave("g", "a");
        assert_eq!(before("g", "b", Some(200), 0), 0);
        // A deadline that moved counts as it is now.
        assert_eq!(before("g", "never", Some(150), 0), 0);
        assert_eq!(before("g", "b", Some(200), 0), 1);
        // Whose deadline is over waits no more.
        assert_eq!(before("g", "b", Some(200), 150), 0);
    }

    #[test]
    fn who_is_far_back_asks_seldom() {
        let waiting = Waiting::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let again: Vec<Duration> = (0..100)
            .map(|number| {
                waiting
                    .queue("g", &number.to_string(), Some(at(1_000 + number)), at(0))
                    .again
            })
            .collect();
        assert_eq!(again[0], Duration::from_secs(1));
        assert_eq!(again[10], Duration::from_secs(6));
        assert_eq!(again[99], Duration::from_secs(30));
    }
}
