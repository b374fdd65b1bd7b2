//! `[ingest]`

use hollowtrees_runtime::config::Problem;
use serde::{Deserialize, Serialize};

use super::check;

/// How much is held at once.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Ingest {
    /// Notices that wait for the bus at one time.
    pub in_flight: usize,
    /// Dead letters of one source in a minute.
    pub dead_letters_per_minute: u32,
}

impl Ingest {
    pub(super) fn validate(&self, problems: &mut Vec<Problem>) {
        // Below what the connection has in flight at most.
        let in_flight = (1..=4_096).contains(&self.in_flight);
        check(problems, in_flight, "ingest.in_flight", "expected 1 to 4096");
        check(
            problems,
            (1..=60_000).contains(&self.dead_letters_per_minute),
            "ingest.dead_letters_per_minute",
            "expected 1 to 60000",
        );
    }
}
