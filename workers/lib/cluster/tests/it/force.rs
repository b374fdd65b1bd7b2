//! Deadlines, and what they allow.

use std::time::{Duration, Instant};

use hollowtrees_cluster::engine::Ended;
use hollowtrees_domain::drain::Force;
use hollowtrees_harness::control_plane::fixtures;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{BOUND, Ground, assert_empty, drain, paths, within};

/// Pods with a grace period of so many seconds.
fn pod(name: &str, app: &str, node: &str, grace: u32) -> serde_json::Value {
    let mut pod = fixtures::pod(name, app, node);
    pod["spec"]["terminationGracePeriodSeconds"] = grace.into();
    pod
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_budget_is_overridden_in_time_for_the_pods_grace() {
    let ground = Ground::new("forced", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    ground.post_pods([pod("db", "db", "forced-0", 4)]).await;
    ground.budget("db", 1, 0).await;
    ground.seen(&cluster, &node, 1).await;
    let start = Instant::now();
    let summary = drain(&cluster, &node, within(8, Force::Always)).await;
    assert_empty(&summary);
    assert!(
        start.elapsed() >= Duration::from_millis(3_900),
        "not before deadline - grace: {:?}",
        start.elapsed()
    );
    assert!(
        start.elapsed() < Duration::from_millis(7_000),
        "{:?}",
        start.elapsed()
    );
    let forced = summary
        .forced
        .get("forced/db")
        .unwrap_or_else(|| panic!("{summary:?}"));
    assert_eq!(
        (forced.budgets.as_slice(), summary.evicted.len()),
        (&["db".to_owned()][..], 0)
    );
    assert!(
        forced.refusal.contains("disruption budget") && (3..=4).contains(&forced.grace_seconds),
        "{forced:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advisory_never_forces_and_says_what_is_left() {
    let ground = Ground::new("advisory", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    ground
        .post_pods([
            pod("db", "db", "advisory-0", 2),
            pod("web", "web", "advisory-0", 2),
        ])
        .await;
    ground.budget("db", 1, 0).await;
    ground.seen(&cluster, &node, 2).await;
    let audit = ground.audit();
    let summary = drain(&cluster, &node, within(3, Force::Never)).await;
    assert_eq!(summary.ended, Ended::Late);
    assert_eq!(summary.evicted, paths(&ground, &["web"]));
    assert!(
        summary.left["advisory/db"].contains("disruption budget"),
        "{summary:?}"
    );
    assert_eq!(ground.names_on("advisory-0").await, ["db"]);
    let counts = audit.count_by(&ground.user()).unwrap();
    assert_eq!(
        counts.get(&("delete".to_owned(), "pods".to_owned())),
        None,
        "{counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_moves_moves_the_force() {
    let ground = Ground::new("moved", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    ground.post_pods([pod("db", "db", "moved-0", 2)]).await;
    ground.budget("db", 1, 0).await;
    ground.seen(&cluster, &node, 1).await;
    cluster.cordon(&node, "i-1/1").await.unwrap();
    let mut ticket = cluster.drain(
        &node,
        within(600, Force::Within(SignedDuration::from_secs(5))),
        None,
    );
    assert!(
        tokio::time::timeout(Duration::from_secs(1), ticket.ended())
            .await
            .is_err()
    );
    // An escalation: certain, and sooner.
    let mut second = cluster.drain(&node, within(4, Force::Always), None);
    let summary = tokio::time::timeout(BOUND, second.ended())
        .await
        .unwrap()
        .unwrap();
    assert_empty(&summary);
    assert_eq!(summary.forced.len(), 1, "{summary:?}");
    assert_eq!(
        ticket.ended().await.as_ref(),
        Some(&summary),
        "both have the one result"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_end_past_the_deadline_is_given_less() {
    let ground = Ground::new("short", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    let slow = |name: &str| fixtures::annotated(pod(name, "x", "short-0", 600), fixtures::EXIT_AFTER, "500s");
    ground.post_pods([slow("evicted"), slow("ending")]).await;
    ground.seen(&cluster, &node, 2).await;
    ground
        .admin
        .delete(&format!("{}/ending", ground.pods_path()), &json!({}))
        .await
        .unwrap();
    hollowtrees_harness::eventually("the deletion to be seen", BOUND, async || {
        cluster
            .pods_on("short-0")
            .iter()
            .any(|pod| pod.deletion.is_some())
    })
    .await;
    let start = Instant::now();
    let summary = drain(&cluster, &node, within(6, Force::Always)).await;
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    assert_empty(&summary);
    assert_eq!(
        summary.evicted,
        paths(&ground, &["evicted"]),
        "its budget allowed it, with less grace"
    );
    assert_eq!(summary.shortened, paths(&ground, &["ending", "evicted"]));
    assert_eq!(summary.others, paths(&ground, &["ending"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_never_ends_is_left_and_named() {
    let ground = Ground::new("never", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    let never = fixtures::annotated(pod("stuck", "x", "never-0", 1), fixtures::EXIT_AFTER, "never");
    ground.post_pods([never, pod("fine", "x", "never-0", 1)]).await;
    ground.seen(&cluster, &node, 2).await;
    let summary = drain(&cluster, &node, within(4, Force::Always)).await;
    assert_eq!(summary.ended, Ended::Late);
    assert_eq!(summary.left.keys().collect::<Vec<_>>(), ["never/stuck"]);
    assert_eq!(summary.left["never/stuck"], "still ending");
    assert_eq!(summary.evicted, paths(&ground, &["fine", "stuck"]));
    ground
        .admin
        .delete(
            &format!("{}/stuck", ground.pods_path()),
            &json!({"gracePeriodSeconds": 0}),
        )
        .await
        .unwrap();
}
