//! Which processes are alive, and by how much our clock is off the server's.
//!
//! Each process writes its key in `ht_workers` every second; the bucket drops what is older than four, so that a dead
//! process's actions, which the bus hands out again within `ack_wait` (5 s), find nobody alive. Who could not write for
//! two and a half seconds no longer counts itself as alive: its work may be someone else's by now, so it must prove its
//! claims before it goes on ([`Lease::lapses`]).

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hollowtrees_schemas::{key, proto};
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    Bus, Revision, WriteError,
    store::{Presence, Store},
    topology::LIVENESS_MAX_AGE,
    watch::Change,
};

/// How often a process renews its word.
pub const RENEW_EVERY: Duration = Duration::from_secs(1);
/// After this long without a renewal a process starts no effect.
pub const LAPSE_AFTER: Duration = Duration::from_millis(2_500);
/// A round trip longer than this says too little about the clocks.
const PRECISE: Duration = Duration::from_millis(500);
/// A clock further off than this is corrected; below it the provider's own times are no better.
pub const TOLERATED_OFFSET: SignedDuration = SignedDuration::from_secs(2);

/// Our own liveness and the view of everyone's. Cheap to clone; the tasks end with the last clone.
#[derive(Clone)]
pub struct Lease {
    shared: Arc<Shared>,
    tasks: Arc<Tasks>,
}

struct Shared {
    key: String,
    store: Store<proto::Liveness>,
    renewed: Mutex<Renewed>,
    /// Since when the own word has been fresh all along.
    fresh_since: Mutex<Instant>,
    lapses: AtomicU64,
    offset_micros: AtomicI64,
    written: Mutex<Option<Written>>,
    peers: Mutex<Peers>,
    /// When the connection was last made.
    connected_since: Mutex<Instant>,
}

/// When the own word was last given.
#[derive(Clone, Copy)]
struct Renewed {
    at: Instant,
    /// A machine that was suspended finds its monotonic clock where it left it; not this one.
    wall: Timestamp,
}

impl Renewed {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            wall: Timestamp::now(),
        }
    }

    fn is_stale(&self) -> bool {
        let by_wall = Duration::try_from(Timestamp::now().duration_since(self.wall)).unwrap_or_default();
        self.at.elapsed().max(by_wall) >= LAPSE_AFTER
    }
}

/// The last renewal, to measure the clocks with once the watch shows when the server stored it.
#[derive(Clone, Copy)]
struct Written {
    revision: Revision,
    wall: Timestamp,
    took: Duration,
}

#[derive(Default)]
struct Peers {
    synced: bool,
    seen: HashMap<String, Instant>,
    /// Where processes take what others give them, by their key.
    takers: HashMap<String, Taker>,
    /// Kinds of action and when someone last said that it serves them.
    serving: HashMap<String, Instant>,
}

/// A process that takes deliveries from others of its consumer.
#[derive(Clone, Debug, PartialEq)]
pub struct Taker {
    /// It.
    pub worker: proto::Worker,
    /// The subject for [`Bus::forward`].
    pub at: String,
}

struct Tasks(Vec<JoinHandle<()>>);

impl Tasks {
    fn stop(&self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What is known of another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It gave its word lately; unless it gives it again, it counts for so long.
    Alive(Duration),
    /// Its word is too old, and the view is complete.
    Gone,
    /// The view is not complete.
    Unknown,
}

impl Lease {
    /// Registers the process `me` and keeps its word fresh until the last clone is dropped. The clocks are
    /// compared before this returns.
    pub async fn register(bus: &Bus, me: &proto::Liveness) -> Result<Self, WriteError> {
        let worker = me.worker.clone().unwrap_or_default();
        let shared = Arc::new(Shared {
            key: key::worker(&worker.kind, &worker.process),
            store: bus.workers().clone(),
            renewed: Mutex::new(Renewed::now()),
            fresh_since: Mutex::new(Instant::now()),
            lapses: AtomicU64::new(0),
            offset_micros: AtomicI64::new(0),
            written: Mutex::default(),
            peers: Mutex::default(),
            connected_since: Mutex::new(Instant::now()),
        });
        shared.give_word(me).await?;
        match shared.store.get(&shared.key).await {
            Ok(Some(own)) => shared.measure_offset(own.revision, own.stored_at),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "The clocks could not be compared yet."),
        }
        let tasks = vec![
            tokio::spawn(renew(Arc::clone(&shared), me.clone())),
            tokio::spawn(observe(Arc::clone(&shared))),
            tokio::spawn(follow_connection(Arc::clone(&shared), bus.connected())),
        ];
        Ok(Self {
            shared,
            tasks: Arc::new(Tasks(tasks)),
        })
    }

    /// Whether the own word is fresh enough to start an effect.
    pub fn is_fresh(&self) -> bool {
        !lock(&self.shared.renewed).is_stale()
    }

    /// How often the own word had gone stale before it was renewed. A claim taken before the last lapse, or
    /// while the word is stale, must be proven again by a compare-and-set on the ledger before its work goes on.
    pub fn lapses(&self) -> u64 {
        self.shared.lapses.load(Ordering::Acquire)
    }

    /// What is known of a process. [`Standing::Gone`] is said only after the bucket was asked as well (the watch
    /// may lag behind a process that is new), and by one that was here all along: after an outage, of the way or of the
    /// bucket alone (an election), every word has aged, and whoever is back first must not take the others for dead.
    pub async fn standing(&self, worker: &proto::Worker) -> Standing {
        let key = key::worker(&worker.kind, &worker.process);
        {
            let peers = lock(&self.shared.peers);
            match peers.seen.get(&key) {
                Some(seen) => {
                    let left = LIVENESS_MAX_AGE.saturating_sub(seen.elapsed());
                    if !left.is_zero() {
                        return Standing::Alive(left);
                    }
                }
                None if peers.synced => {}
                None => return Standing::Unknown,
            }
        }
        match self.shared.store.presence(&key).await {
            // The watch has not shown it yet, or the bucket is about to drop it.
            Ok(Presence::There) => Standing::Alive(Duration::ZERO),
            // It said goodbye: that needs no age.
            Ok(Presence::Removed) => Standing::Gone,
            Ok(Presence::Absent) if self.was_here_all_along() => Standing::Gone,
            Ok(Presence::Absent) => Standing::Unknown,
            Err(error) => {
                tracing::debug!(%error, "A liveness record could not be read.");
                Standing::Unknown
            }
        }
    }

    fn was_here_all_along(&self) -> bool {
        let since = |moment: &Mutex<Instant>| lock(moment).elapsed();
        self.is_fresh()
            && since(&self.shared.connected_since) >= LIVENESS_MAX_AGE
            && since(&self.shared.fresh_since) >= LIVENESS_MAX_AGE
    }

    /// Whether any live process serves actions of `kind`.
    pub fn is_served(&self, kind: &str) -> bool {
        lock(&self.shared.peers)
            .serving
            .get(kind)
            .is_some_and(|seen| seen.elapsed() < LIVENESS_MAX_AGE)
    }

    /// Live processes that take what is given to them on a subject with this beginning, this one included; none while not all
    /// may be known.
    pub fn takers(&self, beginning: &str) -> Vec<Taker> {
        let peers = lock(&self.shared.peers);
        if !peers.synced {
            return Vec::new();
        }
        let is_alive = |key: &str| {
            peers
                .seen
                .get(key)
                .is_some_and(|seen| seen.elapsed() < LIVENESS_MAX_AGE)
        };
        let takers = peers.takers.iter();
        takers
            .filter(|(key, taker)| taker.at.starts_with(beginning) && is_alive(key))
            .map(|(_, taker)| taker.clone())
            .collect()
    }

    /// Our clock minus the server's; positive where ours is ahead. Good to a few milliseconds.
    pub fn clock_offset(&self) -> SignedDuration {
        SignedDuration::from_micros(self.shared.offset_micros.load(Ordering::Relaxed))
    }

    /// The time by the server's clock where ours is far off, by ours otherwise: what deadlines are held against.
    pub fn now(&self) -> Timestamp {
        corrected(Timestamp::now(), self.clock_offset())
    }

    /// Takes the own word back, so that others need not wait for it to age. It is not given again.
    pub async fn release(&self) {
        self.tasks.stop();
        if let Err(error) = self.shared.store.remove(&self.shared.key, None).await {
            tracing::debug!(%error, "The liveness record was left to age.");
        }
    }
}

/// What a clock that shows `now` and is `offset` ahead of the server's has to be read as.
pub fn corrected(now: Timestamp, offset: SignedDuration) -> Timestamp {
    if offset.abs() > TOLERATED_OFFSET {
        now.checked_sub(offset).unwrap_or(now)
    } else {
        now
    }
}

async fn renew(shared: Arc<Shared>, me: proto::Liveness) {
    let mut ticks = tokio::time::interval(RENEW_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match tokio::time::timeout(LAPSE_AFTER, shared.give_word(&me)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "Could not renew the liveness record."),
            Err(_) => tracing::warn!("The bus did not take the liveness record in time."),
        }
    }
}

/// Whoever was away cannot say of others that they are gone.
async fn follow_connection(shared: Arc<Shared>, mut connected: watch::Receiver<u64>) {
    connected.mark_unchanged();
    while connected.changed().await.is_ok() {
        *lock(&shared.connected_since) = Instant::now();
    }
}

async fn observe(shared: Arc<Shared>) {
    let mut watch = shared.store.watch(&[">"]);
    loop {
        match watch.next().await {
            Change::Resync => lock(&shared.peers).synced = false,
            Change::Put(key, entry) => {
                if key == shared.key {
                    shared.measure_offset(entry.revision, entry.stored_at);
                    let mut peers = lock(&shared.peers);
                    let Peers { seen, takers, .. } = &mut *peers;
                    seen.retain(|_, seen| seen.elapsed() < LIVENESS_MAX_AGE);
                    takers.retain(|key, _| seen.contains_key(key));
                }
                let mut peers = lock(&shared.peers);
                if let Some(worker) = entry.value.worker
                    && !entry.value.takes_at.is_empty()
                {
                    let at = entry.value.takes_at;
                    peers.takers.insert(key.clone(), Taker { worker, at });
                }
                peers
                    .serving
                    .extend(entry.value.serves.into_iter().map(|kind| (kind, Instant::now())));
                peers.seen.insert(key, Instant::now());
            }
            Change::Removed(key) => {
                let mut peers = lock(&shared.peers);
                peers.seen.remove(&key);
                peers.takers.remove(&key);
            }
            Change::Unreadable(error) => tracing::debug!(%error, "A liveness record was skipped."),
            Change::Synced => lock(&shared.peers).synced = true,
        }
    }
}

impl Shared {
    async fn give_word(&self, me: &proto::Liveness) -> Result<(), WriteError> {
        let began = Renewed::now();
        let revision = self.store.put(&self.key, me).await?;
        let took = began.at.elapsed();
        *lock(&self.written) = Some(Written {
            revision,
            wall: began.wall,
            took,
        });
        let mut renewed = lock(&self.renewed);
        if renewed.is_stale() {
            self.lapses.fetch_add(1, Ordering::AcqRel);
            *lock(&self.fresh_since) = Instant::now();
        }
        // The word counts from when it was sent: the server may have aged it since.
        *renewed = began;
        Ok(())
    }

    /// The server stored our word at some moment of the round trip: its middle is the best guess.
    fn measure_offset(&self, revision: Revision, stored_at: Timestamp) {
        let Some(written) = *lock(&self.written) else {
            return;
        };
        if written.revision != revision || written.took > PRECISE {
            return;
        }
        let half = SignedDuration::try_from(written.took / 2).unwrap_or(SignedDuration::ZERO);
        let offset = (written.wall + half).duration_since(stored_at);
        self.offset_micros
            .store(i64::try_from(offset.as_micros()).unwrap_or(0), Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_corrected_above_two_seconds() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let check = |offset_micros: i64, expected: &str| {
            let offset = SignedDuration::from_micros(offset_micros);
            assert_eq!(corrected(now, offset).to_string(), expected, "{offset:?}");
        };
        check(0, "2026-01-02T03:04:05Z");
        check(1_999_999, "2026-01-02T03:04:05Z");
        check(2_000_000, "2026-01-02T03:04:05Z");
        check(2_000_001, "2026-01-02T03:04:02.999999Z");
        check(30_000_000, "2026-01-02T03:03:35Z");
        check(-1_999_999, "2026-01-02T03:04:05Z");
        check(-2_000_000, "2026-01-02T03:04:05Z");
        check(-2_000_001, "2026-01-02T03:04:07.000001Z");
        check(-30_000_000, "2026-01-02T03:04:35Z");

        // No time is left to say: better the own clock than none.
        for (edge, offset) in [
            (Timestamp::MIN, SignedDuration::from_secs(60)),
            (Timestamp::MAX, SignedDuration::from_secs(-60)),
            (now, SignedDuration::MAX),
        ] {
            assert_eq!(corrected(edge, offset), edge, "{offset:?}");
        }
    }
}
