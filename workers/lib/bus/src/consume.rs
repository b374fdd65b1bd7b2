//! Pulling messages, never more than the caller can hold.
//!
//! The client's own streams keep a buffer whose messages age unseen, and its batches stall at the first
//! heartbeat, so the pull is made here: one inbox, requests for just as many messages as there are free
//! slots, heartbeats watched. When heartbeats stop or the connection was made anew, the inbox is thrown
//! away with whatever was asked for on it and a new one is opened.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_nats::{
    StatusCode, Subscriber,
    jetstream::{
        consumer::pull::{self, BatchConfig},
        message::Acker,
    },
};
use futures::{FutureExt, StreamExt};
use hollowtrees_schemas::codec::Wire;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::{
    Bus, apply,
    delivery::{Delivery, Parts},
    headers,
    store::server_time,
    topology::Consumer,
};

/// The server says at least this often that a request stands.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Two heartbeats and a margin without a word: the request is gone.
const SILENCE: Duration = Duration::from_secs(5);
/// A request ends after this time and is made anew.
const EXPIRES: Duration = Duration::from_secs(30);
/// Messages asked for in one request.
const MOST_AT_ONCE: usize = 512;
/// First and longest wait before the pull is made anew after an error.
const REBUILD: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// Header of a status message: how many messages of the request will not come.
const PENDING_MESSAGES: &str = "Nats-Pending-Messages";

/// The messages of one consumer, at most `accepted` of them held at once.
pub struct Deliveries {
    bus: Bus,
    declared: Consumer,
    held: Arc<Held>,
    accepted: usize,
    connected: watch::Receiver<u64>,
    pull: Option<Pull>,
    backoff: Duration,
}

/// What a consumer went through so far.
#[derive(Debug, Default)]
struct Held {
    now: AtomicUsize,
    freed: Notify,
    rebuilds: AtomicU64,
}

/// One of the `accepted` places; given back when its delivery goes.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Held>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_one();
    }
}

struct Pull {
    consumer: async_nats::jetstream::consumer::Consumer<pull::Config>,
    inbox: async_nats::Subject,
    messages: Subscriber,
    /// Asked for and neither delivered nor refused yet.
    outstanding: usize,
    last_word: Instant,
    /// The server ended it for a reason that asking again at once would not mend.
    ended: bool,
}

/// Why messages cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// The consumer is not there or not as declared.
    #[error(transparent)]
    Topology(#[from] apply::ApplyError),
}

impl Bus {
    /// Takes messages from a consumer that must exist as declared (`hollowtrees bus apply` makes it).
    ///
    /// `accepted`: most deliveries held at once, settled ones not counted.
    pub async fn consume(&self, declared: &Consumer, accepted: usize) -> Result<Deliveries, ConsumeError> {
        apply::check_consumer(self, declared).await?;
        Ok(Deliveries {
            bus: self.clone(),
            declared: declared.clone(),
            held: Arc::default(),
            accepted: accepted.max(1),
            connected: self.connected(),
            pull: None,
            backoff: REBUILD.0,
        })
    }
}

enum Event {
    Message(Option<async_nats::Message>),
    Silent,
    Reconnected,
    Freed,
}

impl Deliveries {
    /// The next message; waits for as long as it takes, over lost connections too. Safe to cancel.
    pub async fn next(&mut self) -> Delivery {
        loop {
            if let Err(cause) = self.ask().await {
                self.rebuild(&cause).await;
                continue;
            }
            let Some(pull) = self.pull.as_mut() else { continue };
            if pull.ended {
                self.rebuild("the server ended the pull").await;
                continue;
            }
            let silent_at = pull.last_word + SILENCE;
            let asked = pull.outstanding > 0;
            let event = tokio::select! {
                biased;
                message = pull.messages.next() => Event::Message(message),
                () = self.held.freed.notified() => Event::Freed,
                changed = self.connected.changed() => {
                    if changed.is_err() { Event::Silent } else { Event::Reconnected }
                }
                () = tokio::time::sleep_until(silent_at), if asked => Event::Silent,
            };
            match event {
                Event::Message(Some(message)) => {
                    if let Some(delivery) = self.receive(message) {
                        self.backoff = REBUILD.0;
                        return delivery;
                    }
                }
                Event::Message(None) => self.rebuild("the subscription ended").await,
                Event::Silent => self.rebuild("no heartbeat came").await,
                Event::Reconnected => {
                    self.connected.mark_unchanged();
                    self.pull = None;
                }
                Event::Freed => {}
            }
        }
    }

    /// What was delivered and not yet read: to be handed over when the process stops taking.
    pub fn leftover(&mut self) -> Vec<Delivery> {
        let mut left = Vec::new();
        while let Some(message) = self
            .pull
            .as_mut()
            .and_then(|pull| pull.messages.next().now_or_never())
            .flatten()
        {
            left.extend(self.receive(message));
        }
        self.pull = None;
        left
    }

    /// Deliveries held now.
    pub fn held(&self) -> usize {
        self.held.now.load(Ordering::Acquire)
    }

    /// Times the pull was made anew.
    pub fn rebuilds(&self) -> u64 {
        self.held.rebuilds.load(Ordering::Relaxed)
    }

    /// Asks for as many messages as there are free slots, once half of what was asked for has come.
    async fn ask(&mut self) -> Result<(), String> {
        if self.pull.is_none() {
            self.pull = Some(open(&self.bus, &self.declared).await?);
        }
        let held = self.held();
        let Some(pull) = self.pull.as_mut() else {
            return Ok(());
        };
        let free = self.accepted.saturating_sub(held + pull.outstanding);
        let wanted = free.min(MOST_AT_ONCE);
        if wanted == 0 || pull.outstanding > wanted {
            return Ok(());
        }
        let batch = BatchConfig {
            batch: wanted,
            expires: Some(EXPIRES),
            idle_heartbeat: HEARTBEAT,
            ..BatchConfig::default()
        };
        pull.consumer
            .request_batch(batch, pull.inbox.clone())
            .await
            .map_err(|error| error.to_string())?;
        pull.outstanding += wanted;
        pull.last_word = Instant::now();
        Ok(())
    }

    fn receive(&mut self, message: async_nats::Message) -> Option<Delivery> {
        let pull = self.pull.as_mut()?;
        pull.last_word = Instant::now();
        match message.status {
            None | Some(StatusCode::OK) => {}
            Some(StatusCode::IDLE_HEARTBEAT) => return None,
            Some(status) => {
                // 404, 408 and 409 end a request; the header says how many messages will not come.
                let refused = message
                    .headers
                    .as_ref()
                    .and_then(|headers| headers.get(PENDING_MESSAGES))
                    .and_then(|pending| pending.as_str().parse().ok())
                    .unwrap_or(pull.outstanding);
                pull.outstanding = pull.outstanding.saturating_sub(refused);
                if status != StatusCode::TIMEOUT && status != StatusCode::NOT_FOUND {
                    let description = message.description.unwrap_or_default();
                    tracing::info!(consumer = self.declared.name, %status, description, "A pull was ended by the server.");
                    pull.ended = true;
                }
                return None;
            }
        }
        pull.outstanding = pull.outstanding.saturating_sub(1);
        let message = async_nats::jetstream::Message {
            message,
            context: self.bus.context().clone(),
        };
        let info = match message.info() {
            Ok(info) => info,
            Err(error) => {
                tracing::warn!(%error, "A message without delivery information was dropped.");
                return None;
            }
        };
        let parts = Parts {
            subject: message.subject.to_string(),
            stream: info.stream.to_owned(),
            consumer: info.consumer.to_owned(),
            sequence: info.stream_sequence,
            delivered: u64::try_from(info.delivered).unwrap_or(1),
            stored_at: server_time(info.published),
            wire: Wire {
                headers: headers::to_pairs(message.headers.as_ref()),
                body: message.payload.clone(),
            },
        };
        let acker = Acker::new(self.bus.context().clone(), message.reply.clone());
        self.held.now.fetch_add(1, Ordering::AcqRel);
        Some(Delivery::new(parts, acker, Slot(Arc::clone(&self.held))))
    }

    async fn rebuild(&mut self, cause: &str) {
        tracing::info!(consumer = self.declared.name, cause, "A pull is made anew.");
        self.held.rebuilds.fetch_add(1, Ordering::Relaxed);
        self.pull = None;
        let wait = self.backoff.mul_f64(rand::random_range(0.5..=1.0));
        self.backoff = self.backoff.saturating_mul(2).min(REBUILD.1);
        tokio::time::sleep(wait).await;
    }
}

async fn open(bus: &Bus, declared: &Consumer) -> Result<Pull, String> {
    let consumer = bus
        .context()
        .get_consumer_from_stream(&declared.name, declared.stream.name())
        .await
        .map_err(|error| error.to_string())?;
    let inbox = async_nats::Subject::from(bus.client().new_inbox());
    let messages = bus
        .client()
        .subscribe(inbox.clone())
        .await
        .map_err(|error| error.to_string())?;
    Ok(Pull {
        consumer,
        inbox,
        messages,
        outstanding: 0,
        last_word: Instant::now(),
        ended: false,
    })
}
