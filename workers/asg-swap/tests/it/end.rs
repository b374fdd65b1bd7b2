//! A rule that drains after the swap: the swap leaves the old instance running, and a last step ends it.

use hollowtrees_harness::aws::NewGroup;
use hollowtrees_schemas::{id::IncidentKey, key, proto};
use serde_json::json;

use crate::{
    policy,
    world::{CLUSTER, REGION, World, detail, params},
};

/// An action of a run, `state` and `result` as the router writes them.
fn in_run(kind: &str, id: &str, step: u32, (state, result): (&str, &str)) -> proto::ActionState {
    proto::ActionState {
        id: id.to_owned(),
        step,
        kind: kind.to_owned(),
        state: state.to_owned(),
        result: result.to_owned(),
        ..proto::ActionState::default()
    }
}

const PLANNED: (&str, &str) = ("planned", "");
const UNDER_WAY: (&str, &str) = ("published", "");
const DONE: (&str, &str) = ("done", "succeeded");

/// The last step, as the router makes it of a rule.
fn last(world: &World, instance: &str) -> proto::Action {
    let swap = world.action(instance, "advisory");
    proto::Action {
        id: swap.id.chars().rev().collect(),
        params: params(json!({"strategy": "end"})),
        ..swap
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_one_outlives_a_swap_that_its_drain_waits_for_and_is_ended_after_it() {
    let mut world = World::new().await;
    let group = policy::giving(NewGroup::new("g").sizes(1, 1, 2));
    let old = world.group(&group).await.remove(0);
    let (swap, last) = (world.action(&old, "advisory"), last(&world, &old));
    let run = |first, then| {
        vec![
            in_run("asg-swap", &swap.id, 0, first),
            in_run("drain", "drained", 1, then),
            in_run("asg-swap", &last.id, 2, PLANNED),
        ]
    };
    world.incident(&old, "open").await;
    world.run(&old, run(UNDER_WAY, PLANNED)).await;
    let worker = world.worker().await;
    world.send(&swap).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert!(outcome.message.contains("still runs"), "{outcome:?}");
    world.swapped("g", &old, (1, 1, 2)).await;
    assert_eq!(world.instance(&old).await.state, "running");

    // Its drain is waited for.
    world.run(&old, run(DONE, UNDER_WAY)).await;
    world.send(&last).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(world.instance(&old).await.state, "running");
    world.run(&old, run(DONE, DONE)).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(world.instance(&old).await.state, "terminated");
    policy::assert_allowed(&world, &policy::narrowed()).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_which_call_ends_it() {
    let mut world = World::new().await;
    let alone = world.aws.launch(REGION, 1, &[]).await.unwrap().remove(0);
    let dry = proto::Action {
        mode: "dry-run".to_owned(),
        ..last(&world, &alone)
    };
    let incident = IncidentKey::new(CLUSTER, &alone, "dry-run");
    let record = proto::Incident {
        schema: 1,
        generation: 1,
        state: "open".to_owned(),
        runs: vec![proto::RunRef {
            rule: "spot".to_owned(),
            certainty: "advisory".to_owned(),
        }],
        ..proto::Incident::default()
    };
    world
        .bus
        .incidents()
        .put(&key::incident(&incident), &record)
        .await
        .unwrap();
    let run = proto::Run {
        schema: 1,
        generation: 1,
        phase: "running".to_owned(),
        actions: vec![in_run("asg-swap", "first", 0, DONE)],
        ..proto::Run::default()
    };
    let of_it = key::run(&incident, 1, "spot", "advisory");
    world.bus.runs().put(&of_it, &run).await.unwrap();
    let worker = world.worker().await;
    world.aws.forget_calls();
    world.send(&dry).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(
        detail(&outcome),
        json!({"calls": [{"action": "TerminateInstances", "parameters": {"InstanceIds": [alone]}}]})
    );
    assert_eq!(world.aws.writes(), []);
    assert_eq!(world.instance(&alone).await.state, "running");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_swap_took_out_of_a_group_is_not_ended() {
    let mut world = World::new().await;
    let member = world.group(&NewGroup::new("g").sizes(1, 1, 2)).await.remove(0);
    let alone = world.aws.launch(REGION, 1, &[]).await.unwrap().remove(0);
    let ended = world.aws.launch(REGION, 1, &[]).await.unwrap().remove(0);
    world.aws.interrupt(&ended).await.unwrap();
    let worker = world.worker().await;
    world.aws.forget_calls();
    for (instance, swapped, reason) in [
        (&member, DONE, "in-group"),
        (&alone, ("done", "skipped"), "not-swapped"),
        (&ended, DONE, "leaving"),
    ] {
        world.incident(instance, "open").await;
        world
            .run(instance, vec![in_run("asg-swap", "first", 0, swapped)])
            .await;
        world.send(&last(&world, instance)).await;
        let outcome = world.end().await;
        assert_eq!(
            (outcome.result.as_str(), outcome.reason.as_str()),
            ("skipped", reason),
            "{outcome:?}"
        );
    }
    assert_eq!(world.aws.writes(), []);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_not_ended_before_a_drain_that_waits_for_that() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("g")).await.remove(0);
    let action = proto::Action {
        params: params(json!({"strategy": "terminate"})),
        ..world.action(&old, "advisory")
    };
    world.incident(&old, "open").await;
    let run = vec![
        in_run("asg-swap", &action.id, 0, UNDER_WAY),
        in_run("drain", "drained", 1, PLANNED),
    ];
    world.run(&old, run).await;
    let worker = world.worker().await;
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "drained-after"),
        "{outcome:?}"
    );
    assert_eq!(world.instance(&old).await.state, "running");
    worker.stop().await;
}
