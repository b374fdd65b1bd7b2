//! What the drain worker counts.

use hollowtrees_cluster::{Cluster, engine::Observer};
use hollowtrees_runtime::metrics::{Counters, Definition, Error, Metrics, count};

/// Requests about pods.
pub const REQUESTS: Definition = Definition::new(
    "hollowtrees_drain_requests_total",
    "Answers of the API server about pods, by request (evict, delete, shorten) and answer.",
);
/// What is kept of the cluster.
pub const CACHED: Definition = Definition::new(
    "hollowtrees_drain_cached_objects",
    "Objects the picture of the cluster holds, by kind.",
);
/// What is under way.
pub const DRAINING: Definition = Definition::new("hollowtrees_drain_nodes", "Nodes being drained.");
/// What waits for a slot.
pub const QUEUED: Definition = Definition::new(
    "hollowtrees_drain_queued_pods",
    "Pods whose turn to be evicted has not come.",
);
/// Slots taken.
pub const IN_FLIGHT: Definition = Definition::new(
    "hollowtrees_drain_requests_in_flight",
    "Requests about pods that are not answered yet.",
);

/// Metrics of the drain worker.
#[derive(Clone)]
pub(crate) struct Telemetry {
    requests: Counters<2>,
}

impl Telemetry {
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, Error> {
        Ok(Self {
            requests: metrics.counters(REQUESTS, ["request", "answer"])?,
        })
    }

    /// Has the cluster's numbers read before each scrape.
    pub(crate) fn follow(&self, metrics: &Metrics, cluster: &Cluster) {
        let gauges = (
            metrics.gauges(CACHED, ["kind"]),
            metrics.gauge(DRAINING),
            metrics.gauge(QUEUED),
            metrics.gauge(IN_FLIGHT),
        );
        let (Ok(cached), Ok(draining), Ok(queued), Ok(in_flight)) = gauges else {
            tracing::error!("The numbers of the cluster are not exported: their names are taken.");
            return;
        };
        let cluster = cluster.clone();
        metrics.before_scrape(move || {
            let counts = cluster.counts();
            cached.set(["nodes"], count(counts.nodes));
            cached.set(["pods"], count(counts.pods));
            draining.set(count(counts.draining));
            queued.set(count(counts.queued));
            in_flight.set(count(counts.in_flight));
        });
    }
}

impl Observer for Telemetry {
    fn answered(&self, request: &'static str, answer: &'static str) {
        self.requests.increment([request, answer]);
    }
}
