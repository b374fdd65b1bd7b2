//! The wait for the replacement's health at load balancers.

use jiff::SignedDuration;

use super::{
    super::{
        Checkpoint, Next, Orders, Seen, Wait,
        health::{Health, Waited},
    },
    steps::{SERVES, decided, group, instance, launched, next, orders, seen},
};
use crate::swap::world::{Life, Standing};

/// Attached at second 100, and in service.
fn in_service(health: Health) -> (Checkpoint, Seen) {
    let checkpoint = Checkpoint {
        attached: true,
        attached_at: 100,
        ..launched()
    };
    let seen = Seen {
        ours: vec![instance("new", Life::Running)],
        health,
        ..seen(group((0, 2, 2), &[("old", SERVES), ("new", SERVES)]))
    };
    (checkpoint, seen)
}

const DETACH: Next = Next::Detach { decrement: false };
const WAITS: Next = Next::Wait(Wait::Health);

#[test]
fn the_old_one_stays_until_the_new_one_gets_requests() {
    for (health, expected) in [
        (Health::NotAsked, DETACH),
        (Health::Untold, DETACH),
        (Health::Healthy, DETACH),
        (Health::Waiting, WAITS),
    ] {
        let (checkpoint, seen) = in_service(health);
        assert_eq!(next(&checkpoint, &seen, &orders()), expected, "{health:?}");
    }
    // Not before it is in service, nor for one that was lost.
    let (checkpoint, mut seen) = in_service(Health::Waiting);
    seen.group = Some(group((0, 2, 2), &[("old", SERVES), ("new", Standing::Joining)]));
    assert_eq!(next(&checkpoint, &seen, &orders()), Next::Wait(Wait::InService));
}

#[test]
fn a_wait_for_health_ends_once_and_decides_nothing() {
    let within = |seconds| Orders {
        healthy_within: SignedDuration::from_secs(seconds),
        ..orders()
    };
    let (checkpoint, seen) = in_service(Health::Waiting);
    let first = decided(&checkpoint, &seen, &within(20), 110);
    assert_eq!((first.next, first.checkpoint.serving_at), (WAITS, 110));
    let still = decided(&first.checkpoint, &seen, &within(20), 129);
    assert_eq!(still.next, WAITS);
    let over = decided(&still.checkpoint, &seen, &within(20), 130);
    let waited = Waited {
        found: Health::Waiting,
        seconds: 20,
    };
    assert_eq!((over.next, over.checkpoint.health), (DETACH, Some(waited)));
    // Its health is not asked for again.
    let again = decided(&over.checkpoint, &seen, &within(200), 131);
    assert_eq!(again.next, DETACH);
    // The old one is about to end, or no time is left.
    for orders in [
        Orders {
            node_over: true,
            ..within(20)
        },
        Orders {
            give_up: true,
            ..within(20)
        },
    ] {
        assert_eq!(next(&checkpoint, &seen, &orders), DETACH);
    }
}

#[test]
fn who_does_not_say_it_keeps_nobody_from_waiting_for_another() {
    use Health::{Healthy, NotAsked, Untold, Waiting};
    for (said, expected) in [
        (&[][..], NotAsked),
        (&[Healthy, Healthy], Healthy),
        (&[Healthy, Waiting, Untold], Waiting),
        (&[Untold, Healthy], Untold),
    ] {
        assert_eq!(Health::of_all(said.iter().copied()), expected, "{said:?}");
    }
}

#[test]
fn the_outcome_says_what_came_of_it() {
    for (found, part) in [
        (Health::Healthy, "healthy at the load balancers 7 s after"),
        (Health::Waiting, "not healthy at all load balancers in 7 s"),
        (Health::Untold, "AWS does not say it"),
    ] {
        let (mut checkpoint, mut seen) = in_service(found);
        checkpoint.detached = true;
        checkpoint.health = Some(Waited { found, seconds: 7 });
        seen.group = Some(group((0, 1, 2), &[("new", SERVES)]));
        match next(&checkpoint, &seen, &orders()) {
            Next::Finish(end) => assert!(end.message.contains(part), "{}", end.message),
            other => panic!("{other:?}"),
        }
    }
}
