//! Which way a swap goes.

use serde::{Deserialize, Serialize};

/// How an instance is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// A replacement is launched and attached first, then the old one is detached.
    #[default]
    Swap,
    /// The old one is detached and desired stays: the group launches a replacement.
    Detach,
    /// The old one is ended through its group and desired stays: the group launches a replacement.
    Terminate,
    /// Nothing is done.
    None,
}

/// A word that is no strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no strategy; give swap, detach, terminate or none")]
pub struct UnknownStrategy(pub String);

impl Strategy {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Swap => "swap",
            Self::Detach => "detach",
            Self::Terminate => "terminate",
            Self::None => "none",
        }
    }

    /// The action's word goes before the group's tag, the tag before the configuration.
    ///
    /// # Errors
    /// The word that counts is no strategy.
    pub fn of(param: Option<&str>, tag: Option<&str>, configured: Self) -> Result<Self, UnknownStrategy> {
        param.or(tag).map_or(Ok(configured), str::parse)
    }
}

impl std::str::FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        match text {
            "swap" => Ok(Self::Swap),
            "detach" => Ok(Self::Detach),
            "terminate" => Ok(Self::Terminate),
            "none" => Ok(Self::None),
            other => Err(UnknownStrategy(other.chars().take(64).collect())),
        }
    }
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
