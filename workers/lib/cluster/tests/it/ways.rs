//! How a pod is asked to go: by eviction, by deletion, or not before its last moment. The witness is the API server's
//! audit log.

use std::time::{Duration, Instant};

use hollowtrees_cluster::Settings;
use hollowtrees_domain::drain::{Force, Options, Unbudgeted, Wish};
use hollowtrees_harness::{
    control_plane::{Audit, fixtures},
    proxy::Fault,
};

use crate::support::{BOUND, Ground, assert_empty, drain, paths, within};

/// Pods that were evicted, and pods that were deleted.
fn asked(audit: &Audit, ground: &Ground) -> (Vec<String>, Vec<String>) {
    let (mut evicted, mut deleted) = (Vec::new(), Vec::new());
    for entry in audit.writes_by(&ground.user()).unwrap() {
        match (entry.verb.as_str(), entry.resource.as_str()) {
            ("create", "pods/eviction") => evicted.push(entry.name),
            ("delete", "pods") => deleted.push(entry.name),
            _ => {}
        }
    }
    (evicted, deleted)
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_without_a_budget_are_deleted_where_that_is_asked_for() {
    let ground = Ground::new("unbudgeted", 1).await;
    let options = Options {
        unbudgeted: Unbudgeted::Delete,
        ..Options::default()
    };
    let cluster = ground.cluster_with(options).await;
    let node = ground.node(&cluster, 0).await;
    ground
        .post_pods([
            fixtures::pod("free", "free", "unbudgeted-0"),
            fixtures::pod("db", "db", "unbudgeted-0"),
        ])
        .await;
    ground.budget("db", 0, 1).await;
    ground.seen(&cluster, &node, 2).await;
    let audit = ground.audit();
    let summary = drain(&cluster, &node, Wish::PATIENT).await;
    assert_empty(&summary);
    assert_eq!(summary.deleted, paths(&ground, &["free"]));
    assert_eq!(summary.evicted, paths(&ground, &["db"]));
    assert_eq!(
        asked(&audit, &ground),
        (vec!["db".to_owned()], vec!["free".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_without_a_budget_are_deleted_when_evictions_are_too_slow() {
    const PODS: usize = 200;
    let ground = Ground::new("hurry", 1).await;
    let proxy = ground.plane.http_proxy().await.unwrap();
    // One at a time, and none in less than 100 ms: they take 20 s, and have to begin within 10.
    proxy.inject(Fault::slow(Duration::from_millis(100)).path("/eviction"));
    let via = ground
        .plane
        .kubeconfig_via(&ground.kubeconfig, &proxy.url())
        .unwrap();
    let settings = Settings {
        in_flight: 1,
        ..Settings::default()
    };
    let cluster = ground.cluster_by(via, settings).await;
    let node = ground.node(&cluster, 0).await;
    let names: Vec<String> = (0..PODS).map(|i| format!("p-{i}")).collect();
    ground
        .post_pods(names.iter().map(|name| fixtures::pod(name, "x", "hurry-0")))
        .await;
    ground.seen(&cluster, &node, PODS).await;
    let audit = ground.audit();
    let summary = drain(&cluster, &node, within(40, Force::Always)).await;
    assert_empty(&summary);
    let (evicted, deleted) = asked(&audit, &ground);
    assert_eq!(evicted.len() + deleted.len(), PODS, "each once");
    assert_eq!(
        (summary.evicted.len(), summary.deleted.len()),
        (evicted.len(), deleted.len())
    );
    assert!(evicted.len() >= 16, "at first by eviction: {}", evicted.len());
    assert!(deleted.len() >= PODS / 2, "then by deletion: {}", deleted.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_to_be_left_alone_is_until_its_last_moment() {
    let ground = Ground::new("reserved", 2).await;
    let cluster = ground.cluster().await;
    for i in 0..2 {
        let mut pod = fixtures::pod(&format!("p-{i}"), "x", &format!("reserved-{i}"));
        pod["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] = "true".into();
        pod["spec"]["terminationGracePeriodSeconds"] = 2.into();
        ground.post_pods([pod]).await;
    }
    let (certain, advisory) = (ground.node(&cluster, 0).await, ground.node(&cluster, 1).await);
    ground.seen(&cluster, &certain, 1).await;
    ground.seen(&cluster, &advisory, 1).await;
    // Where nothing may be forced it stays.
    let summary = drain(&cluster, &advisory, within(600, Force::Never)).await;
    assert_empty(&summary);
    assert_eq!(summary.skipped.len(), 1, "{summary:?}");

    let began = Instant::now();
    cluster.cordon(&certain, "i-1/1").await.unwrap();
    let mut ticket = cluster.drain(&certain, within(6, Force::Always), None);
    let summary = tokio::time::timeout(BOUND, ticket.ended())
        .await
        .expect("the drain to end")
        .unwrap();
    assert_empty(&summary);
    assert_eq!(summary.evicted, paths(&ground, &["p-0"]));
    assert!(began.elapsed() >= Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_more_grace_than_there_is_time_is_given_what_is_left() {
    let ground = Ground::new("graces", 2).await;
    let cluster = ground.cluster().await;
    let with_grace = |name: &str, node: &str, seconds: u32| {
        let mut pod = fixtures::pod(name, "x", node);
        pod["spec"]["terminationGracePeriodSeconds"] = seconds.into();
        pod
    };
    ground
        .post_pods([
            with_grace("short", "graces-0", 5),
            with_grace("long", "graces-1", 600),
        ])
        .await;
    let audit = ground.audit();
    let mut tickets = Vec::new();

    for i in 0..2 {
        let node = ground.node(&cluster, i).await;
        ground.seen(&cluster, &node, 1).await;
        cluster.cordon(&node, "i-1/1").await.unwrap();
        tickets.push(cluster.drain(&node, within(30, Force::Always), None));
    }
    let mut shortened = Vec::new();
    for ticket in &mut tickets {
        let summary = tokio::time::timeout(BOUND, ticket.ended())
            .await
            .expect("the drain to end")
            .unwrap();
        assert_empty(&summary);
        shortened.extend(summary.shortened);
    }
    assert_eq!(shortened, paths(&ground, &["long"]));
    let (evicted, deleted) = asked(&audit, &ground);
    assert_eq!((evicted.len(), deleted.len()), (2, 0), "{evicted:?} {deleted:?}");
}
