//! A control plane of which a part is gone, stands still or is slow in the middle of a burst. All on one of its own, one
//! after another.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hollowtrees_cluster::Settings;
use hollowtrees_harness::{
    ControlPlane, Error,
    control_plane::{Part, fixtures},
    eventually,
    proxy::Tcp,
};
use tokio::sync::{Mutex, OnceCell};

use crate::{
    burst::{Burst, assert_succeeded, two_tiers},
    support::{BOUND, Ground},
    world::{World, detail},
};

const NODES: usize = 10;
const EACH: usize = 3;
const PODS: usize = NODES * EACH * 2;

/// The one that may be broken, by one test at a time.
pub(crate) async fn breakable() -> &'static Mutex<Arc<ControlPlane>> {
    static PLANE: OnceCell<Mutex<Arc<ControlPlane>>> = OnceCell::const_new();
    PLANE
        .get_or_init(|| async { Mutex::new(Arc::new(ControlPlane::start().await.unwrap())) })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_killed_in_mid_burst_and_back_loses_and_repeats_nothing() {
    let plane = breakable().await.lock().await;
    let mut world = World::on(Ground::on(Arc::clone(&plane), "killed", NODES).await).await;
    let burst = Burst::of(&world.ground, two_tiers(&world.ground, 0..NODES, EACH)).await;
    let worker = world.worker().await;
    world.drain_all(0..NODES, 240).await;
    burst.has_granted(PODS / 4).await;
    plane.kill(Part::ApiServer);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(burst.granted().len() < PODS, "it was in mid-burst");
    plane.restart(Part::ApiServer).await.unwrap();
    let ends = world.ends(NODES).await;
    assert_succeeded(&ends);
    assert!(ends.values().all(|outcome| outcome.attempt == 1), "{ends:?}");
    // As many as were under way when it was killed may have gone without a record; gone they are.
    println!("asked twice: {}", burst.assert_each_went(EACH * NODES / 2));
    let left = world.ground.admin.list(&world.ground.pods_path()).await;
    assert_eq!(left.unwrap(), Vec::<serde_json::Value>::new());
    worker.stop().await;
}

/// An API server that was started anew knows nothing of what was before: a watch that goes on from there has expired. What
/// happened meanwhile is listed.
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_a_watch_expires_is_seen() {
    let plane = breakable().await.lock().await;
    let ground = Ground::on(Arc::clone(&plane), "expired", 1).await;
    let proxy = Tcp::start(plane.addr()).await.unwrap();
    let url = format!("https://{}", proxy.addr());
    let via = plane.kubeconfig_via(&ground.kubeconfig, &url).unwrap();
    ground
        .post_pods([fixtures::pod("before", "x", "expired-0")])
        .await;
    let cluster = ground.cluster_by(via, Settings::default()).await;
    let node = ground.node(&cluster, 0).await;
    ground.seen(&cluster, &node, 1).await;
    // The watches stand, and nothing comes of them.
    proxy.lose_replies();
    let now = serde_json::json!({"gracePeriodSeconds": 0});
    let before = format!("{}/before", ground.pods_path());
    ground.admin.delete(&before, &now).await.unwrap();
    ground
        .post_pods([fixtures::pod("meanwhile", "x", "expired-0")])
        .await;
    plane.kill(Part::ApiServer);
    plane.restart(Part::ApiServer).await.unwrap();
    let path = "/api/v1/pods?watch=true&resourceVersion=1&timeoutSeconds=1";
    let answer = ground.admin.get(path).await.unwrap();
    assert_eq!(
        (&answer["type"], &answer["object"]["code"]),
        (&"ERROR".into(), &410.into())
    );
    let audit = ground.audit();
    proxy.heal();
    let healed = Instant::now();
    eventually("the picture to be right", BOUND, async || {
        let pods = cluster.pods_on("expired-0");
        let names: Vec<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
        if names == ["meanwhile"] {
            Ok(())
        } else {
            Err(format!("{names:?}"))
        }
    })
    .await;
    println!("seen {:.1?} after the way was free", healed.elapsed());
    let counts = audit.count_by(&ground.user()).unwrap();
    let listed = counts.get(&("list".to_owned(), "pods".to_owned()));
    assert_eq!(listed, Some(&1), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_slow_and_then_stands_still_in_mid_burst_loses_and_repeats_nothing() {
    let plane = breakable().await.lock().await;
    let mut world = World::on(Ground::on(Arc::clone(&plane), "slow", NODES).await).await;
    world.settings.cluster.request_timeout = Duration::from_secs(3);
    let burst = Burst::of(&world.ground, two_tiers(&world.ground, 0..NODES, EACH)).await;
    let worker = world.worker_as_set().await;
    world.drain_all(0..NODES, 240).await;
    // Longer than a request may take, so that nobody knows what became of those under way.
    burst.has_granted(PODS / 4).await;
    plane.pause(Part::Etcd).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    plane.resume(Part::Etcd).unwrap();
    // Nine tenths of the time it does nothing.
    let slow = async {
        loop {
            plane.pause(Part::Etcd).unwrap();
            tokio::time::sleep(Duration::from_millis(270)).await;
            plane.resume(Part::Etcd).unwrap();
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    let ends = tokio::select! {
        ends = world.ends(NODES) => ends,
        () = slow => unreachable!(),
    };
    plane.resume(Part::Etcd).unwrap();
    assert_succeeded(&ends);
    println!("asked twice: {}", burst.assert_each_went(0));
    worker.stop().await;
}

/// Where its controller has not come to it, a namespace that is being deleted takes no evictions: they are new objects in
/// it to the API server.
#[tokio::test(flavor = "multi_thread")]
async fn pods_of_a_namespace_that_is_being_deleted_and_is_not_are_forced_in_time() {
    let plane = breakable().await.lock().await;
    let mut world = World::on(Ground::on(Arc::clone(&plane), "ending", 1).await).await;
    let admin = world.ground.admin.clone();
    admin.namespace("doomed").await.unwrap();
    let pods = "/api/v1/namespaces/doomed/pods";
    let mut pod = fixtures::pod("p", "x", "ending-0");
    pod["spec"]["terminationGracePeriodSeconds"] = 3.into();
    admin.post(pods, &pod).await.unwrap();
    let worker = world.worker().await;
    plane.pause(Part::ControllerManager).unwrap();
    admin
        .delete("/api/v1/namespaces/doomed", &serde_json::json!({}))
        .await
        .unwrap();
    let audit = world.ground.audit();
    world.send(&world.action("drain", 8)).await;
    let outcome = world.end().await;
    plane.resume(Part::ControllerManager).unwrap();
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let told = detail(&outcome);
    assert_eq!(told["forced"][0]["pod"], "doomed/p", "{told}");
    let refusal = told["forced"][0]["refusal"].as_str().unwrap();
    assert!(refusal.contains("is being terminated"), "{told}");
    let writes = audit.writes_by(&world.ground.user()).unwrap();
    let codes: Vec<u16> = writes
        .iter()
        .filter(|entry| entry.namespace == "doomed")
        .map(|entry| entry.code)
        .collect();
    let (last, before) = codes.split_last().unwrap();
    assert!(
        *last == 200 && before.iter().all(|code| *code == 403),
        "{codes:?}"
    );
    eventually("the namespace to be gone", BOUND, async || {
        let left = admin.get("/api/v1/namespaces/doomed").await;
        left.map_or(Ok(()), |left| Err(Error::new(left["status"].to_string())))
    })
    .await;
    worker.stop().await;
}
