//! The claim on an action: a record in the ledger that only its owner may move on.
//!
//! A claim is made by creating the record, taken over from a dead owner by compare-and-set, and ended by
//! writing the outcome into it. Its revision is the fencing token: a write at an old revision fails, and
//! whoever sees that has lost the claim and says nothing more.

use std::{sync::Arc, time::Duration};

use hollowtrees_bus::{
    Bus, Revision, Store, StoreError, Versioned, WriteError,
    liveness::{Lease, Standing},
    store::SCHEMA,
};
use hollowtrees_schemas::{
    names::ledger_state,
    proto::{self, time},
};
use jiff::Timestamp;
use pbjson_types::Struct;
use tokio::sync::Mutex;

use super::order::Order;

/// Starts that broke off before an action is taken over in its turn among its like. A process that dies takes all that
/// it does with it, and once may happen to anyone; who does it again and again is found by who else was there.
const SUSPECT_AFTER: u32 = 2;
/// The server hands an action out again after this long, at most, when someone alive works on it.
pub(crate) const BUSY_DELAY: Duration = Duration::from_secs(2);
/// That long after the owner's word has aged: the server drops it a little late.
const AGED_DELAY: Duration = Duration::from_millis(200);
/// A record that was written elsewhere is read again after this, so many times, until this replica of the bus shows it.
const NOT_YET: (Duration, u32) = (Duration::from_millis(25), 20);
/// First and longest wait before an unanswered write is tried again.
const RETRY_FLOOR: Duration = Duration::from_millis(50);
const RETRY_CAP: Duration = Duration::from_secs(1);

/// A claim that is ours, or was.
pub(crate) struct Claim {
    store: Store<proto::LedgerEntry>,
    lease: Lease,
    key: String,
    state: Arc<Mutex<State>>,
}

struct State {
    entry: proto::LedgerEntry,
    revision: Revision,
    /// Lapses of our liveness when the claim was last proven.
    proven_at: u64,
}

/// What came of trying to claim.
pub(crate) enum Taken {
    /// It is ours to do.
    Ours(Box<Claim>),
    /// It was done before; its outcome may have been lost on the way.
    Done(Box<proto::Outcome>),
    /// Someone alive does it, or it cannot be told yet: it is looked at again after this long.
    Busy { again: Duration },
    /// Ours to take over in its turn among its like: several starts of it broke off. `start` is what
    /// [`Claim::start_that_counts`] will be.
    Suspect { start: u32 },
    /// Ours to take over once there is a slot to go on in.
    NoSlot,
}

/// What may be taken over now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// A handler may start.
    pub(crate) has_slot: bool,
    /// It runs in its turn among the suspects.
    pub(crate) apart: bool,
    /// Another process gave it to this one by this write.
    pub(crate) given: Option<Revision>,
}

/// Why it could not be told whether an action is ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Read(#[from] StoreError),
}

/// Why a claim was not moved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimError {
    /// It is someone else's now.
    Lost,
    /// The record would be larger than the ledger takes.
    TooLarge { bytes: usize },
}

/// What to do about a record that exists.
#[derive(Debug, PartialEq, Eq)]
enum Move {
    Answer,
    TakeOver {
        attempt: u32,
    },
    Reopen,
    /// `owned_for`: how long the owner's word is good as it stands.
    Wait {
        owned_for: Option<Duration>,
    },
}

/// Pure: `owner` is what is known of the process that holds it, unless it is this one.
fn decide(entry: &proto::LedgerEntry, redrive: u32, owner: Option<Standing>) -> Move {
    if entry.state == ledger_state::DONE {
        return if entry.redrive >= redrive {
            Move::Answer
        } else {
            Move::Reopen
        };
    }
    match owner {
        // Our own record without work of ours: a write whose reply was lost, or a start that broke off.
        None | Some(Standing::Gone) => Move::TakeOver {
            attempt: entry.attempt.saturating_add(1),
        },
        Some(Standing::Alive(left)) => Move::Wait {
            owned_for: Some(left),
        },
        Some(Standing::Unknown) => Move::Wait { owned_for: None },
    }
}

/// Claims an action for the process `me`.
pub(crate) async fn take(
    bus: &Bus,
    lease: &Lease,
    me: &proto::Worker,
    order: &Order,
    turn: Turn,
    saga: bool,
    now: Timestamp,
) -> Result<Taken, TakeError> {
    let store = bus.ledger().clone();
    let proven_at = lease.lapses();
    let fresh = proto::LedgerEntry {
        schema: SCHEMA,
        state: ledger_state::RUNNING.to_owned(),
        owner: Some(me.clone()),
        attempt: 1,
        handovers: 0,
        saga,
        nonce: nonce(),
        checkpoint: None,
        started_at: Some(time::to_proto(now)),
        accepted_at: Some(time::to_proto(order.accepted_at)),
        outcome: None,
        redrive: order.redrive,
    };
    let ours = |entry, revision| {
        let state = Arc::new(Mutex::new(State {
            entry,
            revision,
            proven_at,
        }));
        Taken::Ours(Box::new(Claim {
            store: store.clone(),
            lease: lease.clone(),
            key: order.ledger_key.clone(),
            state,
        }))
    };
    // What was given has its record.
    if turn.given.is_none() {
        match store.create(&order.ledger_key, &fresh).await {
            Ok(revision) => return Ok(ours(fresh, revision)),
            Err(WriteError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // Absence after a conflict is a stale read: someone else's record is on its way to this replica.
    let Some(Versioned {
        value: found,
        revision,
        ..
    }) = read(&store, &order.ledger_key, turn.given).await?
    else {
        return Ok(Taken::Busy { again: BUSY_DELAY });
    };
    if found.nonce == fresh.nonce {
        return Ok(ours(fresh, revision));
    }
    let owner = found.owner.clone().unwrap_or_default();
    let standing = if owner.process == me.process {
        None
    } else {
        Some(lease.standing(&owner).await)
    };
    let next = match decide(&found, order.redrive, standing) {
        Move::Answer => return Ok(Taken::Done(Box::new(found.outcome.unwrap_or_default()))),
        Move::Wait { owned_for } => {
            let aged = owned_for.map(|left| left.saturating_add(AGED_DELAY));
            let again = aged.unwrap_or(BUSY_DELAY).min(BUSY_DELAY);
            return Ok(Taken::Busy { again });
        }
        Move::Reopen => fresh,
        // No start of it broke off: who gave it away had only looked.
        Move::TakeOver { .. } if turn.given == Some(revision) && standing.is_none() => proto::LedgerEntry {
            nonce: fresh.nonce.clone(),
            ..found
        },
        // Nothing is written before its turn: who dies meanwhile did not die of it.
        Move::TakeOver { .. } if !turn.has_slot => return Ok(Taken::NoSlot),
        Move::TakeOver { attempt }
            if that_counts(attempt, found.handovers) > SUSPECT_AFTER && !turn.apart =>
        {
            let start = that_counts(attempt, found.handovers);
            return Ok(Taken::Suspect { start });
        }
        Move::TakeOver { attempt } => {
            tracing::info!(action = %order.id, from = owner.process, attempt, "An action is taken over from a process that is gone.");
            proto::LedgerEntry {
                attempt,
                handovers: found.handovers,
                checkpoint: found.checkpoint,
                accepted_at: found.accepted_at,
                redrive: found.redrive.max(fresh.redrive),
                ..fresh
            }
        }
    };
    match store.update(&order.ledger_key, &next, revision).await {
        Ok(revision) => Ok(ours(next, revision)),
        Err(WriteError::Conflict { .. }) => Ok(Taken::Busy { again: BUSY_DELAY }),
        Err(error) => Err(error.into()),
    }
}

/// The record as of this write or a later one, as far as it is shown in time.
async fn read(
    store: &Store<proto::LedgerEntry>,
    key: &str,
    given: Option<Revision>,
) -> Result<Option<Versioned<proto::LedgerEntry>>, StoreError> {
    let mut left = NOT_YET.1;
    loop {
        let found = store.get(key).await?;
        let is_old = given.is_some_and(|given| found.as_ref().is_none_or(|found| found.revision < given));
        if !is_old {
            return Ok(found);
        }
        left = left.saturating_sub(1);
        if left == 0 {
            return Ok(None);
        }
        tokio::time::sleep(NOT_YET.0).await;
    }
}

impl Claim {
    /// Starts of the handler, this one included.
    pub(crate) async fn attempt(&self) -> u32 {
        self.state.lock().await.entry.attempt
    }

    /// Number of this start among those that broke off: a start that was handed over proves nothing.
    pub(crate) async fn start_that_counts(&self) -> u32 {
        let state = self.state.lock().await;
        that_counts(state.entry.attempt, state.entry.handovers)
    }

    /// Whether an earlier start left something to be finished or undone.
    pub(crate) async fn is_open_saga(&self) -> bool {
        let state = self.state.lock().await;
        state.entry.saga && state.entry.checkpoint.is_some()
    }

    /// What an earlier start left for this one.
    pub(crate) async fn checkpoint(&self) -> Option<Struct> {
        self.state.lock().await.entry.checkpoint.clone()
    }

    /// Proves that the claim is still ours: at no cost while our word was fresh all along, else by a write, and
    /// not before our word is fresh again: until then others may take over.
    pub(crate) async fn prove(&self) -> Result<(), ClaimError> {
        let mut was_stale = false;
        while !self.lease.is_fresh() {
            was_stale = true;
            tokio::time::sleep(RETRY_FLOOR).await;
        }
        let lapses = self.lease.lapses();
        let proven_at = self.state.lock().await.proven_at;
        if lapses == proven_at && !was_stale {
            return Ok(());
        }
        self.write(move |state| {
            state.proven_at = lapses;
            state.entry.clone()
        })
        .await
    }

    /// Stores what a later start needs to go on.
    pub(crate) async fn save(&self, checkpoint: Struct) -> Result<(), ClaimError> {
        self.write(|state| proto::LedgerEntry {
            checkpoint: Some(checkpoint),
            ..state.entry.clone()
        })
        .await
    }

    /// Counts a start that broke off, so that a poison action is known by it.
    pub(crate) async fn count_start(&self) -> Result<(), ClaimError> {
        self.write(|state| {
            let attempt = state.entry.attempt.saturating_add(1);
            proto::LedgerEntry {
                attempt,
                ..state.entry.clone()
            }
        })
        .await
    }

    /// Leaves the action to the next process: this start did not break off. Nothing where it has ended.
    pub(crate) async fn hand_over(&self) -> Result<(), ClaimError> {
        if self.state.lock().await.entry.state == ledger_state::DONE {
            return Ok(());
        }
        self.write(|state| {
            let handovers = state.entry.handovers.saturating_add(1);
            proto::LedgerEntry {
                handovers,
                ..state.entry.clone()
            }
        })
        .await
    }

    /// Says that it is this process's from now on, and at which revision that stands.
    pub(crate) async fn give(&self, to: proto::Worker) -> Result<Revision, ClaimError> {
        self.write(|state| proto::LedgerEntry {
            owner: Some(to),
            ..state.entry.clone()
        })
        .await?;
        Ok(self.state.lock().await.revision)
    }

    /// Ends the claim with an outcome: from here on it is this one, whatever happens.
    pub(crate) async fn finish(&self, outcome: proto::Outcome) -> Result<(), ClaimError> {
        self.write(|state| proto::LedgerEntry {
            state: ledger_state::DONE.to_owned(),
            outcome: Some(outcome),
            checkpoint: None,
            ..state.entry.clone()
        })
        .await
    }

    /// Moves the claim on. In a task of its own: a caller that is dropped half-way (a time limit, a `select!`)
    /// must not leave a write behind whose revision nobody knows.
    async fn write(
        &self,
        change: impl FnOnce(&mut State) -> proto::LedgerEntry + Send + 'static,
    ) -> Result<(), ClaimError> {
        let mut state = Arc::clone(&self.state).lock_owned().await;
        let (store, key) = (self.store.clone(), self.key.clone());
        let writing = tokio::spawn(async move {
            let entry = change(&mut state);
            write(&store, &key, &mut state, entry).await
        });
        // It ends early only with the whole runtime.
        writing.await.unwrap_or(Err(ClaimError::Lost))
    }
}

fn that_counts(attempt: u32, handovers: u32) -> u32 {
    attempt.saturating_sub(handovers)
}

/// One compare-and-set, tried until it is answered: until then nobody knows, and nothing else may be done
/// about the action. A conflict after an unanswered try may be our own earlier try: the nonce tells.
async fn write(
    store: &Store<proto::LedgerEntry>,
    key: &str,
    state: &mut State,
    mut entry: proto::LedgerEntry,
) -> Result<(), ClaimError> {
    entry.nonce = nonce();
    let mut unanswered = false;
    let mut wait = RETRY_FLOOR;
    loop {
        let cause = match store.update(key, &entry, state.revision).await {
            Ok(revision) => {
                state.revision = revision;
                state.entry = entry;
                return Ok(());
            }
            Err(WriteError::Conflict { .. }) if unanswered => match store.get(key).await {
                Ok(Some(found)) if found.value.nonce == entry.nonce => {
                    state.revision = found.revision;
                    state.entry = entry;
                    return Ok(());
                }
                Ok(Some(found)) if found.revision > state.revision => return Err(ClaimError::Lost),
                Ok(_) => "what was read is older than what is known".to_owned(),
                Err(StoreError::Newer { .. } | StoreError::Unreadable { .. }) => {
                    return Err(ClaimError::Lost);
                }
                Err(error @ StoreError::Unavailable { .. }) => error.to_string(),
            },
            Err(WriteError::Conflict { .. }) => return Err(ClaimError::Lost),
            Err(WriteError::TooLarge { bytes, .. }) => return Err(ClaimError::TooLarge { bytes }),
            Err(error @ WriteError::Unavailable { .. }) => {
                unanswered = true;
                error.to_string()
            }
        };
        tracing::debug!(cause, "A ledger write was not answered; it is tried again.");
        tokio::time::sleep(wait.mul_f64(rand::random_range(0.5..=1.0))).await;
        wait = wait.saturating_mul(2).min(RETRY_CAP);
    }
}

/// Tells one write from any other; no id depends on it.
fn nonce() -> String {
    format!("{:016x}", rand::random::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(state: &str, redrive: u32) -> proto::LedgerEntry {
        proto::LedgerEntry {
            state: state.to_owned(),
            redrive,
            attempt: 2,
            ..proto::LedgerEntry::default()
        }
    }

    #[test]
    fn a_record_that_exists_decides() {
        let check = |state, found, asked, owner, expected: Move| {
            assert_eq!(
                decide(&entry(state, found), asked, owner),
                expected,
                "{state} {found} {asked} {owner:?}"
            );
        };
        let owned_for = Some(Duration::from_secs(3));
        let alive = owned_for.map(Standing::Alive);
        check(ledger_state::DONE, 0, 0, alive, Move::Answer);
        check(ledger_state::DONE, 1, 0, None, Move::Answer);
        check(ledger_state::DONE, 0, 1, alive, Move::Reopen);
        check(ledger_state::RUNNING, 0, 0, alive, Move::Wait { owned_for });
        check(ledger_state::RUNNING, 0, 1, alive, Move::Wait { owned_for });
        let unknown = Move::Wait { owned_for: None };
        check(ledger_state::RUNNING, 0, 0, Some(Standing::Unknown), unknown);
        check(
            ledger_state::RUNNING,
            0,
            0,
            Some(Standing::Gone),
            Move::TakeOver { attempt: 3 },
        );
        check(ledger_state::RUNNING, 0, 0, None, Move::TakeOver { attempt: 3 });
    }
}
