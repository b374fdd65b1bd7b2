//! What a price history says.
//!
//! A spot price changes at irregular times and holds until the next change (EC2 user guide, "Spot Instance pricing
//! history"), so every figure is weighted by how long a price held, never by how often it was written.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};

/// Above this no instance is priced, in US dollars an hour: what is dearer is a mistake of who wrote it. The dearest
/// types cost some hundreds.
const DEAREST: f64 = 100_000.0;

/// The share of the time in which the price was at most [`Statistics::high`].
pub const HIGH_SHARE: f64 = 0.9;

/// A price in US dollars for an hour of one instance: finite, above zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price(f64);

/// What is no price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a price in US dollars an hour, above 0 and at most 100000, like `0.0416`, found `{0}`")]
pub struct BadPrice(pub String);

impl Price {
    /// Of a number of US dollars an hour.
    ///
    /// # Errors
    /// It is not above zero, not finite, or above what any instance costs.
    pub fn new(dollars: f64) -> Result<Self, BadPrice> {
        if dollars > 0.0 && dollars <= DEAREST {
            Ok(Self(dollars))
        } else {
            Err(BadPrice(dollars.to_string()))
        }
    }

    /// Of a text, as EC2 writes it (`0.041600`).
    ///
    /// # Errors
    /// It is no number, or no price.
    pub fn parse(text: &str) -> Result<Self, BadPrice> {
        let dollars = text.trim().parse().map_err(|_| BadPrice(text.to_owned()))?;
        Self::new(dollars).map_err(|_| BadPrice(text.to_owned()))
    }

    /// US dollars an hour.
    #[must_use]
    pub fn dollars(self) -> f64 {
        self.0
    }
}

impl Eq for Price {}

impl Ord for Price {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Price {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The price became this at that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// What it became.
    pub price: Price,
}

/// The price points of one pool, oldest first, one a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    points: Vec<Point>,
}

impl History {
    /// Of points in any order. Of two at one time the dearer counts.
    #[must_use]
    pub fn new(mut points: Vec<Point>) -> Self {
        points.sort_unstable_by(|a, b| a.at.cmp(&b.at).then(b.price.cmp(&a.price)));
        points.dedup_by_key(|point| point.at);
        Self { points }
    }

    /// The points, oldest first.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Figures over the time from `from` to `until`. Points before `from` count for the price that was in force then,
    /// points after `until` not at all; what was before the first point is unknown and left out. None: no price was
    /// in force at `until`.
    #[must_use]
    pub fn statistics(&self, from: Timestamp, until: Timestamp) -> Option<Statistics> {
        let known = self.points.iter().filter(|point| point.at <= until);
        let now = known.clone().next_back()?.price;
        let mut held: Vec<(Price, f64)> = Vec::new();
        let mut changes = 0;
        let mut last: Option<Point> = None;
        let mut span = |point: Point, end: Timestamp| {
            let seconds = end.duration_since(point.at.max(from)).as_secs_f64();
            if seconds > 0.0 {
                held.push((point.price, seconds));
            }
        };
        for point in known {
            if let Some(before) = last {
                span(before, point.at);
                changes += usize::from(point.at > from && point.price != before.price);
            }
            last = Some(*point);
        }
        if let Some(before) = last {
            span(before, until);
        }
        if held.is_empty() {
            // One price, at the very end of the time or with no time to hold: it is all there is.
            held.push((now, 1.0));
        }
        let first = self.points.first().map_or(until, |point| point.at.max(from));
        Some(Statistics {
            now,
            changes,
            covered: until.duration_since(first.min(until)),
            ..Statistics::of(held, now)
        })
    }
}

/// Figures of one pool's price. All finite; dollars an hour where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// In force at the end of the time.
    pub now: Price,
    /// Time-weighted mean.
    pub mean: f64,
    /// The price that was not exceeded for [`HIGH_SHARE`] of the time.
    pub high: f64,
    /// Time-weighted standard deviation as a share of the mean; 0 of a price that never changed.
    pub volatility: f64,
    /// Times the price changed.
    pub changes: usize,
    /// How much of the time a price is known for.
    pub covered: SignedDuration,
}

impl Statistics {
    /// Of prices and the seconds they held.
    fn of(mut held: Vec<(Price, f64)>, now: Price) -> Self {
        held.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let total: f64 = held.iter().map(|(_, seconds)| seconds).sum();
        let weighted = |of: &dyn Fn(f64) -> f64| {
            held.iter()
                .map(|(price, seconds)| of(price.0) * seconds)
                .sum::<f64>()
                / total
        };
        let mean = weighted(&|price| price);
        let variance = weighted(&|price| (price - mean) * (price - mean));
        let mut so_far = 0.0;
        let high = held
            .iter()
            .find(|(_, seconds)| {
                so_far += seconds;
                so_far >= total * HIGH_SHARE
            })
            .or_else(|| held.last())
            .map_or(now, |(price, _)| *price);
        Self {
            now,
            mean,
            high: high.0,
            volatility: variance.max(0.0).sqrt() / mean,
            changes: 0,
            covered: SignedDuration::ZERO,
        }
    }
}
