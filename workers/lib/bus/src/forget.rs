//! Forgetting what was removed: a removal leaves a marker, and a marker never ages.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull};
use futures::StreamExt;
use jiff::Timestamp;

use crate::store::{OPERATION, Store, StoreError, is_removal, server_time};

/// Most markers forgotten in one go; the rest in the next.
const MOST: usize = 10_000;
const BATCH: usize = 256;
const HEARTBEAT: Duration = Duration::from_secs(5);
const EXPIRES: Duration = Duration::from_secs(30);
const INACTIVE: Duration = Duration::from_secs(60);
/// The next message comes within this, or its consumer no longer works.
const NEXT: Duration = Duration::from_secs(10);

impl<T> Store<T> {
    /// Removes the markers of keys that were removed before `older_than`, so that nothing is left of them; how many
    /// there were. What was written to such a key since stays, whenever that happens.
    pub async fn forget_removed(&self, older_than: Timestamp) -> Result<usize, StoreError> {
        let markers = self
            .markers(older_than)
            .await
            .map_err(|cause| self.unavailable(cause))?;
        let stream = &self
            .opened()
            .await
            .map_err(|cause| self.unavailable(cause))?
            .stream;
        for (subject, sequence) in &markers {
            stream
                .purge()
                .filter(subject)
                // The first one that stays.
                .sequence(sequence + 1)
                .await
                .map_err(|error| self.unavailable(error.to_string()))?;
        }
        Ok(markers.len())
    }

    /// Subjects and sequences of the markers, from a look at the newest message of every key, without the values.
    async fn markers(&self, older_than: Timestamp) -> Result<Vec<(String, u64)>, String> {
        let opened = self.opened().await?;
        let config = pull::Config {
            description: Some("markers".to_owned()),
            deliver_policy: DeliverPolicy::LastPerSubject,
            ack_policy: AckPolicy::None,
            replay_policy: ReplayPolicy::Instant,
            filter_subject: format!("{}>", opened.prefix),
            headers_only: true,
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let mut link = self.link();
        let consumer = opened.stream.create_consumer(config).await;
        let consumer = consumer.map_err(|error| error.to_string())?;
        let mut left = consumer.cached_info().num_pending;
        let messages = consumer
            .stream()
            .max_messages_per_batch(BATCH)
            .heartbeat(HEARTBEAT)
            .expires(EXPIRES)
            .messages()
            .await;
        let mut messages = messages.map_err(|error| error.to_string())?;
        let mut markers = Vec::new();
        while left > 0 && markers.len() < MOST {
            let next = tokio::select! {
                biased;
                next = messages.next() => next,
                () = link.renewed() => return Err("the connection was lost".to_owned()),
                () = tokio::time::sleep(NEXT) => return Err(format!("no answer within {} s", NEXT.as_secs())),
            };
            let message = match next {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err("its consumer is gone".to_owned()),
            };
            let info = message.info().map_err(|error| error.to_string())?;
            left = info.pending;
            let operation = message
                .headers
                .as_ref()
                .and_then(|headers| headers.get(OPERATION));
            let removed = operation.is_some_and(|operation| is_removal(operation.as_str()));
            if removed && server_time(info.published) < older_than {
                markers.push((message.subject.to_string(), info.stream_sequence));
            }
        }
        Ok(markers)
    }

    fn unavailable(&self, cause: String) -> StoreError {
        StoreError::Unavailable {
            bucket: self.bucket(),
            key: ">".to_owned(),
            cause,
        }
    }
}
