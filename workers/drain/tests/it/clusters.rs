//! Where a drain is not alone with its cluster: several clusters on one bus, a bus that is away, a node that is another one
//! by now.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hollowtrees_harness::{Error, Nats, control_plane::fixtures, eventually};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    burst::{Burst, assert_succeeded, two_tiers},
    outages::breakable,
    replicas::Replica,
    support::Ground,
    world::{World, detail},
};

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_with_the_same_nodes_on_one_bus_drain_each_its_own() {
    const NODES: usize = 3;
    let other = breakable().await.lock().await;
    let nats = Arc::new(Nats::start().await.unwrap());
    // The same names and the same instance ids in both.
    let one = Ground::new("twin", NODES).await;
    let two = Ground::on(Arc::clone(&other), "twin", NODES).await;
    let mut one = World::of_cluster(one, "twin-one", Arc::clone(&nats)).await;
    let mut two = World::of_cluster(two, "twin-two", nats).await;
    let pods = |world: &World| two_tiers(&world.ground, 0..NODES, 2);
    let of_one = Burst::of(&one.ground, pods(&one)).await;
    let of_two = Burst::of(&two.ground, pods(&two)).await;
    let workers = [Replica::start(&one, "a").await, Replica::start(&two, "a").await];
    let (of_one, of_two) = (of_one.and_by(&workers[0].user), of_two.and_by(&workers[1].user));

    one.drain_all(0..NODES, 240).await;
    assert_succeeded(&one.ends(NODES).await);
    of_one.assert_each_went_once();
    assert_eq!(of_two.writes(), [], "the other one's nodes are not touched");
    two.drain_all(0..NODES, 240).await;
    assert_succeeded(&two.ends(NODES).await);
    of_two.assert_each_went_once();
    of_one.assert_each_went_once();
    for worker in &workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_away_for_thirty_seconds_in_mid_burst_holds_up_no_pod() {
    const NODES: usize = 6;
    const AWAY: Duration = Duration::from_secs(30);
    let mut world = World::new("away", NODES).await;
    let mut pods = two_tiers(&world.ground, 0..NODES, 2);
    // One that is kept, and whose last moment comes while the bus is away.
    let mut db = fixtures::pod("db", "db", "away-0");
    db["spec"]["terminationGracePeriodSeconds"] = 3.into();
    pods.push(db);
    let burst = Burst::of(&world.ground, pods).await;
    world.ground.budget("db", 1, 0).await;
    let worker = Replica::start(&world, "a").await;
    let burst = burst.and_by(&worker.user);
    let sent = Timestamp::now();
    // What has little time goes at once; the others one tier after another.
    world.drain_all(0..1, 20).await;
    world.drain_all(1..NODES, 240).await;
    burst.has_granted((burst.pods() - 1) / 2).await;
    world.nats.kill();
    let away = Instant::now();
    assert!(burst.granted().len() < burst.pods() - 1, "it was in mid-burst");
    eventually("all pods to be gone without the bus", AWAY, async || {
        let left = world.ground.admin.list(&world.ground.pods_path()).await?.len();
        if left == 0 {
            Ok(())
        } else {
            Err(Error::new(left.to_string()))
        }
    })
    .await;
    println!("all pods gone {:.1?} into the outage", away.elapsed());
    let forced = burst.deleted();
    assert_eq!(forced.len(), 1, "{forced:?}");
    let after = forced[0].at.duration_since(sent).as_secs_f64();
    assert!(
        (16.0..19.0).contains(&after),
        "three seconds before the deadline: {after}"
    );
    tokio::time::sleep(AWAY.saturating_sub(away.elapsed())).await;
    world.nats.restart().await.unwrap();
    let back = Instant::now();
    let ends = world.ends(NODES).await;
    println!("all told {:.1?} after it was back", back.elapsed());
    assert_succeeded(&ends);
    assert!(ends.values().all(|outcome| outcome.attempt == 1), "{ends:?}");
    let granted = burst.granted();
    assert_eq!(granted.len(), burst.pods() - 1);
    assert!(granted.values().all(|times| times.len() == 1), "{granted:?}");
    worker.stop().await;
}

/// As EC2 does when it gives a private address to the next machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_made_anew_by_its_name_in_mid_drain_is_left_alone() {
    let mut world = World::new("anew", 1).await;
    let admin = world.ground.admin.clone();
    let pods = vec![
        fixtures::pod("free", "x", "anew-0"),
        fixtures::pod("db", "db", "anew-0"),
    ];
    let burst = Burst::of(&world.ground, pods).await;
    world.ground.budget("db", 1, 0).await;
    let worker = world.worker().await;
    // The grace of `db` is 30 s: it would be forced six seconds from now.
    world.send(&world.action("drain", 36)).await;
    burst.has_granted(1).await;
    let now = json!({"gracePeriodSeconds": 0});
    admin.delete("/api/v1/nodes/anew-0", &now).await.unwrap();
    let next = fixtures::node("anew-0", "us-east-1a", &fixtures::instance_id("anew", 7));
    admin.post("/api/v1/nodes", &next).await.unwrap();
    let node = admin.get("/api/v1/nodes/anew-0").await.unwrap();
    let newcomers = [
        fixtures::pod("newcomer", "x", "anew-0"),
        fixtures::pod("db-2", "db", "anew-0"),
    ];
    world.ground.post_pods(newcomers).await;
    let outcome = world.end().await;
    println!("{} {}: {}", outcome.result, outcome.reason, outcome.message);
    let told = detail(&outcome);
    assert_eq!(told["forced"], json!([]), "{told}");

    // Another action about the old instance: there is no such node any more.
    let again = hollowtrees_schemas::proto::Action {
        id: "b".repeat(32),
        ..world.action("drain", 20)
    };
    world.send(&again).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("skipped", "node-not-found"),
        "{outcome:?}"
    );
    worker.stop().await;
    let after = admin.get("/api/v1/nodes/anew-0").await.unwrap();
    assert_eq!(after["metadata"]["uid"], node["metadata"]["uid"]);
    assert_eq!(after["spec"].get("unschedulable"), None, "{after}");
    assert_eq!(
        after["metadata"].get("annotations"),
        node["metadata"].get("annotations")
    );
    for name in ["db", "newcomer", "db-2"] {
        let pod = admin
            .get(&format!("{}/{name}", world.ground.pods_path()))
            .await
            .unwrap();
        assert_eq!(pod["metadata"].get("deletionTimestamp"), None, "{name}");
    }
    assert_eq!(burst.granted().len(), 1, "only the one before");
    assert_eq!(burst.deleted(), []);
}
