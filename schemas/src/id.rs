//! Ids made from content alone, never from a clock or chance, so that whoever says the same thing again
//! gives it the same id (DESIGN section 4.1).

mod hash;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

pub use hash::Hash;

use crate::names::{mode, state};
use crate::proto;

/// Text that is no id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is no {what} id; it must be 32 lower-case hex digits")]
pub struct IdError {
    what: &'static str,
    text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// 32 lower-case hex digits.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The 32 digits.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if hash::is_hash(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { what: $what, text: text.chars().take(64).collect() })
                }
            }
        }
    };
}

id! {
    /// Id of a notice: the same word of a provider has the same id, from whichever origin it comes.
    NoticeId, "notice"
}
id! {
    /// Id of an action, and the name of its ledger entry.
    ActionId, "action"
}
id! {
    /// Id of a run.
    RunId, "run"
}
id! {
    /// What `Nats-Msg-Id` carries.
    MessageId, "message"
}

impl NoticeId {
    /// From cluster, provider, account, instance, kind, the provider's event id (its action where it gives no
    /// event id), state, deadline, and the mode where it is not live: so a change, a cancellation and a
    /// resolution are new notices, and a test never passes for the real thing.
    pub fn of(notice: &proto::Notice) -> Self {
        let (event, value) = if notice.event_id.is_empty() {
            ("action", &notice.provider_action)
        } else {
            ("event", &notice.event_id)
        };
        let mut hash = Hash::new("notice")
            .field(&notice.cluster)
            .field(&notice.provider)
            .field(&notice.account)
            .field(&notice.instance)
            .field(&notice.kind)
            .field(event)
            .field(value)
            .field(state::or_active(&notice.state));
        hash = match &notice.deadline {
            Some(at) => hash
                .number(1)
                .field(at.seconds.to_be_bytes())
                .field(at.nanos.to_be_bytes()),
            None => hash.number(0),
        };
        match mode::or_live(&notice.mode) {
            mode::LIVE => Self(hash.finish()),
            other => Self(hash.field(other).finish()),
        }
    }
}

impl ActionId {
    /// Of an action that takes effect once an incident's generation and certainty, whichever rule asks.
    pub fn per_instance(incident: &IncidentKey, generation: u64, kind: &str, certainty: &str) -> Self {
        Self(
            incident
                .hashed("action per instance")
                .number(generation)
                .field(kind)
                .field(certainty)
                .finish(),
        )
    }

    /// Of an action that takes effect once its place in a run's plan.
    pub fn per_action(run: &RunId, step: u32, place: u32) -> Self {
        let hash = Hash::new("action per action").field(run.as_str());
        Self(hash.number(u64::from(step)).number(u64::from(place)).finish())
    }
}

impl RunId {
    /// Of one rule applied to one incident's generation at one certainty.
    pub fn of(incident: &IncidentKey, generation: u64, rule: &str, certainty: &str) -> Self {
        Self(
            incident
                .hashed("run")
                .number(generation)
                .field(rule)
                .field(certainty)
                .finish(),
        )
    }
}

impl MessageId {
    /// From `ce-source` and `ce-id`, which together are unique to an event (CloudEvents 1.0, `id`).
    pub fn of(ce_source: &str, ce_id: &str) -> Self {
        Self(Hash::new("message").field(ce_source).field(ce_id).finish())
    }
}

/// Which incident: one instance of one cluster, and apart from live ones those of tests and dry runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IncidentKey {
    cluster: String,
    instance: String,
    mode: String,
}

impl IncidentKey {
    /// An empty mode reads as `live`.
    pub fn new(cluster: impl Into<String>, instance: impl Into<String>, mode: &str) -> Self {
        Self {
            cluster: cluster.into(),
            instance: instance.into(),
            mode: mode::or_live(mode).to_owned(),
        }
    }

    /// Cluster of the instance.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The provider's unique id.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// One of [`mode`]; never empty.
    pub fn mode(&self) -> &str {
        &self.mode
    }

    fn hashed(&self, domain: &str) -> Hash {
        Hash::new(domain)
            .field(&self.cluster)
            .field(&self.instance)
            .field(&self.mode)
    }
}

impl fmt::Display for IncidentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.instance)?;
        match self.mode.as_str() {
            mode::LIVE => Ok(()),
            other => write!(f, " ({other})"),
        }
    }
}

macro_rules! incident_of {
    ($($message:ident),*) => {$(
        impl From<&proto::$message> for IncidentKey {
            fn from(message: &proto::$message) -> Self {
                Self::new(&message.cluster, &message.instance, &message.mode)
            }
        }
    )*};
}

incident_of!(Notice, Action, Outcome, Incident, Run);

/// W3C `traceparent` of a message: the trace is the incident's, so that all origins and workers share it
/// without talking; the span is the message's. Always sampled.
pub fn traceparent(incident: &IncidentKey, message: &MessageId) -> String {
    let trace = incident.hashed("trace").finish();
    let span: String = message.as_str().chars().take(16).collect();
    format!("00-{trace}-{span}-01")
}
