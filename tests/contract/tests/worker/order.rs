//! Which action goes first, and how many at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hollowtrees_runtime::worker::{Report, Settings};
use hollowtrees_schemas::proto;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::support::{Outcomes, Scripted, action, at, prepared, run, send, settings};

#[tokio::test(flavor = "multi_thread")]
async fn the_tightest_deadline_goes_first_whatever_the_stream_says() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let gate = Arc::new(Semaphore::new(0));
    let handler = {
        let gate = Arc::clone(&gate);
        Scripted::new(move |_| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Ok(Report::succeeded("Done."))
            }
        })
    };
    let worker = run(
        &bus,
        &handler,
        Settings {
            running: 1,
            ..settings()
        },
    );
    send(&bus, &action("i-first")).await;
    handler.started(1).await;
    for (instance, seconds) in [("i-50", 50), ("i-20", 20), ("i-40", 40), ("i-30", 30)] {
        send(
            &bus,
            &proto::Action {
                deadline: at(seconds),
                ..action(instance)
            },
        )
        .await;
    }
    hollowtrees_harness::eventually("five to be held", crate::support::BOUND, async || {
        (worker.count("hollowtrees_worker_actions_held") == 5).then_some(())
    })
    .await;
    gate.add_permits(5);
    outcomes.results(5).await;
    let started: Vec<_> = handler
        .starts()
        .into_iter()
        .map(|(instance, _)| instance)
        .collect();
    assert_eq!(started, ["i-first", "i-20", "i-30", "i-40", "i-50"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_while_all_slots_are_taken_is_answered_in_time() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = Scripted::new(async |_| {
        tokio::time::sleep(Duration::from_secs(6)).await;
        Ok(Report::succeeded("Done."))
    });
    let worker = run(
        &bus,
        &handler,
        Settings {
            running: 1,
            ..settings()
        },
    );
    send(&bus, &action("i-long")).await;
    handler.started(1).await;
    send(
        &bus,
        &proto::Action {
            deadline: at(1),
            ..action("i-short")
        },
    )
    .await;
    let first = outcomes.next().await;
    assert_eq!(
        (first.instance.as_str(), first.result.as_str()),
        ("i-short", "expired")
    );
    assert_eq!(outcomes.next().await.instance, "i-long");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_starts_before_its_time() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = Scripted::succeeds();
    let worker = run(&bus, &handler, settings());
    let start_at = at(3);
    send(
        &bus,
        &proto::Action {
            start_at,
            ..action("i-later")
        },
    )
    .await;
    send(&bus, &action("i-now")).await;
    assert_eq!(outcomes.next().await.instance, "i-now");
    assert_eq!(outcomes.next().await.instance, "i-later");
    let due = hollowtrees_schemas::proto::time::from_proto(&start_at.unwrap()).unwrap();
    assert!(Timestamp::now() >= due);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_actions_over_two_workers_are_done_once_each() {
    let (nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let most = Arc::new(AtomicUsize::new(0));
    let handler = {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&most));
        Scripted::new(move |_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(2)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(Report::succeeded("Done."))
            }
        })
    };
    let other = crate::support::connect(&nats.url()).await;
    let few = || Settings {
        running: 8,
        accepted: 100,
        ..settings()
    };
    let workers = [run(&bus, &handler, few()), run(&other, &handler, few())];
    for number in 0..1_000 {
        send(&bus, &action(&format!("i-{number}"))).await;
    }
    let results = outcomes.results(1_000).await;
    assert!(results.values().all(|result| result == "succeeded"));
    assert_eq!(handler.starts().len(), 1_000);
    assert!(most.load(Ordering::SeqCst) <= 16, "at most eight in each");
    for worker in workers {
        worker.stop().await;
    }
    outcomes.none_within(Duration::from_millis(300)).await;
}
