//! What was in service when, of both groups, and what follows.

use std::{fmt::Write as _, time::Duration};

/// Units in service at one time.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Since the notice.
    pub at: Duration,
    /// Of the group with swaps.
    pub ours: u32,
    /// Of the one without.
    pub theirs: u32,
}

/// Samples, the oldest first.
#[derive(Debug, Default)]
pub struct Curve(Vec<Sample>);

/// One group over a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Side {
    /// Unit-seconds below what was desired.
    pub lacked: f64,
    /// Units below it, at the worst.
    pub deepest: u32,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Of the group with swaps.
    pub ours: Side,
    /// Of the one without.
    pub theirs: Side,
    /// The longest time without a break in which ours was lower, as far as samples show.
    pub longest_lower: Duration,
    /// When it began.
    pub lower_from: Duration,
    /// By how much the two groups were not interrupted, and seen, at the same time: what is shorter says nothing.
    pub tolerance: Duration,
    /// The curve, where it changes.
    pub told: String,
}

impl Verdict {
    /// Whether ours was lower for longer than the two groups were interrupted, and seen, apart.
    #[must_use]
    pub fn is_lower(&self) -> bool {
        self.longest_lower > self.tolerance
    }
}

impl Curve {
    /// The next sample.
    pub fn push(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    /// What it shows; `apart`: the longest time between the end of an instance of the one group and that of the same of the other.
    #[must_use]
    pub fn verdict(&self, desired: u32, apart: Duration) -> Verdict {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples every 100 ms: ours, theirs.
    fn verdict(samples: &[(u32, u32)]) -> Verdict {
        let mut curve = Curve::default();
        let mut at = Duration::ZERO;
        for (ours, theirs) in samples.iter().copied() {
            curve.push(Sample { at, ours, theirs });
            at += Duration::from_millis(100);
        }
        curve.verdict(4, Duration::from_millis(50))
    }

    #[test]
    fn what_lacks_is_counted_by_unit_and_second() {
        let found = verdict(&[(4, 4), (4, 2), (3, 2), (4, 4), (4, 4)]);
        assert!((found.theirs.lacked - 0.4).abs() < 1e-9, "{found:?}");
        assert!((found.ours.lacked - 0.1).abs() < 1e-9, "{found:?}");
        assert_eq!((found.ours.deepest, found.theirs.deepest), (1, 2));
        assert_eq!(found.longest_lower, Duration::ZERO);
    }

    #[test]
    fn lower_is_what_is_longer_than_the_two_are_apart() {
        let ms = Duration::from_millis;
        // Twice the widest gap of samples, and what they were interrupted apart.
        let short = verdict(&[(4, 4), (3, 4), (3, 4), (4, 4), (4, 4)]);
        assert_eq!((short.longest_lower, short.tolerance), (ms(200), ms(250)));
        assert!(!short.is_lower());
        let broken = verdict(&[(3, 4), (3, 4), (4, 4), (3, 4), (3, 4), (4, 4)]);
        assert!(!broken.is_lower(), "{broken:?}");
        let long = verdict(&[(4, 4), (3, 4), (3, 4), (3, 4), (4, 4)]);
        assert_eq!((long.longest_lower, long.lower_from), (ms(300), ms(100)));
        assert!(long.is_lower());
    }
}
