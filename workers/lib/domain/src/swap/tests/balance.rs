//! Zones and capacity while a swap is under way: what the group may not do meanwhile, and what goes in its place.

use hollowtrees_schemas::proto;

use super::{
    super::{
        Answer, Books, Checkpoint, Next, Seen, Wait,
        balance::{self, REBALANCE},
        book,
        joint::Write,
        world::{Group, Life, Sizes, Standing, Subnet},
    },
    steps::{SERVES, decided, group, instance, launched, next, orders, seen},
};

/// `old` and `new` in these zones; the other members of zones `a` and `b`.
fn zones(old: &str, new: &str, others: (usize, usize)) -> (Checkpoint, Seen) {
    let mut checkpoint = launched();
    checkpoint.old.zone = old.to_owned();
    let mut replacement = instance("new", Life::Running);
    replacement.zone = new.to_owned();
    let mut group = group((0, 9, 99), &[("old", SERVES)]);
    group.subnets = ["a", "b"]
        .map(|zone| Subnet {
            id: format!("s-{zone}"),
            zone: zone.to_owned(),
        })
        .to_vec();
    old.clone_into(&mut group.members[0].zone);
    for (zone, many) in [("a", others.0), ("b", others.1)] {
        for number in 0..many {
            let mut member = group.members[0].clone();
            member.instance = format!("i-{zone}-{number}");
            zone.clone_into(&mut member.zone);
            group.members.push(member);
        }
    }
    let seen = Seen {
        ours: vec![replacement],
        ..seen(group)
    };
    (checkpoint, seen)
}

#[test]
fn the_group_may_not_even_out_what_the_swap_makes_uneven() {
    let attach = Next::Attach {
        instance: "new".to_owned(),
    };
    for (old, new, others, awaited, suspends) in [
        // As even as before, or more even.
        ("a", "a", (1, 2), 0, false),
        ("a", "b", (2, 2), 0, false),
        ("a", "b", (4, 1), 0, false),
        ("b", "a", (3, 3), 0, false),
        // One too many for a moment, or for good.
        ("a", "a", (2, 2), 0, true),
        ("a", "b", (1, 2), 0, true),
        ("b", "a", (3, 2), 0, true),
        // Where the others go is not known.
        ("a", "a", (1, 2), 1, true),
        ("a", "b", (2, 2), 1, true),
    ] {
        let (checkpoint, mut seen) = zones(old, new, others);
        seen.books.awaited_by_others = awaited;
        let expected = if suspends {
            Next::SuspendRebalance
        } else {
            attach.clone()
        };
        let say = format!("{old} {new} {others:?} {awaited}");
        assert_eq!(next(&checkpoint, &seen, &orders()), expected, "{say}");
        // One zone is always even.
        let mut one = seen.clone();
        one.group.as_mut().unwrap().subnets.truncate(1);
        assert_eq!(next(&checkpoint, &one, &orders()), attach, "{say}");
        // Somebody else has done it.
        let mut done = seen.clone();
        done.group.as_mut().unwrap().suspended = vec![REBALANCE.to_owned()];
        assert!(balance::is_suspended(done.group.as_ref().unwrap()));
        assert_eq!(next(&checkpoint, &done, &orders()), attach, "{say}");
        // It may be that it shows no more than that we resumed it.
        done.books.rebalance_resumed = true;
        assert_eq!(next(&checkpoint, &done, &orders()), expected, "{say}");
    }
}

#[test]
fn what_cannot_be_suspended_holds_nothing_up_and_is_told() {
    let (mut checkpoint, seen) = zones("a", "b", (1, 2));
    let step = next(&checkpoint, &seen, &orders());
    assert_eq!(step, Next::SuspendRebalance);
    assert!(step.is_optional());
    let refused = Answer::Refused {
        reason: "denied".to_owned(),
        message: "it may not".to_owned(),
    };
    // Done by this swap it is done, until another one has resumed it.
    let mut suspended = checkpoint.clone();
    suspended.after(&step, Answer::Done, "old", jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(next(&suspended, &seen, &orders()), step);
    let mut noted = seen.clone();
    noted.books.rebalance_suspended = true;
    let attach = Next::Attach {
        instance: "new".to_owned(),
    };
    assert_eq!(next(&suspended, &noted, &orders()), attach);
    checkpoint.after(&step, refused, "old", jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(checkpoint.suspended.as_deref(), Some("it may not"));
    assert_eq!(next(&checkpoint, &seen, &orders()), attach);
}

#[test]
fn it_is_resumed_once_no_call_suspends_it_any_more() {
    let (mut checkpoint, mut seen) = zones("a", "b", (1, 2));
    checkpoint.attached = true;
    checkpoint.detached = true;
    "new".clone_into(&mut seen.group.as_mut().unwrap().members[0].instance);
    seen.books.rebalance_suspended = true;
    assert_eq!(next(&checkpoint, &seen, &orders()), Next::ResumeRebalance);
    seen.books.rebalance_in_doubt = true;
    assert_eq!(next(&checkpoint, &seen, &orders()), Next::Wait(Wait::Shows));
    seen.books.others_under_way = true;
    assert!(matches!(
        next(&checkpoint, &seen, &orders()),
        Next::Finish(_) | Next::TerminateOld
    ));
}

/// Attached, with desired raised by it, and the old one gone.
fn old_left(others: &[(&str, Standing)], surplus: u32) -> (Checkpoint, Group, proto::Group) {
    let mut checkpoint = launched();
    checkpoint.attached = true;
    checkpoint.attached_at = 100;
    let record = proto::Group {
        swaps: vec![proto::GroupSwap {
            action_id: "a".to_owned(),
            replacement: "new".to_owned(),
            surplus,
            ..proto::GroupSwap::default()
        }],
        ..proto::Group::default()
    };
    (checkpoint, group((0, 3, 4), others), record)
}

fn after_it_left(new: Standing, spare: Option<Standing>, at: i64) -> Next {
    let mut members = vec![("one", SERVES), ("new", new)];
    members.extend(spare.map(|standing| ("spare", standing)));
    let (checkpoint, group, record) = old_left(&members, 1);
    let seen = Seen {
        old: None,
        ours: vec![instance("new", Life::Running)],
        spare: book::spare(&record, &group, 1),
        books: Books {
            surplus: 1,
            desired_is_ours: true,
            ..Books::default()
        },
        ..seen(group)
    };
    decided(&checkpoint, &seen, &orders(), at).next
}

#[test]
fn where_the_old_one_left_first_nothing_that_serves_goes() {
    let end = Next::EndSpare {
        instance: "spare".to_owned(),
    };
    let lower = Next::LowerDesired { to: 2 };
    let waits = Next::Wait(Wait::InService);
    // The replacement serves: what the group launched goes, or one of those that serve.
    assert_eq!(after_it_left(SERVES, Some(Standing::Joining), 110), end);
    assert_eq!(after_it_left(SERVES, Some(SERVES), 110), lower);
    assert_eq!(after_it_left(SERVES, None, 110), lower);
    // It does not yet: what is too many then may be what serves.
    for spare in [Standing::Joining, SERVES].map(Some) {
        assert_eq!(after_it_left(Standing::Joining, spare, 110), waits, "{spare:?}");
    }
    // The group has launched nothing, and is not to.
    assert_eq!(after_it_left(Standing::Joining, None, 110), lower);
    // It takes too long.
    assert_eq!(
        after_it_left(Standing::Joining, Some(Standing::Joining), 161),
        end
    );
}

#[test]
fn a_spare_is_what_the_group_launched_itself_and_has_one_too_many_with() {
    let joins = Standing::Joining;
    let spare = |members: &[(&str, Standing)], surplus: u32| {
        let (_, group, record) = old_left(members, surplus);
        book::spare(&record, &group, surplus)
    };
    let found = Some("spare".to_owned());
    let all = [("one", SERVES), ("new", joins), ("spare", joins)];
    assert_eq!(spare(&all, 1), found);
    // Nothing is to be taken back, or more than it weighs.
    assert_eq!(spare(&all, 0), None);
    assert_eq!(spare(&all, 2), None);
    // The group is to launch another one anyway.
    assert_eq!(spare(&all[1..], 1), None);
    assert_eq!(spare(&[("one", Standing::Leaving), all[1], all[2]], 1), None);
    assert_eq!(spare(&[("one", Standing::Standby), all[1], all[2]], 1), None);
    // A swap's own, or in service.
    assert_eq!(
        spare(&[("one", SERVES), ("two", SERVES), ("new", joins)], 1),
        None
    );
    assert_eq!(
        spare(&[("one", SERVES), ("new", joins), ("spare", SERVES)], 1),
        None
    );
}

#[test]
fn what_a_write_of_sizes_or_processes_shows_is_known_without_a_look() {
    let by_others = "Launch".to_owned();
    let group = Group {
        suspended: vec![by_others.clone()],
        ..group((1, 2, 3), &[("old", SERVES), ("new", SERVES)])
    };
    let more_room = Write::SetMax { to: 5 }.shown(group.clone()).unwrap();
    assert_eq!(
        more_room.sizes,
        Sizes {
            min: 1,
            desired: 2,
            max: 5
        }
    );
    let suspend = Write::Rebalance { suspend: true };
    let both = vec![by_others, REBALANCE.to_owned()];
    let suspended = suspend.shown(group.clone()).unwrap();
    assert_eq!(suspended.suspended, both);
    assert_eq!(suspend.shown(suspended.clone()).unwrap().suspended, both);
    let resumed = Write::Rebalance { suspend: false }.shown(suspended).unwrap();
    assert_eq!(resumed, group);
    let instances = vec!["new".to_owned()];
    let protect = Write::Protect {
        instances: instances.clone(),
    };
    let protected = protect.shown(group.clone()).unwrap().members;
    let protected: Vec<_> = protected.iter().map(|member| member.protected).collect();
    assert_eq!(protected, [false, true]);
    assert_eq!(Write::Attach { instances }.shown(group), None);
}
