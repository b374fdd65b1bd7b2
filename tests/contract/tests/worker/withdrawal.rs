//! Deadlines that move and incidents that are withdrawn, before, while and after an action runs.

use std::time::Duration;

use hollowtrees_runtime::worker::{Report, Settings};
use hollowtrees_schemas::{key, names::ledger_state, proto};

use crate::support::{CLUSTER, Outcomes, Scripted, action, at, incident, prepared, run, send, settings};

/// Stops at a safe point when it is told to.
fn patient() -> Scripted {
    Scripted::new(async |mut job| {
        while !job.is_cancelled() {
            job.changed().await;
        }
        Ok(Report::cancelled("Stopped at a safe point."))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawn_before_it_starts_it_never_does() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = Scripted::succeeds();
    let worker = run(&bus, &handler, settings());
    incident(&bus, "i-1", "cancelled", at(60)).await;
    send(&bus, &action("i-1")).await;
    let outcome = outcomes.next().await;
    assert_eq!(
        (outcome.result.as_str(), handler.starts().len()),
        ("cancelled", 0)
    );

    // One that waits for its time does not wait for its answer.
    incident(&bus, "i-2", "open", at(60)).await;
    send(
        &bus,
        &proto::Action {
            start_at: at(50),
            ..action("i-2")
        },
    )
    .await;
    outcomes.none_within(Duration::from_millis(300)).await;
    incident(&bus, "i-2", "cancelled", at(60)).await;
    assert_eq!(outcomes.next().await.result, "cancelled");
    assert_eq!(handler.starts().len(), 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawn_while_it_runs_it_stops_at_its_next_safe_point() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = patient();
    let worker = run(
        &bus,
        &handler,
        Settings {
            running: 1,
            ..settings()
        },
    );
    incident(&bus, "i-1", "open", at(60)).await;
    incident(&bus, "i-2", "open", at(60)).await;
    send(&bus, &action("i-1")).await;
    handler.started(1).await;
    send(&bus, &action("i-2")).await;
    incident(&bus, "i-2", "cancelled", at(60)).await;
    assert_eq!(outcomes.next().await.instance, "i-2", "an answer needs no slot");
    incident(&bus, "i-1", "cancelled", at(60)).await;
    let outcome = outcomes.next().await;
    assert_eq!(
        (outcome.instance.as_str(), outcome.result.as_str()),
        ("i-1", "cancelled")
    );
    assert_eq!(handler.starts().len(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawn_before_it_came_it_is_answered_without_a_slot() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = patient();
    let worker = run(
        &bus,
        &handler,
        Settings {
            running: 1,
            ..settings()
        },
    );
    incident(&bus, "i-1", "open", at(60)).await;
    send(&bus, &action("i-1")).await;
    handler.started(1).await;
    // The watch told of it long ago, to nobody.
    incident(&bus, "i-2", "cancelled", at(60)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    send(&bus, &action("i-2")).await;
    let outcome = outcomes.next().await;
    assert_eq!(
        (outcome.instance.as_str(), outcome.result.as_str()),
        ("i-2", "cancelled")
    );
    incident(&bus, "i-1", "cancelled", at(60)).await;
    outcomes.next().await;
    assert_eq!(handler.starts().len(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawn_after_a_start_that_broke_off_it_goes_on_in_a_slot_of_its_own() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = patient();
    let worker = run(
        &bus,
        &handler,
        Settings {
            running: 1,
            ..settings()
        },
    );
    incident(&bus, "i-1", "open", at(60)).await;
    send(&bus, &action("i-1")).await;
    handler.started(1).await;
    let begun = action("i-2");
    let entry = proto::LedgerEntry {
        schema: 1,
        state: ledger_state::RUNNING.to_owned(),
        owner: Some(proto::Worker {
            kind: "work".to_owned(),
            process: "gone".to_owned(),
            version: String::new(),
        }),
        attempt: 2,
        nonce: "other".to_owned(),
        ..proto::LedgerEntry::default()
    };
    let key = key::ledger(CLUSTER, &begun.id.parse().unwrap());
    bus.ledger().create(&key, &entry).await.unwrap();
    incident(&bus, "i-2", "cancelled", at(60)).await;
    send(&bus, &begun).await;
    outcomes.none_within(Duration::from_secs(3)).await;
    assert_eq!(handler.starts().len(), 1, "the one slot is taken");
    let waits = bus.ledger().get(&key).await.unwrap().unwrap().value;
    assert_eq!(waits.attempt, 2, "no start is counted before there is one");
    incident(&bus, "i-1", "cancelled", at(60)).await;
    let ends = outcomes.results(2).await;
    assert!(ends.values().all(|result| result == "cancelled"), "{ends:?}");
    assert_eq!(handler.starts(), [("i-1".to_owned(), 1), ("i-2".to_owned(), 3)]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawn_after_its_end_it_keeps_its_outcome() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = Scripted::succeeds();
    let worker = run(&bus, &handler, settings());
    send(&bus, &action("i-1")).await;
    assert_eq!(outcomes.next().await.result, "succeeded");
    incident(&bus, "i-1", "cancelled", at(60)).await;
    outcomes.none_within(Duration::from_millis(500)).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_moves_moves_the_work() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    // Answers with the deadline it sees last.
    let handler = Scripted::new(async |mut job| {
        let first = job.deadline();
        while job.deadline() == first {
            job.changed().await;
        }
        Ok(Report::succeeded(job.deadline().unwrap().to_string()))
    });
    let worker = run(&bus, &handler, settings());
    incident(&bus, "i-1", "open", at(60)).await;
    let reserve = Some(pbjson_types::Duration { seconds: 5, nanos: 0 });
    send(
        &bus,
        &proto::Action {
            deadline_reserve: reserve,
            ..action("i-1")
        },
    )
    .await;
    handler.started(1).await;
    let tighter = at(30);
    incident(&bus, "i-1", "open", tighter).await;
    let seen = outcomes.next().await.message;
    let expected = proto::time::from_proto(&tighter.unwrap()).unwrap() - jiff::SignedDuration::from_secs(5);
    assert_eq!(
        seen,
        expected.to_string(),
        "the incident's deadline less the action's reserve"
    );

    // An incident of another generation says nothing of this action.
    let other = proto::Action {
        generation: 7,
        ..action("i-1")
    };
    let other = proto::Action {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        ..other
    };
    send(&bus, &other).await;
    incident(&bus, "i-1", "cancelled", at(1)).await;
    outcomes.none_within(Duration::from_millis(500)).await;
    worker.crash().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_generation_withdraws_what_the_older_one_asked_for() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = patient();
    let worker = run(&bus, &handler, settings());
    incident(&bus, "i-1", "open", at(60)).await;
    send(&bus, &action("i-1")).await;
    handler.started(1).await;
    // The cancellation itself was never seen: the bucket keeps the newest value alone.
    let key =
        hollowtrees_schemas::key::incident(&hollowtrees_schemas::id::IncidentKey::new("c1", "i-1", "live"));
    let mut newer = bus.incidents().get(&key).await.unwrap().unwrap().value;
    newer.generation = 2;
    bus.incidents().put(&key, &newer).await.unwrap();
    assert_eq!(outcomes.next().await.result, "cancelled");
    worker.stop().await;
}
