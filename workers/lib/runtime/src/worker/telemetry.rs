//! What a worker loop counts. Each method is one noteworthy event.

use hollowtrees_bus::{consume::forward::Answer, dead::Class};
use hollowtrees_schemas::proto::{self, time};
use prometheus::Gauge;

use super::Settings;
use crate::metrics::{Counters, Definition, Error, Metrics, bounded::OTHER};

/// Final outcomes this process wrote.
pub const OUTCOMES: Definition = Definition::new(
    "hollowtrees_worker_outcomes_total",
    "Final outcomes told by this process, by kind of action and result.",
);
/// Outcomes stored.
pub const OUTCOMES_PUBLISHED: Definition = Definition::new(
    "hollowtrees_worker_outcomes_published_total",
    "Final outcomes published, by kind of action and by whether the stream had them already.",
);
/// Further starts of a handler.
pub const RETRIES: Definition = Definition::new(
    "hollowtrees_worker_retries_total",
    "Handlers that will be started again after a failure that may pass.",
);
/// Actions given to who does what they belong to.
pub const OFFERED: Definition = Definition::new(
    "hollowtrees_worker_actions_offered_total",
    "Actions offered to the process that does what they belong to, by kind of action and answer: taken, refused, silent.",
);
/// Deliveries that took the place of an older one.
pub const REDELIVERIES: Definition = Definition::new(
    "hollowtrees_worker_redeliveries_total",
    "Actions handed out again while this process held them; nothing was started.",
);
/// Claims that went to someone else.
pub const CLAIMS_LOST: Definition = Definition::new(
    "hollowtrees_worker_claims_lost_total",
    "Actions whose claim went to another process while this one worked on them.",
);
/// Handlers that panicked.
pub const HANDLERS_BROKEN: Definition = Definition::new(
    "hollowtrees_worker_handler_panics_total",
    "Handlers that broke off without an answer.",
);
/// Dead letters this process kept.
pub const DEAD_LETTERS: Definition = Definition::new(
    "hollowtrees_worker_dead_letters_total",
    "Messages kept as dead letters by this process, by kind of action and class of error.",
);
/// Actions held.
pub const HELD: Definition = Definition::new(
    "hollowtrees_worker_actions_held",
    "Actions this process holds, waiting ones included.",
);
/// Handlers under way.
pub const RUNNING: Definition = Definition::new(
    "hollowtrees_worker_actions_running",
    "Actions this process works on now.",
);
/// Our clock against the server's.
pub const CLOCK_OFFSET: Definition = Definition::new(
    "hollowtrees_worker_clock_offset_seconds",
    "This process's clock minus the bus server's; deadlines are corrected by it above 2 s.",
);

/// Metrics of one action worker.
#[derive(Clone)]
pub(crate) struct Telemetry {
    outcomes: Counters<2>,
    outcomes_published: Counters<2>,
    retries: Counters<1>,
    offered: Counters<2>,
    redeliveries: Counters<1>,
    claims_lost: Counters<1>,
    handlers_broken: Counters<1>,
    dead_letters: Counters<2>,
    held: Gauge,
    running: Gauge,
    clock_offset: Gauge,
    kinds: Vec<String>,
}

impl Telemetry {
    pub(crate) fn register(metrics: &Metrics, settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            outcomes: metrics.counters(OUTCOMES, ["action", "result"])?,
            outcomes_published: metrics.counters(OUTCOMES_PUBLISHED, ["action", "stored"])?,
            retries: metrics.counters(RETRIES, ["action"])?,
            offered: metrics.counters(OFFERED, ["action", "answer"])?,
            redeliveries: metrics.counters(REDELIVERIES, ["action"])?,
            claims_lost: metrics.counters(CLAIMS_LOST, ["action"])?,
            handlers_broken: metrics.counters(HANDLERS_BROKEN, ["action"])?,
            dead_letters: metrics.counters(DEAD_LETTERS, ["action", "class"])?,
            held: metrics.gauge(HELD)?,
            running: metrics.gauge(RUNNING)?,
            clock_offset: metrics.gauge(CLOCK_OFFSET)?,
            kinds: settings.kinds.iter().map(|kind| kind.name.clone()).collect(),
        })
    }

    pub(crate) fn concluded(&self, outcome: &proto::Outcome) {
        let ended_at = outcome.times.as_ref().and_then(|times| times.ended_at.as_ref());
        let at = |at: Option<&pbjson_types::Timestamp>| at.and_then(|at| time::from_proto(at).ok());
        let left = at(outcome.deadline.as_ref()).zip(at(ended_at));
        tracing::info!(
            action = outcome.action_id,
            kind = outcome.kind,
            instance = outcome.instance,
            result = outcome.result,
            reason = outcome.reason,
            said = outcome.message,
            seconds_left = left.map(|(deadline, ended_at)| deadline.duration_since(ended_at).as_secs_f64()),
            "An action ended."
        );
        self.outcomes
            .increment([self.kind(&outcome.kind), &outcome.result]);
    }

    pub(crate) fn published(&self, kind: &str, duplicate: bool) {
        let stored = if duplicate { "already" } else { "new" };
        self.outcomes_published.increment([self.kind(kind), stored]);
    }

    pub(crate) fn retried(&self, kind: &str) {
        self.retries.increment([self.kind(kind)]);
    }

    pub(crate) fn offered(&self, kind: &str, answer: &Answer) {
        let answer = match answer {
            Answer::Taken => "taken",
            Answer::Refused(_) => "refused",
            Answer::Silent(_) => "silent",
        };
        self.offered.increment([self.kind(kind), answer]);
    }

    pub(crate) fn adopted(&self, kind: &str) {
        self.redeliveries.increment([self.kind(kind)]);
    }

    pub(crate) fn claim_lost(&self, kind: &str) {
        self.claims_lost.increment([self.kind(kind)]);
    }

    pub(crate) fn handler_broke(&self, kind: &str) {
        self.handlers_broken.increment([self.kind(kind)]);
    }

    pub(crate) fn dead_lettered(&self, kind: &str, class: Class) {
        self.dead_letters.increment([self.kind(kind), class.as_str()]);
    }

    pub(crate) fn holds(&self, held: usize, running: usize) {
        self.held.set(count(held));
        self.running.set(count(running));
    }

    pub(crate) fn clock_is_off_by(&self, offset: jiff::SignedDuration) {
        self.clock_offset.set(offset.as_secs_f64());
    }

    /// Labels stay bounded: a kind this worker does not serve is `other`.
    fn kind<'a>(&self, kind: &'a str) -> &'a str {
        if self.kinds.iter().any(|known| known == kind) {
            kind
        } else {
            OTHER
        }
    }
}

/// Exact up to 2^32, more than any process holds.
fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
