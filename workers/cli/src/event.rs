//! Any message of any stream, read.

use hollowtrees_bus::{dead, read::Message};
use hollowtrees_schemas::{
    envelope::{self, Envelope},
    id::IncidentKey,
    names::Stream,
    proto,
    subject::{IncidentEvent, RunEvent, Subject},
};
use jiff::Timestamp;
use serde::Serialize;

/// One message of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where it is.
    pub stream: Stream,
    /// Its number there.
    pub sequence: u64,
    /// When the server stored it: the one clock all events share.
    pub stored_at: Timestamp,
    /// Subject as it is.
    pub subject: String,
    /// The cluster its subject names.
    pub cluster: String,
    /// The instance its subject names; of a dead letter, the subject of the original. May be empty.
    pub instance: String,
    /// `ce-id`; empty where it cannot be read.
    pub id: String,
    /// `ce-source`; empty where it cannot be read.
    pub source: String,
    /// What it says.
    pub said: Said,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// An origin told of an instance.
    Notice(Box<proto::Notice>),
    /// A worker is asked.
    Action(Box<proto::Action>),
    /// A worker answered, finally or on the way.
    Outcome(Box<proto::Outcome>),
    /// An incident changed.
    Incident(IncidentEvent, Box<proto::Incident>),
    /// A run began or ended.
    Run(RunEvent, Box<proto::Run>),
    /// A message nobody could use.
    Dead(Letter),
    /// No message of ours: why.
    Unreadable(String),
}

/// The label of a dead letter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// Stream the original was on.
    pub stream: String,
    /// Who could not use it.
    pub consumer: String,
    /// Subject of the original.
    pub subject: String,
    /// Class of error, one word.
    pub error_class: String,
    /// A sentence.
    pub reason: String,
    /// Starts that ended without a settle.
    pub attempts: u32,
    /// Id of the action, where it is one.
    pub action_id: String,
}

impl Event {
    /// Reads a message of `stream`. One that cannot be read says why.
    pub fn read(stream: Stream, message: &Message) -> Self {
        let parsed = message.subject.parse::<Subject>();
        let (cluster, instance) = match &parsed {
            Ok(subject) => (subject.cluster().to_owned(), instance_of(subject)),
            Err(_) => (String::new(), String::new()),
        };
        let mut event = Self {
            stream,
            sequence: message.sequence,
            stored_at: message.stored_at,
            subject: message.subject.clone(),
            cluster,
            instance,
            id: String::new(),
            source: String::new(),
            said: Said::Unreadable(String::new()),
        };
        event.said = match parsed {
            Ok(Subject::Notice { .. }) => event.open(message, |data| Said::Notice(Box::new(data))),
            Ok(Subject::Action { .. }) => event.open(message, |data| Said::Action(Box::new(data))),
            Ok(Subject::Outcome { .. }) => event.open(message, |data| Said::Outcome(Box::new(data))),
            Ok(Subject::Incident { event: what, .. }) => {
                event.open(message, |data| Said::Incident(what, Box::new(data)))
            }
            Ok(Subject::Run { event: what, .. }) => {
                event.open(message, |data| Said::Run(what, Box::new(data)))
            }
            Ok(Subject::Dead { .. }) => {
                let letter = Letter::read(message);
                if let Ok(original) = letter.subject.parse::<Subject>() {
                    event.instance = instance_of(&original);
                }
                Said::Dead(letter)
            }
            Err(error) => Said::Unreadable(error.to_string()),
        };
        event
    }

    /// The data; also takes id and source.
    fn open<T: envelope::Message>(&mut self, message: &Message, said: impl FnOnce(T) -> Said) -> Said {
        match Envelope::<T>::decode(&message.wire) {
            Ok(envelope) => {
                self.id = envelope.id;
                self.source = envelope.source;
                said(envelope.data)
            }
            Err(error) => Said::Unreadable(error.to_string()),
        }
    }

    /// The incident it belongs to, where its content tells.
    pub fn incident(&self) -> Option<IncidentKey> {
        match &self.said {
            Said::Notice(notice) => Some((&**notice).into()),
            Said::Action(action) => Some((&**action).into()),
            Said::Outcome(outcome) => Some((&**outcome).into()),
            Said::Incident(_, incident) => Some((&**incident).into()),
            Said::Run(_, run) => Some((&**run).into()),
            Said::Dead(_) | Said::Unreadable(_) => None,
        }
    }

    /// Generation of the incident, where its content tells; a notice does not know it.
    pub fn generation(&self) -> Option<u64> {
        match &self.said {
            Said::Action(action) => Some(action.generation),
            Said::Outcome(outcome) => Some(outcome.generation),
            Said::Incident(_, incident) => Some(incident.generation),
            Said::Run(_, run) => Some(run.generation),
            Said::Notice(_) | Said::Dead(_) | Said::Unreadable(_) => None,
        }
    }

    /// The action it is about.
    pub fn action_id(&self) -> Option<&str> {
        let id = match &self.said {
            Said::Action(action) => &action.id,
            Said::Outcome(outcome) => &outcome.action_id,
            Said::Dead(letter) => &letter.action_id,
            Said::Notice(_) | Said::Incident(..) | Said::Run(..) | Said::Unreadable(_) => return None,
        };
        Some(id.as_str()).filter(|id| !id.is_empty())
    }
}

impl Letter {
    fn read(message: &Message) -> Self {
        let letter = dead::letter(message);
        Self {
            stream: letter.stream,
            consumer: letter.consumer,
            subject: letter.subject,
            error_class: letter.error_class,
            reason: letter.reason,
            attempts: letter.attempts,
            action_id: letter.action_id,
        }
    }
}

fn instance_of(subject: &Subject) -> String {
    match subject {
        Subject::Notice { instance, .. }
        | Subject::Action { instance, .. }
        | Subject::Outcome { instance, .. }
        | Subject::Incident { instance, .. }
        | Subject::Run { instance, .. } => instance.clone(),
        Subject::Dead { .. } => String::new(),
    }
}

/// An event as JSON: the form documented in `docs/cli.md`.
#[derive(Debug, Serialize)]
pub struct Json<'a> {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'static str>,
    at: String,
    #[serde(rename = "afterSeconds", skip_serializing_if = "Option::is_none")]
    after_seconds: Option<f64>,
    stream: &'static str,
    sequence: u64,
    subject: &'a str,
    cluster: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    instance: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// The message itself, in proto3 JSON.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Notice(&'a proto::Notice),
    Action(&'a proto::Action),
    Outcome(&'a proto::Outcome),
    Incident(&'a proto::Incident),
    Run(&'a proto::Run),
    Dead(&'a Letter),
}

impl<'a> Json<'a> {
    /// `zero`: the moment `afterSeconds` counts from.
    pub fn of(event: &'a Event, zero: Option<Timestamp>) -> Self {
        let (what, data, error) = match &event.said {
            Said::Notice(notice) => (None, Some(Data::Notice(notice)), None),
            Said::Action(action) => (None, Some(Data::Action(action)), None),
            Said::Outcome(outcome) => (None, Some(Data::Outcome(outcome)), None),
            Said::Incident(what, incident) => (Some(what.as_str()), Some(Data::Incident(incident)), None),
            Said::Run(what, run) => (Some(what.as_str()), Some(Data::Run(run)), None),
            Said::Dead(letter) => (None, Some(Data::Dead(letter)), None),
            Said::Unreadable(error) => (None, None, Some(error.as_str())),
        };
        Self {
            event: crate::line::label(event),
            what,
            at: proto::time::text(event.stored_at),
            after_seconds: zero.map(|zero| event.stored_at.duration_since(zero).as_secs_f64()),
            stream: event.stream.name(),
            sequence: event.sequence,
            subject: &event.subject,
            cluster: &event.cluster,
            instance: &event.instance,
            id: &event.id,
            source: &event.source,
            data,
            error,
        }
    }
}
