//! The router's own configuration; the frame's is described in `hollowtrees_runtime::config`.

use std::{path::PathBuf, time::Duration};

use hollowtrees_runtime::config::{self, Format, Problem};
use serde::{Deserialize, Serialize};

/// The documented defaults.
pub const DEFAULTS: &str = include_str!("../router.toml");

/// Everything the router can be told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Settings {
    /// `[router]`
    pub router: Router,
    /// `[rules]`
    pub rules: Rules,
}

/// How much is done at once.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Router {
    /// Notices, and outcomes, worked on at once.
    pub accepted: usize,
    /// Timers acted on at once.
    pub acting: usize,
    /// How the data of what it says is written.
    pub format: Format,
}

/// Where the rules are.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Rules {
    /// The file; empty for the default rules.
    pub file: PathBuf,
    /// How often it is looked at.
    #[serde(with = "config::duration")]
    pub check_every: Duration,
}

impl config::Settings for Settings {
    fn validate(&self, problems: &mut Vec<Problem>) {
        for (key, value) in [
            ("router.accepted", self.router.accepted),
            ("router.acting", self.router.acting),
        ] {
            if !(1..=10_000).contains(&value) {
                problems.push(Problem::new(key, "expected 1 to 10000"));
            }
        }
        if self.rules.check_every < Duration::from_millis(100) {
            problems.push(Problem::new("rules.check_every", "expected at least 100ms"));
        }
    }
}
