//! A queue of SQS: what is in it, taken and given back.
//!
//! Source of the limits: SQS API reference, `ReceiveMessage`, `DeleteMessageBatch`, `ChangeMessageVisibilityBatch`: ten
//! messages a call, at most 20 s of waiting, at most 12 h out of sight.

use std::{collections::HashMap, fmt, time::Duration};

use aws_sdk_sqs::{
    config::{Builder, retry::RetryConfig, timeout::TimeoutConfig},
    types::{
        ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
        QueueAttributeName,
    },
};

use crate::{Refusal, Region};

/// Messages of one call, at most.
pub const BATCH: usize = 10;
/// How long SQS waits for a first message, at most.
pub const LONGEST_POLL: Duration = Duration::from_secs(20);

/// A queue, by its URL. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    region: Region,
    url: String,
}

/// A message taken, which is out of others' sight until its time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// SQS's id of it, the same at each delivery.
    pub id: String,
    /// What deletes it or keeps it out of sight; another one at each delivery.
    pub receipt: String,
    /// What was sent.
    pub body: String,
    /// When it was sent, in milliseconds since 1970; none where SQS does not say.
    pub sent_at: Option<u64>,
    /// How often it was taken, this time included.
    pub receives: u32,
}

/// How full a queue is, about: SQS counts by sampling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages that may be taken.
    pub waiting: u64,
    /// Messages that were taken and not deleted.
    pub taken: u64,
}

/// One message of a batch that was not done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its place in the batch.
    pub place: usize,
    /// SQS's code, such as `ReceiptHandleIsInvalid`.
    pub code: String,
    /// Whether the same again has the same answer.
    pub definite: bool,
}

impl Region {
    /// A queue of this region. Asks nothing.
    pub fn queue(&self, url: &str) -> Queue {
        Queue {
            region: self.clone(),
            url: url.to_owned(),
        }
    }
}

impl Queue {
    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Takes up to [`BATCH`] messages, and waits up to `wait` (at most [`LONGEST_POLL`]) for the first. They are out of
    /// sight for `hidden`. One attempt: after a lost answer what was taken comes again by itself.
    ///
    /// # Errors
    /// SQS did not say. `Missing`: there is no such queue.
    pub async fn take(&self, wait: Duration, hidden: Duration) -> Result<Vec<Taken>, Refusal> {
        let wait = wait.min(LONGEST_POLL);
        let limit = wait + self.region.attempt_timeout();
        let limits = TimeoutConfig::builder()
            .operation_attempt_timeout(limit)
            .operation_timeout(limit)
            // A long poll is silent until it is answered.
            .read_timeout(limit)
            .build();
        let answer = self
            .region
            .sqs()
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(BATCH).unwrap_or(i32::MAX))
            .wait_time_seconds(seconds(wait))
            .visibility_timeout(seconds(hidden))
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .customize()
            .config_override(
                Builder::default()
                    .timeout_config(limits)
                    .retry_config(RetryConfig::disabled()),
            )
            .send()
            .await?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(taken)
            .collect())
    }

    /// Deletes up to [`BATCH`] messages by their receipts; those that were not deleted come back.
    ///
    /// # Errors
    /// SQS did not say; any of them may be deleted or not.
    pub async fn delete(&self, receipts: &[String]) -> Result<Vec<Left>, Refusal> {
        let mut entries = Vec::with_capacity(receipts.len());
        for (place, receipt) in receipts.iter().enumerate() {
            entries.push(
                DeleteMessageBatchRequestEntry::builder()
                    .id(place.to_string())
                    .receipt_handle(receipt)
                    .build()
                    .map_err(|error| Refusal::unsaid("delete", error.to_string()))?,
            );
        }
        let answer = self
            .region
            .sqs()
            .delete_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await?;
        Ok(answer.failed().iter().map(left).collect())
    }

    /// Keeps up to [`BATCH`] messages out of sight for `hidden` from now on; zero gives them back at once.
    ///
    /// # Errors
    /// SQS did not say; any of them may be kept or not.
    pub async fn hide(&self, receipts: &[String], hidden: Duration) -> Result<Vec<Left>, Refusal> {
        let mut entries = Vec::with_capacity(receipts.len());
        for (place, receipt) in receipts.iter().enumerate() {
            entries.push(
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(place.to_string())
                    .receipt_handle(receipt)
                    .visibility_timeout(seconds(hidden))
                    .build()
                    .map_err(|error| Refusal::unsaid("hide", error.to_string()))?,
            );
        }
        let answer = self
            .region
            .sqs()
            .change_message_visibility_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await?;
        Ok(answer.failed().iter().map(left).collect())
    }

    /// How full it is.
    ///
    /// # Errors
    /// SQS did not say. `Missing`: there is no such queue.
    pub async fn depth(&self) -> Result<Depth, Refusal> {
        let answer = self
            .region
            .sqs()
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .send()
            .await?;
        let attributes = answer.attributes.unwrap_or_default();
        Ok(Depth {
            waiting: number(&attributes, &QueueAttributeName::ApproximateNumberOfMessages)
                .unwrap_or_default(),
            taken: number(
                &attributes,
                &QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            )
            .unwrap_or_default(),
        })
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

fn taken(message: aws_sdk_sqs::types::Message) -> Taken {
    let attributes = message.attributes.unwrap_or_default();
    let sent_at = number(&attributes, &MessageSystemAttributeName::SentTimestamp);
    let receives = number(&attributes, &MessageSystemAttributeName::ApproximateReceiveCount);
    Taken {
        id: message.message_id.unwrap_or_default(),
        receipt: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        sent_at,
        receives: receives.map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX)),
    }
}

fn left(entry: &aws_sdk_sqs::types::BatchResultErrorEntry) -> Left {
    Left {
        // An id that is not ours stands for no message of the batch.
        place: entry.id().parse().unwrap_or(usize::MAX),
        code: entry.code().to_owned(),
        definite: entry.sender_fault(),
    }
}

fn number<K: std::hash::Hash + Eq>(attributes: &HashMap<K, String>, key: &K) -> Option<u64> {
    attributes.get(key)?.parse().ok()
}

/// SQS counts in whole seconds; what is not zero stays so.
fn seconds(of: Duration) -> i32 {
    let whole = of.as_secs().saturating_add(u64::from(of.subsec_nanos() > 0));
    i32::try_from(whole).unwrap_or(i32::MAX)
}
