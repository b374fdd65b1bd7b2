//! Session tokens of IMDSv2.

use std::collections::HashMap;
use std::time::{Duration, Instant};

const LONGEST_SECONDS: u32 = 21_600;

/// Tokens given out and when they end.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    ends: HashMap<String, Instant>,
    issued: u64,
}

impl Tokens {
    /// A new token with its time to live in seconds, if that is between 1 s and 6 h.
    pub(super) fn issue(&mut self, ttl: &str) -> Option<(String, u32)> {
        let ttl: u32 = ttl
            .trim()
            .parse()
            .ok()
            .filter(|ttl| (1..=LONGEST_SECONDS).contains(ttl))?;
        self.issued += 1;
        let token = format!("AQAEAsimulated{:024x}==", self.issued);
        self.ends
            .insert(token.clone(), Instant::now() + Duration::from_secs(ttl.into()));
        Some((token, ttl))
    }

    pub(super) fn valid(&self, token: &str) -> bool {
        self.ends.get(token).is_some_and(|end| *end > Instant::now())
    }

    pub(super) fn expire(&mut self) {
        self.ends.clear();
    }
}
