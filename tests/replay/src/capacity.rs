//! How short of capacity each pool is, hour by hour: 0 is usual, 2 is short, 4 is nearly nothing left.

use std::collections::BTreeMap;

use hollowtrees_domain::recommend::Pool;

use crate::chance::Chance;

/// Demand for a pool forgets itself in a day and a half.
const MEMORY_HOURS: f64 = 36.0;
/// Of the variance what is of the type, in all zones: who moves to another zone meets it again.
const OF_TYPE: f64 = 0.3;
/// Of the variance what is of the zone, for all types.
const OF_ZONE: f64 = 0.2;
/// A pool runs short all of a sudden once in 14 days ...
const EPISODE_HOURS: f64 = 14.0 * 24.0;
/// ... and recovers by two thirds in half a day.
const RECOVERY_HOURS: f64 = 12.0;
/// Share of the pools that are short for good: an older type, a small zone.
const BAD_SHARE: f64 = 0.15;
/// Reclaims of a pool an hour when it is as short as usual: one in nine months.
const RECLAIMS: f64 = 1.5e-4;
/// Each unit short makes them e^1.3 = 3.7 times as frequent.
const STEEPNESS: f64 = 1.3;
/// No pool is reclaimed from more often than this an hour.
const MOST_RECLAIMS: f64 = 0.25;
/// A reclaim takes from a tenth to eight tenths of what runs there.
const TAKEN: (f64, f64) = (0.1, 0.8);
/// As short as this a launch is refused as often as not.
const REFUSED_AT: f64 = 2.5;

/// What is of a pool's type and of its zone.
#[derive(Clone, Debug, Default)]
pub struct Common {
    types: BTreeMap<String, Vec<f64>>,
    zones: BTreeMap<String, Vec<f64>>,
}

impl Common {
    /// Of these pools.
    #[must_use]
    pub fn new(seed: u64, pools: &[Pool], hours: usize) -> Self {
        let mut common = Self::default();
        for (place, pool) in (0_u64..).zip(pools) {
            let of = |purpose| Chance::new(seed, purpose, place).wander(hours, MEMORY_HOURS);
            common
                .types
                .entry(pool.instance_type.clone())
                .or_insert_with(|| of("type"));
            common
                .zones
                .entry(pool.zone.clone())
                .or_insert_with(|| of("zone"));
        }
        common
    }
}

/// How short one pool is in each hour.
#[must_use]
pub fn shortage(seed: u64, place: u64, pool: &Pool, common: &Common, hours: usize) -> Vec<f64> {
    let rng = &mut Chance::new(seed, "pool", place);
    let level = if rng.happens(BAD_SHARE) {
        rng.within(1.5, 2.5)
    } else {
        0.4 * rng.normal() - 0.2
    };
    let own = Chance::new(seed, "own", place).wander(hours, MEMORY_HOURS);
    let of = |common: &BTreeMap<String, Vec<f64>>, name: &str| common.get(name).cloned().unwrap_or_default();
    let (of_type, of_zone) = (
        of(&common.types, &pool.instance_type),
        of(&common.zones, &pool.zone),
    );
    let mut episode = 0.0;
    own.iter()
        .zip(of_type.iter().zip(&of_zone))
        .map(|(own, (of_type, of_zone))| {
            episode *= (-1.0 / RECOVERY_HOURS).exp();
            if rng.happens(1.0 / EPISODE_HOURS) {
                episode += 2.0 + rng.exponential();
            }
            let rest = 1.0 - OF_TYPE - OF_ZONE;
            level + OF_TYPE.sqrt() * of_type + OF_ZONE.sqrt() * of_zone + rest.sqrt() * own + episode
        })
        .collect()
}

/// Reclaims of so short a pool, an hour.
#[must_use]
pub fn reclaims(shortage: f64) -> f64 {
    (RECLAIMS * (STEEPNESS * shortage).exp()).min(MOST_RECLAIMS)
}

/// Interruptions of one instance of it, an hour.
#[must_use]
pub fn interruptions(shortage: f64) -> f64 {
    reclaims(shortage) * f64::midpoint(TAKEN.0, TAKEN.1)
}

/// What share of a pool's instances is taken in each hour: mostly 0.
#[must_use]
pub fn taken(seed: u64, place: u64, shortage: &[f64]) -> Vec<f64> {
    let rng = &mut Chance::new(seed, "reclaim", place);
    shortage
        .iter()
        .map(|short| {
            let share = rng.within(TAKEN.0, TAKEN.1);
            if rng.happens(reclaims(*short)) { share } else { 0.0 }
        })
        .collect()
}

/// How likely a launch into so short a pool is refused.
#[must_use]
pub fn refusal(shortage: f64) -> f64 {
    1.0 / (1.0 + (-2.0 * (shortage - REFUSED_AT)).exp())
}
