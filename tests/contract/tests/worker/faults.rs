//! Crashes, cuts, pauses and lost replies in mid-action.

use std::time::Duration;

use hollowtrees_harness::{eventually, proxy};
use hollowtrees_runtime::worker::{Report, Settings};
use hollowtrees_schemas::proto;
use pbjson_types::{Struct, Value, value::Kind};

use crate::support::{BOUND, Outcomes, Scripted, action, at, connect, done, prepared, run, send, settings};

fn step(name: &str) -> Struct {
    let value = Value {
        kind: Some(Kind::StringValue(name.to_owned())),
    };
    Struct {
        fields: [("step".to_owned(), value)].into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_leaves_is_taken_over_from_its_checkpoint() {
    let (nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = Scripted::new(async |job| match job.checkpoint().await {
        None => {
            job.save(step("launched")).await?;
            std::future::pending().await
        }
        Some(found) => {
            assert_eq!((found, job.attempt()), (step("launched"), 2));
            Ok(Report::succeeded("Resumed."))
        }
    });
    let dies = run(&connect(&nats.url()).await, &handler, settings());
    send(&bus, &action("i-1")).await;
    eventually("the checkpoint to be stored", BOUND, async || {
        let key = hollowtrees_schemas::key::ledger("c1", &action("i-1").id.parse().unwrap());
        bus.ledger()
            .get(&key)
            .await
            .ok()
            .flatten()
            .filter(|entry| entry.value.checkpoint.is_some())
    })
    .await;
    dies.crash().await;
    let lives = run(&bus, &handler, settings());
    let outcome = outcomes.next().await;
    assert_eq!((outcome.message.as_str(), outcome.attempt), ("Resumed.", 2));
    assert_eq!(handler.starts().len(), 2);
    lives.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_left_open_is_gone_on_with_after_its_outcome_was_due() {
    let (nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = Scripted::new(async |job| match job.checkpoint().await {
        None => {
            job.save(step("launched")).await?;
            std::future::pending().await
        }
        Some(_) => {
            // Longer than nothing: the time that is left is the saga's.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let left = job.ends_by().duration_since(job.now());
            assert!(left > jiff::SignedDuration::from_mins(9), "{left:?}");
            Ok(Report::succeeded("Undone."))
        }
    });
    let kinds = || Settings {
        kinds: settings().kinds.into_iter().map(|kind| kind.saga()).collect(),
        ..settings()
    };
    let dies = run(&connect(&nats.url()).await, &handler, kinds());
    let due = proto::Action {
        deadline: at(1),
        close_at: at(2),
        ..action("i-1")
    };
    send(&bus, &due).await;
    handler.started(1).await;
    dies.crash().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let lives = run(&bus, &handler, kinds());
    let outcome = outcomes.next().await;
    assert_eq!((outcome.message.as_str(), outcome.attempt), ("Undone.", 2));
    lives.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_told_to_stop_hands_over_at_once_and_loses_nothing() {
    let (nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let slow = Scripted::new(async |_| {
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(Report::succeeded("Done."))
    });
    let going = run(
        &connect(&nats.url()).await,
        &slow,
        Settings {
            running: 2,
            ..settings()
        },
    );
    for number in 0..20 {
        send(&bus, &action(&format!("i-{number}"))).await;
    }
    slow.started(2).await;
    let staying = run(
        &bus,
        &slow,
        Settings {
            running: 20,
            ..settings()
        },
    );
    let began = std::time::Instant::now();
    going.stop().await;
    outcomes.results(20).await;
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "no ack_wait was waited for: {:?}",
        began.elapsed()
    );
    assert_eq!(slow.starts().len(), 20, "nothing was started twice");
    staying.stop().await;
    outcomes.none_within(Duration::from_millis(300)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_outlasts_the_grace_is_left_to_the_next_worker() {
    let (nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = Scripted::new(async |job| {
        if job.attempt() == 1 {
            std::future::pending::<()>().await;
        }
        Ok(Report::succeeded("Done by the next one."))
    });
    let going = run(
        &connect(&nats.url()).await,
        &handler,
        Settings {
            grace: Duration::from_millis(200),
            ..settings()
        },
    );
    send(&bus, &action("i-1")).await;
    handler.started(1).await;
    let staying = run(&bus, &handler, settings());
    let began = std::time::Instant::now();
    going.stop().await;
    assert_eq!(outcomes.next().await.attempt, 2);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    staying.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_was_handed_over_counts_against_nobody() {
    const MOVES: u32 = 7;
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = Scripted::new(async |job| {
        if job.attempt() <= MOVES {
            std::future::pending::<()>().await;
        }
        Ok(Report::succeeded("Done by the last one."))
    });
    send(&bus, &action("i-1")).await;
    let impatient = || Settings {
        grace: Duration::from_millis(50),
        ..settings()
    };
    assert!(impatient().poison_after < MOVES, "the moves would be poison");
    for moves in 1..=MOVES {
        let going = run(&bus, &handler, impatient());
        handler.started(usize::try_from(moves).unwrap()).await;
        going.stop().await;
    }
    let last = run(&bus, &handler, impatient());
    let outcome = outcomes.next().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.attempt),
        ("succeeded", MOVES + 1)
    );
    assert_eq!(bus.dead_range().await.unwrap(), None, "no dead letter");
    last.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_longer_than_the_ack_wait_starts_no_second_handler() {
    let (nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let proxy = proxy::Tcp::start(nats.addr()).await.unwrap();
    let through = connect(&format!("nats://{}", proxy.addr())).await;
    let handler = Scripted::new(async |_| {
        tokio::time::sleep(Duration::from_secs(12)).await;
        Ok(Report::succeeded("Done."))
    });
    let worker = run(&through, &handler, settings());
    send(&bus, &action("i-1")).await;
    handler.started(1).await;
    proxy.cut();
    // Longer than the `ack_wait` of five seconds and the liveness of four.
    tokio::time::sleep(Duration::from_secs(8)).await;
    proxy.heal();
    let outcome = outcomes.next().await;
    assert_eq!((outcome.result.as_str(), outcome.attempt), ("succeeded", 1));
    assert_eq!(handler.starts().len(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_bus_away_for_twenty_seconds_loses_and_repeats_nothing() {
    let (nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = Scripted::new(async |_| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Report::succeeded("Done."))
    });
    let other = connect(&nats.url()).await;
    let few = || Settings {
        running: 4,
        ..settings()
    };
    let workers = [run(&bus, &handler, few()), run(&other, &handler, few())];
    for number in 0..20 {
        send(&bus, &action(&format!("i-{number}"))).await;
    }
    handler.started(4).await;
    nats.kill();
    tokio::time::sleep(Duration::from_secs(20)).await;
    nats.restart().await.unwrap();
    let results = outcomes.results(20).await;
    assert!(
        results.values().all(|result| result == "succeeded"),
        "{results:?}"
    );
    assert_eq!(handler.starts().len(), 20, "no handler was started twice");
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_whose_reply_was_lost_is_one_end() {
    let (nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let proxy = std::sync::Arc::new(proxy::Tcp::start(nats.addr()).await.unwrap());
    let through = connect(&format!("nats://{}", proxy.addr())).await;
    let handler = {
        let proxy = std::sync::Arc::clone(&proxy);
        Scripted::new(move |_| {
            let proxy = std::sync::Arc::clone(&proxy);
            async move {
                // From here on the ledger is written, and its answers never arrive.
                proxy.lose_replies();
                Ok(Report::succeeded("Done."))
            }
        })
    };
    let worker = run(&through, &handler, settings());
    send(&bus, &action("i-1")).await;
    let entry = done(&bus, &action("i-1")).await;
    assert_eq!(entry.attempt, 1);
    proxy.drop_connections();
    proxy.heal();
    assert_eq!(outcomes.next().await.result, "succeeded");
    assert_eq!(handler.starts().len(), 1);
    outcomes.none_within(Duration::from_secs(7)).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_newer_layout_is_left_to_who_knows_it() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = Scripted::succeeds();
    let asked = action("i-1");
    let key = hollowtrees_schemas::key::ledger("c1", &asked.id.parse().unwrap());
    let newer = hollowtrees_schemas::proto::LedgerEntry {
        schema: 9,
        ..Default::default()
    };
    let revision = bus.ledger().create(&key, &newer).await.unwrap();
    let worker = run(&bus, &handler, settings());
    send(&bus, &asked).await;
    outcomes.none_within(Duration::from_secs(3)).await;
    assert_eq!(handler.starts().len(), 0);
    // Removed by who knows it, it is done.
    bus.ledger().remove(&key, Some(revision)).await.unwrap();
    assert_eq!(outcomes.next().await.result, "succeeded");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_whose_saving_was_dropped_half_way_loses_no_claim() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = Scripted::new(async |job| {
        for round in 0..50 {
            // As a `select!` does whose other branch was faster.
            let microseconds = Duration::from_micros(round * 20);
            tokio::time::timeout(microseconds, job.save(step("half-way")))
                .await
                .ok();
        }
        job.save(step("whole")).await?;
        assert_eq!(job.checkpoint().await, Some(step("whole")));
        Ok(Report::succeeded("Done."))
    });
    let worker = run(&bus, &handler, settings());
    send(&bus, &action("i-1")).await;
    let outcome = outcomes.next().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.attempt),
        ("succeeded", 1),
        "{outcome:?}"
    );
    assert_eq!(handler.starts().len(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_dies_of_takes_nobody_along_for_good() {
    let (nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let (dying, mut dies) = tokio::sync::mpsc::channel(16);
    let handler = Scripted::new(move |job| {
        let dying = dying.clone();
        async move {
            if job.action().instance == "i-deadly" {
                dying.send(()).await.unwrap();
                return std::future::pending().await;
            }
            // Long enough to be there when the process dies.
            tokio::time::sleep(Duration::from_millis(700)).await;
            Ok(Report::succeeded("Done."))
        }
    });
    let poison_after = 3;
    let settings = || Settings {
        poison_after,
        ..settings()
    };
    for instance in ["i-1", "i-2", "i-deadly", "i-3", "i-4"] {
        send(&bus, &action(instance)).await;
    }
    for _ in 0..poison_after {
        let worker = run(&connect(&nats.url()).await, &handler, settings());
        tokio::time::timeout(BOUND, dies.recv()).await.unwrap().unwrap();
        worker.crash().await;
    }
    let worker = run(&bus, &handler, settings());
    let results = outcomes.results(5).await;
    for (instance, result) in &results {
        let expected = if instance == "i-deadly" {
            "failed"
        } else {
            "succeeded"
        };
        assert_eq!(result, expected, "{results:?}");
    }
    assert_eq!(bus.dead_range().await.unwrap(), Some((1, 1)), "one dead letter");
    worker.stop().await;
}
