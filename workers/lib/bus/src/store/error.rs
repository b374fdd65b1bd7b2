//! Why a record was not read or written.

use super::{LARGEST, SCHEMA};

/// Why a read did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The bus did not answer. Nothing is known.
    #[error(
        "cannot read {bucket}/{key} ({cause}); is NATS up, and were the buckets made by `hollowtrees bus apply`?"
    )]
    Unavailable {
        /// Bucket name.
        bucket: &'static str,
        /// Key.
        key: String,
        /// What the client said.
        cause: String,
    },
    /// The value was written by a newer version.
    #[error(
        "{bucket}/{key} has layout {found}, newer than the {SCHEMA} this version knows; upgrade this worker"
    )]
    Newer {
        /// Bucket name.
        bucket: &'static str,
        /// Key.
        key: String,
        /// Layout found.
        found: u32,
    },
    /// The value is no record.
    #[error("{bucket}/{key} cannot be read as a record ({cause}); see it with `nats kv get {bucket} {key}`")]
    Unreadable {
        /// Bucket name.
        bucket: &'static str,
        /// Key.
        key: String,
        /// What the parser said.
        cause: String,
    },
}

/// Why a write did not (certainly) happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The key exists, or its revision is another: someone else wrote first. Read and decide again.
    #[error("{bucket}/{key} was written by someone else meanwhile")]
    Conflict {
        /// Bucket name.
        bucket: &'static str,
        /// Key.
        key: String,
    },
    /// The record is larger than its bucket takes; trying again cannot help.
    #[error("{bucket}/{key} would take {bytes} bytes, more than the {LARGEST} a record may; make it smaller")]
    TooLarge {
        /// Bucket name.
        bucket: &'static str,
        /// Key.
        key: String,
        /// Size of the record.
        bytes: usize,
    },
    /// The bus did not answer, and reading back did not settle it. The write may still happen.
    #[error("cannot write {bucket}/{key} ({cause}); is NATS up?")]
    Unavailable {
        /// Bucket name.
        bucket: &'static str,
        /// Key.
        key: String,
        /// What the client said.
        cause: String,
    },
}

impl WriteError {
    /// Whether someone else wrote first.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}
