//! A request's body: bounded in size, in time, and all of them together in memory.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Larger than is taken.
    #[error("the body is larger than {0} bytes; send less at a time")]
    TooLarge(usize),
    /// It did not come.
    #[error("the body did not come within {0:?}; send it without a pause")]
    Slow(Duration),
    /// It broke off.
    #[error("the body broke off; send it whole")]
    Broken,
    /// Too many are held.
    #[error("too much is held at the moment; send it again in a second")]
    Full,
    /// It is compressed.
    #[error("the body is compressed, which is not read here; send it without `Content-Encoding`")]
    Compressed,
}

/// Reads bodies.
pub struct Bodies {
    most: usize,
    time: Duration,
    memory: Arc<Semaphore>,
}

/// A body, and its place in memory.
pub struct Held {
    /// The bytes.
    pub bytes: Bytes,
    _place: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    /// `most`: bytes of one; `memory`: bytes of all; `time`: for one to come.
    pub fn new(most: usize, memory: usize, time: Duration) -> Self {
        Self {
            most,
            time,
            memory: Arc::new(Semaphore::new(memory.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// It is too large, too slow, broken off or compressed, or there is no room.
    pub async fn read(&self, headers: &HeaderMap, body: Incoming) -> Result<Held, BodyError> {
        let encoding = headers.get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(BodyError::Compressed);
        }
        // What is said to be too large is not waited for.
        let (least, hint) = (body.size_hint().lower(), body.size_hint().upper());
        if usize::try_from(least).map_or(true, |least| least > self.most) {
            return Err(BodyError::TooLarge(self.most));
        }
        let room = hint.and_then(|hint| u32::try_from(hint).ok());
        let room = room.unwrap_or_else(|| u32::try_from(self.most).unwrap_or(u32::MAX));
        let read = async {
            let memory = Arc::clone(&self.memory);
            let place = match timeout(self.time / 2, memory.acquire_many_owned(room)).await {
                Ok(place) => place.ok(),
                Err(_) => return Err(BodyError::Full),
            };
            match Limited::new(body, self.most).collect().await {
                Ok(bytes) => Ok(Held {
                    bytes: bytes.to_bytes(),
                    _place: place,
                }),
                Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge(self.most)),
                Err(_) => Err(BodyError::Broken),
            }
        };
        match timeout(self.time, read).await {
            Ok(read) => read,
            Err(_) => Err(BodyError::Slow(self.time)),
        }
    }
}
