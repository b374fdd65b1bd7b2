//! Metric families whose number of labels is part of their type.

use std::time::Duration;

use prometheus::{Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec};

/// Counters told apart by `N` labels.
#[derive(Debug, Clone)]
pub struct Counters<const N: usize>(pub(super) IntCounterVec);

impl<const N: usize> Counters<N> {
    /// Adds one.
    pub fn increment(&self, values: [&str; N]) {
        self.add(values, 1);
    }

    /// Adds `count`.
    pub fn add(&self, values: [&str; N], count: u64) {
        if let Some(counter) = self.with(values) {
            counter.inc_by(count);
        }
    }

    /// The counter of these values, to keep where it is used often. Always there: the arity is right by its type.
    pub fn with(&self, values: [&str; N]) -> Option<IntCounter> {
        self.0.get_metric_with_label_values(&values).ok()
    }
}

/// Gauges told apart by `N` labels.
#[derive(Debug, Clone)]
pub struct Gauges<const N: usize>(pub(super) GaugeVec);

impl<const N: usize> Gauges<N> {
    /// Sets the value.
    pub fn set(&self, values: [&str; N], value: f64) {
        if let Some(gauge) = self.with(values) {
            gauge.set(value);
        }
    }

    /// The gauge of these values. Always there: the arity is right by its type.
    pub fn with(&self, values: [&str; N]) -> Option<Gauge> {
        self.0.get_metric_with_label_values(&values).ok()
    }

    /// Exports these values no longer.
    pub fn remove(&self, values: [&str; N]) {
        // An error says only that it was not there.
        self.0.remove_label_values(&values).unwrap_or_default();
    }

    /// Exports nothing until the next [`Gauges::set`].
    pub fn clear(&self) {
        self.0.reset();
    }
}

/// Histograms told apart by `N` labels.
#[derive(Debug, Clone)]
pub struct Histograms<const N: usize>(pub(super) HistogramVec);

impl<const N: usize> Histograms<N> {
    /// Records a duration, in seconds.
    pub fn observe(&self, values: [&str; N], duration: Duration) {
        if let Some(histogram) = self.with(values) {
            histogram.observe(duration.as_secs_f64());
        }
    }

    /// The histogram of these values. Always there: the arity is right by its type.
    pub fn with(&self, values: [&str; N]) -> Option<Histogram> {
        self.0.get_metric_with_label_values(&values).ok()
    }
}
