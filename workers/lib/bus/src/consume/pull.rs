//! One inbox and the requests made on it: what was asked for, what came, and what the server's words mean.

use std::time::Duration;

use async_nats::{
    StatusCode, Subscriber,
    jetstream::{
        ErrorCode,
        consumer::pull::{self, BatchConfig},
        stream::ConsumerErrorKind,
    },
};
use futures::{FutureExt, StreamExt};
use tokio::time::Instant;

use crate::{Bus, topology::Consumer};

/// The server says at least this often that a request stands.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Two heartbeats and a margin without a word: the request is gone.
const SILENCE: Duration = Duration::from_secs(5);
/// A request ends after this time and is made anew.
const EXPIRES: Duration = Duration::from_secs(30);
/// Messages asked for in one request.
const MOST_AT_ONCE: usize = 512;
/// Header of a status message: how many messages of the request will not come.
const PENDING_MESSAGES: &str = "Nats-Pending-Messages";
/// Where a delivered message is answered; a word of the server about a request has no such reply subject.
const ACK_PREFIX: &str = "$JS.ACK.";

/// An inbox for messages of one consumer.
pub(super) struct Pull {
    consumer: async_nats::jetstream::consumer::Consumer<pull::Config>,
    inbox: async_nats::Subject,
    messages: Subscriber,
    /// Asked for and neither delivered nor refused yet.
    outstanding: usize,
    last_word: Instant,
    /// Nothing more is asked for on it; what it still holds is taken before it is dropped.
    over: Option<Over>,
}

/// Why nothing more is asked for on an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// The connection it was on is gone.
    Cut,
    /// The server ended the request, or said nothing for too long: what it said.
    Ended(String),
}

/// What came on an inbox.
pub(super) enum Word {
    /// A message of the stream.
    Message(async_nats::Message),
    /// The server is there and the request stands, or ran its time.
    Alive,
    /// The inbox is of no use any more.
    Over,
}

/// Why no inbox could be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// Consumer or stream is not there.
    Gone(String),
    /// The server did not answer, or refused.
    Failed(String),
}

impl Pull {
    pub(super) async fn open(bus: &Bus, declared: &Consumer) -> Result<Self, OpenError> {
        let consumer = bus
            .context()
            .get_consumer_from_stream(&declared.name, declared.stream.name())
            .await
            .map_err(|error| match error.kind() {
                ConsumerErrorKind::JetStream(cause)
                    if [ErrorCode::CONSUMER_NOT_FOUND, ErrorCode::STREAM_NOT_FOUND]
                        .contains(&cause.error_code()) =>
                {
                    OpenError::Gone(cause.to_string())
                }
                _ => OpenError::Failed(error.to_string()),
            })?;
        let inbox = async_nats::Subject::from(bus.client().new_inbox());
        let messages = bus
            .client()
            .subscribe(inbox.clone())
            .await
            .map_err(|error| OpenError::Failed(error.to_string()))?;
        Ok(Self {
            consumer,
            inbox,
            messages,
            outstanding: 0,
            last_word: Instant::now(),
            over: None,
        })
    }

    /// Asks for as many messages as there are `free` places, once half of what was asked for has come.
    pub(super) async fn ask(&mut self, free: usize) -> Result<(), String> {
        let wanted = free.saturating_sub(self.outstanding).min(MOST_AT_ONCE);
        if self.over.is_some() || wanted == 0 || self.outstanding > wanted {
            return Ok(());
        }
        let batch = BatchConfig {
            batch: wanted,
            expires: Some(EXPIRES),
            idle_heartbeat: HEARTBEAT,
            ..BatchConfig::default()
        };
        // Nothing is awaited between the sending and the counting: cancelled, neither was done.
        self.consumer
            .request_batch(batch, self.inbox.clone())
            .await
            .map_err(|error| error.to_string())?;
        self.outstanding += wanted;
        self.last_word = Instant::now();
        Ok(())
    }

    /// The next word, within the time in which one must come. Safe to cancel.
    pub(super) async fn word(&mut self) -> Word {
        let silent_at = self.last_word + SILENCE;
        let asked = self.outstanding > 0;
        let message = tokio::select! {
            biased;
            message = self.messages.next() => message,
            () = tokio::time::sleep_until(silent_at), if asked => {
                return self.ended("no heartbeat came".to_owned());
            }
        };
        match message {
            Some(message) => self.sort(message),
            None => self.ended("the subscription ended".to_owned()),
        }
    }

    /// A message that has come already.
    pub(super) fn buffered(&mut self) -> Option<async_nats::Message> {
        while let Some(message) = self.messages.next().now_or_never().flatten() {
            if let Word::Message(message) = self.sort(message) {
                return Some(message);
            }
        }
        None
    }

    /// Closes the inbox and returns what had come and what was on its way. Once this answered, the server sends
    /// nothing more here: what is handed back goes to someone else. Gives up after `limit`.
    pub(super) async fn close(mut self, limit: Duration) -> Vec<async_nats::Message> {
        let mut left = Vec::new();
        let draining = async {
            if self.messages.drain().await.is_err() {
                return;
            }
            while let Some(message) = self.messages.next().await {
                if let Word::Message(message) = self.sort(message) {
                    left.push(message);
                }
            }
        };
        if tokio::time::timeout(limit, draining).await.is_err() {
            tracing::debug!("An inbox could not be drained in time; what was on its way comes again.");
        }
        left
    }

    /// Whether messages are due on it.
    pub(super) fn is_asked(&self) -> bool {
        self.outstanding > 0
    }

    /// Why nothing more is asked for on it, if so.
    pub(super) fn over(&self) -> Option<&Over> {
        self.over.as_ref()
    }

    /// The connection it was on is gone.
    pub(super) fn cut(&mut self) {
        self.over = Some(Over::Cut);
    }

    fn ended(&mut self, cause: String) -> Word {
        self.over.get_or_insert(Over::Ended(cause));
        Word::Over
    }

    fn sort(&mut self, message: async_nats::Message) -> Word {
        self.last_word = Instant::now();
        // A publisher may have stored a status line: by its reply subject it is a message all the same.
        let delivered = message
            .reply
            .as_ref()
            .is_some_and(|reply| reply.starts_with(ACK_PREFIX));
        let status = match message.status {
            _ if delivered => None,
            status => status.filter(|&status| status != StatusCode::OK),
        };
        let Some(status) = status else {
            self.outstanding = self.outstanding.saturating_sub(1);
            return Word::Message(message);
        };
        if status == StatusCode::IDLE_HEARTBEAT {
            return Word::Alive;
        }
        // 404, 408 and 409 end a request; the header says how many messages will not come.
        let refused = message
            .headers
            .as_ref()
            .and_then(|headers| headers.get(PENDING_MESSAGES))
            .and_then(|pending| pending.as_str().parse().ok())
            .unwrap_or(self.outstanding);
        self.outstanding = self.outstanding.saturating_sub(refused);
        if status == StatusCode::TIMEOUT || status == StatusCode::NOT_FOUND {
            return Word::Alive;
        }
        let description = message.description.unwrap_or_default();
        self.ended(format!("the server ended the pull: {status} {description}"))
    }
}
