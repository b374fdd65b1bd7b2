//! Pools in order, how many instances from each, and why.

use std::collections::BTreeMap;

use super::{
    Catalogue, Evidence, History, InstanceType, Pool, Price, Reason, Statistics, Taste,
    eligible::{Misfit, eligible},
    hazard::{Hazard, Ours, hazard, ours},
    reading::is_stale,
    spread::{Rising, evenly, spread},
    wish::Wish,
};

/// How much of the price that is paid for is the price of now: it holds at first.
const NOW_SHARE: f64 = 0.5;
/// How much of it is the mean: prices come back to it.
const MEAN_SHARE: f64 = 0.3;
/// How much of it is the high price: what a pool with jumps costs when it jumps. Not the volatility: it falls when a pool's
/// low prices rise, and no pool may gain by becoming dearer.
const HIGH_SHARE: f64 = 0.2;

/// How an instance is bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Market {
    /// Spot.
    Spot,
    /// On demand.
    OnDemand,
}

/// One pool with its place in the order.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// The pool.
    pub pool: Pool,
    /// How it is bought there.
    pub market: Market,
    /// Instances from it.
    pub count: u32,
    /// What an instance costs in US dollars an hour, its interruptions included; none: its price is not known.
    pub cost: Option<f64>,
    /// Its spot prices, where they are known.
    pub statistics: Option<Statistics>,
    /// How often it is likely to be interrupted. None on demand.
    pub hazard: Option<Hazard>,
    /// Why it stands there.
    pub reasons: Vec<Reason>,
}

/// A recommendation.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Spot pools, the best first, those without an instance too; then, where some are asked for, on-demand pools.
    pub pools: Vec<Ranked>,
    /// Prices were read too long ago, or never.
    pub stale: bool,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// The wish was read against another region's catalogue.
    #[error("the wish is for {wish}, the instance types are those of {known}; read the wish against them")]
    Region {
        /// The wish's.
        wish: String,
        /// The catalogue's.
        known: String,
    },
    /// Nothing fits.
    #[error(
        "none of the {offered} pools of {region} fits{}; ask for less, or allow more",
        told(misfits)
    )]
    NothingFits {
        /// The region.
        region: String,
        /// Pools there.
        offered: usize,
        /// How many do not fit, for each reason.
        misfits: BTreeMap<Misfit, usize>,
    },
}

fn told(misfits: &BTreeMap<Misfit, usize>) -> String {
    let each: Vec<_> = misfits
        .iter()
        .map(|(why, count)| format!("{count} {why}"))
        .collect();
    if each.is_empty() {
        String::new()
    } else {
        format!(": {}", each.join(", "))
    }
}

/// Which pools, in which order, how many instances from each.
///
/// # Errors
/// Nothing fits, and why; or the arguments do not belong together.
pub fn recommend(
    wish: &Wish,
    catalogue: &Catalogue,
    evidence: &Evidence,
    taste: &Taste,
) -> Result<Plan, NoPlan> {
    if wish.region != catalogue.region() {
        return Err(NoPlan::Region {
            wish: wish.region.clone(),
            known: catalogue.region().to_owned(),
        });
    }
    let fitting = |market| {
        let (pools, misfits) = eligible(wish, market, catalogue);
        if pools.is_empty() {
            return Err(NoPlan::NothingFits {
                region: wish.region.clone(),
                offered: catalogue.pools().count(),
                misfits,
            });
        }
        Ok(pools)
    };
    let mut pools = Vec::new();
    if wish.spot() > 0 {
        let fitting = fitting(Market::Spot)?;
        let priced: Vec<_> = fitting.iter().map(|(pool, of)| (*pool, of.on_demand)).collect();
        pools.extend(spot(wish.spot(), &priced, evidence, taste));
    }
    if wish.on_demand() > 0 {
        pools.extend(on_demand(wish.on_demand(), &fitting(Market::OnDemand)?));
    }
    Ok(Plan {
        pools,
        stale: is_stale(evidence.prices_read_at, evidence.now, taste.stale_after()),
    })
}

/// What an instance of a pool costs: its price, and what its interruptions are worth.
#[derive(Clone, Copy)]
struct Cost {
    paid: f64,
    risk: f64,
}

/// These spot pools, the best first, whatever their types are; each with the type's on-demand price, where that is known. No
/// pool has an instance.
#[must_use]
pub fn rank(pools: &[(&Pool, Option<Price>)], evidence: &Evidence, taste: &Taste) -> Vec<Ranked> {
    let ordered = ordered(pools, evidence, taste);
    ordered.into_iter().map(|(one, _)| one).collect()
}

fn ordered(pools: &[(&Pool, Option<Price>)], evidence: &Evidence, taste: &Taste) -> Vec<(Ranked, Cost)> {
    let interrupted = ours(evidence, taste);
    // An interruption costs work, whatever the machine: one measure for all pools.
    let hour = pools.iter().filter_map(|(_, on_demand)| *on_demand).min();
    let mut found: Vec<(Ranked, Cost)> = pools
        .iter()
        .map(|(pool, on_demand)| {
            let ours = interrupted.get(pool).copied().unwrap_or_default();
            one_spot(pool, *on_demand, hour, evidence, taste, ours)
        })
        .collect();
    found.sort_by(|(a, of_a), (b, of_b)| {
        a.cost
            .is_none()
            .cmp(&b.cost.is_none())
            .then((of_a.paid + of_a.risk).total_cmp(&(of_b.paid + of_b.risk)))
            .then_with(|| a.pool.cmp(&b.pool))
    });
    found
}

fn spot(count: u32, pools: &[(&Pool, Option<Price>)], evidence: &Evidence, taste: &Taste) -> Vec<Ranked> {
    let found = ordered(pools, evidence, taste);
    // A pool without a price is a last resort.
    let priced = found.iter().filter(|(one, _)| one.cost.is_some()).count();
    let taken = if priced == 0 { found.len() } else { priced };
    let rising: Vec<Rising> = found
        .iter()
        .take(taken)
        .map(|(_, cost)| Rising {
            first: cost.paid + cost.risk,
            rise: cost.risk * taste.crowding(),
        })
        .collect();
    let counts = spread(count, &rising, taste.most_share());
    let counts = counts.into_iter().chain(std::iter::repeat(0));
    found
        .into_iter()
        .zip(counts)
        .map(|((one, _), count)| Ranked { count, ..one })
        .collect()
}

fn one_spot(
    pool: &Pool,
    on_demand: Option<Price>,
    hour: Option<Price>,
    evidence: &Evidence,
    taste: &Taste,
    ours: Ours,
) -> (Ranked, Cost) {
    let from = evidence
        .now
        .checked_sub(taste.window())
        .unwrap_or(jiff::Timestamp::MIN);
    let until = evidence
        .prices_read_at
        .map_or(evidence.now, |at| at.min(evidence.now));
    let prices: Option<&History> = evidence.prices.get(pool);
    let statistics = prices.and_then(|history| history.statistics(from.min(until), until));
    let full = on_demand.map(Price::dollars);
    let hazard = hazard(pool, statistics.as_ref(), full, evidence, ours);
    let paid =
        statistics.map(|of| NOW_SHARE * of.now.dollars() + MEAN_SHARE * of.mean + HIGH_SHARE * of.high);
    let interruption = taste.interruption_hours() * hour.map(Price::dollars).or(paid).unwrap_or(1.0);
    let cost = Cost {
        paid: paid.unwrap_or(0.0),
        risk: hazard.per_hour * interruption,
    };
    let ranked = Ranked {
        pool: pool.clone(),
        market: Market::Spot,
        count: 0,
        cost: paid.map(|paid| paid + cost.risk),
        statistics,
        hazard: Some(hazard),
        reasons: spot_reasons(on_demand, statistics, &hazard, cost, evidence, taste),
    };
    (ranked, cost)
}

fn spot_reasons(
    on_demand: Option<Price>,
    statistics: Option<Statistics>,
    hazard: &Hazard,
    cost: Cost,
    evidence: &Evidence,
    taste: &Taste,
) -> Vec<Reason> {
    let mut reasons = vec![statistics.map_or(Reason::NoPrice, |statistics| Reason::Price {
        statistics,
        on_demand,
    })];
    if statistics.is_some_and(|of| of.changes == 0) {
        reasons.push(Reason::Unchanged);
    }
    if is_stale(evidence.prices_read_at, evidence.now, taste.stale_after()) {
        let age = evidence.prices_read_at.map(|at| evidence.now.duration_since(at));
        reasons.push(Reason::Stale(age));
    }
    reasons.push(Reason::Band(hazard.band));
    reasons.extend(hazard.placement.map(Reason::Placement));
    if hazard.ours.count > 0 {
        reasons.push(Reason::Interrupted(hazard.ours));
    }
    reasons.push(Reason::Expected {
        per_1000_hours: hazard.per_hour * 1_000.0,
        risk: cost.risk,
    });
    reasons
}

/// The cheapest type, evenly over its zones: nobody takes these back.
fn on_demand(count: u32, pools: &[(&Pool, &InstanceType)]) -> Vec<Ranked> {
    let mut pools = pools.to_vec();
    pools.sort_by(|(a, of_a), (b, of_b)| {
        let price = |of: &InstanceType| (of.on_demand.is_none(), of.on_demand);
        price(of_a).cmp(&price(of_b)).then_with(|| a.cmp(b))
    });
    let first = pools.first().map(|(_, of)| of.name.clone());
    let zones = pools
        .iter()
        .take_while(|(_, of)| Some(&of.name) == first.as_ref())
        .count();
    let counts = evenly(count, zones).into_iter().chain(std::iter::repeat(0));
    let ranked = pools.iter().zip(counts).map(|((pool, of), count)| Ranked {
        pool: (*pool).clone(),
        market: Market::OnDemand,
        count,
        cost: of.on_demand.map(Price::dollars),
        statistics: None,
        hazard: None,
        reasons: vec![Reason::OnDemand(of.on_demand)],
    });
    ranked.collect()
}
