//! What the asker cares for. Each default says why it is that.

use jiff::SignedDuration;

/// Weights of a recommendation, each within its bounds. [`Taste::default`] is what `docs/recommender.md` measures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Taste(Choices);

/// A taste that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {found}, expected {expected}")]
pub struct BadTaste {
    name: &'static str,
    found: String,
    expected: &'static str,
}

/// What one may set. [`Choices::default`] says why each is what it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choices {
    /// What one interruption is worth, in hours of an on-demand instance.
    pub interruption_hours: f64,
    /// After this an interruption counts half.
    pub half_life: SignedDuration,
    /// How far back prices count.
    pub window: SignedDuration,
    /// Prices read longer ago are called stale.
    pub stale_after: SignedDuration,
    /// The largest share of the instances one pool may have, if there are pools enough.
    pub most_share: f64,
    /// How much dearer the interruption of a pool's last instance is than of its first, were all in it.
    pub crowding: f64,
}

impl Default for Choices {
    /// - An interruption is worth 24 on-demand hours: its drain, replacement and cold caches cost minutes of machines, but
    ///   whoever asks for pools that last means people's time too.
    /// - Half-life 3 days: capacity is short for hours to days, and a pool that is short for good shows it again.
    /// - Prices of 7 days: a week has all of its weekdays, and the original looked at as much.
    /// - Stale after 6 h: EC2 moves prices gradually, some times a day at most.
    /// - At most a fifth of the instances in one pool: what one reclaim takes at once has to fit into the rest.
    /// - Crowding 2: in the same measure, losing all of an instance count at once is worth three times as much as one by one.
    fn default() -> Self {
        Self {
            interruption_hours: 24.0,
            half_life: SignedDuration::from_hours(72),
            window: SignedDuration::from_hours(7 * 24),
            stale_after: SignedDuration::from_hours(6),
            most_share: 0.2,
            crowding: 2.0,
        }
    }
}

impl Taste {
    /// Of what someone chose.
    ///
    /// # Errors
    /// One of them is out of its bounds.
    pub fn new(choices: Choices) -> Result<Self, BadTaste> {
        let number = |name, found: f64, least: f64, most: f64, expected| {
            if (least..=most).contains(&found) {
                Ok(found)
            } else {
                Err(BadTaste {
                    name,
                    found: found.to_string(),
                    expected,
                })
            }
        };
        let time = |name, found: SignedDuration| {
            let within =
                (SignedDuration::from_mins(1)..=SignedDuration::from_hours(366 * 24)).contains(&found);
            within.then_some(found).ok_or_else(|| BadTaste {
                name,
                found: crate::duration::format(found),
                expected: "a duration from 1m to 366d",
            })
        };
        Ok(Self(Choices {
            interruption_hours: number(
                "interruption_hours",
                choices.interruption_hours,
                0.0,
                10_000.0,
                "on-demand hours from 0 to 10000",
            )?,
            half_life: time("half_life", choices.half_life)?,
            window: time("window", choices.window)?,
            stale_after: time("stale_after", choices.stale_after)?,
            most_share: number(
                "most_share",
                choices.most_share,
                0.01,
                1.0,
                "a share of the instances from 0.01 to 1",
            )?,
            crowding: number("crowding", choices.crowding, 0.0, 100.0, "a factor from 0 to 100")?,
        }))
    }

    /// What one interruption is worth, in hours of an on-demand instance.
    #[must_use]
    pub fn interruption_hours(&self) -> f64 {
        self.0.interruption_hours
    }

    /// How much something so old still counts: 1 at once, a half after the half-life. What is in the future counts whole.
    #[must_use]
    pub fn decay(&self, age: SignedDuration) -> f64 {
        (-age.as_secs_f64().max(0.0) / self.0.half_life.as_secs_f64()).exp2()
    }

    /// After this an interruption counts half.
    #[must_use]
    pub fn half_life(&self) -> SignedDuration {
        self.0.half_life
    }

    /// How far back prices count.
    #[must_use]
    pub fn window(&self) -> SignedDuration {
        self.0.window
    }

    /// Prices read longer ago are called stale.
    #[must_use]
    pub fn stale_after(&self) -> SignedDuration {
        self.0.stale_after
    }

    /// The largest share of the instances one pool may have, if there are pools enough.
    #[must_use]
    pub fn most_share(&self) -> f64 {
        self.0.most_share
    }

    /// How much dearer an interruption becomes as a pool fills.
    #[must_use]
    pub fn crowding(&self) -> f64 {
        self.0.crowding
    }
}
