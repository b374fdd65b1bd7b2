//! Subjects: parsed from text and written as text, with the cluster as fourth token of each.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::names::Stream;
use crate::token::{self, TokenError};

/// What happened to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IncidentEvent {
    /// Its first notice, or the first of a new generation.
    Opened,
    /// A fact, the deadline or the certainty changed.
    Changed,
    /// All its facts were withdrawn.
    Cancelled,
    /// It is over.
    Closed,
}

impl IncidentEvent {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Opened, Self::Changed, Self::Cancelled, Self::Closed];

    /// Its word in subjects and ids.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Changed => "changed",
            Self::Cancelled => "cancelled",
            Self::Closed => "closed",
        }
    }
}

/// What happened to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RunEvent {
    /// Its plan was pinned.
    Started,
    /// All its outcomes are in.
    Finished,
}

impl RunEvent {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Started, Self::Finished];

    /// Its word in subjects and ids.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Finished => "finished",
        }
    }
}

impl fmt::Display for IncidentEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RunEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where one message is published. Fields are names as people know them; [`fmt::Display`] escapes them and
/// [`FromStr`] gives them back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// `ht.notice.v1.<cluster>.<kind>.<instance>`
    Notice {
        /// Cluster of the instance.
        cluster: String,
        /// Kind of notice.
        kind: String,
        /// The provider's unique id.
        instance: String,
    },
    /// `ht.action.v1.<cluster>.<action>.<instance>`
    Action {
        /// Cluster of the instance.
        cluster: String,
        /// Kind of action.
        action: String,
        /// The provider's unique id.
        instance: String,
    },
    /// `ht.outcome.v1.<cluster>.<action>.<result>.<instance>`
    Outcome {
        /// Cluster of the instance.
        cluster: String,
        /// Kind of action.
        action: String,
        /// One of [`crate::names::result`].
        result: String,
        /// The provider's unique id.
        instance: String,
    },
    /// `ht.incident.v1.<cluster>.<event>.<instance>`
    Incident {
        /// Cluster of the instance.
        cluster: String,
        /// What happened.
        event: IncidentEvent,
        /// The provider's unique id.
        instance: String,
    },
    /// `ht.run.v1.<cluster>.<event>.<instance>`
    Run {
        /// Cluster of the instance.
        cluster: String,
        /// What happened.
        event: RunEvent,
        /// The provider's unique id.
        instance: String,
    },
    /// `ht.dead.v1.<cluster>.<stream or source>.<consumer>`
    Dead {
        /// Cluster of the original; empty where its subject told none.
        cluster: String,
        /// Stream or source of the original.
        origin: String,
        /// Consumer that could not use it.
        consumer: String,
    },
}

/// A subject that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubjectError {
    /// Not `ht.<what>.v1.` with something we know.
    #[error(
        "subject `{subject}` is none of Hollowtrees' (ht.<notice|action|outcome|incident|run|dead>.v1....)"
    )]
    Unknown {
        /// The subject.
        subject: String,
    },
    /// A version other than `v1`.
    #[error("subject `{subject}` has version `{version}`, this program knows v1; is the other side newer?")]
    Version {
        /// The subject.
        subject: String,
        /// Its third token.
        version: String,
    },
    /// The number of tokens is wrong.
    #[error("subject `{subject}` has {found} tokens, `{shape}` has {expected}; escape each name (`=XX`)")]
    Tokens {
        /// The subject.
        subject: String,
        /// How such a subject looks.
        shape: &'static str,
        /// Tokens of that shape.
        expected: usize,
        /// Tokens of the subject.
        found: usize,
    },
    /// An event that does not exist.
    #[error("subject `{subject}` tells of an event `{event}`; known are {known}")]
    Event {
        /// The subject.
        subject: String,
        /// The unknown event.
        event: String,
        /// The events that exist.
        known: &'static str,
    },
    /// A token that is no escaped name.
    #[error("subject `{subject}`: {source}")]
    Token {
        /// The subject.
        subject: String,
        /// What is wrong with the token.
        source: TokenError,
    },
}

impl Subject {
    /// The stream that stores it.
    pub const fn stream(&self) -> Stream {
        match self {
            Self::Notice { .. } => Stream::Notices,
            Self::Action { .. } => Stream::Actions,
            Self::Outcome { .. } => Stream::Outcomes,
            Self::Incident { .. } | Self::Run { .. } => Stream::Incidents,
            Self::Dead { .. } => Stream::Dead,
        }
    }

    /// The cluster it belongs to.
    pub fn cluster(&self) -> &str {
        match self {
            Self::Notice { cluster, .. }
            | Self::Action { cluster, .. }
            | Self::Outcome { cluster, .. }
            | Self::Incident { cluster, .. }
            | Self::Run { cluster, .. }
            | Self::Dead { cluster, .. } => cluster,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (domain, tokens): (_, &[&str]) = match self {
            Self::Notice {
                cluster,
                kind,
                instance,
            } => ("notice", &[cluster, kind, instance]),
            Self::Action {
                cluster,
                action,
                instance,
            } => ("action", &[cluster, action, instance]),
            Self::Outcome {
                cluster,
                action,
                result,
                instance,
            } => ("outcome", &[cluster, action, result, instance]),
            Self::Incident {
                cluster,
                event,
                instance,
            } => ("incident", &[cluster, event.as_str(), instance]),
            Self::Run {
                cluster,
                event,
                instance,
            } => ("run", &[cluster, event.as_str(), instance]),
            Self::Dead {
                cluster,
                origin,
                consumer,
            } => ("dead", &[cluster, origin, consumer]),
        };
        let mut text = format!("ht.{domain}.v1");
        for name in tokens {
            text.push('.');
            token::escape_into(name, &mut text);
        }
        f.write_str(&text)
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(subject: &str) -> Result<Self, SubjectError> {
        let unknown = || SubjectError::Unknown {
            subject: subject.to_owned(),
        };
        let mut head = subject.splitn(4, '.');
        let (Some("ht"), Some(domain), Some(version), Some(rest)) =
            (head.next(), head.next(), head.next(), head.next())
        else {
            return Err(unknown());
        };
        let parse = Parse { subject, rest };
        if version != "v1" {
            return Err(SubjectError::Version {
                subject: subject.to_owned(),
                version: version.to_owned(),
            });
        }
        match domain {
            "notice" => {
                let [cluster, kind, instance] = parse.names("ht.notice.v1.<cluster>.<kind>.<instance>")?;
                Ok(Self::Notice {
                    cluster,
                    kind,
                    instance,
                })
            }
            "action" => {
                let [cluster, action, instance] =
                    parse.names("ht.action.v1.<cluster>.<action>.<instance>")?;
                Ok(Self::Action {
                    cluster,
                    action,
                    instance,
                })
            }
            "outcome" => {
                let [cluster, action, result, instance] =
                    parse.names("ht.outcome.v1.<cluster>.<action>.<result>.<instance>")?;
                Ok(Self::Outcome {
                    cluster,
                    action,
                    result,
                    instance,
                })
            }
            "incident" => {
                let [cluster, event, instance] =
                    parse.names("ht.incident.v1.<cluster>.<event>.<instance>")?;
                let found = IncidentEvent::ALL
                    .into_iter()
                    .find(|known| known.as_str() == event);
                let event = found.ok_or_else(|| parse.event(event, "opened, changed, cancelled, closed"))?;
                Ok(Self::Incident {
                    cluster,
                    event,
                    instance,
                })
            }
            "run" => {
                let [cluster, event, instance] = parse.names("ht.run.v1.<cluster>.<event>.<instance>")?;
                let found = RunEvent::ALL.into_iter().find(|known| known.as_str() == event);
                let event = found.ok_or_else(|| parse.event(event, "started, finished"))?;
                Ok(Self::Run {
                    cluster,
                    event,
                    instance,
                })
            }
            "dead" => {
                let [cluster, origin, consumer] =
                    parse.names("ht.dead.v1.<cluster>.<stream or source>.<consumer>")?;
                Ok(Self::Dead {
                    cluster,
                    origin,
                    consumer,
                })
            }
            _ => Err(unknown()),
        }
    }
}

struct Parse<'a> {
    subject: &'a str,
    /// All after `ht.<domain>.v1.`.
    rest: &'a str,
}

impl Parse<'_> {
    fn names<const N: usize>(&self, shape: &'static str) -> Result<[String; N], SubjectError> {
        let names = self
            .rest
            .split('.')
            .map(token::unescape)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| SubjectError::Token {
                subject: self.subject.to_owned(),
                source,
            })?;
        names.try_into().map_err(|names: Vec<_>| SubjectError::Tokens {
            subject: self.subject.to_owned(),
            shape,
            expected: N + 3,
            found: names.len() + 3,
        })
    }

    fn event(&self, event: String, known: &'static str) -> SubjectError {
        SubjectError::Event {
            subject: self.subject.to_owned(),
            event,
            known,
        }
    }
}
