//! Hooks and load balancers with just the permissions of `docs/nats-permissions.md`.

use std::time::Duration;

use hollowtrees_harness::aws::{Hook, LifecycleAction, NewGroup};
use hollowtrees_schemas::{names::Stream, proto::time::to_proto};
use jiff::{SignedDuration, Timestamp};

use crate::{
    bus::{Raw, server, subjects, violations},
    stack::{CLUSTER, Stack},
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
    stack.puts_aside("deregister").await;
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
    stack.one_does_all("deregister", MANY, &workers).await;
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
