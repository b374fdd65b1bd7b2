//! The outcome of a drain.

use hollowtrees_cluster::{
    Node,
    engine::{Ended, Summary},
};
use hollowtrees_runtime::worker::{Job, Report};
use hollowtrees_schemas::names::reason;
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The pods had no time any more, because their node went first.
pub(crate) const NODE_GONE: &str = "node-gone";

/// Entries of one list: an outcome has to fit into a message. Its counts are whole.
const LONGEST_LIST: usize = 300;
/// Characters of one refusal.
const LONGEST_WORD: usize = 200;

/// How long before its deadline something ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLeft(Option<SignedDuration>);

impl TimeLeft {
    /// Of a job that ends now.
    pub(crate) fn of(job: &Job) -> Self {
        Self(job.deadline().map(|deadline| deadline.duration_since(job.now())))
    }

    /// Below zero after the deadline; `None` where there is none.
    fn seconds(self) -> Option<f64> {
        self.0.map(|left| left.as_secs_f64())
    }

    /// `, 88 s before its deadline`
    pub(crate) fn text(self) -> String {
        self.0.map_or_else(String::new, |left| {
            let side = if left.is_negative() { "after" } else { "before" };
            format!(", {} s {side} its deadline", left.as_secs().unsigned_abs())
        })
    }
}

/// One sentence for an outcome.
pub(crate) fn sentence(node: &Node, summary: &Summary) -> String {
    format!("{}. {}", head(node, summary), pods(summary))
}

/// How it ended, without a full stop.
pub(crate) fn head(node: &Node, summary: &Summary) -> String {
    let name = &node.name;
    match summary.ended {
        Ended::Empty => format!("{name} is drained"),
        Ended::Late => format!("Time ran out for {name}"),
        Ended::NodeGone => format!("{name} is gone"),
        Ended::Left | Ended::Stopping => format!("The drain of {name} was called off"),
    }
}

/// What became of how many pods.
pub(crate) fn pods(summary: &Summary) -> String {
    let counts = [
        (summary.evicted.len(), "evicted"),
        (summary.deleted.len(), "deleted (no budget)"),
        (summary.forced.len(), "deleted past their budgets"),
        (summary.others.len(), "gone by themselves"),
        (summary.skipped.len(), "left alone"),
        (summary.finalizing.len(), "held by finalizers"),
        (summary.left.len(), "still there"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let counts = if counts.is_empty() {
        "it had none".to_owned()
    } else {
        counts.join(", ")
    };
    match summary.attached.len() {
        0 => format!("Pods: {counts}."),
        volumes => format!("Pods: {counts}. {volumes} volumes are still attached."),
    }
}

/// The outcome.
pub(crate) fn of(node: &Node, summary: &Summary, time: TimeLeft) -> Report {
    let message = sentence(node, summary);
    let report = match summary.ended {
        Ended::Empty => Report::succeeded(message),
        Ended::NodeGone if summary.left.is_empty() => Report::succeeded(message),
        Ended::NodeGone => Report::failed(NODE_GONE, message),
        Ended::Late => Report::failed(reason::DEADLINE, message),
        Ended::Left | Ended::Stopping => Report::cancelled(message),
    };
    detail(report, told(node, summary, time))
}

/// The outcome of a drain that was called off.
pub(crate) fn cancelled(node: &Node, done: Option<&Summary>, time: TimeLeft) -> Report {
    match done {
        Some(summary) => detail(
            Report::cancelled(sentence(node, summary)),
            told(node, summary, time),
        ),
        None => Report::cancelled(format!("The drain of {} was called off.", node.name)),
    }
}

/// Each holds where all went well.
fn conditions(summary: &Summary, time: TimeLeft) -> Value {
    let mut conditions = json!({
        "cordoned": true,
        "empty": summary.left.is_empty(),
        "detached": summary.attached.is_empty(),
        "unforced": summary.forced.is_empty(),
        "whole_grace": summary.shortened.is_empty(),
    });
    if let (Some(left), Some(conditions)) = (time.seconds(), conditions.as_object_mut()) {
        conditions.insert("in_time".to_owned(), Value::Bool(left >= 0.0));
    }
    conditions
}

fn told(node: &Node, summary: &Summary, time: TimeLeft) -> Value {
    let counts: Map<String, Value> = summary
        .counts()
        .into_iter()
        .map(|(what, count)| (what.to_owned(), count.into()))
        .collect();
    let word = |text: &str| text.chars().take(LONGEST_WORD).collect::<String>();
    let forced = summary.forced.iter().map(|(pod, overridden)| {
        json!({
            "pod": pod,
            "budgets": overridden.budgets,
            "refusal": word(&overridden.refusal),
            "grace_seconds": overridden.grace_seconds,
        })
    });
    let skipped = summary
        .skipped
        .iter()
        .map(|(pod, skip)| json!({"pod": pod, "reason": skip.as_str()}));
    let finalizing = summary
        .finalizing
        .iter()
        .map(|(pod, by)| json!({"pod": pod, "finalizers": by}));
    let left = summary
        .left
        .iter()
        .map(|(pod, why)| json!({"pod": pod, "reason": word(why)}));
    let mut told = json!({
        "node": &*node.name,
        "conditions": conditions(summary, time),
        "counts": counts,
        "evicted": capped(&summary.evicted),
        "deleted": capped(&summary.deleted),
        "forced": capped(forced),
        "shortened": capped(&summary.shortened),
        "others": capped(&summary.others),
        "skipped": capped(skipped),
        "finalizing": capped(finalizing),
        "left": capped(left),
        "attached": capped(&summary.attached),
        "requests": summary.requests,
    });
    if let (Some(left), Some(told)) = (time.seconds(), told.as_object_mut()) {
        told.insert("time_left_seconds".to_owned(), left.into());
    }
    told
}

/// So many that they fit.
pub(crate) fn capped<T: Serialize>(items: impl IntoIterator<Item = T>) -> Vec<Value> {
    let named = items.into_iter().take(LONGEST_LIST);
    named.map(|item| json!(item)).collect()
}

pub(crate) fn detail(report: Report, told: Value) -> Report {
    match serde_json::from_value(told) {
        Ok(told) => report.with_detail(told),
        Err(error) => {
            tracing::warn!(%error, "An outcome is told without its detail.");
            report
        }
    }
}
