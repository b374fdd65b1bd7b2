//! How often an instance of a pool is likely to be interrupted.
//!
//! What is known before our own experience is a rate: the type's published frequency, moved by the zone's placement
//! score and by how near the pool's price is to on-demand. Our own interruptions then move it as one counts: that rate
//! stands for `PRIOR_HOURS` instance-hours already seen (the mean of a gamma distribution after Poisson events).

use std::collections::BTreeMap;

use super::{Evidence, Interruption, Pool, Statistics, Taste};

/// Hours of a month, as AWS counts them in prices.
const MONTH_HOURS: f64 = 730.0;
/// Instance-hours that what is published is worth. One interruption of today adds 1 / `PRIOR_HOURS` an hour: as much as a
/// type has that is interrupted every 20 days, between the worst band and a pool that is short of capacity.
const PRIOR_HOURS: f64 = 500.0;
/// A placement score halves the rate at its best (10) and doubles it at its worst (1): it tells whether a launch is
/// likely to succeed, and promises nothing about interruptions (EC2 user guide, "Spot placement score").
const PLACEMENT_OCTAVES: f64 = 1.0;
/// The middle of the scores 1 to 10: what a zone without one is taken for.
const PLACEMENT_MIDDLE: f64 = 5.5;
/// Share of on-demand that a spot price usually is (AWS: "up to 90 % off"; mostly 60 to 70 %). There the price says nothing.
const TYPICAL_SHARE: f64 = 0.35;
/// A price at on-demand makes the rate e^0.65 = 1.9 times the usual: prices follow demand, but slowly and gently since
/// bids no longer set them (2017), so they may weigh no more than a placement score.
const PRESSURE: f64 = 1.0;
/// A price counts as pressure up to this share of on-demand.
const MOST_PRESSURE: f64 = 1.5;
/// Interruptions of a pool within one clock hour are one reclaim, where it is not known how many instances ran there: ten
/// lost at once say as much of the pool as one, if ten ran.
const RECLAIM_SECONDS: i64 = 3_600;

/// Interruption frequency of a type in a region, over the last month (Spot Instance Advisor).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// Below 5 %.
    Below5,
    /// 5 to 10 %. What a type without a band is taken for.
    From5To10,
    /// 10 to 15 %.
    From10To15,
    /// 15 to 20 %.
    From15To20,
    /// Above 20 %.
    Above20,
}

impl Band {
    /// All, the best first: their places are the numbers 0 to 4 that the advisor's file uses.
    pub const ALL: [Self; 5] = [
        Self::Below5,
        Self::From5To10,
        Self::From10To15,
        Self::From15To20,
        Self::Above20,
    ];

    /// Of the advisor's number; none: above 4.
    #[must_use]
    pub fn of_number(number: usize) -> Option<Self> {
        Self::ALL.get(number).copied()
    }

    /// As people write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Below5 => "< 5 %",
            Self::From5To10 => "5-10 %",
            Self::From10To15 => "10-15 %",
            Self::From15To20 => "15-20 %",
            Self::Above20 => "> 20 %",
        }
    }

    /// Interruptions of an instance an hour: the middle of the band; of the open one 30 %.
    fn per_hour(self) -> f64 {
        let month: f64 = match self {
            Self::Below5 => 0.025,
            Self::From5To10 => 0.075,
            Self::From10To15 => 0.125,
            Self::From15To20 => 0.175,
            Self::Above20 => 0.30,
        };
        -(1.0 - month).ln() / MONTH_HOURS
    }
}

/// A spot placement score: 1 to 10, 10 is best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlacementScore(u8);

impl PlacementScore {
    /// None: not within 1 to 10.
    #[must_use]
    pub fn new(score: u8) -> Option<Self> {
        (1..=10).contains(&score).then_some(Self(score))
    }

    /// 1 to 10.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// Our interruptions of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ours {
    /// How many instances.
    pub count: usize,
    /// How much they still count.
    pub weight: f64,
    /// Age of the newest in seconds.
    pub newest_seconds: i64,
}

/// Our interruptions by pool, decayed.
#[must_use]
pub fn ours<'a>(evidence: &'a Evidence, taste: &Taste) -> BTreeMap<&'a Pool, Ours> {
    let mut sorted: Vec<&Interruption> = evidence.interruptions.iter().collect();
    sorted.sort_unstable();
    let mut found: BTreeMap<&Pool, Ours> = BTreeMap::new();
    let each = evidence.instance_hours.is_some();
    for (at, one) in sorted.iter().enumerate() {
        let age = evidence.now.duration_since(one.at);
        let reclaim = |of: &Interruption| of.at.as_second().div_euclid(RECLAIM_SECONDS);
        let newer = sorted.get(at + 1);
        // The newest of an hour stands for it.
        let counted = each || newer.is_none_or(|next| next.pool != one.pool || reclaim(next) != reclaim(one));
        let ours = found.entry(&one.pool).or_default();
        ours.count += 1;
        ours.newest_seconds = age.as_secs().max(0);
        if counted {
            ours.weight += taste.decay(age);
        }
    }
    found
}

/// How often an instance of a pool is likely to be interrupted, and from what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hazard {
    /// Interruptions of an instance an hour. Above zero, finite.
    pub per_hour: f64,
    /// The type's band, where it is known.
    pub band: Option<Band>,
    /// The zone's placement score, where it is known.
    pub placement: Option<PlacementScore>,
    /// Our own interruptions.
    pub ours: Ours,
}

/// Of a pool with these prices, whose type costs `on_demand` US dollars an hour where that is known.
#[must_use]
pub fn hazard(
    pool: &Pool,
    statistics: Option<&Statistics>,
    on_demand: Option<f64>,
    evidence: &Evidence,
    ours: Ours,
) -> Hazard {
    let band = evidence.bands.get(&pool.instance_type).copied();
    let placement = evidence.placement.get(&pool.zone).copied();
    let of_placement = placement.map_or(1.0, |score| {
        let octaves = (PLACEMENT_MIDDLE - f64::from(score.0)) / (10.0 - PLACEMENT_MIDDLE);
        (octaves * PLACEMENT_OCTAVES).exp2()
    });
    // The high price, not the volatility: that falls when a pool's low prices rise.
    let of_pressure = statistics.zip(on_demand).map_or(1.0, |(statistics, on_demand)| {
        let share = (statistics.high / on_demand).min(MOST_PRESSURE);
        ((share - TYPICAL_SHARE) * PRESSURE).exp()
    });
    let before = band.unwrap_or(Band::From5To10).per_hour() * of_placement * of_pressure;
    let seen = evidence
        .instance_hours
        .as_ref()
        .and_then(|hours| hours.get(pool))
        .map_or(0.0, |hours| hours.hours());
    Hazard {
        per_hour: (before * PRIOR_HOURS + ours.weight) / (PRIOR_HOURS + seen),
        band,
        placement,
        ours,
    }
}
