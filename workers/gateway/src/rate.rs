//! So many in a time, for each of a bounded number of names.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Names told apart; all later ones share one bucket.
const NAMES: usize = 1_024;
/// The bucket of the names beyond.
const OTHERS: &str = "";

/// Token buckets by name. A bucket begins full.
#[derive(Debug)]
pub struct Rates {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<Box<str>, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Rates {
    /// `per_second` in the long run, `burst` at once. Of both more than 0.
    pub fn new(per_second: f64, burst: f64) -> Self {
        Self {
            per_second,
            burst,
            buckets: Mutex::default(),
        }
    }

    /// Takes one for `name` at `now`.
    ///
    /// # Errors
    /// There is none; how long until there is one.
    pub fn take(&self, name: &str, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if buckets.len() < NAMES || buckets.contains_key(name) {
            name
        } else {
            OTHERS
        };
        let full = Bucket {
            tokens: self.burst,
            at: now,
        };
        let bucket = buckets.entry(name.into()).or_insert(full);
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * self.per_second).min(self.burst);
        bucket.at = bucket.at.max(now);
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            Ok(())
        } else {
            Err(
                Duration::try_from_secs_f64((1.0 - bucket.tokens) / self.per_second)
                    .unwrap_or(Duration::from_secs(60)),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate_for_each_name_apart() {
        let rates = Rates::new(2.0, 3.0);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let taken: Vec<_> = (0..4).map(|_| rates.take("a", at(0)).is_ok()).collect();
        assert_eq!(taken, [true, true, true, false]);
        assert_eq!(rates.take("a", at(0)), Err(Duration::from_millis(500)));
        rates.take("b", at(0)).unwrap();
        rates.take("a", at(500)).unwrap();
        rates.take("a", at(600)).unwrap_err();
        // A clock that a thread read earlier takes nothing back.
        rates.take("a", at(100)).unwrap_err();
        rates.take("a", at(1_000)).unwrap();
    }

    #[test]
    fn names_beyond_the_bound_share_one_bucket() {
        let rates = Rates::new(1.0, 1.0);
        let now = Instant::now();
        for number in 0..NAMES {
            rates.take(&number.to_string(), now).unwrap();
        }
        rates.take("one more", now).unwrap();
        rates.take("and another", now).unwrap_err();
        assert!(rates.buckets.lock().unwrap().len() <= NAMES + 1);
    }
}
