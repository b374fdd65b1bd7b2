//! Where a value came from.

use std::fmt;

use config::Value;

/// How the `config` crate names the process environment.
const ENVIRONMENT: &str = "the environment";
/// How the layers name the embedded defaults.
pub(crate) const DEFAULTS: &str = "default";

/// The layer a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The documented defaults inside the program.
    Default,
    /// A file, by its path.
    File(String),
    /// An environment variable; its name follows from the key.
    Environment,
}

impl Origin {
    pub(crate) fn of(value: &Value) -> Option<Self> {
        value.origin().map(|text| match text {
            DEFAULTS => Self::Default,
            ENVIRONMENT => Self::Environment,
            file => Self::File(file.to_owned()),
        })
    }

    /// The origin of the value at `key`, for a person.
    pub fn describe(&self, key: &str) -> String {
        match self {
            Self::Default => "the default".to_owned(),
            Self::File(path) => format!("from {path}"),
            Self::Environment => format!("from the environment variable {}", variable(key)),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str(DEFAULTS),
            Self::File(path) => f.write_str(path),
            Self::Environment => f.write_str(ENVIRONMENT),
        }
    }
}

/// The environment variable that sets `key`: `nats.url` is `HT_NATS__URL`.
pub fn variable(key: &str) -> String {
    format!("HT_{}", key.replace('.', "__").to_uppercase())
}
