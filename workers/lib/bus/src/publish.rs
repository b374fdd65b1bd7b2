//! Publishing: a message is sent when the server says it is stored.

use std::time::Duration;

use async_nats::jetstream::{context::PublishErrorKind, message::PublishMessage};
use hollowtrees_schemas::{codec::Wire, id::MessageId, outgoing::Outgoing, subject::Subject};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::{Bus, headers};

/// First wait before a message is sent again.
const RETRY_FLOOR: Duration = Duration::from_millis(50);
/// Longest wait before a message is sent again.
const RETRY_CAP: Duration = Duration::from_secs(2);

/// A message that waits for its acknowledgement is spoken of this often.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Where a message was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// The server had it already, under the same `Nats-Msg-Id`.
    pub duplicate: bool,
}

/// Why a message is not (known to be) stored.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The time ran out; it may or may not be stored. Publishing it again is safe.
    #[error("{subject} was not acknowledged in time ({cause}); is NATS up and has the stream a leader?")]
    TimedOut {
        /// Where it was sent.
        subject: String,
        /// What the last attempt said.
        cause: String,
    },
    /// The message is larger than the stream or the server takes.
    #[error("{subject} is refused: {bytes} bytes are more than the server takes ({cause})")]
    TooLarge {
        /// Where it was sent.
        subject: String,
        /// Size of its body.
        bytes: usize,
        /// What refused it.
        cause: String,
    },
}

impl Bus {
    /// Stores a message: waits for the PubAck and sends it again under the same `Nats-Msg-Id`, with jitter,
    /// until `until`, or for ever if `None`.
    pub async fn publish(&self, out: &Outgoing, until: Option<Timestamp>) -> Result<Published, PublishError> {
        self.publish_wire(&out.subject, &out.wire, &out.message_id, until)
            .await
    }

    pub(crate) async fn publish_wire(
        &self,
        subject: &Subject,
        wire: &Wire,
        message_id: &MessageId,
        until: Option<Timestamp>,
    ) -> Result<Published, PublishError> {
        let stream = subject.stream();
        let mut map = headers::to_map(
            wire.headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        map.insert(async_nats::header::NATS_MESSAGE_ID, message_id.as_str());
        map.insert(async_nats::header::NATS_EXPECTED_STREAM, stream.name());
        let subject = subject.to_string();
        let mut wait = RETRY_FLOOR;
        let mut said = Instant::now();
        loop {
            let message = PublishMessage::build()
                .payload(wire.body.clone())
                .headers(map.clone());
            let cause = match self.publish_once(&subject, message).await {
                Ok(published) => return Ok(published),
                Err(Attempt::TooLarge(cause)) => {
                    return Err(PublishError::TooLarge {
                        subject,
                        bytes: wire.body.len(),
                        cause,
                    });
                }
                Err(Attempt::Again(cause)) => cause,
            };
            let left = until.map(|until| until.duration_since(Timestamp::now()));
            if left.is_some_and(|left| !left.is_positive()) {
                return Err(PublishError::TimedOut { subject, cause });
            }
            if said.elapsed() >= SAY_EVERY {
                said = Instant::now();
                tracing::warn!(
                    subject,
                    cause,
                    "A message is not acknowledged; it is sent again and again."
                );
            }
            tokio::time::sleep(wait.mul_f64(rand::random_range(0.5..=1.0))).await;
            wait = wait.saturating_mul(2).min(RETRY_CAP);
        }
    }

    async fn publish_once(&self, subject: &str, message: PublishMessage) -> Result<Published, Attempt> {
        let acknowledgement = match self.context().send_publish(subject.to_owned(), message).await {
            Ok(sent) => sent.await,
            Err(error) => Err(error),
        };
        match acknowledgement {
            Ok(ack) => Ok(Published {
                sequence: ack.sequence,
                duplicate: ack.duplicate,
            }),
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                Err(Attempt::TooLarge(error.to_string()))
            }
            // The server's own words are the only sign (error 10054): the client knows no kind for it.
            Err(error) if error.to_string().contains("message size exceeds maximum allowed") => {
                Err(Attempt::TooLarge(error.to_string()))
            }
            Err(error) => Err(Attempt::Again(error.to_string())),
        }
    }
}

enum Attempt {
    Again(String),
    TooLarge(String),
}
