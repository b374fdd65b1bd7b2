//! Reading a stream without taking anything from it: for people, checkers and consoles.
//!
//! Over a new connection the reading goes on where it was. A message the client cannot read ends the
//! connection each time it is delivered; it is found by reading on through the API, and passed over.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull};
use futures::StreamExt;
use hollowtrees_schemas::{codec::Wire, names::Stream};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    Bus, headers,
    link::{Link, Losses},
    raw,
    store::server_time,
    unreadable,
};

const HEARTBEAT: Duration = Duration::from_secs(5);
const EXPIRES: Duration = Duration::from_secs(30);
const INACTIVE: Duration = Duration::from_secs(60);
const BATCH: usize = 256;
/// Times in a row that a consumer which does not answer is made anew, and the first wait before it, which doubles.
const STUMBLES: (u32, Duration) = (6, Duration::from_millis(100));
/// A consumer that did not answer so long ago counts no more.
const FORGIVEN_AFTER: Duration = Duration::from_secs(60);

/// Where a reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// With the oldest message there is.
    First,
    /// With the first message stored at this time or later.
    Time(Timestamp),
    /// With the next message to be stored.
    Next,
}

/// Where a reading ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// With the last message that was there when it began.
    Present,
    /// Never: it waits for more.
    Stopped,
}

/// A message that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Subject it was published on.
    pub subject: String,
    /// Headers and body.
    pub wire: Wire,
    /// Sequence in the stream.
    pub sequence: u64,
    /// When the server stored it.
    pub stored_at: Timestamp,
}

/// Why a stream cannot be read (on).
#[derive(Debug, thiserror::Error)]
#[error("cannot read {stream} ({cause}); is NATS up, and were the streams made by `hollowtrees bus apply`?")]
pub struct ReadError {
    stream: &'static str,
    cause: String,
}

/// Messages of a stream, in order.
pub struct Reading {
    bus: Bus,
    stream: &'static str,
    filters: Vec<String>,
    until: Until,
    /// Sequence of the last message that was seen.
    cursor: u64,
    messages: Option<pull::Stream>,
    /// Goes on through the API, past a message that cannot be delivered.
    walk: Option<raw::Walk>,
    careful: bool,
    link: Link,
    losses: Losses,
    /// Consumers in a row that did not answer, and when the last one did not.
    stumbles: u32,
    stumbled_at: Instant,
    done: bool,
}

impl Bus {
    /// Reads the messages of `stream` whose subjects match one of `filters` (none: all).
    pub async fn read(
        &self,
        stream: Stream,
        filters: &[String],
        from: From,
        until: Until,
    ) -> Result<Reading, ReadError> {
        let policy = match from {
            From::First => DeliverPolicy::All,
            From::Next => DeliverPolicy::New,
            From::Time(at) => DeliverPolicy::ByStartTime {
                start_time: async_nats::datetime::from_nanos(at.as_nanosecond()).map_err(|error| {
                    ReadError {
                        stream: stream.name(),
                        cause: error.to_string(),
                    }
                })?,
            },
        };
        let mut reading = Reading {
            bus: self.clone(),
            stream: stream.name(),
            filters: filters.to_vec(),
            until,
            cursor: 0,
            messages: None,
            walk: None,
            careful: false,
            link: Link::new(self.client(), self.connected()),
            losses: Losses::default(),
            stumbles: 0,
            stumbled_at: Instant::now(),
            done: false,
        };
        reading.open(policy).await?;
        Ok(reading)
    }
}

impl Reading {
    /// The next message; `None` at the end. Goes on over a new connection; after an error a new reading has
    /// to begin. Safe to cancel.
    pub async fn next(&mut self) -> Result<Option<Message>, ReadError> {
        while !self.done {
            if let Some(walk) = self.walk.as_mut() {
                let found = walk.next().await;
                match found.map_err(|cause| self.failed(cause))? {
                    Some(message) => {
                        if let Some(message) = self.stepped(message) {
                            return Ok(Some(message));
                        }
                    }
                    None => self.walk = None,
                }
                continue;
            }
            let Some(messages) = self.messages.as_mut() else {
                self.resume().await?;
                continue;
            };
            let message = tokio::select! {
                biased;
                message = messages.next() => message,
                () = self.link.renewed() => {
                    self.messages = None;
                    self.careful = self.losses.note();
                    continue;
                }
            };
            let cause = match message {
                Some(Ok(message)) => {
                    self.stumbles = 0;
                    return self.delivered(&message).map(Some);
                }
                Some(Err(error)) => error.to_string(),
                None => "its consumer is gone".to_owned(),
            };
            self.messages = None;
            self.stumble(cause).await?;
        }
        Ok(None)
    }

    /// A consumer of a cluster lives on one server, and the others may learn of it after its creation was answered: a
    /// request made meanwhile is told that there are no responders. It is gone, too, with that server.
    async fn stumble(&mut self, cause: String) -> Result<(), ReadError> {
        if self.stumbled_at.elapsed() > FORGIVEN_AFTER {
            self.stumbles = 0;
        }
        self.stumbled_at = Instant::now();
        if self.stumbles >= STUMBLES.0 {
            return Err(self.failed(cause));
        }
        tracing::debug!(
            stream = self.stream,
            cause,
            "A reading goes on with a new consumer."
        );
        let wait = STUMBLES.1.saturating_mul(2_u32.saturating_pow(self.stumbles));
        self.stumbles += 1;
        tokio::time::sleep(wait.mul_f64(rand::random_range(0.5..=1.0))).await;
        Ok(())
    }

    fn delivered(&mut self, message: &async_nats::jetstream::Message) -> Result<Message, ReadError> {
        let info = message.info().map_err(|error| self.failed(error.to_string()))?;
        self.cursor = info.stream_sequence;
        self.done = self.until == Until::Present && info.pending == 0;
        Ok(Message {
            subject: message.subject.to_string(),
            wire: Wire {
                headers: headers::to_pairs(message.headers.as_ref()),
                body: message.payload.clone(),
            },
            sequence: info.stream_sequence,
            stored_at: server_time(info.published),
        })
    }

    /// A message read through the API; after one that is passed over, delivery is tried again.
    fn stepped(&mut self, message: raw::Message) -> Option<Message> {
        self.cursor = message.sequence;
        let read = match unreadable::flaw(&message) {
            Some(flaw) => Err(flaw),
            None => unreadable::parse(&message.headers),
        };
        match read {
            Ok(headers) => Some(Message {
                subject: message.subject,
                wire: Wire {
                    headers,
                    body: message.body,
                },
                sequence: message.sequence,
                stored_at: message.stored_at,
            }),
            Err(flaw) => {
                tracing::warn!(
                    stream = self.stream,
                    sequence = message.sequence,
                    subject = message.subject,
                    flaw,
                    "A message cannot be read and is passed over."
                );
                self.losses.found();
                self.walk = None;
                None
            }
        }
    }

    /// Goes on behind the last message that was seen.
    async fn resume(&mut self) -> Result<(), ReadError> {
        let start_sequence = self.cursor + 1;
        if !self.careful {
            return self.open(DeliverPolicy::ByStartSequence { start_sequence }).await;
        }
        let source = raw::Source::new(self.bus.context().clone(), self.stream, self.filters.clone());
        let walk = source.walk(start_sequence).await;
        self.walk = Some(walk.map_err(|cause| self.failed(cause))?);
        self.careful = false;
        Ok(())
    }

    async fn open(&mut self, deliver_policy: DeliverPolicy) -> Result<(), ReadError> {
        self.link.mark();
        let config = pull::Config {
            description: Some("reading".to_owned()),
            deliver_policy,
            ack_policy: AckPolicy::None,
            replay_policy: ReplayPolicy::Instant,
            filter_subjects: self.filters.clone(),
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = self
            .bus
            .context()
            .create_consumer_on_stream(config, self.stream)
            .await
            .map_err(|error| self.failed(error.to_string()))?;
        let nothing_there = consumer.cached_info().num_pending == 0;
        // What it would deliver first stands behind this.
        self.cursor = consumer.cached_info().delivered.stream_sequence.max(self.cursor);
        let messages = consumer
            .stream()
            .max_messages_per_batch(BATCH)
            .heartbeat(HEARTBEAT)
            .expires(EXPIRES)
            .messages()
            .await
            .map_err(|error| self.failed(error.to_string()))?;
        self.messages = Some(messages);
        self.done = self.until == Until::Present && nothing_there;
        Ok(())
    }

    fn failed(&self, cause: String) -> ReadError {
        ReadError {
            stream: self.stream,
            cause,
        }
    }
}
