//! Pulling messages, never more than the caller can hold.
//!
//! The client's own streams keep a buffer whose messages age unseen, and its batches stall at the first
//! heartbeat, so the pull is made here: one inbox, requests for just as many messages as there are free
//! slots, heartbeats watched. When heartbeats stop or the connection was made anew, what already came is
//! handed out, and a new inbox is opened. When the connection goes again and again, a message the client
//! cannot read is looked for, and handed out in a form that no decoder takes
//! (`docs/decisions/0003-unreadable-messages.md`).

pub mod forward;

mod pull;
mod rescue;
mod slots;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hollowtrees_schemas::codec::Wire;
use tokio::{sync::watch, time::Instant};

pub use crate::unreadable::{UNREADABLE, UNREADABLE_HEADERS};
use crate::{
    Bus, apply,
    delivery::{Delivery, Parts},
    headers,
    link::{Link, Losses},
    store::server_time,
    topology::Consumer,
};
use pull::{OpenError, Over, Pull, Word};
use rescue::{Rescue, Step};
use slots::Held;
pub(crate) use slots::Slot;

/// First and longest wait before the pull is made anew after an error. Of a consumer that is made again, or a
/// silent network that speaks again, nothing else tells.
const REBUILD: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The messages of one consumer, at most `accepted` of them held at once.
pub struct Deliveries {
    bus: Bus,
    declared: Consumer,
    held: Arc<Held>,
    accepted: usize,
    link: Link,
    losses: Losses,
    rescue: Rescue,
    pull: Option<Pull>,
    backoff: Duration,
    /// Not before this is anything asked of the server; kept here so that who drops [`next`](Self::next)
    /// and calls it again does not hurry it.
    retry_at: Option<Instant>,
    trouble: watch::Sender<Option<String>>,
}

/// How long the server may take to close an inbox.
const CLOSE: Duration = Duration::from_secs(1);

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
            link: Link::new(self.client(), self.connected()),
            losses: Losses::default(),
            rescue: Rescue::default(),
            pull: None,
            backoff: REBUILD.0,
            retry_at: None,
            trouble: watch::Sender::new(None),
        })
    }
}

enum Event {
    Word(Word),
    Renewed,
    Freed,
}

impl Deliveries {
    /// The next message; waits for as long as it takes, over lost connections too. Safe to cancel.
    pub async fn next(&mut self) -> Delivery {
        loop {
            if let Some(over) = self.pull.as_ref().and_then(Pull::over).cloned() {
                if let Some(delivery) = self.buffered() {
                    return delivery;
                }
                self.pull = None;
                if let Over::Ended(cause) = over {
                    self.postpone(&cause);
                }
                continue;
            }
            if let Some(at) = self.retry_at {
                tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = self.link.renewed() => self.backoff = REBUILD.0,
                }
                self.retry_at = None;
                continue;
            }
            if self.rescue.is_due() {
                let step = tokio::select! {
                    biased;
                    step = self.rescue.step(&self.bus, &self.declared, &self.held) => step,
                    // The answer went with the old connection.
                    () = self.link.renewed() => continue,
                };
                match step {
                    Ok(Step::Found(delivery)) => {
                        self.losses.found();
                        return *delivery;
                    }
                    Ok(Step::Looking | Step::Done) => {}
                    Err(cause) => {
                        self.postpone(&format!("what ends the connection cannot be looked for: {cause}"));
                    }
                }
                continue;
            }
            let Some(pull) = self.pull.as_mut() else {
                self.open().await;
                continue;
            };
            if let Err(cause) = pull.ask(self.accepted.saturating_sub(self.held.now())).await {
                self.pull = None;
                self.postpone(&cause);
                continue;
            }
            let event = tokio::select! {
                biased;
                word = pull.word() => Event::Word(word),
                () = self.held.freed.notified() => Event::Freed,
                () = self.link.renewed() => Event::Renewed,
            };
            match event {
                Event::Word(Word::Message(message)) => {
                    self.backoff = REBUILD.0;
                    if let Some(delivery) = self.receive(message) {
                        return delivery;
                    }
                }
                Event::Word(Word::Alive) => self.backoff = REBUILD.0,
                Event::Word(Word::Over) | Event::Freed => {}
                Event::Renewed => self.lost(),
            }
        }
    }

    /// Stops taking: closes the inbox, then hands over what had come and was not taken. The server sends nothing
    /// more to this process before this returns, so that what is handed back, here or afterwards, goes to others.
    pub async fn stop(mut self) {
        let found = self.rescue.leftover();
        let come = match self.pull.take() {
            Some(pull) => pull.close(CLOSE).await,
            None => Vec::new(),
        };
        let taken = come.into_iter().filter_map(|message| self.receive(message));
        for delivery in found.into_iter().chain(taken) {
            delivery.hand_over().await;
        }
    }

    /// Deliveries held now.
    pub fn held(&self) -> usize {
        self.held.now()
    }

    /// Times the pull was made anew.
    pub fn rebuilds(&self) -> u64 {
        self.held.rebuilds.load(Ordering::Relaxed)
    }

    /// What keeps this process from taking anything until somebody acts, with the remedy; `None` while
    /// messages are taken, and over lost connections, which mend themselves. Follows while
    /// [`next`](Self::next) is called.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.subscribe()
    }

    async fn open(&mut self) {
        self.link.mark();
        let opening = async {
            let pull = Pull::open(&self.bus, &self.declared).await?;
            // Who was gone may come back as something else.
            if self.trouble.borrow().is_some() {
                let checked = apply::check_consumer(&self.bus, &self.declared).await;
                checked.map_err(|error| OpenError::Gone(error.to_string()))?;
            }
            Ok(pull)
        };
        let opened = tokio::select! {
            biased;
            opened = opening => opened,
            // The answer went with the old connection.
            () = self.link.renewed() => return,
        };
        match opened {
            Ok(pull) => {
                self.pull = Some(pull);
                if self.trouble.send_replace(None).is_some() {
                    tracing::info!(consumer = self.declared.name, "The consumer is there again.");
                }
            }
            Err(OpenError::Gone(cause)) => {
                self.gone(&cause);
                self.postpone(&cause);
            }
            Err(OpenError::Failed(cause)) => self.postpone(&cause),
        }
    }

    fn gone(&mut self, cause: &str) {
        let (stream, consumer) = (self.declared.stream.name(), &self.declared.name);
        let text =
            format!("nothing is taken from {stream}/{consumer} ({cause}); run `hollowtrees bus apply`");
        let news = self.trouble.send_replace(Some(text)).is_none();
        if news {
            tracing::warn!(
                stream,
                consumer,
                cause,
                "A consumer is gone and nothing is taken; run `hollowtrees bus apply`."
            );
        }
    }

    /// The connection was made anew: what was asked for on the old one will not come.
    fn lost(&mut self) {
        self.backoff = REBUILD.0;
        let Some(pull) = self.pull.as_mut() else { return };
        pull.cut();
        if pull.is_asked() && self.losses.note() {
            tracing::info!(
                consumer = self.declared.name,
                "The connection is lost again and again; a message that cannot be read is looked for."
            );
            self.rescue.begin();
        }
    }

    /// A message that came on an inbox of no further use, or one that nobody waits for any more.
    fn buffered(&mut self) -> Option<Delivery> {
        loop {
            let message = self.pull.as_mut()?.buffered()?;
            if let Some(delivery) = self.receive(message) {
                return Some(delivery);
            }
        }
    }

    fn receive(&self, message: async_nats::Message) -> Option<Delivery> {
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
            settles_at: message.reply.clone()?,
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
        Some(Delivery::new(parts, self.bus.context(), Slot::take(&self.held)))
    }

    /// The pull is made anew, after a wait that doubles until something comes.
    fn postpone(&mut self, cause: &str) {
        if self.trouble.borrow().is_none() {
            tracing::info!(consumer = self.declared.name, cause, "A pull is made anew.");
        }
        self.held.rebuilds.fetch_add(1, Ordering::Relaxed);
        let wait = self.backoff.mul_f64(rand::random_range(0.5..=1.0));
        self.backoff = self.backoff.saturating_mul(2).min(REBUILD.1);
        self.retry_at = Some(Instant::now() + wait);
    }
}
