//! What is remembered of one pod while its node is drained. What to do follows from the cluster; this is only what has
//! been asked and when to ask again.

use std::{sync::Arc, time::Duration};

use hollowtrees_domain::drain::{Pod, Step, order::Place};
use jiff::{SignedDuration, Timestamp};

use super::{record::Override, state::between};
use crate::request::Refusal;

/// First and longest wait after a budget's refusal.
const BUDGET_WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// First and longest wait after a server's trouble.
const TROUBLE_WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// First and longest wait of a pod whose budget shows that it would be refused; then it is asked all the same.
const KEPT_WAITS: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(600));
/// Wait for others of the same budget to be answered; they say so themselves.
const LATER_WAIT: Duration = Duration::from_secs(1);
/// Wait after a plain no.
const DENIED_WAIT: Duration = Duration::from_secs(5);
/// What was granted is asked again when the watch has not shown it after this long.
const CONFIRM_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// What can be asked about a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Evict,
    Delete,
    Shorten,
}

impl Wanted {
    pub(super) fn of(step: Step) -> Option<Self> {
        match step {
            Step::Evict { .. } => Some(Self::Evict),
            Step::Delete { .. } => Some(Self::Delete),
            Step::Shorten { .. } => Some(Self::Shorten),
            Step::Skip(_) | Step::Ended | Step::Await | Step::Gate | Step::Reserve | Step::Late => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Evict => "evict",
            Self::Delete => "delete",
            Self::Shorten => "shorten",
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    Queued(Place, Wanted),
    InFlight(Wanted),
    /// Not again before.
    Waiting(Timestamp, Wanted),
    /// Done; the watch shows it until then, or it is asked again.
    Granted(Timestamp, Wanted),
}

/// Who ended it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Nobodys,
    Evicted,
    /// Without a budget that could have kept it.
    Deleted,
    Forced(Override),
}

#[derive(Debug)]
pub(super) struct Track {
    /// As it was seen last.
    pub(super) pod: Arc<Pod>,
    pub(super) phase: Phase,
    pub(super) doing: Doing,
    pub(super) shortened: bool,
    /// The last eviction was refused for something other than the server's load, or would have been.
    pub(super) refused: bool,
    /// The budgets it waits for, and where: a change of one is worth another try.
    pub(super) kept: Option<Kept>,
    /// Since when its budgets refuse it, and which: until it is granted, however often it is asked meanwhile.
    pub(super) held: Option<Held>,
    /// The last refusal, in the server's words.
    pub(super) last_word: String,
    /// When it was put into the queue, where it is in it.
    pub(super) queued_since: Option<Timestamp>,
    tries: u32,
    /// Waits for a budget in a row, without asking.
    waits: u32,
    /// Then it is asked, whatever the budgets seem to be.
    ask_by: Option<Timestamp>,
}

/// A pod that its budgets keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) budgets: Vec<String>,
    pub(super) place: Place,
    pub(super) since: Timestamp,
}

/// A pod that its budgets refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) budgets: Vec<String>,
    pub(super) since: Timestamp,
}

impl Track {
    pub(super) fn new(pod: Arc<Pod>) -> Self {
        Self {
            pod,
            phase: Phase::Idle,
            doing: Doing::Nobodys,
            shortened: false,
            refused: false,
            kept: None,
            held: None,
            last_word: String::new(),
            queued_since: None,
            tries: 0,
            waits: 0,
            ask_by: None,
        }
    }

    /// How long the watch took to show what was granted, if it is shown now for the first time.
    pub(super) fn shown(&self, now: Timestamp) -> Option<Duration> {
        let Phase::Granted(until, _) = self.phase else {
            return None;
        };
        let granted_at = until.checked_sub(CONFIRM_WITHIN).ok()?;
        Some(between(granted_at, now))
    }

    /// Whether it is asked though its budgets seem to be against it: what is seen of them may be wrong.
    pub(super) fn asks_anyway(&self, now: Timestamp) -> bool {
        self.ask_by.is_some_and(|by| by <= now)
    }

    /// Its budgets would refuse it: it waits for their change. Longer each time, for what is seen of them has been right.
    pub(super) fn refused_unasked(&mut self, why: String, now: Timestamp) {
        let (first, longest) = KEPT_WAITS;
        let wait = first
            .saturating_mul(2_u32.saturating_pow(self.waits))
            .min(longest);
        let by = match self.ask_by {
            Some(by) => by,
            None => {
                self.waits = self.waits.saturating_add(1);
                after(now, jittered(wait))
            }
        };
        self.ask_by = Some(by);
        (self.refused, self.last_word) = (true, why);
        self.phase = Phase::Waiting(by, Wanted::Evict);
    }

    /// These budgets refuse it.
    pub(super) fn held_by(&mut self, budgets: &[String], now: Timestamp) {
        let since = self.held.take().map_or(now, |held| held.since);
        let budgets = budgets.to_vec();
        self.held = Some(Held { budgets, since });
    }

    /// Others of its budget are asked for first.
    pub(super) fn is_later(&mut self, now: Timestamp) {
        self.phase = Phase::Waiting(after(now, LATER_WAIT), Wanted::Evict);
    }

    /// Takes in an answer, and says what it was for those who count.
    pub(super) fn answered(
        &mut self,
        wanted: Wanted,
        answer: Result<Doing, Refusal>,
        now: Timestamp,
        paused_until: Timestamp,
    ) -> &'static str {
        let wait_until = |wait| after(now, wait);
        let confirmed_by = now.checked_add(CONFIRM_WITHIN).unwrap_or(Timestamp::MAX);
        self.ask_by = None;
        let (until, word) = match answer {
            Ok(doing) => {
                (self.tries, self.waits, self.refused) = (0, 0, false);
                self.held = None;
                match wanted {
                    // What was forced before stays forced: evicting it again is granted for that reason.
                    Wanted::Evict if self.doing == Doing::Nobodys => self.doing = doing,
                    Wanted::Evict => {}
                    Wanted::Delete => self.doing = doing,
                    Wanted::Shorten => self.shortened = true,
                }
                self.phase = Phase::Granted(confirmed_by, wanted);
                return "granted";
            }
            // Another one has its name: this one is gone for certain.
            Err(Refusal::Replaced) => {
                self.held = None;
                self.phase = Phase::Granted(confirmed_by, wanted);
                return "gone";
            }
            // Gone as well, as a rule, and the watch shows it soon. But no pod is left to its end on the word of one
            // request: as long as it is shown it is asked again, and at its last moment it is deleted.
            Err(refusal @ Refusal::Missing) => {
                self.held = None;
                (self.refused, self.last_word) = (true, refusal.to_string());
                (confirmed_by, "gone")
            }
            Err(Refusal::Throttled { .. }) => {
                // One after another when the pause is over, in the order of the queue.
                (paused_until, "throttled")
            }
            Err(Refusal::Budget { message, after }) => {
                (self.refused, self.last_word) = (true, message);
                (wait_until(self.backoff(BUDGET_WAITS, after)), "budget")
            }
            Err(refusal @ (Refusal::Transient { .. } | Refusal::Changed)) => {
                let after = match &refusal {
                    Refusal::Transient { after, .. } => *after,
                    _ => None,
                };
                (self.refused, self.last_word) = (true, refusal.to_string());
                (wait_until(self.backoff(TROUBLE_WAITS, after)), "trouble")
            }
            Err(Refusal::Denied { message }) => {
                self.held = None;
                (self.refused, self.last_word) = (true, message);
                (wait_until(jittered(DENIED_WAIT)), "denied")
            }
        };
        self.phase = Phase::Waiting(until, wanted);
        word
    }

    /// The clock was set: what waits may be asked again, and what was granted is confirmed in the usual time.
    pub(super) fn clock_stepped(&mut self, now: Timestamp) {
        if let Some(held) = &mut self.held {
            held.since = held.since.min(now);
        }
        match &mut self.phase {
            Phase::Waiting(until, _) => {
                *until = now;
                self.ask_by = None;
            }
            Phase::Granted(until, _) => *until = now.checked_add(CONFIRM_WITHIN).unwrap_or(Timestamp::MAX),
            Phase::Idle | Phase::Queued(..) | Phase::InFlight(_) => {}
        }
    }

    fn backoff(&mut self, (first, longest): (Duration, Duration), after: Option<Duration>) -> Duration {
        let wait = first
            .saturating_mul(2_u32.saturating_pow(self.tries))
            .min(longest);
        self.tries = self.tries.saturating_add(1);
        jittered(wait).max(after.unwrap_or_default())
    }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| now.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Between half of it and all of it.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::random_range(0.5..=1.0))
}
