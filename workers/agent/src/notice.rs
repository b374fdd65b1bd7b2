//! From a fact to a message for the bus.

use std::sync::{Arc, OnceLock};

use hollowtrees_schemas::{
    codec::EncodeError,
    envelope::{self, DataFormat},
    names::{certainty, kind, mode, state},
    outgoing::{self, Outgoing},
    proto::{self, time::to_proto},
};
use jiff::Timestamp;

use crate::{decide::Fact, document::Identity, provider::Provider, settings::Settings};

/// Knows who the instance is, and says it in every notice.
#[derive(Debug)]
pub struct Teller {
    cluster: String,
    node: String,
    mode: String,
    /// Read once: an instance does not change into another.
    identity: OnceLock<Arc<Identity>>,
}

/// A notice on its way to the bus.
#[derive(Debug, Clone)]
pub struct Message {
    /// Kind of the notice, one of our constants.
    pub kind: &'static str,
    /// What is published.
    pub outgoing: Outgoing,
    /// What it means for the instance.
    pub fate: Fate,
}

/// What a notice means for the instance: for who has to act on it before the bus has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It goes, for certain, by this event of the provider.
    Goes(String),
    /// It does not go by this event any more.
    Stays(String),
    /// Neither is known: it may go, or the notice is not live.
    Open,
}

impl Fate {
    /// What `notice` means.
    pub fn of(notice: &proto::Notice) -> Self {
        let event = || format!("{} {}", notice.kind, notice.event_id);
        match (
            notice.mode.as_str(),
            notice.state.as_str(),
            notice.certainty.as_str(),
        ) {
            (mode::LIVE, state::ACTIVE, certainty::CERTAIN) => Self::Goes(event()),
            (mode::LIVE, state::CANCELLED, _) => Self::Stays(event()),
            _ => Self::Open,
        }
    }
}

impl Teller {
    /// Does not know the instance yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            cluster: settings.cluster.clone(),
            node: settings.node.clone(),
            mode: settings.mode.clone(),
            identity: OnceLock::new(),
        }
    }

    /// Who the instance is, once known.
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.get()
    }

    /// Learns who the instance is; a second time is nothing.
    pub fn learn(&self, identity: Identity) -> &Arc<Identity> {
        self.identity.get_or_init(|| Arc::new(identity))
    }

    /// The notice that says `fact` about `identity`.
    ///
    /// # Errors
    /// A value that cannot be written as a CloudEvent.
    pub fn tell(&self, identity: &Identity, fact: Fact) -> Result<Message, EncodeError> {
        let notice = proto::Notice {
            kind: fact.kind.to_owned(),
            certainty: fact.certainty.to_owned(),
            state: fact.state.to_owned(),
            provider_action: fact.action,
            event_id: fact.event_id,
            deadline: fact.deadline.map(to_proto),
            ..self.about(identity, fact.noticed_at, fact.detail)
        };
        message(fact.kind, notice, identity, "imds")
    }

    /// A notice made by hand, of any mode.
    ///
    /// # Errors
    /// A value that cannot be written as a CloudEvent.
    pub fn by_hand(
        &self,
        identity: &Identity,
        mode: &str,
        action: &str,
        noticed_at: Timestamp,
        deadline: Timestamp,
    ) -> Result<Message, EncodeError> {
        let kind = match identity.provider {
            Provider::Gcp | Provider::Azure | Provider::Oracle => kind::PREEMPTED,
            Provider::Aws | Provider::Alibaba | Provider::DigitalOcean => kind::SPOT_INTERRUPTION,
        };
        let notice = proto::Notice {
            kind: kind.to_owned(),
            certainty: certainty::CERTAIN.to_owned(),
            mode: mode.to_owned(),
            provider_action: action.to_owned(),
            deadline: Some(to_proto(deadline)),
            ..self.about(identity, noticed_at, serde_json::Map::new())
        };
        message(kind, notice, identity, "trigger")
    }

    fn about(
        &self,
        identity: &Identity,
        noticed_at: Timestamp,
        detail: serde_json::Map<String, serde_json::Value>,
    ) -> proto::Notice {
        let name = Some(&identity.name).filter(|name| !name.is_empty());
        proto::Notice {
            cluster: self.cluster.clone(),
            provider: identity.provider.name().to_owned(),
            account: identity.account_id.clone(),
            region: identity.region.clone(),
            zone: identity.availability_zone.clone(),
            instance: identity.instance_id.clone(),
            instance_type: identity.instance_type.clone(),
            node: self.node.clone(),
            state: state::ACTIVE.to_owned(),
            mode: self.mode.clone(),
            noticed_at: Some(to_proto(noticed_at)),
            labels: name
                .map(|name| ("instance_name".to_owned(), name.clone()))
                .into_iter()
                .collect(),
            // A document that has no place in a message is left out: the notice counts.
            detail: serde_json::from_value(detail.into()).ok(),
            ..proto::Notice::default()
        }
    }
}

/// The source names the origin, never this process: `/aws/<account>/<region>/imds`.
fn message(
    kind: &'static str,
    notice: proto::Notice,
    identity: &Identity,
    origin: &str,
) -> Result<Message, EncodeError> {
    let source = envelope::source(&[
        identity.provider.name(),
        &identity.account_id,
        &identity.region,
        origin,
    ]);
    let fate = Fate::of(&notice);
    let outgoing = outgoing::notice(&envelope::notice(notice, source), DataFormat::Json)?;
    Ok(Message { kind, outgoing, fate })
}

/// Whether `text` is a mode a notice may have.
pub fn is_mode(text: &str) -> bool {
    mode::ALL.contains(&text)
}
