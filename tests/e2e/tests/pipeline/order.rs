//! Notices that do not come in the order in which things happened.

use std::time::Duration;

use hollowtrees_e2e::{
    checker::Books,
    pipeline::{Pipeline, interruption},
};
use hollowtrees_harness::eventually;
use hollowtrees_schemas::{proto, proto::time::to_proto};
use jiff::{SignedDuration, Timestamp};

use crate::support::{BOUND, Small};

const RULES: &str = "
version: 1
rules:
  - name: maintenance
    match: { exact: { data.kind: scheduled-maintenance } }
    steps: [{ actions: [drain] }]
  - name: spot
    match: { exact: { data.kind: spot-interruption } }
    steps: [{ actions: [drain] }]
";

/// Maintenance that was seen `seen` seconds from now and is due `due` seconds from now.
fn maintenance(instance: &str, state: &str, seen: i64, due: i64) -> proto::Notice {
    proto::Notice {
        kind: "scheduled-maintenance".to_owned(),
        certainty: "scheduled".to_owned(),
        event_id: format!("event-{instance}"),
        state: state.to_owned(),
        noticed_at: Some(to_proto(from_now(seen))),
        ..interruption(instance, due)
    }
}

fn from_now(seconds: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(seconds)
}

async fn say(pipeline: &Pipeline, notice: proto::Notice) {
    pipeline.notify(notice, "/aws/1/eu/health").await;
}

/// The incident of an instance, once `done` of it.
async fn incident(
    pipeline: &Pipeline,
    instance: &str,
    what: &str,
    done: impl Fn(&proto::Incident) -> bool,
) -> proto::Incident {
    eventually(format!("the incident of {instance} {what}"), BOUND, async || {
        let books = Books::read(&pipeline.bus).await;
        let found = books
            .incidents
            .into_values()
            .find(|found| found.instance == instance);
        match found {
            Some(incident) if done(&incident) => Ok(incident),
            other => Err(format!("{other:?}")),
        }
    })
    .await
}

/// What another instance goes through after all that was said before was handled: one consumer, in order.
async fn all_was_handled(pipeline: &Pipeline) {
    say(pipeline, interruption("i-fence", 300)).await;
    Books::when_finished_of(&pipeline.bus, "i-fence", BOUND).await;
    // Handled side by side: what was taken just before may end just after.
    tokio::time::sleep(Duration::from_millis(500)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_comes_before_its_notice_takes_it_back() {
    let small = Small::start(Some(RULES), Duration::from_millis(5)).await;
    let pipeline = &small.pipeline;
    say(pipeline, maintenance("i-1", "cancelled", 0, 600)).await;
    incident(pipeline, "i-1", "to be recorded", |incident| {
        incident.state == "closed"
    })
    .await;
    say(pipeline, maintenance("i-1", "active", -60, 600)).await;
    all_was_handled(pipeline).await;
    let books = Books::read(&pipeline.bus).await;
    books.assert_sound();
    assert!(
        books.runs.values().all(|run| run.instance != "i-1"),
        "nothing starts: {:?}",
        books.runs
    );
    assert_eq!(pipeline.world.begun(), 1, "the other instance's");

    // Announced again after it was taken back, it counts.
    say(pipeline, maintenance("i-1", "active", 5, 900)).await;
    Books::when_finished_of(&pipeline.bus, "i-1", BOUND).await;
    Books::read(&pipeline.bus).await.assert_sound();
    assert_eq!(pipeline.world.begun(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_notice_that_comes_after_a_newer_one_changes_nothing() {
    let small = Small::start(Some(RULES), Duration::from_secs(1)).await;
    let pipeline = &small.pipeline;
    // Moved to an hour later; what it was moved from comes afterwards.
    let newer = maintenance("i-1", "active", 0, 4_200);
    let deadline = newer.deadline;
    say(pipeline, newer).await;
    incident(pipeline, "i-1", "to open", |incident| incident.state == "open").await;
    say(pipeline, maintenance("i-1", "active", -60, 600)).await;
    say(pipeline, maintenance("i-1", "cancelled", -120, 600)).await;
    all_was_handled(pipeline).await;
    Books::when_finished_of(&pipeline.bus, "i-1", BOUND).await;
    let books = Books::read(&pipeline.bus).await;
    books.assert_sound();
    let of_it = |instance: &str| instance == "i-1";
    let incident = books
        .incidents
        .values()
        .find(|found| of_it(&found.instance))
        .unwrap();
    assert_eq!(
        (incident.deadline, incident.generation, incident.state.as_str()),
        (deadline, 1, "open")
    );
    let runs: Vec<_> = books.runs.values().filter(|run| of_it(&run.instance)).collect();
    assert_eq!(runs.len(), 1);
    assert_eq!(
        (runs[0].deadline, runs[0].result.as_str()),
        (deadline, "succeeded")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_minutes_late_is_worked_on_while_there_is_time_and_answered_when_there_is_none() {
    let small = Small::start(Some(RULES), Duration::from_millis(5)).await;
    let pipeline = &small.pipeline;
    say(pipeline, maintenance("i-time", "active", -300, 300)).await;
    say(pipeline, maintenance("i-none", "active", -300, -180)).await;
    let books = Books::when_finished(&pipeline.bus, 2, BOUND).await;
    books.assert_sound();
    let results = |instance: &str| -> Vec<&str> {
        let told = books.outcomes.values().flatten();
        let of_it = told.filter(|outcome| outcome.instance == instance);
        of_it.map(|outcome| outcome.result.as_str()).collect()
    };
    assert_eq!(results("i-time"), ["succeeded"]);
    assert_eq!(results("i-none"), ["expired"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_the_end_of_an_episode_is_kept_and_starts_nothing() {
    let small = Small::start(Some(RULES), Duration::from_millis(5)).await;
    let pipeline = &small.pipeline;
    // So long ago that it closes as soon as its run has ended.
    say(pipeline, maintenance("i-1", "active", -1_200, -900)).await;
    incident(pipeline, "i-1", "to close", |incident| incident.state == "closed").await;
    let late = proto::Notice {
        noticed_at: Some(to_proto(from_now(-1_000))),
        ..interruption("i-1", -880)
    };
    pipeline.notify(late, "/aws/1/eu/sqs").await;
    let incident = incident(pipeline, "i-1", "to keep it", |incident| {
        incident.facts.len() == 2
    })
    .await;
    all_was_handled(pipeline).await;
    assert_eq!((incident.generation, incident.state.as_str()), (1, "closed"));
    let books = Books::read(&pipeline.bus).await;
    books.assert_sound();
    let runs = books.runs.values().filter(|run| run.instance == "i-1");
    assert_eq!(runs.count(), 1);
}
