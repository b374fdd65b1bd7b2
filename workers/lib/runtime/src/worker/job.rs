//! What a handler gets: the action, and the ways to ask about it and to speak of it while it runs.

use std::{sync::Arc, time::Duration};

use hollowtrees_bus::Bus;
use hollowtrees_schemas::{envelope, names::result, outgoing, proto};
use jiff::Timestamp;
use pbjson_types::Struct;
use tokio::sync::watch;

use super::{
    Failure,
    affinity::{self, Affinity},
    bounded::later,
    claim::Claim,
    order::{Mode, Order},
    outcome::Author,
};

/// What may change while an action waits or runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) cancelled: bool,
    pub(crate) stopping: bool,
    /// Changes of the incident that are in this: an older record, read late, says nothing new.
    pub(crate) changes: u64,
}

/// One start of one action.
pub struct Job {
    pub(crate) bus: Bus,
    pub(crate) order: Arc<Order>,
    pub(crate) claim: Arc<Claim>,
    pub(crate) author: Arc<Author>,
    pub(crate) control: watch::Receiver<Control>,
    pub(crate) attempt: u32,
    pub(crate) started_at: Timestamp,
    /// How long a start may take, whenever its outcome is due.
    pub(crate) limit: Duration,
    pub(crate) open_saga: bool,
    /// Where processes that it may be given to take it: what their subjects begin with, and this one's own. None: it stays.
    pub(crate) affinity: Option<Arc<Affinity>>,
}

impl Job {
    /// The action.
    pub fn action(&self) -> &proto::Action {
        &self.order.action
    }

    /// Whether another process does what belongs to `what`, names that many actions have in common: then the answer of the
    /// handler, which is to have done nothing yet. Without [`super::Settings::affinity`] none does, and nothing is given twice.
    pub fn elsewhere(&self, what: &[&str]) -> Option<Failure> {
        let affinity = self.affinity.as_ref()?;
        let home = affinity::home(what, self.author.lease.takers(&affinity.beginning))?;
        (home.at != affinity.own).then(|| Failure::Elsewhere(Box::new(home)))
    }

    /// The bus, for records of the worker's own and those it reads.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// This process, as it signs.
    pub fn worker(&self) -> &proto::Worker {
        &self.author.worker
    }

    /// The time deadlines are compared with: by the bus server's clock where ours is far off it.
    pub fn now(&self) -> Timestamp {
        self.author.now()
    }

    /// Nothing may be touched; say what would be done.
    pub fn is_dry_run(&self) -> bool {
        self.order.mode == Mode::DryRun
    }

    /// Starts so far, this one included. Above 1 an earlier one broke off: look at [`Job::checkpoint`].
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The last moment of an effect on the old node, as the incident has it now; `None` where none is known.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.control.borrow().deadline
    }

    /// When the loop ends this start, whatever it is at: the outcome is due, or the limit of the settings is reached.
    /// A deadline that moves later moves it.
    pub fn ends_by(&self) -> Timestamp {
        let started = self.started_at;
        let limit = self
            .order
            .time_limit(started, self.deadline(), self.limit, self.open_saga);
        later(started, limit)
    }

    /// Whether the incident was withdrawn: stop at the next safe point with [`super::Report::cancelled`].
    pub fn is_cancelled(&self) -> bool {
        self.control.borrow().cancelled
    }

    /// Whether the process is about to go: finish soon, or leave a checkpoint for the next one.
    pub fn is_stopping(&self) -> bool {
        self.control.borrow().stopping
    }

    /// Waits until the deadline, the cancellation or the stopping changed. Never returns when nothing does.
    pub async fn changed(&mut self) {
        if self.control.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Proves that the action is still ours, before an effect that is not idempotent.
    ///
    /// Costs nothing while this process spoke to the bus in time, and one write after it did not.
    pub async fn fence(&self) -> Result<(), Failure> {
        Ok(self.claim.prove().await?)
    }

    /// What an earlier start saved; `None` on a first one.
    pub async fn checkpoint(&self) -> Option<Struct> {
        self.claim.checkpoint().await
    }

    /// Saves what a later start needs to go on from here. Proves the claim as well.
    pub async fn save(&self, checkpoint: Struct) -> Result<(), Failure> {
        Ok(self.claim.save(checkpoint).await?)
    }

    /// Tells everyone of a fact on the way (`cordoned`, ...). Told again after a take-over it is still one fact.
    pub async fn progress(&self, reason: &str, message: &str, detail: Option<Struct>) {
        let fact = proto::Outcome {
            reason: reason.to_owned(),
            message: message.to_owned(),
            detail,
            deadline: self.deadline().map(proto::time::to_proto),
            ..self
                .author
                .outcome(&self.order, result::PROGRESS, self.attempt, Some(self.started_at))
        };
        let envelope = envelope::outcome(fact, self.author.source(&self.order));
        let limit = Timestamp::now() + PROGRESS_LIMIT;
        let published = match outgoing::outcome(&envelope, self.author.format) {
            Ok(out) => self
                .bus
                .publish(&out, Some(limit))
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = published {
            tracing::warn!(action = %self.order.id, reason, error, "A progress fact was not told.");
        }
    }
}

/// Progress is told for this long; the outcome will say it again.
const PROGRESS_LIMIT: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);
