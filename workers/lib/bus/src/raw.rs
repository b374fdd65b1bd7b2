//! Stored messages as the JetStream API shows them: JSON, headers and body in base64.
//!
//! The way to look at a message whose delivery would end the connection. One request a message, so it is
//! taken only where something is wrong.

use async_nats::jetstream::{
    Context, ErrorCode, message::StreamMessage, response::Response, stream::RawMessage,
};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::server_time;

/// A message as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Where it was published; bytes that are no UTF-8 are replaced.
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    /// The header block, `NATS/1.0` line included; empty where there is none.
    pub(crate) headers: Bytes,
    pub(crate) body: Bytes,
    pub(crate) stored_at: Timestamp,
}

/// The messages of a stream that match some filters.
#[derive(Clone)]
pub(crate) struct Source {
    context: Context,
    stream: String,
    filters: Vec<String>,
}

#[derive(Default, Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_by_subj: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_by_subj: Option<&'a str>,
}

#[derive(Deserialize)]
struct Got {
    message: RawMessage,
}

impl Source {
    /// Without filters it is the whole stream.
    pub(crate) fn new(context: Context, stream: impl Into<String>, mut filters: Vec<String>) -> Self {
        if filters.is_empty() {
            filters.push(">".to_owned());
        }
        Self {
            context,
            stream: stream.into(),
            filters,
        }
    }

    /// The message with this number, if it is still there.
    pub(crate) async fn at(&self, sequence: u64) -> Result<Option<Message>, String> {
        self.get(&Request {
            seq: Some(sequence),
            ..Request::default()
        })
        .await
    }

    /// The newest message of a subject.
    pub(crate) async fn last_of(&self, subject: &str) -> Result<Option<Message>, String> {
        self.get(&Request {
            last_by_subj: Some(subject),
            ..Request::default()
        })
        .await
    }

    /// The first message with this number or a higher one.
    pub(crate) async fn at_or_after(&self, sequence: u64) -> Result<Option<Message>, String> {
        let mut first: Option<Message> = None;
        for filter in &self.filters {
            let request = Request {
                seq: Some(sequence),
                next_by_subj: Some(filter),
                ..Request::default()
            };
            if let Some(found) = self.get(&request).await?
                && first.as_ref().is_none_or(|first| found.sequence < first.sequence)
            {
                first = Some(found);
            }
        }
        Ok(first)
    }

    /// All messages from `next` to the last one there is now.
    pub(crate) async fn walk(&self, next: u64) -> Result<Walk, String> {
        let stream = self
            .context
            .get_stream(&self.stream)
            .await
            .map_err(|error| error.to_string())?;
        Ok(Walk {
            source: self.clone(),
            next,
            last: stream.cached_info().state.last_sequence,
        })
    }

    /// All messages from `next` to `last`.
    pub(crate) fn range(&self, next: u64, last: u64) -> Walk {
        Walk {
            source: self.clone(),
            next,
            last,
        }
    }

    async fn get(&self, request: &Request<'_>) -> Result<Option<Message>, String> {
        let subject = format!("STREAM.MSG.GET.{}", self.stream);
        match self.context.request(subject, request).await {
            Ok(Response::Ok(Got { message })) => decode(message).map(Some).map_err(|error| error.to_string()),
            Ok(Response::Err { error }) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
            Ok(Response::Err { error }) => Err(error.to_string()),
            Err(error) => Err(format!(
                "{error}; may this account use $JS.API.STREAM.MSG.GET.{}?",
                self.stream
            )),
        }
    }
}

/// A walk over a range of a stream.
pub(crate) struct Walk {
    source: Source,
    next: u64,
    last: u64,
}

impl Walk {
    /// The next message; `None` at the end. After an error the same one is asked for again. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, String> {
        if self.next > self.last {
            return Ok(None);
        }
        let found = self.source.at_or_after(self.next).await?;
        let found = found.filter(|message| message.sequence <= self.last);
        self.next = match &found {
            Some(message) => message.sequence + 1,
            None => self.last + 1,
        };
        Ok(found)
    }

    /// Number of the last message of the range.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }
}

/// The client's own conversion parses the header block, which is what must not be done here: the block goes
/// through it in the place of a body.
fn decode(message: RawMessage) -> Result<Message, async_nats::Error> {
    let block = RawMessage {
        payload: message.headers.clone().unwrap_or_default(),
        headers: None,
        ..message.clone()
    };
    let body = StreamMessage::try_from(RawMessage {
        headers: None,
        ..message
    })?;
    Ok(Message {
        subject: body.subject.to_string(),
        sequence: body.sequence,
        headers: StreamMessage::try_from(block)?.payload,
        body: body.payload,
        stored_at: server_time(body.time),
    })
}
