//! Where swaps of one group meet in a process: one of them takes the group's lease, looks once, and makes their calls.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hollowtrees_aws::Refusal;
use hollowtrees_domain::swap::{joint::Wish, world::Group};
use hollowtrees_schemas::proto;
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot};

/// Who leads waits so long for each other swap that may come to the same step, and no longer than that.
const GATHERS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(1_000));
/// Looks, between.
const LOOKS: Duration = Duration::from_millis(20);

/// The desks of a process.
#[derive(Default)]
pub(crate) struct Desks(Mutex<HashMap<String, Weak<Desk>>>);

impl Desks {
    /// The one of a group.
    pub(crate) fn of(&self, group: &str) -> Arc<Desk> {
        let mut desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        desks.retain(|_, desk| desk.strong_count() > 0);
        if let Some(desk) = desks.get(group).and_then(Weak::upgrade) {
            return desk;
        }
        let desk = Arc::new(Desk::default());
        desks.insert(group.to_owned(), Arc::downgrade(&desk));
        desk
    }
}

/// One group's.
#[derive(Default)]
pub(crate) struct Desk {
    /// Who holds it leads.
    pub(crate) turn: Arc<tokio::sync::Mutex<()>>,
    seats: Mutex<HashMap<u64, mpsc::Sender<Round>>>,
    next: AtomicU64,
    /// Swaps that are on their way to a step under the lease.
    coming: AtomicUsize,
    /// Calls them.
    gathers: Notify,
}

/// The group as whoever leads sees it under the lease.
#[derive(Clone)]
pub(crate) struct Round {
    /// None: it is gone.
    pub(crate) group: Option<Group>,
    /// Read after the group.
    pub(crate) record: Arc<proto::Group>,
    /// Which look it is by. Rounds of one look have the same members.
    pub(crate) look: u64,
    /// Where a step is asked for. Dropped without: there is none.
    pub(crate) asked: mpsc::Sender<Asked>,
}

/// A step that is asked for.
pub(crate) struct Asked {
    pub(crate) wish: Wish,
    pub(crate) deadline: Timestamp,
    /// Dropped without a word: it was not its turn.
    pub(crate) told: oneshot::Sender<Result<(), Refusal>>,
}

/// A place at a desk. Left when it is dropped.
pub(crate) struct Seat {
    desk: Arc<Desk>,
    number: u64,
    pub(crate) rounds: mpsc::Receiver<Round>,
}

/// A swap on its way. Until it is dropped whoever leads waits a little for it.
pub(crate) struct Coming(Arc<Desk>);

impl Desk {
    fn seats(&self) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<Round>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sit(self: &Arc<Self>) -> Seat {
        let (call, rounds) = mpsc::channel(1);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.seats().insert(number, call);
        Seat {
            desk: Arc::clone(self),
            number,
            rounds,
        }
    }

    /// A look that is made here.
    pub(crate) fn new_look(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn comes(self: &Arc<Self>) -> Coming {
        self.coming.fetch_add(1, Ordering::Relaxed);
        Coming(Arc::clone(self))
    }

    /// Tells everybody who sits here of a round. Who has not taken the one before has it still to come.
    pub(crate) fn call(&self, round: &Round) {
        for seat in self.seats().values() {
            drop(seat.try_send(round.clone()));
        }
    }

    /// Calls everybody who is on the way, and waits until they sit, but not for long: `most` at most.
    pub(crate) async fn gather(&self, most: Duration) {
        // Who waits for its next look has it now.
        self.gathers.notify_waiters();
        // The one that leads is on its way too.
        let others = self.coming.load(Ordering::Relaxed).saturating_sub(1);
        let until = GATHERS
            .0
            .saturating_mul(u32::try_from(others).unwrap_or(u32::MAX))
            .min(GATHERS.1)
            .min(most);
        let all_sit = async {
            while self.seats().len() < self.coming.load(Ordering::Relaxed).saturating_sub(1) {
                tokio::time::sleep(LOOKS).await;
            }
        };
        // Whoever comes later has its turn later.
        drop(tokio::time::timeout(until, all_sit).await);
    }
}

impl Coming {
    /// Until whoever leads gathers the others.
    pub(crate) fn called(&self) -> impl Future<Output = ()> + use<> {
        let desk = Arc::clone(&self.0);
        async move { desk.gathers.notified().await }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.desk.seats().remove(&self.number);
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.coming.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(asked: mpsc::Sender<Asked>) -> Round {
        Round {
            group: None,
            record: Arc::default(),
            look: 0,
            asked,
        }
    }

    #[tokio::test]
    async fn who_sits_is_called_and_who_left_is_not() {
        let desks = Desks::default();
        let desk = desks.of("g");
        let (mut first, second) = (desk.sit(), desks.of("g").sit());
        drop(second);
        let (asked, mut heard) = mpsc::channel(4);
        desk.call(&round(asked));
        let called = first.rounds.recv().await.unwrap();
        assert!(called.group.is_none());
        drop(called);
        assert!(heard.recv().await.is_none(), "nobody else was called");
    }

    #[tokio::test(start_paused = true)]
    async fn who_leads_calls_those_who_wait_for_their_next_look() {
        let desk = Desks::default().of("g");
        let (leads, other) = (desk.comes(), desk.comes());
        let called = tokio::spawn(async move {
            other.called().await;
            other
        });
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!called.is_finished(), "nobody gathers yet");
        desk.gather(Duration::from_secs(60)).await;
        drop((called.await.unwrap(), leads));
    }

    #[tokio::test(start_paused = true)]
    async fn who_leads_waits_for_those_who_come_but_not_for_long() {
        let desk = Desks::default().of("g");
        let waited = async |most| {
            let start = tokio::time::Instant::now();
            desk.gather(most).await;
            start.elapsed()
        };
        let long = Duration::from_secs(60);
        assert_eq!(waited(long).await, Duration::ZERO, "it is alone");
        let coming: Vec<_> = (0..5).map(|_| desk.comes()).collect();
        assert_eq!(waited(long).await, Duration::from_millis(400));
        assert_eq!(
            waited(Duration::from_millis(100)).await,
            Duration::from_millis(100)
        );
        let seats: Vec<_> = (0..4).map(|_| desk.sit()).collect();
        assert_eq!(waited(long).await, Duration::ZERO, "all are there");
        drop(seats);
        drop(coming);
        let many: Vec<_> = (0..50).map(|_| desk.comes()).collect();
        assert_eq!(waited(long).await, Duration::from_millis(1_000));
        drop(many);
    }
}
