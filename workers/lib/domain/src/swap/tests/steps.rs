//! Single decisions that are worth reading.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::super::{
    Books, Checkpoint, Choice, Drain, Next, Orders, Seen, Strategy, TAG_MANAGED, TAG_NODE_GROUP, Wait,
    choice::Claim,
    decide,
    skip::skip,
    world::{Group, Instance, Life, Member, Sizes, Source, Standing, Subnet, Tag, TemplateRef},
};
use crate::words::Certainty;

fn instance(id: &str, life: Life) -> Instance {
    Instance {
        id: id.to_owned(),
        life,
        instance_type: "m5.large".to_owned(),
        subnet: "s-a".to_owned(),
        zone: "a".to_owned(),
        spot: true,
        tags: BTreeMap::new(),
    }
}

fn group(sizes: (u32, u32, u32), members: &[(&str, Standing)]) -> Group {
    Group {
        name: "g".to_owned(),
        sizes: Sizes {
            min: sizes.0,
            desired: sizes.1,
            max: sizes.2,
        },
        members: members
            .iter()
            .map(|(id, standing)| Member {
                instance: (*id).to_owned(),
                standing: *standing,
            })
            .collect(),
        subnets: vec![Subnet {
            id: "s-a".to_owned(),
            zone: "a".to_owned(),
        }],
        source: Source::Template(TemplateRef {
            id: "lt".to_owned(),
            version: "1".to_owned(),
        }),
        capacity_rebalance: false,
        suspended: Vec::new(),
        tags: vec![tag(TAG_MANAGED, "true")],
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag {
        key: key.to_owned(),
        value: value.to_owned(),
        propagate: false,
    }
}

fn orders() -> Orders {
    Orders {
        strategy: Strategy::Swap,
        managed: false,
        certainty: Certainty::Certain,
        cancelled: false,
        give_up: false,
        drain_over: false,
        running_within: SignedDuration::from_secs(60),
        in_service_within: SignedDuration::from_secs(60),
    }
}

fn seen(group: Group) -> Seen {
    Seen {
        old_id: "old".to_owned(),
        old: Some(instance("old", Life::Running)),
        group: Some(group),
        ..Seen::default()
    }
}

/// A swap that launched `new` at second 100.
fn launched() -> Checkpoint {
    let mut checkpoint = Checkpoint {
        group: "g".to_owned(),
        choices: vec![Choice::default(); 2],
        launched: Some("new".to_owned()),
        launched_at: 100,
        ..Checkpoint::default()
    };
    checkpoint.old.weight = 1;
    checkpoint
}

fn attached() -> Checkpoint {
    Checkpoint {
        attached: true,
        attached_at: 100,
        ..launched()
    }
}

fn next(checkpoint: &Checkpoint, seen: &Seen, orders: &Orders) -> Next {
    let claim = Claim {
        action: "a",
        redrive: 0,
        old: "old",
    };
    decide(
        checkpoint,
        seen,
        orders,
        claim,
        Timestamp::from_second(110).unwrap(),
    )
    .next
}

const SERVES: Standing = Standing::InService;

#[test]
fn what_is_skipped() {
    let plain = || group((0, 1, 1), &[("old", SERVES)]);
    let check = |seen: &Seen, orders: &Orders, expected: Option<&str>| {
        assert_eq!(
            skip(seen, orders).map(|end| end.reason).as_deref(),
            expected,
            "{seen:?}"
        );
    };
    check(&seen(plain()), &orders(), None);
    let absent = Seen {
        group: None,
        ..seen(plain())
    };
    check(&absent, &orders(), Some("not-in-group"));
    check(
        &seen(group((0, 1, 1), &[("other", SERVES)])),
        &orders(),
        Some("not-in-group"),
    );
    check(
        &seen(group((0, 1, 1), &[("old", Standing::Leaving)])),
        &orders(),
        Some("leaving"),
    );
    let unmanaged = Group {
        tags: Vec::new(),
        ..plain()
    };
    check(&seen(unmanaged.clone()), &orders(), Some("not-managed"));
    check(
        &seen(unmanaged),
        &Orders {
            managed: true,
            ..orders()
        },
        None,
    );
    let rebalancing = Group {
        capacity_rebalance: true,
        ..plain()
    };
    check(&seen(rebalancing), &orders(), Some("group-replaces-itself"));
    let node_group = Group {
        tags: vec![tag(TAG_MANAGED, "true"), tag(TAG_NODE_GROUP, "n")],
        ..plain()
    };
    check(&seen(node_group), &orders(), Some("group-replaces-itself"));
    let unknown = Group {
        source: Source::Unknown("a launch configuration".to_owned()),
        ..plain()
    };
    check(&seen(unknown.clone()), &orders(), Some("unknown-source"));
    check(
        &seen(unknown),
        &Orders {
            strategy: Strategy::Detach,
            ..orders()
        },
        None,
    );
    check(
        &seen(plain()),
        &Orders {
            strategy: Strategy::None,
            ..orders()
        },
        Some("strategy-none"),
    );
    let swapped = Seen {
        replaced_by: Some("new".to_owned()),
        ..absent
    };
    check(&swapped, &orders(), Some("already-swapped"));
}

#[test]
fn the_strategy_of_the_action_goes_first() {
    use Strategy::{Detach, Swap, Terminate};
    assert_eq!(Strategy::of(Some("detach"), Some("terminate"), Swap), Ok(Detach));
    assert_eq!(Strategy::of(None, Some("terminate"), Swap), Ok(Terminate));
    assert_eq!(Strategy::of(None, None, Swap), Ok(Swap));
    assert!(Strategy::of(None, Some("x"), Swap).is_err());
}

#[test]
fn another_swap_is_waited_for_until_the_old_one_is_out() {
    let open = Seen {
        other_swap: true,
        ..seen(group((0, 1, 1), &[("old", SERVES)]))
    };
    let begin = Checkpoint::default();
    assert_eq!(next(&begin, &open, &orders()), Next::Wait(Wait::OtherSwap));
    // It may still be undone.
    let attached = Seen {
        replaced_by: Some("new".to_owned()),
        ..open.clone()
    };
    assert_eq!(next(&begin, &attached, &orders()), Next::Wait(Wait::OtherSwap));
    let out = Seen {
        group: None,
        ..attached
    };
    assert!(matches!(next(&begin, &out, &orders()), Next::Finish(end) if end.reason == "already-swapped"));
    let late = Orders {
        give_up: true,
        ..orders()
    };
    assert!(matches!(next(&begin, &open, &late), Next::Finish(end) if end.reason == "deadline"));
}

#[test]
fn room_is_made_by_the_shortfall_only_and_desired_is_never_written_first() {
    let ours = |sizes| Seen {
        ours: vec![instance("new", Life::Running)],
        ..seen(group(sizes, &[("old", SERVES)]))
    };
    let attach = Next::Attach {
        instance: "new".to_owned(),
    };
    assert_eq!(next(&launched(), &ours((1, 1, 2)), &orders()), attach);
    assert_eq!(
        next(&launched(), &ours((1, 1, 1)), &orders()),
        Next::MakeRoom { max: 2 }
    );
    let mut heavy = launched();
    heavy.old.weight = 4;
    assert_eq!(
        next(&heavy, &ours((1, 8, 10)), &orders()),
        Next::MakeRoom { max: 12 }
    );
}

#[test]
fn only_what_runs_and_goes_on_running_is_attached() {
    let at = |life, doomed| Seen {
        ours: vec![instance("new", life)],
        doomed,
        ..seen(group((1, 1, 2), &[("old", SERVES)]))
    };
    assert_eq!(
        next(&launched(), &at(Life::Pending, false), &orders()),
        Next::Wait(Wait::Running)
    );
    let end = Next::TerminateNew {
        instance: "new".to_owned(),
    };
    assert_eq!(next(&launched(), &at(Life::Running, true), &orders()), end);
    assert_eq!(next(&launched(), &at(Life::Stopped, false), &orders()), end);
    let slow = Orders {
        running_within: SignedDuration::from_secs(5),
        ..orders()
    };
    assert_eq!(next(&launched(), &at(Life::Pending, false), &slow), end);
    // Gone: the next choice, under a token of its own.
    let first = Checkpoint {
        launched: None,
        ..launched()
    };
    let Next::Launch(first) = next(&first, &at(Life::Gone, false), &orders()) else {
        panic!("no launch")
    };
    let Next::Launch(second) = next(&launched(), &at(Life::Gone, false), &orders()) else {
        panic!("no launch")
    };
    assert_ne!(first.token, second.token);
}

#[test]
fn a_detach_below_the_minimum_leaves_desired() {
    let both = [("old", SERVES), ("new", SERVES)];
    let detach = |sizes| next(&attached(), &seen(group(sizes, &both)), &orders());
    assert_eq!(detach((1, 2, 2)), Next::Detach { decrement: true });
    // Somebody lowered desired to the minimum meanwhile.
    assert_eq!(detach((1, 1, 2)), Next::Detach { decrement: false });
}

#[test]
fn what_is_not_ours_is_not_taken_back() {
    let left_first = |books: Books, sizes| {
        let mut seen = seen(group(sizes, &[("new", SERVES)]));
        seen.books = books;
        seen.old = None;
        let claim = Claim {
            action: "a",
            redrive: 0,
            old: "old",
        };
        decide(
            &attached(),
            &seen,
            &orders(),
            claim,
            Timestamp::from_second(110).unwrap(),
        )
    };
    let ours = Books {
        surplus: 1,
        desired_is_ours: true,
        ..Books::default()
    };
    assert_eq!(left_first(ours, (1, 2, 2)).next, Next::LowerDesired { to: 1 });
    let theirs = Books {
        desired_is_ours: false,
        ..ours
    };
    let decision = left_first(theirs, (1, 2, 2));
    assert!(decision.checkpoint.left.desired.is_some(), "{decision:?}");
    let Next::Finish(end) = decision.next else {
        panic!("no end")
    };
    assert!(
        end.message.contains("the old left first") && end.message.contains("someone changed"),
        "{end:?}"
    );

    // MaxSize: only if it is what we wrote, never below desired, and with room for the others.
    let max = |books: Books, sizes| left_first(books, sizes).next;
    let wrote = Books {
        base_max: 2,
        written_max: 4,
        ..Books::default()
    };
    assert_eq!(max(wrote, (1, 2, 4)), Next::RestoreMax { to: 2 });
    assert_eq!(max(wrote, (1, 3, 4)), Next::RestoreMax { to: 3 });
    let shared = Books {
        room_of_others: 1,
        ..wrote
    };
    assert_eq!(max(shared, (1, 2, 4)), Next::RestoreMax { to: 3 });
    assert!(matches!(max(wrote, (1, 2, 9)), Next::Finish(_)));
}

#[test]
fn the_old_one_is_ended_after_its_drain_where_nothing_interrupts_it() {
    let out = |drain| Seen {
        drain,
        ..seen(group((1, 1, 2), &[("new", SERVES)]))
    };
    let detached = Checkpoint {
        detached: true,
        ..attached()
    };
    let advised = Orders {
        certainty: Certainty::Advisory,
        ..orders()
    };
    let pending = Drain::Pending { until: None };
    let check = |drain, orders: &Orders, expected: Option<Next>| {
        let next = next(&detached, &out(drain), orders);
        match expected {
            Some(expected) => assert_eq!(next, expected),
            None => assert!(matches!(next, Next::Finish(_)), "{next:?}"),
        }
    };
    check(pending, &orders(), None);
    check(pending, &advised, Some(Next::Wait(Wait::Drain)));
    check(
        pending,
        &Orders {
            drain_over: true,
            ..advised
        },
        Some(Next::TerminateOld),
    );
    for drain in [Drain::None, Drain::Emptied, Drain::NotEmptied] {
        check(drain, &advised, Some(Next::TerminateOld));
    }
    // Withdrawn: nobody drains it any more, and nothing interrupts it.
    let withdrawn = Orders {
        cancelled: true,
        ..advised
    };
    check(pending, &withdrawn, Some(Next::Wait(Wait::Drain)));
    check(Drain::NotEmptied, &withdrawn, None);
    check(Drain::Emptied, &withdrawn, Some(Next::TerminateOld));
}

#[test]
fn a_withdrawal_goes_back_as_far_as_it_can() {
    let withdrawn = Orders {
        cancelled: true,
        ..orders()
    };
    let before = Checkpoint {
        launched: None,
        ..launched()
    };
    let old = group((1, 1, 1), &[("old", SERVES)]);
    assert!(
        matches!(next(&before, &seen(old.clone()), &withdrawn), Next::Finish(end) if end.result == "cancelled")
    );
    // A launch in doubt is asked for once more: only its answer says what to end.
    let doubt = Checkpoint {
        in_doubt: true,
        ..before
    };
    assert!(matches!(
        next(&doubt, &seen(old.clone()), &withdrawn),
        Next::Launch(_)
    ));
    let ours = Seen {
        ours: vec![instance("new", Life::Running)],
        ..seen(old)
    };
    let end = Next::TerminateNew {
        instance: "new".to_owned(),
    };
    assert_eq!(next(&launched(), &ours, &withdrawn), end);
    // What was launched and does not show yet is not given up for gone.
    let unseen = Seen {
        ours: Vec::new(),
        ..ours.clone()
    };
    assert_eq!(next(&launched(), &unseen, &withdrawn), Next::Wait(Wait::Appears));
    let member = Seen {
        group: Some(group((1, 2, 2), &[("old", SERVES), ("new", SERVES)])),
        books: Books {
            surplus: 1,
            desired_is_ours: true,
            ..Books::default()
        },
        ..ours
    };
    let take_back = Next::TerminateMember {
        instance: "new".to_owned(),
        decrement: true,
    };
    assert_eq!(next(&attached(), &member, &withdrawn), take_back);
}
