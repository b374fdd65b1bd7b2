//! How full the streams are, and how far each consumer is: what an operator has to see. Nothing is taken.

use async_nats::jetstream::consumer::AckPolicy;
use futures::TryStreamExt;
use hollowtrees_schemas::names::Stream;
use jiff::Timestamp;

use crate::{Bus, raw, store::server_time};

/// Why it cannot be seen.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot see the state of {what} ({cause}); is NATS up, were the streams made by `hollowtrees bus apply`, and may \
     this account use $JS.API.STREAM.INFO, $JS.API.CONSUMER.LIST and $JS.API.STREAM.MSG.GET?"
)]
pub struct LagError {
    what: String,
    cause: String,
}

/// What a stream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// When it was made. A stream that was made anew counts its messages from one again.
    pub created: Timestamp,
    /// Messages it holds.
    pub messages: u64,
    /// Bytes they take.
    pub bytes: u64,
    /// Bytes it may take before the oldest go; `None`: no limit.
    pub limit_bytes: Option<u64>,
    /// Sequence of the oldest message; of the next one where it holds none.
    pub first: u64,
    /// Sequence of the newest message ever stored.
    pub last: u64,
}

/// How far a durable consumer is that has its messages acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerState {
    /// Durable name.
    pub name: String,
    /// Subjects it takes; none: all of its stream.
    pub filters: Vec<String>,
    /// Whether it takes everything its stream holds.
    pub whole: bool,
    /// Deliveries so far, redeliveries included.
    pub deliveries: u64,
    /// Sequence of the newest message delivered, or passed over as not its own.
    pub delivered: u64,
    /// Every message of its own up to this sequence is acknowledged or gone.
    pub ack_floor: u64,
    /// Messages not delivered yet.
    pub pending: u64,
    /// Messages delivered and not acknowledged.
    pub ack_pending: u64,
    /// Of those, messages delivered more than once.
    pub redelivered: u64,
    /// Requests for messages that wait: above zero, somebody serves it and has room.
    pub waiting: u64,
}

impl Bus {
    /// What a stream holds now.
    pub async fn stream_state(&self, stream: Stream) -> Result<StreamState, LagError> {
        let handle = self
            .context()
            .get_stream(stream.name())
            .await
            .map_err(|error| failed(stream.name(), &error))?;
        let info = handle.cached_info();
        Ok(StreamState {
            created: server_time(info.created),
            messages: info.state.messages,
            bytes: info.state.bytes,
            limit_bytes: u64::try_from(info.config.max_bytes)
                .ok()
                .filter(|&limit| limit > 0),
            first: info.state.first_sequence,
            last: info.state.last_sequence,
        })
    }

    /// The durable consumers of a stream whose messages are acknowledged one by one, by name.
    pub async fn consumer_states(&self, stream: Stream) -> Result<Vec<ConsumerState>, LagError> {
        let refused = |cause: String| LagError {
            what: format!("the consumers of {stream}"),
            cause,
        };
        let handle = self
            .context()
            .get_stream_no_info(stream.name())
            .await
            .map_err(|error| refused(error.to_string()))?;
        let mut found = Vec::new();
        let mut consumers = handle.consumers();
        while let Some(info) = consumers
            .try_next()
            .await
            .map_err(|error| refused(error.to_string()))?
        {
            let config = info.config;
            let Some(name) = config
                .durable_name
                .filter(|_| config.ack_policy == AckPolicy::Explicit)
            else {
                continue;
            };
            let mut filters = config.filter_subjects;
            if !config.filter_subject.is_empty() {
                filters.push(config.filter_subject);
            }
            found.push(ConsumerState {
                name,
                whole: is_whole(stream, &filters),
                filters,
                deliveries: info.delivered.consumer_sequence,
                delivered: info.delivered.stream_sequence,
                ack_floor: info.ack_floor.stream_sequence,
                pending: info.num_pending,
                ack_pending: u64::try_from(info.num_ack_pending).unwrap_or(u64::MAX),
                redelivered: u64::try_from(info.num_redelivered).unwrap_or(u64::MAX),
                waiting: u64::try_from(info.num_waiting).unwrap_or(u64::MAX),
            });
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Sequence and time of the oldest message of a consumer that is not acknowledged; `None`: there is none.
    pub async fn oldest_unhandled(
        &self,
        stream: Stream,
        consumer: &ConsumerState,
    ) -> Result<Option<(u64, Timestamp)>, LagError> {
        if consumer.pending == 0 && consumer.ack_pending == 0 {
            return Ok(None);
        }
        let source = raw::Source::new(self.context().clone(), stream.name(), consumer.filters.clone());
        let found = source.at_or_after(consumer.ack_floor + 1).await;
        let found = found.map_err(|cause| failed(stream.name(), &cause))?;
        Ok(found.map(|message| (message.sequence, message.stored_at)))
    }
}

fn failed(what: &str, cause: &impl ToString) -> LagError {
    LagError {
        what: what.to_owned(),
        cause: cause.to_string(),
    }
}

fn is_whole(stream: Stream, filters: &[String]) -> bool {
    filters.is_empty()
        || stream
            .subjects()
            .iter()
            .all(|subject| filters.iter().any(|filter| filter == subject || filter == ">"))
}
