//! Consumers in other languages: they keep no ledger, publish progress and one outcome.

use std::time::Duration;

use hollowtrees_domain::{
    run::Standing,
    words::{Outcome, RunResult},
};
use hollowtrees_harness::eventually;
use hollowtrees_schemas::{names::Stream, proto};

use crate::support::{BOUND, World, event, in_seconds, ledger_key, notice, rule, rules};

const DRAIN: &str = "  steps:\n  - actions: [drain]\n";
const UPKEEP: &str = "  steps:\n  - actions: [drain]\n  on_cancel: [uncordon]\n";

impl World {
    /// Says that somebody is at an action, and waits until its run knows.
    async fn progress(&self, action: &proto::Action, rule: &str) {
        let fact = proto::Outcome {
            reason: "begun".to_owned(),
            attempt: 1,
            ..self.outcome(action, "progress")
        };
        self.tell(fact).await;
        eventually("the run to know that it is worked on", BOUND, || async {
            let run = self
                .run(&action.instance, 1, rule, &action.certainty)
                .await
                .unwrap();
            run.actions[0].standing == Standing::Started
        })
        .await;
    }

    async fn finals(&self) -> Vec<proto::Outcome> {
        let told = self
            .told::<proto::Outcome>(Stream::Outcomes, "ht.outcome.v1.>")
            .await;
        let told = told.into_iter().map(|(_, outcome)| outcome);
        told.filter(|outcome| outcome.result != "progress").collect()
    }
}

#[tokio::test]
async fn what_is_worked_on_past_its_deadline_is_not_expired() {
    let text = rules(&[rule("r", "scheduled-maintenance", DRAIN)]);
    let (mut world, _router) = World::with_router(&text).await;
    let _second = world.router(&text).await;
    world.send(event("i-1", "active", in_seconds(2))).await;
    let drain = world.action("drain", "i-1").await;
    world.progress(&drain, "r").await;
    // A second after the deadline the router would end it.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(world.finals().await.is_empty(), "nobody ended it");
    world.tell(world.outcome(&drain, "succeeded")).await;
    let run = world.finished("i-1", 1, "r", "scheduled").await;
    assert_eq!(run.result, Some(RunResult::Succeeded));
    let finals = world.finals().await;
    assert_eq!(finals.len(), 1, "{finals:?}");
}

#[tokio::test]
async fn what_is_worked_on_ends_by_itself_when_it_is_withdrawn() {
    let text = rules(&[rule("r", "scheduled-maintenance", UPKEEP)]);
    let (mut world, _router) = World::with_router(&text).await;
    world.send(event("i-1", "active", in_seconds(600))).await;
    let drain = world.action("drain", "i-1").await;
    world.progress(&drain, "r").await;
    world.send(event("i-1", "cancelled", None)).await;
    assert!(
        world.rest(Duration::from_secs(2)).await.is_empty(),
        "it waits for the drain"
    );
    world.tell(world.outcome(&drain, "succeeded")).await;
    let uncordon = world.action("uncordon", "i-1").await;
    world.tell(world.outcome(&uncordon, "succeeded")).await;
    let run = world.finished("i-1", 1, "r", "scheduled").await;
    assert_eq!(run.result, Some(RunResult::Cancelled));
    let results: Vec<Outcome> = run
        .actions
        .iter()
        .map(|action| action.ended().unwrap().result)
        .collect();
    assert_eq!(results, [Outcome::Succeeded, Outcome::Succeeded]);
}

#[tokio::test]
async fn a_second_rule_finds_what_ended_without_a_ledger() {
    let text = rules(&[
        rule("first", "scheduled-maintenance", DRAIN),
        rule("second", "alert", DRAIN),
    ]);
    let (mut world, _router) = World::with_router(&text).await;
    world.send(event("i-1", "active", in_seconds(600))).await;
    let drain = world.action("drain", "i-1").await;
    world.tell(world.outcome(&drain, "succeeded")).await;
    world.finished("i-1", 1, "first", "scheduled").await;
    eventually("the ledger to have it", BOUND, || async {
        let entry = world.bus.ledger().get(&ledger_key(&drain)).await.unwrap();
        entry.is_some_and(|entry| entry.value.state == "done")
    })
    .await;
    world.send(notice("alert", "i-1")).await;
    let run = world.finished("i-1", 1, "second", "scheduled").await;
    assert_eq!(run.result, Some(RunResult::Succeeded));
    assert_eq!(run.actions[0].id.to_string(), drain.id);
    assert_eq!(world.finals().await.len(), 1);
}

#[tokio::test]
async fn a_second_rule_finds_what_is_worked_on_without_a_ledger() {
    let text = rules(&[
        rule("first", "scheduled-maintenance", DRAIN),
        rule("second", "alert", DRAIN),
    ]);
    let (mut world, _router) = World::with_router(&text).await;
    world.send(event("i-1", "active", in_seconds(3))).await;
    let drain = world.action("drain", "i-1").await;
    world.progress(&drain, "first").await;
    world.send(notice("alert", "i-1")).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(world.finals().await.is_empty(), "neither rule ended it");
    world.tell(world.outcome(&drain, "succeeded")).await;
    for rule in ["first", "second"] {
        let run = world.finished("i-1", 1, rule, "scheduled").await;
        assert_eq!(run.result, Some(RunResult::Succeeded), "{rule}");
    }
}
