//! The work without its frame: one feed a stream, and the look at them all.

use std::sync::Arc;

use hollowtrees_bus::{Bus, apply, liveness::Lease, topology::Consumer};
use hollowtrees_runtime::{
    Failure,
    exit::Code,
    health::{Check, Checks},
    metrics::Metrics,
};
use hollowtrees_schemas::{
    names::Stream,
    proto::{self, time},
};
use jiff::Timestamp;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    claim::Claims,
    config,
    feed::Feed,
    lag::Lag,
    telemetry::{Shown, Telemetry},
};

/// One replica.
pub struct Part {
    /// The connection.
    pub bus: Bus,
    /// Its configuration.
    pub settings: config::Metrics,
    /// Who it is; the process is unique to this start.
    pub worker: proto::Worker,
    /// Where it counts.
    pub metrics: Metrics,
    /// Where it says whether messages come.
    pub checks: Checks,
}

impl Part {
    /// Counts until it is told to stop.
    ///
    /// # Errors
    /// The bus is not as declared, or a feed cannot go on.
    pub async fn work(self, stop: CancellationToken) -> Result<(), Failure> {
        let Self {
            bus,
            settings,
            worker,
            metrics,
            checks,
        } = self;
        let ready = Stream::ALL.map(|stream| checks.register(stream.name()));
        checks.complete();
        apply::verify(&bus)
            .await
            .map_err(|error| Failure::unavailable(&error))?;
        let telemetry = Telemetry::register(&metrics, settings.clusters, settings.kinds)?;
        let telemetry = Arc::new(telemetry);
        let shown = Shown::register(&metrics)?;
        let liveness = proto::Liveness {
            worker: Some(worker.clone()),
            serves: Vec::new(),
            started_at: Some(time::to_proto(Timestamp::now())),
            takes_at: String::new(),
        };
        let lease = Lease::register(&bus, &liveness).await?;

        let mut feeds = JoinSet::new();
        let mut beside = JoinSet::new();
        let mut looking = JoinSet::new();
        for (stream, ready) in Stream::ALL.into_iter().zip(ready) {
            let consumer = Consumer::metrics(stream);
            let deliveries = bus
                .consume(&consumer, settings.accepted)
                .await
                .map_err(|error| Failure::unavailable(&error))?;
            beside.spawn(tell_readiness(ready, deliveries.trouble()));
            let feed = Feed {
                stream,
                deliveries,
                claims: Claims::open(&bus, &consumer, &worker.process).await?,
                telemetry: Arc::clone(&telemetry),
            };
            feeds.spawn(feed.follow(settings.clone(), stop.clone()));
        }
        let lag = Lag::new(&bus, lease.clone(), shown);
        let every = settings.poll_every;
        looking.spawn(async move { lag.keep(&telemetry, every).await });

        loop {
            tokio::select! {
                biased;
                ended = feeds.join_next() => {
                    let Some(ended) = ended else { break };
                    ended??;
                    if !stop.is_cancelled() {
                        return Err(Failure::new(Code::Failed, "a feed ended without being asked"));
                    }
                }
                Some(ended) = looking.join_next() => {
                    ended?;
                    return Err(Failure::new(Code::Failed, "the look at the streams ended without being asked"));
                }
            }
        }
        looking.shutdown().await;
        beside.shutdown().await;
        lease.release().await;
        Ok(())
    }
}

/// Ready is who is given messages.
async fn tell_readiness(check: Check, mut trouble: watch::Receiver<Option<String>>) {
    loop {
        match trouble.borrow_and_update().as_deref() {
            Some(trouble) => check.fail(trouble),
            None => check.pass(),
        }
        if trouble.changed().await.is_err() {
            check.fail("no longer takes messages");
            return;
        }
    }
}
