//! Deletes messages that are done with, in batches, several at once.

use std::{sync::Arc, time::Duration};

use hollowtrees_aws::{Queue, queue::BATCH};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;

use super::{held::Holding, telemetry::Telemetry};

/// How long an incomplete batch waits for more.
const LINGER: Duration = Duration::from_millis(50);
/// First and longest wait before a batch is tried again.
const AGAIN: Duration = Duration::from_millis(200);
const AGAIN_AT_MOST: Duration = Duration::from_secs(5);

/// Deletes what comes until nobody can send any more, then returns once all of that is done.
pub(super) struct Deletions {
    pub(super) queue: Queue,
    pub(super) name: Arc<str>,
    pub(super) at_once: usize,
    pub(super) telemetry: Telemetry,
}

impl Deletions {
    pub(super) async fn run(self, mut done: mpsc::Receiver<Holding>) {
        let calls = Arc::new(Semaphore::new(self.at_once));
        let tracker = TaskTracker::new();
        let shared = Arc::new(self);
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            if done.recv_many(&mut batch, BATCH).await == 0 {
                break;
            }
            let until = tokio::time::Instant::now() + LINGER;
            while batch.len() < BATCH {
                match tokio::time::timeout_at(until, done.recv()).await {
                    Ok(Some(more)) => batch.push(more),
                    Ok(None) | Err(_) => break,
                }
            }
            let Ok(call) = Arc::clone(&calls).acquire_owned().await else {
                break;
            };
            let shared = Arc::clone(&shared);
            tracker.spawn(async move {
                shared.delete(batch).await;
                drop(call);
            });
        }
        tracker.close();
        tracker.wait().await;
    }

    /// Until all are deleted or cannot be: those come again, and what they say has the same id then.
    async fn delete(&self, mut batch: Vec<Holding>) {
        let mut wait = AGAIN;
        loop {
            // What is not held any more was given back, or out of sight for longer than SQS allows: it comes again.
            let (receipts, held): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .filter_map(|done| Some((done.receipt()?, done)))
                .unzip();
            if held.is_empty() {
                return;
            }
            let answer = self.queue.delete(&receipts).await;
            self.telemetry.called("DeleteMessageBatch", &answer);
            let mut again = Vec::new();
            for (place, done) in held.into_iter().enumerate() {
                let definite = match &answer {
                    Ok(left) => left.iter().find(|left| left.place == place).is_none_or(|left| {
                        self.telemetry.left(&self.name, "DeleteMessageBatch", &left.code);
                        left.definite
                    }),
                    Err(refusal) => refusal.is_definite(),
                };
                // Dropped, it is let go, and its place is free.
                if !definite {
                    again.push(done);
                }
            }
            if again.is_empty() {
                return;
            }
            batch = again;
            tokio::time::sleep(wait.mul_f64(rand::random_range(0.5..=1.0))).await;
            wait = (wait * 2).min(AGAIN_AT_MOST);
        }
    }
}
