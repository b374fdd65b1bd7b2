//! Pools in order.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::super::{
    Policy,
    choice::{Choice, Claim, NoChoice, Offer, choices, propagated},
    policy::{self, Fallback, max_open, patterns, price_ceiling},
    source::{Resolved, market, templates, weight},
    world::{
        Blueprint, Group, Instance, Life, Override, Sizes, Source, SpotMarket, Subnet, Tag, Template,
        TemplateRef, Types,
    },
};
use crate::recommend::{Evidence, History, Point, Pool, Price};

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

pub(super) fn reference(id: &str, version: &str) -> TemplateRef {
    TemplateRef {
        id: id.to_owned(),
        version: version.to_owned(),
    }
}

pub(super) fn group(source: Source) -> Group {
    let subnets = [("s-a", "a"), ("s-b", "b")].map(|(id, zone)| Subnet {
        id: id.to_owned(),
        zone: zone.to_owned(),
    });
    Group {
        name: "g".to_owned(),
        sizes: Sizes {
            min: 0,
            desired: 2,
            max: 3,
        },
        members: Vec::new(),
        subnets: subnets.to_vec(),
        source,
        capacity_rebalance: false,
        placement: Default::default(),
        maintenance: None,
        suspended: Vec::new(),
        target_groups: Vec::new(),
        classic_balancers: Vec::new(),
        tags: Vec::new(),
    }
}

pub(super) fn old(instance_type: &str, zone: &str, spot: bool) -> Instance {
    Instance {
        id: "i-old".to_owned(),
        life: Life::Running,
        instance_type: instance_type.to_owned(),
        subnet: format!("s-{zone}"),
        zone: zone.to_owned(),
        spot,
        tags: BTreeMap::new(),
    }
}

fn mixed(overrides: &[(&str, u32, Option<&str>)]) -> Source {
    Source::Mixed {
        template: reference("lt-1", "$Latest"),
        overrides: overrides
            .iter()
            .map(|(instance_type, weight, template)| Override {
                types: Types::Named((*instance_type).to_owned()),
                weight: *weight,
                template: template.map(|id| reference(id, "$Default")),
                image: None,
            })
            .collect(),
        max_price: Some("0.5".to_owned()),
        prioritized: false,
    }
}

pub(super) fn resolved() -> Resolved {
    let templates = [("lt-1", "$Latest", "7"), ("lt-2", "$Default", "3")].map(|(id, named, number)| {
        let template = Template {
            resolved: reference(id, number),
            instance_type: Some("m5.large".to_owned()),
            image: Some(format!("ami-of-{id}")),
            by_requirements: false,
        };
        (reference(id, named), template)
    });
    Resolved {
        templates: templates.to_vec(),
        ..Resolved::default()
    }
}

/// Each pool's price in force for 100 hours, then for 10 more.
pub(super) fn evidence(prices: &[(&str, &str, f64, f64)]) -> Evidence {
    let point = |hours: i64, dollars: f64| Point {
        at: now() - SignedDuration::from_hours(hours),
        price: Price::new(dollars).unwrap(),
    };
    let histories = prices.iter().map(|(instance_type, zone, before, dollars)| {
        let history = History::new(vec![point(110, *before), point(10, *dollars)]);
        (Pool::new(instance_type, zone), history)
    });
    Evidence {
        prices_read_at: Some(now()),
        prices: histories.collect(),
        ..Evidence::none(now())
    }
}

fn prices() -> Evidence {
    evidence(&[
        ("m5.large", "a", 0.04, 0.04),
        ("m5.large", "b", 0.03, 0.03),
        ("m4.large", "a", 0.05, 0.05),
        ("m4.large", "b", 0.02, 0.02),
    ])
}

fn chosen(source: Source, old: &Instance, evidence: &Evidence) -> Vec<Choice> {
    let group = group(source);
    choices(Offer {
        group: &group,
        old,
        known: &resolved(),
        evidence,
        on_demand: &BTreeMap::new(),
        policy: &Policy::default(),
        spot: old.spot,
    })
    .unwrap()
    .pools
}

fn order(source: Source, old: &Instance, evidence: &Evidence) -> Vec<String> {
    chosen(source, old, evidence)
        .iter()
        .map(|choice| {
            format!(
                "{}/{} {}",
                choice.instance_type,
                choice.zone,
                by(&choice.blueprint)
            )
        })
        .collect()
}

fn by(blueprint: &Blueprint) -> String {
    match blueprint {
        Blueprint::Template(of) => format!("{}:{}", of.id, of.version),
        Blueprint::Configuration(of) => of.arn.clone(),
    }
}

fn two() -> Source {
    mixed(&[("m5.large", 1, None), ("m4.large", 1, Some("lt-2"))])
}

#[track_caller]
fn check(source: &Source, old: &Instance, evidence: &Evidence, expected: &[&str]) {
    let found = order(source.clone(), old, evidence);
    let found: Vec<&str> = found
        .iter()
        .filter_map(|choice| Some(choice.split_once(' ')?.0))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn spot_by_cost_the_interrupted_pool_last() {
    assert_eq!(
        order(two(), &old("m4.large", "b", true), &prices()),
        [
            "m5.large/b lt-1:7",
            "m5.large/a lt-1:7",
            "m4.large/a lt-2:3",
            "m4.large/b lt-2:3",
        ]
    );
    // Without prices: the group's order, each type in the old one's subnet first.
    check(
        &two(),
        &old("m5.large", "b", true),
        &Evidence::none(now()),
        &["m5.large/a", "m4.large/b", "m4.large/a", "m5.large/b"],
    );
    // Unknown prices after known ones.
    check(
        &two(),
        &old("m5.large", "b", true),
        &evidence(&[("m4.large", "a", 0.05, 0.05)]),
        &["m4.large/a", "m5.large/a", "m4.large/b", "m5.large/b"],
    );
    // On demand prices say nothing, and no pool was interrupted.
    check(
        &two(),
        &old("m5.large", "b", false),
        &prices(),
        &["m5.large/b", "m5.large/a", "m4.large/b", "m4.large/a"],
    );
    check(
        &Source::Template(reference("lt-1", "$Latest")),
        &old("m5.large", "a", true),
        &prices(),
        &["m5.large/b", "m5.large/a"],
    );
}

#[test]
fn what_a_pool_cost_for_days_counts_beside_what_it_costs_now() {
    // m4.large/a is the cheapest now, but was dear until just now.
    let known = evidence(&[
        ("m5.large", "a", 0.031, 0.031),
        ("m5.large", "b", 0.03, 0.03),
        ("m4.large", "a", 0.09, 0.029),
        ("m4.large", "b", 0.05, 0.05),
    ]);
    check(
        &two(),
        &old("m5.large", "b", true),
        &known,
        &["m5.large/a", "m4.large/b", "m4.large/a", "m5.large/b"],
    );
}

#[test]
fn the_interrupted_pool_goes_first_only_if_all_others_cost_twice_as_much() {
    let of = |dollars: f64| {
        evidence(&[
            ("m5.large", "a", dollars, dollars),
            ("m5.large", "b", 0.10, 0.10),
            ("m4.large", "a", 0.11, 0.11),
            ("m4.large", "b", 0.12, 0.12),
        ])
    };
    let old = old("m5.large", "a", true);
    let others = ["m5.large/b", "m4.large/a", "m4.large/b"];
    check(&two(), &old, &of(0.052), &[&others[..], &["m5.large/a"]].concat());
    check(&two(), &old, &of(0.04), &[&["m5.large/a"], &others[..]].concat());
}

#[test]
fn types_that_are_prioritized_keep_their_order() {
    let Source::Mixed {
        template, overrides, ..
    } = two()
    else {
        panic!()
    };
    let prioritized = Source::Mixed {
        template,
        overrides,
        max_price: None,
        prioritized: true,
    };
    check(
        &prioritized,
        &old("m4.large", "a", true),
        &prices(),
        &["m5.large/b", "m5.large/a", "m4.large/b", "m4.large/a"],
    );
    // However cheap it is: capacity goes before priorities there.
    let cheap = evidence(&[("m5.large", "a", 0.001, 0.001), ("m4.large", "b", 0.1, 0.1)]);
    check(
        &prioritized,
        &old("m5.large", "a", true),
        &cheap,
        &["m5.large/b", "m4.large/b", "m4.large/a", "m5.large/a"],
    );
}

#[test]
fn each_choice_says_why_it_stands_where_it_stands() {
    let why = |source: Source, old: &Instance, evidence: &Evidence| -> Vec<String> {
        let found = chosen(source, old, evidence);
        found.into_iter().map(|choice| choice.why).collect()
    };
    let found = why(two(), &old("m4.large", "b", true), &prices());
    assert!(
        found[0].starts_with("number 2 of 4 by cost: $0.03")
            && found[0]
                .ends_with("an hour with its interruptions, $0.0300 now, $0.0300 on average over 4d14h"),
        "{}",
        found[0]
    );
    assert!(
        found[3].starts_with("number 1 of 4")
            && found[3].ends_with("after the others, for it was just interrupted"),
        "{}",
        found[3]
    );
    assert!(found.iter().all(|line| line.len() < 240), "{found:?}");
    let unknown = why(two(), &old("m4.large", "b", true), &Evidence::none(now()));
    assert_eq!(
        unknown[0],
        "in the group's order, for no spot price is known of it"
    );
    let on_demand = why(two(), &old("m4.large", "b", false), &prices());
    assert_eq!(on_demand[0], "in the group's order");
    let alone = Group {
        subnets: vec![Subnet {
            id: "s-a".to_owned(),
            zone: "a".to_owned(),
        }],
        ..group(Source::Template(reference("lt-1", "$Latest")))
    };
    let offer = Offer {
        group: &alone,
        old: &old("m5.large", "a", true),
        known: &resolved(),
        evidence: &prices(),
        on_demand: &BTreeMap::new(),
        policy: &Policy::default(),
        spot: true,
    };
    let found = choices(offer).unwrap().pools;
    assert!(found[0].why.ends_with("but there is no other"), "{found:?}");
}

#[test]
fn only_types_of_the_old_ones_weight() {
    let weights = mixed(&[
        ("m5.large", 2, None),
        ("m5.xlarge", 4, None),
        ("m4.large", 2, None),
    ]);
    let found = order(weights.clone(), &old("m4.large", "a", true), &prices());
    assert!(found.iter().all(|choice| !choice.contains("xlarge")), "{found:?}");
    assert_eq!(found.len(), 4);
    assert_eq!(weight(&group(weights), &old("m5.xlarge", "a", true)), 4);
}

#[test]
fn what_cannot_be_chosen_is_named() {
    let check = |group: &Group, known: &Resolved, expected: NoChoice| {
        let offer = Offer {
            group,
            old: &old("m5.large", "a", true),
            known,
            evidence: &Evidence::none(now()),
            on_demand: &BTreeMap::new(),
            policy: &Policy::default(),
            spot: true,
        };
        assert_eq!(choices(offer), Err(expected));
    };
    let plain = group(Source::Template(reference("lt-1", "$Latest")));
    check(
        &plain,
        &Resolved::default(),
        NoChoice::Template("lt-1".to_owned()),
    );
    let mut by_requirements = resolved();
    by_requirements.templates[0].1.by_requirements = true;
    check(
        &plain,
        &by_requirements,
        NoChoice::TemplateRequirements("lt-1".to_owned()),
    );
    let bare = Group {
        subnets: Vec::new(),
        ..plain
    };
    check(&bare, &resolved(), NoChoice::Subnets);
    let unknown = group(Source::Unknown("a new kind of policy".to_owned()));
    check(
        &unknown,
        &resolved(),
        NoChoice::Source("a new kind of policy".to_owned()),
    );
}

#[test]
fn a_launch_is_the_same_call_each_time_and_another_for_each_choice() {
    let group = Group {
        tags: [
            ("team", "x", true),
            ("secret", "y", false),
            ("aws:cloudformation:stack-name", "z", true),
        ]
        .map(|(key, value, propagate)| Tag {
            key: key.to_owned(),
            value: value.to_owned(),
            propagate,
        })
        .to_vec(),
        ..group(mixed(&[("m5.large", 1, None), ("m4.large", 1, Some("lt-2"))]))
    };
    let old = old("m5.large", "a", true);
    assert_eq!(
        market(&group, &resolved(), old.spot),
        Some(SpotMarket {
            max_price: Some("0.5".to_owned())
        })
    );
    assert_eq!(
        templates(&group.source),
        [reference("lt-1", "$Latest"), reference("lt-2", "$Default")]
    );
    let offer = Offer {
        group: &group,
        old: &old,
        known: &resolved(),
        evidence: &prices(),
        on_demand: &BTreeMap::new(),
        policy: &Policy::default(),
        spot: true,
    };
    let choice = &choices(offer).unwrap().pools[0];
    let tags = propagated(&group);
    let call = |number, action, redrive| {
        let claim = Claim {
            action,
            redrive,
            old: "i-old",
        };
        choice.launch(
            number,
            claim,
            market(&group, &resolved(), old.spot).as_ref(),
            &tags,
        )
    };
    let first = call(0, "a", 0);
    assert_eq!(first, call(0, "a", 0));
    assert!(first.token.len() <= 64 && first.token.is_ascii());
    for other in [call(1, "a", 0), call(0, "b", 0), call(0, "a", 1)] {
        assert_ne!(first.token, other.token);
    }
    let tags: Vec<&str> = first.tags.keys().map(String::as_str).collect();
    assert_eq!(
        tags,
        [
            "hollowtrees.io/action",
            "hollowtrees.io/choice",
            "hollowtrees.io/replaces",
            "team"
        ]
    );
}

#[test]
fn a_policy_takes_pools_out_and_says_why() {
    let group = group(two());
    let on_demand: BTreeMap<String, Price> = [("m5.large".to_owned(), Price::new(0.1).unwrap())].into();
    let known = prices();
    let under = |policy: &Policy, spot: bool| {
        choices(Offer {
            group: &group,
            old: &old("m4.large", "b", spot),
            known: &resolved(),
            evidence: &known,
            on_demand: &on_demand,
            policy,
            spot,
        })
    };
    let named = |list: &[Choice]| -> Vec<String> {
        let named = list
            .iter()
            .map(|choice| format!("{}/{}", choice.instance_type, choice.zone));
        named.collect()
    };
    let denied = Policy {
        denied: Some(patterns("m5*.*").unwrap()),
        ..Policy::default()
    };
    for spot in [true, false] {
        let found = under(&denied, spot).unwrap();
        assert!(
            named(&found.pools).iter().all(|pool| pool.starts_with("m4")),
            "{found:?}"
        );
        assert_eq!(found.pools.len(), 2);
        assert!(
            found
                .left_out
                .iter()
                .all(|choice| choice.why == "its type is denied"),
            "{found:?}"
        );
    }
    let allowed = Policy {
        allowed: Some(patterns("c5.*, m5.large").unwrap()),
        ..Policy::default()
    };
    let found = under(&allowed, true).unwrap();
    assert_eq!(named(&found.pools), ["m5.large/b", "m5.large/a"]);
    assert_eq!(found.left_out[0].why, "its type is not among those allowed");
    // m5.large costs 0.03 and 0.04 of 0.1 on demand; of m4.large that is not known.
    let ceiling = Policy {
        price_ceiling: Some(35),
        ..Policy::default()
    };
    let found = under(&ceiling, true).unwrap();
    assert_eq!(named(&found.pools), ["m5.large/b", "m4.large/a", "m4.large/b"]);
    assert_eq!(named(&found.left_out), ["m5.large/a"]);
    assert_eq!(
        found.left_out[0].why,
        "$0.0400 an hour is above the ceiling of 35 % of $0.1000 on demand"
    );
    assert!(
        found.pools[1].why.contains("its on-demand price is not known"),
        "{found:?}"
    );
    assert!(!found.pools[0].why.contains("not judged"), "{found:?}");
    // On demand there is no ceiling.
    assert!(under(&ceiling, false).unwrap().left_out.is_empty());
    let nothing = Policy {
        allowed: Some(patterns("r5.*").unwrap()),
        ..Policy::default()
    };
    let none = under(&nothing, true).unwrap_err().to_string();
    assert!(
        none.starts_with("the policy takes out all 4 pools") && none.contains("not among those allowed"),
        "{none}"
    );
}

#[test]
fn a_policy_is_read_key_by_key_the_actions_before_the_groups() {
    let asked = Policy {
        denied: Some(patterns("t3.*").unwrap()),
        max_open: Some(max_open("2").unwrap()),
        ..Policy::default()
    };
    let tagged = Policy {
        denied: Some(patterns("*.metal").unwrap()),
        price_ceiling: Some(price_ceiling(" 80 % ").unwrap()),
        max_open: Some(9),
        ..Policy::default()
    };
    let both = asked.clone().or(tagged);
    assert_eq!(
        (both.denied, both.price_ceiling, both.max_open),
        (asked.denied, Some(80), Some(2))
    );
    for bad in ["", " , ", "M5.large", "m5.large;c5.large"] {
        let told = patterns(bad).unwrap_err().to_string();
        assert!(told.contains("m5"), "{told}");
    }
    for bad in ["0", "-1", "1001", "cheap", "", "0.5"] {
        let told = price_ceiling(bad).unwrap_err().to_string();
        assert!(told.contains("1 to 1000 percent"), "{told}");
    }
    for bad in ["0", "257", "all", ""] {
        let told = max_open(bad).unwrap_err().to_string();
        assert!(told.contains("1 to 256"), "{told}");
    }
}

#[test]
fn pools_on_demand_come_after_those_of_spot_where_the_policy_falls_back_on_them() {
    let group = group(two());
    let policy = Policy {
        fallback: Some(Fallback::OnDemand),
        denied: Some(policy::patterns("m4.*").unwrap()),
        ..Policy::default()
    };
    let found = choices(Offer {
        group: &group,
        old: &old("m5.large", "a", true),
        known: &resolved(),
        evidence: &prices(),
        on_demand: &BTreeMap::new(),
        policy: &policy,
        spot: true,
    })
    .unwrap();
    let pools: Vec<_> = found
        .pools
        .iter()
        .map(|choice| (choice.zone.as_str(), choice.on_demand))
        .collect();
    assert_eq!(pools, [("b", false), ("a", false), ("a", true), ("b", true)]);
    assert_eq!(found.left_out.len(), 4, "the denied type, on both markets");
    let claim = Claim {
        action: "a",
        redrive: 0,
        old: "i-old",
    };
    let market = market(&group, &resolved(), true);
    let launched: Vec<bool> = found
        .pools
        .iter()
        .map(|choice| {
            choice
                .launch(0, claim, market.as_ref(), &BTreeMap::new())
                .spot
                .is_some()
        })
        .collect();
    assert_eq!(launched, [true, true, false, false]);
}

#[test]
fn a_share_is_a_number_or_a_part_whichever_is_more() {
    let check = |text: &str, members: u32, expected: u32| {
        assert_eq!(
            policy::share(text).unwrap().of(members),
            expected,
            "{text} of {members}"
        );
    };
    check("2", 10, 2);
    check("30%", 10, 3);
    check("25 %", 10, 3);
    check("2, 30%", 10, 3);
    check("30%,5", 10, 5);
    check("5", 3, 3);
    check("0", 3, 0);
    check("100%", 7, 7);
    for bad in ["", "x", "-1", "101%", "1,2,3", "2;3", "1.5"] {
        assert!(policy::share(bad).is_err(), "{bad}");
    }
    for (text, seconds) in [("5m", 300), ("0s", 0), (" 24h ", 86_400)] {
        assert_eq!(policy::cooldown(text).unwrap().as_secs(), seconds);
    }
    for bad in ["", "5", "25h", "-1s"] {
        assert!(policy::cooldown(bad).is_err(), "{bad}");
    }
    assert_eq!(policy::fallback(" on-demand"), Ok(Fallback::OnDemand));
    assert!(policy::fallback("spot").is_err());
}
