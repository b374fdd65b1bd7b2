//! Rows of the table, and the bars some of them have.
//!
//! A bar is for an optimised build. In any other the rows say whether it would be met, and that decides nothing.

use std::{fmt, process::ExitCode, time::Duration};

use crate::sample::Latencies;

/// The head of the table.
pub const HEADER: &str = "| what | ours | floor | over the floor | bar | |\n|---|---|---|---|---|---|";

/// Whether this program is optimised: cargo's profiles that optimise are those without debug assertions.
pub const IS_OPTIMISED: bool = !cfg!(debug_assertions);

/// Prints rows as they come, and keeps which bars they missed.
#[derive(Debug, Default)]
pub struct Table {
    missed: Vec<String>,
}

/// What a run of the bench comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No row missed a bar.
    Met,
    /// These rows did, each with what was found and its bar.
    Missed(Vec<String>),
    /// These rows did, in a program that is not optimised.
    Undecided(Vec<String>),
}

/// A figure's limit, and whether the figure keeps to it.
struct Bar {
    limit: String,
    met: bool,
}

impl Table {
    /// Prints p50, p99 and max of ours beside the floor's. A bar is a limit on the difference.
    pub fn latencies(
        &mut self,
        what: &str,
        ours: &Latencies,
        floor: &Latencies,
        bars: [Option<Duration>; 2],
    ) {
        let quantiles = [
            ("p50", ours.quantile(0.5), floor.quantile(0.5)),
            ("p99", ours.quantile(0.99), floor.quantile(0.99)),
        ];
        for ((name, ours, floor), bar) in quantiles.into_iter().zip(bars) {
            let over = ours.saturating_sub(floor);
            let bar = bar.map(|bar| Bar {
                limit: format!("< {bar:.1?}"),
                met: over < bar,
            });
            let figures = [ours, floor, over].map(|time| format!("{time:.2?}"));
            let [_, _, compared] = figures.clone();
            self.row(&format!("{what}, {name}"), &figures, &compared, bar.as_ref());
        }
        let figures = [
            format!("{:.2?}", ours.max()),
            format!("{:.2?}", floor.max()),
            String::new(),
        ];
        self.row(&format!("{what}, max"), &figures, "", None);
    }

    /// Prints a rate beside the floor's. The bar is a share of the floor.
    pub fn rate(&mut self, what: &str, count: usize, ours: Duration, floor: Duration, bar: Option<f64>) {
        #[allow(clippy::cast_precision_loss, reason = "a count of messages")]
        let rate = |took: Duration| count as f64 / took.as_secs_f64();
        let share = rate(ours) / rate(floor);
        let bar = bar.map(|bar| Bar {
            limit: format!(">= {:.0} %", bar * 100.0),
            met: share >= bar,
        });
        let compared = format!("{:.0} % of it", share * 100.0);
        let figures = [
            format!("{:.0}/s", rate(ours)),
            format!("{:.0}/s", rate(floor)),
            compared.clone(),
        ];
        self.row(what, &figures, &compared, bar.as_ref());
    }

    /// Prints how long ours took beside the floor. The bar is a multiple of the floor.
    pub fn ratio(&mut self, what: &str, ours: Duration, floor: Duration, bar: Option<f64>) {
        let ratio = ours.as_secs_f64() / floor.as_secs_f64();
        let bar = bar.map(|bar| Bar {
            limit: format!("<= {bar:.2} x"),
            met: ratio <= bar,
        });
        let compared = format!("{ratio:.2} x");
        let figures = [format!("{ours:.2?}"), format!("{floor:.2?}"), compared.clone()];
        self.row(what, &figures, &compared, bar.as_ref());
    }

    /// Prints a figure that has a limit of its own and no floor, or one that is only shown.
    pub fn limit(&mut self, what: &str, found: f64, unit: &str, limit: Option<f64>) {
        let bar = limit.map(|limit| Bar {
            limit: format!("<= {limit} {unit}"),
            met: found <= limit,
        });
        let compared = format!("{found:.2} {unit}");
        let figures = [compared.clone(), String::new(), String::new()];
        self.row(what, &figures, &compared, bar.as_ref());
    }

    /// Prints ours, the floor's and what is between them; the limit, with whether it is kept, is of ours.
    pub fn beside(&mut self, what: &str, figures: &[String; 3], limit: Option<(String, bool)>) {
        let bar = limit.map(|(limit, met)| Bar { limit, met });
        let [compared, ..] = figures;
        self.row(what, figures, compared, bar.as_ref());
    }

    /// `compared` is the figure that the bar is about.
    fn row(&mut self, what: &str, [ours, floor, over]: &[String; 3], compared: &str, bar: Option<&Bar>) {
        let (limit, verdict) = match bar {
            Some(Bar { limit, met: true }) => (limit.trim_end(), "met"),
            Some(Bar { limit, met: false }) => {
                let limit = limit.trim_end();
                self.missed
                    .push(format!("{what}: {}, bar {limit}", compared.trim_end()));
                (limit, "NOT MET")
            }
            None => ("", ""),
        };
        for cell in [what, ours, floor, over, limit, verdict] {
            match cell {
                "" => print!("| "),
                cell => print!("| {cell} "),
            }
        }
        println!("|");
    }

    /// What all rows so far come to, in a program that is optimised or is not.
    #[must_use]
    pub fn verdict(&self, is_optimised: bool) -> Verdict {
        match (self.missed.as_slice(), is_optimised) {
            ([], _) => Verdict::Met,
            (missed, true) => Verdict::Missed(missed.to_vec()),
            (missed, false) => Verdict::Undecided(missed.to_vec()),
        }
    }
}

impl Verdict {
    /// Failure only where an optimised program missed a bar.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Missed(_) => ExitCode::FAILURE,
            Self::Met | Self::Undecided(_) => ExitCode::SUCCESS,
        }
    }
}

/// What is told at the end: nothing where all bars are met.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missed = match self {
            Self::Met => return Ok(()),
            Self::Missed(missed) => {
                writeln!(f, "Bars that were not met: {}", missed.len())?;
                missed
            }
            Self::Undecided(missed) => {
                writeln!(
                    f,
                    "Bars that were not met: {}; they are for an optimised build, which this is not",
                    missed.len()
                )?;
                missed
            }
        };
        missed.iter().try_for_each(|missed| writeln!(f, "  {missed}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn same(time: Duration) -> Latencies {
        Latencies::of(vec![time])
    }

    /// Which bars a table with these rows missed.
    fn missed(rows: impl FnOnce(&mut Table)) -> Vec<String> {
        let mut table = Table::default();
        rows(&mut table);
        table.missed
    }

    #[test]
    fn bars_of_each_kind_of_row() {
        let none: [&str; 0] = [];
        let bars = [Some(ms(1)), Some(ms(2))];
        for (over, expected) in [
            (ms(0), vec![]),
            (ms(1), vec!["x, p50: 1.00ms, bar < 1.0ms"]),
            (
                ms(2),
                vec!["x, p50: 2.00ms, bar < 1.0ms", "x, p99: 2.00ms, bar < 2.0ms"],
            ),
        ] {
            let found = missed(|table| table.latencies("x", &same(ms(5) + over), &same(ms(5)), bars));
            assert_eq!(found, expected, "{over:?}");
        }
        let shown = |table: &mut Table| table.latencies("x", &same(ms(9)), &same(ms(5)), [None, None]);
        assert_eq!(missed(shown), none);

        for (ours, expected) in [
            (ms(1_600), vec![]),
            (ms(2_000), vec!["x: 50 % of it, bar >= 60 %"]),
        ] {
            let found = missed(|table| table.rate("x", 10, ours, ms(1_000), Some(0.6)));
            assert_eq!(found, expected, "{ours:?}");
        }
        assert_eq!(
            missed(|table| table.rate("x", 10, ms(9_000), ms(1_000), None)),
            none
        );

        for (ours, expected) in [(ms(2_000), vec![]), (ms(2_010), vec!["x: 2.01 x, bar <= 2.00 x"])] {
            let found = missed(|table| table.ratio("x", ours, ms(1_000), Some(2.0)));
            assert_eq!(found, expected, "{ours:?}");
        }
        // What cannot be compared is not met.
        let nothing = |table: &mut Table| table.ratio("x", ms(0), ms(0), Some(2.0));
        assert_eq!(missed(nothing), ["x: NaN x, bar <= 2.00 x"]);

        for (found, limit, expected) in [
            (6.0, Some(6.0), vec![]),
            (6.5, Some(6.0), vec!["x: 6.50 MiB, bar <= 6 MiB"]),
            (6.5, None, vec![]),
        ] {
            let missed = missed(|table| table.limit("x", found, "MiB", limit));
            assert_eq!(missed, expected, "{found}");
        }

        let figures = ["4000/s", "5000/s", "80 % of it"].map(str::to_owned);
        for (met, expected) in [(true, vec![]), (false, vec!["x: 4000/s, bar >= 5000/s"])] {
            let limit = Some((">= 5000/s".to_owned(), met));
            let found = missed(|table| table.beside("x", &figures, limit));
            assert_eq!(found, expected, "{met}");
        }
    }

    #[test]
    fn what_a_missed_bar_comes_to() {
        let mut table = Table::default();
        for is_optimised in [true, false] {
            assert_eq!(table.verdict(is_optimised), Verdict::Met);
        }
        table.limit("small", 1.0, "MB", Some(6.0));
        table.limit("large", 7.0, "MB", Some(6.0));
        table.limit("larger", 8.0, "MB", Some(6.0));
        let names = ["large: 7.00 MB, bar <= 6 MB", "larger: 8.00 MB, bar <= 6 MB"];
        let names = names.map(str::to_owned).to_vec();
        assert_eq!(table.verdict(true), Verdict::Missed(names.clone()));
        assert_eq!(table.verdict(false), Verdict::Undecided(names));
    }

    #[test]
    fn how_the_program_ends() {
        let names = vec!["large: 7.00 MB, bar <= 6 MB".to_owned()];
        for (verdict, ends, told) in [
            (Verdict::Met, ExitCode::SUCCESS, None),
            (
                Verdict::Missed(names.clone()),
                ExitCode::FAILURE,
                Some("large: 7.00 MB"),
            ),
            (
                Verdict::Undecided(names),
                ExitCode::SUCCESS,
                Some("which this is not\n  large: 7.00 MB"),
            ),
        ] {
            assert_eq!(verdict.exit_code(), ends, "{verdict:?}");
            let text = verdict.to_string();
            match told {
                Some(told) => assert!(text.contains(told), "{text}"),
                None => assert_eq!(text, ""),
            }
        }
    }
}
