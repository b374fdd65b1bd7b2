//! What a worker of one's own implements, and what it answers.

use std::{fmt, future::Future, time::Duration};

use hollowtrees_bus::liveness::Taker;
use hollowtrees_schemas::names::result;
use jiff::Timestamp;
use pbjson_types::Struct;

use super::{Job, claim::ClaimError};

/// One kind of action a worker serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// `drain`, `asg-swap`, or one of one's own.
    pub name: String,
    /// Whether the handler can go through an action without touching anything. Without it a `dry-run`
    /// action is answered `skipped`.
    pub dry_run: bool,
    /// Whether what it began must come to an end, past the time its outcome is due: see [`Kind::saga`].
    pub saga: bool,
}

impl Kind {
    /// A kind whose handler knows no dry run.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            dry_run: false,
            saga: false,
        }
    }

    /// A kind whose handler looks at [`Job::is_dry_run`].
    pub fn with_dry_run(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            dry_run: true,
            saga: false,
        }
    }

    /// A kind that leaves something behind if it breaks off: with a checkpoint saved it is started again also after
    /// its outcome was due (`close_at`), with at least ten minutes to finish or to undo what it began, and the router waits
    /// a day longer for it.
    #[must_use]
    pub fn saga(mut self) -> Self {
        self.saga = true;
        self
    }
}

/// A worker: one method. The loop around it claims the action, keeps it claimed, hands it deadlines and
/// cancellations, and turns the answer into exactly one outcome.
pub trait Handler: Send + Sync + 'static {
    /// Does what the action asks, or goes on from [`Job::checkpoint`] where another start left off.
    ///
    /// Effects must be idempotent by themselves: the process can die between an effect and its record.
    /// Before an effect that is not, call [`Job::fence`].
    fn handle(&self, job: Job) -> impl Future<Output = Result<Report, Failure>> + Send;
}

/// The answer of a handler that came to an end: one of the final results.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub(crate) result: &'static str,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) detail: Option<Struct>,
    pub(crate) cordoned_at: Option<Timestamp>,
}

impl Report {
    fn new(result: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            result,
            reason: reason.into(),
            message: message.into(),
            detail: None,
            cordoned_at: None,
        }
    }

    /// Done, as asked.
    pub fn succeeded(message: impl Into<String>) -> Self {
        Self::new(result::SUCCEEDED, "", message)
    }

    /// Not done, for good; `reason` is one word a program can match.
    pub fn failed(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(result::FAILED, reason, message)
    }

    /// There was nothing to do; `reason` says why in one word.
    pub fn skipped(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(result::SKIPPED, reason, message)
    }

    /// Stopped at a safe point because the incident was withdrawn.
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(result::CANCELLED, "withdrawn", message)
    }

    /// Never started, for its time had passed.
    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(result::EXPIRED, "deadline", message)
    }

    /// What else a reader wants to know: lists of pods, ids, sizes.
    #[must_use]
    pub fn with_detail(mut self, detail: Struct) -> Self {
        self.detail = Some(detail);
        self
    }

    /// When the node stopped taking pods.
    #[must_use]
    pub fn cordoned_at(mut self, at: Timestamp) -> Self {
        self.cordoned_at = Some(at);
        self
    }
}

/// Why a handler did not come to an end. Retryability is the type; the loop maps it once.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// May go better later: tried again while time is left. `after` is at least waited (a server's
    /// `Retry-After`); without it the loop backs off.
    #[error("{cause}")]
    Transient {
        /// What failed, on what.
        cause: String,
        /// Not before.
        after: Option<Duration>,
    },
    /// Can never go well, whoever tries: the action itself is wrong. Kept as a dead letter, outcome `failed`.
    #[error("{cause}")]
    Rejected {
        /// One word a program can match.
        reason: String,
        /// What is wrong with it, and the remedy.
        cause: String,
    },
    /// Another process does what this belongs to, as [`Job::elsewhere`] says; given to it, or started here again where it does not
    /// take it.
    #[error("{} does what this belongs to", .0.worker.process)]
    Elsewhere(Box<Taker>),
    /// The claim is someone else's now; whatever was going on is theirs to finish.
    #[error("the claim on this action was lost")]
    Lost,
}

impl Failure {
    /// May go better later.
    pub fn transient(cause: impl fmt::Display) -> Self {
        Self::Transient {
            cause: cause.to_string(),
            after: None,
        }
    }

    /// Can never go well.
    pub fn rejected(reason: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self::Rejected {
            reason: reason.into(),
            cause: cause.to_string(),
        }
    }
}

impl From<ClaimError> for Failure {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Lost => Self::Lost,
            ClaimError::TooLarge { bytes } => Self::rejected(
                "checkpoint-too-large",
                format!("its checkpoint would take {bytes} bytes; the worker has to keep less"),
            ),
        }
    }
}
