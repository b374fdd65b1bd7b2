//! Following a bucket: its present values, then every change, for ever.
//!
//! A watch is an ephemeral consumer without acks. Whenever it may have missed something (a lost
//! connection, a missed heartbeat, a gap in its own sequence) it is made anew and starts over with
//! [`Change::Resync`] and all present values: at once when the connection was made anew, else with backoff.
//! When the connection goes again and again, a value the client cannot read may be the cause: the present
//! values are then read one by one through the API, which shows them all, and only later changes are
//! delivered. Values that vanish by age (`ht_workers`) vanish without a change: who holds such values looks
//! at their age.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::{
    link::{Link, Losses},
    raw,
    store::{OPERATION, Record, Store, StoreError, Versioned, is_removal, server_time},
    unreadable,
};

/// The server says at least this often that the watch is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A pull is renewed this often.
const EXPIRES: Duration = Duration::from_secs(30);
/// The server forgets the consumer of a dead watcher after this time.
const INACTIVE: Duration = Duration::from_secs(60);
/// Changes asked for at once.
const BATCH: usize = 256;
/// First and longest wait before a watch is made anew.
const REBUILD: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

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
    link: Link,
    losses: Losses,
    /// A value was found, or is suspected, that cannot be delivered.
    careful: bool,
    /// Revision of the newest such value that was spoken of.
    warned: u64,
    /// The present values, read one by one.
    walk: Option<raw::Walk>,
    open: Option<Open>,
    backoff: Duration,
    retry_at: Option<Instant>,
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
        self.watch_as(filters)
    }

    /// The same, and of each value only what `V` has: a watch is shown every write there is.
    pub fn watch_as<V: DeserializeOwned>(&self, filters: &[&str]) -> Watch<V> {
        Watch {
            store: self.read_as(),
            filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
            link: self.link(),
            losses: Losses::default(),
            careful: false,
            warned: 0,
            walk: None,
            open: None,
            backoff: REBUILD.0,
            retry_at: None,
        }
    }
}

impl<T: DeserializeOwned> Watch<T> {
    /// The next change. Safe to cancel.
    pub async fn next(&mut self) -> Change<T> {
        loop {
            if let Some(at) = self.retry_at {
                tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = self.link.renewed() => self.backoff = REBUILD.0,
                }
                self.retry_at = None;
            }
            if self.walk.is_some() {
                match self.step().await {
                    Ok(Some(change)) => return change,
                    Ok(None) => {}
                    Err(cause) => self.postpone(&cause),
                }
                continue;
            }
            let Some(open) = self.open.as_mut() else {
                match self.begin().await {
                    Ok(()) => return Change::Resync,
                    Err(cause) => self.postpone(&cause),
                }
                continue;
            };
            let told = tokio::select! {
                biased;
                told = open.next(&self.store) => told,
                () = self.link.renewed() => {
                    self.lost();
                    continue;
                }
            };
            match told {
                Ok(change) => {
                    self.backoff = REBUILD.0;
                    return change;
                }
                Err(cause) => {
                    self.open = None;
                    self.postpone(&cause);
                }
            }
        }
    }

    /// Starts over.
    async fn begin(&mut self) -> Result<(), String> {
        self.link.mark();
        if self.careful {
            let opened = self.store.opened().await?;
            let filters = subjects(&opened.prefix, &self.filters);
            let stream = format!("KV_{}", self.store.bucket());
            let source = raw::Source::new(self.store.context().clone(), stream, filters);
            self.walk = Some(source.walk(1).await?);
            // Until one is found.
            self.careful = false;
        } else {
            self.open = Some(connect(&self.store, &self.filters, DeliverPolicy::LastPerSubject).await?);
        }
        Ok(())
    }

    /// One present value, read through the API; after the last one the changes are delivered.
    async fn step(&mut self) -> Result<Option<Change<T>>, String> {
        let Some(walk) = self.walk.as_mut() else {
            return Ok(None);
        };
        if let Some(message) = walk.next().await? {
            return Ok(Some(self.told(&message)));
        }
        let start_sequence = walk.last() + 1;
        self.link.mark();
        let policy = DeliverPolicy::ByStartSequence { start_sequence };
        let mut open = connect(&self.store, &self.filters, policy).await?;
        open.synced_due = true;
        self.open = Some(open);
        self.walk = None;
        Ok(None)
    }

    fn told(&mut self, message: &raw::Message) -> Change<T> {
        let bucket = self.store.bucket();
        let key = message
            .subject
            .strip_prefix(&format!("$KV.{bucket}."))
            .unwrap_or(&message.subject);
        let read = match unreadable::flaw(message) {
            Some(flaw) => Err(flaw),
            None => unreadable::parse(&message.headers),
        };
        let headers = match read {
            Ok(headers) => headers,
            Err(cause) => {
                self.careful = true;
                if message.sequence > self.warned {
                    self.warned = message.sequence;
                    tracing::warn!(
                        bucket,
                        key,
                        revision = message.sequence,
                        cause,
                        "A value ends the connection of who reads it; it is passed over until it is overwritten."
                    );
                }
                let key = key.to_owned();
                return Change::Unreadable(StoreError::Unreadable { bucket, key, cause });
            }
        };
        let operation = headers.iter().find(|(name, _)| name == OPERATION);
        if operation.is_some_and(|(_, operation)| is_removal(operation)) {
            return Change::Removed(key.to_owned());
        }
        let parsed = self
            .store
            .parse(key, &message.body, message.sequence, message.stored_at);
        parsed.map_or_else(Change::Unreadable, |value| Change::Put(key.to_owned(), value))
    }

    /// The connection was made anew: what happened meanwhile was not told.
    fn lost(&mut self) {
        tracing::debug!(
            bucket = self.store.bucket(),
            "A watch is made anew on the new connection."
        );
        self.open = None;
        self.backoff = REBUILD.0;
        self.careful |= self.losses.note();
    }

    fn postpone(&mut self, cause: &str) {
        tracing::info!(bucket = self.store.bucket(), cause, "A watch is made anew.");
        let wait = self.backoff.mul_f64(rand::random_range(0.5..=1.0));
        self.backoff = self.backoff.saturating_mul(2).min(REBUILD.1);
        self.retry_at = Some(Instant::now() + wait);
    }
}

fn subjects(prefix: &str, filters: &[String]) -> Vec<String> {
    filters.iter().map(|filter| format!("{prefix}{filter}")).collect()
}

impl Open {
    async fn next<T: DeserializeOwned>(&mut self, store: &Store<T>) -> Result<Change<T>, String> {
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
        if operation.is_some_and(|operation| is_removal(operation.as_str())) {
            return Ok(Change::Removed(key.to_owned()));
        }
        let (revision, stored_at) = (info.stream_sequence, server_time(info.published));
        let parsed = store.parse(key, &message.payload, revision, stored_at);
        Ok(parsed.map_or_else(Change::Unreadable, |value| Change::Put(key.to_owned(), value)))
    }
}

async fn connect<T>(
    store: &Store<T>,
    filters: &[String],
    deliver_policy: DeliverPolicy,
) -> Result<Open, String> {
    let opened = store.opened().await?;
    let prefix = opened.prefix.clone();
    let config = pull::Config {
        description: Some("watch".to_owned()),
        deliver_policy,
        ack_policy: AckPolicy::None,
        replay_policy: ReplayPolicy::Instant,
        filter_subjects: subjects(&prefix, filters),
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
