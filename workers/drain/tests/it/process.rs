//! The binary itself.

use std::time::Duration;

use hollowtrees_harness::{Worker, control_plane::fixtures, http_get, ports::Port, supervise::Signal};

use crate::{support::BOUND, world::World};

#[tokio::test(flavor = "multi_thread")]
async fn the_process_gets_ready_drains_counts_and_goes() {
    let mut world = World::new("binary", 1).await;
    world
        .ground
        .post_pods([fixtures::pod("p", "x", "binary-0")])
        .await;
    let port = Port::reserve().unwrap();
    let process = Worker::builder("drain", env!("CARGO_BIN_EXE_hollowtrees-drain"))
        .env("HT_CLUSTER__NAME", "binary")
        .env("HT_CLUSTER__KUBECONFIG", &world.ground.kubeconfig)
        .env("HT_NATS__URL", world.nats.url())
        .env("HT_HEALTH__LISTEN", port.addr().to_string())
        .start()
        .unwrap();
    let url = |path: &str| format!("http://{}{path}", port.addr());
    process.ready(&url("/readyz"), BOUND).await.unwrap();
    world.send(&world.action("drain", 120)).await;
    assert_eq!(world.end().await.result, "succeeded");
    let (_, metrics) = http_get::get(&url("/metrics")).await.unwrap();
    let metrics = String::from_utf8_lossy(&metrics);
    for line in [
        "hollowtrees_drain_requests_total{answer=\"granted\",request=\"evict\"} 1",
        "hollowtrees_drain_pods_total{result=\"evicted\"} 1",
        "hollowtrees_drain_oldest_queued_seconds 0",
        "hollowtrees_drain_nodes 0",
        "hollowtrees_drain_requests_in_flight 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} is not in\n{metrics}"
        );
    }
    // One line at the start and one at the end; none for a pod.
    let log = process.log().unwrap();
    let (instance, pod) = (fixtures::instance_id("binary", 0), "binary/p");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(&instance)).collect();
    assert!(
        lines.len() == 2
            && lines[0].contains("A node is being drained.")
            && lines[1].contains("An action ended.")
            && lines[1].contains("binary-0 is drained. Pods: 1 evicted.")
            && lines[1].contains("seconds_left=1"),
        "{log}"
    );
    assert!(!log.contains(pod), "{log}");
    process.signal(Signal::TERM).unwrap();
    let status = process.exited(Duration::from_secs(20)).await.unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn without_a_clusters_name_it_does_not_start() {
    let process = Worker::builder("drain", env!("CARGO_BIN_EXE_hollowtrees-drain"))
        .start()
        .unwrap();
    let status = process.exited(BOUND).await.unwrap();
    assert_eq!(status.code(), Some(64));
    assert!(
        process.log().unwrap().contains("cluster.name"),
        "{}",
        process.log().unwrap()
    );
}
