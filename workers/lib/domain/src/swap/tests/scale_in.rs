//! Protection from scale-in, from the old one to its replacement.

use jiff::Timestamp;

use super::{
    super::{
        Answer, Checkpoint, Drain, Next, Orders, Seen, Wait,
        checkpoint::Undo,
        world::{Life, Standing},
    },
    steps::{SERVES, decided, group, instance, launched, next, orders, seen},
};

/// Attached at second 100; each protected or not.
fn attached(old: bool, new: (Standing, bool)) -> (Checkpoint, Seen) {
    let checkpoint = Checkpoint {
        attached: true,
        attached_at: 100,
        ..launched()
    };
    let mut group = group((0, 2, 2), &[("old", SERVES), ("new", new.0)]);
    group.members[0].protected = old;
    group.members[1].protected = new.1;
    let seen = Seen {
        ours: vec![instance("new", Life::Running)],
        ..seen(group)
    };
    (checkpoint, seen)
}

/// The same, and the old one left before it was detached.
fn left(new: (Standing, bool)) -> (Checkpoint, Seen) {
    let (mut checkpoint, mut seen) = attached(true, new);
    checkpoint.old.protected = true;
    seen.old = None;
    seen.group.as_mut().unwrap().members.remove(0);
    (checkpoint, seen)
}

fn protect() -> Next {
    Next::Protect {
        instance: "new".to_owned(),
    }
}

const DETACH: Next = Next::Detach { decrement: false };
const WAITS: Next = Next::Wait(Wait::InService);

#[test]
fn the_replacement_is_protected_before_the_old_one_goes_where_that_was() {
    for (old, new, expected) in [
        (false, (SERVES, false), DETACH),
        (true, (SERVES, false), protect()),
        // Its group protects it, or it did so itself.
        (true, (SERVES, true), DETACH),
        (false, (SERVES, true), DETACH),
        // Nothing can be protected before it is in service.
        (true, (Standing::Joining, false), WAITS),
        (true, (Standing::Standby, false), WAITS),
    ] {
        let (checkpoint, seen) = attached(old, new);
        assert_eq!(next(&checkpoint, &seen, &orders()), expected, "{old} {new:?}");
    }
}

#[test]
fn it_is_asked_for_once_and_what_is_refused_holds_nothing_up() {
    let (checkpoint, seen) = attached(true, (SERVES, false));
    let refused = Answer::Refused {
        reason: "denied".to_owned(),
        message: "it may not".to_owned(),
    };
    assert!(protect().is_optional());
    for (answer, why) in [(Answer::Done, ""), (refused, "it may not")] {
        let mut checkpoint = decided(&checkpoint, &seen, &orders(), 110).checkpoint;
        assert!(checkpoint.old.protected);
        checkpoint.after(&protect(), answer, "old", Timestamp::UNIX_EPOCH);
        assert_eq!(checkpoint.protection.as_deref(), Some(why));
        // As it is read still, or as somebody else has made it again.
        assert_eq!(next(&checkpoint, &seen, &orders()), DETACH);
        checkpoint.detached = true;
        let mut over = seen.clone();
        over.group.as_mut().unwrap().members.remove(0);
        match next(&checkpoint, &over, &orders()) {
            Next::Finish(end) => {
                let told = "not protected from scale-in, as the old one was: it may not.";
                assert_eq!(end.message.contains(told), !why.is_empty(), "{}", end.message);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_stood_when_it_was_last_seen_counts() {
    let (mut checkpoint, mut seen) = attached(true, (Standing::Joining, false));
    checkpoint = decided(&checkpoint, &seen, &orders(), 110).checkpoint;
    assert!(checkpoint.old.protected);
    // Its protection was taken away.
    let members = &mut seen.group.as_mut().unwrap().members;
    members[0].protected = false;
    members[1].standing = SERVES;
    assert_eq!(next(&checkpoint, &seen, &orders()), DETACH);
}

#[test]
fn where_the_old_one_left_first_its_replacement_is_waited_for() {
    let (checkpoint, seen) = left((Standing::Joining, false));
    assert_eq!(decided(&checkpoint, &seen, &orders(), 110).next, WAITS);
    let (checkpoint, mut serves) = left((SERVES, false));
    assert_eq!(next(&checkpoint, &serves, &orders()), protect());
    // What attaching added to desired is taken back first: the group would launch another one.
    (serves.books.surplus, serves.books.desired_is_ours) = (1, true);
    assert_eq!(
        next(&checkpoint, &serves, &orders()),
        Next::LowerDesired { to: 1 }
    );
    // Not for ever.
    let give_up = Orders {
        give_up: true,
        ..orders()
    };
    for (orders, at) in [(orders(), 161), (give_up, 110)] {
        let over = decided(&checkpoint, &seen, &orders, at);
        let Next::Finish(end) = over.next else {
            panic!("{:?}", over.next);
        };
        let told = "not protected from scale-in, as the old one was: it was not in service in time";
        assert!(end.message.contains(told), "{}", end.message);
    }
    // Nor where it was not protected.
    let mut checkpoint = checkpoint;
    checkpoint.old.protected = false;
    let over = decided(&checkpoint, &seen, &orders(), 110).next;
    assert!(matches!(over, Next::Finish(_)), "{over:?}");
}

#[test]
fn a_replacement_that_stays_though_it_was_being_undone_is_protected_too() {
    let (mut checkpoint, seen) = left((SERVES, false));
    checkpoint.undo = Some(Undo::Cancelled);
    let seen = Seen {
        drain: Drain::None,
        ..seen
    };
    assert_eq!(next(&checkpoint, &seen, &orders()), protect());
    // What was lost is nobody's to protect.
    checkpoint.lost = true;
    let mut gone = seen;
    gone.group.as_mut().unwrap().members.clear();
    gone.ours.clear();
    assert!(!matches!(
        next(&checkpoint, &gone, &orders()),
        Next::Protect { .. }
    ));
}
