//! What a test turned.

use super::Delays;
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Knobs {
    /// Types and zones without capacity.
    pub(super) exhausted: HashSet<(String, String)>,
    pub(super) delays: Delays,
    pub(super) replacements_held: bool,
    pub(super) page: Option<usize>,
    /// Launches that are taken; none: as many as come.
    pub(super) launches: Option<Bucket>,
    /// Images by their names: `resolve:ssm:/nodes`.
    pub(super) images: BTreeMap<String, String>,
    /// How many instances more run in each capacity reservation.
    pub(super) reserved: BTreeMap<String, u32>,
    /// How old what is read of groups may be.
    pub(super) lag: Duration,
    /// How long what is launched does not show.
    pub(super) instance_lag: Duration,
}

/// So many calls at once, and so many a second (EC2 API reference, "request throttling").
#[derive(Debug)]
pub(super) struct Bucket {
    most: f64,
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    pub(super) fn new(most: u32, per_second: f64) -> Self {
        Self {
            most: f64::from(most),
            per_second,
            tokens: f64::from(most),
            filled: Instant::now(),
        }
    }

    pub(super) fn take(&mut self) -> bool {
        let more = self.filled.elapsed().as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + more).min(self.most);
        self.filled = Instant::now();
        let taken = self.tokens >= 1.0;
        if taken {
            self.tokens -= 1.0;
        }
        taken
    }
}
