//! What an event says, in one line.

use hollowtrees_domain::notice::default_certainty;
use hollowtrees_schemas::{
    names::{mode, result, state},
    proto,
    subject::IncidentEvent,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    event::{Event, Letter, Said},
    when,
};

/// A notice that took longer from its origin to the stream is worth a word.
const PROMPT: SignedDuration = SignedDuration::from_secs(1);

/// The word in the first column of a line, and `event` in JSON.
pub fn label(event: &Event) -> &'static str {
    match &event.said {
        Said::Notice(_) => "notice",
        Said::Action(_) => "action",
        Said::Outcome(outcome) if outcome.result == result::PROGRESS => "progress",
        Said::Outcome(_) => "outcome",
        Said::Incident(..) => "incident",
        Said::Run(..) => "run",
        Said::Dead(_) => "dead",
        Said::Unreadable(_) => "unreadable",
    }
}

/// The line behind the label; other times in it are relative to `zero`.
pub fn text(event: &Event, zero: Timestamp) -> String {
    match &event.said {
        Said::Notice(message) => notice(message, event, zero),
        Said::Action(message) => action(message, zero),
        Said::Outcome(message) => outcome(message),
        Said::Incident(what, message) => incident(*what, message, zero),
        Said::Run(what, message) => {
            let how = if message.result.is_empty() { "" } else { ": " };
            format!(
                "{} ({}) {what}{how}{}",
                message.rule, message.certainty, message.result
            )
        }
        Said::Dead(letter) => dead(letter, event.sequence),
        Said::Unreadable(error) => format!("{}: {error}", event.subject),
    }
}

/// The mode of an event if it is not live, in brackets.
pub fn mode_mark(event: &Event) -> String {
    match event.incident() {
        Some(key) if key.mode() != mode::LIVE => format!("[{}] ", key.mode()),
        _ => String::new(),
    }
}

/// How sure a notice is: as it says, else as its kind is.
pub fn certainty(notice: &proto::Notice) -> &str {
    if notice.certainty.is_empty() {
        default_certainty(&notice.kind).as_str()
    } else {
        &notice.certainty
    }
}

fn notice(notice: &proto::Notice, event: &Event, zero: Timestamp) -> String {
    let mut parts = vec![format!("{} {}", notice.kind, state::or_active(&notice.state))];
    parts.push(certainty(notice).to_owned());
    parts.extend(deadline(notice.deadline.as_ref(), zero));
    if !notice.provider_action.is_empty() {
        parts.push(notice.provider_action.clone());
    }
    if !notice.event_id.is_empty() {
        parts.push(format!("event {}", notice.event_id));
    }
    if let Some(seen) = when::of(notice.noticed_at.as_ref()) {
        let underway = event.stored_at.duration_since(seen);
        if underway > PROMPT {
            parts.push(format!("seen {} before it was stored", when::span(underway)));
        }
    }
    if when::of(notice.deadline.as_ref()).is_some_and(|at| at < event.stored_at) {
        parts.push("late".to_owned());
    }
    format!("{}; from {}", parts.join(", "), event.source)
}

fn action(action: &proto::Action, zero: Timestamp) -> String {
    let mut parts = vec![action.kind.clone()];
    if let Some(at) = when::of(action.start_at.as_ref()) {
        let created = when::of(action.created_at.as_ref());
        if created.is_none_or(|created| at > created) {
            parts.push(format!("not before {}", when::after(at, zero)));
        }
    }
    parts.extend(deadline(action.deadline.as_ref(), zero));
    if action.on_cancel {
        parts.push("because it was withdrawn".to_owned());
    }
    if action.redrive > 0 {
        parts.push(format!("redrive {}", action.redrive));
    }
    let id: String = action.id.chars().take(8).collect();
    format!(
        "{} [{id}] for rule {} ({})",
        parts.join(", "),
        action.rule,
        action.certainty
    )
}

fn outcome(outcome: &proto::Outcome) -> String {
    let mut text = outcome.kind.clone();
    let last_word = outcome.result != result::PROGRESS;
    if last_word {
        text = format!("{text} {}", outcome.result);
    }
    if !outcome.reason.is_empty() {
        text = format!("{text}: {}", outcome.reason);
    }
    if !outcome.message.is_empty() {
        text = format!("{text}, {}", outcome.message);
    }
    let mut facts = Vec::new();
    if let Some(worker) = &outcome.worker {
        facts.push(format!("{}/{}", worker.kind, worker.process));
    }
    if outcome.attempt > 1 {
        facts.push(format!("attempt {}", outcome.attempt));
    }
    let times = outcome.times.unwrap_or_default();
    let ended_at = when::of(times.ended_at.as_ref()).filter(|_| last_word);
    if let (Some(started_at), Some(ended_at)) = (when::of(times.started_at.as_ref()), ended_at) {
        facts.push(format!(
            "took {}",
            when::span(ended_at.duration_since(started_at))
        ));
    }
    if let (Some(ended_at), Some(deadline)) = (ended_at, when::of(outcome.deadline.as_ref())) {
        let left = deadline.duration_since(ended_at);
        let side = if left.is_negative() { "after" } else { "before" };
        facts.push(format!("{} {side} its deadline", when::span(left)));
    }
    if outcome.late {
        facts.push("late: another outcome had won".to_owned());
    }
    if facts.is_empty() {
        text
    } else {
        format!("{text} ({})", facts.join(", "))
    }
}

fn incident(what: IncidentEvent, incident: &proto::Incident, zero: Timestamp) -> String {
    let mut parts = vec![what.to_string()];
    if what != IncidentEvent::Closed {
        parts.push(incident.certainty.clone());
        parts.extend(deadline(incident.deadline.as_ref(), zero));
    }
    if incident.generation > 1 {
        parts.push(format!("generation {}", incident.generation));
    }
    parts.join(", ")
}

fn dead(letter: &Letter, sequence: u64) -> String {
    format!(
        "letter {sequence}: {} by {}: {} ({})",
        letter.error_class, letter.consumer, letter.reason, letter.subject
    )
}

fn deadline(at: Option<&pbjson_types::Timestamp>, zero: Timestamp) -> Option<String> {
    when::of(at).map(|at| format!("deadline {}", when::after(at, zero)))
}
