//! Workers that die, workers that stop, several of them, many hooks.

use std::time::Duration;

use hollowtrees_harness::{aws::Hook, eventually};

use crate::world::{BOUND, World, detail, word};

const HEARTBEAT: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread")]
async fn dead_between_two_heartbeats() {
    let mut world = World::new().await;
    let instance = world.terminating(HEARTBEAT).await;
    world.drain(&instance, "published", "").await;
    let first = world.worker().await;
    let action = world.action(&instance);
    world.send(&action).await;
    eventually("a heartbeat to be noted", BOUND, async || {
        world.checkpoint(&action, "heartbeats").await == "1"
    })
    .await;
    first.crash().await;
    let second = world.worker().await;
    world.heartbeats(&instance, 2).await;
    world.drain(&instance, "done", "succeeded").await;
    let outcome = world.end().await;
    assert_eq!(
        (word(&outcome), outcome.attempt),
        (("succeeded", ""), 2),
        "{outcome:?}"
    );
    let wait = world.wait(&instance);
    assert_eq!(
        (wait.result.as_deref(), wait.timed_out),
        (Some("CONTINUE"), false)
    );
    assert_eq!(world.answers().len(), 1);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_between_the_answer_and_the_outcome() {
    let mut world = World::new().await;
    let instance = world.terminating(Duration::from_secs(60)).await;
    world.drain(&instance, "done", "succeeded").await;
    world.dies_unanswered(&world.action(&instance)).await;
    let second = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(
        (word(&outcome), outcome.attempt),
        (("succeeded", ""), 2),
        "{outcome:?}"
    );
    assert_eq!(detail(&outcome)["confirmed"], false);
    assert_eq!(world.wait(&instance).result.as_deref(), Some("CONTINUE"));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_stop_hands_over() {
    let mut world = World::new().await;
    let instance = world.terminating(HEARTBEAT).await;
    world.drain(&instance, "published", "").await;
    let first = world.worker().await;
    let action = world.action(&instance);
    world.send(&action).await;
    eventually("the hook to be held", BOUND, async || {
        !world.checkpoint(&action, "hook").await.is_null()
    })
    .await;
    first.stop().await;
    assert!(world.answers().is_empty());
    let second = world.worker().await;
    world.drain(&instance, "done", "succeeded").await;
    assert_eq!(word(&world.end().await), ("succeeded", ""));
    assert_eq!(world.answers().len(), 1);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_answer_each_of_many_hooks_once() {
    let mut world = World::new().await;
    let instances = world.group(30, Hook::terminating(HEARTBEAT)).await;
    for instance in &instances {
        world.terminates(instance).await;
        world.incident(instance, "open", Some("")).await;
        world.drain(instance, "published", "").await;
    }
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(world.worker().await);
    }
    for instance in &instances {
        world.send(&world.action(instance)).await;
    }
    for instance in &instances {
        world.heartbeats(instance, 1).await;
    }
    // One of them dies with its third of them.
    workers.remove(0).crash().await;
    for instance in &instances {
        world.drain(instance, "done", "succeeded").await;
    }
    for _ in &instances {
        let outcome = world.end().await;
        assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    }
    let mut answered: Vec<_> = world.answers().into_iter().map(|(by, _)| by).collect();
    answered.sort();
    let mut expected: Vec<_> = instances.iter().map(|id| format!("token-of-{id}")).collect();
    expected.sort();
    assert_eq!(answered, expected);
    for instance in &instances {
        let wait = world.wait(instance);
        assert_eq!(
            (wait.result.as_deref(), wait.timed_out),
            (Some("CONTINUE"), false)
        );
    }
    for worker in workers {
        worker.stop().await;
    }
}
