//! The original recommender's defects, each by its name, do not occur here.

use std::collections::BTreeMap;

use super::{
    catalogue::BadCatalogue,
    tests::{REGION, catalogue, flat, history, hour, like, types, wish},
    wish::BadWish,
    *,
};

fn plan(asked: &Asked, evidence: &Evidence) -> Plan {
    recommend(&wish(asked), &catalogue(), evidence, &Taste::default()).unwrap()
}

/// It answered for its own region whatever was asked for.
#[test]
fn region_ignored() {
    let mut asked = like("m5.xlarge", 3);
    asked.region = "ap-southeast-2".to_owned();
    assert_eq!(
        Wish::read(&asked, &catalogue()),
        Err(BadWish::Region {
            asked: "ap-southeast-2".to_owned(),
            known: REGION.to_owned()
        })
    );
    let foreign = [Pool::new("m5.xlarge", "us-east-1a")];
    assert!(matches!(
        Catalogue::new(REGION, types(), foreign),
        Err(BadCatalogue::Zone { .. })
    ));
    // Prices and interruptions of another region change nothing.
    let asked = like("m5.xlarge", 3);
    let before = plan(&asked, &flat());
    let mut evidence = flat();
    let pool = Pool::new("m5.xlarge", "us-east-1a");
    evidence.prices.insert(pool.clone(), history(&[(-9, 0.000_1)]));
    evidence.interruptions = vec![Interruption { pool, at: hour(-1) }];
    assert_eq!(plan(&asked, &evidence), before);
}

/// With one price in a zone, its score was 0/0.
#[test]
fn nan_at_one_price() {
    let mut evidence = flat();
    evidence.prices = BTreeMap::from([(Pool::new("m5.xlarge", "eu-west-1a"), history(&[(-1, 0.08)]))]);
    let found = plan(&like("m5.xlarge", 3), &evidence);
    let of = found.pools[0].statistics.unwrap();
    assert_eq!(
        (of.mean, of.high, of.volatility, of.changes),
        (0.08, 0.08, 0.0, 0)
    );
    assert!(found.pools[0].cost.unwrap().is_finite());
    assert_eq!(found.pools[0].count, 3);
    assert!(found.pools[0].reasons.contains(&Reason::Unchanged));
}

/// A refresh that failed wrote its empty answer over what was known.
#[test]
fn cache_poisoned_by_failures() {
    let reading = Reading::default().after::<()>(Ok("prices"), hour(-10));
    let reading = reading
        .after(Err("throttled"), hour(-1))
        .after(Err("throttled"), hour(0));
    assert_eq!(
        (reading.value(), reading.read_at(), reading.failures()),
        (Some(&"prices"), Some(hour(-10)), 2)
    );
    // Kept, and said to be old.
    assert!(reading.is_stale(hour(0), Taste::default().stale_after()));
    let reading = reading.after::<()>(Ok("new prices"), hour(1));
    assert_eq!((reading.value(), reading.failures()), (Some(&"new prices"), 0));
    assert!(!reading.is_stale(hour(1), Taste::default().stale_after()));
    let never = Reading::<()>::default().after(Err("denied"), hour(0));
    assert!(never.value().is_none() && never.is_stale(hour(0), Taste::default().stale_after()));
}

/// An answer for some zones was given to others who asked for all.
#[test]
fn answer_for_some_zones_given_to_all() {
    let all = plan(&like("m5.xlarge", 6), &flat());
    let one = Asked {
        zones: vec!["eu-west-1b".to_owned()],
        ..like("m5.xlarge", 6)
    };
    let of_one = plan(&one, &flat());
    assert!(of_one.pools.iter().all(|ranked| ranked.pool.zone == "eu-west-1b"));
    assert_eq!(plan(&like("m5.xlarge", 6), &flat()), all);
}

/// A base type it did not know ended the process.
#[test]
fn unknown_base_type_panics() {
    let told = Wish::read(&like("m9.mega", 3), &catalogue())
        .unwrap_err()
        .to_string();
    assert_eq!(
        told,
        "instance type m9.mega is not offered in eu-west-1; name one that is, or say vCPUs and memory"
    );
}

/// The base type being the largest of all, there was no next size to look up.
#[test]
fn no_next_size_panics() {
    let found = plan(&like("m5.4xlarge", 3), &flat());
    assert!(
        found
            .pools
            .iter()
            .all(|one| one.pool.instance_type == "m5.4xlarge")
    );
    assert_eq!(found.pools.len(), 3);
}

/// Burstable types and old generations came in unasked.
#[test]
fn no_burst_or_generation_filter() {
    let found = plan(&like("m5.xlarge", 3), &flat());
    let named = |name: &str| found.pools.iter().any(|one| one.pool.instance_type == name);
    assert!(!named("t3.xlarge") && !named("m4.xlarge") && named("m5a.xlarge"));
}
