//! What is asked of the API server, and what its answers do.

use std::{sync::Arc, time::Duration};

use hollowtrees_domain::drain::{Bearing, Pod, Unbudgeted, order::Place};
use jiff::Timestamp;

use super::{State, between, track};
use crate::{
    engine::{
        budgets::Admission,
        record::Override,
        track::{Doing, Phase, Wanted},
    },
    request::Refusal,
};

/// One request to make.
#[derive(Debug)]
pub(in crate::engine) struct Ask {
    pub(in crate::engine) place: Place,
    pub(in crate::engine) pod: Arc<Pod>,
    pub(in crate::engine) wanted: Wanted,
    /// Seconds; `None` for the pod's own.
    pub(in crate::engine) grace: Option<u32>,
    /// Less than it would be given if there were time.
    is_hurried: bool,
    /// By deletion though an eviction is wanted: no budget covers it.
    pub(in crate::engine) by_deletion: bool,
    /// Without an answer by then it is forced.
    pub(in crate::engine) patience: Option<Duration>,
    /// The refusal before this request.
    pub(in crate::engine) last_word: String,
    /// The budget that counts it.
    counted: Option<String>,
}

/// How an eviction is asked for.
#[derive(Debug, Default)]
struct Way {
    by_deletion: bool,
    counted: Option<String>,
}

impl Ask {
    /// The request it makes.
    pub(in crate::engine) fn request(&self) -> &'static str {
        if self.by_deletion {
            Wanted::Delete.as_str()
        } else {
            self.wanted.as_str()
        }
    }
}

impl State {
    /// As many of the queue as there are slots for.
    pub(super) fn take(&mut self, asks: &mut Vec<Ask>, now: Timestamp) {
        while !self.queue.is_empty() && self.pace.start(now) {
            match self.queue.pop().and_then(|place| self.ask(place, now)) {
                Some(ask) => asks.push(ask),
                None => self.pace.give_back(),
            }
        }
    }

    /// The request for the pod at the head of the queue, with the grace it can have by now.
    fn ask(&mut self, place: Place, now: Timestamp) -> Option<Ask> {
        let drain = self.drains.get_mut(place.node())?;
        let wants = drain.wants();
        let track = drain.tracks.get_mut(place.uid())?;
        let Phase::Queued(_, wanted) = track.phase else {
            return None;
        };
        let pod = Arc::clone(&track.pod);
        let going = match Bearing::of(&pod, &self.options, &wants) {
            Bearing::Goes(going) if going.wish.deadline.is_none_or(|deadline| deadline > now) => going,
            Bearing::Goes(_) | Bearing::Stays(_) => {
                track.phase = Phase::Idle;
                return None;
            }
        };
        let way = match wanted {
            Wanted::Evict => self.admit(&place, &pod, now)?,
            Wanted::Delete | Wanted::Shorten => Way::default(),
        };
        let grace = match wanted {
            Wanted::Evict => going.eviction_grace(&pod, now),
            Wanted::Delete => Some(going.wish.grace_left(going.grace_seconds, now)),
            Wanted::Shorten => {
                let granted = pod
                    .deletion
                    .map_or(pod.grace_seconds, |deletion| deletion.grace_seconds);
                Some(going.wish.grace_left(granted, now))
            }
        };
        let patience = (wanted == Wanted::Evict)
            .then(|| going.wish.patience(going.grace_seconds, now))
            .flatten()
            .and_then(|patience| Duration::try_from(patience).ok());
        let drain = self.drains.get_mut(place.node())?;
        drain.requests += 1;
        let track = drain.tracks.get_mut(place.uid())?;
        track.phase = Phase::InFlight(wanted);
        let last_word = track.last_word.clone();
        if let Some(since) = track.queued_since.take() {
            self.observer.had_its_turn(between(since, now));
        }
        Some(Ask {
            place,
            pod,
            wanted,
            grace,
            is_hurried: grace.is_some_and(|grace| grace < going.grace_seconds),
            by_deletion: way.by_deletion,
            patience,
            last_word,
            counted: way.counted,
        })
    }

    /// Whether an eviction is worth asking for, and how. `None`: it waits.
    fn admit(&mut self, place: &Place, pod: &Pod, now: Timestamp) -> Option<Way> {
        if !self.cache.sees_budgets() {
            return Some(Way::default());
        }
        let covering = self.cache.budgets_of(pod);
        let by_deletion = covering.is_empty()
            && match self.options.unbudgeted {
                Unbudgeted::Evict => false,
                Unbudgeted::Auto => self.hurry.is_on(),
                Unbudgeted::Delete => true,
            };
        let admission = self.budgets.admit(pod, &covering);
        let track = track(&mut self.drains, place)?;
        let (budgets, counted) = match admission {
            Admission::Free => (Vec::new(), None),
            Admission::Counted(budget) => (Vec::new(), Some(budget)),
            Admission::Later(budget) => {
                track.is_later(now);
                (vec![budget], None)
            }
            // What is seen of budgets may be wrong: now and then it is asked all the same.
            Admission::Refused(mut budgets, _) if track.asks_anyway(now) => {
                let only = budgets.pop().filter(|_| budgets.is_empty());
                (Vec::new(), only)
            }
            Admission::Refused(budgets, why) => {
                track.refused_unasked(why, now);
                (budgets, None)
            }
        };
        if !budgets.is_empty() {
            self.keep(place, budgets, now);
            self.touched.insert(Arc::clone(place.node()));
            return None;
        }
        if let Some(budget) = &counted {
            self.budgets.asked(budget);
        }
        Some(Way { by_deletion, counted })
    }

    /// Takes in an answer.
    pub(in crate::engine) fn answered(
        &mut self,
        ask: &Ask,
        answer: Result<(), Refusal>,
        took: Duration,
        now: Timestamp,
    ) {
        match &answer {
            Err(Refusal::Throttled { after }) => self.pace.throttled(now, *after),
            Ok(()) | Err(_) => self.pace.end(took, now),
        }
        let budgets = self.cache.budgets_of(&ask.pod);
        if let Some(counted) = &ask.counted {
            self.budgets.answered(counted, answer.is_ok());
            // The next one under it has its turn.
            if let Some(budget) = budgets.iter().find(|budget| budget.path() == *counted) {
                self.wake(budget, false, now);
            }
        }
        let paused_until = self.pace.paused_until();
        let Some(track) = track(&mut self.drains, &ask.place) else {
            return;
        };
        let doing = match ask.wanted {
            Wanted::Evict if ask.by_deletion => Doing::Deleted,
            Wanted::Evict => Doing::Evicted,
            Wanted::Delete => Doing::Forced(Override {
                budgets: budgets.iter().map(|budget| budget.name.clone()).collect(),
                refusal: track.last_word.clone(),
                grace_seconds: ask.grace.unwrap_or(ask.pod.grace_seconds),
            }),
            Wanted::Shorten => Doing::Nobodys,
        };
        if answer.is_ok() {
            self.hurry.answered();
            track.shortened |= ask.is_hurried;
        }
        let is_budget = matches!(answer, Err(Refusal::Budget { .. }));
        let word = track.answered(ask.wanted, answer.map(|()| doing), now, paused_until);
        if is_budget {
            let paths = budgets.iter().map(|budget| budget.path()).collect();
            self.keep(&ask.place, paths, now);
        }
        let (node, pod) = (ask.place.node(), &ask.pod);
        tracing::debug!(%node, pod = %pod.path(), request = ask.request(), answer = word, "A request about a pod was answered.");
        self.observer.answered(ask.request(), word, took);
        self.touched.insert(Arc::clone(ask.place.node()));
    }
}
