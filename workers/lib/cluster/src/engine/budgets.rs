//! Which pods wait for which budget, and who is asked for next when one gives.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use hollowtrees_domain::drain::{Hold, Pod, Spending, budget::Budget, order::Place};

/// Whether a pod's eviction is worth asking for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// No budget counts it.
    Free,
    /// It is counted against this budget.
    Counted(String),
    /// These budgets would refuse it, and why.
    Refused(Vec<String>, String),
    /// Enough others are asked for under this budget.
    Later(String),
}

#[derive(Debug, Default)]
pub(super) struct Budgets {
    spending: Spending,
    /// Places of the pods that wait, the most urgent first, by the budget's path.
    waiting: HashMap<String, BTreeSet<Place>>,
}

impl Budgets {
    /// Looks whether these, the budgets that cover the pod, let it go.
    pub(super) fn admit(&self, pod: &Pod, budgets: &[Arc<Budget>]) -> Admission {
        match Hold::of(pod, budgets.iter().map(Arc::as_ref)) {
            Hold::None => Admission::Free,
            Hold::One(budget) if self.spending.room(budget) > 0 => Admission::Counted(budget.path()),
            Hold::One(budget) if self.spending.is_spent(budget) => {
                Admission::Refused(vec![budget.path()], budget.refusal())
            }
            Hold::One(budget) => Admission::Later(budget.path()),
            Hold::Several(several) => {
                let names: Vec<&str> = several.iter().map(|budget| budget.name.as_str()).collect();
                let why = format!(
                    "More than one disruption budget covers it ({}), and the API server evicts nothing under two.",
                    names.join(", ")
                );
                Admission::Refused(several.iter().map(|budget| budget.path()).collect(), why)
            }
        }
    }

    /// An eviction under this budget is asked for.
    pub(super) fn asked(&mut self, budget: &str) {
        self.spending.asked(budget);
    }

    /// It was answered.
    pub(super) fn answered(&mut self, budget: &str, granted: bool) {
        self.spending.answered(budget, granted);
    }

    /// The watch showed it anew.
    pub(super) fn seen(&mut self, budget: &Budget, before: Option<u32>) {
        self.spending.seen(budget, before);
    }

    /// A pod waits for these.
    pub(super) fn wait(&mut self, budgets: &[String], place: &Place) {
        for budget in budgets {
            match self.waiting.get_mut(budget) {
                Some(waiting) => drop(waiting.insert(place.clone())),
                None => drop(
                    self.waiting
                        .insert(budget.clone(), BTreeSet::from([place.clone()])),
                ),
            }
        }
    }

    /// It waits no longer.
    pub(super) fn go(&mut self, budgets: &[String], place: &Place) {
        for budget in budgets {
            if let Some(waiting) = self.waiting.get_mut(budget) {
                waiting.remove(place);
                if waiting.is_empty() {
                    self.waiting.remove(budget);
                }
            }
        }
    }

    /// Those that are worth another look now: as many as there is room for, the most urgent first, and whoever this
    /// budget does not count (any more). `pod_of` gives the pod of a place, and by how many budgets it is kept.
    pub(super) fn awake<'a>(
        &self,
        budget: &Budget,
        is_gone: bool,
        pod_of: impl Fn(&Place) -> Option<(&'a Pod, usize)>,
    ) -> Vec<Place> {
        let Some(waiting) = self.waiting.get(&budget.path()) else {
            return Vec::new();
        };
        let mut room = self.spending.room(budget);
        let mut awake = Vec::new();
        for place in waiting {
            if room == 0 && !is_gone && !budget.ignores_unready() {
                break;
            }
            let Some((pod, keepers)) = pod_of(place) else {
                continue;
            };
            if is_gone || !budget.covers(pod) || Hold::of(pod, [budget]) == Hold::None {
                awake.push(place.clone());
            } else if keepers == 1 && room > 0 {
                room -= 1;
                awake.push(place.clone());
            }
        }
        awake
    }
}
