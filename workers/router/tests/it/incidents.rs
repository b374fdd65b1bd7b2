use std::time::Duration;

use hollowtrees_domain::words::{IncidentState, Outcome, Phase, RunResult};
use hollowtrees_harness::eventually;

use crate::support::{BOUND, World, event, in_seconds, kinds, notice, rule, rules, spot};

const QUIET: Duration = Duration::from_millis(700);

#[tokio::test]
async fn a_spot_notice_is_drained_and_swapped_together_then_told() {
    let (mut world, router) = World::with_router("").await;
    world.send(spot("i-1")).await;
    let drain = world.action("drain", "i-1").await;
    let swap = world.action("asg-swap", "i-1").await;
    assert_eq!(
        (drain.effect.as_str(), drain.certainty.as_str()),
        ("per-instance", "certain")
    );
    assert!(drain.deadline.is_some() && drain.close_at.is_some());
    assert!(world.rest(QUIET).await.is_empty(), "the next step waits for both");
    assert!(world.end(&drain, "succeeded").await && world.end(&swap, "skipped").await);
    let notify = world.action("notify", "i-1").await;
    assert_eq!((notify.effect.as_str(), notify.step), ("per-action", 1));
    world.end(&notify, "succeeded").await;
    let run = world.finished("i-1", 1, "spot-interruption", "certain").await;
    assert_eq!(run.result, Some(RunResult::Succeeded));
    assert!(
        run.actions.iter().all(|action| action.published_at.is_some()),
        "all was noted"
    );
    let events = eventually("all events", BOUND, || async {
        let events = world.events("i-1").await;
        if events.len() < 3 {
            Err(events.join(" "))
        } else {
            Ok(events)
        }
    })
    .await;
    assert_eq!(events, ["incident.opened", "run.started", "run.finished"]);
    assert!(
        (router
            .metric(r#"hollowtrees_router_runs_finished_total{result="succeeded"}"#)
            .await
            - 1.0)
            .abs()
            < 0.1
    );
}

#[tokio::test]
async fn all_origins_join_one_incident() {
    let both = rules(&[
        rule(
            "early",
            "rebalance-recommendation",
            "  steps: [{ actions: [drain] }]\n",
        ),
        rule(
            "spot",
            "spot-interruption",
            "  steps: [{ actions: [drain, asg-swap] }]\n",
        ),
        rule("too", "spot-interruption", "  steps: [{ actions: [drain] }]\n"),
    ]);
    let (mut world, router) = World::with_router(&both).await;
    world.send(notice("rebalance-recommendation", "i-1")).await;
    let advice = world.action("drain", "i-1").await;
    assert_eq!(advice.certainty, "advisory");
    // The agent and the queue tell the same; the group then ends it. Nobody asks a rule for that.
    let interruption = spot("i-1");
    world.send(interruption.clone()).await;
    world.send_from(interruption, "/aws/1/eu/events").await;
    world.send(notice("asg-terminating", "i-1")).await;
    let drain = world.action("drain", "i-1").await;
    let swap = world.action("asg-swap", "i-1").await;
    assert_ne!(drain.id, advice.id, "certainty is an action of its own");
    assert!(
        world.rest(QUIET).await.is_empty(),
        "one drain and one swap, though two rules and three origins ask"
    );
    for action in [&advice, &drain, &swap] {
        assert!(world.end(action, "succeeded").await);
    }
    world.finished("i-1", 1, "early", "advisory").await;
    world.finished("i-1", 1, "spot", "certain").await;
    world.finished("i-1", 1, "too", "certain").await;
    let incident = world.incident("i-1").await.unwrap();
    assert_eq!(
        (
            incident.generation,
            incident.runs.len(),
            incident.facts.iter().count()
        ),
        (1, 3, 3)
    );
    let unmatched = router
        .metric(r#"hollowtrees_router_notices_unmatched_total{kind="asg-terminating"}"#)
        .await;
    assert!((unmatched - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn a_rule_whose_notice_became_certain_gets_a_second_run() {
    let any = "- name: any\n  match: { all: [] }\n  steps: [{ actions: [drain] }]\n".to_owned();
    let (mut world, _router) = World::with_router(&rules(&[any])).await;
    world.send(notice("rebalance-recommendation", "i-1")).await;
    let first = world.action("drain", "i-1").await;
    world.send(spot("i-1")).await;
    let second = world.action("drain", "i-1").await;
    assert_eq!(
        (first.certainty.as_str(), second.certainty.as_str()),
        ("advisory", "certain")
    );
    world.end(&first, "succeeded").await;
    world.end(&second, "skipped").await;
    world.finished("i-1", 1, "any", "advisory").await;
    world.finished("i-1", 1, "any", "certain").await;
}

const UPKEEP: &str = "  steps:\n  - actions: [drain]\n  - actions: [notify]\n  on_cancel: [uncordon]\n";

#[tokio::test]
async fn a_withdrawn_incident_cancels_what_waits_and_cleans_up() {
    let (mut world, _router) =
        World::with_router(&rules(&[rule("r", "scheduled-maintenance", UPKEEP)])).await;
    world.send(event("i-1", "active", in_seconds(600))).await;
    let drain = world.action("drain", "i-1").await;
    world.send(event("i-1", "cancelled", None)).await;
    // Nobody had started it: the router says so, and a worker that comes late finds it ended.
    let uncordon = world.action("uncordon", "i-1").await;
    assert!(!world.end(&drain, "succeeded").await, "the ledger has its end");
    world.end(&uncordon, "succeeded").await;
    let run = world.finished("i-1", 1, "r", "scheduled").await;
    assert_eq!(run.result, Some(RunResult::Cancelled));
    let results: Vec<Outcome> = run
        .actions
        .iter()
        .map(|action| action.ended().unwrap().result)
        .collect();
    assert_eq!(
        results,
        [Outcome::Cancelled, Outcome::Cancelled, Outcome::Succeeded]
    );
    let closed = eventually("the incident to close", BOUND, || async {
        let incident = world.incident("i-1").await.unwrap();
        if incident.state == IncidentState::Closed {
            Ok(incident)
        } else {
            Err(format!("{:?}", incident.state))
        }
    })
    .await;
    // News opens the next generation; what was withdrawn does not come back.
    world.send(event("i-1", "active", in_seconds(500))).await;
    let again = world.action("drain", "i-1").await;
    assert_eq!((closed.generation, again.generation), (1, 2));
}

#[tokio::test]
async fn cancelled_while_running_and_after_the_end() {
    let (mut world, _router) =
        World::with_router(&rules(&[rule("r", "scheduled-maintenance", UPKEEP)])).await;
    world.send(event("i-run", "active", in_seconds(600))).await;
    world.send(event("i-end", "active", in_seconds(600))).await;
    let running = world.action("drain", "i-run").await;
    let entry = hollowtrees_schemas::proto::LedgerEntry {
        schema: 1,
        state: "running".to_owned(),
        ..Default::default()
    };
    let key = crate::support::ledger_key(&running);
    let revision = world.bus.ledger().create(&key, &entry).await.unwrap();
    let ended = world.action("drain", "i-end").await;
    world.end(&ended, "succeeded").await;
    let notify = world.action("notify", "i-end").await;
    world.end(&notify, "succeeded").await;
    world.finished("i-end", 1, "r", "scheduled").await;
    for instance in ["i-run", "i-end"] {
        world.send(event(instance, "cancelled", None)).await;
    }
    let uncordon = world.action("uncordon", "i-end").await;
    world.end(&uncordon, "succeeded").await;
    eventually("the finished run to be cancelled", BOUND, || async {
        let run = world.run("i-end", 1, "r", "scheduled").await.unwrap();
        run.result.filter(|result| *result == RunResult::Cancelled)
    })
    .await;
    // What runs goes to its own end first.
    eventually("the run to be cancelling", BOUND, || async {
        world.run("i-run", 1, "r", "scheduled").await.unwrap().phase == Phase::Cancelling
    })
    .await;
    assert_eq!(kinds(&world.rest(QUIET).await), Vec::<String>::new());
    let outcome = world.outcome(&running, "succeeded");
    let done = hollowtrees_schemas::proto::LedgerEntry {
        state: "done".to_owned(),
        outcome: Some(outcome.clone()),
        ..entry
    };
    world.bus.ledger().update(&key, &done, revision).await.unwrap();
    world.tell(outcome).await;
    let uncordon = world.action("uncordon", "i-run").await;
    world.end(&uncordon, "succeeded").await;
    let run = world.finished("i-run", 1, "r", "scheduled").await;
    assert_eq!(run.result, Some(RunResult::Cancelled));
}

#[tokio::test]
async fn a_test_never_joins_a_live_incident() {
    let (mut world, _router) = World::with_router("").await;
    let test = hollowtrees_schemas::proto::Notice {
        mode: "test".to_owned(),
        ..spot("i-1")
    };
    world.send(test).await;
    let asked = world.action("drain", "i-1").await;
    assert_eq!(asked.mode, "test");
    world.send(spot("i-1")).await;
    let live = loop {
        let drain = world.action("drain", "i-1").await;
        if drain.mode == "live" {
            break drain;
        }
    };
    assert_ne!(asked.id, live.id);
    assert_eq!(world.incident("i-1").await.unwrap().facts.iter().count(), 1);
}
