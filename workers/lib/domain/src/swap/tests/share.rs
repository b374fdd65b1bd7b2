//! The share on demand while swaps go on.

use hollowtrees_schemas::proto;

use super::super::{
    policy::Share,
    share::{Outlook, Roster, others},
    world::{Member, Standing},
};

const SHARE: Share = Share {
    count: 1,
    percent: 40,
};

fn roster(members: &[&str], on_demand: &[&str]) -> Roster {
    let of = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    Roster {
        members: of(members),
        on_demand: of(on_demand),
        replaced: 1,
    }
}

fn swap(instance: &str, replacement: &str, on_demand: bool) -> proto::GroupSwap {
    proto::GroupSwap {
        action_id: instance.to_owned(),
        instance: instance.to_owned(),
        replacement: replacement.to_owned(),
        weight: 1,
        on_demand,
        ..proto::GroupSwap::default()
    }
}

fn outlook(roster: &Roster, swaps: Vec<proto::GroupSwap>) -> (usize, usize, usize) {
    let record = proto::Group {
        swaps,
        ..proto::Group::default()
    };
    let Outlook {
        members,
        staying,
        to_come,
    } = roster.outlook(&record, "me");
    (members, staying, to_come)
}

#[test]
fn a_group_is_as_large_in_the_middle_of_its_swaps_as_before() {
    // "e" is about to be swapped by whoever asks; two of the others are, one of them for the share.
    let before = roster(&["a", "b", "c", "d"], &[]);
    let swaps = |replacement| vec![swap("a", replacement, true), swap("b", "", false)];
    assert_eq!(outlook(&before, swaps("")), (5, 0, 1));
    // The record may name it before it is a member.
    assert_eq!(outlook(&before, swaps("x")), (5, 0, 1));
    let attached = roster(&["a", "b", "c", "d", "x"], &["x"]);
    assert_eq!(outlook(&attached, swaps("x")), (5, 1, 0));
    let detached = roster(&["b", "c", "d", "x"], &["x"]);
    assert_eq!(outlook(&detached, swaps("x")), (5, 1, 0));
    // Its own swap is not counted twice.
    let own = proto::GroupSwap {
        action_id: "me".to_owned(),
        ..swap("e", "", true)
    };
    assert_eq!(outlook(&before, vec![own]), (5, 0, 0));
}

#[test]
fn a_swap_that_ended_after_the_look_counts_as_it_ended() {
    let before = roster(&["a", "b", "c", "d"], &[]);
    let ended = |result: &str| proto::GroupSwap {
        result: result.to_owned(),
        ..swap("a", "x", true)
    };
    assert_eq!(outlook(&before, vec![ended("succeeded")]), (5, 0, 1));
    assert_eq!(outlook(&before, vec![ended("failed")]), (5, 0, 0));
    let after = roster(&["b", "c", "d", "x"], &["x"]);
    assert_eq!(outlook(&after, vec![ended("succeeded")]), (5, 1, 0));
}

#[test]
fn one_on_demand_that_is_replaced_is_counted_once() {
    let before = roster(&["a", "b", "c", "d"], &["a"]);
    assert_eq!(outlook(&before, vec![swap("a", "", true)]), (5, 0, 1));
    let attached = roster(&["a", "b", "c", "d", "x"], &["a", "x"]);
    assert_eq!(outlook(&attached, vec![swap("a", "x", true)]), (5, 1, 0));
    // One that goes back to spot is not.
    assert_eq!(outlook(&before, vec![swap("a", "", false)]), (5, 0, 0));
}

#[test]
fn what_the_group_launches_itself_is_of_neither_market_until_it_is_seen() {
    let by_group = proto::GroupSwap {
        weight: 0,
        ..swap("a", "", false)
    };
    let before = roster(&["a", "b", "c", "d"], &["a"]);
    assert_eq!(outlook(&before, vec![by_group.clone()]), (5, 0, 0));
    let after = roster(&["b", "c", "d", "y"], &["y"]);
    assert_eq!(outlook(&after, vec![by_group]), (5, 1, 0));
}

#[test]
fn what_is_to_come_meets_a_share_but_does_not_keep_it() {
    let outlook = |staying, to_come| Outlook {
        members: 5,
        staying,
        to_come,
    };
    assert!(outlook(1, 1).meets(SHARE) && !outlook(1, 1).keeps(SHARE));
    assert!(!outlook(0, 1).meets(SHARE));
    assert!(outlook(2, 0).keeps(SHARE));
    assert_eq!(outlook(0, 0).needed(SHARE), 2);
    assert_eq!(outlook(0, 0).needed(Share { count: 9, percent: 0 }), 5);
}

#[test]
fn members_that_leave_or_are_kept_warm_are_none() {
    let member = |id: &str, standing| Member {
        instance: id.to_owned(),
        standing,
        weight: 1,
        zone: "z".to_owned(),
        protected: false,
    };
    let members = [
        member("a", Standing::InService),
        member("b", Standing::Leaving),
        member("c", Standing::Warm),
        member("d", Standing::Joining),
    ];
    assert_eq!(others(&members, Some("a")), ["d".to_owned()].into());
    assert_eq!(others(&members, None).len(), 2);
}
