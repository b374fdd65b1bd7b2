//! What the drain worker counts.

use std::time::Duration;

use hollowtrees_cluster::{
    Cluster,
    engine::{Ended, Observer, Summary},
};
use hollowtrees_runtime::metrics::{Counters, Definition, Error, Histogram, Histograms, Metrics, count};

/// Requests about pods.
pub const REQUESTS: Definition = Definition::new(
    "hollowtrees_drain_requests_total",
    "Answers of the API server about pods, by request (evict, delete, shorten) and answer.",
);
/// How long they took.
pub const TOOK: Definition = Definition::new(
    "hollowtrees_drain_request_duration_seconds",
    "How long the API server took to answer a request about a pod, by request.",
);
/// The queue, as each pod saw it.
pub const WAITED: Definition = Definition::new(
    "hollowtrees_drain_queue_wait_seconds",
    "How long a pod was in the queue until its request was made.",
);
/// What budgets cost.
pub const KEPT: Definition = Definition::new(
    "hollowtrees_drain_budget_wait_seconds",
    "How long a pod was kept by its disruption budget before it was worth another try, or went past it.",
);
/// What the watch is behind.
pub const LAG: Definition = Definition::new(
    "hollowtrees_drain_watch_lag_seconds",
    "How long after its eviction was granted the watch showed a pod as going.",
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
/// What waits for budgets.
pub const KEPT_PODS: Definition = Definition::new(
    "hollowtrees_drain_budget_blocked_pods",
    "Pods that wait for their disruption budget.",
);
/// What waits longest.
pub const QUEUED_FOR: Definition = Definition::new(
    "hollowtrees_drain_oldest_queued_seconds",
    "How long the pod has been in the queue that has been there longest, 0 where there is none.",
);
/// What became of pods.
pub const PODS: Definition = Definition::new(
    "hollowtrees_drain_pods_total",
    "Pods of drained nodes by what became of them, as outcomes list them: evicted, deleted, forced, shortened, others, \
     skipped, finalizing, left. One may be among several.",
);
/// Slots taken.
pub const IN_FLIGHT: Definition = Definition::new(
    "hollowtrees_drain_requests_in_flight",
    "Requests about pods that are not answered yet.",
);

/// Seconds in which the API server should answer.
const SHORT: [f64; 9] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Seconds of a notice.
const LONG: [f64; 9] = [0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 600.0];

/// Metrics of the drain worker.
#[derive(Clone)]
pub(crate) struct Telemetry {
    requests: Counters<2>,
    took: Histograms<1>,
    queued: Histogram,
    kept: Histogram,
    lag: Histogram,
    pods: Counters<1>,
}

impl Telemetry {
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, Error> {
        let pods = metrics.counters(PODS, ["result"])?;
        // An alert waits for its first one, and no increase is seen of a series that begins with it.
        pods.add(["forced"], 0);
        Ok(Self {
            requests: metrics.counters(REQUESTS, ["request", "answer"])?,
            took: metrics.histograms(TOOK, ["request"], &SHORT)?,
            queued: metrics.histogram(WAITED, &LONG)?,
            kept: metrics.histogram(KEPT, &LONG)?,
            lag: metrics.histogram(LAG, &SHORT)?,
            pods,
        })
    }

    /// Has the cluster's numbers read before each scrape.
    pub(crate) fn follow(&self, metrics: &Metrics, cluster: &Cluster) {
        let gauges = (
            metrics.gauges(CACHED, ["kind"]),
            metrics.gauge(DRAINING),
            metrics.gauge(QUEUED),
            metrics.gauge(QUEUED_FOR),
            metrics.gauge(KEPT_PODS),
            metrics.gauge(IN_FLIGHT),
        );
        let (Ok(cached), Ok(draining), Ok(queued), Ok(queued_for), Ok(kept), Ok(in_flight)) = gauges else {
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
            queued_for.set(counts.queued_for.as_secs_f64());
            kept.set(count(counts.kept));
            in_flight.set(count(counts.in_flight));
        });
    }
}

impl Observer for Telemetry {
    fn answered(&self, request: &'static str, answer: &'static str, took: Duration) {
        self.requests.increment([request, answer]);
        self.took.observe([request], took);
    }

    fn had_its_turn(&self, waited: Duration) {
        self.queued.observe(waited.as_secs_f64());
    }

    fn was_shown(&self, lag: Duration) {
        self.lag.observe(lag.as_secs_f64());
    }

    fn was_kept(&self, waited: Duration) {
        self.kept.observe(waited.as_secs_f64());
    }

    fn drained(&self, summary: &Summary) {
        // One that was called off or handed over has left nobody: what was done is counted all the same.
        let is_over = !matches!(summary.ended, Ended::Left | Ended::Stopping);
        for (what, count) in summary.counts() {
            if is_over || matches!(what, "evicted" | "deleted" | "forced" | "shortened") {
                self.pods.add([what], u64::try_from(count).unwrap_or(u64::MAX));
            }
        }
    }
}
