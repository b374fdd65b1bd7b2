//! An instance that its group ends waits in its hook until it is drained, and out of its load balancers.

use std::time::Duration;

use hollowtrees_e2e::checker::Books;
use hollowtrees_harness::{
    aws::{Hook, LifecycleAction},
    control_plane::fixtures,
    eventually,
    supervise::Signal,
};
use hollowtrees_schemas::{
    names::{kind, result},
    proto,
};
use hollowtrees_stage::{Role, machines};
use serde_json::json;

use crate::{BOUND, GROUP, NAMESPACE, World};

const RULES: &str = "
version: 1
rules:
  - name: group-ends-it
    match: { exact: { data.kind: asg-terminating } }
    steps:
      - actions: [drain, hook]
";
const HOOK: &str = "drain-it";
const TOKEN: &str = "87654321-4321-4321-4321-210987654321";
/// Longer than a replica takes to go on for another.
const HEARTBEAT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_is_held_open_while_a_budget_holds_the_drain_up_and_answered_when_the_node_is_empty() {
    let world = World::make_by(RULES, 1).await;
    let aws = &world.rig.aws;
    let kubernetes = &world.rig.kubernetes;
    let hooks: Vec<_> = ["lifecycle-1", "lifecycle-2"]
        .map(|name| world.rig.start(Role::Lifecycle, name).unwrap())
        .into();
    for process in &hooks {
        process.ready().await.unwrap();
    }
    let budgets = format!("/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets");
    kubernetes
        .post(&budgets, &fixtures::budget("shop", 2))
        .await
        .unwrap();
    let machine = &world.machines[0];
    aws.put_hook_as(GROUP, HOOK, Hook::terminating(HEARTBEAT));
    let wait = LifecycleAction::new(GROUP, HOOK, &machine.instance, TOKEN);
    aws.wait_in_hook(wait, "Terminating:Wait").await.unwrap();
    let notice = proto::Notice {
        event_id: TOKEN.to_owned(),
        certainty: "certain".to_owned(),
        deadline: None,
        ..machine.notice("asg-terminating", 0)
    };
    world.tell(notice).await;
    let heartbeats = |count: usize| async move {
        let what = format!("{count} heartbeats while the budget keeps the pods");
        eventually(what, BOUND, async || {
            let wait = aws.lifecycle_actions().remove(0);
            assert_eq!(wait.result, None, "{wait:?}");
            if wait.heartbeats.len() >= count {
                Ok(())
            } else {
                Err(format!("{wait:?}"))
            }
        })
        .await;
    };
    heartbeats(1).await;
    // Whoever of them holds it: the one that is left goes on.
    hooks[0].worker.signal(Signal::KILL).unwrap();
    heartbeats(2).await;
    let budget = fixtures::budget("shop", 2);
    let name = budget["metadata"]["name"].as_str().unwrap();
    kubernetes
        .delete(&format!("{budgets}/{name}"), &json!({}))
        .await
        .unwrap();
    let books = Books::when_finished(&world.rig.bus, 1, BOUND).await;
    books.assert_sound();
    let wanted = [kind::DRAIN, kind::HOOK].map(|kind| ((kind.to_owned(), result::SUCCEEDED.to_owned()), 1));
    assert_eq!(books.results(), wanted.into());
    let wait = aws.lifecycle_actions().remove(0);
    assert_eq!(
        (wait.result.as_deref(), wait.timed_out),
        (Some("CONTINUE"), false),
        "{wait:?}"
    );
    assert_eq!(aws.count("CompleteLifecycleAction"), 1);
    for pod in machines::pods(kubernetes, NAMESPACE).await.unwrap() {
        assert_ne!(pod["spec"]["nodeName"], machine.node.as_str());
    }
}

const BALANCED: &str = "
version: 1
rules:
  - name: group-ends-it
    match: { exact: { data.kind: asg-terminating } }
    steps:
      - actions: [deregister, drain, hook]
";
/// Longer than a drain of a few pods.
const DRAINING: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_waits_for_the_load_balancers_too() {
    let world = World::make_by(BALANCED, 1).await;
    let aws = &world.rig.aws;
    let process = world.rig.start(Role::Lifecycle, "lifecycle-1").unwrap();
    process.ready().await.unwrap();
    let machine = &world.machines[0];
    aws.set_draining(DRAINING);
    let arn = aws.create_target_group("web", "instance").await.unwrap();
    aws.register(&arn, std::slice::from_ref(&machine.instance))
        .await
        .unwrap();
    aws.put_hook_as(GROUP, HOOK, Hook::terminating(HEARTBEAT));
    let wait = LifecycleAction::new(GROUP, HOOK, &machine.instance, TOKEN);
    aws.wait_in_hook(wait, "Terminating:Wait").await.unwrap();
    let notice = proto::Notice {
        event_id: TOKEN.to_owned(),
        certainty: "certain".to_owned(),
        deadline: None,
        ..machine.notice("asg-terminating", 0)
    };
    world.tell(notice).await;
    eventually("the instance to be taken out", BOUND, async || {
        aws.registered(&arn).await.unwrap().is_empty()
    })
    .await;
    let out_at = std::time::Instant::now();
    let books = Books::when_finished(&world.rig.bus, 1, BOUND).await;
    books.assert_sound();
    let kinds = [kind::DEREGISTER, kind::DRAIN, kind::HOOK];
    let wanted = kinds.map(|kind| ((kind.to_owned(), result::SUCCEEDED.to_owned()), 1));
    assert_eq!(books.results(), wanted.into());
    let wait = aws.lifecycle_actions().remove(0);
    assert_eq!(
        (wait.result.as_deref(), wait.timed_out),
        (Some("CONTINUE"), false),
        "{wait:?}"
    );
    // It was taken out a little before that was seen.
    assert!(out_at.elapsed() > DRAINING - Duration::from_secs(3));
}
