//! What was read last, kept when the next read fails.

use jiff::{SignedDuration, Timestamp};

/// The last good answer of a source, and how it went since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading<T> {
    last: Option<(T, Timestamp)>,
    failures: u32,
}

impl<T> Default for Reading<T> {
    fn default() -> Self {
        Self {
            last: None,
            failures: 0,
        }
    }
}

impl<T> Reading<T> {
    /// After one more read. A failed one leaves what is known, and its age, as they are.
    #[must_use]
    pub fn after<E>(self, read: Result<T, E>, at: Timestamp) -> Self {
        match read {
            Ok(value) => Self {
                last: Some((value, at)),
                failures: 0,
            },
            Err(_) => Self {
                last: self.last,
                failures: self.failures.saturating_add(1),
            },
        }
    }

    /// The last good answer.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        self.last.as_ref().map(|(value, _)| value)
    }

    /// When it was read.
    #[must_use]
    pub fn read_at(&self) -> Option<Timestamp> {
        self.last.as_ref().map(|(_, at)| *at)
    }

    /// Reads that failed since.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether it is older than this, or was never read.
    #[must_use]
    pub fn is_stale(&self, now: Timestamp, after: SignedDuration) -> bool {
        is_stale(self.read_at(), now, after)
    }
}

/// Whether what was read then is too old now.
#[must_use]
pub fn is_stale(read_at: Option<Timestamp>, now: Timestamp, after: SignedDuration) -> bool {
    read_at.is_none_or(|at| now.duration_since(at) > after)
}
