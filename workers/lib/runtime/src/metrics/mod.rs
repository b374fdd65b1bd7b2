//! Metrics that cannot be given the wrong labels.
//!
//! A metric is declared once as a [`Definition`] constant (in the `metrics.rs` of its crate), made from a [`Metrics`]
//! handle, and given as many label values as it has labels, or it does not compile. There is no global registry.
//! Label values have to be bounded: constants, or texts that went through [`bounded`].

pub mod bounded;
mod proc;
mod vectors;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder, core::Collector,
};

pub use prometheus::{Error, Gauge, Histogram, IntCounter};
pub use vectors::{Counters, Gauges, Histograms};

use crate::process::Identity;

/// Name and help text of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// `hollowtrees_<noun>_<unit>[_total]`
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
}

impl Definition {
    /// Declares a metric.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help }
    }
}

/// Who runs: always 1.
pub const BUILD_INFO: Definition = Definition::new(
    "hollowtrees_build_info",
    "Always 1; kind of worker and its version as labels.",
);
/// Every error that was logged or answered.
pub const ERRORS: Definition = Definition::new(
    "hollowtrees_errors_total",
    "Errors by type and by the stage they happened in.",
);

/// Where a process's metrics are made and written out. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    errors: Counters<2>,
    before: Arc<Mutex<Vec<Refresh>>>,
}

type Refresh = Box<dyn Fn() + Send + Sync>;

impl Metrics {
    /// A registry with what every process exports: [`BUILD_INFO`], [`ERRORS`] and the `process_*` metrics.
    ///
    /// # Errors
    /// Does not happen with a new registry; see [`Error`].
    pub fn new(identity: &Identity) -> Result<Self, Error> {
        let registry = Registry::new();
        let errors = IntCounterVec::new(Opts::new(ERRORS.name, ERRORS.help), &["error_type", "stage"])?;
        registry.register(Box::new(errors.clone()))?;
        let metrics = Self {
            registry,
            errors: Counters(errors),
            before: Arc::default(),
        };
        metrics
            .gauges(BUILD_INFO, ["kind", "version"])?
            .set([identity.kind, identity.version], 1.0);
        proc::register(&metrics)?;
        Ok(metrics)
    }

    /// The registry itself, for a metric this handle does not make.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Counts an error. Both are constants, so the label values are bounded.
    pub fn error(&self, error_type: &'static str, stage: &'static str) {
        self.errors.increment([error_type, stage]);
    }

    /// A counter without labels.
    ///
    /// # Errors
    /// The name is taken or not a metric's name.
    pub fn counter(&self, definition: Definition) -> Result<IntCounter, Error> {
        self.keep(IntCounter::with_opts(options(definition))?)
    }

    /// Counters told apart by labels.
    ///
    /// # Errors
    /// The name is taken or not a metric's name.
    pub fn counters<const N: usize>(
        &self,
        definition: Definition,
        labels: [&str; N],
    ) -> Result<Counters<N>, Error> {
        Ok(Counters(
            self.keep(IntCounterVec::new(options(definition), &labels)?)?,
        ))
    }

    /// A gauge without labels.
    ///
    /// # Errors
    /// The name is taken or not a metric's name.
    pub fn gauge(&self, definition: Definition) -> Result<Gauge, Error> {
        self.keep(Gauge::with_opts(options(definition))?)
    }

    /// Gauges told apart by labels.
    ///
    /// # Errors
    /// The name is taken or not a metric's name.
    pub fn gauges<const N: usize>(
        &self,
        definition: Definition,
        labels: [&str; N],
    ) -> Result<Gauges<N>, Error> {
        Ok(Gauges(self.keep(GaugeVec::new(options(definition), &labels)?)?))
    }

    /// A histogram without labels; upper bounds of its buckets in the unit of its name.
    ///
    /// # Errors
    /// The name is taken or not a metric's name, or the bounds do not rise.
    pub fn histogram(&self, definition: Definition, buckets: &[f64]) -> Result<Histogram, Error> {
        self.keep(Histogram::with_opts(histogram_options(definition, buckets))?)
    }

    /// Histograms told apart by labels; upper bounds of their buckets in the unit of the name.
    ///
    /// # Errors
    /// The name is taken or not a metric's name, or the bounds do not rise.
    pub fn histograms<const N: usize>(
        &self,
        definition: Definition,
        labels: [&str; N],
        buckets: &[f64],
    ) -> Result<Histograms<N>, Error> {
        let options = histogram_options(definition, buckets);
        Ok(Histograms(self.keep(HistogramVec::new(options, &labels)?)?))
    }

    /// Has `refresh` called before each scrape, for values that are read rather than kept. It must not block, nor
    /// call this method.
    pub fn before_scrape(&self, refresh: impl Fn() + Send + Sync + 'static) {
        self.refreshes().push(Box::new(refresh));
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// A metric family without a name or value: does not happen with metrics made here.
    pub fn encode(&self) -> Result<String, Error> {
        self.refreshes().iter().for_each(|refresh| refresh());
        let mut text = String::new();
        TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    fn keep<C: Collector + Clone + 'static>(&self, metric: C) -> Result<C, Error> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn refreshes(&self) -> std::sync::MutexGuard<'_, Vec<Refresh>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// A number of things as a gauge's value: exact up to 2^32, more than any process holds.
pub fn count(number: usize) -> f64 {
    u32::try_from(number).map_or_else(|_| f64::from(u32::MAX), f64::from)
}

fn options(definition: Definition) -> Opts {
    Opts::new(definition.name, definition.help)
}

fn histogram_options(definition: Definition, buckets: &[f64]) -> HistogramOpts {
    HistogramOpts::new(definition.name, definition.help).buckets(buckets.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(&Identity {
            kind: "router",
            id: "host-1".into(),
            version: "1.2.3",
        })
        .unwrap()
    }

    #[test]
    fn every_process_says_who_it_is_what_went_wrong_and_what_it_takes() {
        let metrics = metrics();
        metrics.error("timeout", "publish");
        metrics.error("timeout", "publish");
        let text = metrics.encode().unwrap();
        for line in [
            "hollowtrees_build_info{kind=\"router\",version=\"1.2.3\"} 1",
            "hollowtrees_errors_total{error_type=\"timeout\",stage=\"publish\"} 2",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
        let value = |name: &str| {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{name} ")))
                .unwrap();
            line.split(' ').nth(1).unwrap().parse::<f64>().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 100_000.0);
        assert!(value("process_open_fds") >= 3.0);
        assert!(value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_cpu_seconds_total") >= 0.0);
        assert!(value("process_threads") >= 1.0);
        assert!((1.6e9..1e11).contains(&value("process_start_time_seconds")));
    }

    #[test]
    fn a_refresh_runs_before_each_scrape() {
        let metrics = metrics();
        let count = metrics
            .counter(Definition::new("scrapes_total", "Scrapes."))
            .unwrap();
        metrics.before_scrape(move || count.inc());
        metrics.encode().unwrap();
        assert!(metrics.encode().unwrap().contains("\nscrapes_total 2\n"));
    }

    #[test]
    fn a_name_is_given_once() {
        let metrics = metrics();
        assert!(metrics.counter(ERRORS).is_err());
    }

    #[test]
    fn gauges_forget_what_is_taken_away() {
        let metrics = metrics();
        let gauges = metrics
            .gauges(Definition::new("going", "Going."), ["instance"])
            .unwrap();
        gauges.set(["a"], 1.0);
        gauges.set(["b"], 1.0);
        gauges.remove(["a"]);
        let text = metrics.encode().unwrap();
        assert!(
            !text.contains("going{instance=\"a\"}") && text.contains("going{instance=\"b\"} 1"),
            "{text}"
        );
    }
}
