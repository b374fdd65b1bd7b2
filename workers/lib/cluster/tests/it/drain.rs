//! Drains that meet no resistance, or wait for it to pass.

use std::time::{Duration, Instant};

use hollowtrees_domain::drain::{Force, Options, Skip, Wish};
use hollowtrees_harness::control_plane::fixtures;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::support::{BOUND, Ground, assert_empty, drain, paths, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_emptied_with_one_request_a_pod() {
    let ground = Ground::new("plain", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    let mut finalized = fixtures::pod("finalized", "x", "plain-0");
    finalized["metadata"]["finalizers"] = json!(["testbed.hollowtrees.io/hold"]);
    let mut empty_dir = fixtures::pod("scratch", "x", "plain-0");
    empty_dir["spec"]["volumes"] = json!([{"name": "scratch", "emptyDir": {}}]);
    let mirror = fixtures::annotated(
        fixtures::pod("mirror", "x", "plain-0"),
        "kubernetes.io/config.mirror",
        "x",
    );
    ground
        .post_pods([
            fixtures::pod("bare", "x", "plain-0"),
            empty_dir,
            finalized,
            mirror,
            fixtures::annotated(
                fixtures::pod("job", "x", "plain-0"),
                fixtures::COMPLETE_AFTER,
                "10ms",
            ),
            fixtures::annotated(
                fixtures::pod("stays", "x", "plain-0"),
                "hollowtrees.io/do-not-evict",
                "true",
            ),
        ])
        .await;
    let daemons = "/apis/apps/v1/namespaces/plain/daemonsets";
    ground
        .admin
        .post(daemons, &fixtures::daemon_set("agent", "plain"))
        .await
        .unwrap();
    let deployments = "/apis/apps/v1/namespaces/plain/deployments";
    ground
        .admin
        .post(deployments, &fixtures::deployment("web", 5, "plain"))
        .await
        .unwrap();
    ground.seen(&cluster, &node, 12).await;
    hollowtrees_harness::eventually("the job to be seen as finished", BOUND, async || {
        cluster
            .pods_on("plain-0")
            .iter()
            .any(|pod| pod.name == "job" && pod.finished)
    })
    .await;

    let audit = ground.audit();
    let summary = drain(&cluster, &node, within(120, Force::Always)).await;
    assert_empty(&summary);
    assert_eq!(summary.evicted.len(), 8, "{summary:?}");
    assert!(
        summary.forced.is_empty() && summary.others.is_empty() && summary.shortened.is_empty(),
        "{summary:?}"
    );
    let skipped = |name: &str| summary.skipped.get(&format!("plain/{name}")).copied();
    assert_eq!(skipped("mirror"), Some(Skip::Mirror));
    assert_eq!(skipped("job"), Some(Skip::Finished));
    assert_eq!(skipped("stays"), Some(Skip::OptedOut));
    assert_eq!(
        summary
            .skipped
            .values()
            .filter(|skip| **skip == Skip::Daemon)
            .count(),
        1
    );
    assert_eq!(summary.finalizing.keys().collect::<Vec<_>>(), ["plain/finalized"]);
    assert_eq!(summary.requests, 8);

    let writes = audit.writes_by(&ground.user()).unwrap();
    assert_eq!(
        writes.len(),
        9,
        "one patch, and one eviction for each of eight pods: {writes:?}"
    );
    let reads = audit.count_by(&ground.user()).unwrap();
    assert!(
        reads
            .keys()
            .all(|(verb, _)| !matches!(verb.as_str(), "get" | "list")),
        "{reads:?}"
    );
    ground
        .admin
        .patch(
            &format!("{}/finalized", ground.pods_path()),
            &json!({"metadata": {"finalizers": null}}),
        )
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn options_spare_what_they_are_told_to() {
    let ground = Ground::new("options", 1).await;
    let options = Options {
        bare: false,
        empty_dir: false,
        daemons: true,
        ..Options::default()
    };
    let cluster = ground.cluster_with(options).await;
    let node = ground.node(&cluster, 0).await;
    ground.post_pods([fixtures::pod("bare", "x", "options-0")]).await;
    let mut scratch = fixtures::deployment("scratch", 1, "options");
    scratch["spec"]["template"]["spec"]["volumes"] = json!([{"name": "scratch", "emptyDir": {}}]);
    ground
        .admin
        .post("/apis/apps/v1/namespaces/options/deployments", &scratch)
        .await
        .unwrap();
    // Its pods do not tolerate our taint, so none comes back.
    let daemons = "/apis/apps/v1/namespaces/options/daemonsets";
    ground
        .admin
        .post(daemons, &fixtures::daemon_set("agent", "options"))
        .await
        .unwrap();
    ground.seen(&cluster, &node, 3).await;
    let summary = drain(&cluster, &node, Wish::PATIENT).await;
    assert_empty(&summary);
    assert_eq!(summary.evicted.len(), 1, "{summary:?}");
    let skips: Vec<Skip> = summary.skipped.values().copied().collect();
    assert_eq!(skips, [Skip::Bare, Skip::EmptyDir], "{summary:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_pod_goes_when_its_budget_is_released() {
    let ground = Ground::new("released", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    ground
        .post_pods([
            fixtures::pod("db", "db", "released-0"),
            fixtures::pod("free", "free", "released-0"),
        ])
        .await;
    ground.budget("db", 1, 0).await;
    ground.seen(&cluster, &node, 2).await;
    cluster.cordon(&node, "i-1/1").await.unwrap();
    let mut ticket = cluster.drain(&node, Wish::PATIENT, None);
    // Blocked long enough for its waits to have grown to seconds.
    let blocked = tokio::time::timeout(Duration::from_secs(4), ticket.ended()).await;
    assert!(blocked.is_err(), "{blocked:?}");
    assert_eq!(
        ground.names_on("released-0").await,
        ["db"],
        "the other one did not wait for it"
    );
    ground
        .admin
        .patch(
            &format!("{}/db", ground.budgets_path()),
            &json!({"spec": {"minAvailable": 0}}),
        )
        .await
        .unwrap();
    let released = Instant::now();
    let summary = tokio::time::timeout(BOUND, ticket.ended())
        .await
        .unwrap()
        .unwrap();
    assert!(
        released.elapsed() < Duration::from_secs(3),
        "{:?}",
        released.elapsed()
    );
    assert_empty(&summary);
    assert_eq!(summary.evicted, paths(&ground, &["db", "free"]));
    assert!(summary.requests < 12, "{summary:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tiers_go_one_after_another() {
    let ground = Ground::new("tiers", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    let slow =
        |name: &str| fixtures::annotated(fixtures::pod(name, "x", "tiers-0"), fixtures::EXIT_AFTER, "1s");
    let mut critical = slow("critical");
    critical["spec"]["priorityClassName"] = "system-cluster-critical".into();
    let mut ours = slow("ours");
    ours["metadata"]["labels"]["app.kubernetes.io/part-of"] = "hollowtrees".into();
    ground.post_pods([slow("ordinary"), critical, ours]).await;
    ground.seen(&cluster, &node, 3).await;
    let start = Instant::now();
    let audit = ground.audit();
    let summary = drain(&cluster, &node, within(120, Force::Always)).await;
    assert_empty(&summary);
    assert!(start.elapsed() >= Duration::from_secs(3), "{:?}", start.elapsed());
    let order: Vec<String> = audit
        .writes_by(&ground.user())
        .unwrap()
        .into_iter()
        .filter(|entry| entry.resource == "pods/eviction")
        .map(|entry| entry.name)
        .collect();
    assert_eq!(order, ["ordinary", "critical", "ours"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_drain_joins_the_first_and_a_party_may_leave() {
    let ground = Ground::new("joined", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    let pod = fixtures::annotated(fixtures::pod("slow", "x", "joined-0"), fixtures::EXIT_AFTER, "2s");
    ground.post_pods([pod]).await;
    ground.seen(&cluster, &node, 1).await;
    cluster.cordon(&node, "i-1/1").await.unwrap();
    let mut first = cluster.drain(&node, Wish::PATIENT, None);
    let mut second = cluster.drain(&node, within(120, Force::Always), None);
    let third = cluster.drain(&node, Wish::PATIENT, None);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let left = third.leave().expect("it was under way");
    assert_eq!(left.evicted, paths(&ground, &["slow"]));
    let (first, second) = tokio::join!(first.ended(), second.ended());
    assert_eq!(first, second);
    let summary = first.unwrap();
    assert_empty(&summary);
    assert_eq!(summary.requests, 1);
    assert_eq!(cluster.counts().draining, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_take_over_goes_on_where_the_other_one_was() {
    let ground = Ground::new("takeover", 1).await;
    let (one, two) = (ground.cluster().await, ground.cluster().await);
    let node = ground.node(&one, 0).await;
    let slow =
        |name: &str| fixtures::annotated(fixtures::pod(name, "x", "takeover-0"), fixtures::EXIT_AFTER, "2s");
    ground.post_pods([slow("a"), slow("b")]).await;
    ground.seen(&one, &node, 2).await;
    one.cordon(&node, "i-1/1").await.unwrap();
    let ticket = one.drain(&node, Wish::PATIENT, None);
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop((ticket, one));
    let audit = ground.audit();
    let node = ground.node(&two, 0).await;
    let summary = drain(&two, &node, Wish::PATIENT).await;
    assert_empty(&summary);
    assert_eq!(summary.others, paths(&ground, &["a", "b"]), "{summary:?}");
    let evictions = audit.count_by(&ground.user()).unwrap();
    assert_eq!(
        evictions.get(&("create".to_owned(), "pods/eviction".to_owned())),
        None,
        "{evictions:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_there_is_missed_in_time_and_one_that_comes_is_found() {
    let ground = Ground::new("absent", 0).await;
    let cluster = ground.cluster().await;
    let start = Instant::now();
    let soon = Timestamp::now() + SignedDuration::from_millis(700);
    assert_eq!(cluster.find("i-nowhere", "absent-9", soon).await, None);
    assert!(start.elapsed() >= Duration::from_millis(700) && start.elapsed() < Duration::from_secs(10));
    let long_ago = Timestamp::now() - SignedDuration::from_secs(60);
    assert_eq!(cluster.find("i-nowhere", "", long_ago).await, None);

    let id = fixtures::instance_id("absent", 3);
    let waiting = {
        let (cluster, id) = (cluster.clone(), id.clone());
        tokio::spawn(async move {
            cluster
                .find(&id, "", Timestamp::now() + SignedDuration::from_secs(60))
                .await
        })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    ground
        .admin
        .post("/api/v1/nodes", &fixtures::node("absent-3", "us-east-1a", &id))
        .await
        .unwrap();
    let node = waiting.await.unwrap().expect("it has come");
    assert_eq!(&*node.name, "absent-3");
    // By its name, but not when the name is another machine's now.
    assert!(cluster.find("vm-1", "absent-3", long_ago).await.is_some());
    assert_eq!(
        cluster.find("i-00000000000000001", "absent-3", long_ago).await,
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_at_once_are_drained_with_no_request_too_many() {
    const NODES: usize = 12;
    const PODS: usize = 5;
    let ground = Ground::new("many", NODES).await;
    let cluster = ground.cluster().await;
    let pods = (0..NODES).flat_map(|n| {
        (0..PODS).map(move |p| fixtures::pod(&format!("p-{n}-{p}"), "x", &format!("many-{n}")))
    });
    ground.post_pods(pods).await;
    let mut nodes = Vec::new();
    for n in 0..NODES {
        let node = ground.node(&cluster, n).await;
        ground.seen(&cluster, &node, PODS).await;
        nodes.push(node);
    }
    let audit = ground.audit();
    let start = Instant::now();
    let drains = nodes
        .iter()
        .map(|node| drain(&cluster, node, within(120, Force::Always)));
    let summaries = futures::future::join_all(drains).await;
    let took = start.elapsed();
    for summary in &summaries {
        assert_empty(summary);
        assert_eq!(
            (summary.evicted.len(), summary.requests),
            (PODS, PODS as u64),
            "{summary:?}"
        );
    }
    let writes = audit.writes_by(&ground.user()).unwrap().len();
    assert_eq!(writes, NODES * (PODS + 1));
    println!("{NODES} nodes with {PODS} pods each: {took:?}, {writes} writes");
}
