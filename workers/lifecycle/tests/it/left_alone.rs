//! Instances without a hook that could be answered: each said once, and nothing is touched.

use std::time::Duration;

use hollowtrees_harness::aws::{Hook, LifecycleAction};
use hollowtrees_schemas::proto;
use serde_json::json;

use crate::world::{GROUP, HOOK, World, params, word};

const LONG: Duration = Duration::from_secs(60);

/// Sends an action, and takes its one outcome; nothing in AWS was changed.
async fn untouched(world: &mut World, action: &proto::Action, result: &str, reason: &str, says: &str) {
    let worker = world.worker().await;
    world.send(action).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), (result, reason), "{outcome:?}");
    assert!(outcome.message.contains(says), "{outcome:?}");
    assert_eq!(world.aws.writes(), [], "{outcome:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_no_group() {
    let mut world = World::new().await;
    let action = world.action("i-00000000000000001");
    untouched(
        &mut world,
        &action,
        "skipped",
        "not-in-group",
        "of no auto-scaling group",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_in_service() {
    let mut world = World::new().await;
    let instance = world.group(1, Hook::terminating(LONG)).await.remove(0);
    world.incident(&instance, "open", None).await;
    let action = world.action(&instance);
    untouched(&mut world, &action, "skipped", "not-waiting", "is InService in g").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_hook_is_over() {
    let mut world = World::new().await;
    let instance = world.group(1, Hook::terminating(LONG)).await.remove(0);
    world
        .aws
        .set_member_state(&instance, Some("Terminating:Proceed"))
        .await
        .unwrap();
    let action = world.action(&instance);
    untouched(&mut world, &action, "skipped", "hook-over", "Terminating:Proceed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_in_the_hook_of_a_launch() {
    let mut world = World::new().await;
    let instance = world.group(1, Hook::launching(LONG)).await.remove(0);
    let wait = LifecycleAction::new(GROUP, HOOK, &instance, "t");
    world.aws.wait_in_hook(wait, "Pending:Wait").await.unwrap();
    let action = world.action(&instance);
    untouched(&mut world, &action, "skipped", "not-waiting", "Pending:Wait").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_group_without_such_a_hook() {
    let mut world = World::new().await;
    let instance = world.group(1, Hook::launching(LONG)).await.remove(0);
    world.terminates(&instance).await;
    let action = world.action(&instance);
    untouched(
        &mut world,
        &action,
        "skipped",
        "no-hook",
        "no lifecycle hook of terminations",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_the_group_does_not_have() {
    let mut world = World::new().await;
    let instance = world.terminating(LONG).await;
    let action = proto::Action {
        params: params(json!({"hook": "another"})),
        ..world.action(&instance)
    };
    untouched(
        &mut world,
        &action,
        "failed",
        "unknown-hook",
        "no lifecycle hook another",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_hooks_nobody_named() {
    let mut world = World::new().await;
    let instance = world.terminating(LONG).await;
    world.aws.put_hook(GROUP, "logs", LONG);
    let action = world.action(&instance);
    untouched(&mut world, &action, "failed", "ambiguous-hook", "drain-it, logs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_named_one_of_several_hooks_is_answered_alone() {
    let mut world = World::new().await;
    let instance = world.terminating(LONG).await;
    world.aws.put_hook(GROUP, "logs", LONG);
    let other = LifecycleAction::new(GROUP, "logs", &instance, "of-logs");
    world.aws.open_lifecycle_action(other);
    world.drain(&instance, "done", "succeeded").await;
    let worker = world.worker().await;
    let action = proto::Action {
        params: params(json!({"hook": HOOK})),
        ..world.action(&instance)
    };
    world.send(&action).await;
    assert_eq!(world.end().await.result, "succeeded");
    let all = world.aws.lifecycle_actions();
    let results: Vec<_> = all
        .iter()
        .map(|action| (action.hook.as_str(), action.result.as_deref()))
        .collect();
    assert_eq!(results, [(HOOK, Some("CONTINUE")), ("logs", None)]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_another_cloud() {
    let mut world = World::new().await;
    let mut action = world.action("1234");
    action.target.as_mut().unwrap().provider = "gcp".to_owned();
    untouched(&mut world, &action, "skipped", "not-in-group", "is of gcp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_means_nothing() {
    let mut world = World::new().await;
    let instance = world.terminating(LONG).await;
    let action = proto::Action {
        params: params(json!({"result": "proceed"})),
        ..world.action(&instance)
    };
    untouched(&mut world, &action, "failed", "bad-params", "`result`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run() {
    let mut world = World::new().await;
    let instance = world.terminating(LONG).await;
    let action = proto::Action {
        mode: "dry-run".to_owned(),
        ..world.action(&instance)
    };
    untouched(&mut world, &action, "succeeded", "", "would be held open").await;
}
