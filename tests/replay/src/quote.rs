//! What a pool costs: prices that come back to a level of the pool's own, changed at irregular times, with jumps.

use crate::chance::Chance;

/// Prices forget a shortage in a day: EC2 adjusts them gradually.
const LAG_HOURS: f64 = 24.0;
/// A unit short for long makes a pool 12 % dearer.
const SWAY: f64 = 0.12;
/// A new price is written every five hours on average ...
const WRITTEN_HOURS: f64 = 5.0;
/// ... if it is off by so much, and goes halfway.
const LEAST_CHANGE: f64 = 0.015;
const STEP: f64 = 0.5;
/// A price jumps once in 20 days, by 20 to 80 %, for half a day to three days.
const JUMP_HOURS: f64 = 20.0 * 24.0;
/// What prices follow that has nothing to do with a shortage forgets itself as a shortage does.
const OTHER_HOURS: f64 = 36.0;
/// Never below a tenth of on-demand (AWS: "up to 90 % off"), never above it.
const LEAST_SHARE: f64 = 0.1;

/// What prices follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coupling {
    /// The shortage of the same pool, late.
    Shortage,
    /// Something of the same kind that has nothing to do with it: prices say nothing about interruptions.
    Nothing,
}

impl Coupling {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Shortage, Self::Nothing];
}

/// When the price changed, and to what share of on-demand; the first at hour 0.
#[must_use]
pub fn quotes(seed: u64, place: u64, base: f64, shortage: &[f64], coupling: Coupling) -> Vec<(usize, f64)> {
    let rng = &mut Chance::new(seed, "price", place);
    let followed = match coupling {
        Coupling::Shortage => shortage.to_vec(),
        Coupling::Nothing => Chance::new(seed, "other", place).wander(shortage.len(), OTHER_HOURS),
    };
    let keep = (-1.0 / LAG_HOURS).exp();
    let mut slow = followed.first().copied().unwrap_or(0.0);
    let mut jump = 1.0;
    let mut jump_ends = 0;
    let mut price = 0.0;
    let mut found = Vec::new();
    for (hour, now) in followed.iter().enumerate() {
        slow = keep * slow + (1.0 - keep) * now;
        if hour >= jump_ends {
            jump = 1.0;
            if rng.happens(1.0 / JUMP_HOURS) {
                jump = rng.within(1.2, 1.8);
                jump_ends = hour + 12 + (rng.bits() % 60) as usize;
            }
        }
        let target = (base * (SWAY * slow).exp() * jump).clamp(LEAST_SHARE, 1.0);
        let written = rng.happens(1.0 / WRITTEN_HOURS);
        if hour == 0 {
            price = target;
            found.push((hour, price));
        } else if written && (target / price - 1.0).abs() > LEAST_CHANGE {
            price += (target - price) * STEP;
            found.push((hour, price));
        }
    }
    found
}
