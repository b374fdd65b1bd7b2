//! What the swap worker counts.

use std::time::Duration;

use hollowtrees_domain::swap::{Checkpoint, End, Next, Node, again, node::Waited};
use hollowtrees_runtime::metrics::{self, Counters, Definition, Error, Gauges, Metrics};
use hollowtrees_schemas::names::result;
use prometheus::{Gauge, Histogram, IntCounter};

use crate::{exporter::durations::Durations, sweep::Swept};

/// Calls of AWS.
pub const REQUESTS: Definition = Definition::new(
    "hollowtrees_asg_swap_requests_total",
    "Calls of AWS, by call and answer (ok, throttled, capacity, rejected, denied, missing, unclear).",
);
/// Steps of swaps.
pub const STEPS: Definition = Definition::new(
    "hollowtrees_asg_swap_steps_total",
    "Steps of swaps, by step and answer (done, again, refused); of wait-for-node: done, or late where it was attached without.",
);
/// Swaps under way.
pub const OPEN: Definition = Definition::new(
    "hollowtrees_asg_swap_open",
    "Swaps this process is at, those included that wait for a drain.",
);
/// Waiting for a group's lease.
pub const LEASE_WAIT: Definition = Definition::new(
    "hollowtrees_asg_swap_lease_wait_seconds",
    "How long a swap waited for its turn to change the sizes of its group.",
);

/// What swaps left behind.
pub const ORPHANS: Definition = Definition::new(
    "hollowtrees_asg_swap_orphans",
    "What swaps left behind as this process found it at its last sweep, by what it is (instance: in no group, its action ended; unclaimed: the same, nobody knows what came of its action; record: an open swap of a group whose action ended); 0 once another process sweeps.",
);
/// Sweeps.
pub const SWEEPS: Definition = Definition::new(
    "hollowtrees_asg_swap_sweeps_total",
    "Sweeps for what swaps left behind, by answer (done, failed).",
);
/// Orphans that were ended.
pub const ORPHANS_ENDED: Definition = Definition::new(
    "hollowtrees_asg_swap_orphans_ended_total",
    "Instances that swaps left behind and a sweep ended.",
);
/// Attempts to bring back to spot what fell back to on demand.
pub const BACK_TO_SPOT: Definition = Definition::new(
    "hollowtrees_asg_swap_back_to_spot_total",
    "Attempts to bring back to spot what fell back to on demand, by what became of them (begun, over: told by this process's sweeps; back, no-spot, on-demand-share, failed: ended by its swaps).",
);

const LEASE_BUCKETS: [f64; 8] = [0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0, 60.0];

/// Metrics of the swap worker.
#[derive(Clone)]
pub struct Telemetry {
    requests: Counters<2>,
    steps: Counters<2>,
    open: Gauge,
    in_service: Durations,
    lease_wait: Histogram,
    orphans: Gauges<1>,
    sweeps: Counters<1>,
    ended: IntCounter,
    back_to_spot: Counters<1>,
}

impl Telemetry {
    /// Registers them.
    ///
    /// # Errors
    /// A name is taken.
    pub fn register(metrics: &Metrics) -> Result<Self, Error> {
        Ok(Self {
            requests: metrics.counters(REQUESTS, ["call", "answer"])?,
            steps: metrics.counters(STEPS, ["step", "answer"])?,
            open: metrics.gauge(OPEN)?,
            in_service: Durations::register(metrics)?,
            lease_wait: metrics.histogram(LEASE_WAIT, &LEASE_BUCKETS)?,
            orphans: metrics.gauges(ORPHANS, ["what"])?,
            sweeps: metrics.counters(SWEEPS, ["answer"])?,
            ended: metrics.counter(ORPHANS_ENDED)?,
            back_to_spot: metrics.counters(BACK_TO_SPOT, ["what"])?,
        })
    }

    pub(crate) fn answered(&self, call: &'static str, answer: &'static str) {
        self.requests.increment([call, answer]);
    }

    pub(crate) fn stepped(&self, action: &str, step: &Next, answer: &'static str) {
        tracing::debug!(action, step = step.name(), answer, "A step of a swap was done.");
        self.steps.increment([step.name(), answer]);
    }

    pub(crate) fn waited_for_node(&self, action: &str, waited: Waited) {
        let (found, seconds) = (waited.found.as_str(), waited.seconds);
        if waited.found == Node::Ready {
            tracing::debug!(action, seconds, "The node of a replacement is Ready.");
            self.steps.increment(["wait-for-node", "done"]);
        } else {
            tracing::warn!(
                action,
                found,
                seconds,
                "A replacement is attached before its node is Ready."
            );
            self.steps.increment(["wait-for-node", "late"]);
        }
    }

    pub(crate) fn waited_for_lease(&self, wait: Duration) {
        self.lease_wait.observe(wait.as_secs_f64());
    }

    /// A replacement serves in a group, so long after the notice.
    pub(crate) fn in_service(&self, group: &str, region: &str, took: Duration) {
        self.in_service.observe(group, region, took);
    }

    /// What was found, where this process swept last.
    pub(crate) fn swept(&self, found: &Swept) {
        let gauge = |what, number| self.orphans.set([what], metrics::count(number));
        gauge("instance", found.orphans.len() - found.ended.len());
        gauge("unclaimed", found.unclaimed.len());
        gauge("record", found.stale.len());
        self.ended.inc_by(found.ended.len() as u64);
    }

    /// A sweep told something of an attempt.
    pub(crate) fn back_to_spot(&self, what: &'static str) {
        self.back_to_spot.increment([what]);
    }

    /// Counts the end of a swap that was to bring an instance back to spot.
    pub(crate) fn swapped_back(&self, checkpoint: &Checkpoint, end: &End) {
        let what = match (end.reason.as_str(), end.result) {
            (again::NO_SPOT, _) => again::NO_SPOT,
            (again::FOR_SHARE, _) => again::FOR_SHARE,
            _ if !checkpoint.back_to_spot => return,
            (_, result::SUCCEEDED) => "back",
            _ => "failed",
        };
        self.back_to_spot(what);
    }

    pub(crate) fn sweep(&self, answer: &'static str) {
        self.sweeps.increment([answer]);
    }

    /// Counts a swap as open until the guard is dropped.
    pub(crate) fn open(&self) -> Open {
        self.open.inc();
        Open(self.open.clone())
    }
}

/// One open swap.
pub(crate) struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
