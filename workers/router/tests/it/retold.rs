use hollowtrees_harness::eventually;
use jiff::{SignedDuration, Timestamp};

use crate::{
    seed,
    support::{BOUND, World, notice, rule, rules},
};

/// A router stopped after it had written that a run finished and an incident closed, and before it told anyone.
#[tokio::test]
async fn what_ended_and_was_not_told_is_told_after_a_restart() {
    let world = World::start().await;
    for (instance, minutes) in [("i-now", 1), ("i-then", 120)] {
        let at = Timestamp::now() - SignedDuration::from_mins(minutes);
        let (incident, run) = seed::ended(instance, at);
        world.put_incident(&incident).await;
        world.put_run(&run).await;
    }
    let router = world.router("").await;
    let told = || async {
        let events = world.events("i-now").await;
        if events == ["incident.closed", "run.finished"] {
            Ok(())
        } else {
            Err(events.join(" "))
        }
    };
    eventually("both to be told", BOUND, told).await;
    let counted = r#"hollowtrees_router_runs_finished_total{result="succeeded"}"#;
    eventually("the end to be counted", BOUND, || async {
        (router.metric(counted).await - 1.0).abs() < 0.1
    })
    .await;
    for _ in 0..2 {
        router.worker.kill();
        router.worker.restart().unwrap();
        router.ready().await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    told().await.expect("each once, however often a router starts");
    assert_eq!(
        world.events("i-then").await,
        Vec::<String>::new(),
        "long ago is no news"
    );
    assert!(
        router.metric(counted).await < 0.1,
        "the second time it is no end to count"
    );
}

/// Its router wrote incident and run and stopped; the bus does not say that it had handed the notice out.
#[tokio::test]
async fn an_old_notice_is_taken_as_begun_whatever_its_count_of_deliveries() {
    let world = World::start().await;
    let (incident, run) = seed::begun("i-1", Timestamp::now());
    world.put_incident(&incident).await;
    world.put_run(&run).await;
    world.send(notice("alert", "i-1")).await;
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    let text = rules(&[rule("r", "alert", "  steps: [{ actions: [drain] }]\n")]);
    let _router = world.router(&text).await;
    eventually("what the first one did not get to tell", BOUND, || async {
        let events = world.events("i-1").await;
        if events == ["incident.opened", "run.started"] {
            Ok(())
        } else {
            Err(events.join(" "))
        }
    })
    .await;
}
