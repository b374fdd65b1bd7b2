//! When the connection was made anew, and whether it is being cut again and again.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

/// Two losses within this time are one too many: a message that cuts the connection comes again after its
/// `ack_wait`, a server that restarts does not.
const SUSPICIOUS: Duration = Duration::from_secs(20);
/// After a cause was found, the next loss is looked into at once for as long as this.
const ALERT: Duration = Duration::from_secs(60);

/// Tells a holder of requests that the connection they were made on is gone.
pub(crate) struct Link {
    statistics: Arc<async_nats::Statistics>,
    connected: watch::Receiver<u64>,
    seen: u64,
}

impl Link {
    /// `connected` counts up after each connection made; what it says is only the sign to look.
    pub(crate) fn new(client: &async_nats::Client, connected: watch::Receiver<u64>) -> Self {
        let statistics = client.statistics();
        let seen = statistics.connects.load(Ordering::Relaxed);
        Self {
            statistics,
            connected,
            seen,
        }
    }

    /// From now on the connection that stands is no news. Called before requests are made on it.
    pub(crate) fn mark(&mut self) {
        self.seen = self.statistics.connects.load(Ordering::Relaxed);
    }

    /// Returns when the connection was made anew since [`mark`](Self::mark), or since it last returned. Safe
    /// to cancel.
    ///
    /// The event of a connection comes late, the first one after the first requests were made: the client's
    /// own count tells whether it is news.
    pub(crate) async fn renewed(&mut self) {
        loop {
            let connects = self.statistics.connects.load(Ordering::Relaxed);
            if connects != self.seen {
                self.seen = connects;
                return;
            }
            if self.connected.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Losses of the connection while messages were due.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    last: Option<Instant>,
    found: Option<Instant>,
}

impl Losses {
    /// Notes a loss; whether it is time to look for a message that causes them.
    pub(crate) fn note(&mut self) -> bool {
        let now = Instant::now();
        let within = |at: Option<Instant>, limit| at.is_some_and(|at| now.duration_since(at) < limit);
        let suspicious = within(self.last, SUSPICIOUS) || within(self.found, ALERT);
        self.last = Some(now);
        suspicious
    }

    /// A cause was found: there may be more.
    pub(crate) fn found(&mut self) {
        self.found = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_losses_in_a_row_are_suspicious_and_one_is_after_a_find() {
        let mut losses = Losses::default();
        assert!(!losses.note(), "one is none");
        tokio::time::advance(SUSPICIOUS).await;
        assert!(!losses.note(), "the first was long ago");
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(losses.note());
        losses.found();
        tokio::time::advance(SUSPICIOUS * 2).await;
        assert!(losses.note(), "there may be more of them");
        tokio::time::advance(ALERT).await;
        assert!(!losses.note(), "quiet again");
    }
}
