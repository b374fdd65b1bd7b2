//! Leases and books of a group.

use hollowtrees_schemas::proto::{self, time::to_proto};
use jiff::{SignedDuration, Timestamp};

use super::super::{
    Next,
    book::{
        Busy, LEASE, books, close, doubtful, enter, has_entered, is_last_to_put_back, lease, open,
        others_open, others_under_way, rests_until,
    },
    fresh::{SHOWS_WITHIN, read},
    joint::{Wish, Write, join},
    note::{self, settle, was_refused, wrote},
    world::{Group, Member, Sizes, Source, Standing},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn swap(action: &str, instance: &str) -> proto::GroupSwap {
    proto::GroupSwap {
        action_id: action.to_owned(),
        cluster: "c".to_owned(),
        instance: instance.to_owned(),
        opened_at: Some(to_proto(at(0))),
        ..proto::GroupSwap::default()
    }
}

fn worker(process: &str) -> proto::Worker {
    proto::Worker {
        process: process.to_owned(),
        ..proto::Worker::default()
    }
}

fn sizes(desired: u32, max: u32) -> Sizes {
    Sizes { min: 0, desired, max }
}

fn group(sizes: Sizes, members: &[&str]) -> Group {
    Group {
        name: "g".to_owned(),
        sizes,
        members: members
            .iter()
            .map(|id| Member {
                instance: (*id).to_owned(),
                standing: Standing::Joining,
                weight: 1,
                zone: "a".to_owned(),
                protected: false,
            })
            .collect(),
        subnets: Vec::new(),
        source: Source::Unknown("nothing".to_owned()),
        capacity_rebalance: false,
        placement: Default::default(),
        maintenance: None,
        suspended: Vec::new(),
        target_groups: Vec::new(),
        classic_balancers: Vec::new(),
        tags: Vec::new(),
    }
}

/// Of one swap alone.
fn plan(record: &mut proto::Group, action: &str, step: &Next, sizes: Sizes, weight: u32, now: Timestamp) {
    let wish = Wish {
        action: action.to_owned(),
        old: String::new(),
        weight,
        step: step.clone(),
    };
    note::plan(record, action, &join(sizes, &[wish]).unwrap(), sizes, now);
}

fn attach(instance: &str) -> Next {
    Next::Attach {
        instance: instance.to_owned(),
    }
}

#[test]
fn a_lease_is_taken_when_it_is_free_past_or_of_a_dead_start() {
    let mut record = proto::Group::default();
    assert_eq!(lease(&mut record, &worker("p"), "a", at(0)), Ok(()));
    let held = record.clone();
    let check = |process: &str, action: &str, now: i64, expected: Result<(), Timestamp>| {
        assert_eq!(
            lease(&mut held.clone(), &worker(process), action, at(now)),
            expected,
            "{process} {action} {now}"
        );
    };
    let until = at(0) + LEASE;
    check("q", "b", 1, Err(until));
    check("q", "b", 30, Ok(()));
    // The same action elsewhere took the claim over; the same process lost a task.
    check("q", "a", 1, Ok(()));
    check("p", "b", 1, Ok(()));
    // With its action ended nobody waits for it; the end of another one says nothing.
    let mut ended = held.clone();
    close(&mut ended, "b", "failed", at(1));
    assert!(ended.lease.is_some());
    close(&mut ended, "a", "succeeded", at(1));
    assert_eq!(ended.lease, None);
    // A clock that ran ahead holds nobody up for longer than a lease.
    check("q", "b", -500, Err(at(-500) + LEASE));
}

#[test]
fn one_swap_an_instance_at_a_time() {
    let mut record = proto::Group::default();
    assert_eq!(open(&mut record, swap("a", "i-1"), at(0)), Ok(()));
    assert_eq!(open(&mut record, swap("a", "i-1"), at(0)), Ok(()));
    assert_eq!(open(&mut record, swap("b", "i-2"), at(0)), Ok(()));
    let busy = Busy::Other {
        cluster: "c".to_owned(),
        action: "a".to_owned(),
    };
    assert_eq!(open(&mut record, swap("e", "i-1"), at(0)), Err(busy));
    assert_eq!(record.swaps.len(), 2);
    close(&mut record, "a", "failed", at(5));
    assert_eq!(open(&mut record, swap("e", "i-1"), at(6)), Ok(()));
    // Ended ones are kept for a day.
    let later = at(5) + SignedDuration::from_hours(25);
    open(&mut record, swap("f", "i-3"), later).unwrap();
    assert!(record.swaps.iter().all(|swap| swap.action_id != "a"));
    for number in 0..256 {
        let result = open(
            &mut record,
            swap(&format!("x{number}"), &format!("i-x{number}")),
            later,
        );
        assert_eq!(result.is_ok(), number < 253, "{number}");
    }
    assert_eq!(record.swaps.len(), 256);
}

#[test]
fn what_was_noted_is_settled_by_what_shows() {
    let mut record = proto::Group::default();
    open(&mut record, swap("a", "i-1"), at(0)).unwrap();
    plan(
        &mut record,
        "a",
        &Next::MakeRoom { max: 4 },
        sizes(3, 3),
        1,
        at(0),
    );
    let mut not_done = record.clone();
    settle(&mut not_done, &group(sizes(3, 3), &[]), at(0));
    assert_eq!((not_done.written_max, not_done.base_max), (3, 3));
    settle(&mut record, &group(sizes(3, 4), &[]), at(0));
    assert_eq!((record.written_max, record.base_max), (4, 3));

    plan(&mut record, "a", &attach("i-9"), sizes(3, 4), 1, at(0));
    let mut not_done = record.clone();
    settle(&mut not_done, &group(sizes(3, 4), &[]), at(0));
    assert_eq!(books(&not_done, "a", sizes(3, 4)).surplus, 0);
    settle(&mut record, &group(sizes(4, 4), &["i-9"]), at(0));
    let seen = books(&record, "a", sizes(4, 4));
    assert_eq!((seen.surplus, seen.desired_is_ours, seen.base_max), (1, true, 3));
    // Somebody else changed desired: it is not ours to lower.
    assert!(!books(&record, "a", sizes(7, 8)).desired_is_ours);

    // A second swap starts from a changed desired: what the first one added is no longer known to be in it.
    let mut foreign = record.clone();
    open(&mut foreign, swap("b", "i-2"), at(0)).unwrap();
    plan(&mut foreign, "b", &attach("i-8"), sizes(6, 9), 1, at(0));
    wrote(&mut foreign, at(0));
    let seen = books(&foreign, "a", sizes(7, 9));
    assert_eq!(
        (seen.surplus, seen.others_under_way, seen.desired_is_ours),
        (0, true, true)
    );
    assert_eq!(books(&foreign, "b", sizes(7, 9)).surplus, 1);

    plan(
        &mut record,
        "a",
        &Next::Detach { decrement: true },
        sizes(4, 4),
        1,
        at(0),
    );
    wrote(&mut record, at(0));
    assert_eq!(books(&record, "a", sizes(3, 4)).surplus, 0);
    plan(
        &mut record,
        "a",
        &Next::RestoreMax { to: 3 },
        sizes(3, 4),
        1,
        at(0),
    );
    wrote(&mut record, at(0));
    assert_eq!((record.base_max, record.written_max), (0, 0));
}

#[test]
fn an_attachment_that_was_given_up_is_ours_once_it_shows() {
    let mut record = proto::Group::default();
    open(&mut record, swap("a", "i-1"), at(0)).unwrap();
    plan(&mut record, "a", &attach("i-9"), sizes(3, 9), 1, at(0));
    // It is not answered and does not show; asked again it is refused.
    let before = group(sizes(3, 9), &["i-1"]);
    settle(&mut record, &before, at(0));
    plan(&mut record, "a", &attach("i-9"), sizes(3, 9), 1, at(0));
    assert!(was_refused(
        &mut record,
        "a",
        &Write::Attach {
            instances: vec!["i-9".to_owned()]
        }
    ));
    assert_eq!(books(&record, "a", sizes(3, 9)).surplus, 0);
    let check = |record: &proto::Group, shown: &Group, expected: (u32, bool)| {
        let mut record = record.clone();
        settle(&mut record, shown, at(0));
        let seen = books(&record, "a", shown.sizes);
        assert_eq!((seen.surplus, seen.desired_is_ours), expected, "{shown:?}");
    };
    check(&record, &before, (0, true));
    check(&record, &group(sizes(4, 9), &["i-1", "i-9"]), (1, true));
    // Others' changes beside it are told apart: somebody else's, and our own of another swap.
    check(&record, &group(sizes(7, 9), &["i-1", "i-9"]), (1, false));
    let mut others = record.clone();
    open(&mut others, swap("b", "i-2"), at(0)).unwrap();
    plan(&mut others, "b", &attach("i-8"), sizes(3, 9), 1, at(0));
    wrote(&mut others, at(0));
    check(
        &others,
        &group(sizes(5, 9), &["i-1", "i-2", "i-8", "i-9"]),
        (1, true),
    );
    // Once it is taken back it is not ours a second time.
    let both = group(sizes(4, 9), &["i-1", "i-9"]);
    settle(&mut record, &both, at(0));
    plan(
        &mut record,
        "a",
        &Next::Detach { decrement: true },
        both.sizes,
        1,
        at(0),
    );
    wrote(&mut record, at(0));
    check(&record, &group(sizes(3, 9), &["i-9"]), (0, true));
}

#[test]
fn a_size_read_soon_after_our_change_of_it_is_older_rather_than_somebody_elses() {
    let within = SHOWS_WITHIN.as_secs();
    let mut record = proto::Group::default();
    open(&mut record, swap("a", "i-1"), at(0)).unwrap();
    plan(
        &mut record,
        "a",
        &Next::MakeRoom { max: 4 },
        sizes(3, 3),
        1,
        at(0),
    );
    let noted = record.clone();
    wrote(&mut record, at(1));
    plan(&mut record, "a", &attach("i-9"), sizes(3, 4), 1, at(2));
    wrote(&mut record, at(3));
    let check = |record: &proto::Group, action: &str, shown: &Group, now: i64, expected: bool| {
        let books = read(record, action, shown, at(now));
        assert_eq!(books.stale, expected, "{action} {now} {:?}", shown.sizes);
    };
    let now = group(sizes(4, 4), &["i-9"]);
    check(&record, "b", &now, 4, false);
    for older in [sizes(3, 4), sizes(3, 3), sizes(4, 3)] {
        check(&record, "b", &group(older, &[]), 4, true);
        check(&record, "b", &group(older, &[]), 3 + within, false);
    }
    // The next swap may begin as soon as the last one ends.
    close(&mut record, "a", "succeeded", at(4));
    check(&record, "b", &group(sizes(3, 4), &[]), 5, true);

    // What is not answered may still show, but to whom it waits for it says nothing.
    let before = group(sizes(3, 3), &[]);
    check(&noted, "a", &before, 1, true);
    check(&noted, "b", &before, 1, true);
    check(&noted, "b", &before, within, false);
    let mut leased = noted.clone();
    lease(&mut leased, &worker("p"), "a", at(0)).unwrap();
    check(&leased, "a", &before, 1, true);
    check(&leased, "b", &before, 1, false);
    check(&noted, "b", &group(sizes(3, 4), &[]), 1, false);

    // It may be as before the change before it.
    let mut back = noted;
    wrote(&mut back, at(1));
    plan(&mut back, "a", &Next::RestoreMax { to: 3 }, sizes(3, 4), 1, at(2));
    check(&back, "a", &before, 3, true);
    check(&back, "a", &before, 1 + within, false);
}

#[test]
fn swaps_whose_actions_ended_without_a_word_are_closed_and_their_room_is_taken_back() {
    let mut record = proto::Group::default();
    open(&mut record, swap("dead", "i-1"), at(0)).unwrap();
    plan(
        &mut record,
        "dead",
        &Next::MakeRoom { max: 2 },
        sizes(1, 1),
        1,
        at(0),
    );
    wrote(&mut record, at(0));
    assert!(others_under_way(&record, "b"));
    let ask = |instance: &str, now| doubtful(&record, "b", "c", instance, at(now));
    let dead = vec![("c".to_owned(), "dead".to_owned())];
    assert_eq!(ask("i-2", 59), []);
    assert_eq!(ask("i-2", 60), dead);
    // In its way at once; never itself.
    assert_eq!(ask("i-1", 1), dead);
    assert_eq!(doubtful(&record, "dead", "c", "i-1", at(99)), []);
    let ended = [("dead".to_owned(), "failed".to_owned())];
    enter(&mut record, swap("b", "i-1"), &ended, None, at(61)).unwrap();
    assert_eq!(doubtful(&record, "b", "c", "i-1", at(200)), []);
    let ours = books(&record, "b", sizes(1, 2));
    assert_eq!(
        (ours.others_under_way, ours.base_max, ours.written_max),
        (false, 1, 2)
    );
}

#[test]
fn no_more_swaps_are_open_at_once_than_may_be() {
    let mut record = proto::Group::default();
    let most = Some(2);
    for (action, instance) in [("a", "i-1"), ("b", "i-2")] {
        enter(&mut record, swap(action, instance), &[], most, at(0)).unwrap();
    }
    let third = |record: &mut proto::Group, ended: &[(String, String)]| {
        enter(record, swap("c", "i-3"), ended, most, at(1))
    };
    assert_eq!(third(&mut record, &[]), Err(Busy::Enough(2)));
    // Who is in is in: what it waited for is over.
    enter(&mut record, swap("b", "i-2"), &[], Some(1), at(1)).unwrap();
    assert!(has_entered(&record, "b") && !has_entered(&record, "c"));
    assert_eq!(others_open(&record, "b", &[]), 1);
    // One whose action has ended does not either.
    let ended = [("a".to_owned(), "failed".to_owned())];
    assert_eq!(others_open(&record, "c", &ended), 1);
    assert_eq!(third(&mut record, &ended), Ok(()));
    close(&mut record, "b", "succeeded", at(2));
    assert_eq!(others_open(&record, "d", &[]), 1);
}

#[test]
fn an_attachment_of_several_is_settled_by_sizes_or_by_each_member() {
    let mut record = proto::Group::default();
    let wishes: Vec<Wish> = [("a", "i-1", "i-8"), ("b", "i-2", "i-9")]
        .into_iter()
        .map(|(action, old, new)| {
            open(&mut record, swap(action, old), at(0)).unwrap();
            Wish {
                action: action.to_owned(),
                old: old.to_owned(),
                weight: 2,
                step: attach(new),
            }
        })
        .collect();
    let joint = join(sizes(4, 9), &wishes).unwrap();
    note::plan(&mut record, "leader", &joint, sizes(4, 9), at(0));
    let check = |shown: Group, expected: [u32; 2], ours: bool, shows: bool| {
        let mut record = record.clone();
        assert_eq!(settle(&mut record, &shown, at(1)), shows, "{shown:?}");
        let surplus = ["a", "b"].map(|action| books(&record, action, shown.sizes).surplus);
        assert_eq!(surplus, expected, "{shown:?}");
        assert_eq!(
            books(&record, "a", shown.sizes).desired_is_ours,
            ours,
            "{shown:?}"
        );
    };
    check(group(sizes(4, 9), &["i-1", "i-2"]), [0, 0], true, false);
    check(
        group(sizes(8, 9), &["i-1", "i-2", "i-8", "i-9"]),
        [2, 2],
        true,
        true,
    );
    // Sizes may show before members do, and somebody else may have changed them since.
    check(group(sizes(8, 9), &["i-1", "i-2"]), [2, 2], true, true);
    check(
        group(sizes(5, 9), &["i-1", "i-2", "i-8", "i-9"]),
        [2, 2],
        false,
        true,
    );
    // One of them alone: the other may still come.
    check(group(sizes(6, 9), &["i-1", "i-2", "i-9"]), [0, 2], true, false);
    let half = group(sizes(6, 9), &["i-1", "i-2", "i-9"]);
    assert!(read(&record, "a", &half, at(1)).stale);
    let mut later = record.clone();
    settle(&mut later, &half, at(1));
    let whole = group(sizes(8, 9), &["i-1", "i-2", "i-8", "i-9"]);
    settle(&mut later, &whole, at(30));
    assert_eq!(books(&later, "a", whole.sizes).surplus, 2);
    assert!(books(&later, "a", whole.sizes).desired_is_ours);
}

#[test]
fn room_is_made_for_all_that_are_about_to_need_it() {
    let mut record = proto::Group::default();
    for (action, instance, weight) in [("a", "i-1", 1), ("b", "i-2", 2), ("ender", "i-3", 0)] {
        let entered = proto::GroupSwap {
            weight,
            ..swap(action, instance)
        };
        open(&mut record, entered, at(0)).unwrap();
    }
    let seen = books(&record, "a", sizes(3, 3));
    assert_eq!((seen.awaited_by_others, seen.others_under_way), (2, true));
    plan(
        &mut record,
        "a",
        &Next::MakeRoom { max: 6 },
        sizes(3, 3),
        1,
        at(0),
    );
    wrote(&mut record, at(0));
    let rooms: Vec<_> = record.swaps.iter().map(|swap| swap.room).collect();
    assert_eq!(rooms, [1, 2, 0]);
    plan(&mut record, "b", &attach("i-9"), sizes(3, 6), 2, at(0));
    wrote(&mut record, at(0));
    assert_eq!(books(&record, "a", sizes(5, 6)).awaited_by_others, 0);
    assert!(others_under_way(&record, "a"), "it has raised desired");
    plan(
        &mut record,
        "b",
        &Next::Detach { decrement: true },
        sizes(5, 6),
        2,
        at(0),
    );
    wrote(&mut record, at(0));
    // What launches nothing holds up nobody.
    assert!(!others_under_way(&record, "a"));
    assert!(others_under_way(&record, "b"));
}

#[test]
fn a_group_rests_after_what_succeeded() {
    let mut record = proto::Group::default();
    let cooldown = SignedDuration::from_mins(5);
    for (action, instance) in [("a", "i-1"), ("b", "i-2")] {
        open(&mut record, swap(action, instance), at(0)).unwrap();
    }
    assert_eq!(rests_until(&record, cooldown), None);
    close(&mut record, "a", "failed", at(10));
    assert_eq!(rests_until(&record, cooldown), None);
    close(&mut record, "b", "succeeded", at(20));
    assert_eq!(rests_until(&record, cooldown), Some(at(320)));
}

#[test]
fn a_member_that_was_just_taken_out_and_stands_there_is_of_an_older_look() {
    let mut record = proto::Group::default();
    open(&mut record, swap("a", "i-1"), at(0)).unwrap();
    open(&mut record, swap("b", "i-2"), at(0)).unwrap();
    let out = Next::TerminateMember {
        instance: "i-9".to_owned(),
        decrement: false,
    };
    plan(&mut record, "a", &out, sizes(3, 9), 1, at(0));
    let there = group(sizes(3, 9), &["i-1", "i-2", "i-9"]);
    let stale = |record: &proto::Group, action: &str, group: &Group, now: i64| {
        read(record, action, group, at(now)).stale
    };
    let shows = SHOWS_WITHIN.as_secs();
    for (now, expected) in [(0, true), (shows - 1, true), (shows, false)] {
        assert_eq!(stale(&record, "a", &there, now), expected, "{now}");
    }
    let mut leaves = there.clone();
    leaves.members[2].standing = Standing::Leaving;
    assert!(!stale(&record, "a", &leaves, 0));
    assert!(!stale(&record, "a", &group(sizes(3, 9), &["i-1", "i-2"]), 0));
    // While it is being asked for nobody else knows.
    let mut held = record.clone();
    lease(&mut held, &worker("p"), "a", at(0)).unwrap();
    assert!(stale(&record, "b", &there, 0));
    assert!(!stale(&held, "b", &there, 0));
    assert!(stale(&held, "a", &there, 0));
    // What is refused did not happen; a refusal of something else says nothing of it.
    let room = Write::SetMax { to: 10 };
    assert!(!was_refused(&mut record, "a", &room));
    assert!(stale(&record, "a", &there, 0));
    let out = Write::TerminateMember {
        instance: "i-9".to_owned(),
        decrement: false,
    };
    assert!(was_refused(&mut record, "a", &out));
    assert!(!stale(&record, "a", &there, 0));
}

#[test]
fn who_attaches_again_is_waited_for_again() {
    let mut record = proto::Group::default();
    open(&mut record, swap("a", "i-1"), at(0)).unwrap();
    open(&mut record, swap("b", "i-2"), at(0)).unwrap();
    record.swaps[0].weight = 1;
    plan(&mut record, "a", &attach("i-9"), sizes(3, 9), 1, at(0));
    wrote(&mut record, at(0));
    // It was lost, and its unit of desired is somebody else's by now.
    record.swaps[0].surplus = 0;
    record.swaps[1].replacement = "i-8".to_owned();
    assert!(!others_under_way(&record, "b"));
    plan(&mut record, "a", &Next::SuspendRebalance, sizes(3, 9), 1, at(1));
    assert!(others_under_way(&record, "b"));
}

/// One call for both; the first one's process has it, and another one takes over the second.
#[test]
fn who_takes_over_from_a_call_for_several_knows_that_it_may_show_late() {
    let mut record = proto::Group::default();
    let wish = |action: &str, instance: &str| Wish {
        action: action.to_owned(),
        old: String::new(),
        weight: 1,
        step: attach(instance),
    };
    for (action, old) in [("a", "i-1"), ("b", "i-2"), ("c", "i-3")] {
        open(&mut record, swap(action, old), at(0)).unwrap();
    }
    lease(&mut record, &worker("p"), "a", at(0)).unwrap();
    let both = join(sizes(3, 9), &[wish("a", "i-8"), wish("b", "i-9")]).unwrap();
    note::plan(&mut record, "a", &both, sizes(3, 9), at(0));
    let stale = |action: &str| read(&record, action, &group(sizes(3, 9), &[]), at(1)).stale;
    assert_eq!(["a", "b", "c"].map(stale), [true, true, false]);
}

#[test]
fn a_call_that_suspends_and_was_not_answered_may_take_effect_yet() {
    let (suspend, now) = (Next::SuspendRebalance, group(sizes(3, 9), &[]));
    let wish = Wish {
        action: "a".to_owned(),
        old: String::new(),
        weight: 1,
        step: suspend.clone(),
    };
    let call = join(now.sizes, &[wish]).unwrap();
    let in_doubt =
        |record: &proto::Group, second: i64| read(record, "a", &now, at(second)).rebalance_in_doubt;
    let mut record = proto::Group::default();
    open(&mut record, swap("a", "i-1"), at(0)).unwrap();
    assert!(!in_doubt(&record, 0));
    lease(&mut record, &worker("p"), "a", at(0)).unwrap();
    plan(&mut record, "a", &suspend, now.sizes, 1, at(0));
    assert!(in_doubt(&record, 1));
    assert!(!in_doubt(&record, SHOWS_WITHIN.as_secs()));

    // Answered it has taken effect, or never will.
    let mut answered = record.clone();
    note::done(&mut answered, "a", &call, at(1));
    assert!(!in_doubt(&answered, 1));
    let mut refused = record.clone();
    note::unsuspended(&mut refused);
    assert!(!in_doubt(&refused, 1));

    // What another process asks for again, and is answered, says nothing of the first one's; ten seconds later it does.
    lease(&mut record, &worker("q"), "a", at(2)).unwrap();
    plan(&mut record, "a", &suspend, now.sizes, 1, at(2));
    note::done(&mut record, "a", &call, at(3));
    assert!(in_doubt(&record, 3));
    let later = SHOWS_WITHIN.as_secs() + 20;
    plan(&mut record, "a", &suspend, now.sizes, 1, at(later));
    note::done(&mut record, "a", &call, at(later));
    assert!(!in_doubt(&record, later));
}

#[test]
fn what_nobody_else_puts_back_is_for_who_ends_last() {
    let mut record = proto::Group::default();
    open(&mut record, swap("a", "i-1"), at(0)).unwrap();
    open(&mut record, swap("b", "i-2"), at(0)).unwrap();
    record.swaps[1].weight = 1;
    let is_last =
        |record: &proto::Group, shown: Sizes| is_last_to_put_back(record, "a", &group(shown, &[]), at(1));
    assert!(!is_last(&record, sizes(3, 3)), "nothing was changed");
    let room = Next::MakeRoom { max: 4 };
    plan(&mut record, "b", &room, sizes(3, 3), 1, at(0));
    wrote(&mut record, at(0));
    assert!(!is_last(&record, sizes(3, 4)), "the other one does");
    let mut left = record.clone();
    close(&mut left, "b", "succeeded", at(1));
    assert!(is_last(&left, sizes(3, 4)));
    // It was put back, and whoever did died of it.
    plan(&mut left, "b", &Next::RestoreMax { to: 3 }, sizes(3, 4), 1, at(1));
    assert!(!is_last(&left, sizes(3, 3)));
    assert!(is_last(&left, sizes(3, 4)));
    let mut suspended = proto::Group::default();
    plan(
        &mut suspended,
        "b",
        &Next::SuspendRebalance,
        sizes(3, 3),
        1,
        at(0),
    );
    assert!(is_last(&suspended, sizes(3, 3)));
}

/// A group that may have none: that is no less written than any other size.
#[test]
fn a_desired_capacity_of_nothing_is_known_for_ours() {
    let mut record = proto::Group::default();
    open(&mut record, swap("a", "i-1"), at(0)).unwrap();
    plan(&mut record, "a", &attach("i-9"), sizes(0, 1), 1, at(0));
    wrote(&mut record, at(1));
    plan(
        &mut record,
        "a",
        &Next::LowerDesired { to: 0 },
        sizes(1, 1),
        1,
        at(2),
    );
    let asked = record.clone();
    let (older, now) = (group(sizes(1, 1), &["i-9"]), group(sizes(0, 1), &["i-9"]));
    assert!(read(&asked, "a", &older, at(3)).stale, "it is asked for once");
    wrote(&mut record, at(3));
    assert!(read(&record, "a", &older, at(4)).stale);
    let books = read(&record, "a", &now, at(4));
    assert!(books.desired_is_ours && !books.stale);
    assert_eq!(books.surplus, 0);
}
