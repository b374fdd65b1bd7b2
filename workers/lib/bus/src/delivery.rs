//! One delivered message, as a guard that owns its acker.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Subject,
    jetstream::{AckKind, Context, message::Acker},
};
use hollowtrees_schemas::codec::Wire;
use jiff::Timestamp;

use crate::consume::Slot;

/// How long the server waits before it hands out again what was dropped unclaimed.
const DROPPED_DELAY: Duration = Duration::from_secs(1);

/// A message taken from a stream. Whoever holds it settles it once: [`ack`](Self::ack), [`nak`](Self::nak),
/// [`term`](Self::term), or [`abandon`](Self::abandon) when the claim on its work was lost. Dropped without
/// any of these it is handed back with a delay, so that an early `?` loses nothing.
pub struct Delivery {
    /// Subject it was published on.
    pub subject: String,
    /// Headers and body.
    pub wire: Wire,
    /// Stream it is on.
    pub stream: String,
    /// Consumer it came through.
    pub consumer: String,
    /// Sequence in the stream.
    pub sequence: u64,
    /// Times it was delivered, this one included. Own NAKs raise it: it says nothing about poison.
    pub delivered: u64,
    /// When the server stored it.
    pub stored_at: Timestamp,
    /// When it reached this process.
    pub received_at: Timestamp,
    settles_at: Subject,
    acker: Option<Arc<Acker>>,
    /// Set when it was settled for good, for who found it and must know.
    settled: Option<Arc<AtomicBool>>,
    _slot: Slot,
}

/// Keeps a delivery from being handed to someone else while work goes on.
#[derive(Clone)]
pub struct Keepalive(Arc<Acker>);

impl Keepalive {
    /// Tells the server that the message is still worked on: its `ack_wait` starts anew.
    pub async fn touch(&self) {
        send(&self.0, AckKind::Progress).await;
    }
}

/// The parts of a delivery that come from the message.
pub(crate) struct Parts {
    pub(crate) subject: String,
    pub(crate) wire: Wire,
    pub(crate) stream: String,
    pub(crate) consumer: String,
    pub(crate) sequence: u64,
    pub(crate) delivered: u64,
    pub(crate) stored_at: Timestamp,
    /// Its reply subject.
    pub(crate) settles_at: Subject,
}

/// What a delivery is known by to other processes of its consumer ([`Bus::forward`](crate::Bus::forward)).
#[derive(Clone, Debug)]
pub struct Slip(pub(crate) String);

impl Delivery {
    pub(crate) fn new(parts: Parts, context: &Context, slot: Slot) -> Self {
        let Parts {
            subject,
            wire,
            stream,
            consumer,
            sequence,
            delivered,
            stored_at,
            settles_at,
        } = parts;
        let acker = Acker::new(context.clone(), Some(settles_at.clone()));
        Self {
            subject,
            wire,
            stream,
            consumer,
            sequence,
            delivered,
            stored_at,
            received_at: Timestamp::now(),
            settles_at,
            acker: Some(Arc::new(acker)),
            settled: None,
            _slot: slot,
        }
    }

    /// Sets `settled` once it was acked or TERMed, and shares it as long as it lives.
    pub(crate) fn flagging(mut self, settled: Arc<AtomicBool>) -> Self {
        self.settled = Some(settled);
        self
    }

    /// Keeps the server from delivering it again for `delay`, which does not settle it here.
    pub(crate) async fn park(&self, delay: Duration) {
        if let Some(acker) = &self.acker {
            send(acker, AckKind::Nak(Some(delay))).await;
        }
    }

    /// The work is done and recorded.
    pub async fn ack(self) {
        self.settle(AckKind::Ack).await;
    }

    /// Hand it out again, not before `delay`.
    pub async fn nak(self, delay: Duration) {
        self.settle(AckKind::Nak(Some(delay))).await;
    }

    /// Hand it to someone else at once: the one NAK without a delay, for a process that goes away.
    pub async fn hand_over(self) {
        self.settle(AckKind::Nak(None)).await;
    }

    /// Never hand it out again. Only after its dead letter is stored.
    pub async fn term(self) {
        self.settle(AckKind::Term).await;
    }

    /// Says nothing: the work belongs to someone else now, and a late word would settle their delivery.
    pub fn abandon(mut self) {
        self.acker = None;
    }

    /// Keeps the message ours while the work goes on; `None` once it was settled.
    pub fn keepalive(&self) -> Option<Keepalive> {
        self.acker.clone().map(Keepalive)
    }

    /// What it is known by.
    pub fn slip(&self) -> Slip {
        Slip(self.settles_at.to_string())
    }

    async fn settle(mut self, kind: AckKind) {
        let Some(acker) = self.acker.take() else { return };
        if let Some(settled) = self
            .settled
            .as_ref()
            .filter(|_| matches!(kind, AckKind::Ack | AckKind::Term))
        {
            settled.store(true, Ordering::Release);
        }
        send(&acker, kind).await;
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("subject", &self.subject)
            .field("sequence", &self.sequence)
            .field("delivered", &self.delivered)
            .finish_non_exhaustive()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let Some(acker) = self.acker.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { send(&acker, AckKind::Nak(Some(DROPPED_DELAY))).await });
        }
    }
}

/// An acknowledgement that cannot be sent is no loss: the server hands the message out again after `ack_wait`.
async fn send(acker: &Acker, kind: AckKind) {
    if let Err(error) = acker.ack_with(kind).await {
        tracing::debug!(%error, "An acknowledgement could not be sent.");
    }
}
