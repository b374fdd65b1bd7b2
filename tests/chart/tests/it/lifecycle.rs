//! Hooks and load balancers with just the permissions of `docs/nats-permissions.md`.

use std::{collections::BTreeSet, time::Duration};

use hollowtrees_harness::{
    aws::{Hook, LifecycleAction, NewGroup},
    eventually,
};
use hollowtrees_schemas::{names::Stream, proto::time::to_proto};
use jiff::{SignedDuration, Timestamp};

use crate::{
    bus::{Raw, server, subjects, violations},
    stack::{BOUND, CLUSTER, Stack},
};

const USER: &str = "lifecycle";
const GROUP: &str = "blue";
const HOOK: &str = "drain-it";
const HEARTBEAT: SignedDuration = SignedDuration::from_secs(12);
const RULES: &str = "
version: 1
rules:
  - name: group-terminates
    match: { exact: { data.kind: asg-terminating } }
    steps:
      - actions: [deregister, { kind: hook, params: { extend: 5m } }]
  - name: interrupted
    match: { exact: { data.kind: spot-interruption } }
    steps:
      - actions: [deregister]
";

/// Bad messages, of a known cluster: they are put aside.
async fn puts_aside(stack: &Stack) {
    let mut raw = Raw::connect(&stack.nats, "operator").await;
    let broken = [("X bad".to_owned(), "1".to_owned())];
    let subject = "ht.action.v1.blue=2Eeu.deregister.i-1";
    assert!(raw.publish(subject, "", "no action").await);
    assert!(raw.publish_with(subject, &broken, b"{}").await);
    eventually("two dead letters", BOUND, async || {
        let letters = subjects(&stack.operator, Stream::Dead).await;
        match letters.len() {
            2 => Ok(()),
            _ => Err(format!("{letters:?}")),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_is_held_and_prolonged_and_answered() {
    let mut stack = Stack::start().await;
    let router = stack.router(RULES).await;
    let worker = stack.worker(USER, &[]).await;
    let made = stack
        .aws
        .create(&NewGroup::new(GROUP).sizes(1, 1, 1))
        .await
        .unwrap();
    let instance = made.members[0].0.clone();
    let heartbeat = Duration::try_from(HEARTBEAT).unwrap();
    stack.aws.put_hook_as(GROUP, HOOK, Hook::terminating(heartbeat));
    let arn = stack.aws.create_target_group("web", "instance").await.unwrap();
    stack
        .aws
        .register(&arn, std::slice::from_ref(&instance))
        .await
        .unwrap();
    // Longer than half a time-out, at which a heartbeat is recorded and more time told.
    stack.aws.set_draining(heartbeat * 3 / 4);
    let wait = LifecycleAction::new(GROUP, HOOK, &instance, "token");
    stack.aws.wait_in_hook(wait, "Terminating:Wait").await.unwrap();
    let now = Timestamp::now();
    let notice = hollowtrees_schemas::proto::Notice {
        event_id: "token".to_owned(),
        certainty: "certain".to_owned(),
        provider_action: "terminate".to_owned(),
        noticed_at: Some(to_proto(now)),
        deadline: Some(to_proto(now + HEARTBEAT)),
        ..stack.notice(&instance, "asg-terminating")
    };
    stack.publish(notice).await;
    let outcome = stack.ended("hook").await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let answered = stack.aws.lifecycle_actions().remove(0);
    assert!(!answered.heartbeats.is_empty(), "{answered:?}");
    let told = format!("ht.notice.v1.blue=2Eeu.asg-terminating.{instance}");
    let notices = subjects(&stack.operator, Stream::Notices).await;
    let times = notices.iter().filter(|subject| **subject == told).count();
    assert!(times > 1, "more time was told: {notices:?}");
    puts_aside(&stack).await;
    worker.terminate().await;
    router.terminate().await;
    assert_eq!(violations(&stack.nats), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_serves_the_balancers_of_a_region_and_the_other_gives_it_its_own() {
    const MANY: usize = 8;
    let mut stack = Stack::start().await;
    let router = stack.router(RULES).await;
    let workers = [stack.worker(USER, &[]).await, stack.worker(USER, &[]).await];
    let instances = stack.aws.launch("us-east-1", MANY, &[]).await.unwrap();
    let arn = stack.aws.create_target_group("web", "instance").await.unwrap();
    stack.aws.register(&arn, &instances).await.unwrap();
    for instance in &instances {
        stack.interrupt(instance).await;
    }
    let mut by = BTreeSet::new();
    for _ in &instances {
        let outcome = stack.ended("deregister").await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        by.insert(outcome.worker.unwrap().process);
    }
    assert_eq!(by.len(), 1, "{by:?}");
    let mut given = 0;
    for worker in &workers {
        let shown = worker.metrics().await;
        let taken = "hollowtrees_worker_actions_offered_total{action=\"deregister\",answer=\"taken\"} ";
        given += shown.lines().filter(|line| line.starts_with(taken)).count();
    }
    assert_eq!(given, 1, "one of them gives what comes to it to the other");
    for worker in workers {
        worker.terminate().await;
    }
    router.terminate().await;
    assert_eq!(violations(&stack.nats), Vec::<String>::new());
}

/// What it may do of all that others do.
#[tokio::test(flavor = "multi_thread")]
async fn a_lifecycle_worker_tells_of_nothing_else() {
    let nats = server(&[CLUSTER]).await;
    let mut raw = Raw::connect(&nats, USER).await;
    for (subject, may) in [
        ("ht.notice.v1.blue=2Eeu.asg-terminating.i-1", true),
        ("ht.notice.v1.blue=2Eeu.asg-launching.i-1", false),
        ("ht.notice.v1.blue=2Eeu.spot-interruption.i-1", false),
        ("ht.outcome.v1.green.hook.succeeded.i-1", true),
        ("ht.outcome.v1.green.deregister.succeeded.i-1", true),
        ("ht.outcome.v1.green.drain.succeeded.i-1", false),
        ("ht.outcome.v1.green.asg-swap.succeeded.i-1", false),
        ("ht.action.v1.green.hook.i-1", false),
        ("ht.incident.v1.green.closed.i-1", false),
        ("ht.run.v1.green.finished.i-1", false),
        ("$KV.ht_groups.1.eu.asg", false),
        ("$KV.ht_incidents.green.i-1", false),
        ("$KV.ht_workers.lifecycle.1", true),
        ("$KV.ht_workers.asg-swap.1", false),
        ("ht.forward.v1.=.asg-swap.1", false),
        ("$JS.API.CONSUMER.MSG.NEXT.HT_ACTIONS.asg-swap", false),
        ("$JS.API.CONSUMER.CREATE.HT_ACTIONS", false),
        ("$JS.API.STREAM.DELETE.HT_NOTICES", false),
    ] {
        assert_eq!(raw.publish(subject, "", "{}").await, may, "{subject}");
    }
    for subject in ["ht.>", "$KV.>", "_INBOX_router.>", "ht.forward.v1.=.asg-swap.*"] {
        assert!(!raw.subscribe(subject).await, "{subject}");
    }
}
