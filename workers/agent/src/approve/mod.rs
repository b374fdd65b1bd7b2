//! Azure starts an event at its `NotBefore`, or as soon as it is approved: so it is, once every run of the incident has
//! succeeded and nothing is left for which the time would be needed.
//!
//! An approval is of an event, and so of all machines it names. Each machine's agent reads of its own incident whether it is
//! ready, and says so to the others again and again; the one whose machine's name comes first approves when it has heard it of
//! all. Where one of them has no agent, fails, or cannot be heard, nobody approves, and Azure waits for `NotBefore` as ever.
//! Nothing is remembered: an agent that starts anew knows all of it after one round. Off unless configured.

mod event;
mod record;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use hollowtrees_bus::{
    Bus, StoreError,
    signal::{SignalError, Signals},
};
use hollowtrees_schemas::{
    filter,
    id::IncidentKey,
    names::{Bucket, mode},
};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

pub use event::{Pending, machine, pending};

use crate::{
    document::{Identity, azure},
    metadata::{self, Client, Question},
    telemetry::Telemetry,
};

/// Why an event is not approved this time.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The records of the incident cannot be read.
    #[error("{0}; may this agent read incidents and runs? see docs/nats-permissions.md")]
    Record(#[from] StoreError),
    /// They can be read and not be understood.
    #[error("a record of the router cannot be understood ({0})")]
    Garbage(#[from] serde_json::Error),
    /// The other machines' agents cannot be reached.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// Azure does not take it.
    #[error(transparent)]
    Metadata(#[from] metadata::Error),
}

impl Error {
    /// Type of the error, for `hollowtrees_errors_total`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Record(_) => "approve_record",
            Self::Garbage(_) => "approve_garbage",
            Self::Signal(_) => "approve_signal",
            Self::Metadata(error) => error.kind(),
        }
    }
}

/// What an approver needs.
pub struct Approver {
    /// Of its own: the one that reads events is not to wait for an approval.
    pub client: Client,
    /// Where incidents are read, and others heard.
    pub bus: Bus,
    /// Of this node.
    pub cluster: String,
    /// Between two looks at an event that waits.
    pub every: Duration,
    /// Logs and metrics.
    pub telemetry: Telemetry,
}

/// Signals taken in at a time, so that a flood holds up nothing.
const AT_ONCE: usize = 4096;
/// A word counts for so many rounds; it is said anew in each.
const FRESH: u32 = 4;

/// What was heard of an event that this agent is to approve.
struct Hearing {
    signals: Signals,
    ready: BTreeMap<String, Instant>,
}

impl Approver {
    /// Approves what waits, for ever. `identity` is known once there is an event.
    pub async fn run<'a>(
        mut self,
        identity: impl Fn() -> Option<&'a Identity>,
        mut events: watch::Receiver<Vec<Pending>>,
    ) {
        let mut hearings = BTreeMap::new();
        let mut approved = BTreeSet::new();
        // What it was last time: said once, counted each time.
        let mut trouble = None;
        loop {
            let waiting = events.borrow_and_update().clone();
            approved.retain(|id| waiting.iter().any(|event| event.id == *id));
            hearings.retain(|id, _: &mut Hearing| waiting.iter().any(|event| event.id == *id));
            let mut left = false;
            for event in &waiting {
                let Some(identity) = identity().filter(|_| !approved.contains(&event.id)) else {
                    continue;
                };
                match self.look(event, identity, &mut hearings).await {
                    Ok(true) => {
                        self.telemetry.approved(event);
                        hearings.remove(&event.id);
                        approved.insert(event.id.clone());
                    }
                    Ok(false) => (left, trouble) = (true, None),
                    Err(error) => {
                        let loud = trouble != Some(error.kind());
                        (left, trouble) = (true, Some(error.kind()));
                        self.telemetry.not_approved(event, &error, loud);
                    }
                }
            }
            let pause = crate::source::jittered(self.every);
            let change = events.changed();
            let changed = if left {
                timeout(pause, change).await.unwrap_or(Ok(()))
            } else {
                change.await
            };
            if changed.is_err() {
                // Nobody reads events any more: the process ends.
                return std::future::pending().await;
            }
        }
    }

    /// Whether the event has been approved by this.
    async fn look(
        &mut self,
        event: &Pending,
        identity: &Identity,
        hearings: &mut BTreeMap<String, Hearing>,
    ) -> Result<bool, Error> {
        // Said or asked now, it would be sent whenever there is a connection again.
        if !self.bus.is_connected() {
            return Ok(false);
        }
        let own = machine(&identity.name);
        let subject = filter::ready(&self.cluster, &event.id);
        if !event.is_of_one() && event.is_approved_by(&own) && !hearings.contains_key(&event.id) {
            let signals = self.bus.signals(&subject).await?;
            let ready = BTreeMap::new();
            hearings.insert(event.id.clone(), Hearing { signals, ready });
        }
        if !self.is_ready(event, identity).await? {
            return Ok(false);
        }
        if !event.is_approved_by(&own) {
            self.bus.signal(&subject, Bytes::from(own)).await?;
            return Ok(false);
        }
        if let Some(hearing) = hearings.get_mut(&event.id) {
            hearing.take_in(event);
        }
        let (heard, within) = (hearings.get(&event.id), self.every * FRESH);
        let is_ready = |name: &String| *name == own || heard.is_some_and(|heard| heard.has(name, within));
        if !event.machines.iter().all(is_ready) {
            return Ok(false);
        }
        let body = azure::start_request(&event.id);
        let question = Question {
            query: azure::EVENTS_QUERY,
            ..Question::of(azure::EVENTS)
        };
        self.client.post(&question, body).await?;
        Ok(true)
    }

    /// Whether all that follows from the event is done for this machine.
    async fn is_ready(&self, event: &Pending, identity: &Identity) -> Result<bool, Error> {
        let of = IncidentKey::new(&self.cluster, &identity.instance_id, mode::LIVE);
        let key = hollowtrees_schemas::key::incident(&of);
        let Some(incident) = self.bus.peek(Bucket::Incidents, &key).await? else {
            return Ok(false);
        };
        let runs = record::runs(&incident, &of, &event.id)?;
        for key in &runs {
            match self.bus.peek(Bucket::Runs, key).await? {
                Some(run) if record::succeeded(&run)? => {}
                Some(_) | None => return Ok(false),
            }
        }
        Ok(!runs.is_empty())
    }
}

impl Hearing {
    /// Takes in what has come so far; names that the event does not name are nothing.
    fn take_in(&mut self, event: &Pending) {
        for _ in 0..AT_ONCE {
            let Some(name) = self.signals.waiting() else {
                return;
            };
            let name = String::from_utf8_lossy(&name).into_owned();
            if event.machines.contains(&name) {
                self.ready.insert(name, Instant::now());
            }
        }
    }

    fn has(&self, name: &str, within: Duration) -> bool {
        self.ready.get(name).is_some_and(|at| at.elapsed() <= within)
    }
}
