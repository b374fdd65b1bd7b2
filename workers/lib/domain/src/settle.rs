//! How the router ends an action in the ledger that no worker ended.
//!
//! The ledger decides who is first: what is returned here is written by
//! compare-and-set, and on a conflict the entry is read and asked again. An
//! entry that is done is never changed.

use hollowtrees_schemas::{names::reason, proto};
use jiff::{SignedDuration, Timestamp};

use crate::limits::SCHEMA_VERSION;
use crate::run::Ended;
use crate::words::Outcome;
use hollowtrees_schemas::proto::time::{from_proto, to_proto};

/// Why an action is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its deadline came and nobody had started it.
    Expired,
    /// Its outcome is overdue.
    Overdue,
    /// Somebody had started it, and its outcome is overdue.
    Stalled,
    /// Its incident was withdrawn.
    Withdrawn,
}

/// What to do about an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Settlement {
    /// Write this entry (create it where none was read), then publish its outcome.
    Write(Box<proto::LedgerEntry>),
    /// It is done: publish this outcome again and record it.
    Done(Box<proto::Outcome>),
    /// Somebody is at it, and may go on.
    Running,
}

/// Decides from the entry as it was read; `None` where there is none. `served`: a process says that it serves this
/// kind of action.
#[must_use]
pub fn settle(
    why: Why,
    action: &proto::Action,
    entry: Option<&proto::LedgerEntry>,
    router: &proto::Worker,
    served: bool,
    nonce: &str,
    now: Timestamp,
) -> Settlement {
    let kind = &action.kind;
    let (result, word, message) = match (entry, why) {
        (Some(entry), _) if entry.state == "done" => {
            return Settlement::Done(Box::new(entry.outcome.clone().unwrap_or_default()));
        }
        (Some(_), Why::Expired | Why::Withdrawn) => return Settlement::Running,
        (Some(entry), Why::Overdue | Why::Stalled) if is_awaited(entry, action, now) => {
            return Settlement::Running;
        }
        (Some(_), Why::Overdue) | (_, Why::Stalled) => (
            Outcome::Failed,
            "overdue",
            format!(
                "No outcome came by the time it was due; the `{kind}` worker that took it did not end it."
            ),
        ),
        (None, Why::Expired | Why::Overdue) => (
            Outcome::Expired,
            if served {
                reason::NOT_STARTED
            } else {
                reason::NOT_SERVED
            },
            if served {
                format!(
                    "Nobody started it in time, though a process says that it serves `{kind}`; is it overloaded, or of another cluster?"
                )
            } else {
                format!("Nobody started it in time: no process says that it serves `{kind}`; is one to run?")
            },
        ),
        (None, Why::Withdrawn) => (
            Outcome::Cancelled,
            "incident-withdrawn",
            "The incident was withdrawn before anybody started it.".to_owned(),
        ),
    };
    let known = entry.cloned().unwrap_or_default();
    let outcome = proto::Outcome {
        action_id: action.id.clone(),
        cluster: action.cluster.clone(),
        kind: action.kind.clone(),
        instance: action.instance.clone(),
        generation: action.generation,
        result: result.as_str().to_owned(),
        reason: word.to_owned(),
        message,
        mode: action.mode.clone(),
        worker: Some(router.clone()),
        attempt: known.attempt,
        times: Some(proto::Times {
            noticed_at: action.noticed_at,
            published_at: action.created_at,
            accepted_at: known.accepted_at,
            started_at: known.started_at,
            cordoned_at: None,
            ended_at: Some(to_proto(now)),
        }),
        deadline: action.deadline,
        late: false,
        detail: None,
        redrive: known.redrive,
        provider: action
            .target
            .as_ref()
            .map(|target| target.provider.clone())
            .unwrap_or_default(),
        certainty: action.certainty.clone(),
    };
    Settlement::Write(Box::new(proto::LedgerEntry {
        schema: SCHEMA_VERSION,
        state: "done".to_owned(),
        nonce: nonce.to_owned(),
        outcome: Some(outcome),
        ..known
    }))
}

/// How much longer than for others an outcome is waited for where something is left to be finished or undone: only a
/// worker of its kind can, and one may be away for a while.
const SAGA_AWAITED: SignedDuration = SignedDuration::from_hours(24);

fn is_awaited(entry: &proto::LedgerEntry, action: &proto::Action, now: Timestamp) -> bool {
    let due = action.close_at.as_ref().and_then(|at| from_proto(at).ok());
    let until = due.and_then(|due| due.checked_add(SAGA_AWAITED).ok());
    entry.saga && entry.checkpoint.is_some() && until.is_some_and(|until| now < until)
}

/// The entry of an action that a worker without a ledger ended: whoever asks
/// for the same action later finds its outcome there. The detail stays in the
/// outcome message.
#[must_use]
pub fn kept(outcome: &proto::Outcome, nonce: &str) -> proto::LedgerEntry {
    let times = outcome.times.as_ref();
    proto::LedgerEntry {
        schema: SCHEMA_VERSION,
        state: "done".to_owned(),
        owner: outcome.worker.clone(),
        attempt: outcome.attempt,
        nonce: nonce.to_owned(),
        handovers: 0,
        saga: false,
        checkpoint: None,
        started_at: times.and_then(|times| times.started_at),
        accepted_at: times.and_then(|times| times.accepted_at),
        redrive: outcome.redrive,
        outcome: Some(proto::Outcome {
            detail: None,
            ..outcome.clone()
        }),
    }
}

/// The end a done entry tells of; none while it is not done.
#[must_use]
pub fn ended(entry: &proto::LedgerEntry, now: Timestamp) -> Option<Ended> {
    (entry.state == "done")
        .then_some(entry.outcome.as_ref())
        .flatten()
        .and_then(|outcome| Ended::of(outcome, now))
}
