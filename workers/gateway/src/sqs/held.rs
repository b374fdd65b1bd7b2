//! Messages that were taken and are not done with: kept out of others' sight while they are held.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use hollowtrees_aws::{Queue, queue::BATCH};
use tokio::sync::OwnedSemaphorePermit;

use super::telemetry::Telemetry;

/// SQS keeps a message out of sight for 12 h from its taking and no longer; a little before that it is let go.
const LONGEST: Duration = Duration::from_secs(11 * 3600);
/// Calls at once.
const CALLS: usize = 8;

/// The name of a held message.
type Key = u64;

/// All messages of a queue that this process holds. Cheap to clone.
#[derive(Clone)]
pub(super) struct Held {
    inner: Arc<Inner>,
}

struct Inner {
    queue: Queue,
    name: Arc<str>,
    hidden: Duration,
    next: AtomicU64,
    messages: Mutex<HashMap<Key, Message>>,
    telemetry: Telemetry,
}

/// A message that is held. Dropped it is let go: who did not delete it gets it again.
pub(super) struct Holding {
    held: Held,
    key: Key,
    /// Among the messages that may be held; free with it.
    _place: OwnedSemaphorePermit,
}

impl Holding {
    /// What deletes it; none if it is not held any more.
    pub(super) fn receipt(&self) -> Option<String> {
        self.held
            .messages()
            .get(&self.key)
            .map(|message| message.receipt.clone())
    }

    /// Gives it back, to come again after `delay`.
    pub(super) async fn give_back(self, delay: Duration) {
        if let Some(receipt) = self.receipt() {
            self.held.hide(&[(self.key, receipt)], delay).await;
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.held.let_go(self.key);
    }
}

struct Message {
    receipt: String,
    since: Instant,
    until: Instant,
}

impl Held {
    pub(super) fn new(queue: Queue, name: Arc<str>, hidden: Duration, telemetry: Telemetry) -> Self {
        Self {
            inner: Arc::new(Inner {
                queue,
                name,
                hidden,
                next: AtomicU64::new(0),
                messages: Mutex::default(),
                telemetry,
            }),
        }
    }

    /// A message just taken; `asked`: when the call began by which it was.
    pub(super) fn hold(&self, receipt: String, asked: Instant, place: OwnedSemaphorePermit) -> Holding {
        let key = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let message = Message {
            receipt,
            since: asked,
            until: asked + self.inner.hidden,
        };
        let mut messages = self.messages();
        messages.insert(key, message);
        self.inner.telemetry.held(&self.inner.name, messages.len());
        Holding {
            held: self.clone(),
            key,
            _place: place,
        }
    }

    fn let_go(&self, key: Key) {
        let mut messages = self.messages();
        messages.remove(&key);
        self.inner.telemetry.held(&self.inner.name, messages.len());
    }

    /// Prolongs what is held, for ever; the caller ends it.
    pub(super) async fn keep(self) {
        let tick = self.inner.hidden / 6;
        loop {
            tokio::time::sleep(tick).await;
            self.prolong().await;
        }
    }

    /// Gives all back at once.
    pub(super) async fn give_all_back(&self) {
        let all: Vec<_> = self
            .messages()
            .iter()
            .map(|(key, message)| (*key, message.receipt.clone()))
            .collect();
        // Not prolonged any more, even where the call fails.
        self.messages().clear();
        let calls = all.chunks(BATCH).map(|batch| self.hide(batch, Duration::ZERO));
        stream::iter(calls.map(Box::pin).collect::<Vec<_>>())
            .buffer_unordered(CALLS)
            .collect::<()>()
            .await;
    }

    async fn prolong(&self) {
        let now = Instant::now();
        let due: Vec<_> = {
            let mut messages = self.messages();
            messages.retain(|_, message| now.saturating_duration_since(message.since) < LONGEST);
            messages
                .iter()
                .filter(|(_, message)| {
                    message.until.saturating_duration_since(now) < self.inner.hidden * 2 / 3
                })
                .map(|(key, message)| (*key, message.receipt.clone()))
                .collect()
        };
        let calls = due.chunks(BATCH).map(|batch| self.hide(batch, self.inner.hidden));
        futures::future::join_all(calls).await;
    }

    async fn hide(&self, batch: &[(Key, String)], hidden: Duration) {
        let receipts: Vec<_> = batch.iter().map(|(_, receipt)| receipt.clone()).collect();
        let asked = Instant::now();
        let answer = self.inner.queue.hide(&receipts, hidden).await;
        self.inner
            .telemetry
            .called("ChangeMessageVisibilityBatch", &answer);
        // Not done: tried again at the next tick, and if that is too late it comes again.
        let Ok(left) = answer else { return };
        let mut messages = self.messages();
        for (place, (key, _)) in batch.iter().enumerate() {
            let left = left.iter().find(|left| left.place == place);
            if let Some(left) = left {
                self.inner
                    .telemetry
                    .left(&self.inner.name, "ChangeMessageVisibilityBatch", &left.code);
            } else if let Some(message) = messages.get_mut(key) {
                message.until = asked + hidden;
            }
        }
    }

    fn messages(&self) -> MutexGuard<'_, HashMap<Key, Message>> {
        self.inner.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
