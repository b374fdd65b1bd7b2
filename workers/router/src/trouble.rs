//! Why something could not be done now, and after which time it is worth another try.

use std::time::Duration;

use hollowtrees_bus::{PublishError, StoreError, WriteError, dead::Class};
use hollowtrees_domain::record::RecordError;

/// Nothing is lost: the delivery is handed back, the timer set again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The bus does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// Too many others write the same record.
    #[error("{0} is written by others all the time")]
    Contended(String),
    /// What belongs to it is not visible yet, here or at all.
    #[error("{0}")]
    NotYet(String),
    /// A newer release wrote the record.
    #[error("{0}")]
    Newer(String),
    /// The record, or what is to be made of it, makes no sense.
    #[error("{0}")]
    Unusable(String),
}

impl Trouble {
    /// When to try again, before jitter.
    pub(crate) fn delay(&self) -> Duration {
        match self {
            Self::Contended(_) => Duration::from_millis(250),
            Self::NotYet(_) => Duration::from_millis(500),
            Self::Unavailable(_) => Duration::from_secs(1),
            Self::Newer(_) | Self::Unusable(_) => Duration::from_secs(30),
        }
    }

    /// The word in metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Contended(_) => "contended",
            Self::NotYet(_) => "not_yet",
            Self::Newer(_) => "newer_schema",
            Self::Unusable(_) => "unusable",
        }
    }

    /// Whether a person has to do something about it.
    pub(crate) fn needs_a_person(&self) -> bool {
        matches!(self, Self::Newer(_) | Self::Unusable(_))
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } => Self::Unavailable(error.to_string()),
            StoreError::Newer { .. } => Self::Newer(error.to_string()),
            StoreError::Unreadable { .. } => Self::Unusable(error.to_string()),
        }
    }
}

impl From<WriteError> for Trouble {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Conflict { key, .. } => Self::Contended(key),
            WriteError::Unavailable { .. } => Self::Unavailable(error.to_string()),
            WriteError::TooLarge { .. } => Self::Unusable(error.to_string()),
        }
    }
}

impl From<PublishError> for Trouble {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::TimedOut { .. } => Self::Unavailable(error.to_string()),
            PublishError::TooLarge { .. } => Self::Unusable(error.to_string()),
        }
    }
}

impl From<RecordError> for Trouble {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::NewerSchema { .. } => Self::Newer(error.to_string()),
            RecordError::Corrupt { .. } => Self::Unusable(error.to_string()),
        }
    }
}

/// Why a delivery is not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is tried again.
    Later(Trouble),
    /// Nobody can use it: it becomes a dead letter.
    Dead {
        /// Kind of failure.
        class: Class,
        /// A sentence for a person.
        text: String,
        /// Its cluster, as far as it can be told.
        cluster: String,
    },
}

impl<E: Into<Trouble>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Later(error.into())
    }
}
