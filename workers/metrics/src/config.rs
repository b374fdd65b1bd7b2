//! The metrics worker's own configuration; the frame's is described in `hollowtrees_runtime::config`.

use std::time::Duration;

use hollowtrees_runtime::config::{self, Problem};
use serde::{Deserialize, Serialize};

/// The documented defaults.
pub const DEFAULTS: &str = include_str!("../metrics.toml");

/// Everything the metrics worker can be told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Settings {
    /// `[metrics]`
    pub metrics: Metrics,
}

/// How much is held at once, and how much is told apart.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Metrics {
    /// Messages of one stream held at once.
    pub accepted: usize,
    /// Messages claimed with one write.
    pub batch: usize,
    /// How long a batch may wait for more.
    #[serde(with = "config::duration")]
    pub linger: Duration,
    /// How often streams and consumers are looked at.
    #[serde(with = "config::duration")]
    pub poll_every: Duration,
    /// Values of the label `cluster`.
    pub clusters: usize,
    /// Values of each other label that users may add to.
    pub kinds: usize,
}

impl config::Settings for Settings {
    fn validate(&self, problems: &mut Vec<Problem>) {
        let metrics = &self.metrics;
        let mut check = |good: bool, key: &'static str, why: &str| {
            if !good {
                problems.push(Problem::new(key, why));
            }
        };
        // Together with other replicas below the 20,000 a consumer hands out at most.
        check(
            (1..=10_000).contains(&metrics.accepted),
            "metrics.accepted",
            "expected 1 to 10000",
        );
        check(
            (1..=metrics.accepted).contains(&metrics.batch),
            "metrics.batch",
            "expected 1 to metrics.accepted",
        );
        // What is held longer than five seconds is handed out again.
        check(
            metrics.linger <= Duration::from_secs(2),
            "metrics.linger",
            "expected at most 2s",
        );
        check(
            (Duration::from_millis(100)..=Duration::from_secs(60)).contains(&metrics.poll_every),
            "metrics.poll_every",
            "expected 100ms to 1m",
        );
        check(
            metrics.clusters <= 1_000,
            "metrics.clusters",
            "expected 0 to 1000",
        );
        check(
            (19..=1_000).contains(&metrics.kinds),
            "metrics.kinds",
            "expected 19 to 1000",
        );
    }
}

#[cfg(test)]
mod tests {
    use hollowtrees_runtime::config::Loader;

    use super::*;

    #[test]
    fn the_defaults_need_nothing_and_nonsense_is_refused_by_name() {
        Loader::new(DEFAULTS).load::<Settings>().unwrap();
        for (key, value, expected) in [
            ("HT_METRICS__ACCEPTED", "0", "metrics.accepted"),
            ("HT_METRICS__BATCH", "4096", "metrics.batch"),
            ("HT_METRICS__LINGER", "3s", "metrics.linger"),
            ("HT_METRICS__POLL_EVERY", "1h", "metrics.poll_every"),
            ("HT_METRICS__CLUSTERS", "5000", "metrics.clusters"),
            ("HT_METRICS__KINDS", "1", "metrics.kinds"),
        ] {
            let env = [(key.to_owned(), value.to_owned())];
            let loaded = Loader::new(DEFAULTS).env(env.into()).load::<Settings>();
            let refused = loaded.unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
