//! What holds for every region, history and wish.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use proptest::{prelude::*, sample::Index};

use super::{
    evidence::InstanceHours,
    pattern::Pattern,
    taste::Choices,
    tests::{REGION, catalogue, flat, history, hour, instance_type, like, price, wish},
    *,
};

/// A region and what is known of it, with a wish.
#[derive(Clone, Debug)]
struct World {
    types: Vec<InstanceType>,
    offered: Vec<Pool>,
    points: Vec<(Pool, Point)>,
    read_at: Option<i64>,
    placement: Vec<(String, u8)>,
    bands: Vec<(String, usize)>,
    interruptions: Vec<Interruption>,
    hours: Option<Vec<(Pool, f64)>>,
    asked: Asked,
    choices: Choices,
}

const NAMES: [&str; 6] = [
    "m5.large",
    "m5.xlarge",
    "m5a.large",
    "c5.large",
    "c5d.large",
    "r5.large",
];
const PATTERNS: [&str; 5] = ["m5*", "c5.large", "*.large", "r*", "*a.*"];

fn any_pool() -> impl Strategy<Value = Pool> {
    (0..NAMES.len(), 0_usize..3)
        .prop_map(|(name, zone)| Pool::new(NAMES[name], &format!("{REGION}{}", ["a", "b", "c"][zone])))
}

prop_compose! {
    fn any_asked()(
        count in 1_u32..60, on_demand_percent in 0_u32..=100, on_demand_count in 0_u32..10,
        allowed in prop::collection::vec(0..PATTERNS.len(), 0..3), denied in prop::collection::vec(0..PATTERNS.len(), 0..2),
        vcpus in 1_u32..4,
    ) -> Asked {
        let texts = |of: Vec<usize>| of.into_iter().map(|at| PATTERNS[at].to_owned()).collect();
        Asked {
            region: REGION.to_owned(), vcpus: Some(vcpus), count, on_demand_percent, on_demand_count,
            allowed: texts(allowed), denied: texts(denied), ..Asked::default()
        }
    }
}

prop_compose! {
    fn any_choices()(
        interruption_hours in 0.0..10_000.0_f64, half_life in 1_i64..2_000, window in 1_i64..500, most_share in 0.01..1.0_f64,
        crowding in 0.0..100.0_f64,
    ) -> Choices {
        Choices {
            interruption_hours, half_life: SignedDuration::from_hours(half_life), window: SignedDuration::from_hours(window),
            most_share, crowding, ..Choices::default()
        }
    }
}

prop_compose! {
    fn any_world()(
        sizes in prop::collection::vec((1_u32..9, 1_u64..65, prop::option::weighted(0.8, 0.001..200.0_f64)), NAMES.len()),
        offered in prop::collection::vec(any_pool(), 1..18),
        // Also of times to come, of one time, and of pools that are not offered; some as dear as a price may be.
        points in prop::collection::vec((any_pool(), -400_i64..10, prop_oneof![0.000_1..1.0_f64, Just(100_000.0), Just(1e-300)]), 0..60),
        read_at in prop::option::weighted(0.9, -400_i64..5),
        placement in prop::collection::vec((0_usize..3, 1_u8..=10), 0..3),
        bands in prop::collection::vec((0..NAMES.len(), 0_usize..5), 0..5),
        interruptions in prop::collection::vec((any_pool(), -900_i64..5), 0..20),
        hours in prop::option::of(prop::collection::vec((any_pool(), 0.0..1e6_f64), 0..8)),
        asked in any_asked(),
        choices in any_choices(),
    ) -> World {
        let types = NAMES.iter().zip(sizes).map(|(name, (vcpus, gib, dollars))| InstanceType {
            on_demand: dollars.map(price),
            ..instance_type(name, vcpus, gib, 1.0)
        });
        World {
            types: types.collect(),
            offered,
            points: points.into_iter().map(|(pool, at, dollars)| (pool, Point { at: hour(at), price: price(dollars) })).collect(),
            read_at,
            placement: placement.into_iter().map(|(zone, score)| (format!("{REGION}{}", ["a", "b", "c"][zone]), score)).collect(),
            bands: bands.into_iter().map(|(name, band)| (NAMES[name].to_owned(), band)).collect(),
            interruptions: interruptions.into_iter().map(|(pool, at)| Interruption { pool, at: hour(at) }).collect(),
            hours: hours.map(|hours| hours.into_iter().collect()),
            asked,
            choices,
        }
    }
}

impl World {
    fn catalogue(&self) -> Catalogue {
        Catalogue::new(REGION, self.types.clone(), self.offered.clone()).unwrap()
    }

    fn evidence(&self) -> Evidence {
        let mut points: BTreeMap<Pool, Vec<Point>> = BTreeMap::new();
        for (pool, point) in &self.points {
            points.entry(pool.clone()).or_default().push(*point);
        }
        let hours = |(pool, hours): &(Pool, f64)| (pool.clone(), InstanceHours::new(*hours).unwrap());
        Evidence {
            now: hour(0),
            prices_read_at: self.read_at.map(hour),
            prices: points
                .into_iter()
                .map(|(pool, points)| (pool, History::new(points)))
                .collect(),
            placement: self
                .placement
                .iter()
                .map(|(zone, score)| (zone.clone(), PlacementScore::new(*score).unwrap()))
                .collect(),
            bands: self
                .bands
                .iter()
                .map(|(name, band)| (name.clone(), Band::ALL[*band]))
                .collect(),
            interruptions: self.interruptions.clone(),
            instance_hours: self.hours.as_ref().map(|all| all.iter().map(hours).collect()),
        }
    }

    fn plan(&self) -> Result<Plan, NoPlan> {
        let catalogue = self.catalogue();
        let wish = Wish::read(&self.asked, &catalogue).unwrap();
        let taste = Taste::new(self.choices).unwrap();
        recommend(&wish, &catalogue, &self.evidence(), &taste)
    }

    /// Of each spot pool: its place, and how many instances.
    fn places(&self) -> BTreeMap<Pool, (usize, u32)> {
        let plan = self.plan().map_or_else(|_| Vec::new(), |plan| plan.pools);
        plan.into_iter()
            .filter(|one| one.market == Market::Spot)
            .enumerate()
            .map(|(at, one)| (one.pool, (at, one.count)))
            .collect()
    }
}

/// Nothing that `worse` has done to the one pool lets it rise, or get more.
#[track_caller]
fn never_rises(before: &World, worse: &World, pool: &Pool) -> Result<(), TestCaseError> {
    if let (Some((at, count)), Some((then, of))) = (before.places().get(pool), worse.places().get(pool)) {
        prop_assert!(then >= at, "{pool:?} rose from {at} to {then}");
        prop_assert!(of <= count, "{pool:?} got {of} in place of {count}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_number_is_finite(world in any_world()) {
        if let Ok(plan) = world.plan() {
            for one in &plan.pools {
                prop_assert!(one.cost.is_none_or(|cost| cost.is_finite() && cost > 0.0));
                prop_assert!(one.hazard.is_none_or(|of| of.per_hour.is_finite() && of.per_hour > 0.0));
                if let Some(of) = one.statistics {
                    prop_assert!([of.mean, of.high, of.volatility].iter().all(|x| x.is_finite() && *x >= 0.0), "{of:?}");
                }
                for reason in &one.reasons {
                    let told = reason.to_string();
                    prop_assert!(!told.contains("NaN") && !told.contains("inf"), "{told}");
                }
            }
        }
    }

    #[test]
    fn as_many_as_asked_for(world in any_world()) {
        if let Ok(plan) = world.plan() {
            let wish = Wish::read(&world.asked, &world.catalogue()).unwrap();
            for (market, expected) in [(Market::Spot, wish.spot()), (Market::OnDemand, wish.on_demand())] {
                let found: u32 = plan.pools.iter().filter(|one| one.market == market).map(|one| one.count).sum();
                prop_assert_eq!(found, expected);
            }
            prop_assert_eq!(wish.spot() + wish.on_demand(), world.asked.count);
        }
    }

    /// There is no plan only where nothing fits.
    #[test]
    fn no_plan_only_where_nothing_fits(world in any_world()) {
        let fits = |pool: &Pool| {
            let of = world.types.iter().find(|of| of.name == pool.instance_type).unwrap();
            let named = |of: &[String]| of.iter().any(|one| one.parse::<Pattern>().unwrap().matches(&pool.instance_type));
            of.vcpus >= world.asked.vcpus.unwrap()
                && !named(&world.asked.denied)
                && (world.asked.allowed.is_empty() || named(&world.asked.allowed))
        };
        prop_assert_eq!(world.plan().is_ok(), world.offered.iter().any(fits));
    }

    #[test]
    fn the_order_is_total(world in any_world()) {
        if let Ok(plan) = world.plan() {
            let mut seen = BTreeSet::new();
            prop_assert!(plan.pools.iter().all(|one| seen.insert((one.market, one.pool.clone()))), "each once");
            for pair in plan.pools.windows(2).filter(|pair| pair[0].market == pair[1].market) {
                let key = |of: &Ranked| (of.cost.is_none(), of.cost.unwrap_or(0.0));
                prop_assert!(key(&pair[0]) <= key(&pair[1]));
            }
            prop_assert!(plan.pools.is_sorted_by_key(|one| one.market));
        }
    }

    #[test]
    fn the_order_of_what_is_known_changes_nothing(world in any_world(), turn: Index) {
        // Of two figures for one thing the later one counts: the map it is read into decides, not this.
        let mut once = world;
        once.placement.sort();
        once.placement.dedup_by(|a, b| a.0 == b.0);
        once.bands.sort();
        once.bands.dedup_by(|a, b| a.0 == b.0);
        if let Some(hours) = &mut once.hours {
            hours.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            hours.dedup_by(|a, b| a.0 == b.0);
        }
        let mut other = once.clone();
        fn turned<T>(of: &mut [T], turn: Index) {
            if !of.is_empty() {
                of.rotate_left(turn.index(of.len()));
                of.reverse();
            }
        }
        turned(&mut other.types, turn);
        turned(&mut other.offered, turn);
        turned(&mut other.points, turn);
        turned(&mut other.placement, turn);
        turned(&mut other.bands, turn);
        turned(&mut other.interruptions, turn);
        turned(&mut other.asked.allowed, turn);
        prop_assert_eq!(once.plan(), other.plan());
    }

    #[test]
    fn a_dearer_pool_never_rises(world in any_world(), at: Index, factor in 1.001..100.0_f64) {
        if !world.points.is_empty() {
            let mut dearer = world.clone();
            let (pool, point) = &mut dearer.points[at.index(world.points.len())];
            point.price = price((point.price.dollars() * factor).min(100_000.0));
            let pool = pool.clone();
            never_rises(&world, &dearer, &pool)?;
        }
    }

    /// Also where its price becomes steadier by it.
    #[test]
    fn a_dearer_price_never_makes_a_pool_cheaper(
        points in prop::collection::vec((-200_i64..0, 0.01..1.0_f64), 2..8), at: Index, factor in 1.001..3.0_f64,
    ) {
        let pool = Pool::new("m5.xlarge", "eu-west-1a");
        let cost = |points: &[(i64, f64)]| {
            let mut evidence = flat();
            evidence.prices.insert(pool.clone(), history(points));
            let plan = recommend(&wish(&like("m5.xlarge", 5)), &catalogue(), &evidence, &Taste::default()).unwrap();
            plan.pools.into_iter().find(|one| one.pool == pool).unwrap().cost.unwrap()
        };
        let mut dearer = points.clone();
        dearer[at.index(points.len())].1 *= factor;
        prop_assert!(cost(&dearer) >= cost(&points));
    }

    #[test]
    fn a_more_interrupted_pool_never_rises(world in any_world(), pool in any_pool(), at in -900_i64..5) {
        let mut worse = world.clone();
        worse.interruptions.push(Interruption { pool: pool.clone(), at: hour(at) });
        never_rises(&world, &worse, &pool)?;
    }

    #[test]
    fn a_worse_band_never_raises(world in any_world(), at: Index) {
        let name = NAMES[at.index(NAMES.len())];
        let mut worse = world.clone();
        let old = world.bands.iter().rev().find(|(of, _)| of == name).map_or(1, |(_, band)| *band);
        worse.bands.push((name.to_owned(), (old + 1).min(4)));
        // Of the type's own pools the order may change with their prices; none rises over another type's.
        let others_before = |world: &World| -> BTreeMap<Pool, usize> {
            let places = world.places();
            let of_others = |at: usize| places.iter().filter(|(pool, (place, _))| pool.instance_type != name && *place < at).count();
            places.iter().filter(|(pool, _)| pool.instance_type == name).map(|(pool, (at, _))| (pool.clone(), of_others(*at))).collect()
        };
        let (before, after) = (others_before(&world), others_before(&worse));
        for (pool, at) in before {
            prop_assert!(after[&pool] >= at);
        }
    }

    #[test]
    fn allowed_and_denied_are_respected(world in any_world()) {
        if let Ok(plan) = world.plan() {
            let named = |patterns: &[String], of: &Ranked| {
                patterns.iter().any(|one| one.parse::<Pattern>().unwrap().matches(&of.pool.instance_type))
            };
            for one in &plan.pools {
                prop_assert!(!named(&world.asked.denied, one));
                prop_assert!(world.asked.allowed.is_empty() || named(&world.asked.allowed, one));
                prop_assert!(world.offered.contains(&one.pool));
            }
        }
    }

    #[test]
    fn no_pool_has_more_than_its_share(world in any_world()) {
        if let Ok(plan) = world.plan() {
            let spot: Vec<_> = plan.pools.iter().filter(|one| one.market == Market::Spot).collect();
            let all: u32 = spot.iter().map(|one| one.count).sum();
            let priced = spot.iter().filter(|one| one.cost.is_some()).count();
            let among = if priced == 0 { spot.len() } else { priced };
            let most = (f64::from(all) * world.choices.most_share).ceil().max(f64::from(all.div_ceil(among.max(1) as u32)));
            prop_assert!(spot.iter().all(|one| f64::from(one.count) <= most));
        }
    }

    #[test]
    fn patterns_never_panic(text in "[a-z0-9.*-]{1,30}", name in ".{0,40}") {
        let _unused = text.parse::<Pattern>().unwrap().matches(&name);
    }
}
