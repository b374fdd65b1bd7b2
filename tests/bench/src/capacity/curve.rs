//! What was in service when, of both groups, and what follows.

use std::{fmt::Write as _, time::Duration};

/// Units in service at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Since the notice.
    pub(super) at: Duration,
    pub(super) ours: u32,
    pub(super) theirs: u32,
}

/// Samples, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Curve(Vec<Sample>);

/// One group over a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Side {
    /// Unit-seconds below what was desired.
    pub(super) lacked: f64,
    /// Units below it, at the worst.
    pub(super) deepest: u32,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) ours: Side,
    pub(super) theirs: Side,
    /// The longest time without a break in which ours was lower, as far as samples show, and when it began.
    pub(super) longest_lower: Duration,
    pub(super) lower_from: Duration,
    /// By how much the two groups were not interrupted, and seen, at the same time: what is shorter says nothing.
    pub(super) tolerance: Duration,
    /// The curve, where it changes.
    pub(super) told: String,
}

impl Curve {
    pub(super) fn push(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    /// `apart`: the longest time between the end of an instance of the one group and that of the same of the other.
    pub(super) fn verdict(&self, desired: u32, apart: Duration) -> Verdict {
        let mut verdict = Verdict {
            ours: Side::default(),
            theirs: Side::default(),
            longest_lower: Duration::ZERO,
            lower_from: Duration::ZERO,
            tolerance: Duration::ZERO,
            told: String::new(),
        };
        let mut lower_since = None;
        let mut widest = Duration::ZERO;
        for (now, next) in self.0.iter().zip(self.0.iter().skip(1)) {
            let held = next.at.saturating_sub(now.at);
            widest = widest.max(held);
            for (side, units) in [(&mut verdict.ours, now.ours), (&mut verdict.theirs, now.theirs)] {
                let lacks = desired.saturating_sub(units);
                side.lacked += f64::from(lacks) * held.as_secs_f64();
                side.deepest = side.deepest.max(lacks);
            }
            if now.ours < now.theirs {
                let since = *lower_since.get_or_insert(now.at);
                let lasted = next.at.saturating_sub(since);
                if lasted > verdict.longest_lower {
                    (verdict.longest_lower, verdict.lower_from) = (lasted, since);
                }
            } else {
                lower_since = None;
            }
        }
        verdict.tolerance = apart + 2 * widest;
        verdict.told = self.told();
        verdict
    }

    fn told(&self) -> String {
        let mut told = String::new();
        let mut before = None;
        for sample in &self.0 {
            let now = (sample.theirs, sample.ours);
            if before.replace(now) != Some(now) {
                write!(told, "{:.2?}: {}, {}; ", sample.at, now.0, now.1).unwrap_or_default();
            }
        }
        told
    }
}
