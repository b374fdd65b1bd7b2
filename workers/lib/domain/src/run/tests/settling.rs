//! What the router writes into the ledger.

use super::*;
use crate::settle::{Settlement, Why, ended, kept, settle};

pub(super) fn router() -> proto::Worker {
    proto::Worker {
        kind: "router".into(),
        process: "p".into(),
        version: "0".into(),
    }
}

#[test]
fn settling_leaves_what_is_done_and_what_may_go_on() {
    let story = Story::new(TWO_STEPS, &incident(Some(120)));
    let action = &story.run.republish()[0];
    let running = proto::LedgerEntry {
        state: "running".into(),
        attempt: 2,
        ..Default::default()
    };
    let result = |why, entry: Option<&proto::LedgerEntry>| match settle(
        why,
        action,
        entry,
        &router(),
        true,
        "n",
        at(1),
    ) {
        Settlement::Write(entry) => {
            let outcome = entry.outcome.clone().unwrap();
            assert_eq!((entry.state.as_str(), entry.nonce.as_str()), ("done", "n"));
            assert_eq!(ended(&entry, at(9)).unwrap().at, at(1));
            format!("{} {}", outcome.result, outcome.reason)
        }
        Settlement::Done(outcome) => format!("was {}", outcome.result),
        Settlement::Running => "running".to_owned(),
    };
    assert_eq!(result(Why::Expired, None), "expired not-started");
    assert_eq!(result(Why::Overdue, None), "expired not-started");
    let nobody_serves = settle(Why::Expired, action, None, &router(), false, "n", at(1));
    let Settlement::Write(entry) = nobody_serves else {
        panic!("{nobody_serves:?}")
    };
    assert_eq!(entry.outcome.unwrap().reason, "not-served");
    assert_eq!(result(Why::Withdrawn, None), "cancelled incident-withdrawn");
    assert_eq!(result(Why::Expired, Some(&running)), "running");
    assert_eq!(result(Why::Withdrawn, Some(&running)), "running");
    assert_eq!(result(Why::Overdue, Some(&running)), "failed overdue");
    assert_eq!(result(Why::Stalled, Some(&running)), "failed overdue");
    assert_eq!(
        result(Why::Stalled, None),
        "failed overdue",
        "started without a ledger"
    );
    let outcome = proto::Outcome {
        result: "succeeded".into(),
        ..Default::default()
    };
    let done = proto::LedgerEntry {
        state: "done".into(),
        outcome: Some(outcome),
        ..Default::default()
    };
    for why in [Why::Expired, Why::Overdue, Why::Stalled, Why::Withdrawn] {
        assert_eq!(result(why, Some(&done)), "was succeeded");
    }
}

#[test]
fn a_saga_that_left_something_open_is_awaited_for_a_day() {
    const DAY: i64 = 86_400;
    let story = Story::new(TWO_STEPS, &incident(Some(120)));
    let action = story.run.republish().remove(0);
    let due = story.run.actions[0].close_at.unwrap().as_second() - at(0).as_second();
    let open = proto::LedgerEntry {
        state: "running".into(),
        saga: true,
        checkpoint: Some(Default::default()),
        ..Default::default()
    };
    let no_saga = proto::LedgerEntry {
        saga: false,
        ..open.clone()
    };
    let nothing_begun = proto::LedgerEntry {
        checkpoint: None,
        ..open.clone()
    };
    let awaited = |entry, second| {
        [Why::Overdue, Why::Stalled].map(|why| {
            let settled = settle(why, &action, Some(entry), &router(), true, "n", at(second));
            settled == Settlement::Running
        })
    };
    assert_eq!(awaited(&open, due), [true, true]);
    assert_eq!(awaited(&open, due + DAY - 1), [true, true]);
    assert_eq!(awaited(&open, due + DAY), [false, false]);
    assert_eq!(awaited(&no_saga, due), [false, false]);
    assert_eq!(awaited(&nothing_begun, due), [false, false]);
}

#[test]
fn what_ended_without_a_ledger_is_kept_there() {
    let outcome = proto::Outcome {
        action_id: "a".into(),
        result: "succeeded".into(),
        attempt: 1,
        redrive: 2,
        times: Some(proto::Times {
            ended_at: Some(to_proto(at(7))),
            ..Default::default()
        }),
        detail: Some(pbjson_types::Struct::default()),
        ..Default::default()
    };
    let entry = kept(&outcome, "n");
    assert_eq!((entry.state.as_str(), entry.redrive), ("done", 2));
    assert_eq!(entry.outcome.as_ref().unwrap().detail, None, "the message has it");
    let end = ended(&entry, at(9)).unwrap();
    assert_eq!((end.result, end.at), (Outcome::Succeeded, at(7)));
}
