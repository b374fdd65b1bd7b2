//! Single decisions that are worth reading.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::super::{
    Answer, Books, Checkpoint, Choice, Decision, Drain, Next, Orders, Seen, Strategy, TAG_CHOICE,
    TAG_MANAGED, TAG_NODE_GROUP, Wait,
    checkpoint::Undo,
    choice::Claim,
    decide,
    rebalance::Watch,
    skip::skip,
    world::{Group, Instance, Life, Member, Sizes, Source, Standing, Subnet, Tag, TemplateRef},
};
use crate::words::Certainty;

pub(super) fn instance(id: &str, life: Life) -> Instance {
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

pub(super) fn group(sizes: (u32, u32, u32), members: &[(&str, Standing)]) -> Group {
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
                weight: 1,
                zone: "a".to_owned(),
                protected: false,
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
        placement: Default::default(),
        maintenance: None,
        suspended: Vec::new(),
        target_groups: Vec::new(),
        classic_balancers: Vec::new(),
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

pub(super) fn orders() -> Orders {
    Orders {
        strategy: Strategy::Swap,
        managed: false,
        certainty: Certainty::Certain,
        cancelled: false,
        give_up: false,
        watch: Watch::Never,
        drain_over: false,
        running_within: SignedDuration::from_secs(60),
        node_within: SignedDuration::from_secs(60),
        node_over: false,
        healthy_within: SignedDuration::from_secs(60),
        in_service_within: SignedDuration::from_secs(60),
    }
}

pub(super) fn seen(group: Group) -> Seen {
    Seen {
        old_id: "old".to_owned(),
        old: Some(instance("old", Life::Running)),
        group: Some(group),
        ..Seen::default()
    }
}

/// A swap that launched `new` at second 100.
pub(super) fn launched() -> Checkpoint {
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

pub(super) fn next(checkpoint: &Checkpoint, seen: &Seen, orders: &Orders) -> Next {
    decided(checkpoint, seen, orders, 110).next
}

pub(super) fn decided(checkpoint: &Checkpoint, seen: &Seen, orders: &Orders, now: i64) -> Decision {
    let claim = Claim {
        action: "a",
        redrive: 0,
        old: "old",
    };
    let now = Timestamp::from_second(now).unwrap();
    decide(checkpoint, seen, orders, claim, now)
}

pub(super) const SERVES: Standing = Standing::InService;

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
    let aside = group((0, 1, 1), &[("old", Standing::Standby), ("other", SERVES)]);
    let pool = Seen {
        warm: true,
        ..seen(group((0, 1, 1), &[("other", SERVES)]))
    };
    for strategy in [Strategy::Swap, Strategy::Detach, Strategy::Terminate] {
        let orders = Orders { strategy, ..orders() };
        check(&seen(aside.clone()), &orders, Some("standby"));
        check(&pool, &orders, Some("warm-pool"));
        let listed = group((0, 1, 1), &[("old", Standing::Warm)]);
        check(&seen(listed), &orders, Some("warm-pool"));
    }
    let unmanaged = Group {
        tags: Vec::new(),
        ..plain()
    };
    check(
        &seen(Group {
            tags: Vec::new(),
            ..aside
        }),
        &orders(),
        Some("not-managed"),
    );
    check(&seen(unmanaged.clone()), &orders(), Some("not-managed"));
    check(
        &seen(unmanaged),
        &Orders {
            managed: true,
            ..orders()
        },
        None,
    );
    let node_group = Group {
        tags: vec![tag(TAG_MANAGED, "true"), tag(TAG_NODE_GROUP, "n")],
        ..plain()
    };
    check(&seen(node_group), &orders(), Some("group-replaces-itself"));
    let unknown = Group {
        source: Source::Unknown("a new kind of policy".to_owned()),
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
fn an_older_read_decides_nothing_but_a_launch() {
    let seen = |checkpoint: &Checkpoint, stale: bool| {
        let mut seen = Seen {
            ours: vec![instance("new", Life::Running)],
            ..seen(group((1, 1, 1), &[("old", SERVES)]))
        };
        seen.books = Books {
            base_max: 1,
            written_max: 2,
            stale,
            ..Books::default()
        };
        decided(checkpoint, &seen, &orders(), 110)
    };
    let waits = Decision {
        checkpoint: launched(),
        next: Next::Wait(Wait::Shows),
    };
    assert_eq!(seen(&launched(), true), waits);
    assert_eq!(seen(&launched(), false).next, Next::MakeRoom { max: 2 });
    // Nothing is said of what was not put back.
    let out = Checkpoint {
        detached: true,
        room: 1,
        ..attached()
    };
    assert_eq!(seen(&out, true).checkpoint.left, out.left);
    assert_eq!(seen(&out, true).next, Next::Wait(Wait::Shows));
    let begun = Checkpoint {
        launched: None,
        ..launched()
    };
    assert!(matches!(seen(&begun, true).next, Next::Launch(_)));
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
fn what_the_group_has_replaced_itself_is_not_replaced_again_with_weights_either() {
    let mut heavy = launched();
    heavy.old.weight = 4;
    let left = |weights: &[u32]| {
        let ids: Vec<String> = (0..weights.len()).map(|number| format!("i-{number}")).collect();
        let members: Vec<_> = ids.iter().map(|id| (id.as_str(), SERVES)).collect();
        let mut group = group((1, 8, 12), &members);
        for (member, weight) in group.members.iter_mut().zip(weights) {
            member.weight = *weight;
        }
        let seen = Seen {
            ours: vec![instance("new", Life::Running)],
            ..seen(group)
        };
        next(&heavy, &seen, &orders())
    };
    let instance = "new".to_owned();
    assert_eq!(
        left(&[4, 4]),
        Next::TerminateNew {
            instance: instance.clone()
        }
    );
    assert_eq!(
        left(&[4, 2, 2]),
        Next::TerminateNew {
            instance: instance.clone()
        }
    );
    // It lacks four still, however many members it has.
    let attach = Next::Attach { instance };
    assert_eq!(left(&[1, 1, 1, 1]), attach);
    assert_eq!(left(&[4]), attach);
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
    let detach = |sizes, books| {
        let seen = Seen {
            books,
            ..seen(group(sizes, &both))
        };
        let decision = decided(&attached(), &seen, &orders(), 110);
        (decision.next, decision.checkpoint.left.desired.is_some())
    };
    let ours = Books {
        surplus: 1,
        desired_is_ours: true,
        ..Books::default()
    };
    assert_eq!(detach((1, 2, 2), ours), (Next::Detach { decrement: true }, false));
    // Somebody raised the minimum to desired meanwhile.
    let kept = (Next::Detach { decrement: false }, true);
    assert_eq!(detach((2, 2, 2), ours), kept);
    // Or changed desired: what is theirs is not taken back, and it is said.
    let theirs = Books {
        desired_is_ours: false,
        ..ours
    };
    assert_eq!(detach((1, 2, 3), theirs), kept);
    assert_eq!(detach((1, 2, 3), Books::default()), kept);
}

#[test]
fn absence_is_loss_only_if_ec2_says_so_or_it_lasts() {
    let check = |members: &[(&str, Standing)], ours: Option<Life>, at: i64, orders: &Orders| {
        let seen = Seen {
            ours: ours.map(|life| instance("new", life)).into_iter().collect(),
            books: Books {
                surplus: 1,
                desired_is_ours: true,
                ..Books::default()
            },
            ..seen(group((1, 1, 2), members))
        };
        let decision = decided(&attached(), &seen, orders, at);
        (decision.checkpoint.lost, decision.next)
    };
    let old = [("old", SERVES)];
    let runs = Some(Life::Running);
    let patient = Orders {
        in_service_within: SignedDuration::from_secs(600),
        ..orders()
    };
    // Read before it was attached: the old one stays, and nothing is taken for lost.
    let waits = (false, Next::Wait(Wait::InService));
    assert_eq!(check(&old, runs, 110, &patient), waits);
    assert_eq!(check(&old, None, 110, &patient), waits);
    assert_eq!(check(&old, runs, 220, &patient), waits);
    assert!(check(&old, runs, 221, &patient).0);
    assert!(check(&old, Some(Life::Gone), 110, &patient).0);
    // The old one is out as well: nothing ends, and no size is touched, on what may be old.
    let unseen = (false, Next::Wait(Wait::Appears));
    assert_eq!(check(&[], runs, 110, &patient), unseen);
    let withdrawn = Orders {
        cancelled: true,
        ..patient
    };
    assert_eq!(check(&old, runs, 110, &withdrawn), unseen);
    // It shows again.
    for standing in [Standing::Joining, Standing::InService, Standing::Standby] {
        let lost = Checkpoint {
            lost: true,
            ..attached()
        };
        let seen = seen(group((1, 2, 2), &[("old", SERVES), ("new", standing)]));
        assert!(
            !decided(&lost, &seen, &patient, 110).checkpoint.lost,
            "{standing:?}"
        );
    }
}

#[test]
fn a_launch_in_doubt_is_answered_by_its_tags() {
    let doubt = Checkpoint {
        launched: None,
        in_doubt: true,
        at: 1,
        ..launched()
    };
    let check = |choice: &str, life: Life, expected: Option<&str>| {
        let mut found = instance("new", life);
        found.tags = [(TAG_CHOICE.to_owned(), choice.to_owned())].into();
        let seen = Seen {
            ours: vec![found],
            ..seen(group((1, 1, 2), &[("old", SERVES)]))
        };
        let decision = decided(&doubt, &seen, &orders(), 110);
        assert_eq!(decision.checkpoint.launched.as_deref(), expected, "{choice}");
        assert_eq!(decision.checkpoint.in_doubt, expected.is_none());
        assert_eq!(matches!(decision.next, Next::Launch(_)), expected.is_none());
    };
    check("1", Life::Running, Some("new"));
    check("1", Life::Pending, Some("new"));
    // Of an earlier choice, or ended: that says nothing.
    check("0", Life::Running, None);
    check("1", Life::Gone, None);
}

#[test]
fn an_end_that_is_refused_is_told_and_another_pool_tried() {
    let doomed = Seen {
        ours: vec![instance("new", Life::Running)],
        doomed: true,
        ..seen(group((1, 1, 2), &[("old", SERVES)]))
    };
    let mut refused = launched();
    let end = next(&refused, &doomed, &orders());
    let no = Answer::Refused {
        reason: "refused".to_owned(),
        message: "no".to_owned(),
    };
    refused.after(&end, no, "old", Timestamp::from_second(110).unwrap());
    let decision = decided(&refused, &doomed, &orders(), 111);
    assert!(matches!(decision.next, Next::Launch(_)), "{decision:?}");
    assert_eq!(decision.checkpoint.at, 1);
}

#[test]
fn a_redriven_swap_goes_on_with_what_runs() {
    let choice = |subnet: &str| Choice {
        instance_type: "m5.large".to_owned(),
        subnet: subnet.to_owned(),
        ..Choice::default()
    };
    let mut checkpoint = Checkpoint {
        choices: vec![choice("s-b"), choice("s-a")],
        launched: None,
        ..launched()
    };
    checkpoint.adopt(
        &instance("new", Life::Running),
        Timestamp::from_second(105).unwrap(),
    );
    assert_eq!(checkpoint.choices, [choice("s-a"), choice("s-b")]);
    let seen = Seen {
        ours: vec![instance("new", Life::Running)],
        ..seen(group((1, 1, 2), &[("old", SERVES)]))
    };
    assert_eq!(
        next(&checkpoint, &seen, &orders()),
        Next::Attach {
            instance: "new".to_owned()
        }
    );
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

    // MaxSize: only if it is what we wrote, never below desired, and by the last that is under way.
    let max = |books: Books, sizes| left_first(books, sizes).next;
    let wrote = Books {
        base_max: 2,
        written_max: 4,
        ..Books::default()
    };
    assert_eq!(max(wrote, (1, 2, 4)), Next::RestoreMax { to: 2 });
    assert_eq!(max(wrote, (1, 3, 4)), Next::RestoreMax { to: 3 });
    let shared = Books {
        others_under_way: true,
        ..wrote
    };
    assert!(matches!(max(shared, (1, 2, 4)), Next::Finish(_)));
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
    check(Drain::Later, &advised, None);
    // Withdrawn: nobody drains it any more, and nothing interrupts it.
    let withdrawn = Orders {
        cancelled: true,
        ..advised
    };
    check(pending, &withdrawn, Some(Next::Wait(Wait::Drain)));
    check(Drain::NotEmptied, &withdrawn, None);
    check(Drain::Later, &withdrawn, None);
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

#[test]
fn what_runs_on_is_told_and_nothing_that_contradicts_it() {
    let check = |checkpoint: &Checkpoint, seen: &Seen, expected: &str| {
        let Next::Finish(end) = next(checkpoint, seen, &orders()) else {
            panic!("it ends");
        };
        assert_eq!(end.message, expected);
    };
    let why = "AWS refuses".to_owned();
    let mut detached = Checkpoint {
        strategy: Strategy::Detach,
        detached: true,
        launched: None,
        ..launched()
    };
    let out = seen(group((0, 1, 1), &[]));
    check(&detached, &out, "old was detached; g replaces it.");
    detached.left.old = Some(why.clone());
    let told = "old was detached; g replaces it. old still runs: AWS refuses.";
    check(&detached, &out, told);

    let mut undone = Checkpoint {
        undo: Some(Undo::Cancelled),
        ..launched()
    };
    let mut both = seen(group((0, 1, 1), &[("old", SERVES)]));
    both.ours = vec![instance("new", Life::Gone)];
    let told = "The incident was withdrawn. What was launched was ended.";
    check(&undone, &both, told);
    undone.left.instances.insert("new".to_owned(), why);
    both.ours = vec![instance("new", Life::Running)];
    let told = "The incident was withdrawn. new may still run: AWS refuses.";
    check(&undone, &both, told);
}
