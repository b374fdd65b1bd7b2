//! How many evictions under a budget are worth asking for.
//!
//! The API server counts; but each refusal costs it as much as a grant, and a thousand pods behind one budget would be
//! refused again and again. So nothing is asked that would go beyond what the budget's watch shows, less what was asked
//! and granted since.

use std::collections::HashMap;

use super::budget::Budget;

/// Evictions under one budget at once: the API server counts them one after another, and those that collide wait half
/// a second each in it (`EvictionsRetry`).
pub const AT_ONCE: u32 = 8;

/// What was asked and granted, by [`Budget::path`].
#[derive(Debug, Default)]
pub struct Spending(HashMap<String, Spent>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Spent {
    /// Asked and not answered.
    asked: u32,
    /// Of those, how many the watch may have shown as counted already.
    shown_early: u32,
    /// Granted, and not shown by the watch yet.
    unseen: u32,
}

impl Spending {
    /// How many more may be asked for.
    #[must_use]
    pub fn room(&self, budget: &Budget) -> u32 {
        if !budget.observed {
            return 0;
        }
        let asked = self.0.get(&budget.path()).map_or(0, |spent| spent.asked);
        self.left(budget).min(AT_ONCE.saturating_sub(asked))
    }

    /// Whether it is used up, as far as is known: what is asked beyond it is refused.
    #[must_use]
    pub fn is_spent(&self, budget: &Budget) -> bool {
        !budget.observed || self.left(budget) == 0
    }

    fn left(&self, budget: &Budget) -> u32 {
        let spent = self.0.get(&budget.path());
        let counted = spent.map_or(0, |spent| {
            (spent.asked - spent.shown_early).saturating_add(spent.unseen)
        });
        budget.allowed.saturating_sub(counted)
    }

    /// One is asked for.
    pub fn asked(&mut self, budget: &str) {
        match self.0.get_mut(budget) {
            Some(spent) => spent.asked += 1,
            None => {
                let spent = Spent {
                    asked: 1,
                    ..Spent::default()
                };
                self.0.insert(budget.to_owned(), spent);
            }
        }
    }

    /// It was answered.
    pub fn answered(&mut self, budget: &str, granted: bool) {
        let Some(spent) = self.0.get_mut(budget) else {
            return;
        };
        spent.asked = spent.asked.saturating_sub(1);
        if granted {
            match spent.shown_early.checked_sub(1) {
                Some(left) => spent.shown_early = left,
                None => spent.unseen += 1,
            }
        }
        spent.shown_early = spent.shown_early.min(spent.asked);
        if *spent == Spent::default() {
            self.0.remove(budget);
        }
    }

    /// The watch showed the budget anew; `before` is what it allowed when it was shown last.
    pub fn seen(&mut self, budget: &Budget, before: Option<u32>) {
        let path = budget.path();
        let Some(spent) = self.0.get_mut(&path) else {
            return;
        };
        let fewer = before.unwrap_or(budget.allowed).saturating_sub(budget.allowed);
        // A watch may be faster than the answer.
        let early = fewer.saturating_sub(spent.unseen);
        spent.shown_early = spent.shown_early.saturating_add(early).min(spent.asked);
        // Where others change it too, rather one eviction is asked for in vain than one not at all.
        spent.unseen = if fewer == 0 {
            0
        } else {
            spent.unseen.saturating_sub(fewer)
        };
        if *spent == Spent::default() {
            self.0.remove(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn budget(allowed: u32) -> Budget {
        Budget {
            namespace: "shop".to_owned(),
            name: "db".to_owned(),
            allowed,
            observed: true,
            ..Budget::default()
        }
    }

    #[test]
    fn what_is_asked_and_granted_counts_until_the_watch_shows_it() {
        let mut spending = Spending::default();
        let two = budget(2);
        assert_eq!(spending.room(&two), 2);
        spending.asked("shop/db");
        assert_eq!(spending.room(&two), 1);
        spending.answered("shop/db", true);
        assert_eq!(spending.room(&two), 1, "granted, but the watch still says 2");
        spending.seen(&budget(1), Some(2));
        assert_eq!(spending.room(&budget(1)), 1);
        // A refusal spends nothing.
        spending.asked("shop/db");
        spending.answered("shop/db", false);
        assert_eq!(spending.room(&budget(1)), 1);
        assert!(spending.0.is_empty(), "{spending:?}");
    }

    #[test]
    fn a_watch_that_is_faster_than_the_answer_is_not_counted_twice() {
        let mut spending = Spending::default();
        spending.asked("shop/db");
        spending.seen(&budget(1), Some(2));
        assert_eq!(spending.room(&budget(1)), 1);
        spending.answered("shop/db", true);
        assert_eq!(spending.room(&budget(1)), 1);
        assert!(spending.0.is_empty(), "{spending:?}");
    }

    #[test]
    fn few_are_asked_at_once_and_none_of_a_budget_that_is_not_looked_at_yet() {
        let mut spending = Spending::default();
        let many = budget(1_000);
        assert_eq!(spending.room(&many), AT_ONCE);
        for _ in 0..AT_ONCE {
            spending.asked("shop/db");
        }
        assert_eq!(spending.room(&many), 0);
        let new = Budget {
            observed: false,
            ..many
        };
        assert_eq!(Spending::default().room(&new), 0);
    }

    #[derive(Debug, Clone)]
    enum Event {
        Ask,
        /// The server works on the oldest question.
        Count,
        /// Its oldest answer arrives.
        Answer,
        /// The watch shows the next change.
        Show,
        /// A pod of the budget comes back elsewhere.
        Recover,
    }

    /// Plays the events, then lets all come to rest. Says how often was asked in vain.
    fn play(first: u32, events: &[Event]) -> Result<u32, TestCaseError> {
        let mut spending = Spending::default();
        let (mut server, mut shown, mut vain) = (first, first, 0);
        let (mut questions, mut answers, mut changes) = (0_u32, VecDeque::new(), VecDeque::new());
        let quiet = [Event::Count, Event::Answer, Event::Show];
        for event in events.iter().chain(quiet.iter().cycle().take(1_000)) {
            match event {
                Event::Ask if spending.room(&budget(shown)) > 0 => {
                    spending.asked("shop/db");
                    questions += 1;
                }
                Event::Count if questions > 0 => {
                    questions -= 1;
                    answers.push_back(server > 0);
                    if server > 0 {
                        server -= 1;
                        changes.push_back(server);
                    } else {
                        vain += 1;
                    }
                }
                Event::Answer => {
                    if let Some(granted) = answers.pop_front() {
                        spending.answered("shop/db", granted);
                    }
                }
                Event::Show => {
                    if let Some(now) = changes.pop_front() {
                        spending.seen(&budget(now), Some(shown));
                        shown = now;
                    }
                }
                Event::Recover => {
                    server += 1;
                    changes.push_back(server);
                }
                Event::Ask | Event::Count => {}
            }
        }
        prop_assert_eq!(shown, server);
        prop_assert_eq!(
            spending.room(&budget(shown)),
            server.min(AT_ONCE),
            "{:?}",
            spending
        );
        Ok(vain)
    }

    fn any_event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Ask),
            Just(Event::Count),
            Just(Event::Answer),
            Just(Event::Show),
            Just(Event::Recover),
        ]
    }

    proptest! {
        /// Whatever overtakes what: as long as nobody else changes the budget, nothing is asked in vain.
        #[test]
        fn a_budget_is_never_overspent(first in 0_u32..12, mut events in vec(any_event(), 0..200)) {
            events.retain(|event| !matches!(event, Event::Recover));
            prop_assert_eq!(play(first, &events)?, 0);
        }

        /// Changes of others can make it ask in vain, each once; when all is quiet, all there is can be asked for.
        #[test]
        fn a_budget_is_never_forgotten(first in 0_u32..12, events in vec(any_event(), 0..200)) {
            let others = events.iter().filter(|event| matches!(event, Event::Recover)).count();
            let vain = play(first, &events)?;
            prop_assert!(vain as usize <= others * AT_ONCE as usize, "{vain} in vain, {others} changes of others");
        }
    }
}
