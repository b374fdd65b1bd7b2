//! Groups of launch configurations, of requirements, of images of their own.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    super::{
        Policy,
        choice::{Choice, Choices, Claim, NoChoice, Offer, choices},
        policy::Fallback,
        source::{Need, Resolved, market, needs, weight},
        world::{
            Blueprint, Configuration, ConfigurationRef, Fitting, Group, Instance, Override, Protection,
            Requirements, Source, SpotMarket, Subnet, TemplateRef, Types,
        },
    },
    choices::{evidence, group, now, old, reference, resolved},
};
use crate::recommend::{Evidence, Price};

fn configured() -> Resolved {
    Resolved {
        configuration: Some(Configuration {
            pinned: ConfigurationRef {
                name: "lc".to_owned(),
                arn: "arn:1".to_owned(),
            },
            instance_type: "m5.large".to_owned(),
            max_price: Some("0.2".to_owned()),
            beyond: None,
        }),
        ..Resolved::default()
    }
}

fn attributes() -> BTreeMap<String, Vec<String>> {
    [("VCpuCount.Min".to_owned(), vec!["2".to_owned()])].into()
}

fn required(protection: Protection) -> Override {
    Override {
        types: Types::Required(Requirements {
            attributes: attributes(),
            protection,
        }),
        weight: 1,
        template: None,
        image: None,
    }
}

fn mixed(overrides: Vec<Override>) -> Source {
    Source::Mixed {
        template: reference("lt-1", "$Latest"),
        overrides,
        max_price: None,
        prioritized: false,
    }
}

fn fitting(name: &str, vcpus: u32, current: bool) -> Fitting {
    Fitting {
        name: name.to_owned(),
        vcpus,
        memory_mib: u64::from(vcpus) * 4096,
        current,
    }
}

/// By requirements: these.
fn known(types: &[Fitting]) -> Resolved {
    let need = Need {
        attributes: attributes(),
        image: "ami-of-lt-1".to_owned(),
        template: None,
    };
    Resolved {
        fitting: vec![(need, types.to_vec())],
        ..resolved()
    }
}

struct Asked<'a> {
    group: Group,
    known: Resolved,
    old: Instance,
    evidence: Evidence,
    on_demand: &'a [(&'a str, f64)],
    policy: Policy,
}

impl Asked<'_> {
    fn of(source: Source, known: Resolved, old: Instance) -> Self {
        Self {
            group: group(source),
            known,
            old,
            evidence: Evidence::none(now()),
            on_demand: &[],
            policy: Policy::default(),
        }
    }

    fn choices(&self) -> Result<Choices, NoChoice> {
        let on_demand = self.on_demand.iter();
        let on_demand = on_demand.map(|(name, price)| ((*name).to_owned(), Price::new(*price).unwrap()));
        choices(Offer {
            group: &self.group,
            old: &self.old,
            known: &self.known,
            evidence: &self.evidence,
            on_demand: &on_demand.collect(),
            policy: &self.policy,
            spot: self.old.spot,
        })
    }
}

/// Types and zones.
fn pools(of: &[Choice]) -> Vec<String> {
    of.iter()
        .map(|choice| format!("{}/{}", choice.instance_type, choice.zone))
        .collect()
}

#[test]
fn a_launch_configuration_is_launched_by_its_arn_at_its_price() {
    let asked = Asked::of(
        Source::Configuration("lc".to_owned()),
        configured(),
        old("m4.large", "b", true),
    );
    let found = asked.choices().unwrap().pools;
    // Its own type, whatever the old one's is; the old one's subnet first where nothing else tells them apart.
    assert_eq!(pools(&found), ["m5.large/b", "m5.large/a"]);
    let claim = Claim {
        action: "a",
        redrive: 0,
        old: "i-old",
    };
    let spot = market(&asked.group, &asked.known, true);
    assert_eq!(
        spot,
        Some(SpotMarket {
            max_price: Some("0.2".to_owned())
        })
    );
    let call = found[0].launch(0, claim, spot.as_ref(), &BTreeMap::new());
    let pinned = asked.known.configuration.as_ref().unwrap().pinned.clone();
    assert_eq!(call.blueprint, Blueprint::Configuration(pinned));
    assert_eq!((call.instance_type.as_str(), call.image), ("m5.large", None));
    // Another one of the same name is another call.
    let mut anew = asked;
    anew.known.configuration.as_mut().unwrap().pinned.arn = "arn:2".to_owned();
    let again = anew.choices().unwrap().pools[0].launch(0, claim, spot.as_ref(), &BTreeMap::new());
    assert_eq!(again.token, call.token);
    assert_ne!(again.blueprint, call.blueprint);
    assert_eq!(market(&anew.group, &anew.known, false), None);
    assert_eq!(weight(&anew.group, &anew.old), 1);
}

#[test]
fn a_launch_configuration_that_cannot_be_launched_is_named() {
    let source = || Source::Configuration("lc".to_owned());
    let old = || old("m5.large", "a", false);
    let missing = Asked::of(source(), Resolved::default(), old());
    assert_eq!(missing.choices(), Err(NoChoice::Configuration("lc".to_owned())));
    let mut beyond = Asked::of(source(), configured(), old());
    beyond.known.configuration.as_mut().unwrap().beyond = Some("a ClassicLink".to_owned());
    let told = beyond.choices().unwrap_err().to_string();
    assert!(
        told.contains("launch configuration lc with a ClassicLink"),
        "{told}"
    );
}

#[test]
fn what_is_saved_of_a_choice_says_what_it_goes_by() {
    let check = |choice: Choice, expected: serde_json::Value| {
        let saved = serde_json::to_value(&choice).unwrap();
        assert_eq!(saved, expected);
        assert_eq!(serde_json::from_value::<Choice>(saved).unwrap(), choice);
    };
    let common = json!({"type": "m5.large", "subnet": "s-a", "zone": "a", "price": null, "why": ""});
    let with = |more: serde_json::Value| {
        let mut all = common.clone();
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        all
    };
    let choice = Choice {
        instance_type: "m5.large".to_owned(),
        subnet: "s-a".to_owned(),
        zone: "a".to_owned(),
        ..Choice::default()
    };
    let by_template = Choice {
        blueprint: Blueprint::Template(reference("lt-1", "7")),
        ..choice.clone()
    };
    // As it was before there was anything else.
    check(
        by_template.clone(),
        with(json!({"template": "lt-1", "version": "7"})),
    );
    check(
        Choice {
            image: Some("ami-1".to_owned()),
            ..by_template
        },
        with(json!({"template": "lt-1", "version": "7", "image": "ami-1"})),
    );
    check(
        Choice {
            blueprint: Blueprint::Configuration(ConfigurationRef {
                name: "lc".to_owned(),
                arn: "arn:1".to_owned(),
            }),
            ..choice
        },
        with(json!({"configuration": "lc", "arn": "arn:1"})),
    );
    // What lacks is empty.
    let bare: Choice = serde_json::from_value(json!({"type": "m5.large", "of_a_newer_release": 1})).unwrap();
    assert_eq!(bare.blueprint, Blueprint::Template(TemplateRef::default()));
}

#[test]
fn an_override_has_its_own_image() {
    let named = |instance_type: &str, image: Option<&str>| Override {
        types: Types::Named(instance_type.to_owned()),
        weight: 1,
        template: None,
        image: image.map(str::to_owned),
    };
    let source = mixed(vec![named("m5.large", None), named("m6g.large", Some("ami-arm"))]);
    let asked = Asked::of(source, resolved(), old("m5.large", "a", false));
    let images: Vec<_> = asked
        .choices()
        .unwrap()
        .pools
        .into_iter()
        .map(|choice| (choice.instance_type, choice.image))
        .collect();
    assert!(images.contains(&("m5.large".to_owned(), None)), "{images:?}");
    assert!(
        images.contains(&("m6g.large".to_owned(), Some("ami-arm".to_owned()))),
        "{images:?}"
    );
    assert!(!images.contains(&("m6g.large".to_owned(), None)), "{images:?}");
}

#[test]
fn types_are_asked_for_once_for_what_is_required_of_them_and_the_image() {
    let plain = required(Protection::default());
    let dear = required(Protection {
        spot_over_lowest: Some(50),
        ..Protection::default()
    });
    let arm = Override {
        template: Some(reference("lt-2", "$Default")),
        ..plain.clone()
    };
    let own = Override {
        image: Some("ami-own".to_owned()),
        ..arm.clone()
    };
    let of = |overrides: &[&Override]| {
        let overrides = overrides.iter().map(|one| (*one).clone()).collect();
        let found = needs(&mixed(overrides), &resolved()).unwrap();
        found.into_iter().map(|need| need.image).collect::<Vec<_>>()
    };
    // What it may cost is not EC2's to judge.
    assert_eq!(of(&[&plain, &dear]), ["ami-of-lt-1"]);
    assert_eq!(
        of(&[&plain, &arm, &own]),
        ["ami-of-lt-1", "ami-of-lt-2", "ami-own"]
    );
    // A name of an image says something by its template only.
    let mut named = resolved();
    named.templates[0].1.image = Some("resolve:ssm:/nodes".to_owned());
    let found = needs(&mixed(vec![plain.clone(), own]), &named).unwrap();
    let templates: Vec<_> = found.into_iter().map(|need| need.template).collect();
    assert_eq!(templates, [Some(reference("lt-1", "7")), None]);
    let mut bare = resolved();
    bare.templates[0].1.image = None;
    assert_eq!(
        needs(&mixed(vec![plain]), &bare),
        Err(NoChoice::Image("lt-1".to_owned()))
    );
    let plain = group(Source::Template(reference("lt-1", "$Latest")));
    assert_eq!(needs(&plain.source, &resolved()), Ok(Vec::new()));
}

#[test]
fn types_by_requirements_go_by_cost_and_without_prices_by_size() {
    let types = [
        fitting("c5.4xlarge", 16, true),
        fitting("m5.large", 2, true),
        fitting("a1.xlarge", 4, false),
        fitting("m5.xlarge", 4, true),
    ];
    let source = || mixed(vec![required(Protection::default())]);
    let mut asked = Asked::of(source(), known(&types), old("m5.xlarge", "a", true));
    assert_eq!(
        pools(&asked.choices().unwrap().pools),
        [
            "m5.xlarge/b",
            "m5.large/a",
            "m5.large/b",
            "a1.xlarge/a",
            "a1.xlarge/b",
            "c5.4xlarge/a",
            "c5.4xlarge/b",
            "m5.xlarge/a",
        ]
    );
    asked.evidence = evidence(&[("c5.4xlarge", "b", 0.02, 0.02), ("m5.large", "a", 0.03, 0.03)]);
    assert_eq!(
        pools(&asked.choices().unwrap().pools)[..2],
        ["c5.4xlarge/b", "m5.large/a"]
    );
    // On demand, by price on demand as far as it is known; but the old one's own type first.
    asked.old.spot = false;
    asked.on_demand = &[("c5.4xlarge", 0.1), ("a1.xlarge", 0.11), ("m5.xlarge", 0.11)];
    assert_eq!(
        pools(&asked.choices().unwrap().pools),
        [
            "m5.xlarge/a",
            "m5.xlarge/b",
            "c5.4xlarge/a",
            "c5.4xlarge/b",
            "a1.xlarge/a",
            "a1.xlarge/b",
            "m5.large/a",
            "m5.large/b",
        ]
    );
    assert_eq!(weight(&asked.group, &asked.old), 1);
    let none = Asked::of(source(), known(&[]), old("m5.xlarge", "a", true));
    assert_eq!(none.choices(), Err(NoChoice::NothingFits));
}

#[test]
fn of_hundreds_of_types_some_are_tried_and_the_old_ones_stays_among_them() {
    let types: Vec<Fitting> = (0..300)
        .map(|number| fitting(&format!("m{number}.large"), 2 + number, true))
        .collect();
    let prices: Vec<(String, f64)> = (0..300)
        .map(|number| (format!("m{number}.large"), 0.1 + f64::from(number) / 100.0))
        .collect();
    let prices: Vec<_> = prices
        .iter()
        .flat_map(|(name, price)| ["a", "b"].map(|zone| (name.as_str(), zone, *price, *price)))
        .collect();
    let source = mixed(vec![required(Protection::default())]);
    let mut asked = Asked::of(source, known(&types), old("m299.large", "a", true));
    asked.evidence = evidence(&prices);
    let found = asked.choices().unwrap();
    assert_eq!((found.pools.len(), found.types.len()), (24, 60));
    assert!(found.types.contains("m299.large"));
    let tried = pools(&found.pools);
    assert_eq!(
        (tried[0].as_str(), tried[23].as_str()),
        ("m0.large/a", "m299.large/b")
    );
    // Of those on demand too.
    asked.policy.fallback = Some(Fallback::OnDemand);
    let found = asked.choices().unwrap().pools;
    assert_eq!(found.len(), 24);
    let on_demand: Vec<_> = found.iter().filter(|choice| choice.on_demand).cloned().collect();
    assert_eq!(pools(&on_demand)[0], "m299.large/a");
    let spot = &found[..found.len() - on_demand.len()];
    assert_eq!(pools(spot).last().unwrap(), "m299.large/b");
    asked.group.subnets.truncate(1);
    assert!(matches!(&asked.group.subnets[..], [Subnet { zone, .. }] if zone == "a"));
    asked.policy = Policy::default();
    // It is the interrupted pool, the last of all: still one of those that are tried.
    assert_eq!(
        pools(&asked.choices().unwrap().pools).last().unwrap(),
        "m299.large/a"
    );
}

#[test]
fn what_is_too_dear_for_the_groups_own_protection_is_left_out() {
    let types = [
        // Cheap, but of no C, M or R; and a cheap one of an earlier generation.
        fitting("t3.large", 2, true),
        fitting("m4.large", 2, false),
        fitting("m5.large", 2, true),
        fitting("c5.xlarge", 4, true),
        fitting("r5.4xlarge", 16, true),
    ];
    let prices = [
        ("t3.large", 0.01),
        ("m4.large", 0.02),
        ("m5.large", 0.03),
        ("c5.xlarge", 0.05),
        ("r5.4xlarge", 0.20),
    ];
    let check = |protection: Protection, spot: bool, expected: &[&str]| {
        let source = mixed(vec![required(protection)]);
        let mut asked = Asked::of(source, known(&types), old("m5.large", "a", spot));
        asked.group.subnets.truncate(1);
        asked.evidence = evidence(&prices.map(|(name, price)| (name, "a", price, price)));
        let dearer = prices.map(|(name, price)| (name, price * 2.0));
        asked.on_demand = &dearer;
        let found = asked.choices().unwrap();
        assert_eq!(pools(&found.left_out), expected, "{protection:?}");
        for out in &found.left_out {
            assert!(out.why.contains("price protection"), "{}", out.why);
        }
        assert_eq!(found.pools.len() + expected.len(), types.len());
    };
    let none = Protection::default();
    // Of the spot prices nothing is said: nothing is left out.
    check(none, true, &[]);
    check(
        Protection {
            spot_over_lowest: Some(100),
            ..none
        },
        true,
        &["r5.4xlarge/a"],
    );
    check(
        Protection {
            spot_over_lowest: Some(50),
            ..none
        },
        true,
        &["c5.xlarge/a", "r5.4xlarge/a"],
    );
    // Of $0.06 on demand.
    check(
        Protection {
            spot_of_on_demand: Some(80),
            ..none
        },
        true,
        &["c5.xlarge/a", "r5.4xlarge/a"],
    );
    check(
        Protection {
            spot_of_on_demand: Some(999_999),
            ..none
        },
        true,
        &[],
    );
    // A fifth above the lowest on demand, unless it says more.
    check(none, false, &["c5.xlarge/a", "r5.4xlarge/a"]);
    check(
        Protection {
            on_demand_over_lowest: Some(70),
            ..none
        },
        false,
        &["r5.4xlarge/a"],
    );
}
