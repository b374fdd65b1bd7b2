//! Reading a stream without taking anything from it: for people, checkers and consoles.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull};
use futures::StreamExt;
use hollowtrees_schemas::{codec::Wire, names::Stream};
use jiff::Timestamp;

use crate::{Bus, headers, store::server_time};

const HEARTBEAT: Duration = Duration::from_secs(5);
const EXPIRES: Duration = Duration::from_secs(30);
const INACTIVE: Duration = Duration::from_secs(60);
const BATCH: usize = 256;

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
    stream: &'static str,
    messages: pull::Stream,
    until: Until,
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
        let failed = |cause: String| ReadError {
            stream: stream.name(),
            cause,
        };
        let config = pull::Config {
            description: Some("reading".to_owned()),
            deliver_policy: match from {
                From::First => DeliverPolicy::All,
                From::Next => DeliverPolicy::New,
                From::Time(at) => DeliverPolicy::ByStartTime {
                    start_time: async_nats::datetime::from_nanos(at.as_nanosecond())
                        .map_err(|error| failed(error.to_string()))?,
                },
            },
            ack_policy: AckPolicy::None,
            replay_policy: ReplayPolicy::Instant,
            filter_subjects: filters.to_vec(),
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = self
            .context()
            .create_consumer_on_stream(config, stream.name())
            .await
            .map_err(|error| failed(error.to_string()))?;
        let nothing_there = consumer.cached_info().num_pending == 0;
        let messages = consumer
            .stream()
            .max_messages_per_batch(BATCH)
            .heartbeat(HEARTBEAT)
            .expires(EXPIRES)
            .messages()
            .await
            .map_err(|error| failed(error.to_string()))?;
        let done = until == Until::Present && nothing_there;
        Ok(Reading {
            stream: stream.name(),
            messages,
            until,
            done,
        })
    }
}

impl Reading {
    /// The next message; `None` at the end. After an error a new reading has to begin.
    pub async fn next(&mut self) -> Result<Option<Message>, ReadError> {
        if self.done {
            return Ok(None);
        }
        let failed = |cause: String| ReadError {
            stream: self.stream,
            cause,
        };
        let message = match self.messages.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(failed(error.to_string())),
            None => return Err(failed("its consumer is gone".to_owned())),
        };
        let info = message.info().map_err(|error| failed(error.to_string()))?;
        self.done = self.until == Until::Present && info.pending == 0;
        Ok(Some(Message {
            subject: message.subject.to_string(),
            wire: Wire {
                headers: headers::to_pairs(message.headers.as_ref()),
                body: message.payload.clone(),
            },
            sequence: info.stream_sequence,
            stored_at: server_time(info.published),
        }))
    }
}
