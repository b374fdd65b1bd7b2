//! The envelopes of our messages: every attribute follows from the content.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Envelope, Message};
use crate::id::{Hash, IncidentKey, MessageId, NoticeId, RunId, traceparent};
use crate::names::{result, when_expired};
use crate::proto;
use crate::proto::time;
use crate::subject::{IncidentEvent, RunEvent};

type ProtoTime = Option<pbjson_types::Timestamp>;

/// A notice. Its id is [`NoticeId`]; it expires at its deadline.
pub fn notice(notice: proto::Notice, source: impl Into<String>) -> Envelope<proto::Notice> {
    let id = NoticeId::of(&notice).to_string();
    let incident = IncidentKey::from(&notice);
    let (at, expiry) = (at(&notice.noticed_at), at(&notice.deadline));
    fill(notice, &incident, id, source.into(), at, expiry)
}

/// An action. Its id is the action's own, followed by `.r<redrive>` when it was redriven.
///
/// It expires at its deadline if it is to be skipped then, else when its outcome is due: after that no worker, ours
/// or another's, has any reason to start it.
pub fn action(action: proto::Action, source: impl Into<String>) -> Envelope<proto::Action> {
    let id = redriven(&action.id, action.redrive);
    let incident = IncidentKey::from(&action);
    let close_at = at(&action.close_at);
    let expiry = match action.when_expired.as_str() {
        when_expired::RUN => close_at,
        _ => at(&action.deadline).or(close_at),
    };
    let created_at = at(&action.created_at);
    fill(action, &incident, id, source.into(), created_at, expiry)
}

/// An outcome. Its id is the action's event id and the result; of a progress fact also its reason and attempt
/// (`<action id>.progress.cordoned.1`); of a late one also `late`.
pub fn outcome(outcome: proto::Outcome, source: impl Into<String>) -> Envelope<proto::Outcome> {
    let mut id = format!(
        "{}.{}",
        redriven(&outcome.action_id, outcome.redrive),
        outcome.result
    );
    if outcome.result == result::PROGRESS {
        id = format!("{id}.{}.{}", outcome.reason, outcome.attempt);
    }
    if outcome.late {
        id.push_str(".late");
    }
    let incident = IncidentKey::from(&outcome);
    let ended_at = outcome.times.as_ref().and_then(|times| at(&times.ended_at));
    fill(outcome, &incident, id, source.into(), ended_at, None)
}

/// An event of an incident. Its id is a hash of incident, generation, event and number of changes.
pub fn incident(
    event: IncidentEvent,
    incident: proto::Incident,
    source: impl Into<String>,
) -> Envelope<proto::Incident> {
    let key = IncidentKey::from(&incident);
    let id = Hash::new("incident event")
        .field(key.cluster())
        .field(key.instance())
        .field(key.mode())
        .number(incident.generation)
        .field(event.as_str())
        .number(incident.changes)
        .finish();
    let happened_at = match event {
        IncidentEvent::Opened => at(&incident.opened_at),
        IncidentEvent::Changed | IncidentEvent::Cancelled => at(&incident.last_noticed_at),
        IncidentEvent::Closed => at(&incident.closed_at),
    };
    fill(incident, &key, id, source.into(), happened_at, None)
}

/// An event of a run. Its id is the run's, the event, and the result where it has one (`<run id>.finished.succeeded`):
/// a run that was cancelled after its end finishes a second time.
pub fn run(event: RunEvent, run: proto::Run, source: impl Into<String>) -> Envelope<proto::Run> {
    let key = IncidentKey::from(&run);
    let run_id = RunId::of(&key, run.generation, &run.rule, &run.certainty);
    let (id, happened_at) = match event {
        RunEvent::Started => (format!("{run_id}.{event}"), at(&run.started_at)),
        RunEvent::Finished => (format!("{run_id}.{event}.{}", run.result), at(&run.finished_at)),
    };
    fill(run, &key, id, source.into(), happened_at, None)
}

/// Ids of a redriven action and of its outcomes differ from those of the first time.
fn redriven(action_id: &str, redrive: u32) -> String {
    match redrive {
        0 => action_id.to_owned(),
        count => format!("{action_id}.r{count}"),
    }
}

/// A time that cannot be is none; who parses the message refuses it by name.
fn at(time: &ProtoTime) -> Option<Timestamp> {
    time.as_ref().and_then(|time| time::from_proto(time).ok())
}

fn fill<T: Message>(
    data: T,
    incident: &IncidentKey,
    id: String,
    source: String,
    time: Option<Timestamp>,
    expirytime: Option<Timestamp>,
) -> Envelope<T> {
    let instance = Some(incident.instance().to_owned()).filter(|instance| !instance.is_empty());
    let traceparent = traceparent(incident, &MessageId::of(&source, &id));
    Envelope {
        id,
        source,
        time,
        subject: instance.clone(),
        partitionkey: instance,
        expirytime,
        traceparent: Some(traceparent),
        extensions: BTreeMap::new(),
        data,
    }
}
