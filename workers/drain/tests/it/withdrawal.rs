//! Withdrawals, deadlines that move, and workers that go in mid-drain.

use std::time::Duration;

use hollowtrees_harness::control_plane::fixtures;
use hollowtrees_schemas::proto::{self, time::to_proto};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    support::BOUND,
    world::{World, detail},
};

/// A world whose node has one pod that nobody may evict, and one that anybody may.
async fn blocked(name: &str) -> World {
    let world = World::new(name, 1).await;
    let node = format!("{name}-0");
    let mut db = fixtures::pod("db", "db", &node);
    db["spec"]["terminationGracePeriodSeconds"] = 2.into();
    world
        .ground
        .post_pods([db, fixtures::pod("web", "web", &node)])
        .await;
    world.ground.budget("db", 1, 0).await;
    world
}

async fn only_db_is_left(world: &World) {
    let node = format!("{}-0", world.ground.name);
    hollowtrees_harness::eventually("the free pod to be gone", BOUND, async || {
        world.ground.names_on(&node).await == ["db"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_drain_stops_and_says_what_it_did() {
    let mut world = blocked("withdrawn").await;
    let worker = world.worker().await;
    let action = world.action("drain", 600);
    world.incident(&action, "open", action.deadline).await;
    world.send(&action).await;
    only_db_is_left(&world).await;
    world.incident(&action, "cancelled", action.deadline).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "cancelled", "{outcome:?}");
    let told = detail(&outcome);
    assert_eq!(
        (&told["evicted"], &told["left"][0]["pod"]),
        (&json!(["withdrawn/web"]), &json!("withdrawn/db"))
    );
    // Taking the cordon off is another action's.
    assert_eq!(world.ground.read_node(0).await["spec"]["unschedulable"], true);
    world
        .send(&proto::Action {
            on_cancel: true,
            ..world.action("uncordon", 600)
        })
        .await;
    assert_eq!(world.end().await.result, "succeeded");
    assert_eq!(world.ground.read_node(0).await["spec"].get("unschedulable"), None);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_comes_nearer_brings_the_force_nearer() {
    let mut world = blocked("nearer").await;
    let worker = world.worker().await;
    let action = world.action("drain", 600);
    world.incident(&action, "open", action.deadline).await;
    world.send(&action).await;
    only_db_is_left(&world).await;
    let sooner = to_proto(Timestamp::now() + SignedDuration::from_secs(5));
    world.incident(&action, "open", Some(sooner)).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(detail(&outcome)["forced"][0]["pod"], "nearer/db");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_handed_over_when_its_worker_stops_and_taken_over_when_it_dies() {
    let mut world = blocked("handover").await;
    let action = world.action("drain", 600);
    let first = world.worker().await;
    world.send(&action).await;
    only_db_is_left(&world).await;
    let second = world.worker().await;
    first.stop().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    second.crash().await;
    let third = world.worker().await;
    world
        .ground
        .admin
        .patch(
            &format!("{}/db", world.ground.budgets_path()),
            &json!({"spec": {"minAvailable": 0}}),
        )
        .await
        .unwrap();
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert!(outcome.attempt >= 3, "{outcome:?}");
    assert_eq!(detail(&outcome)["evicted"], json!(["handover/db"]));
    let node = world.ground.read_node(0).await;
    let holders = node["metadata"]["annotations"]["hollowtrees.io/cordon"]
        .as_str()
        .unwrap();
    assert_eq!(holders.matches("/1\"").count(), 1, "{holders}");
    third.stop().await;
}
