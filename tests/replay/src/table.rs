//! Means and spreads.

use std::fmt::Write as _;

use crate::{fleet::Outcome, strategy::Strategy};

/// An interruption's worth in the last column but one, in hours on demand: little, a lost hour and no more.
const LITTLE_HOURS: f64 = 1.0;
/// ... and in the last, as `domain::recommend` takes it by default.
const DEFAULT_HOURS: f64 = 24.0;

/// The head of a table.
pub const HEADER: &str = "| strategy | cost, % of on-demand | interruptions in 1,000 h | worst hour, % of the fleet | launches refused, % | cost with interruptions at 1 h | ... at 24 h |\n|---|---|---|---|---|---|---|";

/// A figure of one run.
pub type Figure<'a> = &'a dyn Fn(&Outcome) -> f64;

/// Cost with what the interruptions are worth, as a share of on-demand.
#[must_use]
pub fn whole(of: &Outcome, hours: f64) -> f64 {
    of.cost + of.interruptions / 1_000.0 * hours
}

/// Mean and deviation.
#[must_use]
pub fn spread(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}

/// One row: mean ± deviation over all runs.
#[must_use]
pub fn row(strategy: Strategy, runs: &[Outcome]) -> String {
    let mut row = format!("| {} |", strategy.name());
    let figures: [(Figure<'_>, usize); 6] = [
        (&|of| of.cost * 100.0, 1),
        (&|of| of.interruptions, 2),
        (&|of| of.worst_hour * 100.0, 0),
        (&|of| of.refused * 100.0, 1),
        (&|of| whole(of, LITTLE_HOURS) * 100.0, 1),
        (&|of| whole(of, DEFAULT_HOURS) * 100.0, 1),
    ];
    for (figure, digits) in figures {
        let (mean, deviation) = spread(&runs.iter().map(figure).collect::<Vec<_>>());
        let _unused = write!(row, " {mean:.digits$} ± {deviation:.digits$} |");
    }
    row
}

/// Of the runs, in how many the first is below the second, and the mean difference with its standard error.
#[must_use]
pub fn paired(ours: &[f64], other: &[f64]) -> (usize, f64, f64) {
    let differences: Vec<f64> = ours.iter().zip(other).map(|(a, b)| a - b).collect();
    let (mean, deviation) = spread(&differences);
    let below = differences.iter().filter(|difference| **difference < 0.0).count();
    (below, mean, deviation / (differences.len().max(1) as f64).sqrt())
}
