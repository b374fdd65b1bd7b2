//! What is wrong with one thing that was sent.

use hollowtrees_bus::dead::Class;

use crate::{ingest::Refused, sqs::read::Unusable};

/// A field, and what to do about it. It may quote what was sent: for the sender and the dead letter, never for a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", if field.is_empty() { String::new() } else { format!("`{field}` ") })]
pub struct Problem {
    /// The field, as the sender writes it; empty where it is the whole.
    pub field: String,
    /// What is wrong and what it should be.
    pub problem: String,
    /// Kind of failure.
    pub class: Class,
    /// The sender may not say it, whatever it is.
    pub forbidden: bool,
}

impl Problem {
    /// It can be read and cannot be.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
            class: Class::Invalid,
            forbidden: false,
        }
    }

    /// It cannot be read.
    pub fn undecodable(problem: impl Into<String>) -> Self {
        Self {
            class: Class::Undecodable,
            ..Self::new("", problem)
        }
    }

    /// The sender may not say it.
    pub fn forbidden(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            class: Class::Rejected,
            forbidden: true,
            ..Self::new(field, problem)
        }
    }

    /// It can be read, and nobody here knows what to do with it.
    pub fn rejected(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            class: Class::Rejected,
            ..Self::new(field, problem)
        }
    }

    /// An event of AWS that is no use. `field`: what holds it; empty: the body.
    pub fn unusable(field: &str, unusable: &Unusable) -> Self {
        let problem = Self::new(field, unusable.to_string());
        if unusable.is_readable() {
            problem
        } else {
            Self::undecodable(problem.to_string())
        }
    }

    /// From `serde_json`: where, not what, since the message may quote the body.
    pub fn json(error: &serde_json::Error, expected: &str) -> Self {
        let what = match error.classify() {
            serde_json::error::Category::Data => "has not the fields it should have",
            _ => "is no JSON",
        };
        Self::undecodable(format!(
            "the body {what} (line {}, column {}); expected {expected}",
            error.line(),
            error.column()
        ))
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Invalid(invalid) => Self::new(invalid.field, invalid.problem),
            Refused::Encode(error) => Self::new("", error.to_string()),
            Refused::TooLarge { .. } => Self::new("", refused.to_string()),
        }
    }
}
