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
