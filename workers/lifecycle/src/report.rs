//! What is told of a hook.

use hollowtrees_aws::Answer;
use hollowtrees_domain::hook::{Awaited, Work};
use hollowtrees_runtime::worker::Report;
use serde_json::{Value, json};

use crate::{
    checkpoint::Checkpoint,
    params::{Params, Policy},
};

/// How the hold of a hook ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ended {
    /// It was answered so. `confirmed`: AWS said so itself; else it was found over after an answer nobody confirmed.
    Answered { answer: Answer, confirmed: bool },
    /// Its rule says so.
    Left,
}

impl Ended {
    /// The answer, and whether AWS confirmed it.
    fn told(self) -> (&'static str, bool) {
        match self {
            Self::Answered { answer, confirmed } => (answer.as_str(), confirmed),
            Self::Left => ("", true),
        }
    }
}

/// The hook was answered, or left as its rule says. A work that went amiss is told as failed, whatever the answer: the
/// instance ends with pods on it.
/// `without_node`: it is its parameter for instances without a node that decided.
pub(crate) fn ended(
    instance: &str,
    of: &Checkpoint,
    (work, without_node): (Work, bool),
    ended: Ended,
    waited: &[Awaited],
) -> Report {
    let Checkpoint { group, hook, .. } = of;
    let after = described(waited);
    let why = match work {
        Work::Done => format!("after {after}"),
        Work::Amiss => format!("although not all went well: {after}"),
        Work::UnderWay => format!("for its time was over with work under way: {after}"),
    };
    let what = match ended {
        Ended::Answered {
            answer,
            confirmed: true,
        } => {
            format!(
                "Hook {hook} of {group} was answered {} for {instance}",
                answer.as_str()
            )
        }
        Ended::Answered {
            answer,
            confirmed: false,
        } => format!(
            "Hook {hook} of {group} was answered {} for {instance}, and is over, as far as AWS says",
            answer.as_str()
        ),
        Ended::Left => format!("Hook {hook} of {group} was left to time out for {instance}"),
    };
    let by = if without_node { " as `no_node` says," } else { "" };
    let message = format!("{what},{by} {why}.");
    let report = match work {
        Work::Done => Report::succeeded(message),
        Work::Amiss => Report::failed("work-failed", message),
        Work::UnderWay => Report::failed("work-unfinished", message),
    };
    let (answer, confirmed) = ended.told();
    detail(report, &told(of, waited, answer, confirmed))
}

/// It was over before it was answered.
pub(crate) fn over(instance: &str, of: &Checkpoint, waited: &[Awaited]) -> Report {
    let Checkpoint { group, hook, .. } = of;
    let message = format!(
        "{instance} waits no longer in hook {hook} of {group}: it timed out, or somebody else answered it; {}.",
        described(waited)
    );
    detail(Report::skipped("hook-over", message), &told(of, waited, "", true))
}

/// AWS did not take the answer.
pub(crate) fn unanswered(of: &Checkpoint, answer: Answer, waited: &[Awaited], why: &str) -> Report {
    let Checkpoint { group, hook, .. } = of;
    let message = format!(
        "Hook {hook} of {group} could not be answered {}, and runs to its time-out: {why}",
        answer.as_str()
    );
    detail(
        Report::failed("unanswered", message),
        &told(of, waited, answer.as_str(), false),
    )
}

/// Nobody here can tell when the instance is ready: failed, whatever the answer, for what the rule waits for cannot come.
pub(crate) fn sees_no_nodes(cluster: &str, of: &Checkpoint, ended: Ended, waited: &[Awaited]) -> Report {
    let Checkpoint { group, hook, .. } = of;
    let what = match ended {
        Ended::Answered { answer, .. } => format!("It was answered {}, as `no_node` says", answer.as_str()),
        Ended::Left => "It was left to time out".to_owned(),
    };
    let message = format!(
        "Hook {hook} of {group} is one of launches, answered once the node is Ready, and this worker sees no nodes of \
         {cluster}; set cluster.name (HT_CLUSTER__NAME) to it. {what}."
    );
    let (answer, confirmed) = ended.told();
    detail(
        Report::failed("no-nodes", message),
        &told(of, waited, answer, confirmed),
    )
}

/// What would be done.
pub(crate) fn rehearsed(instance: &str, of: &Checkpoint, params: &Params) -> Report {
    let would = match params.result {
        Policy::Answer(answer) => format!("answered {}", answer.as_str()),
        Policy::Leave => "left to time out".to_owned(),
    };
    let Checkpoint { group, hook, .. } = of;
    let until = if of.launching {
        "until its node is Ready"
    } else {
        "while other actions are under way"
    };
    let message = format!(
        "Dry run: hook {hook} of {group} would be held open for {instance} {until}, and then {would}."
    );
    detail(Report::succeeded(message), &told(of, &[], "", true))
}

fn told(of: &Checkpoint, waited: &[Awaited], answer: &str, confirmed: bool) -> Value {
    let waited: Vec<_> = waited
        .iter()
        .map(|action| json!({"kind": action.kind, "result": action.result, "reason": action.reason}))
        .collect();
    json!({
        "group": of.group,
        "hook": of.hook,
        "token": of.token,
        "heartbeats": of.count(),
        "expires_at": of.times().expires_at().to_string(),
        "extended_to": of.extended_to.map(|at| at.to_string()),
        "waited_for": waited,
        "answer": answer,
        "confirmed": confirmed,
    })
}

/// `drain succeeded, deregister skipped (not-registered)`
fn described(waited: &[Awaited]) -> String {
    let one = |action: &Awaited| match (action.result.as_str(), action.reason.as_str()) {
        ("", "") => format!("{} is under way", action.kind),
        ("", reason) => format!("{} is under way ({reason})", action.kind),
        (result, "") => format!("{} {result}", action.kind),
        (result, reason) => format!("{} {result} ({reason})", action.kind),
    };
    if waited.is_empty() {
        return "no other action".to_owned();
    }
    waited.iter().map(one).collect::<Vec<_>>().join(", ")
}

pub(crate) fn detail(report: Report, told: &Value) -> Report {
    match serde_json::from_value(told.clone()) {
        Ok(told) => report.with_detail(told),
        Err(error) => {
            tracing::warn!(%error, "An outcome is told without its detail.");
            report
        }
    }
}
