//! Actions that wait for their turn: ordered by deadline, each not before its time.
//!
//! Pure: it knows no clock and no task. The bus delivers in stream order, so the order is made here.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

/// One action that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Not to be started before.
    pub(crate) not_before: Option<Timestamp>,
    /// Its place in the order; unset: after all that have one.
    pub(crate) deadline: Option<Timestamp>,
    /// Past its deadline it is answered, not started, and needs no slot for that.
    pub(crate) expires: bool,
    /// It is to be answered at once, whatever its times say: its incident was withdrawn.
    pub(crate) withdrawn: bool,
}

/// The actions that wait.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    items: HashMap<String, (u64, Item)>,
    /// Those whose time has not come, by when it comes.
    later: BTreeSet<(Timestamp, String)>,
    /// Those that can be taken, by (deadline, arrival).
    ready: BTreeSet<(Timestamp, u64, String)>,
    arrivals: u64,
}

impl Item {
    /// When it has to be looked at again.
    fn wakes_at(&self) -> Option<Timestamp> {
        if self.withdrawn {
            return None;
        }
        let not_before = self.not_before?;
        let expiry = if self.expires { self.deadline } else { None };
        Some(expiry.map_or(not_before, |expiry| expiry.min(not_before)))
    }

    fn rank(&self) -> Timestamp {
        if self.withdrawn {
            Timestamp::MIN
        } else {
            self.deadline.unwrap_or(Timestamp::MAX)
        }
    }

    /// Needs only an answer, so no slot.
    fn needs_answer(&self, now: Timestamp) -> bool {
        self.withdrawn || self.expires && self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

impl Queue {
    /// Adds an action, or replaces what was known of it.
    pub(crate) fn put(&mut self, id: &str, item: Item) {
        let arrival = match self.remove(id) {
            Some((arrival, _)) => arrival,
            None => {
                self.arrivals += 1;
                self.arrivals
            }
        };
        match item.wakes_at() {
            Some(at) => self.later.insert((at, id.to_owned())),
            None => self.ready.insert((item.rank(), arrival, id.to_owned())),
        };
        self.items.insert(id.to_owned(), (arrival, item));
    }

    /// Changes what is known of an action that waits; nothing if it does not.
    pub(crate) fn change(&mut self, id: &str, change: impl FnOnce(&mut Item)) {
        if let Some((_, mut item)) = self.items.get(id).copied() {
            change(&mut item);
            self.put(id, item);
        }
    }

    /// The most urgent action whose time has come; with `slot_free` false only one that needs no slot.
    pub(crate) fn pop(&mut self, now: Timestamp, slot_free: bool) -> Option<String> {
        self.wake(now);
        let (_, _, id) = self.ready.first()?;
        let (_, item) = self.items.get(id)?;
        if !slot_free && !item.needs_answer(now) {
            return None;
        }
        let id = id.clone();
        self.remove(&id);
        Some(id)
    }

    /// The most urgent action whose time has come.
    pub(crate) fn peek(&mut self, now: Timestamp) -> Option<&str> {
        self.wake(now);
        self.ready.first().map(|(_, _, id)| id.as_str())
    }

    /// When to look again, should nothing else happen.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        let later = self.later.first().map(|(at, _)| *at);
        let expiry = self
            .ready
            .first()
            .and_then(|(_, _, id)| self.items.get(id))
            .and_then(|(_, item)| if item.expires { item.deadline } else { None });
        later.into_iter().chain(expiry).min()
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All that wait, for handing them over.
    pub(crate) fn drain(&mut self) -> Vec<String> {
        self.later.clear();
        self.ready.clear();
        self.items.drain().map(|(id, _)| id).collect()
    }

    fn wake(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.later.first() {
            if *at > now {
                break;
            }
            let Some((_, id)) = self.later.pop_first() else {
                break;
            };
            if let Some((arrival, item)) = self.items.get(&id) {
                self.ready.insert((item.rank(), *arrival, id));
            }
        }
    }

    fn remove(&mut self, id: &str) -> Option<(u64, Item)> {
        let (arrival, item) = self.items.remove(id)?;
        self.ready.remove(&(item.rank(), arrival, id.to_owned()));
        if let Some(at) = item.wakes_at() {
            self.later.remove(&(at, id.to_owned()));
        }
        Some((arrival, item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn item(not_before: Option<i64>, deadline: Option<i64>) -> Item {
        Item {
            not_before: not_before.map(at),
            deadline: deadline.map(at),
            expires: true,
            withdrawn: false,
        }
    }

    fn popped(queue: &mut Queue, now: i64, slot_free: bool) -> Vec<String> {
        std::iter::from_fn(|| queue.pop(at(now), slot_free)).collect()
    }

    #[test]
    fn the_tightest_deadline_goes_first_then_the_first_to_come() {
        let mut queue = Queue::default();
        for (id, deadline) in [
            ("none", None),
            ("late", Some(90)),
            ("b", Some(50)),
            ("a", Some(50)),
            ("soon", Some(20)),
        ] {
            queue.put(id, item(None, deadline));
        }
        assert_eq!(popped(&mut queue, 0, true), ["soon", "b", "a", "late", "none"]);
        assert!(queue.items.is_empty());
    }

    #[test]
    fn nothing_starts_before_its_time() {
        let mut queue = Queue::default();
        queue.put("later", item(Some(30), Some(100)));
        assert_eq!(popped(&mut queue, 29, true), [""; 0]);
        assert_eq!(queue.next_wake(), Some(at(30)));
        assert_eq!(popped(&mut queue, 30, true), ["later"]);
    }

    #[test]
    fn without_a_slot_only_answers_are_given() {
        let mut queue = Queue::default();
        queue.put("runs", item(None, Some(100)));
        queue.put("expired", item(None, Some(10)));
        queue.put("waits and expires", item(Some(50), Some(12)));
        assert_eq!(popped(&mut queue, 20, false), ["expired", "waits and expires"]);
        queue.change("runs", |item| item.withdrawn = true);
        assert_eq!(popped(&mut queue, 20, false), ["runs"]);
    }

    #[test]
    fn a_moved_deadline_moves_the_place() {
        let mut queue = Queue::default();
        queue.put("a", item(None, Some(50)));
        queue.put("b", item(None, Some(60)));
        queue.change("b", |item| item.deadline = Some(at(40)));
        queue.change("nobody", |item| item.withdrawn = true);
        assert_eq!(queue.next_wake(), Some(at(40)));
        assert_eq!(popped(&mut queue, 0, true), ["b", "a"]);
    }
}
