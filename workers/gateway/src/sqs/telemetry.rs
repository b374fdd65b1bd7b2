//! Metrics and log lines of queues and look-ups. Nothing of a body is logged but the id of its message.

use std::time::Duration;

use hollowtrees_aws::{Depth, Refusal};
use hollowtrees_runtime::metrics::{Counters, Definition, Error, Gauges, Histograms, Metrics, count};

use super::{read::Idle, teller::Untold};

/// What became of messages.
pub const MESSAGES: Definition = Definition::new(
    "hollowtrees_sqs_messages_total",
    "Messages taken from a queue, by queue and what became of them: told, idle, unusable, foreign, unrouted, given-back.",
);
/// Known, of no interest.
pub const IDLE: Definition = Definition::new(
    "hollowtrees_sqs_idle_events_total",
    "Events that are known and say of no instance that it goes, by kind.",
);
/// Calls.
pub const CALLS: Definition = Definition::new(
    "hollowtrees_sqs_calls_total",
    "Calls to AWS, by call and result: ok, throttled, denied, missing, refused, unclear.",
);
/// Look-ups.
pub const LOOKUPS: Definition = Definition::new(
    "hollowtrees_sqs_lookups_total",
    "Instances looked up, by result: kept (known already), found, absent, failed.",
);
/// Messages held.
pub const HELD: Definition = Definition::new(
    "hollowtrees_sqs_held_messages",
    "Messages of a queue held by this process, taken and not deleted yet, by queue.",
);
/// Polls under way.
pub const POLLS: Definition =
    Definition::new("hollowtrees_sqs_polls", "Polls of a queue under way, by queue.");
/// How full a queue is.
pub const DEPTH: Definition = Definition::new(
    "hollowtrees_sqs_queue_messages",
    "Messages in a queue as SQS counts them, by queue and state: waiting, taken.",
);
/// From SQS to the bus.
pub const AGE: Definition = Definition::new(
    "hollowtrees_sqs_message_age_seconds",
    "From the sending of a message to the bus's acknowledgement of what it says, by queue.",
);

const AGE_BUCKETS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// What became of a message.
/// Of what became of its events the last of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It says nothing of interest.
    Idle,
    /// Its instance is of a cluster that is not spoken for.
    Foreign,
    /// Nothing says whose its instance is; it is put aside.
    Unrouted,
    /// What it says is on the bus.
    Told,
    /// Something in it cannot be used; it is put aside.
    Unusable,
    /// It cannot be told now, and comes again.
    GivenBack,
}

impl Fate {
    const ALL: [Self; 6] = [
        Self::Told,
        Self::Idle,
        Self::Unusable,
        Self::Foreign,
        Self::Unrouted,
        Self::GivenBack,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Idle => "idle",
            Self::Unusable => "unusable",
            Self::Foreign => "foreign",
            Self::Unrouted => "unrouted",
            Self::GivenBack => "given-back",
        }
    }
}

/// How an instance came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It was.
    Kept,
    /// EC2 said.
    Found,
    /// EC2 knows none.
    Absent,
    /// EC2 did not say.
    Failed,
}

/// Counts and tells. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Telemetry {
    messages: Counters<2>,
    idle: Counters<1>,
    calls: Counters<2>,
    lookups: Counters<1>,
    held: Gauges<1>,
    polls: Gauges<1>,
    depth: Gauges<2>,
    age: Histograms<1>,
}

impl Telemetry {
    /// Registers them.
    ///
    /// # Errors
    /// A name is taken.
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, Error> {
        let telemetry = Self {
            messages: metrics.counters(MESSAGES, ["queue", "result"])?,
            idle: metrics.counters(IDLE, ["kind"])?,
            calls: metrics.counters(CALLS, ["call", "result"])?,
            lookups: metrics.counters(LOOKUPS, ["result"])?,
            held: metrics.gauges(HELD, ["queue"])?,
            polls: metrics.gauges(POLLS, ["queue"])?,
            depth: metrics.gauges(DEPTH, ["queue", "state"])?,
            age: metrics.histograms(AGE, ["queue"], &AGE_BUCKETS)?,
        };
        for idle in Idle::ALL {
            telemetry.idle.add([idle.as_str()], 0);
        }
        Ok(telemetry)
    }

    /// Has the counters of a queue shown from the start, as 0.
    pub(crate) fn announce(&self, queue: &str) {
        for fate in Fate::ALL {
            self.messages.add([queue, fate.as_str()], 0);
        }
        self.held(queue, 0);
    }

    pub(crate) fn ended(&self, queue: &str, id: &str, fate: Fate, age: Option<Duration>) {
        self.messages.increment([queue, fate.as_str()]);
        if let (Fate::Told, Some(age)) = (fate, age) {
            self.age.observe([queue], age);
        }
        tracing::debug!(queue, id, fate = fate.as_str(), "A message is done with.");
    }

    /// `source`: the queue, or the topic; `kept`: whether it becomes a dead letter.
    pub(crate) fn untold(&self, source: &str, id: &str, untold: &Untold, kept: bool) {
        match untold {
            Untold::Foreign(_) => tracing::info!(
                source,
                id,
                kept,
                "An event is about an instance of a cluster that is not in sqs.clusters."
            ),
            Untold::Unrouted => tracing::warn!(
                source,
                id,
                "Nothing says whose instance an event is about: no tag, group or account; it is put aside. Tag \
                 instances with hollowtrees.io/cluster, or set sqs.groups, sqs.accounts or cluster, and redrive it."
            ),
        }
    }

    pub(crate) fn given_back(&self, queue: &str, id: &str, receives: u32, why: &str) {
        tracing::warn!(
            queue,
            id,
            receives,
            why,
            "A message cannot be told now; it comes again."
        );
    }

    pub(crate) fn idle(&self, idle: Idle) {
        self.idle.increment([idle.as_str()]);
    }

    pub(crate) fn called<T>(&self, call: &'static str, result: &Result<T, Refusal>) {
        let word = match result {
            Ok(_) => "ok",
            Err(Refusal::Throttled { .. }) => "throttled",
            Err(Refusal::Denied { .. }) => "denied",
            Err(Refusal::Missing { .. }) => "missing",
            Err(Refusal::Capacity { .. } | Refusal::Rejected { .. }) => "refused",
            Err(Refusal::Unclear { .. }) => "unclear",
        };
        self.calls.increment([call, word]);
    }

    pub(crate) fn looked_up(&self, asked: Asked) {
        let word = match asked {
            Asked::Kept => "kept",
            Asked::Found => "found",
            Asked::Absent => "absent",
            Asked::Failed => "failed",
        };
        self.lookups.increment([word]);
    }

    pub(crate) fn held(&self, queue: &str, messages: usize) {
        self.held.set([queue], count(messages));
    }

    pub(crate) fn polls(&self, queue: &str, polls: usize) {
        self.polls.set([queue], count(polls));
    }

    pub(crate) fn depth(&self, queue: &str, depth: Depth) {
        let number = |of: u64| count(usize::try_from(of).unwrap_or(usize::MAX));
        self.depth.set([queue, "waiting"], number(depth.waiting));
        self.depth.set([queue, "taken"], number(depth.taken));
    }

    pub(crate) fn not_looked_up(&self, instance: &str, refusal: &Refusal) {
        tracing::warn!(
            instance,
            error = %refusal,
            "An instance cannot be looked up; its event is told as far as it says itself whose it is."
        );
    }

    pub(crate) fn no_hook(&self, group: &str, hook: &str, why: &str) {
        tracing::warn!(
            group,
            hook,
            why,
            "It is not known how long a lifecycle hook waits; its notice has no deadline."
        );
    }

    pub(crate) fn not_taken(&self, queue: &str, refusal: &Refusal) {
        tracing::warn!(queue, error = %refusal, "A queue cannot be read; it is tried again.");
    }

    pub(crate) fn left(&self, queue: &str, call: &'static str, code: &str) {
        tracing::debug!(
            queue,
            call,
            code,
            "SQS did not do this for a message; it comes again."
        );
    }
}
