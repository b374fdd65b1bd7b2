//! The one drain engine of a process: all nodes, all their pods, one queue, one clock.
//!
//! ```text
//!  watches ──> cache ──> touched nodes ──> look: what is each pod's next step (domain::drain)
//!                            ▲                    │
//!  timers, parties ──────────┤                    ▼
//!                            └── answers <── slots <── queue of all pods, the most urgent first
//! ```
//!
//! Nothing is remembered that the cluster does not show, but what was asked and when to ask again; so an engine that
//! takes a drain over goes on where the one before it was. A drained node costs an entry in a map; a slot is taken by a
//! request under way, never by a pod that waits.

mod blockade;
mod budgets;
mod drain;
mod hurry;
mod pace;
mod queue;
mod record;
mod state;
mod track;

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesUnordered};
use hollowtrees_domain::drain::Want;
use jiff::Timestamp;
use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    Counts, Settings,
    cache::{Cache, Change, Node},
    clock::Clock,
    request::{Refusal, Requests},
};
pub use blockade::Blocked;
use drain::Party;
pub use record::{Ended, Override, Summary};
use state::{Ask, State};
use track::Wanted;

/// Counts what the engine does and is answered.
pub trait Observer: Send + Sync + 'static {
    /// A request about a pod (`evict`, `delete`, `shorten`) was answered within `took`: `granted`, `gone`, `budget`,
    /// `throttled`, `trouble` or `denied`.
    fn answered(&self, request: &'static str, answer: &'static str, took: Duration);

    /// A pod's turn came after so long in the queue.
    fn had_its_turn(&self, waited: Duration);

    /// The watch showed what had been granted so long before.
    fn was_shown(&self, lag: Duration);

    /// A pod that a budget kept was kept by it for so long.
    fn was_kept(&self, waited: Duration);

    /// The drain of a node ended. Told once, however many wanted it.
    fn drained(&self, summary: &Summary);
}

/// Counts nothing.
#[derive(Clone, Copy, Debug)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn answered(&self, _request: &'static str, _answer: &'static str, _took: Duration) {}

    fn had_its_turn(&self, _waited: Duration) {}

    fn was_shown(&self, _lag: Duration) {}

    fn was_kept(&self, _waited: Duration) {}

    fn drained(&self, _summary: &Summary) {}
}

/// Drains nodes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wake: Notify,
    clock: Clock,
}

impl Engine {
    /// An engine that follows `cache`; [`Engine::run`] makes it move.
    pub(crate) fn new(cache: &Cache, settings: &Settings, observer: Arc<dyn Observer>, clock: Clock) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(cache.clone(), settings, observer)),
            wake: Notify::new(),
            clock,
        });
        let listening = Arc::downgrade(&shared);
        cache.listen(move |change| {
            let Some(shared) = listening.upgrade() else { return };
            let now = shared.clock.now();
            let mut state = shared.state();
            let woken = match change {
                Change::Node(node) | Change::Pods(node) => state.touch(node),
                Change::Budget(budget, before) => state.budget_changed(budget, *before, now),
                Change::BudgetGone(budget) => state.budget_gone(budget, now),
            };
            drop(state);
            if woken {
                shared.wake.notify_one();
            }
        });
        Self { shared }
    }

    /// Begins the drain of a node, or joins the one under way. `until`: waited no longer, deadline or not.
    pub(crate) fn drain(&self, node: &Node, want: Want, until: Option<Timestamp>) -> Ticket {
        let (answer, summary) = oneshot::channel();
        let party = Party {
            id: 0,
            want,
            until,
            answer,
        };
        let (id, blocked) = self
            .shared
            .state()
            .join(&node.name, &node.uid, party, self.shared.clock.now());
        self.shared.wake.notify_one();
        Ticket {
            shared: Arc::clone(&self.shared),
            node: Arc::clone(&node.name),
            id,
            summary,
            blocked,
        }
    }

    /// While this is held a node is being cordoned, and pods give way.
    pub(crate) fn cordoning(&self) -> Cordoning {
        self.shared.state().cordon_began();
        Cordoning(Arc::clone(&self.shared))
    }

    /// Nodes are being cordoned, or pods wait for their turn.
    pub(crate) fn is_busy(&self) -> bool {
        let now = self.shared.clock.now();
        self.shared.state().is_busy(now)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.shared.state().counts(self.shared.clock.now())
    }

    /// Works until `stop`.
    pub(crate) async fn run(self, requests: Requests, stop: CancellationToken) {
        let mut asking = FuturesUnordered::new();
        let clock = &self.shared.clock;
        let mut steps = clock.steps();
        loop {
            let (asks, next) = self.shared.state().advance(clock.now());
            for ask in asks {
                let requests = requests.clone();
                asking.push(async move {
                    let asked_at = Instant::now();
                    let answer = in_time(&ask, make(&requests, &ask)).await;
                    (ask, answer, asked_at.elapsed())
                });
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some((ask, answer, took)) = asking.next(), if !asking.is_empty() => {
                    self.shared.state().answered(&ask, answer, took, clock.now());
                }
                () = self.shared.wake.notified() => {}
                // The clock holds the other end.
                _ = steps.changed() => self.shared.state().clock_stepped(clock.now()),
                () = sleep_until(next, clock) => {}
            }
        }
        self.shared.state().stop(clock.now());
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cordon under way.
pub(crate) struct Cordoning(Arc<Shared>);

impl Drop for Cordoning {
    fn drop(&mut self) {
        let now = self.0.clock.now();
        self.0.state().cordon_ended(now);
        self.0.wake.notify_one();
    }
}

/// A request that hangs must not keep its pod from being forced.
async fn in_time(ask: &Ask, answer: impl Future<Output = Result<(), Refusal>>) -> Result<(), Refusal> {
    let Some(patience) = ask.patience else {
        return answer.await;
    };
    tokio::time::timeout(patience, answer).await.unwrap_or_else(|_| {
        let before = ask.last_word.as_str();
        let message = if before.is_empty() {
            "no answer before its last moment".to_owned()
        } else {
            format!("no answer before its last moment; until then: {before}")
        };
        Err(Refusal::Transient { message, after: None })
    })
}

async fn make(requests: &Requests, ask: &Ask) -> Result<(), Refusal> {
    let pod = &ask.pod;
    match ask.wanted {
        Wanted::Evict if ask.by_deletion => {
            requests
                .delete(&pod.namespace, &pod.name, &pod.uid, ask.grace)
                .await
        }
        Wanted::Evict => {
            requests
                .evict(&pod.namespace, &pod.name, &pod.uid, ask.grace)
                .await
        }
        Wanted::Delete | Wanted::Shorten => {
            let grace = ask.grace.unwrap_or(pod.grace_seconds).max(1);
            requests
                .delete(&pod.namespace, &pod.name, &pod.uid, Some(grace))
                .await
        }
    }
}

/// The only timer there is.
async fn sleep_until(at: Option<Timestamp>, clock: &Clock) {
    match at {
        Some(at) => {
            let wait = Duration::try_from(at.duration_since(clock.now())).unwrap_or_default();
            // Never before the moment itself, which has more digits than a timer.
            tokio::time::sleep(wait + Duration::from_millis(1)).await;
        }
        None => std::future::pending().await,
    }
}

/// A party's part in a drain. Dropped, the party is out of it; the last one out ends it.
pub struct Ticket {
    shared: Arc<Shared>,
    node: Arc<str>,
    id: u64,
    summary: oneshot::Receiver<Summary>,
    blocked: watch::Receiver<Option<Arc<Blocked>>>,
}

/// What a drain says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Budgets have kept pods of the node for some seconds. Told once for each budget, and again when they may be
    /// overridden.
    Blocked(Arc<Blocked>),
    /// It ended.
    Ended(Box<Summary>),
}

impl Ticket {
    /// The deadline moved, or force became allowed. `until`: waited no longer, deadline or not.
    pub fn change(&self, want: impl Into<Want>, until: Option<Timestamp>) {
        let want = want.into();
        self.shared.state().change(&self.node, self.id, |party| {
            (party.want, party.until) = (want, until);
        });
        self.shared.wake.notify_one();
    }

    /// Waits for the end. Safe to drop and call again; `None` once it was told.
    pub async fn ended(&mut self) -> Option<Summary> {
        (&mut self.summary).await.ok()
    }

    /// Waits for the next word; the end is the last one. Safe to drop and call again. `None`: the engine is gone.
    pub async fn word(&mut self) -> Option<Word> {
        tokio::select! {
            biased;
            summary = &mut self.summary => summary.ok().map(|summary| Word::Ended(Box::new(summary))),
            blocked = newest(&mut self.blocked) => Some(Word::Blocked(blocked)),
        }
    }

    /// Leaves it, and says what was done so far; `None` where it has ended already.
    pub fn leave(self) -> Option<Summary> {
        let now = self.shared.clock.now();
        self.shared.state().leave(&self.node, self.id, now)
    }
}

async fn newest(blocked: &mut watch::Receiver<Option<Arc<Blocked>>>) -> Arc<Blocked> {
    while blocked.changed().await.is_ok() {
        if let Some(blocked) = blocked.borrow_and_update().as_ref() {
            return Arc::clone(blocked);
        }
    }
    // The drain has ended, and says so elsewhere.
    std::future::pending().await
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let now = self.shared.clock.now();
        self.shared.state().leave(&self.node, self.id, now);
        self.shared.wake.notify_one();
    }
}
