//! What is told of a drain.

use hollowtrees_cluster::{
    Node,
    engine::{Ended, Summary},
};
use hollowtrees_runtime::worker::Report;
use hollowtrees_schemas::{names::reason, proto};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// The pods had no time any more, because their node went first.
pub(crate) const NODE_GONE: &str = "node-gone";

/// Entries of one list: an outcome has to fit into a message.
const LONGEST_LIST: usize = 300;
/// Pods that an event names.
const NAMED: usize = 5;
/// Characters of one refusal.
const LONGEST_WORD: usize = 200;

/// The first event on the node. `hurried`: pods with more grace than there is time, and their grace in seconds.
pub(crate) fn beginning(
    action: &proto::Action,
    deadline: Option<Timestamp>,
    hurried: &[(String, u32)],
) -> String {
    let deadline = deadline.map_or_else(|| "none known".to_owned(), |at| at.strftime("%FT%TZ").to_string());
    let mut told = format!(
        "Cordoned and being drained: {} goes ({}), deadline {deadline}.",
        action.instance, action.certainty
    );
    if !hurried.is_empty() {
        let (count, more) = (hurried.len(), hurried.len().saturating_sub(NAMED));
        let named: Vec<String> = hurried
            .iter()
            .take(NAMED)
            .map(|(pod, grace)| format!("{pod} ({grace} s)"))
            .collect();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let named = named.join(", ");
        told.push_str(&format!(
            " {count} pods have more grace than there is time: {named}{more}."
        ));
    }
    told
}

/// One sentence for an outcome and the last event.
pub(crate) fn sentence(node: &Node, summary: &Summary) -> String {
    let name = &node.name;
    let counts = [
        (summary.evicted.len(), "evicted"),
        (summary.deleted.len(), "deleted (no budget)"),
        (summary.forced.len(), "deleted past their budgets"),
        (summary.others.len(), "gone by themselves"),
        (summary.skipped.len(), "left alone"),
        (summary.finalizing.len(), "held by finalizers"),
        (summary.left.len(), "still there"),
        (summary.attached.len(), "volumes still attached"),
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
    match summary.ended {
        Ended::Empty => format!("{name} is drained. Pods: {counts}."),
        Ended::Late => format!("Time ran out for {name}. Pods: {counts}."),
        Ended::NodeGone => format!("{name} is gone. Pods: {counts}."),
        Ended::Left | Ended::Stopping => format!("The drain of {name} was called off. Pods: {counts}."),
    }
}

/// The outcome.
pub(crate) fn of(node: &Node, summary: &Summary) -> Report {
    let message = sentence(node, summary);
    let report = match summary.ended {
        Ended::Empty => Report::succeeded(message),
        Ended::NodeGone if summary.left.is_empty() => Report::succeeded(message),
        Ended::NodeGone => Report::failed(NODE_GONE, message),
        Ended::Late => Report::failed(reason::DEADLINE, message),
        Ended::Left | Ended::Stopping => Report::cancelled(message),
    };
    detail(report, lists(node, summary))
}

/// The outcome of a drain that was called off.
pub(crate) fn cancelled(node: &Node, done: Option<&Summary>) -> Report {
    match done {
        Some(summary) => detail(Report::cancelled(sentence(node, summary)), lists(node, summary)),
        None => Report::cancelled(format!("The drain of {} was called off.", node.name)),
    }
}

fn lists(node: &Node, summary: &Summary) -> Value {
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
    json!({
        "node": &*node.name,
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
    })
}

/// So many that they fit, and how many more there are.
pub(crate) fn capped<T: Serialize>(items: impl IntoIterator<Item = T>) -> Value {
    let mut all: Vec<Value> = items.into_iter().map(|item| json!(item)).collect();
    let more = all.len().saturating_sub(LONGEST_LIST);
    if more > 0 {
        all.truncate(LONGEST_LIST);
        all.push(json!(format!("and {more} more")));
    }
    Value::Array(all)
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
