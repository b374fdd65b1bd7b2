//! Placement groups and capacity reservations of a group in the launches of its swaps.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    super::{
        Policy,
        choice::{Choice, Claim, NoChoice, Offer, choices},
        placement::{Placement, Reservations, Reserved, Target},
        policy::Fallback,
        world::Source,
    },
    choices::{group, now, old, reference, resolved},
};
use crate::recommend::Evidence;

fn cr(id: &str) -> Target {
    Target::Reservation(id.to_owned())
}

fn chosen(
    reservations: Reservations,
    spot: bool,
    fallback: Option<Fallback>,
) -> Result<Vec<Choice>, NoChoice> {
    let mut group = group(Source::Template(reference("lt-1", "$Latest")));
    group.placement = Placement {
        group: Some("rack".to_owned()),
        reservations,
    };
    let offer = Offer {
        group: &group,
        old: &old("m5.large", "b", spot),
        known: &resolved(),
        evidence: &Evidence::none(now()),
        on_demand: &BTreeMap::new(),
        policy: &Policy {
            fallback,
            ..Policy::default()
        },
        spot,
    };
    choices(offer).map(|choices| choices.pools)
}

/// `s-b`, or `s-b Into(...)`, on demand with a `+` after spot.
fn shown(choices: &[Choice]) -> Vec<String> {
    let one = |choice: &Choice| {
        assert_eq!(choice.placement_group.as_deref(), Some("rack"));
        let reserved = match &choice.reserved {
            None => String::new(),
            Some(Reserved::Into(Target::Reservation(id) | Target::ResourceGroup(id))) => format!(" {id}"),
            Some(other) => format!(" {other:?}"),
        };
        let after = if choice.on_demand { "+" } else { "" };
        format!("{after}{}{reserved}", choice.subnet)
    };
    choices.iter().map(one).collect()
}

#[test]
fn pools_on_demand_go_into_the_reservations_that_the_group_names() {
    let two = || vec![cr("cr-1"), Target::ResourceGroup("arn:1".to_owned())];
    let check = |of: Reservations, expected: &[&str]| {
        let found = chosen(of.clone(), false, None).unwrap();
        assert_eq!(shown(&found), expected, "{of:?}");
    };
    check(Reservations::AsTemplate, &["s-b", "s-a"]);
    check(Reservations::Never, &["s-b Never", "s-a Never"]);
    check(Reservations::First(Vec::new()), &["s-b Open", "s-a Open"]);
    check(Reservations::Only(Vec::new()), &["s-b Any", "s-a Any"]);
    check(
        Reservations::Only(two()),
        &["s-b cr-1", "s-b arn:1", "s-a cr-1", "s-a arn:1"],
    );
    check(
        Reservations::First(two()),
        &[
            "s-b cr-1",
            "s-b arn:1",
            "s-a cr-1",
            "s-a arn:1",
            "s-b Open",
            "s-a Open",
        ],
    );
    let many = (0..30).map(|number| cr(&format!("cr-{number}"))).collect();
    let found = chosen(Reservations::First(many), false, None).unwrap();
    assert_eq!(found.len(), 20, "18 into reservations, and all pools without");
    assert_eq!(shown(&found)[18..], ["s-b Open", "s-a Open"]);
}

#[test]
fn spot_runs_in_no_reservation() {
    for of in [Reservations::Never, Reservations::First(vec![cr("cr-1")])] {
        assert_eq!(shown(&chosen(of, true, None).unwrap()), ["s-a", "s-b"]);
    }
    let only = || Reservations::Only(vec![cr("cr-1")]);
    assert_eq!(chosen(only(), true, None), Err(NoChoice::Reserved));
    let falls_back = chosen(only(), true, Some(Fallback::OnDemand)).unwrap();
    assert_eq!(shown(&falls_back), ["+s-b cr-1", "+s-a cr-1"]);
    let falls_back = chosen(
        Reservations::First(vec![cr("cr-1")]),
        true,
        Some(Fallback::OnDemand),
    );
    assert_eq!(
        shown(&falls_back.unwrap()),
        ["s-a", "s-b", "+s-b cr-1", "+s-a cr-1", "+s-b Open", "+s-a Open"]
    );
    let unknown = Reservations::Unknown("soon".to_owned());
    assert_eq!(
        chosen(unknown, false, None),
        Err(NoChoice::Reservations("soon".to_owned()))
    );
}

#[test]
fn they_are_saved_with_the_choice_and_are_part_of_the_launch() {
    let choice = chosen(Reservations::Only(vec![cr("cr-1")]), false, None)
        .unwrap()
        .remove(0);
    let saved = serde_json::to_value(&choice).unwrap();
    assert_eq!(saved["placement_group"], "rack");
    assert_eq!(saved["reserved"], json!({"into": {"reservation": "cr-1"}}));
    let read: Choice = serde_json::from_value(saved).unwrap();
    let claim = Claim {
        action: "a",
        redrive: 0,
        old: "i-old",
    };
    let launch = |choice: &Choice| choice.launch(0, claim, None, &BTreeMap::new());
    assert_eq!(launch(&read), launch(&choice));
    assert_eq!(launch(&read).placement_group.as_deref(), Some("rack"));
    assert_eq!(launch(&read).reserved, Some(Reserved::Into(cr("cr-1"))));
    // One of an earlier release is launched as it was.
    let earlier = serde_json::to_value(Choice::default()).unwrap();
    assert!(earlier.get("placement_group").is_none() && earlier.get("reserved").is_none());
}
