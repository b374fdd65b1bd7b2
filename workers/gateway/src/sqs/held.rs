//! Messages that were taken and are not done with: kept out of others' sight while they are held.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hollowtrees_aws::{Queue, queue::BATCH};

use super::telemetry::Telemetry;

/// SQS keeps a message out of sight for 12 h from its taking and no longer; a little before that it is let go.
const LONGEST: Duration = Duration::from_secs(11 * 3600);

/// The name of a held message.
pub(super) type Key = u64;

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
    pub(super) fn hold(&self, receipt: String, asked: Instant) -> Key {
        let key = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let message = Message {
            receipt,
            since: asked,
            until: asked + self.inner.hidden,
        };
        let mut messages = self.messages();
        messages.insert(key, message);
        self.inner.telemetry.held(&self.inner.name, messages.len());
        key
    }

    /// It is done with: deleted, given back, or lost to others.
    pub(super) fn let_go(&self, key: Key) {
        let mut messages = self.messages();
        messages.remove(&key);
        self.inner.telemetry.held(&self.inner.name, messages.len());
    }

    /// What deletes it; none if it is not held any more.
    pub(super) fn receipt(&self, key: Key) -> Option<String> {
        self.messages().get(&key).map(|message| message.receipt.clone())
    }

    /// Prolongs what is held, for ever; the caller ends it.
    pub(super) async fn keep(self) {
        let tick = self.inner.hidden / 6;
        loop {
            tokio::time::sleep(tick).await;
            self.prolong().await;
        }
    }

    /// Gives a message back, to come again after `delay`.
    pub(super) async fn give_back(&self, key: Key, delay: Duration) {
        if let Some(receipt) = self.receipt(key) {
            self.hide(&[(key, receipt)], delay).await;
        }
        self.let_go(key);
    }

    /// Gives all back at once.
    pub(super) async fn give_all_back(&self) {
        let all: Vec<_> = self
            .messages()
            .iter()
            .map(|(key, message)| (*key, message.receipt.clone()))
            .collect();
        for batch in all.chunks(BATCH) {
            self.hide(batch, Duration::ZERO).await;
            for (key, _) in batch {
                self.let_go(*key);
            }
        }
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
