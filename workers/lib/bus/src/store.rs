//! Typed records on a key-value bucket, written by compare-and-set.
//!
//! A value is the proto3-JSON of its message, so that `nats kv get` shows it. Every record carries the
//! version of its layout; a record of a higher version is shown to the caller as such and never overwritten.

use std::{
    collections::HashSet,
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use async_nats::jetstream::{
    self,
    kv::{self, Operation, UpdateErrorKind},
};
use bytes::Bytes;
use hollowtrees_schemas::{names::Bucket, proto};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{OnceCell, watch};

use crate::{link::Link, raw, unreadable};

mod error;

pub use error::{StoreError, WriteError};

/// Layout version this build reads and writes, for every kind of record.
pub const SCHEMA: u32 = 1;

/// Bytes a record may take: what a bucket accepts, less room for subject and headers.
pub const LARGEST: usize = 250 * 1024;

/// Header of a message that removes a key instead of writing it (ADR-8).
pub(crate) const OPERATION: &str = "KV-Operation";

/// Keys remembered for what their values did; beyond it all are forgotten, and found again.
const MOST_SUSPECTS: usize = 1_000;

/// A message kept in a bucket.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Version of the layout this value was written with.
    fn schema(&self) -> u32;
}

impl Record for proto::Incident {
    fn schema(&self) -> u32 {
        self.schema
    }
}

impl Record for proto::Run {
    fn schema(&self) -> u32 {
        self.schema
    }
}

impl Record for proto::LedgerEntry {
    fn schema(&self) -> u32 {
        self.schema
    }
}

impl Record for proto::Group {
    fn schema(&self) -> u32 {
        self.schema
    }
}

impl Record for proto::Liveness {
    fn schema(&self) -> u32 {
        SCHEMA
    }
}

/// Position of a value in its bucket: what a compare-and-set compares, and the fencing token of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub(crate) u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A value with its revision and the server's time of its writing.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Its revision.
    pub revision: Revision,
    /// When the server stored it.
    pub stored_at: Timestamp,
}

/// What a read sees of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A value.
    There,
    /// Somebody removed it.
    Removed,
    /// Neither: it never was, or it aged out.
    Absent,
}

/// One bucket, as records of one type. Cheap to clone.
pub struct Store<T> {
    shared: Arc<Shared>,
    record: PhantomData<fn() -> T>,
}

struct Shared {
    context: jetstream::Context,
    bucket: &'static str,
    opened: OnceCell<kv::Store>,
    /// Keys whose values ended the connection of who read them.
    suspects: Mutex<HashSet<String>>,
    /// Counts the connections made: a watch starts over on a new one.
    connected: watch::Receiver<u64>,
}

impl<T> Clone for Store<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            record: PhantomData,
        }
    }
}

impl<T: Record> Store<T> {
    pub(crate) fn new(
        context: jetstream::Context,
        bucket: &'static str,
        connected: watch::Receiver<u64>,
    ) -> Self {
        let shared = Shared {
            context,
            bucket,
            opened: OnceCell::new(),
            suspects: Mutex::default(),
            connected,
        };
        Self {
            shared: Arc::new(shared),
            record: PhantomData,
        }
    }

    /// The newest value this read sees; another replica may know a newer one. `None`: this read saw none.
    pub async fn get(&self, key: &str) -> Result<Option<Versioned<T>>, StoreError> {
        let entry = self.entry(key).await?;
        entry
            .filter(|entry| entry.operation == Operation::Put)
            .map(|entry| self.parse(key, &entry.value, entry.revision, server_time(entry.created)))
            .transpose()
    }

    /// Whether this read sees a value, the marker of a removal, or nothing at all.
    pub async fn presence(&self, key: &str) -> Result<Presence, StoreError> {
        let entry = self.entry(key).await?;
        Ok(match entry.map(|entry| entry.operation) {
            Some(Operation::Put) => Presence::There,
            Some(Operation::Delete | Operation::Purge) => Presence::Removed,
            None => Presence::Absent,
        })
    }

    async fn entry(&self, key: &str) -> Result<Option<kv::Entry>, StoreError> {
        if self.is_suspect(key) {
            self.look_at(key).await?;
        }
        let store = self
            .opened()
            .await
            .map_err(|cause| self.unreadable_now(key, cause))?;
        let statistics = self.shared.context.client().statistics();
        let connects = || statistics.connects.load(Ordering::Relaxed);
        let before = connects();
        match store.entry(key).await {
            Ok(entry) => Ok(entry),
            Err(error) => {
                // What the client cannot read ends the connection, and the answer never comes.
                if connects() != before {
                    self.look_at(key).await?;
                }
                Err(self.unreadable_now(key, error.to_string()))
            }
        }
    }

    /// Looks at a key through the API, which shows what the client cannot read. While that is there, it is asked for
    /// in no other way.
    async fn look_at(&self, key: &str) -> Result<(), StoreError> {
        let bucket = self.bucket();
        let source = raw::Source::new(self.shared.context.clone(), format!("KV_{bucket}"), Vec::new());
        let found = source
            .last_of(&format!("$KV.{bucket}.{key}"))
            .await
            .map_err(|cause| self.unreadable_now(key, cause))?;
        let flaw = found.and_then(|message| unreadable::flaw(&message));
        let mut suspects = self.suspects();
        let Some(cause) = flaw else {
            suspects.remove(key);
            return Ok(());
        };
        if suspects.len() >= MOST_SUSPECTS {
            suspects.clear();
        }
        suspects.insert(key.to_owned());
        Err(StoreError::Unreadable {
            bucket,
            key: key.to_owned(),
            cause,
        })
    }

    fn is_suspect(&self, key: &str) -> bool {
        self.suspects().contains(key)
    }

    fn suspects(&self) -> MutexGuard<'_, HashSet<String>> {
        self.shared
            .suspects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a key that does not exist, or was removed.
    ///
    /// Not by the client's own `create`: it answers "exists" for a first try of ours whose reply was lost.
    pub async fn create(&self, key: &str, value: &T) -> Result<Revision, WriteError> {
        let bytes = self.encode(key, value)?;
        let store = self.opened().await.map_err(|cause| self.unwritable(key, cause))?;
        match self.compare_and_set(store, key, &bytes, 0).await {
            Err(WriteError::Conflict { .. }) => match self.entry(key).await {
                Ok(Some(marker)) if marker.operation != Operation::Put => {
                    self.compare_and_set(store, key, &bytes, marker.revision).await
                }
                Ok(_) | Err(_) => Err(self.conflict(key)),
            },
            answered => answered,
        }
    }

    /// Writes a key whose newest revision is `at`.
    pub async fn update(&self, key: &str, value: &T, at: Revision) -> Result<Revision, WriteError> {
        let bytes = self.encode(key, value)?;
        let store = self.opened().await.map_err(|cause| self.unwritable(key, cause))?;
        self.compare_and_set(store, key, &bytes, at.0).await
    }

    async fn compare_and_set(
        &self,
        store: &kv::Store,
        key: &str,
        bytes: &Bytes,
        at: u64,
    ) -> Result<Revision, WriteError> {
        match store.update(key, bytes.clone(), at).await {
            Ok(revision) => Ok(Revision(revision)),
            Err(error) if lost_the_race(&error) => Err(self.conflict(key)),
            Err(error) => self.read_back(key, bytes, error.to_string()).await,
        }
    }

    /// Writes a key whatever it held: for who alone owns it, such as a process its liveness.
    pub async fn put(&self, key: &str, value: &T) -> Result<Revision, WriteError> {
        let bytes = self.encode(key, value)?;
        let store = self.opened().await.map_err(|cause| self.unwritable(key, cause))?;
        store
            .put(key, bytes)
            .await
            .map(Revision)
            .map_err(|error| self.unwritable(key, error.to_string()))
    }

    /// Removes a key and its history, leaving a marker; with `at`, only if its newest revision is that.
    pub async fn remove(&self, key: &str, at: Option<Revision>) -> Result<(), WriteError> {
        let store = self.opened().await.map_err(|cause| self.unwritable(key, cause))?;
        let removed = match at {
            Some(at) => store.purge_expect_revision(key, Some(at.0)).await,
            None => store.purge(key).await,
        };
        removed.map_err(|error| match error.kind() {
            UpdateErrorKind::WrongLastRevision => self.conflict(key),
            UpdateErrorKind::InvalidKey | UpdateErrorKind::TimedOut | UpdateErrorKind::Other => {
                self.unwritable(key, error.to_string())
            }
        })
    }

    /// After a write without an answer: it happened if the newest value is the one we wrote. Every record
    /// that more than one process may write holds a nonce or content that tells the writers apart; where
    /// two writers wrote the same bytes, either may call them its own.
    async fn read_back(&self, key: &str, written: &Bytes, cause: String) -> Result<Revision, WriteError> {
        tracing::debug!(
            bucket = self.bucket(),
            key,
            cause,
            "A write was not answered; it is read back."
        );
        match self.entry(key).await {
            Ok(Some(entry)) if entry.operation == Operation::Put && entry.value == *written => {
                Ok(Revision(entry.revision))
            }
            Ok(_) | Err(_) => Err(self.unwritable(key, cause)),
        }
    }

    fn encode(&self, key: &str, value: &T) -> Result<Bytes, WriteError> {
        let bytes = serde_json::to_vec(value).map_err(|error| self.unwritable(key, error.to_string()))?;
        if bytes.len() > LARGEST {
            let (bucket, key) = (self.bucket(), key.to_owned());
            return Err(WriteError::TooLarge {
                bucket,
                key,
                bytes: bytes.len(),
            });
        }
        Ok(bytes.into())
    }
}

impl<T> Store<T> {
    /// Bucket name.
    pub fn bucket(&self) -> &'static str {
        self.shared.bucket
    }

    /// The same bucket, read as something else.
    pub(crate) fn read_as<V>(&self) -> Store<V> {
        Store {
            shared: Arc::clone(&self.shared),
            record: PhantomData,
        }
    }

    pub(crate) fn parse(
        &self,
        key: &str,
        value: &[u8],
        revision: u64,
        stored_at: Timestamp,
    ) -> Result<Versioned<T>, StoreError>
    where
        T: DeserializeOwned,
    {
        let bucket = self.bucket();
        let unreadable = |error: serde_json::Error| StoreError::Unreadable {
            bucket,
            key: key.to_owned(),
            cause: error.to_string(),
        };
        let found = layout_of(value).map_err(unreadable)?;
        if found > SCHEMA {
            return Err(StoreError::Newer {
                bucket,
                key: key.to_owned(),
                found,
            });
        }
        // Any object would do as a record of which all is unset. The words of the living alone have no version.
        if found == 0 && bucket != Bucket::Workers.name() {
            return Err(StoreError::Unreadable {
                bucket,
                key: key.to_owned(),
                cause: "it has no `schema`".to_owned(),
            });
        }
        let value = serde_json::from_slice(value).map_err(unreadable)?;
        Ok(Versioned {
            value,
            revision: Revision(revision),
            stored_at,
        })
    }

    pub(crate) async fn opened(&self) -> Result<&kv::Store, String> {
        let shared = &self.shared;
        shared
            .opened
            .get_or_try_init(|| shared.context.get_key_value(shared.bucket))
            .await
            .map_err(|error| error.to_string())
    }

    pub(crate) fn context(&self) -> &jetstream::Context {
        &self.shared.context
    }

    /// Tells a watch when the connection was made anew.
    pub(crate) fn link(&self) -> Link {
        Link::new(&self.shared.context.client(), self.shared.connected.clone())
    }

    fn conflict(&self, key: &str) -> WriteError {
        WriteError::Conflict {
            bucket: self.bucket(),
            key: key.to_owned(),
        }
    }

    fn unwritable(&self, key: &str, cause: String) -> WriteError {
        WriteError::Unavailable {
            bucket: self.bucket(),
            key: key.to_owned(),
            cause,
        }
    }

    fn unreadable_now(&self, key: &str, cause: String) -> StoreError {
        StoreError::Unavailable {
            bucket: self.bucket(),
            key: key.to_owned(),
            cause,
        }
    }
}

/// Error 10071, or 10164 of a clustered stream that has another write to the key in process: the client knows
/// a kind for the first only.
fn lost_the_race(error: &kv::UpdateError) -> bool {
    error.kind() == UpdateErrorKind::WrongLastRevision || error.to_string().contains("wrong last sequence")
}

/// The layout version alone, so that a record of a newer one is known even where it no longer parses.
fn layout_of(value: &[u8]) -> Result<u32, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Layout {
        #[serde(default)]
        schema: u32,
    }
    serde_json::from_slice::<Layout>(value).map(|layout| layout.schema)
}

/// Whether this word in [`OPERATION`] removes the key.
pub(crate) fn is_removal(operation: &str) -> bool {
    matches!(operation, "DEL" | "PURGE")
}

pub(crate) fn server_time(time: async_nats::datetime::DateTime) -> Timestamp {
    Timestamp::from_nanosecond(time.unix_timestamp_nanos()).unwrap_or(Timestamp::UNIX_EPOCH)
}
