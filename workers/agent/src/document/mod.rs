//! The documents of the metadata services, parsed once into words.
//!
//! | module | whose |
//! |---|---|
//! | [`ec2`] | AWS: spot, rebalance, scheduled events, target lifecycle state |
//! | [`gcp`] | Google: preempted, maintenance event |
//! | [`azure`] | Azure: scheduled events |
//! | [`alibaba`] | Alibaba: spot termination time |
//!
//! All are pure: bytes in, [`Word`]s or [`Garbage`] out.

pub mod alibaba;
pub mod azure;
pub mod ec2;
pub mod gcp;
mod identity;

use hollowtrees_schemas::names::certainty;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use identity::Identity;

use crate::provider::Provider;

/// No action, id or name of a provider's that is one of these is longer, in bytes.
const WORD: usize = 64;
/// No id of an event is longer, in bytes: what the router takes.
const EVENT: usize = 128;

/// A document that says something about this instance's future.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// EC2's spot interruption, by either of its documents.
    Ec2Spot,
    /// EC2's rebalance recommendation.
    Ec2Rebalance,
    /// EC2's scheduled events.
    Ec2Maintenance,
    /// EC2's target lifecycle state.
    Ec2Lifecycle,
    /// Google's preemption.
    GcpPreempted,
    /// Google's maintenance of the host.
    GcpMaintenance,
    /// Azure's scheduled events.
    AzureEvents,
    /// Alibaba's release of a spot instance.
    AlibabaSpot,
}

impl Document {
    /// Whether what it no longer says is over or taken back.
    ///
    /// EC2 documents no withdrawal of an interruption or of a recommendation, and answers 404 also where it lost the
    /// document (a resumed or restarted instance); neither Google nor Alibaba takes a preemption back.
    pub const fn withdraws(self) -> bool {
        match self {
            Self::Ec2Maintenance | Self::Ec2Lifecycle | Self::GcpMaintenance | Self::AzureEvents => true,
            Self::Ec2Spot | Self::Ec2Rebalance | Self::GcpPreempted | Self::AlibabaSpot => false,
        }
    }

    /// Whether it is the one that tells of interruptions, which the original exporters show.
    pub const fn interrupts(self) -> bool {
        match self {
            Self::Ec2Spot | Self::GcpPreempted | Self::AzureEvents | Self::AlibabaSpot => true,
            Self::Ec2Rebalance | Self::Ec2Maintenance | Self::Ec2Lifecycle | Self::GcpMaintenance => false,
        }
    }
}

/// Something a provider says about this instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// Tells it from others in the same document: the id of an event, or nothing where there is one only.
    pub slot: String,
    /// Kind of the notice, one of [`hollowtrees_schemas::names::kind`].
    pub kind: &'static str,
    /// One of [`hollowtrees_schemas::names::certainty`].
    pub certainty: &'static str,
    /// What the provider will do.
    pub action: String,
    /// The provider's id of the event, which joins what several origins say about it; empty: there is none.
    pub event_id: String,
    /// When.
    pub when: When,
    /// When the provider said so, where that tells one episode from the next.
    pub stamp: Option<Timestamp>,
    /// Whether it is over, or was taken back.
    pub over: bool,
    /// The document as it came.
    pub detail: Map<String, Value>,
}

/// When what is announced happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At this time.
    At(Timestamp),
    /// So long after it was first seen.
    In(SignedDuration),
    /// It has begun: not later than now.
    Begun,
    /// It is not said.
    Unknown,
}

/// What a document says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    /// What could be read.
    pub words: Vec<Word>,
    /// Something in it that could not: what was said before and is not among the words may be that.
    pub odd: Option<Garbage>,
    /// The provider's number of this version of the document, which grows with every change.
    pub version: Option<u64>,
}

impl From<Vec<Word>> for Heard {
    fn from(words: Vec<Word>) -> Self {
        Self {
            words,
            ..Self::default()
        }
    }
}

/// What is made of maintenance after which the instance goes on as it was: Azure's freeze, Google's live migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pauses {
    /// Nothing.
    Ignore,
    /// A notice of certainty `advisory`.
    Advisory,
    /// A notice of certainty `scheduled`.
    Scheduled,
}

impl Pauses {
    fn certainty(self) -> Option<&'static str> {
        match self {
            Self::Ignore => None,
            Self::Advisory => Some(certainty::ADVISORY),
            Self::Scheduled => Some(certainty::SCHEDULED),
        }
    }
}

/// A document that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} is not what {provider} documents ({why}): {excerpt}")]
pub struct Garbage {
    /// Whose document.
    pub provider: Provider,
    /// Which document.
    pub path: &'static str,
    /// What is wrong with it.
    pub why: String,
    /// Its beginning.
    pub excerpt: String,
}

/// Which document is being read, for what is said of it when it cannot be.
#[derive(Debug, Clone, Copy)]
struct Of(Provider, &'static str);

impl Of {
    fn garbage(self, why: &str, body: &[u8]) -> Garbage {
        // The beginning is enough to recognise it: a document may be large.
        let excerpt = String::from_utf8_lossy(body.get(..320).unwrap_or(body))
            .chars()
            .take(80)
            .flat_map(char::escape_debug)
            .collect();
        Garbage {
            provider: self.0,
            path: self.1,
            why: why.to_owned(),
            excerpt,
        }
    }

    fn json<T: serde::de::DeserializeOwned>(self, body: &[u8]) -> Result<T, Garbage> {
        serde_json::from_slice(body).map_err(|error| self.garbage(&error.to_string(), body))
    }

    /// A document that is one word of text.
    fn word(self, body: &[u8]) -> Result<&str, Garbage> {
        let text = std::str::from_utf8(body).unwrap_or_default().trim();
        if is_word(text) {
            Ok(text)
        } else {
            Err(self.garbage("not one word of at most 64 characters", body))
        }
    }
}

fn text<'a>(detail: &'a Map<String, Value>, key: &str) -> &'a str {
    detail
        .get(key)
        .and_then(Value::as_str)
        .map(str::trim)
        .unwrap_or_default()
}

/// A time as RFC 3339 has it, that a message can hold.
fn time(text: &str) -> Option<Timestamp> {
    holdable(text.trim().parse().ok()?)
}

/// A time as mail has it: `Tue, 09 Aug 2022 17:07:32 GMT`, the weekday optional.
fn mail_time(text: &str) -> Option<Timestamp> {
    static PARSER: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new().relaxed_weekday(true);
    holdable(PARSER.parse_timestamp(text.trim()).ok()?)
}

/// Only what a message can hold.
fn holdable(time: Timestamp) -> Option<Timestamp> {
    hollowtrees_schemas::proto::time::from_proto(&hollowtrees_schemas::proto::time::to_proto(time)).ok()
}

fn is_word(text: &str) -> bool {
    (1..=WORD).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_event(text: &str) -> bool {
    (1..=EVENT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_mail() {
        for (text, expected) in [
            ("21 Jan 2019 09:00:43 GMT", Some(1_548_061_243)),
            ("Tue, 09 Aug 2022 17:07:32 GMT", Some(1_660_064_852)),
            // The wrong weekday does not make the time unknown.
            ("Mon, 09 Aug 2022 17:07:32 GMT", Some(1_660_064_852)),
            (" 9 Aug 2022 17:07:32 +0000 ", Some(1_660_064_852)),
            ("2022-08-09T17:07:32Z", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(mail_time(text).map(Timestamp::as_second), expected, "{text}");
        }
    }

    #[test]
    fn a_large_document_is_not_told_whole() {
        let garbage = Of(Provider::Azure, "/x").garbage("why", "\u{7}é".repeat(100_000).as_bytes());
        assert!(garbage.to_string().len() < 800, "{garbage}");
    }
}
