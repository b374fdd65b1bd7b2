//! What the lifecycle worker counts.

use hollowtrees_runtime::metrics::{Counters, Definition, Error, Metrics};
use prometheus::Gauge;

/// Calls of AWS.
pub const REQUESTS: Definition = Definition::new(
    "hollowtrees_lifecycle_requests_total",
    "Calls of AWS about lifecycle hooks and load balancers, by call and answer (ok, throttled, capacity, rejected, denied, missing, unclear).",
);
/// Ends of hooks.
pub const ENDS: Definition = Definition::new(
    "hollowtrees_lifecycle_hooks_total",
    "Lifecycle hooks that were held open, by end (continue, abandon, left, over).",
);
/// Hooks held open now.
pub const HELD: Definition = Definition::new(
    "hollowtrees_lifecycle_held",
    "Lifecycle hooks this process holds open.",
);

/// Ends of deregistrations.
pub const LEFT: Definition = Definition::new(
    "hollowtrees_lifecycle_deregistrations_total",
    "Instances that were to leave their load balancers, by end (drained, draining, deadline, refused, put_back, not_registered).",
);

/// How it ended with an instance and its balancers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Left {
    /// Out of all of them, and drained where that was waited for.
    Drained,
    /// Out of all of them, and not drained when the time was over; the rule does not want more.
    Draining,
    /// Out of time.
    Deadline,
    /// AWS would not.
    Refused,
    /// In again: the incident was withdrawn.
    PutBack,
    /// It was in none.
    NotRegistered,
}

/// How the hold of a hook ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Continue,
    Abandon,
    /// Left to its time-out.
    Left,
    /// It was over before.
    Over,
}

/// Metrics of the lifecycle worker.
#[derive(Clone)]
pub struct Telemetry {
    requests: Counters<2>,
    ends: Counters<1>,
    held: Gauge,
    left: Counters<1>,
}

impl Telemetry {
    /// Registers them.
    ///
    /// # Errors
    /// A name is taken.
    pub fn register(metrics: &Metrics) -> Result<Self, Error> {
        Ok(Self {
            requests: metrics.counters(REQUESTS, ["call", "answer"])?,
            ends: metrics.counters(ENDS, ["end"])?,
            held: metrics.gauge(HELD)?,
            left: metrics.counters(LEFT, ["end"])?,
        })
    }

    pub(crate) fn called(&self, call: &'static str, answer: &'static str) {
        self.requests.increment([call, answer]);
    }

    pub(crate) fn ended(&self, action: &str, end: End) {
        let word = match end {
            End::Continue => "continue",
            End::Abandon => "abandon",
            End::Left => "left",
            End::Over => "over",
        };
        tracing::debug!(action, end = word, "The hold of a lifecycle hook ended.");
        self.ends.increment([word]);
    }

    pub(crate) fn left(&self, action: &str, left: Left) {
        let word = match left {
            Left::Drained => "drained",
            Left::Draining => "draining",
            Left::Deadline => "deadline",
            Left::Refused => "refused",
            Left::PutBack => "put_back",
            Left::NotRegistered => "not_registered",
        };
        tracing::debug!(action, end = word, "A deregistration from load balancers ended.");
        self.left.increment([word]);
    }

    /// Counts a hook as held until the guard is dropped.
    pub(crate) fn holding(&self) -> Held {
        self.held.inc();
        Held(self.held.clone())
    }
}

/// One hook that is held.
pub(crate) struct Held(Gauge);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}
