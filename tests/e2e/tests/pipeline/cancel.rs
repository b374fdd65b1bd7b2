//! Notices that are taken back: before, during and after what they asked for.

use std::time::Duration;

use hollowtrees_e2e::{checker::Books, pipeline::interruption};
use hollowtrees_harness::eventually;
use hollowtrees_schemas::proto;

use crate::support::{BOUND, Small};

const RULES: &str = "
version: 1
rules:
  - name: maintenance
    match: { exact: { data.kind: scheduled-maintenance } }
    steps:
      - actions: [drain]
        before_deadline: 30m
    on_cancel: [asg-swap]
";

fn maintenance(instance: &str, seconds_left: i64, state: &str) -> proto::Notice {
    proto::Notice {
        kind: "scheduled-maintenance".to_owned(),
        certainty: "scheduled".to_owned(),
        event_id: format!("event-{instance}"),
        state: state.to_owned(),
        ..interruption(instance, seconds_left)
    }
}

async fn finished(small: &Small, cancelled: bool) -> Books {
    eventually("the run to be finished", BOUND, async || {
        let books = Books::read(&small.pipeline.bus).await;
        let done = books
            .runs
            .values()
            .any(|run| run.phase == "finished" && (run.result == "cancelled") == cancelled);
        done.then_some(books).ok_or("not yet")
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_back_before_its_time_nothing_starts() {
    let small = Small::start(Some(RULES), Duration::from_millis(5)).await;
    // Due in two hours, to begin half an hour before: nothing is on a stream yet.
    small
        .pipeline
        .notify(maintenance("i-1", 7_200, "active"), "/aws/1/eu/health")
        .await;
    eventually("the run to be there", BOUND, async || {
        !Books::read(&small.pipeline.bus).await.runs.is_empty()
    })
    .await;
    small
        .pipeline
        .notify(maintenance("i-1", 7_200, "cancelled"), "/aws/1/eu/health")
        .await;
    let books = finished(&small, true).await;
    books.assert_sound();
    assert_eq!(
        small
            .pipeline
            .world
            .deeds()
            .values()
            .filter(|deeds| deeds.about.starts_with("drain"))
            .count(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_back_while_it_runs_it_stops_and_is_undone() {
    let small = Small::start(Some(RULES), Duration::from_secs(4)).await;
    small
        .pipeline
        .notify(maintenance("i-1", 60, "active"), "/aws/1/eu/health")
        .await;
    eventually("the drain to begin", BOUND, async || {
        small.pipeline.world.begun() == 1
    })
    .await;
    small
        .pipeline
        .notify(maintenance("i-1", 60, "cancelled"), "/aws/1/eu/health")
        .await;
    let books = finished(&small, true).await;
    books.assert_sound();
    let drained = books
        .outcomes
        .values()
        .flatten()
        .find(|outcome| outcome.kind == "drain")
        .unwrap();
    assert_eq!(drained.result, "cancelled");
    let undone = books
        .outcomes
        .values()
        .flatten()
        .find(|outcome| outcome.kind == "asg-swap")
        .unwrap();
    assert_eq!(undone.result, "succeeded", "what stands under on_cancel was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_back_after_its_end_it_is_undone_and_a_new_one_is_a_new_incident() {
    let small = Small::start(Some(RULES), Duration::from_millis(5)).await;
    small
        .pipeline
        .notify(maintenance("i-1", 60, "active"), "/aws/1/eu/health")
        .await;
    finished(&small, false).await;
    small
        .pipeline
        .notify(maintenance("i-1", 60, "cancelled"), "/aws/1/eu/health")
        .await;
    let books = finished(&small, true).await;
    books.assert_sound();
    let kinds: Vec<_> = books
        .outcomes
        .values()
        .flatten()
        .map(|outcome| (outcome.kind.as_str(), outcome.result.as_str()))
        .collect();
    assert!(
        kinds.contains(&("drain", "succeeded")) && kinds.contains(&("asg-swap", "succeeded")),
        "{kinds:?}"
    );

    // Announced once more, by another event: the next generation of the incident.
    let again = proto::Notice {
        event_id: "another".to_owned(),
        ..maintenance("i-1", 90, "active")
    };
    small.pipeline.notify(again, "/aws/1/eu/health").await;
    eventually("the second generation's run", BOUND, async || {
        let books = Books::read(&small.pipeline.bus).await;
        books
            .runs
            .values()
            .any(|run| run.generation == 2 && run.phase == "finished")
    })
    .await;
    Books::read(&small.pipeline.bus).await.assert_sound();
}
