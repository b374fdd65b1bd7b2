//! Tables: prices, wishes, hazards, counts, reasons.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    evidence::InstanceHours,
    spread::{Rising, evenly, spread},
    taste::Choices,
    wish::BadWish,
    *,
};

pub(super) const REGION: &str = "eu-west-1";
const DAY: i64 = 24;

pub(super) fn hour(hour: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + hour * 3_600).unwrap()
}

pub(super) fn price(dollars: f64) -> Price {
    Price::new(dollars).unwrap()
}

pub(super) fn history(points: &[(i64, f64)]) -> History {
    let point = |(at, dollars): &(i64, f64)| Point {
        at: hour(*at),
        price: price(*dollars),
    };
    History::new(points.iter().map(point).collect())
}

pub(super) fn instance_type(name: &str, vcpus: u32, gib: u64, on_demand: f64) -> InstanceType {
    InstanceType {
        name: name.to_owned(),
        vcpus,
        memory_mib: gib * 1_024,
        gpus: u32::from(name.starts_with('g')),
        architecture: if name.contains("6g") {
            Architecture::Arm64
        } else {
            Architecture::X86_64
        },
        burstable: name.starts_with('t'),
        current_generation: !name.starts_with("m4"),
        spot: !name.starts_with("mac"),
        on_demand: Some(price(on_demand)),
    }
}

pub(super) fn types() -> Vec<InstanceType> {
    vec![
        instance_type("m5.xlarge", 4, 16, 0.214),
        instance_type("m5a.xlarge", 4, 16, 0.192),
        instance_type("m6g.xlarge", 4, 16, 0.172),
        instance_type("m4.xlarge", 4, 16, 0.222),
        instance_type("t3.xlarge", 4, 16, 0.1824),
        instance_type("m5.2xlarge", 8, 32, 0.428),
        instance_type("m5.4xlarge", 16, 64, 0.856),
        instance_type("c5.xlarge", 4, 8, 0.192),
        instance_type("g4dn.xlarge", 4, 16, 0.587),
    ]
}

pub(super) fn catalogue() -> Catalogue {
    let pools = types()
        .into_iter()
        .flat_map(|of| ["a", "b", "c"].map(|zone| Pool::new(&of.name, &format!("{REGION}{zone}"))));
    Catalogue::new(REGION, types(), pools).unwrap()
}

pub(super) fn like(name: &str, count: u32) -> Asked {
    Asked {
        region: REGION.to_owned(),
        like: Some(name.to_owned()),
        count,
        ..Asked::default()
    }
}

pub(super) fn wish(asked: &Asked) -> Wish {
    Wish::read(asked, &catalogue()).unwrap()
}

/// Every pool at 40 % of on-demand for the last ten days.
pub(super) fn flat() -> Evidence {
    let mut evidence = Evidence::none(hour(0));
    evidence.prices_read_at = Some(hour(0));
    for (pool, of) in catalogue().pools() {
        let dollars = of.on_demand.unwrap().dollars() * 0.4;
        evidence
            .prices
            .insert(pool.clone(), history(&[(-10 * DAY, dollars)]));
    }
    evidence
}

fn plan(asked: &Asked, evidence: &Evidence) -> Plan {
    recommend(&wish(asked), &catalogue(), evidence, &Taste::default()).unwrap()
}

fn place(plan: &Plan, of: &Pool) -> usize {
    plan.pools.iter().position(|one| one.pool == *of).unwrap()
}

fn names(plan: &Plan) -> Vec<&str> {
    let mut names: Vec<&str> = plan
        .pools
        .iter()
        .map(|one| one.pool.instance_type.as_str())
        .collect();
    names.dedup();
    names
}

#[track_caller]
fn check_statistics(points: &[(i64, f64)], hours: (i64, i64), expected: Option<(f64, f64, f64, f64, usize)>) {
    let found = history(points)
        .statistics(hour(hours.0), hour(hours.1))
        .map(|of| {
            let round = |x: f64| (x * 1e6).round() / 1e6;
            (
                of.now.dollars(),
                round(of.mean),
                of.high,
                round(of.volatility),
                of.changes,
            )
        });
    assert_eq!(found, expected, "{points:?} over {hours:?}");
}

#[test]
fn a_price_counts_for_as_long_as_it_held() {
    check_statistics(&[], (0, 10), None);
    check_statistics(&[(0, 0.1)], (0, 10), Some((0.1, 0.1, 0.1, 0.0, 0)));
    // Written three times within an hour, in force for nine: the nine count.
    check_statistics(
        &[(0, 0.1), (9, 0.2)],
        (0, 10),
        Some((0.2, 0.11, 0.1, 0.272_727, 1)),
    );
    check_statistics(
        &[(0, 0.1), (8, 0.2)],
        (0, 10),
        Some((0.2, 0.12, 0.2, 0.333_333, 1)),
    );
    // In force before the time began.
    check_statistics(&[(-50, 0.3), (5, 0.1)], (0, 10), Some((0.1, 0.2, 0.3, 0.5, 1)));
    // Before the first point nothing is known; after the end nothing counts.
    check_statistics(&[(5, 0.1), (11, 9.0)], (0, 10), Some((0.1, 0.1, 0.1, 0.0, 0)));
    // Only in the future.
    check_statistics(&[(11, 9.0)], (0, 10), None);
    // At the very end, and over no time at all.
    check_statistics(&[(10, 0.1)], (0, 10), Some((0.1, 0.1, 0.1, 0.0, 0)));
    check_statistics(&[(-1, 0.2), (0, 0.1)], (0, 0), Some((0.1, 0.1, 0.1, 0.0, 0)));
    // The dearer of two at one time; a point that repeats the price is no change.
    check_statistics(&[(0, 0.1), (0, 0.3)], (0, 10), Some((0.3, 0.3, 0.3, 0.0, 0)));
    check_statistics(&[(0, 0.1), (5, 0.1)], (0, 10), Some((0.1, 0.1, 0.1, 0.0, 0)));
    let covered = history(&[(4, 0.1)])
        .statistics(hour(0), hour(10))
        .unwrap()
        .covered;
    assert_eq!(covered, SignedDuration::from_hours(6));
}

#[test]
fn what_is_no_price_is_refused() {
    for text in ["0", "-1", "NaN", "inf", "", "1,5", "1e9", "$1"] {
        let told = Price::parse(text).unwrap_err().to_string();
        assert!(told.ends_with(&format!("`{text}`")), "{told}");
    }
    assert_eq!(Price::parse(" 0.041600 "), Ok(price(0.0416)));
    assert_eq!(Price::parse("1e-4"), Ok(price(0.0001)));
}

#[test]
fn a_type_to_be_like_is_itself_or_the_next_size() {
    let check = |asked: &Asked, expected: &[&str]| {
        let plan = plan(asked, &flat());
        assert_eq!(names(&plan), expected, "{asked:?}");
    };
    check(&like("m5.xlarge", 3), &["m5a.xlarge", "m5.xlarge", "m5.2xlarge"]);
    check(
        &like("t3.xlarge", 3),
        &["t3.xlarge", "m5a.xlarge", "m5.xlarge", "m5.2xlarge"],
    );
    check(
        &like("m4.xlarge", 3),
        &["m5a.xlarge", "m5.xlarge", "m4.xlarge", "m5.2xlarge"],
    );
    check(&like("m6g.xlarge", 3), &["m6g.xlarge"]);
    check(&like("g4dn.xlarge", 3), &["g4dn.xlarge"]);
    let any = Asked {
        architectures: vec!["arm64".into(), "x86_64".into()],
        denied: vec!["m5*.*".into()],
        ..like("m5.xlarge", 3)
    };
    check(&any, &["m6g.xlarge"]);
    let small = Asked {
        like: None,
        vcpus: Some(4),
        most_vcpus: Some(4),
        allowed: vec!["m5.*".into(), "c5.*".into()],
        ..like("", 3)
    };
    check(&small, &["c5.xlarge", "m5.xlarge"]);
}

#[test]
fn a_wish_that_cannot_be_says_what_to_write() {
    let check = |change: &dyn Fn(&mut Asked), expected: &str| {
        let mut asked = like("m5.xlarge", 3);
        change(&mut asked);
        let told = Wish::read(&asked, &catalogue()).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    };
    check(&|asked| asked.region = "us-east-1".into(), "ask for eu-west-1");
    check(&|asked| asked.like = None, "give vCPUs, memory or GPUs");
    check(
        &|asked| asked.most_vcpus = Some(2),
        "at least 4 and at most 2 vCPUs",
    );
    check(
        &|asked| asked.most_memory_mib = Some(1),
        "at most 1 MiB are asked for",
    );
    check(
        &|asked| asked.architectures = vec!["mips".into()],
        "mips is not known",
    );
    check(
        &|asked| asked.zones = vec!["eu-west-1z".into()],
        "zone eu-west-1z of eu-west-1",
    );
    check(&|asked| asked.count = 0, "ask for 1 to 10000");
    check(&|asked| asked.count = 10_001, "ask for 1 to 10000");
    check(&|asked| asked.on_demand_percent = 101, "ask for 0 to 100");
    check(&|asked| asked.denied = vec!["M5".into()], "found `M5`");
}

#[test]
fn the_higher_of_share_and_count_is_on_demand() {
    let check = |count, percent, least, expected| {
        let asked = Asked {
            on_demand_percent: percent,
            on_demand_count: least,
            ..like("m5.xlarge", count)
        };
        let wish = wish(&asked);
        assert_eq!((wish.on_demand(), wish.spot()), expected);
        let plan = plan(&asked, &flat());
        let of = |market| -> u32 {
            plan.pools
                .iter()
                .filter(|one| one.market == market)
                .map(|one| one.count)
                .sum()
        };
        assert_eq!((of(Market::OnDemand), of(Market::Spot)), expected);
        // The cheapest type, evenly over its zones.
        let taken = plan
            .pools
            .iter()
            .filter(|one| one.market == Market::OnDemand && one.count > 0);
        for one in taken {
            assert_eq!(one.pool.instance_type, "m5a.xlarge");
            assert!(one.count.abs_diff(expected.0 / 3) <= 1);
        }
    };
    check(10, 0, 0, (0, 10));
    check(10, 25, 0, (3, 7));
    check(10, 25, 5, (5, 5));
    check(10, 100, 0, (10, 0));
    check(3, 0, 9, (3, 0));
}

#[test]
fn interruptions_of_ours_weigh_half_after_the_half_life() {
    let pool = Pool::new("m5.xlarge", "eu-west-1a");
    let weight = |hours: &[i64], known: bool| {
        let mut evidence = Evidence::none(hour(0));
        evidence.interruptions = hours
            .iter()
            .map(|at| Interruption {
                pool: pool.clone(),
                at: hour(*at),
            })
            .collect();
        evidence.instance_hours = known.then(BTreeMap::new);
        let found = hazard::ours(&evidence, &Taste::default());
        found
            .get(&pool)
            .map_or(0.0, |ours| (ours.weight * 1e6).round() / 1e6)
    };
    assert_eq!(weight(&[], false), 0.0);
    assert_eq!(weight(&[0], false), 1.0);
    assert_eq!(weight(&[-72], false), 0.5);
    assert_eq!(weight(&[-72, -144], false), 0.75);
    assert_eq!(weight(&[5], false), 1.0, "another machine's clock");
    // Ten at once are one reclaim, where it is not known how many ran.
    assert_eq!(weight(&[-72; 10], false), 0.5);
    assert_eq!(weight(&[-72; 10], true), 5.0);
}

#[test]
fn a_pool_that_lost_instances_moves_down_and_comes_back() {
    let asked = like("m5.xlarge", 10);
    let best = plan(&asked, &flat()).pools[0].pool.clone();
    let after = |hours: i64| {
        let mut evidence = flat();
        evidence.interruptions = vec![Interruption {
            pool: best.clone(),
            at: hour(-hours),
        }];
        place(&plan(&asked, &evidence), &best)
    };
    assert_eq!(place(&plan(&asked, &flat()), &best), 0);
    assert!(after(1) >= 3, "all of its type's other zones come first");
    assert!(after(20 * DAY) < after(1));
    // The longer ours ran there, the less one interruption says.
    let mut known = flat();
    known.interruptions = (1..5)
        .map(|hours| Interruption {
            pool: best.clone(),
            at: hour(-hours),
        })
        .collect();
    known.instance_hours = Some(BTreeMap::new());
    let short = place(&plan(&asked, &known), &best);
    let hours = InstanceHours::new(1e6).unwrap();
    known.instance_hours = Some(BTreeMap::from([(best.clone(), hours)]));
    assert!(place(&plan(&asked, &known), &best) < short);
}

#[test]
fn bands_placement_scores_and_high_prices_move_the_rate() {
    let pool = Pool::new("m5.xlarge", "eu-west-1a");
    let rate = |change: &dyn Fn(&mut Evidence)| {
        let mut evidence = flat();
        change(&mut evidence);
        let plan = plan(&like("m5.xlarge", 1), &evidence);
        plan.pools[place(&plan, &pool)].hazard.unwrap().per_hour
    };
    let usual = rate(&|_| {});
    let banded = |band| {
        rate(&move |evidence: &mut Evidence| {
            evidence.bands.insert("m5.xlarge".into(), band);
        })
    };
    let rates = Band::ALL.map(banded);
    assert!(rates.is_sorted() && rates[0] < usual && rates[1] == usual && rates[4] > usual);
    let scored = |score| {
        rate(&move |evidence: &mut Evidence| {
            let score = PlacementScore::new(score).unwrap();
            evidence.placement.insert("eu-west-1a".into(), score);
        })
    };
    assert!((scored(10) * 2.0 - usual).abs() < 1e-12 && (scored(1) - usual * 2.0).abs() < 1e-12);
    let dear = rate(&|evidence| {
        evidence.prices.insert(pool.clone(), history(&[(-240, 0.214)]));
    });
    assert!(dear > usual && dear < usual * 2.0);
    assert_eq!(PlacementScore::new(0), None);
    assert_eq!(PlacementScore::new(11), None);
    assert_eq!(Band::of_number(4), Some(Band::Above20));
    assert_eq!(Band::of_number(5), None);
}

#[test]
fn no_pool_gets_more_than_its_share_if_there_are_others() {
    let flat = Rising {
        first: 1.0,
        rise: 0.0,
    };
    let dear = Rising {
        first: 2.0,
        rise: 0.0,
    };
    let check = |count, pools: &[Rising], most, expected: &[u32]| {
        assert_eq!(spread(count, pools, most), expected);
    };
    check(5, &[], 0.5, &[]);
    check(5, &[flat], 0.2, &[5]);
    check(1, &[flat, dear], 0.2, &[1, 0]);
    check(4, &[flat, dear], 1.0, &[4, 0]);
    check(4, &[flat, flat], 1.0, &[2, 2]);
    check(10, &[flat, dear, dear], 0.5, &[5, 3, 2]);
    check(10, &[flat, dear, dear], 0.2, &[4, 3, 3]);
    // As one fills it becomes dearer than the next.
    let rising = Rising {
        first: 1.0,
        rise: 4.0,
    };
    check(8, &[rising, dear], 1.0, &[3, 5]);
    assert_eq!(evenly(7, 3), [3, 2, 2]);
    assert_eq!(evenly(7, 0), [0; 0]);
}

#[test]
fn instances_go_to_several_pools() {
    let taken = |count| {
        plan(&like("m5.xlarge", count), &flat())
            .pools
            .iter()
            .filter(|one| one.count > 0)
            .count()
    };
    assert_eq!((taken(1), taken(2)), (1, 2));
    assert!(taken(20) >= 5);
}

#[test]
fn stale_prices_are_used_and_marked() {
    let check = |read_at: Option<Timestamp>, stale: bool, word: &str| {
        let mut evidence = flat();
        evidence.prices_read_at = read_at;
        let plan = plan(&like("m5.xlarge", 4), &evidence);
        let reasons: Vec<String> = plan.pools[0].reasons.iter().map(ToString::to_string).collect();
        let told = reasons.iter().any(|reason| reason.contains(word));
        assert_eq!((plan.stale, told), (stale, true), "{reasons:?}");
        assert!(plan.pools.iter().all(|one| one.cost.is_some()));
    };
    check(Some(hour(-6)), false, "an hour now");
    check(Some(hour(-7)), true, "prices are stale, read 7h ago");
    check(None, true, "prices were never read");
}

#[test]
fn a_pool_without_a_price_is_a_last_resort() {
    let mut evidence = flat();
    let cheapest = plan(&like("m5.xlarge", 6), &evidence).pools[0].pool.clone();
    evidence.prices.remove(&cheapest);
    let without = plan(&like("m5.xlarge", 6), &evidence);
    let last = without.pools.last().unwrap();
    assert_eq!((&last.pool, last.count, last.cost), (&cheapest, 0, None));
    assert_eq!(last.reasons[0].to_string(), "no spot price is known");
    // None has a price: still what was asked for, over several.
    evidence.prices.clear();
    let none = plan(&like("m5.xlarge", 6), &evidence);
    assert_eq!(none.pools.iter().map(|one| one.count).sum::<u32>(), 6);
    assert!(none.pools.iter().all(|one| one.count <= 2));
}

#[test]
fn nothing_that_fits_says_why() {
    let asked = Asked {
        denied: vec!["m5*".into()],
        zones: vec!["eu-west-1a".into()],
        ..like("m5.xlarge", 3)
    };
    let told = recommend(&wish(&asked), &catalogue(), &flat(), &Taste::default())
        .unwrap_err()
        .to_string();
    assert_eq!(
        told,
        "none of the 27 pools of eu-west-1 fits: 12 denied, 10 in other zones, 1 of another architecture, \
         1 too little or too much memory, 1 too few GPUs, or GPUs that are not asked for, 1 burstable, \
         1 of an older generation; ask for less, or allow more"
    );
}

#[test]
fn reasons_are_words_and_numbers() {
    let mut evidence = flat();
    let pool = Pool::new("m5.xlarge", "eu-west-1b");
    evidence
        .prices
        .insert(pool.clone(), history(&[(-240, 0.1), (-84, 0.08), (-42, 0.09)]));
    evidence.bands.insert("m5.xlarge".into(), Band::From10To15);
    evidence
        .placement
        .insert("eu-west-1b".into(), PlacementScore::new(7).unwrap());
    evidence.interruptions = vec![Interruption {
        pool: pool.clone(),
        at: hour(-72),
    }];
    let plan = plan(&like("m5.xlarge", 4), &evidence);
    let reasons: Vec<String> = plan.pools[place(&plan, &pool)]
        .reasons
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        reasons,
        [
            "$0.0900 an hour now, $0.0925 on average over 7d, $0.1000 or less for 90 % of it, volatility 9 %, 42 % of on-demand now",
            "10-15 % of such instances were interrupted last month",
            "placement score 7 of 10",
            "1 of ours interrupted there, the last 3d ago, still counting 0.50",
            "1.16 interruptions expected in 1,000 instance-hours, worth $0.0054 an hour",
        ]
    );
}

#[test]
fn a_taste_stays_within_its_bounds() {
    let check = |change: &dyn Fn(&mut Choices), expected: &str| {
        let mut choices = Choices::default();
        change(&mut choices);
        let told = Taste::new(choices).unwrap_err().to_string();
        assert!(told.starts_with(expected), "{told}");
    };
    check(
        &|of| of.interruption_hours = f64::NAN,
        "interruption_hours is NaN, expected on-demand hours",
    );
    check(
        &|of| of.half_life = SignedDuration::ZERO,
        "half_life is 0s, expected a duration",
    );
    check(
        &|of| of.window = SignedDuration::from_hours(9_000),
        "window is 375d",
    );
    check(&|of| of.stale_after = SignedDuration::MIN, "stale_after is");
    check(&|of| of.most_share = 0.0, "most_share is 0");
    check(&|of| of.crowding = f64::INFINITY, "crowding is inf");
    assert_eq!(Taste::new(Choices::default()), Ok(Taste::default()));
}

#[test]
fn a_wish_of_another_region_is_refused() {
    let wish = wish(&like("m5.xlarge", 1));
    let other = Catalogue::new("us-east-1", types(), []).unwrap();
    assert!(matches!(
        recommend(&wish, &other, &flat(), &Taste::default()),
        Err(NoPlan::Region { .. })
    ));
    assert!(matches!(
        Wish::read(&like("m5.xlarge", 1), &other),
        Err(BadWish::Region { .. })
    ));
}
