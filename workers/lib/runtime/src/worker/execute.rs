//! One action, from its claim to its outcome. Every path out of here either settles the delivery after the
//! ledger knows the end, hands it back, or says nothing because the claim was lost.

use std::{sync::Arc, time::Duration};

use hollowtrees_bus::{
    Bus,
    dead::{Class, Reason},
    liveness::Lease,
};
use hollowtrees_schemas::{envelope, outgoing, proto};
use jiff::Timestamp;

use super::{
    Failure, Handler, Job, Report, Settings,
    affinity::Affinity,
    attempt::{Attempt, Stays},
    bounded::{self, AbortOnDrop, later},
    claim::{self, Claim, ClaimError, Taken, Turn},
    order::Mode,
    outcome::Author,
    refuse::dead_letter,
    telemetry::Telemetry,
};

/// The server hands an action out again after this long when the ledger could not be asked.
const UNANSWERED_DELAY: Duration = Duration::from_secs(1);
/// First and longest wait between two starts of a handler.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// An action whose incident could not be read is looked at again after this.
const UNREAD_DELAY: Duration = Duration::from_millis(250);
/// Characters of an outcome's message, where the whole is too large for the ledger.
const LONGEST_MESSAGE: usize = 4_096;

/// What all actions of a worker share.
pub(crate) struct Core<H> {
    pub(crate) bus: Bus,
    pub(crate) lease: Lease,
    pub(crate) author: Arc<Author>,
    pub(crate) handler: Arc<H>,
    pub(crate) settings: Settings,
    pub(crate) telemetry: Telemetry,
    /// Where actions that belong together may be given; none: nowhere.
    pub(crate) affinity: Option<Arc<Affinity>>,
}

/// What the loop has to do about it afterwards.
pub(crate) enum Ended {
    /// Nothing: it was settled, handed back or abandoned.
    Settled,
    /// Try again, not before.
    Again(Box<Attempt>, Timestamp),
    /// It needs more than an answer, and was given no slot to start in.
    NoSlot(Box<Attempt>),
    /// Try again when its turn among the suspects comes.
    Apart(Box<Attempt>),
}

/// What came of claiming an action.
enum Claimed {
    Ours(Box<Claim>),
    /// It waits for its turn among its like.
    Suspect {
        start: u32,
    },
    /// It waits for a slot.
    NoSlot,
    /// Not ours, and seen to.
    Elsewhere,
}

impl<H: Handler> Core<H> {
    /// Without a slot it may be answered, and no handler starts.
    pub(crate) async fn execute(&self, mut attempt: Attempt, has_slot: bool) -> Ended {
        let claim = match attempt.claim.get() {
            Some(claim) => Arc::clone(claim),
            None => match self.claim(&mut attempt, has_slot).await {
                Claimed::Ours(claim) => {
                    let claim = Arc::new(*claim);
                    Arc::clone(attempt.claim.get_or_init(|| claim))
                }
                Claimed::Suspect { start } => {
                    attempt.suspect = Some(start);
                    return Ended::Apart(Box::new(attempt));
                }
                Claimed::NoSlot => {
                    attempt.needs_slot = true;
                    return Ended::NoSlot(Box::new(attempt));
                }
                Claimed::Elsewhere => return Ended::Settled,
            },
        };
        if !attempt.incident_heard {
            let incident = self.bus.incidents().get(&attempt.order.incident_key).await;
            attempt.hear(incident);
        }
        if !attempt.incident_heard {
            // Withdrawn or not, nobody can say: nothing is started on no knowledge.
            let next = later(self.author.now(), UNREAD_DELAY);
            return Ended::Again(Box::new(attempt), next);
        }
        let start = claim.attempt().await;
        let that_counts = claim.start_that_counts().await;
        if that_counts > self.settings.poison_after {
            return self
                .give_up(&attempt, &claim, start, Class::Poison, poison_text(that_counts))
                .await;
        }
        let resumable = claim.checkpoint().await.is_some();
        if let Some(report) = self.answer_without_start(&attempt, start, resumable) {
            return self.conclude(&attempt, &claim, start, report).await;
        }
        if !has_slot {
            return Ended::NoSlot(Box::new(attempt));
        }
        self.start(attempt, claim, start).await
    }

    /// Claims the action and reads its incident in one round trip.
    async fn claim(&self, attempt: &mut Attempt, has_slot: bool) -> Claimed {
        let order = Arc::clone(&attempt.order);
        let turn = Turn {
            has_slot,
            apart: attempt.suspect.is_some(),
            given: match attempt.stays {
                Stays::Given(revision) => Some(revision),
                Stays::No | Stays::Offered => None,
            },
        };
        let (taken, incident) = tokio::join!(
            claim::take(
                &self.bus,
                &self.lease,
                &self.author.worker,
                &order,
                turn,
                self.settings.is_saga(&order.action.kind),
                self.author.now()
            ),
            self.bus.incidents().get(&order.incident_key),
        );
        attempt.hear(incident);
        match taken {
            Ok(Taken::Ours(claim)) => return Claimed::Ours(claim),
            Ok(Taken::Suspect { start }) => return Claimed::Suspect { start },
            Ok(Taken::NoSlot) => return Claimed::NoSlot,
            Ok(Taken::Done(outcome)) => self.answer_again(attempt, *outcome).await,
            Ok(Taken::Busy { again }) => {
                if let Some(delivery) = attempt.parcel.take() {
                    delivery.nak(again).await;
                }
            }
            Err(error) => {
                tracing::warn!(action = %order.id, %error, "An action could not be claimed; it is handed back.");
                if let Some(delivery) = attempt.parcel.take() {
                    delivery.nak(UNANSWERED_DELAY).await;
                }
            }
        }
        Claimed::Elsewhere
    }

    /// The outcome of an action that needs no handler, if it is one.
    fn answer_without_start(&self, attempt: &Attempt, start: u32, resumable: bool) -> Option<Report> {
        let order = &attempt.order;
        match order.mode {
            Mode::Test => return Some(Report::skipped("test", "A test: nothing was touched.")),
            Mode::DryRun if !self.settings.has_dry_run(&order.action.kind) => {
                return Some(Report::skipped(
                    "dry-run",
                    "This kind of action knows no dry run: nothing was touched.",
                ));
            }
            Mode::DryRun | Mode::Live => {}
        }
        let untouched = start == 1 && attempt.tries == 0;
        let control = *attempt.control.borrow();
        if control.cancelled && untouched {
            return Some(Report::cancelled(
                "The incident was withdrawn before this started.",
            ));
        }
        let passed = control
            .deadline
            .is_some_and(|deadline| deadline <= self.author.now());
        if passed && !order.run_expired && !resumable {
            return Some(if untouched {
                Report::expired("Its deadline passed before a worker could start it.")
            } else {
                Report::failed("deadline", "Its deadline passed before it could be tried again.")
            });
        }
        None
    }

    async fn start(&self, mut attempt: Attempt, claim: Arc<Claim>, start: u32) -> Ended {
        let order = Arc::clone(&attempt.order);
        let started_at = self.author.now();
        let open_saga = claim.is_open_saga().await;
        let most = self.settings.time_limit;
        let first = *attempt.first_started_at.get_or_insert(started_at);
        let job = Job {
            bus: self.bus.clone(),
            order: Arc::clone(&order),
            claim: Arc::clone(&claim),
            author: Arc::clone(&self.author),
            control: attempt.control.subscribe(),
            attempt: start,
            started_at,
            limit: most,
            open_saga,
            affinity: self.affinity.clone().filter(|_| attempt.stays == Stays::No),
        };
        let handler = Arc::clone(&self.handler);
        // A task of its own: a panic in a handler must not take the loop with it.
        let mut running = AbortOnDrop(tokio::spawn(async move { handler.handle(job).await }));
        let limit = |deadline| order.time_limit(started_at, deadline, most, open_saga);
        let answer = bounded::within(&mut running.0, attempt.control.subscribe(), limit).await;
        drop(running);
        match answer {
            Err(limit) => {
                let text = format!("The handler did not come to an end within {} s.", limit.as_secs());
                self.conclude(&attempt, &claim, start, Report::failed("deadline", text))
                    .await
            }
            Ok(Ok(Ok(report))) => self.conclude(&attempt, &claim, start, report).await,
            Ok(Ok(Err(Failure::Elsewhere(to)))) => self.give(attempt, &claim, *to).await,
            Ok(Ok(Err(Failure::Lost))) => self.lost(&attempt),
            Ok(Ok(Err(Failure::Rejected { reason, cause }))) => {
                self.give_up(&attempt, &claim, start, Class::Rejected, (reason, cause))
                    .await
            }
            Ok(Ok(Err(Failure::Transient { cause, after }))) => {
                self.try_again(attempt, &claim, start, first, cause, after).await
            }
            Ok(Err(broken)) => {
                tracing::error!(action = %order.id, error = %broken, "A handler broke off; the action is tried again.");
                self.telemetry.handler_broke(&order.action.kind);
                match claim.count_start().await {
                    Ok(()) => {
                        self.try_again(attempt, &claim, start, first, broken.to_string(), None)
                            .await
                    }
                    Err(_) => self.lost(&attempt),
                }
            }
        }
    }

    /// Another try, if it can start before the time is over.
    async fn try_again(
        &self,
        mut attempt: Attempt,
        claim: &Claim,
        start: u32,
        first_started_at: Timestamp,
        cause: String,
        after: Option<Duration>,
    ) -> Ended {
        let doublings = attempt.tries.min(10);
        let backoff = RETRY
            .0
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(RETRY.1);
        let wait = after
            .unwrap_or_default()
            .max(backoff.mul_f64(rand::random_range(0.5..=1.0)));
        let next = later(self.author.now(), wait);
        let order = &attempt.order;
        let open_saga = claim.is_open_saga().await;
        let deadline = attempt.control.borrow().deadline;
        let limit = order.time_limit(first_started_at, deadline, self.settings.time_limit, open_saga);
        let latest = later(first_started_at, limit);
        // A saga that has begun goes on past the deadline; what has not touched anything ends with it.
        let begun = claim.checkpoint().await.is_some() || order.run_expired;
        let deadline = deadline.filter(|_| !begun);
        let end = deadline.map_or(latest, |deadline| deadline.min(latest));
        if next >= end {
            let text = format!("No time is left for another try; the last one said: {cause}");
            return self
                .conclude(&attempt, claim, start, Report::failed("deadline", text))
                .await;
        }
        tracing::info!(action = %order.id, cause, wait_ms = wait.as_millis(), "An action is tried again.");
        self.telemetry.retried(&order.action.kind);
        attempt.tries += 1;
        Ended::Again(Box::new(attempt), next)
    }

    /// Ledger, outcome, ack: in this order.
    async fn conclude(&self, attempt: &Attempt, claim: &Claim, start: u32, report: Report) -> Ended {
        let outcome = self.outcome_of(attempt, start, report);
        let outcome = match self.finish(claim, outcome).await {
            Ok(outcome) => outcome,
            Err(late) => {
                self.tell_late(attempt, *late).await;
                return self.lost(attempt);
            }
        };
        self.tell(attempt, &outcome).await;
        if let Some(delivery) = attempt.parcel.take() {
            delivery.ack().await;
        }
        Ended::Settled
    }

    /// Writes the end into the ledger, without its detail if it is too large with it; the outcome as it was
    /// written. `Err`: someone else's won.
    async fn finish(
        &self,
        claim: &Claim,
        mut outcome: proto::Outcome,
    ) -> Result<proto::Outcome, Box<proto::Outcome>> {
        loop {
            match claim.finish(outcome.clone()).await {
                Ok(()) => return Ok(outcome),
                Err(ClaimError::TooLarge { bytes }) if outcome.detail.is_some() => {
                    tracing::warn!(
                        action = outcome.action_id,
                        bytes,
                        "An outcome is kept without its detail: it is too large."
                    );
                    outcome.detail = None;
                }
                Err(ClaimError::TooLarge { .. }) if outcome.message.len() > LONGEST_MESSAGE => {
                    outcome.message = outcome.message.chars().take(LONGEST_MESSAGE).collect();
                }
                Err(_) => return Err(Box::new(outcome)),
            }
        }
    }

    /// Dead letter, ledger, outcome, TERM: in this order.
    async fn give_up(
        &self,
        attempt: &Attempt,
        claim: &Claim,
        start: u32,
        class: Class,
        (reason, text): (String, String),
    ) -> Ended {
        let order = &attempt.order;
        let Some(delivery) = attempt.parcel.take() else {
            return Ended::Settled;
        };
        let letter = Reason {
            class,
            text: text.clone(),
            attempts: start,
            action_id: Some(order.id.as_str()),
            cluster: &order.action.cluster,
            worker: &self.author.worker,
        };
        if let Err(error) = dead_letter(&self.bus, &delivery, &letter).await {
            tracing::error!(action = %order.id, %error, "A dead letter could not be kept; the action is handed back.");
            delivery.nak(claim::BUSY_DELAY).await;
            return Ended::Settled;
        }
        self.telemetry.dead_lettered(&order.action.kind, class);
        let outcome = self.outcome_of(attempt, start, Report::failed(reason, text));
        let Ok(outcome) = self.finish(claim, outcome).await else {
            delivery.abandon();
            return Ended::Settled;
        };
        self.tell(attempt, &outcome).await;
        delivery.term().await;
        Ended::Settled
    }

    fn outcome_of(&self, attempt: &Attempt, start: u32, report: Report) -> proto::Outcome {
        let deadline = attempt.control.borrow().deadline;
        self.author
            .conclude(&attempt.order, report, start, attempt.first_started_at, deadline)
    }

    /// Done before: the outcome is told once more, for the first telling may have been lost.
    async fn answer_again(&self, attempt: &Attempt, outcome: proto::Outcome) {
        self.tell(attempt, &outcome).await;
        if let Some(delivery) = attempt.parcel.take() {
            delivery.ack().await;
        }
    }

    /// Tells the outcome until the bus has stored it. Only one too large for the bus is told without detail.
    async fn tell(&self, attempt: &Attempt, final_outcome: &proto::Outcome) {
        // Under the ids it was first told by: what the router ended is the router's word, and one message.
        let source = self.author.source_of(final_outcome);
        let mut told = final_outcome.clone();
        loop {
            let sent = match outgoing::outcome(&envelope::outcome(told.clone(), &source), self.author.format)
            {
                Ok(out) => self
                    .bus
                    .publish(&out, None)
                    .await
                    .map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match sent {
                Ok(published) => {
                    self.telemetry.published(&told.kind, published.duplicate);
                    break;
                }
                Err(error) if told.detail.is_some() => {
                    tracing::warn!(action = %attempt.order.id, error, "An outcome is told without its detail.");
                    told.detail = None;
                }
                Err(error) => {
                    tracing::error!(action = %attempt.order.id, error, "An outcome cannot be told; it stays in the ledger.");
                    break;
                }
            }
        }
        self.telemetry.concluded(final_outcome);
    }

    /// Someone else's outcome won; ours is kept beside it.
    async fn tell_late(&self, attempt: &Attempt, mut late: proto::Outcome) {
        late.late = true;
        let source = self.author.source(&attempt.order);
        let until = later(Timestamp::now(), Duration::from_secs(5));
        if let Ok(out) = outgoing::outcome(&envelope::outcome(late, &source), self.author.format)
            && let Err(error) = self.bus.publish(&out, Some(until)).await
        {
            tracing::debug!(action = %attempt.order.id, %error, "A late outcome was not told.");
        }
    }

    pub(super) fn lost(&self, attempt: &Attempt) -> Ended {
        tracing::warn!(action = %attempt.order.id, "The claim on an action was lost; its new owner goes on.");
        self.telemetry.claim_lost(&attempt.order.action.kind);
        if let Some(delivery) = attempt.parcel.take() {
            delivery.abandon();
        }
        Ended::Settled
    }
}

fn poison_text(start_that_counts: u32) -> (String, String) {
    let starts = start_that_counts.saturating_sub(1);
    (
        "poison".to_owned(),
        format!("{starts} starts of this action ended without a result; its worker may die of it"),
    )
}
