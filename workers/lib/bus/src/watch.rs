//! Following a bucket: its present values, then every change, for ever.
//!
//! A watch is an ephemeral consumer without acks. Whenever it may have missed something (a lost
//! connection, a missed heartbeat, a gap in its own sequence) it is made anew, with backoff, and starts over
//! with [`Change::Resync`] and all present values. Values that vanish by age (`ht_workers`) vanish without a
//! change: who holds such values looks at their age.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull};
use futures::StreamExt;

use crate::store::{Record, Store, StoreError, Versioned, server_time};

/// The server says at least this often that the watch is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A pull is renewed this often.
const EXPIRES: Duration = Duration::from_secs(30);
/// The server forgets the consumer of a dead watcher after this time.
const INACTIVE: Duration = Duration::from_secs(60);
/// Header of a message that removes a key instead of writing it (ADR-8).
const OPERATION: &str = "KV-Operation";
/// Changes asked for at once.
const BATCH: usize = 256;
/// First and longest wait before a watch is made anew.
const REBUILD: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// What a watch tells.
#[derive(Debug)]
pub enum Change<T> {
    /// Forget everything: all present values follow.
    Resync,
    /// A key has this value now.
    Put(String, Versioned<T>),
    /// A key was removed.
    Removed(String),
    /// A key has a value this version cannot read.
    Unreadable(StoreError),
    /// All values that were present at the start have been told.
    Synced,
}

/// A watch on one bucket. [`Watch::next`] never ends.
pub struct Watch<T> {
    store: Store<T>,
    filters: Vec<String>,
    open: Option<Open>,
    backoff: Duration,
}

struct Open {
    messages: pull::Stream,
    /// Prefix of subjects, `$KV.<bucket>.`.
    prefix: String,
    /// Sequence the next change must have.
    expected: u64,
    synced: bool,
    /// The last present value has been told.
    synced_due: bool,
}

impl<T: Record> Store<T> {
    /// Follows the keys that match `filters` (`*` one token, `>` the rest), `[">"]` for all.
    pub fn watch(&self, filters: &[&str]) -> Watch<T> {
        Watch {
            store: self.clone(),
            filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
            open: None,
            backoff: REBUILD.0,
        }
    }
}

impl<T: Record> Watch<T> {
    /// The next change. Safe to cancel.
    pub async fn next(&mut self) -> Change<T> {
        loop {
            let Some(open) = self.open.as_mut() else {
                match connect(&self.store, &self.filters).await {
                    Ok(open) => self.open = Some(open),
                    Err(cause) => {
                        tracing::warn!(
                            bucket = self.store.bucket(),
                            cause,
                            "A watch could not be opened."
                        );
                        self.pause().await;
                        continue;
                    }
                }
                return Change::Resync;
            };
            match open.next(&self.store).await {
                Ok(change) => {
                    self.backoff = REBUILD.0;
                    return change;
                }
                Err(cause) => {
                    tracing::info!(bucket = self.store.bucket(), cause, "A watch is made anew.");
                    self.open = None;
                    self.pause().await;
                }
            }
        }
    }

    async fn pause(&mut self) {
        let wait = self.backoff.mul_f64(rand::random_range(0.5..=1.0));
        self.backoff = self.backoff.saturating_mul(2).min(REBUILD.1);
        tokio::time::sleep(wait).await;
    }
}

impl Open {
    async fn next<T: Record>(&mut self, store: &Store<T>) -> Result<Change<T>, String> {
        if self.synced_due {
            self.synced_due = false;
            self.synced = true;
            return Ok(Change::Synced);
        }
        let message = match self.messages.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err("its consumer is gone".to_owned()),
        };
        let info = message.info().map_err(|error| error.to_string())?;
        if info.consumer_sequence != self.expected {
            return Err(format!(
                "change {} came where {} was due",
                info.consumer_sequence, self.expected
            ));
        }
        self.expected += 1;
        self.synced_due = !self.synced && info.pending == 0;
        let key = message
            .subject
            .strip_prefix(&self.prefix)
            .unwrap_or(&message.subject);
        let operation = message
            .headers
            .as_ref()
            .and_then(|headers| headers.get(OPERATION));
        Ok(match operation.map(async_nats::HeaderValue::as_str) {
            Some("DEL" | "PURGE") => Change::Removed(key.to_owned()),
            _ => {
                let (revision, stored_at) = (info.stream_sequence, server_time(info.published));
                match store.parse(key, &message.payload, revision, stored_at) {
                    Ok(value) => Change::Put(key.to_owned(), value),
                    Err(error) => Change::Unreadable(error),
                }
            }
        })
    }
}

async fn connect<T: Record>(store: &Store<T>, filters: &[String]) -> Result<Open, String> {
    let opened = store.opened().await?;
    let prefix = opened.prefix.clone();
    let config = pull::Config {
        description: Some("watch".to_owned()),
        deliver_policy: DeliverPolicy::LastPerSubject,
        ack_policy: AckPolicy::None,
        replay_policy: ReplayPolicy::Instant,
        filter_subjects: filters.iter().map(|filter| format!("{prefix}{filter}")).collect(),
        inactive_threshold: INACTIVE,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer = opened
        .stream
        .create_consumer(config)
        .await
        .map_err(|error| error.to_string())?;
    let nothing_present = consumer.cached_info().num_pending == 0;
    let messages = consumer
        .stream()
        .max_messages_per_batch(BATCH)
        .heartbeat(HEARTBEAT)
        .expires(EXPIRES)
        .messages()
        .await
        .map_err(|error| error.to_string())?;
    Ok(Open {
        messages,
        prefix,
        expected: 1,
        synced: false,
        synced_due: nothing_present,
    })
}
