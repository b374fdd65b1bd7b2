//! A hook of launches is answered once the node is Ready, and abandoned where it never is.

use std::time::Duration;

use hollowtrees_harness::{
    aws::{Hook, LifecycleAction, Service},
    control_plane::Ground,
    eventually,
};
use hollowtrees_schemas::proto::{self, time::to_proto};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::world::{BOUND, CLUSTER, GROUP, HOOK, World, detail, params, word};

/// The role the worker asks for, as it is deployed.
const RBAC: &str = include_str!("../../rbac.yaml");
const HEARTBEAT: Duration = Duration::from_secs(4);

pub(crate) async fn ground(name: &str) -> Ground {
    let roles: Vec<_> = RBAC
        .split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect();
    Ground::new(name, "lifecycle", &roles).await.unwrap()
}

/// A worker's world that sees the cluster, and an instance that waits in a hook of launches.
async fn launching(ground: Option<&Ground>, heartbeat: Duration) -> (World, String) {
    launching_in(ground.map(|ground| (ground, CLUSTER)), heartbeat).await
}

/// The same of a cluster that goes by this name.
async fn launching_in(ground: Option<(&Ground, &str)>, heartbeat: Duration) -> (World, String) {
    let seen = ground.map(|(ground, name)| {
        let path = ground.kubeconfig.to_str().unwrap();
        [("HT_CLUSTER__NAME", name), ("HT_CLUSTER__KUBECONFIG", path)]
    });
    let world = World::with(seen.as_ref().map(|seen| &seen[..]).unwrap_or_default()).await;
    let instance = world.group(1, Hook::launching(heartbeat)).await.remove(0);
    let wait = LifecycleAction::new(GROUP, HOOK, &instance, &format!("token-of-{instance}"));
    world.aws.wait_in_hook(wait, "Pending:Wait").await.unwrap();
    world
        .incident_of("asg-launching", &instance, "open", Some("token"), None)
        .await;
    (world, instance)
}

/// As the router makes it for a notice that is advice and has no deadline.
fn action(world: &World, instance: &str) -> proto::Action {
    proto::Action {
        certainty: "advisory".to_owned(),
        ..world.action(instance)
    }
}

async fn in_service(world: &World, instance: &str) {
    eventually("the instance to come into service", BOUND, async || {
        let by = [("InstanceIds.member.1", instance)];
        let shown = world
            .aws
            .call(Service::AutoScaling, "DescribeAutoScalingInstances", &by);
        let shown = shown.await.unwrap();
        if shown.contains("<LifecycleState>InService<") {
            Ok(())
        } else {
            Err(shown)
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_held_until_the_node_is_ready_also_over_a_crash() {
    let ground = ground("launch-ready").await;
    // Another worker takes over after some seconds.
    let (mut world, instance) = launching(Some(&ground), Duration::from_secs(24)).await;
    let first = world.worker().await;
    world.send(&action(&world, &instance)).await;
    world.heartbeats(&instance, 1).await;
    ground.joins(&instance, "us-east-1a").await.unwrap();
    first.crash().await;
    let second = world.worker().await;
    world.heartbeats(&instance, 2).await;
    assert!(world.answers().is_empty(), "its node is not ready");
    ground.is_ready(&instance).await.unwrap();
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    assert_eq!(
        world.answers(),
        [(format!("token-of-{instance}"), "CONTINUE".to_owned())]
    );
    let told = detail(&outcome);
    assert_eq!(told["waited_for"][0]["kind"], "node-ready", "{told}");
    assert!(!world.wait(&instance).timed_out);
    in_service(&world, &instance).await;
    ground.assert_rights();
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_node_never_is_ready_is_abandoned_at_the_limit() {
    let ground = ground("launch-limit").await;
    let (mut world, instance) = launching(Some(&ground), Duration::from_secs(60)).await;
    ground.joins(&instance, "us-east-1a").await.unwrap();
    let worker = world.worker().await;
    let limited = proto::Action {
        close_at: Some(to_proto(Timestamp::now() + SignedDuration::from_secs(12))),
        ..action(&world, &instance)
    };
    world.send(&limited).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "work-unfinished"), "{outcome:?}");
    assert!(outcome.message.contains("not-ready"), "{outcome:?}");
    assert_eq!(
        world.answers(),
        [(format!("token-of-{instance}"), "ABANDON".to_owned())]
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_goes_after_all_is_not_waited_for() {
    let ground = ground("launch-goes").await;
    let (mut world, instance) = launching(Some(&ground), HEARTBEAT).await;
    let worker = world.worker().await;
    world.send(&action(&world, &instance)).await;
    world.heartbeats(&instance, 1).await;
    world.somebody_answers(&instance).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("skipped", "hook-over"), "{outcome:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sees_no_nodes_says_so_and_answers_nothing() {
    let (mut world, instance) = launching(None, Duration::from_secs(60)).await;
    let worker = world.worker().await;
    world.send(&action(&world, &instance)).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "no-nodes"), "{outcome:?}");
    assert!(outcome.message.contains("cluster.name"), "{outcome:?}");
    assert!(world.answers().is_empty());
    worker.stop().await;
}

/// Its node may be there and Ready by chance of ids: it is not the one that is meant.
#[tokio::test(flavor = "multi_thread")]
async fn who_sees_another_cluster_says_so_once_and_answers_nothing() {
    let ground = ground("launch-foreign").await;
    let (mut world, instance) = launching_in(Some((&ground, "elsewhere")), Duration::from_secs(60)).await;
    ground.joins(&instance, "us-east-1a").await.unwrap();
    ground.is_ready(&instance).await.unwrap();
    let worker = world.worker().await;
    world.send(&action(&world, &instance)).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "no-nodes"), "{outcome:?}");
    assert!(outcome.message.contains(CLUSTER), "{outcome:?}");
    assert!(world.answers().is_empty());
    assert_eq!(world.aws.count("RecordLifecycleActionHeartbeat"), 0);
    worker.stop().await;
}

/// What becomes of the hook of a launch in a cluster that nobody sees, under this parameter.
async fn unseen(no_node: &str, answered: &[&str], says: &str) {
    let (mut world, instance) = launching(None, Duration::from_secs(60)).await;
    let worker = world.worker().await;
    let asked = proto::Action {
        params: params(json!({"no_node": no_node})),
        ..action(&world, &instance)
    };
    world.send(&asked).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "no-nodes"), "{outcome:?}");
    assert!(outcome.message.contains(says), "{outcome:?}");
    let expected: Vec<_> = answered
        .iter()
        .map(|answer| (format!("token-of-{instance}"), (*answer).to_owned()))
        .collect();
    assert_eq!(world.answers(), expected);
    assert_eq!(
        detail(&outcome)["answer"],
        answered.first().copied().unwrap_or_default()
    );
    assert_eq!(world.wait(&instance).result.as_deref(), answered.first().copied());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sees_no_nodes_goes_on_where_the_rule_says_so() {
    Box::pin(unseen(
        "continue",
        &["CONTINUE"],
        "answered CONTINUE, as `no_node` says",
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sees_no_nodes_abandons_where_the_rule_says_so() {
    Box::pin(unseen(
        "abandon",
        &["ABANDON"],
        "answered ABANDON, as `no_node` says",
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sees_no_nodes_leaves_it_where_the_rule_says_so() {
    Box::pin(unseen("leave", &[], "left to time out")).await;
}

/// AWS heard of it, and its reply came to nobody: another process asks again, and says that AWS did not confirm.
#[tokio::test(flavor = "multi_thread")]
async fn who_sees_no_nodes_answers_also_over_a_crash() {
    let (mut world, instance) = launching(None, Duration::from_secs(60)).await;
    let asked = proto::Action {
        params: params(json!({"no_node": "continue"})),
        ..action(&world, &instance)
    };
    world.dies_unanswered(&asked).await;
    let second = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "no-nodes"), "{outcome:?}");
    let told = detail(&outcome);
    assert_eq!(
        (&told["answer"], &told["confirmed"]),
        (&json!("CONTINUE"), &json!(false)),
        "{told}"
    );
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_joins_goes_as_the_rule_says_at_the_limit() {
    let ground = ground("launch-absent").await;
    let (mut world, instance) = launching(Some(&ground), Duration::from_secs(60)).await;
    let worker = world.worker().await;
    let limited = proto::Action {
        close_at: Some(to_proto(Timestamp::now() + SignedDuration::from_secs(12))),
        params: params(json!({"no_node": "continue"})),
        ..action(&world, &instance)
    };
    world.send(&limited).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "work-unfinished"), "{outcome:?}");
    assert!(outcome.message.contains("as `no_node` says"), "{outcome:?}");
    assert_eq!(
        world.answers(),
        [(format!("token-of-{instance}"), "CONTINUE".to_owned())]
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_of_terminations_is_none_of_launches() {
    let ground = ground("launch-none").await;
    let (mut world, instance) = launching(Some(&ground), Duration::from_secs(60)).await;
    world
        .aws
        .put_hook_as(GROUP, HOOK, Hook::terminating(Duration::from_secs(60)));
    let worker = world.worker().await;
    world.send(&action(&world, &instance)).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("skipped", "no-hook"), "{outcome:?}");
    assert!(outcome.message.contains("of launches"), "{outcome:?}");
    worker.stop().await;
}
