//! When it is worth a word that budgets keep a node from being drained.

use std::{collections::BTreeSet, sync::Arc};

use hollowtrees_domain::drain::{Bearing, Force, Options, Pod, Want};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::track::Held;

/// Most budgets give way sooner: a pod that comes up elsewhere is what they wait for.
const WORTH_A_WORD: SignedDuration = SignedDuration::from_secs(5);

/// Budgets that keep pods of a node, for some seconds by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The budgets, by `namespace/name`, sorted.
    pub budgets: Vec<String>,
    /// The pods, by `namespace/name`, sorted.
    pub pods: Vec<String>,
    /// When the first of them is deleted past its budgets; `None` where nothing may be forced.
    pub forced_from: Option<Timestamp>,
}

/// What was told of one node.
#[derive(Debug, Default)]
pub(super) struct Blockade {
    /// Budgets, and whether they could be overridden.
    told: BTreeSet<(String, bool)>,
    newest: watch::Sender<Option<Arc<Blocked>>>,
}

impl Blockade {
    /// Hears what is told.
    pub(super) fn listen(&self) -> watch::Receiver<Option<Arc<Blocked>>> {
        self.newest.subscribe()
    }

    /// Looks at the pods that are held, and tells of budgets that were not told of. Says when there may be more to tell.
    pub(super) fn look(
        &mut self,
        held: &[(&Pod, &Held)],
        options: &Options,
        wants: &[Want],
        now: Timestamp,
    ) -> Option<Timestamp> {
        let is_late = |want: &Want| want.wish.deadline.is_some_and(|deadline| deadline <= now);
        if held.is_empty() || wants.iter().all(is_late) {
            if self.newest.borrow().is_some() {
                self.newest.send_replace(None);
            }
            return None;
        }
        let may_force = wants
            .iter()
            .any(|want| want.wish.force != Force::Never && want.wish.deadline.is_some());
        let news = held.iter().filter(|(_, held)| {
            let mut budgets = held.budgets.iter();
            budgets.any(|budget| !self.told.contains(&(budget.clone(), may_force)))
        });
        let since = news.map(|(_, held)| held.since).min()?;
        let due = since.checked_add(WORTH_A_WORD).unwrap_or(Timestamp::MAX);
        if due > now {
            return Some(due);
        }
        let budgets: BTreeSet<&String> = held.iter().flat_map(|(_, held)| &held.budgets).collect();
        let told = budgets.iter().map(|budget| ((*budget).clone(), may_force));
        self.told.extend(told);
        let forced_from = |pod: &Pod| match Bearing::of(pod, options, wants) {
            Bearing::Goes(going) => going.wish.force_at(going.grace_seconds),
            Bearing::Stays(_) => None,
        };
        let mut pods: Vec<String> = held.iter().map(|(pod, _)| pod.path()).collect();
        pods.sort_unstable();
        self.newest.send_replace(Some(Arc::new(Blocked {
            budgets: budgets.into_iter().cloned().collect(),
            pods,
            forced_from: held.iter().filter_map(|(pod, _)| forced_from(pod)).min(),
        })));
        None
    }
}

#[cfg(test)]
mod tests {
    use hollowtrees_domain::drain::Wish;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + second).unwrap()
    }

    fn pod(name: &str) -> Pod {
        Pod {
            namespace: "s".to_owned(),
            name: name.to_owned(),
            grace_seconds: 30,
            ..Pod::default()
        }
    }

    fn held(since: i64, budgets: &[&str]) -> Held {
        let budgets = budgets.iter().map(|&budget| budget.to_owned()).collect();
        let since = at(since);
        Held { budgets, since }
    }

    fn want(force: Force) -> [Want; 1] {
        let deadline = Some(at(120));
        [Wish { deadline, force }.into()]
    }

    struct Told {
        blockade: Blockade,
        hears: watch::Receiver<Option<Arc<Blocked>>>,
    }

    impl Told {
        fn nothing() -> Self {
            let blockade = Blockade::default();
            let hears = blockade.listen();
            Self { blockade, hears }
        }

        /// What is told by a look at this second, and when the next one is due.
        fn look(
            &mut self,
            all: &[(&Pod, &Held)],
            force: Force,
            second: i64,
        ) -> (Option<Blocked>, Option<Timestamp>) {
            let due = self
                .blockade
                .look(all, &Options::default(), &want(force), at(second));
            let told = if self.hears.has_changed().unwrap() {
                self.hears.borrow_and_update().as_deref().cloned()
            } else {
                None
            };
            (told, due)
        }
    }

    #[test]
    fn each_budget_is_told_once_after_some_seconds_with_all_that_keep_the_node_then() {
        let mut told = Told::nothing();
        let (a, b) = (pod("a"), pod("b"));
        let (first, second) = (held(0, &["s/x"]), held(3, &["s/y", "s/z"]));
        assert_eq!(told.look(&[], Force::Always, 0), (None, None));
        assert_eq!(told.look(&[(&a, &first)], Force::Always, 2), (None, Some(at(5))));
        // The second one is told with the first, and not once more.
        let both = [(&b, &second), (&a, &first)];
        let (blocked, due) = told.look(&both, Force::Always, 5);
        let expected = Blocked {
            budgets: ["s/x", "s/y", "s/z"].map(str::to_owned).into(),
            pods: ["s/a", "s/b"].map(str::to_owned).into(),
            forced_from: Some(at(90)),
        };
        assert_eq!((blocked, due), (Some(expected), None));
        assert_eq!(told.look(&both, Force::Always, 60), (None, None));
        // A budget of which nothing was told has seconds of its own.
        let third = held(61, &["s/w"]);
        assert_eq!(
            told.look(&[(&a, &third)], Force::Always, 62),
            (None, Some(at(66)))
        );
        let (blocked, _) = told.look(&[(&a, &third)], Force::Always, 66);
        assert_eq!(blocked.unwrap().budgets, ["s/w"]);
        assert_eq!(told.look(&[], Force::Always, 70), (None, None));
    }

    #[test]
    fn it_is_told_again_when_force_becomes_allowed() {
        let mut told = Told::nothing();
        let (a, first) = (pod("a"), held(0, &["s/x"]));
        let (blocked, _) = told.look(&[(&a, &first)], Force::Never, 5);
        assert_eq!(blocked.unwrap().forced_from, None);
        assert_eq!(told.look(&[(&a, &first)], Force::Never, 9), (None, None));
        let (blocked, _) = told.look(&[(&a, &first)], Force::Always, 9);
        assert_eq!(blocked.unwrap().forced_from, Some(at(90)));
        let (blocked, _) = told.look(&[(&a, &held(116, &["s/y"]))], Force::Always, 121);
        assert_eq!(blocked, None, "it is too late for words");
        let (blocked, _) = told.look(&[(&a, &first)], Force::Within(SignedDuration::from_secs(20)), 10);
        assert_eq!(blocked, None);
    }
}
