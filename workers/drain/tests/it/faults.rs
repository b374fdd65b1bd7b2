//! An API server that fails in mid-drain: the drain ends once, evicts nobody twice and loses nobody.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hollowtrees_harness::{
    ControlPlane, Error,
    control_plane::{Audit, Part, fixtures},
    eventually,
    proxy::Fault,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    support::{BOUND, Ground},
    world::{World, detail},
};

/// How long the API server is gone.
const OUTAGE: Duration = Duration::from_secs(10);

/// Answers to evictions, by pod.
fn evictions(audit: &Audit, ground: &Ground) -> BTreeMap<String, Vec<u16>> {
    let mut answers: BTreeMap<String, Vec<u16>> = BTreeMap::new();
    for entry in audit.writes_by(&ground.user()).unwrap() {
        if entry.resource == "pods/eviction" {
            answers.entry(entry.name).or_default().push(entry.code);
        }
    }
    answers
}

fn granted(codes: &[u16]) -> usize {
    codes.iter().filter(|code| (200..300).contains(*code)).count()
}

fn paths(told: &Value, lists: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = lists
        .iter()
        .flat_map(|list| told[list].as_array().unwrap())
        .map(|path| path.as_str().unwrap().to_owned())
        .collect();
    all.sort_unstable();
    all
}

/// As a stateful set does: a pod of the same name elsewhere as soon as this one is gone.
async fn comes_back(ground: &Ground, name: &str, node: &str) {
    let path = format!("{}/{name}", ground.pods_path());
    eventually(format!("{path} to be gone"), BOUND, async || {
        match ground.admin.request(Method::GET, &path, None).await? {
            gone if gone.status == StatusCode::NOT_FOUND => Ok(()),
            there => Err(Error::new(there.status.to_string())),
        }
    })
    .await;
    let pod = fixtures::pod(name, "x", node);
    ground.admin.post(&ground.pods_path(), &pod).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_every_kind_in_mid_drain_evict_nobody_twice_and_lose_nobody() {
    const PODS: usize = 16;
    let mut world = World::new("faults", 2).await;
    let names: Vec<String> = (0..PODS).map(|i| format!("p-{i:02}")).collect();
    world
        .ground
        .post_pods(names.iter().map(|name| fixtures::pod(name, "x", "faults-0")))
        .await;
    let proxy = world.ground.plane.http_proxy().await.unwrap();
    let worker = world.worker_through(&proxy).await;
    let audit = world.ground.audit();
    let patch = |fault: Fault| fault.method(Method::PATCH).times(1);
    let evict = |fault: Fault, times: usize| fault.path("/eviction").times(times);
    let faults = [
        patch(Fault::status(500)),
        patch(Fault::no_answer()),
        // It was done, and nobody was told.
        patch(Fault::lost_reply()),
        evict(Fault::status(500), 3),
        evict(Fault::status(503).header("retry-after", "1"), 2),
        evict(Fault::no_answer(), 3),
        evict(Fault::lost_reply(), 3),
        evict(Fault::truncated(), 1),
        evict(Fault::slow(Duration::from_millis(1_500)), 2),
        evict(
            Fault::status(429)
                .header("retry-after", "1")
                .body("Too many requests."),
            2,
        ),
    ];
    const STRIKES: usize = 3 + 3 + 2 + 3 + 3 + 1 + 2 + 2;
    for fault in faults {
        proxy.inject(fault);
    }
    world.send(&world.action("drain", 240)).await;
    let ground = &world.ground;
    futures::future::join_all(names.iter().map(|name| comes_back(ground, name, "faults-1"))).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");

    let struck = proxy.seen().iter().filter(|seen| seen.faulty).count();
    assert_eq!(struck, STRIKES, "every fault struck: {:?}", proxy.seen());
    let told = detail(&outcome);
    assert_eq!(
        (&told["forced"], &told["left"]),
        (&json!([]), &json!([])),
        "{told}"
    );
    // Whoever went without an answer went by somebody's doing all the same.
    let expected: Vec<String> = names.iter().map(|name| format!("faults/{name}")).collect();
    assert_eq!(paths(&told, &["evicted", "others"]), expected, "{told}");
    assert!(
        told["others"].as_array().unwrap().len() <= 4,
        "only lost replies: {told}"
    );

    let answers = evictions(&audit, &world.ground);
    for name in &names {
        let codes = &answers[name];
        assert_eq!(granted(codes), 1, "{name} was evicted once: {codes:?}");
        let there = world
            .ground
            .admin
            .get(&format!("{}/{name}", world.ground.pods_path()))
            .await
            .unwrap();
        assert_eq!(there["spec"]["nodeName"], "faults-1");
        assert_eq!(
            there["metadata"]["deletionTimestamp"],
            Value::Null,
            "{name} is left alone where it came back"
        );
    }
    let node = world.ground.read_node(0).await;
    let holders = node["metadata"]["annotations"]["hollowtrees.io/cordon"]
        .as_str()
        .unwrap();
    assert_eq!(holders.matches("/1\"").count(), 1, "{holders}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_enough_slows_everything_down_and_is_not_hammered() {
    const PODS: usize = 8;
    const TURNED_AWAY: usize = 6;
    let mut world = World::new("enough", 1).await;
    world
        .ground
        .post_pods((0..PODS).map(|i| fixtures::pod(&format!("p-{i}"), "x", "enough-0")))
        .await;
    let proxy = world.ground.plane.http_proxy().await.unwrap();
    let worker = world.worker_through(&proxy).await;
    let enough = Fault::status(429)
        .header("retry-after", "2")
        .body("Too many requests, please try again later.");
    proxy.inject(enough.path("/eviction").times(TURNED_AWAY));
    let began = Instant::now();
    world.send(&world.action("drain", 240)).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    let told = detail(&outcome);
    assert_eq!(told["evicted"].as_array().unwrap().len(), PODS, "{told}");
    let asked = proxy
        .seen()
        .iter()
        .filter(|seen| seen.path.contains("/eviction"))
        .count();
    assert_eq!(
        asked,
        PODS + TURNED_AWAY,
        "each that was turned away was asked once more"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_dies_in_mid_drain_and_comes_back_finds_the_drain_going_on() {
    const PODS: usize = 24;
    // One of its own: a part of it is killed.
    let plane = std::sync::Arc::new(ControlPlane::start().await.unwrap());
    let mut world = World::on(Ground::on(plane, "outage", 2).await).await;
    let names: Vec<String> = (0..PODS).map(|i| format!("p-{i:02}")).collect();
    // Half of them end after the server has died, whoever asked them to.
    let pods = names.iter().enumerate().map(|(i, name)| {
        let pod = fixtures::pod(name, "x", "outage-0");
        if i % 2 == 0 {
            fixtures::annotated(pod, fixtures::EXIT_AFTER, "3s")
        } else {
            pod
        }
    });
    world.ground.post_pods(pods).await;
    let keeper = fixtures::pod("keeper", "keeper", "outage-0");
    world
        .ground
        .post_pods([keeper, fixtures::pod("elsewhere", "x", "outage-1")])
        .await;
    world.ground.budget("keeper", 1, 0).await;
    let worker = world.worker().await;
    let audit = world.ground.audit();
    world.send(&world.action("drain", 240)).await;
    eventually("the first pod to be gone", BOUND, async || {
        let left = world.ground.names_on("outage-0").await.len();
        if left <= PODS {
            Ok(())
        } else {
            Err(format!("{left} are left"))
        }
    })
    .await;
    world.ground.plane.kill(Part::ApiServer);
    tokio::time::sleep(OUTAGE).await;
    world.ground.plane.restart(Part::ApiServer).await.unwrap();
    eventually("all but the kept pod to be gone", BOUND, async || {
        let left = world.ground.names_on("outage-0").await;
        if left == ["keeper"] {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
    // The budget's watch stands again too: its release is seen. The controller has pauses of its own after an outage,
    // so the clock begins when it has counted.
    let path = format!("{}/keeper", world.ground.budgets_path());
    world
        .ground
        .admin
        .patch(&path, &json!({"spec": {"minAvailable": 0}}))
        .await
        .unwrap();
    eventually("the controller to have counted", BOUND, async || {
        let budget = world.ground.admin.get(&path).await?;
        if budget["status"]["observedGeneration"] == budget["metadata"]["generation"] {
            Ok(())
        } else {
            Err(Error::new(budget["status"].to_string()))
        }
    })
    .await;
    let released = Instant::now();
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.attempt),
        ("succeeded", 1),
        "{outcome:?}"
    );
    assert!(
        released.elapsed() < Duration::from_secs(10),
        "{:?}",
        released.elapsed()
    );
    let told = detail(&outcome);
    assert_eq!(
        (&told["forced"], &told["left"]),
        (&json!([]), &json!([])),
        "{told}"
    );
    let mut expected: Vec<String> = names.iter().map(|name| format!("outage/{name}")).collect();
    expected.insert(0, "outage/keeper".to_owned());
    assert_eq!(paths(&told, &["evicted", "others"]), expected, "{told}");
    // An answer may have died with the server, and the pod been asked again while it was ending: no more than that.
    for (name, codes) in evictions(&audit, &world.ground) {
        assert!(granted(&codes) <= 2, "{name}: {codes:?}");
        assert_ne!(name, "elsewhere");
    }
    assert_eq!(world.ground.names_on("outage-1").await, ["elsewhere"]);
    worker.stop().await;
}
