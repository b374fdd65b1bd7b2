//! Watches that break.

use std::time::{Duration, Instant};

use hollowtrees_cluster::{Cluster, Settings};
use hollowtrees_harness::{
    control_plane::fixtures,
    eventually,
    proxy::{Fault, Tcp},
};

use crate::support::{BOUND, Ground};

/// Two seconds of pause at most, and what a busy machine takes.
const SEEN_WITHIN: Duration = Duration::from_secs(5);
/// Pauses that went on doubling would be ten seconds by then.
const OUTAGE: Duration = Duration::from_secs(15);

async fn well(cluster: &Cluster) {
    let mut health = cluster.health();
    tokio::time::timeout(BOUND, health.wait_for(|health| health.trouble().is_none()))
        .await
        .expect("all watches to stand again")
        .unwrap();
}

/// How long it takes from now until a pod is seen.
async fn until_seen(cluster: &Cluster, name: &str) -> Duration {
    let began = Instant::now();
    eventually(format!("pod {name} to be seen"), BOUND, async || {
        let pods = cluster.pods_on("cuts-0");
        pods.iter()
            .any(|pod| pod.name == name)
            .then_some(())
            .ok_or("it is not")
    })
    .await;
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_a_watch_is_cut_is_seen_soon_after() {
    let ground = Ground::new("cuts", 1).await;
    let proxy = Tcp::start(ground.plane.addr()).await.unwrap();
    let url = format!("https://{}", proxy.addr());
    let via = ground.plane.kubeconfig_via(&ground.kubeconfig, &url).unwrap();
    let cluster = ground.cluster_by(via, Settings::default()).await;

    // Cut once: the server is there at once.
    proxy.drop_connections();
    ground.post_pods([fixtures::pod("dropped", "x", "cuts-0")]).await;
    let took = until_seen(&cluster, "dropped").await;
    assert!(took < SEEN_WITHIN, "{took:?}");
    well(&cluster).await;

    // Gone for a while, in which a pod comes and another one goes.
    proxy.cut();
    let cut = Instant::now();
    let mut health = cluster.health();
    tokio::time::timeout(BOUND, health.wait_for(|health| health.trouble().is_some()))
        .await
        .expect("the break to be noticed")
        .unwrap();
    ground
        .post_pods([fixtures::pod("meanwhile", "x", "cuts-0")])
        .await;
    let gone = format!("{}/dropped", ground.pods_path());
    let options = serde_json::json!({"gracePeriodSeconds": 0});
    ground.admin.delete(&gone, &options).await.unwrap();
    tokio::time::sleep(OUTAGE.saturating_sub(cut.elapsed())).await;
    assert_eq!(
        cluster.pods_on("cuts-0").len(),
        1,
        "nothing was seen through the cut"
    );
    proxy.heal();
    let began = Instant::now();
    until_seen(&cluster, "meanwhile").await;
    eventually("the other pod to be seen as gone", BOUND, async || {
        let pods = cluster.pods_on("cuts-0");
        if pods.len() == 1 {
            Ok(())
        } else {
            Err(format!("{pods:?}"))
        }
    })
    .await;
    // Nothing happens to budgets and nodes: their watches count as well because they stand.
    well(&cluster).await;
    let took = began.elapsed();
    assert!(took < SEEN_WITHIN, "{took:?}");
}

/// How the server answers a watch that begins too long ago.
const TOO_OLD: &str = r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (10)","reason":"Expired","code":410}}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_before_a_watch_that_has_expired_stands_again_is_listed() {
    let ground = Ground::new("expired", 1).await;
    let proxy = ground.plane.http_proxy().await.unwrap();
    let cluster = ground.cluster_through(&proxy).await;
    let expired = [
        // As a word on the watch, the way the server says it, and in place of the watch.
        ("first", Fault::status(200).body(TOO_OLD)),
        ("second", Fault::status(410)),
    ];
    let mut before: Option<&str> = None;
    for (name, fault) in expired {
        let lists = || {
            let seen = proxy.seen();
            seen.iter()
                .filter(|seen| seen.path.starts_with("/api/v1/pods?") && !seen.path.contains("watch="))
                .count()
        };
        let listed = lists();
        // No watch is told of what comes now; seconds later, and before it would be listed for that, the next one has expired.
        let pods = |fault: Fault| fault.path("/api/v1/pods?");
        proxy.inject(pods(Fault::no_answer()).times(6));
        proxy.inject(pods(fault).times(1));
        let mut health = cluster.health();
        tokio::time::timeout(BOUND, health.wait_for(|health| health.trouble().is_some()))
            .await
            .expect("the break to be noticed")
            .unwrap();
        ground.post_pods([fixtures::pod(name, "x", "expired-0")]).await;
        if let Some(before) = before {
            let options = serde_json::json!({"gracePeriodSeconds": 0});
            ground
                .admin
                .delete(&format!("{}/{before}", ground.pods_path()), &options)
                .await
                .unwrap();
        }
        eventually(format!("{name} alone to be seen"), BOUND, async || {
            let names: Vec<String> = cluster
                .pods_on("expired-0")
                .iter()
                .map(|pod| pod.name.clone())
                .collect();
            if names == [name] {
                Ok(())
            } else {
                Err(format!("{names:?}"))
            }
        })
        .await;
        well(&cluster).await;
        assert_eq!(lists(), listed + 1, "listed once");
        before = Some(name);
    }
}
