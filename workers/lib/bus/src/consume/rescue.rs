//! Finding the messages that end the connection when they are delivered, and handing them out all the same.
//!
//! Such a message is delivered as far as the server knows, so it can be settled; only its reply subject was
//! never seen. Of that subject the server uses the stream sequence, and for a NAK a consumer sequence between
//! the floor and the newest (nats-server 2.15 `consumer.go`: `processAckMsg`, `processNak`): both are known
//! from the consumer's state.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Subject,
    jetstream::{
        AckKind,
        consumer::{Consumer as Handle, pull},
        message::Acker,
    },
};

use crate::{
    Bus,
    delivery::{Delivery, Parts},
    raw,
    topology::Consumer,
    unreadable,
};

use super::slots::{Held, Slot};

/// The server is told to wait this long before it delivers a found message again: time for a dead letter.
const PARK: Duration = Duration::from_secs(10);

/// The unreadable messages of one consumer.
#[derive(Default)]
pub(super) struct Rescue {
    due: bool,
    search: Option<Search>,
    /// Unreadable messages above the floor; the flag is set once the holder of the delivery settled it for
    /// good, and shared with that delivery as long as it lives.
    known: BTreeMap<u64, Arc<AtomicBool>>,
    /// What stands below was looked at and does not change.
    inspected: u64,
    ready: Option<Delivery>,
}

/// A search under way, over what was delivered and may not be settled.
struct Search {
    walk: raw::Walk,
    source: raw::Source,
    /// Found by an earlier search.
    again: VecDeque<u64>,
    consumer_sequence: u64,
}

/// What a step of a search brought.
pub(super) enum Step {
    Found(Box<Delivery>),
    Looking,
    /// Nothing is left to look at.
    Done,
}

impl Rescue {
    /// A search is to be made, from its beginning.
    pub(super) fn begin(&mut self) {
        self.due = true;
        self.search = None;
    }

    /// Whether there is a search to go on with.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// A delivery that was found and not handed out.
    pub(super) fn leftover(&mut self) -> Option<Delivery> {
        self.ready.take()
    }

    /// Goes on with the search. Safe to cancel, and to call again after an error.
    pub(super) async fn step(
        &mut self,
        bus: &Bus,
        declared: &Consumer,
        held: &Arc<Held>,
    ) -> Result<Step, String> {
        if let Some(found) = &self.ready {
            found.park(PARK).await;
            return Ok(self
                .ready
                .take()
                .map_or(Step::Looking, |found| Step::Found(Box::new(found))));
        }
        let Some(search) = self.search.as_mut() else {
            self.search = Some(self.start(bus, declared).await?);
            return Ok(Step::Looking);
        };
        let dseq = search.consumer_sequence;
        let message = if let Some(&sequence) = search.again.front() {
            let settled = self.known.get(&sequence).cloned().unwrap_or_default();
            if settled.load(Ordering::Acquire) {
                // Its holder's word may have been lost with a connection.
                let acker = acker(bus, declared, sequence, dseq);
                acker
                    .ack_with(AckKind::Term)
                    .await
                    .map_err(|error| error.to_string())?;
                search.again.pop_front();
                return Ok(Step::Looking);
            }
            // Two here and one in the delivery: it is in good hands.
            if Arc::strong_count(&settled) > 2 {
                let acker = acker(bus, declared, sequence, dseq);
                let parked = acker.ack_with(AckKind::Nak(Some(PARK))).await;
                parked.map_err(|error| error.to_string())?;
                search.again.pop_front();
                return Ok(Step::Looking);
            }
            let message = search.source.at(sequence).await?;
            search.again.pop_front();
            message
        } else if let Some(message) = search.walk.next().await? {
            self.inspected = message.sequence;
            Some(message)
        } else {
            self.inspected = self.inspected.max(search.walk.last());
            self.search = None;
            self.due = false;
            return Ok(Step::Done);
        };
        let Some((message, flaw)) = message.and_then(|message| {
            let flaw = unreadable::flaw(&message)?;
            Some((message, flaw))
        }) else {
            return Ok(Step::Looking);
        };
        tracing::warn!(
            stream = declared.stream.name(),
            consumer = declared.name,
            sequence = message.sequence,
            subject = message.subject,
            flaw,
            "A message cannot be read and ends the connection; it is handed out as unreadable."
        );
        let settled = Arc::new(AtomicBool::new(false));
        self.known.insert(message.sequence, Arc::clone(&settled));
        let wire = unreadable::wire(&message, &flaw);
        let stored_nanos = message.stored_at.as_nanosecond();
        let parts = Parts {
            subject: message.subject,
            stream: declared.stream.name().to_owned(),
            consumer: declared.name.clone(),
            sequence: message.sequence,
            delivered: 1,
            stored_at: message.stored_at,
            wire,
            settles_at: settles_at(declared, message.sequence, dseq, stored_nanos),
        };
        self.ready = Some(Delivery::new(parts, bus.context(), Slot::take(held)).flagging(settled));
        Ok(Step::Looking)
    }

    async fn start(&mut self, bus: &Bus, declared: &Consumer) -> Result<Search, String> {
        let handle: Handle<pull::Config> = bus
            .context()
            .get_consumer_from_stream(&declared.name, declared.stream.name())
            .await
            .map_err(|error| error.to_string())?;
        let state = handle.cached_info();
        let floor = state.ack_floor.stream_sequence;
        // Made anew with its stream, it counts from one again.
        self.inspected = self.inspected.min(state.delivered.stream_sequence);
        self.known.retain(|&sequence, _| sequence > floor);
        let source = raw::Source::new(
            bus.context().clone(),
            declared.stream.name(),
            declared.filters.clone(),
        );
        Ok(Search {
            walk: source.range(floor.max(self.inspected) + 1, state.delivered.stream_sequence),
            source,
            again: self.known.keys().copied().collect(),
            consumer_sequence: state.delivered.consumer_sequence,
        })
    }
}

fn acker(bus: &Bus, declared: &Consumer, sequence: u64, dseq: u64) -> Acker {
    let reply = settles_at(declared, sequence, dseq, 0);
    Acker::new(bus.context().clone(), Some(reply))
}

fn settles_at(declared: &Consumer, sequence: u64, dseq: u64, stored_nanos: i128) -> Subject {
    let (stream, consumer) = (declared.stream.name(), &declared.name);
    format!("$JS.ACK.{stream}.{consumer}.1.{sequence}.{dseq}.{stored_nanos}.0").into()
}
