//! Every metric of the recommender, and the log lines that go with them.

use std::time::Duration;

use hollowtrees_aws::Refusal;
use hollowtrees_runtime::metrics::{Counters, Definition, Error, Gauges, Histograms, Metrics, count};
use jiff::Timestamp;

use crate::{interruptions::Tally, known::Known};

/// Calls of AWS.
pub const CALLS: Definition = Definition::new(
    "hollowtrees_recommender_aws_calls_total",
    "Calls of AWS, by what was asked and how it was answered.",
);
/// Age of what is known.
pub const AGE: Definition = Definition::new(
    "hollowtrees_recommender_data_age_seconds",
    "Since what is known was read, by region and source; not there before the first read.",
);
/// Reads that failed in a row.
pub const FAILURES: Definition = Definition::new(
    "hollowtrees_recommender_failed_reads",
    "Reads that failed since the last good one, by region and source.",
);
/// Pools with a price.
pub const POOLS: Definition = Definition::new(
    "hollowtrees_recommender_pools",
    "Pools whose spot price is known, by region.",
);
/// Our interruptions.
pub const INTERRUPTIONS: Definition = Definition::new(
    "hollowtrees_recommender_interruptions",
    "Our own interruptions that are remembered, by region and whether the pool is known.",
);
/// Trouble with the stream of notices.
pub const DEAF: Definition = Definition::new(
    "hollowtrees_recommender_notices_errors_total",
    "Times the stream of notices could not be read on.",
);
/// The operator's files.
pub const FILES: Definition = Definition::new(
    "hollowtrees_recommender_file_reads_total",
    "Reads of the operator's files after a change, by file and whether it could be used.",
);
/// Requests answered.
pub const REQUESTS: Definition = Definition::new(
    "hollowtrees_recommender_requests_total",
    "HTTP requests answered, by path and status.",
);
/// Time to the answer.
pub const REQUEST_TIME: Definition = Definition::new(
    "hollowtrees_recommender_request_seconds",
    "From a request's head to its answer, by path.",
);

const BUCKETS: [f64; 9] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5];

/// Counts and tells. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Telemetry {
    calls: Counters<2>,
    age: Gauges<2>,
    failures: Gauges<2>,
    pools: Gauges<1>,
    interruptions: Gauges<2>,
    deaf: Counters<0>,
    files: Counters<2>,
    requests: Counters<2>,
    request_time: Histograms<1>,
}

impl Telemetry {
    /// Registers them.
    ///
    /// # Errors
    /// A name is taken.
    pub fn register(metrics: &Metrics) -> Result<Self, Error> {
        Ok(Self {
            calls: metrics.counters(CALLS, ["call", "answer"])?,
            age: metrics.gauges(AGE, ["region", "source"])?,
            failures: metrics.gauges(FAILURES, ["region", "source"])?,
            pools: metrics.gauges(POOLS, ["region"])?,
            interruptions: metrics.gauges(INTERRUPTIONS, ["region", "pool"])?,
            deaf: metrics.counters(DEAF, [])?,
            files: metrics.counters(FILES, ["file", "read"])?,
            requests: metrics.counters(REQUESTS, ["path", "status"])?,
            request_time: metrics.histograms(REQUEST_TIME, ["path"], &BUCKETS)?,
        })
    }

    /// Counts a call of AWS.
    pub fn called<T>(&self, call: &'static str, answer: &Result<T, Refusal>) {
        let word = match answer {
            Ok(_) => "ok",
            Err(Refusal::Throttled { .. }) => "throttled",
            Err(Refusal::Capacity { .. }) => "capacity",
            Err(Refusal::Rejected { .. }) => "rejected",
            Err(Refusal::Missing { .. }) => "missing",
            Err(Refusal::Denied { .. }) => "denied",
            Err(Refusal::Unclear { .. }) => "unclear",
        };
        self.calls.increment([call, word]);
        if let Err(refusal) = answer {
            tracing::warn!(call, %refusal, "AWS does not answer; what was known before still counts.");
        }
    }

    /// How old what is known of a region is.
    pub fn known(&self, region: &str, known: &Known, now: Timestamp) {
        let of = |source: &'static str, read_at: Option<Timestamp>, failures: u32| {
            if let Some(at) = read_at {
                let age = now.duration_since(at).as_secs_f64().max(0.0);
                self.age.set([region, source], age);
            }
            self.failures.set([region, source], f64::from(failures));
        };
        of("prices", known.prices.read_at(), known.prices.failures());
        of("types", known.offered.read_at(), known.offered.failures());
        of("placement", known.placement.read_at(), known.placement.failures());
        let pools = known.prices.value().map_or(0, |prices| prices.len());
        self.pools.set([region], count(pools));
    }

    /// Our interruptions of a region.
    pub fn interrupted(&self, region: &str, tally: Tally) {
        self.interruptions.set([region, "known"], count(tally.placed));
        self.interruptions.set([region, "unknown"], count(tally.unplaced));
    }

    /// The stream of notices could not be read on.
    pub fn deaf(&self) {
        self.deaf.increment([]);
    }

    /// A file was read.
    pub fn file(&self, file: &'static str, good: bool) {
        self.files.increment([file, if good { "ok" } else { "refused" }]);
    }

    /// A request was answered.
    pub fn answered(&self, path: &'static str, status: u16, taken: Duration) {
        self.requests.increment([path, &status.to_string()]);
        self.request_time.observe([path], taken);
    }
}
