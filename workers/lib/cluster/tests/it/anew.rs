//! A node that is another one by now.

use std::{sync::Arc, time::Duration};

use hollowtrees_cluster::{Cluster, Node, engine::Ended};
use hollowtrees_domain::drain::Wish;
use hollowtrees_harness::{
    control_plane::fixtures,
    eventually,
    proxy::{Fault, Http},
};
use serde_json::json;

use crate::support::{BOUND, Ground, assert_empty};

/// A cordoned node with a pod that is kept, seen through a proxy.
async fn seen_through(ground: &Ground, proxy: &Http) -> (Cluster, Arc<Node>) {
    let cluster = ground.cluster_through(proxy).await;
    let node = ground.node(&cluster, 0).await;
    ground.post_pods([fixtures::pod("db", "db", &node.name)]).await;
    ground.budget("db", 1, 0).await;
    ground.seen(&cluster, &node, 1).await;
    cluster.cordon(&node, "i-1/1").await.unwrap();
    (cluster, node)
}

/// That of pods stands.
async fn lose_sight_of_nodes(cluster: &Cluster, proxy: &Http) {
    proxy.inject(Fault::no_answer().path("/api/v1/nodes?"));
    let mut health = cluster.health();
    tokio::time::timeout(BOUND, health.wait_for(|health| health.trouble().is_some()))
        .await
        .expect("the break to be noticed")
        .unwrap();
}

/// The watch of nodes is broken and that of pods is not: the newcomers are seen before their node is.
#[tokio::test(flavor = "multi_thread")]
async fn pods_of_a_node_made_anew_are_left_alone_though_it_is_not_seen_yet() {
    let ground = Ground::new("unseen", 1).await;
    let proxy = ground.plane.http_proxy().await.unwrap();
    let (cluster, node) = seen_through(&ground, &proxy).await;
    let audit = ground.audit();
    let mut ticket = cluster.drain(&node, Wish::PATIENT, None);
    lose_sight_of_nodes(&cluster, &proxy).await;
    let now = json!({"gracePeriodSeconds": 0});
    ground.admin.delete("/api/v1/nodes/unseen-0", &now).await.unwrap();
    let next = fixtures::node("unseen-0", "us-east-1a", &fixtures::instance_id("unseen", 7));
    ground.admin.post("/api/v1/nodes", &next).await.unwrap();
    ground
        .post_pods([fixtures::pod("newcomer", "x", "unseen-0")])
        .await;
    ground.seen(&cluster, &node, 2).await;
    // Long enough to be asked for, and once more.
    tokio::time::sleep(Duration::from_secs(1)).await;
    proxy.heal();
    let summary = tokio::time::timeout(BOUND, ticket.ended())
        .await
        .expect("the drain to end")
        .unwrap();
    assert_eq!(summary.ended, Ended::NodeGone, "{summary:?}");
    let evictions = audit.writes_by(&ground.user()).unwrap();
    assert_eq!(evictions, [], "nobody was asked to go");
    assert_eq!(ground.names_on("unseen-0").await, ["db", "newcomer"]);
}

/// Where it is the same node after all, who came meanwhile goes when it is seen.
#[tokio::test(flavor = "multi_thread")]
async fn pods_that_came_while_nodes_were_not_seen_go_when_they_are() {
    let ground = Ground::new("unseen-yet", 1).await;
    let proxy = ground.plane.http_proxy().await.unwrap();
    let (cluster, node) = seen_through(&ground, &proxy).await;
    let mut ticket = cluster.drain(&node, Wish::PATIENT, None);
    lose_sight_of_nodes(&cluster, &proxy).await;
    ground
        .post_pods([fixtures::pod("newcomer", "x", "unseen-yet-0")])
        .await;
    ground.seen(&cluster, &node, 2).await;
    let budget = format!("{}/db", ground.budgets_path());
    let released = json!({"spec": {"minAvailable": 0}});
    ground.admin.patch(&budget, &released).await.unwrap();
    eventually("the one that was there before to be gone", BOUND, async || {
        ground.names_on("unseen-yet-0").await == ["newcomer"]
    })
    .await;
    proxy.heal();
    let summary = tokio::time::timeout(BOUND, ticket.ended())
        .await
        .expect("the drain to end")
        .unwrap();
    assert_empty(&summary);
    assert_eq!(summary.evicted.len(), 2, "{summary:?}");
}
