//! The wait for the replacement's node, between running and attaching.

use super::{
    super::{Checkpoint, Decision, Next, Node, Orders, Seen, Wait, world::Life},
    steps::{SERVES, decided, group, instance, launched, orders, seen},
};

/// The replacement is this, and so is its node; the old one serves, and there is room.
fn at(life: Life, node: Node) -> Seen {
    Seen {
        ours: vec![instance("new", life)],
        node,
        ..seen(group((1, 1, 2), &[("old", SERVES)]))
    }
}

/// What comes of these looks one after another, each `(second, what is seen)`, the checkpoint kept as the ledger does.
fn play(looks: &[(i64, Seen)], orders: &Orders) -> Decision {
    let mut checkpoint = launched();
    let mut last = None;
    for (now, seen) in looks {
        let decision = decided(&checkpoint, seen, orders, *now);
        let text = serde_json::to_string(&decision.checkpoint).unwrap();
        checkpoint = serde_json::from_str(&text).unwrap();
        last = Some(decision);
    }
    last.unwrap()
}

fn waits() -> Next {
    Next::Wait(Wait::NodeReady)
}

fn attach() -> Next {
    Next::Attach {
        instance: "new".to_owned(),
    }
}

fn waited(checkpoint: &Checkpoint) -> Option<(Node, i64)> {
    checkpoint.node.map(|waited| (waited.found, waited.seconds))
}

#[test]
fn who_is_not_asked_is_attached_as_ever() {
    let decision = play(&[(110, at(Life::Running, Node::NotAsked))], &orders());
    assert_eq!(decision.next, attach());
    // Not one field more to save.
    assert_eq!(decision.checkpoint, launched());
}

#[test]
fn a_node_that_is_ready_is_waited_for_and_noted_with_its_time() {
    let check = |looks: &[(i64, Node)], expected: Next, noted: Option<(Node, i64)>| {
        let looks: Vec<_> = looks
            .iter()
            .map(|(now, node)| (*now, at(Life::Running, *node)))
            .collect();
        let decision = play(&looks, &orders());
        assert_eq!(decision.next, expected, "{looks:?}");
        assert_eq!(waited(&decision.checkpoint), noted, "{looks:?}");
    };
    use Node::{NotReady, NotThere, Ready};
    check(&[(110, Ready)], attach(), Some((Ready, 0)));
    check(&[(110, NotThere)], waits(), None);
    check(&[(110, NotThere), (120, NotReady)], waits(), None);
    let joined = [(110, NotThere), (120, NotReady), (131, Ready)];
    check(&joined, attach(), Some((Ready, 21)));
    // It flaps: it has joined, and is attached.
    let flaps = [(110, NotThere), (131, Ready), (132, NotReady), (133, NotThere)];
    check(&flaps, attach(), Some((Ready, 21)));
}

#[test]
fn it_is_waited_for_from_its_running_and_not_from_its_launch() {
    let looks = |last: i64| {
        [
            (150, at(Life::Pending, Node::NotThere)),
            (155, at(Life::Running, Node::NotThere)),
            (last, at(Life::Running, Node::NotThere)),
        ]
    };
    // Seconds 155 to 215.
    let early = play(&looks(214), &orders());
    assert_eq!((early.next, waited(&early.checkpoint)), (waits(), None));
    let late = play(&looks(215), &orders());
    assert_eq!(
        (late.next, waited(&late.checkpoint)),
        (attach(), Some((Node::NotThere, 60)))
    );
}

#[test]
fn what_is_not_ready_in_time_is_attached_all_the_same() {
    for node in [Node::NotThere, Node::NotReady] {
        let looks = [(110, at(Life::Running, node)), (170, at(Life::Running, node))];
        let decision = play(&looks, &orders());
        assert_eq!(decision.next, attach());
        assert_eq!(waited(&decision.checkpoint), Some((node, 60)));
        // It is over, though the node comes now: what is said was true when it was attached.
        let after = decided(
            &decision.checkpoint,
            &at(Life::Running, Node::Ready),
            &orders(),
            171,
        );
        assert_eq!(waited(&after.checkpoint), Some((node, 60)));
    }
    // The time is needed for what comes after.
    let over = Orders {
        node_over: true,
        ..orders()
    };
    let looks = [
        (110, at(Life::Running, Node::NotReady)),
        (112, at(Life::Running, Node::NotReady)),
    ];
    assert_eq!(play(&looks, &orders()).next, waits());
    assert_eq!(play(&looks, &over).next, attach());
    // The old one is out: the group is one short.
    let mut left = at(Life::Running, Node::NotReady);
    left.group = Some(group((1, 1, 2), &[]));
    assert_eq!(play(&[looks[0].clone(), (112, left)], &orders()).next, attach());
}

#[test]
fn who_sees_no_nodes_does_not_wait_and_says_so() {
    let decision = play(&[(110, at(Life::Running, Node::Unseen))], &orders());
    assert_eq!(decision.next, attach());
    assert_eq!(waited(&decision.checkpoint), Some((Node::Unseen, 0)));
}

#[test]
fn what_ends_or_is_doomed_meanwhile_is_not_waited_for() {
    let running = (110, at(Life::Running, Node::NotReady));
    let end = Next::TerminateNew {
        instance: "new".to_owned(),
    };
    let doomed = Seen {
        doomed: true,
        ..at(Life::Running, Node::NotReady)
    };
    assert_eq!(play(&[running.clone(), (112, doomed)], &orders()).next, end);
    let stopped = at(Life::Stopped, Node::NotReady);
    assert_eq!(play(&[running.clone(), (112, stopped)], &orders()).next, end);
    // Gone: the next choice, and nothing of the first one's wait is left.
    let gone = play(&[running, (112, at(Life::Gone, Node::NotThere))], &orders());
    assert!(matches!(gone.next, Next::Launch(_)), "{:?}", gone.next);
    assert_eq!((gone.checkpoint.at, gone.checkpoint.running_at), (1, 0));
}

#[test]
fn a_withdrawal_or_the_end_of_all_time_ends_the_wait() {
    let running = at(Life::Running, Node::NotReady);
    let mut checkpoint = play(&[(110, running.clone())], &orders()).checkpoint;
    checkpoint.in_doubt = false;
    for orders in [
        Orders {
            cancelled: true,
            ..orders()
        },
        Orders {
            give_up: true,
            ..orders()
        },
    ] {
        let decision = decided(&checkpoint, &running, &orders, 112);
        let end = Next::TerminateNew {
            instance: "new".to_owned(),
        };
        assert_eq!(decision.next, end);
        assert!(decision.checkpoint.undo.is_some());
    }
}

#[test]
fn another_worker_goes_on_with_the_same_wait() {
    let first = play(&[(110, at(Life::Running, Node::NotThere))], &orders());
    let saved = serde_json::to_string(&first.checkpoint).unwrap();
    let resumed: Checkpoint = serde_json::from_str(&saved).unwrap();
    assert_eq!(resumed.running_at, 110);
    let next = |node, now| decided(&resumed, &at(Life::Running, node), &orders(), now);
    assert_eq!(next(Node::NotThere, 169).next, waits());
    // Not sixty seconds anew.
    assert_eq!(next(Node::NotThere, 170).next, attach());
    assert_eq!(
        waited(&next(Node::Ready, 150).checkpoint),
        Some((Node::Ready, 40))
    );
    // One that does not wait attaches at once, and claims nothing.
    let unasked = next(Node::NotAsked, 150);
    assert_eq!((unasked.next, waited(&unasked.checkpoint)), (attach(), None));
    // A checkpoint of an older release knows of no wait.
    let mut older: serde_json::Value = serde_json::from_str(&saved).unwrap();
    let fields = older.as_object_mut().unwrap();
    fields.remove("running_at");
    fields.remove("node");
    let older: Checkpoint = serde_json::from_value(older).unwrap();
    assert_eq!(older, launched());
}

#[test]
fn the_outcome_says_what_came_of_it() {
    let check = |found: Node, expected: &str| {
        let out = Checkpoint {
            attached: true,
            detached: true,
            in_service: true,
            node: Some(super::super::node::Waited { found, seconds: 34 }),
            ..launched()
        };
        let mut seen = at(Life::Running, found);
        seen.group = Some(group((1, 1, 2), &[("new", SERVES)]));
        let Next::Finish(end) = decided(&out, &seen, &orders(), 200).next else {
            panic!("no end")
        };
        assert_eq!(end.result, "succeeded");
        assert_eq!(end.message, format!("new is in g in place of old.{expected}"));
    };
    check(
        Node::Ready,
        " The replacement's node was Ready 34 s after it was seen running.",
    );
    check(
        Node::NotReady,
        " The replacement's node was not Ready in 34 s of its running; it was attached all the same.",
    );
    check(
        Node::NotThere,
        " No node of the replacement was seen in 34 s of its running; it was attached all the same.",
    );
    check(
        Node::Unseen,
        " The replacement's node was not waited for: this worker sees no nodes of the cluster.",
    );
}
