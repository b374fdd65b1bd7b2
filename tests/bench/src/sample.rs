//! Rows of the table.

use std::time::Duration;

/// The head of the table.
pub(crate) const HEADER: &str = "| what | ours | floor | over the floor | bar | |\n|---|---|---|---|---|---|";

/// Latencies of one run.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// The smallest latency that this share of all does not exceed.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        let index = ((self.0.len() as f64 * share).ceil() as usize).saturating_sub(1);
        self.0.get(index).copied().unwrap_or_default()
    }

    pub(crate) fn max(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }
}

/// Prints p50, p99 and max of ours beside the floor's. A bar is a limit on the difference.
pub(crate) fn latency_rows(what: &str, ours: &Latencies, floor: &Latencies, bars: [Option<Duration>; 2]) {
    let quantiles = [
        ("p50", ours.quantile(0.5), floor.quantile(0.5)),
        ("p99", ours.quantile(0.99), floor.quantile(0.99)),
    ];
    for ((name, ours, floor), bar) in quantiles.into_iter().zip(bars) {
        let over = ours.saturating_sub(floor);
        let (bar, met) = match bar {
            Some(bar) => (format!("< {bar:.1?}"), if over < bar { "met" } else { "NOT MET" }),
            None => (String::new(), ""),
        };
        println!("| {what}, {name} | {ours:.2?} | {floor:.2?} | {over:.2?} | {bar} | {met} |");
    }
    println!("| {what}, max | {:.2?} | {:.2?} | | | |", ours.max(), floor.max());
}

/// Prints a rate beside the floor's. The bar is a share of the floor.
pub(crate) fn rate_row(what: &str, count: usize, ours: Duration, floor: Duration, bar: Option<f64>) {
    #[allow(clippy::cast_precision_loss, reason = "a count of messages")]
    let rate = |took: Duration| count as f64 / took.as_secs_f64();
    let share = rate(ours) / rate(floor);
    let (bar, met) = match bar {
        Some(bar) => (
            format!(">= {:.0} %", bar * 100.0),
            if share >= bar { "met" } else { "NOT MET" },
        ),
        None => (String::new(), ""),
    };
    println!(
        "| {what} | {:.0}/s | {:.0}/s | {:.0} % of it | {bar} | {met} |",
        rate(ours),
        rate(floor),
        share * 100.0
    );
}

/// Prints how long ours took beside the floor. The bar is a multiple of the floor.
pub(crate) fn ratio_row(what: &str, ours: Duration, floor: Duration, bar: Option<f64>) {
    let ratio = ours.as_secs_f64() / floor.as_secs_f64();
    let (bar, met) = match bar {
        Some(bar) => (format!("<= {bar:.2} x"), verdict(ratio <= bar)),
        None => (String::new(), ""),
    };
    println!("| {what} | {ours:.2?} | {floor:.2?} | {ratio:.2} x | {bar} | {met} |");
}

/// Prints a figure that has a limit of its own and no floor, or one that is only shown.
pub(crate) fn limit_row(what: &str, found: f64, unit: &str, limit: Option<f64>) {
    let (limit, met) = match limit {
        Some(limit) => (format!("<= {limit} {unit}"), verdict(found <= limit)),
        None => (String::new(), ""),
    };
    println!("| {what} | {found:.2} {unit} | | | {limit} | {met} |");
}

/// Prints a figure beside the floor's that has a limit of its own.
pub(crate) fn beside_row(what: &str, [ours, floor, over]: [String; 3], limit: Option<(String, bool)>) {
    let (limit, met) = limit.map_or((String::new(), ""), |(limit, met)| (limit, verdict(met)));
    println!("| {what} | {ours} | {floor} | {over} | {limit} | {met} |");
}

/// In milliseconds.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "NOT MET" }
}
