//! Every metric of this worker. What a message adds is in [`crate::tally`].
//!
//! Histograms hold mode `live` alone, and no redriven action: a test or a redrive of days ago says nothing about
//! latency. The times are in `crate::lead`.

use hollowtrees_runtime::metrics::{
    Counters, Definition, Error, Gauge, Gauges, Histograms, Metrics, bounded::OTHER,
};
use hollowtrees_schemas::names::{Stream, kind, result};

use crate::labels::Labels;

/// Notices.
pub const NOTICES: Definition = Definition::new(
    "hollowtrees_notices_total",
    "Notices on the bus, by cluster, provider, kind, state and mode.",
);
/// Actions.
pub const ACTIONS: Definition = Definition::new(
    "hollowtrees_actions_total",
    "Actions on the bus, by cluster, provider, kind, certainty and mode.",
);
/// Outcomes.
pub const OUTCOMES: Definition = Definition::new(
    "hollowtrees_outcomes_total",
    "Final outcomes, late ones apart, by cluster, provider, kind of action, result and mode.",
);
/// Reasons.
pub const REASONS: Definition = Definition::new(
    "hollowtrees_outcome_reasons_total",
    "Final outcomes in mode live, late ones apart, by kind of action, result and reason.",
);
/// Late outcomes.
pub const LATE: Definition = Definition::new(
    "hollowtrees_outcomes_late_total",
    "Final outcomes that came after another one had won, by kind of action and result.",
);
/// Progress.
pub const PROGRESS: Definition = Definition::new(
    "hollowtrees_progress_total",
    "Facts on the way to an outcome, by kind of action and reason.",
);
/// Failures.
pub const UNSUCCESSFUL: Definition = Definition::new(
    "hollowtrees_unsuccessful_total",
    "Outcomes failed and expired in mode live, by kind of action and result.",
);
/// Deadlines.
pub const MISSED: Definition = Definition::new(
    "hollowtrees_deadlines_missed_total",
    "Actions in mode live for which time ran out, by kind.",
);
/// Incidents.
pub const INCIDENTS: Definition = Definition::new(
    "hollowtrees_incident_events_total",
    "Incidents opened, changed, cancelled and closed, by cluster, event and mode.",
);
/// Runs.
pub const RUNS: Definition = Definition::new(
    "hollowtrees_run_events_total",
    "Runs started and finished, by rule, event, result and mode.",
);
/// Dead letters.
pub const DEAD: Definition = Definition::new(
    "hollowtrees_dead_letters_total",
    "Messages that became dead letters, by stream, consumer and class of error.",
);
/// The origin's delay.
pub const NOTICE_DELAY: Definition = Definition::new(
    "hollowtrees_notice_delay_seconds",
    "From an origin's first sight of a notice to its place on the bus, by provider and kind.",
);
/// The warning given.
pub const NOTICE_LEAD: Definition = Definition::new(
    "hollowtrees_notice_lead_seconds",
    "What a notice leaves to its deadline when it is on the bus, below zero where it is late, by provider and kind.",
);
/// To a worker's hands.
pub const TO_ACCEPTED: Definition = Definition::new(
    "hollowtrees_notice_to_accepted_seconds",
    "From the first notice to a worker's hands, by provider and kind of action.",
);
/// To the cordon.
pub const TO_CORDONED: Definition = Definition::new(
    "hollowtrees_notice_to_cordoned_seconds",
    "From the first notice to a node that takes no new pods, by provider and kind of action.",
);
/// To the end of the drain.
pub const TO_DRAINED: Definition = Definition::new(
    "hollowtrees_notice_to_drained_seconds",
    "From the first notice to the end of a drain, by provider and result.",
);
/// To the outcome.
pub const TO_OUTCOME: Definition = Definition::new(
    "hollowtrees_notice_to_outcome_seconds",
    "From the first notice to the end of an action, by provider, kind of action and result.",
);
/// On the bus alone.
pub const TURNAROUND: Definition = Definition::new(
    "hollowtrees_action_to_outcome_seconds",
    "From an action's place on the bus to its outcome's, both by the server's clock, by kind of action and result.",
);
/// Time left.
pub const LEFT: Definition = Definition::new(
    "hollowtrees_time_left_seconds",
    "What was left to the deadline when an action ended, below zero where it ended late, by provider, kind and result.",
);
/// Runs' length.
pub const RUN_LENGTH: Definition = Definition::new(
    "hollowtrees_run_seconds",
    "From a run's start to its end, by result.",
);
/// Counted messages.
pub const COUNTED: Definition = Definition::new(
    "hollowtrees_metrics_counted_total",
    "Messages counted by this process, by stream.",
);
/// Repeated deliveries.
pub const REPEATED: Definition = Definition::new(
    "hollowtrees_metrics_repeated_total",
    "Deliveries of messages that were counted before, by stream; they were acknowledged only.",
);
/// Forgone messages.
pub const FORGONE: Definition = Definition::new(
    "hollowtrees_metrics_forgone_total",
    "Messages left uncounted because too many gaps had to be kept apart, by stream.",
);
/// Unreadable messages.
pub const UNREADABLE: Definition = Definition::new(
    "hollowtrees_metrics_unreadable_total",
    "Messages that are no event of the kind their stream is for, by stream; whoever owns the stream keeps them.",
);
/// Messages held.
pub const STREAM_MESSAGES: Definition =
    Definition::new("hollowtrees_stream_messages", "Messages a stream holds.");
/// Bytes held.
pub const STREAM_BYTES: Definition = Definition::new("hollowtrees_stream_bytes", "Bytes a stream holds.");
/// Room.
pub const STREAM_LIMIT: Definition = Definition::new(
    "hollowtrees_stream_limit_bytes",
    "Bytes a stream may hold before its oldest messages go.",
);
/// Dead letters held.
pub const DEAD_HELD: Definition = Definition::new(
    "hollowtrees_dead_letters_held",
    "Dead letters that wait for somebody to redrive or discard them.",
);
/// Not delivered.
pub const PENDING: Definition = Definition::new(
    "hollowtrees_consumer_pending_messages",
    "Messages a consumer has not been given yet, by stream and consumer.",
);
/// Not acknowledged.
pub const ACK_PENDING: Definition = Definition::new(
    "hollowtrees_consumer_ack_pending_messages",
    "Messages given to a consumer and not acknowledged, by stream and consumer.",
);
/// Given more than once.
pub const REDELIVERED: Definition = Definition::new(
    "hollowtrees_consumer_redelivered_messages",
    "Messages not acknowledged that were given to a consumer more than once, by stream and consumer.",
);
/// Somebody serves it.
pub const WAITING: Definition = Definition::new(
    "hollowtrees_consumer_waiting_requests",
    "Requests for messages that wait, by stream and consumer; 0: nobody serves it, or who does has no room.",
);
/// Age of the oldest.
pub const OLDEST: Definition = Definition::new(
    "hollowtrees_consumer_oldest_unhandled_seconds",
    "Age of the oldest message a consumer has not acknowledged, 0 where there is none, by stream and consumer.",
);
/// Age of the oldest notice.
pub const OLDEST_NOTICE: Definition = Definition::new(
    "hollowtrees_oldest_unhandled_notice_seconds",
    "Age of the oldest notice the router has not acknowledged, 0 where there is none.",
);
/// Gone and not given.
pub const GONE: Definition = Definition::new(
    "hollowtrees_consumer_gone_messages",
    "Messages that left a stream before the consumer, which has not caught up with their place, was given them.",
);
/// The floor behind the stream.
pub const BEHIND: Definition = Definition::new(
    "hollowtrees_consumer_behind_stream_messages",
    "By how many messages a stream's oldest one is past what a consumer of all of it has acknowledged.",
);
/// Lost.
pub const LOST: Definition = Definition::new(
    "hollowtrees_consumer_lost_messages_total",
    "At least so many messages left a stream before a consumer was given them; the same in every replica.",
);
/// When it was looked.
pub const POLLED: Definition = Definition::new(
    "hollowtrees_metrics_polled_timestamp_seconds",
    "When streams and consumers were last looked at, since the Unix epoch.",
);
/// Our clock against the server's.
pub const CLOCK_OFFSET: Definition = Definition::new(
    "hollowtrees_metrics_clock_offset_seconds",
    "This process's clock minus the bus server's; ages are corrected by it.",
);

const LATENCY: [f64; 20] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 90.0, 120.0, 300.0,
    600.0, 1_800.0, 3_600.0,
];
/// Around zero in steps of a cloud's notice: 30 s (GCP, Azure), 120 s (EC2).
const MARGIN: [f64; 19] = [
    -3_600.0, -600.0, -120.0, -60.0, -30.0, -10.0, -5.0, 0.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0,
    300.0, 1_800.0, 3_600.0,
];
/// Kinds of action that exist from the start, so that their first failure is seen to rise from zero.
const ACTION_KINDS: [&str; 8] = [
    kind::CORDON,
    kind::DRAIN,
    kind::UNCORDON,
    kind::REMOVE_NODE,
    kind::ASG_SWAP,
    kind::DEREGISTER,
    kind::HOOK,
    kind::NOTIFY,
];

/// The counters and histograms that messages fill.
pub struct Telemetry {
    pub(crate) notices: Counters<5>,
    pub(crate) actions: Counters<5>,
    pub(crate) outcomes: Counters<5>,
    pub(crate) reasons: Counters<3>,
    pub(crate) late: Counters<2>,
    pub(crate) progress: Counters<2>,
    pub(crate) unsuccessful: Counters<2>,
    pub(crate) missed: Counters<1>,
    pub(crate) incidents: Counters<3>,
    pub(crate) runs: Counters<4>,
    pub(crate) dead: Counters<3>,
    pub(crate) notice_delay: Histograms<2>,
    pub(crate) notice_lead: Histograms<2>,
    pub(crate) to_accepted: Histograms<2>,
    pub(crate) to_cordoned: Histograms<2>,
    pub(crate) to_drained: Histograms<2>,
    pub(crate) to_outcome: Histograms<3>,
    pub(crate) turnaround: Histograms<2>,
    pub(crate) left: Histograms<3>,
    pub(crate) run_length: Histograms<1>,
    pub(crate) labels: Labels,
    counted: Counters<1>,
    repeated: Counters<1>,
    forgone: Counters<1>,
    unreadable: Counters<1>,
}

impl Telemetry {
    /// Registers them. `clusters`, `kinds`: values told apart in a label.
    ///
    /// # Errors
    /// A name is taken.
    pub fn register(metrics: &Metrics, clusters: usize, kinds: usize) -> Result<Self, Error> {
        let telemetry = Self {
            notices: metrics.counters(NOTICES, ["cluster", "provider", "kind", "state", "mode"])?,
            actions: metrics.counters(ACTIONS, ["cluster", "provider", "action", "certainty", "mode"])?,
            outcomes: metrics.counters(OUTCOMES, ["cluster", "provider", "action", "result", "mode"])?,
            reasons: metrics.counters(REASONS, ["action", "result", "reason"])?,
            late: metrics.counters(LATE, ["action", "result"])?,
            progress: metrics.counters(PROGRESS, ["action", "reason"])?,
            unsuccessful: metrics.counters(UNSUCCESSFUL, ["action", "result"])?,
            missed: metrics.counters(MISSED, ["action"])?,
            incidents: metrics.counters(INCIDENTS, ["cluster", "event", "mode"])?,
            runs: metrics.counters(RUNS, ["rule", "event", "result", "mode"])?,
            dead: metrics.counters(DEAD, ["stream", "consumer", "class"])?,
            notice_delay: metrics.histograms(NOTICE_DELAY, ["provider", "kind"], &LATENCY)?,
            notice_lead: metrics.histograms(NOTICE_LEAD, ["provider", "kind"], &MARGIN)?,
            to_accepted: metrics.histograms(TO_ACCEPTED, ["provider", "action"], &LATENCY)?,
            to_cordoned: metrics.histograms(TO_CORDONED, ["provider", "action"], &LATENCY)?,
            to_drained: metrics.histograms(TO_DRAINED, ["provider", "result"], &LATENCY)?,
            to_outcome: metrics.histograms(TO_OUTCOME, ["provider", "action", "result"], &LATENCY)?,
            turnaround: metrics.histograms(TURNAROUND, ["action", "result"], &LATENCY)?,
            left: metrics.histograms(LEFT, ["provider", "action", "result"], &MARGIN)?,
            run_length: metrics.histograms(RUN_LENGTH, ["result"], &LATENCY)?,
            labels: Labels::new(clusters, kinds),
            counted: metrics.counters(COUNTED, ["stream"])?,
            repeated: metrics.counters(REPEATED, ["stream"])?,
            forgone: metrics.counters(FORGONE, ["stream"])?,
            unreadable: metrics.counters(UNREADABLE, ["stream"])?,
        };
        for stream in Stream::ALL {
            let each = [
                &telemetry.counted,
                &telemetry.repeated,
                &telemetry.forgone,
                &telemetry.unreadable,
            ];
            each.into_iter()
                .for_each(|counters| counters.add([stream.name()], 0));
        }
        for known in kind::ALL {
            telemetry.labels.notice(known);
            telemetry.labels.action(known);
        }
        for action in ACTION_KINDS.into_iter().chain([OTHER]) {
            telemetry.missed.add([action], 0);
            for result in [result::FAILED, result::EXPIRED] {
                telemetry.unsuccessful.add([action, result], 0);
            }
        }
        Ok(telemetry)
    }

    pub(crate) fn counted(&self, stream: Stream) {
        self.counted.increment([stream.name()]);
    }

    pub(crate) fn repeated(&self, stream: Stream) {
        self.repeated.increment([stream.name()]);
    }

    pub(crate) fn forgone(&self, stream: Stream, count: u64) {
        if count > 0 {
            self.forgone.add([stream.name()], count);
            tracing::warn!(%stream, count, "Messages are left uncounted: too many gaps lie between those that are.");
        }
    }

    pub(crate) fn unreadable(&self, stream: Stream, error: &dyn std::error::Error) {
        self.unreadable.increment([stream.name()]);
        tracing::debug!(%stream, %error, "A message is no event of its stream's kind.");
    }
}

/// What is shown of streams and consumers.
pub(crate) struct Shown {
    pub(crate) stream_messages: Gauges<1>,
    pub(crate) stream_bytes: Gauges<1>,
    pub(crate) stream_limit: Gauges<1>,
    pub(crate) dead_held: Gauges<0>,
    pub(crate) oldest_notice: Gauges<0>,
    pub(crate) pending: Gauges<2>,
    pub(crate) ack_pending: Gauges<2>,
    pub(crate) redelivered: Gauges<2>,
    pub(crate) waiting: Gauges<2>,
    pub(crate) oldest: Gauges<2>,
    pub(crate) gone: Gauges<2>,
    pub(crate) behind: Gauges<2>,
    pub(crate) lost: Counters<2>,
    pub(crate) polled: Gauge,
    pub(crate) clock_offset: Gauge,
    pub(crate) errors: Metrics,
}

impl Shown {
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, Error> {
        let of_consumer = ["stream", "consumer"];
        Ok(Self {
            stream_messages: metrics.gauges(STREAM_MESSAGES, ["stream"])?,
            stream_bytes: metrics.gauges(STREAM_BYTES, ["stream"])?,
            stream_limit: metrics.gauges(STREAM_LIMIT, ["stream"])?,
            dead_held: metrics.gauges(DEAD_HELD, [])?,
            oldest_notice: metrics.gauges(OLDEST_NOTICE, [])?,
            pending: metrics.gauges(PENDING, of_consumer)?,
            ack_pending: metrics.gauges(ACK_PENDING, of_consumer)?,
            redelivered: metrics.gauges(REDELIVERED, of_consumer)?,
            waiting: metrics.gauges(WAITING, of_consumer)?,
            oldest: metrics.gauges(OLDEST, of_consumer)?,
            gone: metrics.gauges(GONE, of_consumer)?,
            behind: metrics.gauges(BEHIND, of_consumer)?,
            lost: metrics.counters(LOST, of_consumer)?,
            polled: metrics.gauge(POLLED)?,
            clock_offset: metrics.gauge(CLOCK_OFFSET)?,
            errors: metrics.clone(),
        })
    }
}
