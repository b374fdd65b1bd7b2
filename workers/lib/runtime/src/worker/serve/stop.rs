//! How the loop ends.

use std::time::Duration;

use tokio::{task::JoinSet, time::Instant};

use super::{Ended, Handler, KEEPALIVE_EVERY, Loop};

/// A worker that stops waits for so long until the ledger knows what it hands over.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(2);

impl<H: Handler> Loop<H> {
    /// Hands over what was not started, lets what runs finish within the grace, then goes in an order that
    /// lets the next process take over at once: liveness first, deliveries after it.
    pub(super) async fn stop(mut self) {
        let held = self.held.len();
        tracing::info!(held, running = self.running.len(), "The worker stops.");
        for id in [self.queue.drain(), self.suspects.drain()].concat() {
            if self
                .waiting
                .get(&id)
                .is_some_and(|attempt| attempt.claim.get().is_none())
            {
                self.waiting.remove(&id);
                if let Some(delivery) = self.held.get(&id).and_then(|held| held.parcel.take()) {
                    delivery.hand_over().await;
                }
                self.forget(&id);
            }
        }
        for held in self.held.values() {
            held.control.send_modify(|control| control.stopping = true);
        }
        let deadline = Instant::now() + self.core.settings.grace;
        let mut keepalive = tokio::time::interval(KEEPALIVE_EVERY);
        while !self.running.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = self.running.join_next() => {
                    if let Ok((id, Ended::Settled)) = ended {
                        self.forget(&id);
                    }
                }
                _ = keepalive.tick() => self.keep_alive(),
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        self.running.shutdown().await;
        let mut handing = JoinSet::new();
        for claim in self.held.values().filter_map(|held| held.claim.get().cloned()) {
            handing.spawn(async move { claim.hand_over().await });
        }
        if tokio::time::timeout(HAND_OVER_WITHIN, handing.join_all())
            .await
            .is_err()
        {
            tracing::warn!("Not all actions were handed over in time; their starts count as broken off.");
        }
        self.core.lease.release().await;
        for held in self.held.values() {
            if let Some(delivery) = held.parcel.take() {
                delivery.hand_over().await;
            }
        }
        self.core.bus.flush(Duration::from_secs(2)).await;
    }
}
