//! What the router counts and logs. Each method is one noteworthy event.

use hollowtrees_bus::{Delivery, dead::Reason};
use hollowtrees_domain::{
    incident::{Change, Incident},
    notice::Notice,
    settle::Why,
};
use hollowtrees_runtime::metrics::{Counters, Definition, Error, Histograms, Metrics, bounded::FirstSeen};
use hollowtrees_schemas::proto;
use jiff::{SignedDuration, Timestamp};
use prometheus::{Gauge, IntCounter};

use crate::{index::Item, intake::Feed, rulebook::Reloaded, trouble::Trouble};

/// Notices merged.
pub const NOTICES: Definition = Definition::new(
    "hollowtrees_router_notices_total",
    "Notices merged, by kind and by what they did to their incident.",
);
/// Notices no rule matches.
pub const UNMATCHED: Definition = Definition::new(
    "hollowtrees_router_notices_unmatched_total",
    "Notices that were news and that no rule matched, by kind; they are recorded all the same.",
);
/// Runs started.
pub const RUNS_STARTED: Definition =
    Definition::new("hollowtrees_router_runs_started_total", "Runs started, by rule.");
/// Runs finished.
pub const RUNS_FINISHED: Definition = Definition::new(
    "hollowtrees_router_runs_finished_total",
    "Runs finished, by result.",
);
/// Actions published.
pub const ACTIONS: Definition = Definition::new(
    "hollowtrees_router_actions_published_total",
    "Actions published, by kind and by whether the stream had them already.",
);
/// Actions ended by the router.
pub const SETTLED: Definition = Definition::new(
    "hollowtrees_router_actions_settled_total",
    "Actions the router ended because nobody else did, by kind and reason.",
);
/// Deliveries done.
pub const LATENCY: Definition = Definition::new(
    "hollowtrees_router_handling_seconds",
    "From a message's place on its stream to its acknowledgement, by feed.",
);
/// Deliveries handed back.
pub const HANDED_BACK: Definition = Definition::new(
    "hollowtrees_router_handed_back_total",
    "Deliveries and timers that could not be worked on and will come again, by feed and reason.",
);
/// Dead letters.
pub const DEAD_LETTERS: Definition = Definition::new(
    "hollowtrees_router_dead_letters_total",
    "Messages kept as dead letters, by feed and class of error.",
);
/// Outcomes of nobody.
pub const UNCLAIMED: Definition = Definition::new(
    "hollowtrees_router_outcomes_unclaimed_total",
    "Outcomes of actions that no run asked for.",
);
/// Conflicts.
pub const CONFLICTS: Definition = Definition::new(
    "hollowtrees_router_conflicts_total",
    "Writes that met a record somebody else had written meanwhile.",
);
/// Reloads.
pub const RELOADS: Definition = Definition::new(
    "hollowtrees_router_rules_reloads_total",
    "Times the rules were read anew, by result: ok or bad.",
);
/// Rules.
pub const RULES: Definition = Definition::new("hollowtrees_router_rules", "Rules in force.");
/// Whether the file is bad.
pub const RULES_BAD: Definition = Definition::new(
    "hollowtrees_router_rules_bad",
    "1 while the file of rules cannot be used and older ones are in force.",
);
/// Records.
pub const INCIDENTS: Definition = Definition::new(
    "hollowtrees_router_incidents",
    "Incidents in the store, closed ones included.",
);
/// Records.
pub const RUNS: Definition = Definition::new(
    "hollowtrees_router_runs",
    "Runs in the store, finished ones included.",
);
/// Timers.
pub const TIMERS: Definition = Definition::new("hollowtrees_router_timers", "Records with a time to act at.");
/// Our clock against the server's.
pub const CLOCK_OFFSET: Definition = Definition::new(
    "hollowtrees_router_clock_offset_seconds",
    "This process's clock minus the bus server's; corrected above 2 s.",
);

/// Different kinds and rules told apart in labels.
const LABELS: usize = 64;
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0, 10.0, 60.0];

/// The router's metrics.
pub(crate) struct Telemetry {
    errors: Metrics,
    notices: Counters<2>,
    unmatched: Counters<1>,
    runs_started: Counters<1>,
    runs_finished: Counters<1>,
    actions: Counters<2>,
    settled: Counters<2>,
    latency: Histograms<1>,
    handed_back: Counters<2>,
    dead_letters: Counters<2>,
    unclaimed: IntCounter,
    conflicts: IntCounter,
    reloads: Counters<1>,
    rules: Gauge,
    rules_bad: Gauge,
    incidents: Gauge,
    runs: Gauge,
    timers: Gauge,
    clock_offset: Gauge,
    notice_kinds: FirstSeen,
    action_kinds: FirstSeen,
    rule_names: FirstSeen,
}

impl Telemetry {
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, Error> {
        Ok(Self {
            errors: metrics.clone(),
            notices: metrics.counters(NOTICES, ["kind", "change"])?,
            unmatched: metrics.counters(UNMATCHED, ["kind"])?,
            runs_started: metrics.counters(RUNS_STARTED, ["rule"])?,
            runs_finished: metrics.counters(RUNS_FINISHED, ["result"])?,
            actions: metrics.counters(ACTIONS, ["action", "stored"])?,
            settled: metrics.counters(SETTLED, ["action", "reason"])?,
            latency: metrics.histograms(LATENCY, ["feed"], &BUCKETS)?,
            handed_back: metrics.counters(HANDED_BACK, ["feed", "reason"])?,
            dead_letters: metrics.counters(DEAD_LETTERS, ["feed", "class"])?,
            unclaimed: metrics.counter(UNCLAIMED)?,
            conflicts: metrics.counter(CONFLICTS)?,
            reloads: metrics.counters(RELOADS, ["result"])?,
            rules: metrics.gauge(RULES)?,
            rules_bad: metrics.gauge(RULES_BAD)?,
            incidents: metrics.gauge(INCIDENTS)?,
            runs: metrics.gauge(RUNS)?,
            timers: metrics.gauge(TIMERS)?,
            clock_offset: metrics.gauge(CLOCK_OFFSET)?,
            notice_kinds: FirstSeen::new(LABELS),
            action_kinds: FirstSeen::new(LABELS),
            rule_names: FirstSeen::new(LABELS),
        })
    }

    pub(crate) fn merged(&self, notice: &Notice, change: Change, redelivered: bool) {
        let word = match change {
            Change::Opened => "opened",
            Change::Reopened => "reopened",
            Change::Changed { .. } => "changed",
            Change::Cancelled => "cancelled",
            Change::Recorded => "recorded",
            Change::Unchanged if redelivered => "redelivered",
            Change::Unchanged => "unchanged",
        };
        let kind = &notice.message.kind;
        self.notices.increment([self.notice_kinds.label(kind), word]);
        tracing::info!(
            incident = %notice.key,
            kind,
            change = word,
            certainty = %notice.certainty,
            deadline = notice.deadline.map(tracing::field::display),
            source = notice.source,
            "A notice was merged."
        );
    }

    pub(crate) fn unmatched(&self, notice: &Notice) {
        let kind = &notice.message.kind;
        self.unmatched.increment([self.notice_kinds.label(kind)]);
        tracing::info!(incident = %notice.key, kind, notice = %notice.id, "No rule matches; the notice is recorded only.");
    }

    pub(crate) fn run_started(&self, rule: &str) {
        self.runs_started.increment([self.rule_names.label(rule)]);
    }

    pub(crate) fn run_finished(&self, result: &str) {
        self.runs_finished.increment([result]);
    }

    pub(crate) fn published(&self, kind: &str, duplicate: bool) {
        let stored = if duplicate { "already" } else { "new" };
        self.actions.increment([self.action_kinds.label(kind), stored]);
    }

    pub(crate) fn settled(&self, kind: &str, why: Why) {
        let reason = match why {
            Why::Expired => "expired",
            Why::Overdue => "overdue",
            Why::Stalled => "stalled",
            Why::Withdrawn => "withdrawn",
        };
        self.settled.increment([self.action_kinds.label(kind), reason]);
        tracing::info!(kind, reason, "An action was ended that nobody else ended.");
    }

    pub(crate) fn handled(&self, feed: Feed, stored_at: Timestamp) {
        let took = std::time::Duration::try_from(Timestamp::now().duration_since(stored_at));
        self.latency.observe([feed.as_str()], took.unwrap_or_default());
    }

    pub(crate) fn handed_back(&self, feed: Feed, delivery: &Delivery, trouble: &Trouble) {
        self.handed_back.increment([feed.as_str(), trouble.word()]);
        let (subject, sequence) = (&delivery.subject, delivery.sequence);
        if trouble.needs_a_person() {
            self.errors.error(trouble.word(), feed.as_str());
            tracing::error!(subject, sequence, error = %trouble, "A message cannot be worked on; it comes again.");
        } else {
            tracing::warn!(subject, sequence, error = %trouble, "A message is handed back; it comes again.");
        }
    }

    pub(crate) fn not_acted(&self, item: &Item, trouble: &Trouble) {
        self.handed_back.increment(["timer", trouble.word()]);
        let (Item::Run(key) | Item::Incident(key)) = item;
        if trouble.needs_a_person() {
            self.errors.error(trouble.word(), "timer");
            tracing::error!(key, error = %trouble, "A record is due and cannot be worked on.");
        } else {
            tracing::warn!(key, error = %trouble, "A record is due; it is tried again.");
        }
    }

    pub(crate) fn unreadable(&self, trouble: &Trouble) {
        self.errors.error(trouble.word(), "watch");
        tracing::error!(error = %trouble, "A record cannot be used; it is left as it is.");
    }

    pub(crate) fn buried(&self, feed: Feed, delivery: &Delivery, reason: &Reason<'_>) {
        self.dead_letters
            .increment([feed.as_str(), reason.class.as_str()]);
        tracing::error!(
            subject = delivery.subject,
            sequence = delivery.sequence,
            class = %reason.class,
            reason = reason.text,
            "A message became a dead letter; see `hollowtrees dead list`."
        );
    }

    pub(crate) fn unclaimed(&self, outcome: &proto::Outcome) {
        self.unclaimed.inc();
        tracing::warn!(
            action = outcome.action_id,
            kind = outcome.kind,
            "No run asked for the action of an outcome."
        );
    }

    pub(crate) fn run_without_rule(&self, key: &str) {
        self.errors.error("run_without_rule", "notice");
        tracing::error!(
            run = key,
            "A run is missing and its rule is no longer in the file; it is left out."
        );
    }

    pub(crate) fn runs_missing(&self, incident: &str, count: usize) {
        tracing::warn!(incident, count, "An incident lists runs that are not there.");
    }

    pub(crate) fn closed(&self, incident: &Incident) {
        tracing::info!(incident = %incident.key, generation = incident.generation, "An incident closed.");
    }

    pub(crate) fn purged(&self, incident: &Incident) {
        tracing::info!(incident = %incident.key, "An incident that closed long ago was deleted.");
    }

    pub(crate) fn conflicted(&self) {
        self.conflicts.inc();
    }

    pub(crate) fn rules_in_force(&self, count: usize) {
        self.rules.set(number(count));
        tracing::info!(count, "Rules are in force.");
    }

    pub(crate) fn reloaded(&self, result: &Reloaded) {
        match result {
            Reloaded::Same => {}
            Reloaded::New(count) => {
                self.reloads.increment(["ok"]);
                self.rules_bad.set(0.0);
                self.rules_in_force(*count);
            }
            Reloaded::Bad(error) => {
                self.reloads.increment(["bad"]);
                self.rules_bad.set(1.0);
                self.errors.error("bad_rules", "reload");
                tracing::error!(%error, "The rules cannot be used; the last good ones stay in force.");
            }
        }
    }

    pub(crate) fn records(&self, (incidents, runs, timers): (usize, usize, usize)) {
        self.incidents.set(number(incidents));
        self.runs.set(number(runs));
        self.timers.set(number(timers));
    }

    pub(crate) fn clock_is_off_by(&self, offset: SignedDuration) {
        self.clock_offset.set(offset.as_secs_f64());
    }
}

/// Exact up to 2^32, more than any process holds.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
