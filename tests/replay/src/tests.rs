//! The generator makes what it says, and no strategy sees what is to come.

use std::collections::BTreeMap;

use hollowtrees_domain::recommend::Taste;

use crate::{
    capacity,
    fleet::{self, SIZE},
    market::{BEFORE, HOURS, Market},
    quote::Coupling,
    strategy::{Strategy, View},
    table,
};

fn market(seed: u64) -> Market {
    Market::new(seed, 1, Coupling::Shortage).unwrap()
}

fn view(market: &Market, hour: usize) -> View<'_> {
    View {
        market,
        hour,
        size: SIZE,
        interruptions: &[],
        ran: &[],
        taste: Taste::default(),
    }
}

#[test]
fn a_seed_makes_one_history_and_one_outcome() {
    let (once, again, other) = (market(7), market(7), market(8));
    let prices = |of: &Market| {
        of.courses
            .iter()
            .map(|course| course.dollars.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(prices(&once), prices(&again));
    assert!(prices(&once) != prices(&other));
    let run = |of: &Market| fleet::run(of, Strategy::Ours, Taste::default()).unwrap();
    assert_eq!(run(&once), run(&again));
    assert!(run(&once) != run(&other));
}

#[test]
fn prices_stay_within_on_demand_and_change_at_irregular_times() {
    let market = market(7);
    for course in &market.courses {
        let of = market.catalogue.named(&course.pool.instance_type).unwrap();
        let full = of.on_demand.unwrap().dollars();
        assert!(
            course
                .dollars
                .iter()
                .all(|price| (0.099..=1.001).contains(&(price / full)))
        );
        assert_eq!(course.dollars.len(), BEFORE + HOURS);
        let mut gaps: Vec<_> = course
            .points
            .windows(2)
            .map(|pair| pair[1].at.as_second() - pair[0].at.as_second())
            .collect();
        assert!(gaps.len() > 20, "{gaps:?}");
        gaps.sort_unstable();
        gaps.dedup();
        assert!(gaps.len() > 5, "{gaps:?}");
        // The hourly prices are the points.
        for (point, time) in course.points.iter().zip(market.times.iter().cycle()) {
            let hour = usize::try_from((point.at.as_second() - market.times[0].as_second()) / 3_600).unwrap();
            assert_eq!(course.dollars[hour], point.price.dollars(), "{time}");
        }
    }
}

#[test]
fn short_pools_are_reclaimed_from_and_refuse() {
    let mut taken: BTreeMap<bool, (f64, usize)> = BTreeMap::new();
    for seed in 0..5 {
        for course in &market(seed).courses {
            for (share, short) in course.taken.iter().zip(&course.shortage) {
                let (sum, hours) = taken.entry(*short > 1.0).or_default();
                *sum += share;
                *hours += 1;
            }
        }
    }
    let rate = |short: bool| taken[&short].0 / taken[&short].1 as f64;
    assert!(rate(true) > 5.0 * rate(false), "{taken:?}");
    assert!(capacity::refusal(4.0) > 0.9 && capacity::refusal(0.0) < 0.01);
    assert!(capacity::reclaims(100.0) <= 0.25);
}

#[test]
fn prices_follow_capacity_only_where_they_are_said_to() {
    // Between a pool's mean price in relation to on-demand and its mean shortage, over many pools.
    let correlation = |coupling| {
        let mut pairs = Vec::new();
        for seed in 0..20 {
            let market = Market::new(seed, 0, coupling).unwrap();
            for course in &market.courses {
                let full = market
                    .catalogue
                    .named(&course.pool.instance_type)
                    .unwrap()
                    .on_demand
                    .unwrap();
                let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
                pairs.push((mean(&course.dollars) / full.dollars(), mean(&course.shortage)));
            }
        }
        let of = |figure: &dyn Fn(&(f64, f64)) -> f64| {
            table::spread(&pairs.iter().map(figure).collect::<Vec<_>>())
        };
        let ((mean_a, deviation_a), (mean_b, deviation_b)) = (of(&|pair| pair.0), of(&|pair| pair.1));
        let (product, _) = of(&|pair| (pair.0 - mean_a) * (pair.1 - mean_b));
        product / (deviation_a * deviation_b)
    };
    assert!(correlation(Coupling::Shortage) > 0.3);
    assert!(correlation(Coupling::Nothing).abs() < 0.1);
}

#[test]
fn every_strategy_plans_the_whole_fleet() {
    for seed in 0..3 {
        let market = market(seed);
        for strategy in Strategy::ALL {
            for hour in [BEFORE, BEFORE + 100, BEFORE + HOURS - 1] {
                let plan = strategy.plan(&view(&market, hour)).unwrap();
                let all: u32 = plan.iter().map(|(_, count)| count).sum();
                assert_eq!(all, SIZE, "{strategy:?}");
                let mut places: Vec<_> = plan.iter().map(|(place, _)| *place).collect();
                places.sort_unstable();
                assert_eq!(
                    places,
                    (0..market.courses.len()).collect::<Vec<_>>(),
                    "{strategy:?}"
                );
            }
        }
    }
}

#[test]
fn no_strategy_sees_what_is_to_come() {
    let now = BEFORE + 200;
    let before = market(7);
    let mut after = before.clone();
    for course in &mut after.courses {
        course.points.retain(|point| point.at <= before.times[now]);
        for hour in now + 1..BEFORE + HOURS {
            course.dollars[hour] = 1e-4;
            course.shortage[hour] = 9.0;
            course.signal[hour] = 9.0;
            course.taken[hour] = 1.0;
        }
    }
    for hour in now + 1..BEFORE + HOURS {
        after.placement[hour].clear();
    }
    for strategy in Strategy::ALL {
        let plan = |market: &Market| strategy.plan(&view(market, now)).unwrap();
        assert_eq!(plan(&before), plan(&after), "{strategy:?}");
    }
}

#[test]
fn the_originals_split_over_zones_and_types() {
    let market = market(7);
    let counts = |strategy: Strategy| {
        let mut counts: Vec<u32> = strategy
            .plan(&view(&market, BEFORE))
            .unwrap()
            .into_iter()
            .map(|(_, count)| count)
            .filter(|count| *count > 0)
            .collect();
        counts.sort_unstable();
        counts
    };
    // Ten in each of three zones, four types in each.
    assert_eq!(counts(Strategy::Original), [2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3]);
    // Seven types with four or five each, over three zones.
    let telescopes = counts(Strategy::Telescopes);
    assert_eq!((telescopes.len(), telescopes.iter().sum::<u32>()), (21, SIZE));
    assert_eq!(counts(Strategy::Cheapest), [SIZE]);
    assert_eq!(counts(Strategy::Capacity), [10, 10, 10]);
}

#[test]
fn a_fleet_in_one_flat_pool_costs_what_that_costs() {
    let mut market = market(7);
    for (place, course) in market.courses.iter_mut().enumerate() {
        let price = if place == 5 { 0.05 } else { 0.06 };
        course.dollars.fill(price);
        course.shortage.fill(-10.0);
        course.taken.fill(0.0);
    }
    // Half of what runs there is taken in the second hour.
    market.courses[5].taken[BEFORE + 1] = 0.5;
    let run = fleet::run(&market, Strategy::Cheapest, Taste::default()).unwrap();
    assert!((run.cost - 0.05 / market.on_demand).abs() < 1e-9, "{run:?}");
    assert_eq!((run.refused, run.on_demand), (0.0, 0.0));
    let lost = run.interruptions / 1_000.0 * f64::from(SIZE) * HOURS as f64;
    assert!((5.0..25.0).contains(&lost), "{run:?}");
    assert!((run.worst_hour * f64::from(SIZE) - lost).abs() < 1e-6, "{run:?}");
}

#[test]
fn means_and_differences() {
    assert_eq!(table::spread(&[1.0, 2.0, 3.0]), (2.0, 1.0));
    assert_eq!(table::spread(&[5.0]), (5.0, 0.0));
    let (below, mean, _) = table::paired(&[1.0, 2.0, 5.0], &[2.0, 4.0, 3.0]);
    assert_eq!(below, 2);
    assert!((mean + 1.0 / 3.0).abs() < 1e-12);
}
