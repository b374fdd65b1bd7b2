use std::time::Duration;

use hollowtrees_domain::{
    run::Run,
    words::{Outcome, RunResult},
};
use hollowtrees_harness::eventually;
use hollowtrees_schemas::{names::Stream, proto};
use jiff::{SignedDuration, Timestamp};

use crate::{
    seed,
    support::{BOUND, World, event, id, in_seconds, ledger_key, rule, rules},
};

#[tokio::test]
async fn what_nobody_serves_expires_and_says_so() {
    let text = rules(&[rule(
        "r",
        "scheduled-maintenance",
        "  steps:\n  - actions: [drain]\n",
    )]);
    let (mut world, router) = World::with_router(&text).await;
    let _second = world.router(&text).await;
    world.send(event("i-1", "active", in_seconds(2))).await;
    let drain = world.action("drain", "i-1").await;
    let run = world.finished("i-1", 1, "r", "scheduled").await;
    let ended = run.actions[0].ended().unwrap();
    assert_eq!(
        (ended.result, ended.reason.as_str()),
        (Outcome::Expired, "not-served")
    );
    assert_eq!(run.result, Some(RunResult::Failed));
    assert!(
        !world.end(&drain, "succeeded").await,
        "who comes late does not start it"
    );
    let outcomes = world
        .told::<proto::Outcome>(Stream::Outcomes, "ht.outcome.v1.*.*.expired.*")
        .await;
    assert_eq!(outcomes.len(), 1, "once, by whichever router");
    drop(router);
}

#[tokio::test]
async fn what_runs_at_its_deadline_goes_on() {
    let text = rules(&[rule(
        "r",
        "scheduled-maintenance",
        "  steps:\n  - actions: [drain]\n",
    )]);
    let (mut world, _router) = World::with_router(&text).await;
    world.send(event("i-1", "active", in_seconds(1))).await;
    let drain = world.action("drain", "i-1").await;
    let entry = proto::LedgerEntry {
        schema: 1,
        state: "running".to_owned(),
        ..Default::default()
    };
    let revision = world
        .bus
        .ledger()
        .create(&ledger_key(&drain), &entry)
        .await
        .unwrap();
    eventually("the router to see that it runs", BOUND, || async {
        let run = world.run("i-1", 1, "r", "scheduled").await.unwrap();
        run.actions[0].standing == hollowtrees_domain::run::Standing::Started
    })
    .await;
    let outcome = world.outcome(&drain, "succeeded");
    let done = proto::LedgerEntry {
        state: "done".to_owned(),
        outcome: Some(outcome.clone()),
        ..entry
    };
    world
        .bus
        .ledger()
        .update(&ledger_key(&drain), &done, revision)
        .await
        .unwrap();
    world.tell(outcome).await;
    assert_eq!(
        world.finished("i-1", 1, "r", "scheduled").await.result,
        Some(RunResult::Succeeded)
    );
}

#[tokio::test]
async fn an_outcome_that_was_never_told_is_found_in_the_ledger() {
    let text = rules(&[rule(
        "r",
        "scheduled-maintenance",
        "  steps:\n  - actions: [drain]\n",
    )]);
    let (mut world, _router) = World::with_router(&text).await;
    world.send(event("i-1", "active", in_seconds(2))).await;
    let drain = world.action("drain", "i-1").await;
    let outcome = world.outcome(&drain, "succeeded");
    assert!(world.write_ledger(&drain, &outcome).await);
    assert_eq!(
        world.finished("i-1", 1, "r", "scheduled").await.result,
        Some(RunResult::Succeeded)
    );
}

#[tokio::test]
async fn a_step_ahead_of_the_deadline_waits_in_the_run_and_moves() {
    let steps = "  steps:\n  - actions: [notify]\n  - actions: [drain]\n    before_deadline: 1h\n";
    let text = rules(&[rule("r", "scheduled-maintenance", steps)]);
    let (mut world, router) = World::with_router(&text).await;
    world.send(event("i-1", "active", in_seconds(3 * 3600))).await;
    let tell = world.action("notify", "i-1").await;
    world.end(&tell, "succeeded").await;
    assert!(world.rest(Duration::from_millis(700)).await.is_empty());
    // A restart forgets nothing.
    router.worker.kill();
    router.worker.restart().unwrap();
    router.ready().await;
    world.send(event("i-1", "active", in_seconds(3600 + 2))).await;
    let drain = world.action("drain", "i-1").await;
    let start_at = proto::time::from_proto(drain.start_at.as_ref().unwrap()).unwrap();
    let late = Timestamp::now().duration_since(start_at);
    assert!(late.abs() < SignedDuration::from_secs(3), "{late:?}");
}

#[tokio::test]
async fn what_was_created_and_never_published_is_published() {
    // A router that stopped between the incident, the run and the stream: the notice comes again, or time does.
    let text = rules(&[rule(
        "r",
        "scheduled-maintenance",
        "  steps:\n  - actions: [drain]\n",
    )]);
    let mut world = World::start().await;
    let notice = event("i-1", "active", in_seconds(900));
    let parsed = hollowtrees_domain::notice::Notice::parse(notice.clone(), "/x", Timestamp::now()).unwrap();
    let mut incident = hollowtrees_domain::incident::merge(None, &parsed, Timestamp::now()).incident;
    incident.runs.push(incident.wanted_run("r").unwrap());
    let key = hollowtrees_schemas::key::incident(&id("i-1"));
    world
        .bus
        .incidents()
        .create(&key, &proto::Incident::from(&incident))
        .await
        .unwrap();
    let _router = world.router(&text).await;
    world.send(notice).await;
    let drain = world.action("drain", "i-1").await;
    world.end(&drain, "succeeded").await;
    world.finished("i-1", 1, "r", "scheduled").await;

    let parsed = hollowtrees_domain::notice::Notice::parse(
        event("i-2", "active", in_seconds(900)),
        "/x",
        Timestamp::now(),
    );
    let mut incident = hollowtrees_domain::incident::merge(None, &parsed.unwrap(), Timestamp::now()).incident;
    incident.runs.push(incident.wanted_run("r").unwrap());
    let rules = hollowtrees_domain::rule::Rules::parse(&text, "r").unwrap();
    let run = hollowtrees_domain::run::Run::plan(rules.get("r").unwrap(), &incident, Timestamp::now());
    let run = run
        .decide(hollowtrees_domain::run::Event::Created, Timestamp::now())
        .run;
    let key = hollowtrees_schemas::key::incident(&id("i-2"));
    world
        .bus
        .incidents()
        .create(&key, &proto::Incident::from(&incident))
        .await
        .unwrap();
    world
        .bus
        .runs()
        .create(&run.store_key(), &proto::Run::from(&run))
        .await
        .unwrap();
    world.action("drain", "i-2").await;
}

#[tokio::test]
async fn what_closed_long_ago_is_deleted() {
    let world = World::start().await;
    for (instance, days) in [("i-old", 31), ("i-new", 29)] {
        let (incident, run) = seed::ended(instance, days_ago(days));
        let entry = proto::LedgerEntry {
            schema: 1,
            state: "done".to_owned(),
            ..Default::default()
        };
        let key = hollowtrees_schemas::key::ledger("c1", &run.actions[0].id);
        world.bus.ledger().create(&key, &entry).await.unwrap();
        world.put_run(&run).await;
        world.put_incident(&incident).await;
    }
    // A run of the generation that began since the incident was read.
    let (_, run) = seed::begun("i-old", Timestamp::now());
    let later = Run { generation: 2, ..run };
    world.put_run(&later).await;
    let router = world.router("").await;
    router.ready().await;
    eventually("the old incident to go", BOUND, || async {
        world.incident("i-old").await.is_none()
    })
    .await;
    assert!(world.run("i-old", 1, "r", "advisory").await.is_none());
    assert!(
        world.run("i-old", 2, "r", "advisory").await.is_some(),
        "what is younger than the incident that is purged stays"
    );
    assert!(
        world.incident("i-new").await.is_some() && world.run("i-new", 1, "r", "advisory").await.is_some()
    );
}

#[tokio::test]
async fn an_overdue_saga_is_awaited_and_an_overdue_drain_is_not() {
    let world = World::start().await;
    let began = Timestamp::now() - SignedDuration::from_hours(3);
    let mut actions = Vec::new();
    for (instance, saga) in [("i-saga", true), ("i-drain", false)] {
        let (incident, run) = seed::begun(instance, began);
        let entry = proto::LedgerEntry {
            schema: 1,
            state: "running".to_owned(),
            checkpoint: Some(Default::default()),
            saga,
            ..Default::default()
        };
        let action = run.republish().remove(0);
        let revision = world.bus.ledger().create(&ledger_key(&action), &entry).await;
        actions.push((action, entry, revision.unwrap()));
        world.put_run(&run).await;
        world.put_incident(&incident).await;
    }
    let router = world.router("").await;
    router.ready().await;
    assert_eq!(
        world.finished("i-drain", 1, "r", "advisory").await.result,
        Some(RunResult::Failed)
    );
    // It was due as long as the other one; the router has looked at both and looks again.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let run = world.run("i-saga", 1, "r", "advisory").await.unwrap();
    assert!(!run.is_finished(), "{run:?}");
    let (action, entry, revision) = actions.remove(0);
    let outcome = world.outcome(&action, "succeeded");
    let done = proto::LedgerEntry {
        state: "done".to_owned(),
        checkpoint: None,
        outcome: Some(outcome.clone()),
        ..entry
    };
    let key = ledger_key(&action);
    world.bus.ledger().update(&key, &done, revision).await.unwrap();
    world.tell(outcome).await;
    assert_eq!(
        world.finished("i-saga", 1, "r", "advisory").await.result,
        Some(RunResult::Succeeded)
    );
}

fn days_ago(days: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(24 * days)
}

#[tokio::test]
async fn a_run_whose_rule_was_taken_away_before_it_was_planned_ends_with_its_incident() {
    let world = World::start().await;
    let incident = proto::Incident {
        schema: 1,
        cluster: id("i-1").cluster().to_owned(),
        instance: "i-1".to_owned(),
        mode: "live".to_owned(),
        generation: 1,
        state: "open".to_owned(),
        certainty: "certain".to_owned(),
        opened_at: in_seconds(-3_600),
        noticed_at: in_seconds(-3_600),
        last_noticed_at: in_seconds(-3_600),
        deadline: in_seconds(-3_000),
        runs: vec![proto::RunRef {
            rule: "gone".to_owned(),
            certainty: "certain".to_owned(),
        }],
        changes: 1,
        ..Default::default()
    };
    let key = hollowtrees_schemas::key::incident(&id("i-1"));
    world.bus.incidents().create(&key, &incident).await.unwrap();
    let _router = world.router("").await;
    let run = world.finished("i-1", 1, "gone", "certain").await;
    assert_eq!((run.result, run.actions.len()), (Some(RunResult::Failed), 0));
    eventually("the incident to close", BOUND, || async {
        world.incident("i-1").await.unwrap().closed_at
    })
    .await;
    let told = world
        .told::<proto::Run>(Stream::Incidents, "ht.run.v1.*.finished.*")
        .await;
    assert_eq!(told.len(), 1, "its end is told");
}
