//! How much of a cluster may be out of use at once for what is only advised.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The most nodes that may take no pods at once, whoever cordoned them, as far as an advisory notice adds to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Cap {
    /// A percentage of all nodes, rounded down, but one at least.
    Share(u8),
    /// So many.
    Count(u32),
}

/// A text that is no cap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a share of the nodes such as `30%`, `100%` for no cap, or a number of nodes such as `10`, found `{0}`"
)]
pub struct BadCap(pub String);

impl Cap {
    /// Whether one more may be cordoned, given how many of how many nodes take no pods now.
    #[must_use]
    pub fn allows_one_more(self, cordoned: usize, nodes: usize) -> bool {
        let most = match self {
            Self::Share(percent) => (nodes.saturating_mul(usize::from(percent)) / 100).max(1),
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
        };
        cordoned < most
    }
}

impl FromStr for Cap {
    type Err = BadCap;

    fn from_str(text: &str) -> Result<Self, BadCap> {
        let bad = || BadCap(text.to_owned());
        match text.trim().strip_suffix('%') {
            Some(share) => {
                let share = share.trim().parse().map_err(|_| bad())?;
                Some(Self::Share(share)).filter(|_| share <= 100).ok_or_else(bad)
            }
            None => text.trim().parse().map(Self::Count).map_err(|_| bad()),
        }
    }
}

impl TryFrom<String> for Cap {
    type Error = BadCap;

    fn try_from(text: String) -> Result<Self, BadCap> {
        text.parse()
    }
}

impl From<Cap> for String {
    fn from(cap: Cap) -> Self {
        cap.to_string()
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(percent) => write!(f, "{percent}%"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_a_share_or_a_number() {
        let check = |text: &str, cordoned: usize, nodes: usize, expected: bool| {
            let cap: Cap = text.parse().unwrap();
            assert_eq!(
                cap.allows_one_more(cordoned, nodes),
                expected,
                "{text}: {cordoned} of {nodes}"
            );
            assert_eq!(cap.to_string().parse(), Ok(cap));
        };
        check("30%", 2, 10, true);
        check("30%", 3, 10, false);
        check("30%", 0, 2, true);
        check("30%", 1, 2, false);
        check("100%", 9, 10, true);
        check("10", 9, 1_000, true);
        check("10", 10, 1_000, false);
        check("0", 0, 10, false);
        for bad in ["", "%", "101%", "-1", "many", "1.5"] {
            assert!(bad.parse::<Cap>().is_err(), "{bad}");
        }
    }
}
