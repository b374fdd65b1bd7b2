//! Queues of SQS, as moto keeps them: made and filled without an SDK.

use super::Aws;
use super::moto::Moto;
use crate::{Context, Error, Result};
use serde_json::{Value, json};

/// Messages of one call, at most.
const BATCH: usize = 10;

/// How full a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDepth {
    /// Messages that may be taken.
    pub waiting: u64,
    /// Messages that were taken and not deleted.
    pub taken: u64,
}

impl Aws {
    /// Makes a queue in a region: its URL, behind this proxy.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn create_queue(&self, region: &str, name: &str) -> Result<String> {
        let made = self
            .sqs(region, "CreateQueue", json!({ "QueueName": name }))
            .await?;
        let url = made["QueueUrl"]
            .as_str()
            .ok_or_else(|| Error::new(format!("no QueueUrl in {made}")))?;
        // Where moto itself listens; its path names the account and the queue.
        let path = url.splitn(4, '/').nth(3).unwrap_or_default();
        Ok(format!("{}/{path}", self.url()))
    }

    /// Sends bodies to a queue, ten a call.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn send(&self, region: &str, queue: &str, bodies: &[String]) -> Result<()> {
        for batch in bodies.chunks(BATCH) {
            let entries: Vec<_> = batch
                .iter()
                .enumerate()
                .map(|(id, body)| json!({ "Id": id.to_string(), "MessageBody": body }))
                .collect();
            let call = json!({ "QueueUrl": queue, "Entries": entries });
            let _one_at_a_time = self.strict.queues.lock().await;
            let sent = self.sqs(region, "SendMessageBatch", call).await?;
            if sent["Failed"].as_array().is_some_and(|failed| !failed.is_empty()) {
                return Err(Error::new(format!("not all was sent: {sent}")));
            }
        }
        Ok(())
    }

    /// How full a queue is.
    ///
    /// # Errors
    /// If there is none.
    pub async fn queue_depth(&self, region: &str, queue: &str) -> Result<QueueDepth> {
        let call = json!({ "QueueUrl": queue, "AttributeNames": ["All"] });
        let told = self.sqs(region, "GetQueueAttributes", call).await?;
        let number = |name: &str| {
            let text = told["Attributes"][name].as_str();
            text.and_then(|text| text.parse().ok())
                .ok_or_else(|| Error::new(format!("no {name} in {told}")))
        };
        Ok(QueueDepth {
            waiting: number("ApproximateNumberOfMessages")?,
            taken: number("ApproximateNumberOfMessagesNotVisible")?,
        })
    }

    /// Makes all messages of a queue that were taken visible again after this many seconds from their next taking, for
    /// whoever names no time of his own.
    ///
    /// # Errors
    /// If there is none.
    pub async fn set_queue_visibility(&self, region: &str, queue: &str, seconds: u32) -> Result<()> {
        let call = json!({ "QueueUrl": queue, "Attributes": { "VisibilityTimeout": seconds.to_string() } });
        self.sqs(region, "SetQueueAttributes", call).await.map(drop)
    }

    /// Past the faults and the record, that both are of the tested client's calls alone.
    async fn sqs(&self, region: &str, action: &str, call: Value) -> Result<Value> {
        self.strict.moto.sqs(region, action, &call).await
    }
}

impl Moto {
    async fn sqs(&self, region: &str, action: &str, call: &Value) -> Result<Value> {
        let target = format!("AmazonSQS.{action}");
        let body = self.json(region, "sqs", &target, call).await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).context(|| format!("{action}: no JSON in the answer"))
    }
}
