//! Pools in order.

use std::collections::BTreeMap;

use super::super::{
    choice::{Claim, NoChoice, Offer, choices, market, propagated, templates, weight},
    world::{
        Group, Instance, Life, Override, Sizes, Source, SpotMarket, SpotPrice, Subnet, Tag, Template,
        TemplateRef,
    },
};

fn reference(id: &str, version: &str) -> TemplateRef {
    TemplateRef {
        id: id.to_owned(),
        version: version.to_owned(),
    }
}

fn group(source: Source) -> Group {
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
        suspended: Vec::new(),
        tags: Vec::new(),
    }
}

fn old(instance_type: &str, zone: &str, spot: bool) -> Instance {
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
                instance_type: (*instance_type).to_owned(),
                weight: *weight,
                template: template.map(|id| reference(id, "$Default")),
            })
            .collect(),
        max_price: Some("0.5".to_owned()),
    }
}

fn resolved() -> Vec<(TemplateRef, Template)> {
    [("lt-1", "$Latest", "7"), ("lt-2", "$Default", "3")]
        .map(|(id, named, number)| {
            let template = Template {
                resolved: reference(id, number),
                instance_type: Some("m5.large".to_owned()),
            };
            (reference(id, named), template)
        })
        .to_vec()
}

fn prices() -> Vec<SpotPrice> {
    [
        ("m5.large", "a", 0.04),
        ("m5.large", "b", 0.03),
        ("m4.large", "a", 0.05),
        ("m4.large", "b", 0.02),
    ]
    .map(|(instance_type, zone, dollars)| SpotPrice {
        instance_type: instance_type.to_owned(),
        zone: zone.to_owned(),
        dollars,
    })
    .to_vec()
}

fn order(source: Source, old: &Instance, prices: &[SpotPrice]) -> Vec<String> {
    let group = group(source);
    let offer = Offer {
        group: &group,
        old,
        templates: &resolved(),
        prices,
    };
    let found = choices(offer).unwrap();
    found
        .iter()
        .map(|choice| {
            format!(
                "{}/{} {}:{}",
                choice.instance_type, choice.zone, choice.template, choice.version
            )
        })
        .collect()
}

#[test]
fn spot_by_price_the_interrupted_pool_last() {
    let two = mixed(&[("m5.large", 1, None), ("m4.large", 1, Some("lt-2"))]);
    let check = |source: &Source, old: &Instance, prices: &[SpotPrice], expected: &[&str]| {
        assert_eq!(order(source.clone(), old, prices), expected);
    };
    check(
        &two,
        &old("m4.large", "b", true),
        &prices(),
        &[
            "m5.large/b lt-1:7",
            "m5.large/a lt-1:7",
            "m4.large/a lt-2:3",
            "m4.large/b lt-2:3",
        ],
    );
    // Without prices: the group's order, each type in the old one's subnet first; unknown prices after known ones.
    check(
        &two,
        &old("m5.large", "b", true),
        &[],
        &[
            "m5.large/a lt-1:7",
            "m4.large/b lt-2:3",
            "m4.large/a lt-2:3",
            "m5.large/b lt-1:7",
        ],
    );
    check(
        &two,
        &old("m5.large", "b", true),
        &prices()[2..3],
        &[
            "m4.large/a lt-2:3",
            "m5.large/a lt-1:7",
            "m4.large/b lt-2:3",
            "m5.large/b lt-1:7",
        ],
    );
    // On demand prices say nothing, and no pool was interrupted.
    check(
        &two,
        &old("m5.large", "b", false),
        &prices(),
        &[
            "m5.large/b lt-1:7",
            "m5.large/a lt-1:7",
            "m4.large/b lt-2:3",
            "m4.large/a lt-2:3",
        ],
    );
    check(
        &Source::Template(reference("lt-1", "$Latest")),
        &old("m5.large", "a", true),
        &prices(),
        &["m5.large/b lt-1:7", "m5.large/a lt-1:7"],
    );
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
    let check = |group: &Group, templates: &[(TemplateRef, Template)], expected: NoChoice| {
        let offer = Offer {
            group,
            old: &old("m5.large", "a", true),
            templates,
            prices: &[],
        };
        assert_eq!(choices(offer), Err(expected));
    };
    let plain = group(Source::Template(reference("lt-1", "$Latest")));
    check(&plain, &[], NoChoice::Template("lt-1".to_owned()));
    let bare = Group {
        subnets: Vec::new(),
        ..plain
    };
    check(&bare, &resolved(), NoChoice::Subnets);
    let unknown = group(Source::Unknown("a launch configuration".to_owned()));
    check(
        &unknown,
        &resolved(),
        NoChoice::Source("a launch configuration".to_owned()),
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
        market(&group, &old),
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
        templates: &resolved(),
        prices: &prices(),
    };
    let choice = &choices(offer).unwrap()[0];
    let tags = propagated(&group);
    let call = |number, action, redrive| {
        let claim = Claim {
            action,
            redrive,
            old: "i-old",
        };
        choice.launch(number, claim, market(&group, &old).as_ref(), &tags)
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
