//! Between the typed records and their messages.

use hollowtrees_schemas::proto;
use hollowtrees_schemas::proto::time::{duration_from_proto, from_proto};
use jiff::{SignedDuration, Timestamp};

use crate::limits::SCHEMA_VERSION;

/// Why a record of the store cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A newer release wrote it. It must not be written over: leave it, and
    /// the message that led here, to a process of that release.
    #[error("record has schema {found}, this release knows up to {known}; upgrade this process")]
    NewerSchema {
        /// Number in the record.
        found: u32,
        /// [`SCHEMA_VERSION`].
        known: u32,
    },
    /// A field holds what no release writes.
    #[error("record field `{field}`: {problem}")]
    Corrupt {
        /// The field, as it is named in the `.proto` file.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl RecordError {
    pub(crate) fn corrupt(field: &'static str, problem: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            field,
            problem: problem.to_string(),
        }
    }
}

/// Refuses the records of newer releases.
pub(crate) fn check_schema(found: u32) -> Result<(), RecordError> {
    if found > SCHEMA_VERSION {
        return Err(RecordError::NewerSchema {
            found,
            known: SCHEMA_VERSION,
        });
    }
    Ok(())
}

/// A duration of a record; one that cannot be reads as zero.
pub(crate) fn duration(value: &pbjson_types::Duration) -> SignedDuration {
    duration_from_proto(value).unwrap_or_default()
}

/// A time of a record that may be unset.
pub(crate) fn time(
    field: &'static str,
    value: Option<&pbjson_types::Timestamp>,
) -> Result<Option<Timestamp>, RecordError> {
    value
        .map(|value| from_proto(value).map_err(|error| RecordError::corrupt(field, error)))
        .transpose()
}

/// A time of a record that must be set.
pub(crate) fn required_time(
    field: &'static str,
    value: Option<&pbjson_types::Timestamp>,
) -> Result<Timestamp, RecordError> {
    time(field, value)?.ok_or_else(|| RecordError::corrupt(field, "is unset"))
}

/// A word of a record.
pub(crate) fn word<W>(field: &'static str, text: &str) -> Result<W, RecordError>
where
    W: std::str::FromStr,
    W::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error: W::Err| RecordError::corrupt(field, error))
}

/// A time moved by a duration, held at the ends of the calendar.
pub(crate) fn plus(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(time)
}

/// A time moved back by a duration, held at the ends of the calendar.
pub(crate) fn minus(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_sub(by).unwrap_or(time)
}

/// What a record keeps of a sentence: control characters become spaces, and
/// it is cut at a character's end so that it has at most `max` bytes.
pub(crate) fn cut(text: &str, max: usize) -> String {
    let mut kept = String::with_capacity(text.len().min(max));
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if kept.len() + c.len_utf8() > max {
            break;
        }
        kept.push(c);
    }
    kept
}

/// A target of a record; unset reads as empty.
pub(crate) fn target(value: Option<proto::Target>) -> proto::Target {
    value.unwrap_or_default()
}
