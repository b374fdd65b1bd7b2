//! Messages ready to be published: where, what, and the id that makes a repetition harmless.

use crate::codec::{EncodeError, Wire};
use crate::envelope::{DataFormat, Envelope, Message};
use crate::id::MessageId;
use crate::proto;
use crate::subject::{IncidentEvent, RunEvent, Subject};

/// A message to publish. The bus adds `Nats-Msg-Id` from `message_id`.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// Where.
    pub subject: Subject,
    /// What.
    pub wire: Wire,
    /// Deduplication id: a retry of the same message has the same.
    pub message_id: MessageId,
}

impl Outgoing {
    fn new<T: Message>(
        subject: Subject,
        envelope: &Envelope<T>,
        format: DataFormat,
    ) -> Result<Self, EncodeError> {
        Ok(Self {
            subject,
            wire: envelope.encode(format)?,
            message_id: envelope.message_id(),
        })
    }
}

/// A notice, on `ht.notice.v1.<cluster>.<kind>.<instance>`.
pub fn notice(envelope: &Envelope<proto::Notice>, format: DataFormat) -> Result<Outgoing, EncodeError> {
    let proto::Notice {
        cluster,
        kind,
        instance,
        ..
    } = &envelope.data;
    let subject = Subject::Notice {
        cluster: cluster.clone(),
        kind: kind.clone(),
        instance: instance.clone(),
    };
    Outgoing::new(subject, envelope, format)
}

/// An action, on `ht.action.v1.<cluster>.<kind>.<instance>`.
pub fn action(envelope: &Envelope<proto::Action>, format: DataFormat) -> Result<Outgoing, EncodeError> {
    let proto::Action {
        cluster,
        kind,
        instance,
        ..
    } = &envelope.data;
    let subject = Subject::Action {
        cluster: cluster.clone(),
        action: kind.clone(),
        instance: instance.clone(),
    };
    Outgoing::new(subject, envelope, format)
}

/// An outcome, on `ht.outcome.v1.<cluster>.<kind>.<result>.<instance>`.
pub fn outcome(envelope: &Envelope<proto::Outcome>, format: DataFormat) -> Result<Outgoing, EncodeError> {
    let proto::Outcome {
        cluster,
        kind,
        result,
        instance,
        ..
    } = &envelope.data;
    let subject = Subject::Outcome {
        cluster: cluster.clone(),
        action: kind.clone(),
        result: result.clone(),
        instance: instance.clone(),
    };
    Outgoing::new(subject, envelope, format)
}

/// An event of an incident, on `ht.incident.v1.<cluster>.<event>.<instance>`. The envelope must have been made
/// for the same event.
pub fn incident(
    event: IncidentEvent,
    envelope: &Envelope<proto::Incident>,
    format: DataFormat,
) -> Result<Outgoing, EncodeError> {
    let proto::Incident {
        cluster, instance, ..
    } = &envelope.data;
    let subject = Subject::Incident {
        cluster: cluster.clone(),
        event,
        instance: instance.clone(),
    };
    Outgoing::new(subject, envelope, format)
}

/// An event of a run, on `ht.run.v1.<cluster>.<event>.<instance>`. The envelope must have been made for the
/// same event.
pub fn run(
    event: RunEvent,
    envelope: &Envelope<proto::Run>,
    format: DataFormat,
) -> Result<Outgoing, EncodeError> {
    let proto::Run {
        cluster, instance, ..
    } = &envelope.data;
    let subject = Subject::Run {
        cluster: cluster.clone(),
        event,
        instance: instance.clone(),
    };
    Outgoing::new(subject, envelope, format)
}
