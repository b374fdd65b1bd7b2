//! Takes the messages of one stream in batches: claim, count, acknowledge.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hollowtrees_bus::{Deliveries, Delivery};
use hollowtrees_runtime::Failure;
use hollowtrees_schemas::names::Stream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{claim::Claims, config, tally::Tally, telemetry::Telemetry};

/// How long a claim under way is waited for once the process ends.
const LAST_CLAIM: Duration = Duration::from_secs(2);

/// One stream on its way into the counters.
pub(crate) struct Feed {
    pub(crate) stream: Stream,
    pub(crate) deliveries: Deliveries,
    pub(crate) claims: Claims,
    pub(crate) telemetry: Arc<Telemetry>,
}

type Batch = BTreeMap<u64, Delivery>;

impl Feed {
    /// Goes on until told to stop.
    pub(crate) async fn follow(
        mut self,
        settings: config::Metrics,
        stop: CancellationToken,
    ) -> Result<(), Failure> {
        let tally = Tally::new(Arc::clone(&self.telemetry));
        while let Some(batch) = self.gather(&settings, &stop).await {
            let wanted = batch.keys().copied().collect();
            let claimed = tokio::select! {
                biased;
                claimed = self.claims.claim(&wanted) => claimed?,
                () = late(&stop) => {
                    hand_back(batch).await;
                    break;
                }
            };
            // Nothing is awaited in here: what was claimed is counted, or goes with the process.
            for (sequence, delivery) in &batch {
                if claimed.ours.contains(sequence) {
                    tally.count(self.stream, &delivery.subject, &delivery.wire, delivery.stored_at);
                } else {
                    self.telemetry.repeated(self.stream);
                }
            }
            self.telemetry.forgone(self.stream, claimed.forgone);
            for delivery in batch.into_values() {
                delivery.ack().await;
            }
        }
        self.deliveries.stop().await;
        Ok(())
    }

    /// The next messages, at least one; `None`: it is time to stop.
    async fn gather(&mut self, settings: &config::Metrics, stop: &CancellationToken) -> Option<Batch> {
        let mut batch = Batch::new();
        let mut until = None;
        while batch.len() < settings.batch {
            let waited = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            let delivery = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    hand_back(batch).await;
                    return None;
                }
                delivery = self.deliveries.next() => delivery,
                () = waited => break,
            };
            until.get_or_insert_with(|| Instant::now() + settings.linger);
            // Handed out again while it waited here: the newer one is the one to answer.
            if let Some(older) = batch.insert(delivery.sequence, delivery) {
                older.abandon();
            }
        }
        Some(batch)
    }
}

async fn late(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_CLAIM).await;
}

async fn hand_back(batch: Batch) {
    for delivery in batch.into_values() {
        delivery.hand_over().await;
    }
}
