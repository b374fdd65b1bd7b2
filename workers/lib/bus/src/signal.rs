//! What processes say to each other and nobody stores: whoever does not listen does not hear it, so who says it says it again.

use async_nats::Subscriber;
use bytes::Bytes;
use futures::{FutureExt, StreamExt};

use crate::Bus;

/// Bytes of one signal; a longer one is not heard.
pub const LONGEST: usize = 1024;

/// Why nothing can be said or heard now.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {subject} ({cause}); is NATS up?")]
pub struct SignalError {
    subject: String,
    cause: String,
}

/// Hears until it is dropped, over new connections too. What nobody takes waits, a bounded number of signals.
pub struct Signals(Subscriber);

impl Bus {
    /// Says it to whoever listens now; on its way when this returns, no more.
    pub async fn signal(&self, subject: &str, body: Bytes) -> Result<(), SignalError> {
        let said = self.client().publish(subject.to_owned(), body).await;
        said.map_err(|error| failed(subject, &error))
    }

    /// Listens from now on.
    pub async fn signals(&self, subject: &str) -> Result<Signals, SignalError> {
        let subscribed = self.client().subscribe(subject.to_owned()).await;
        subscribed.map(Signals).map_err(|error| failed(subject, &error))
    }
}

impl Signals {
    /// The next signal that has come already, if any.
    pub fn waiting(&mut self) -> Option<Bytes> {
        while let Some(Some(message)) = self.0.next().now_or_never() {
            if message.payload.len() <= LONGEST {
                return Some(message.payload);
            }
        }
        None
    }
}

fn failed(subject: &str, error: &dyn std::error::Error) -> SignalError {
    SignalError {
        subject: subject.to_owned(),
        cause: error.to_string(),
    }
}
