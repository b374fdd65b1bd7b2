//! Cordons under concurrent writers and several holders.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hollowtrees_cluster::{
    cordon::{Cordoned, EXCLUSION_LABEL, HOLDERS_ANNOTATION, Released, TAINT},
    events::Happened,
};
use hollowtrees_harness::{Error, eventually};
use serde_json::{Value, json};

use crate::support::{BOUND, Ground};

fn taints(node: &Value) -> Vec<&str> {
    let taints = node["spec"]["taints"].as_array();
    taints
        .into_iter()
        .flatten()
        .map(|taint| taint["key"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cordon_is_one_patch_and_leaves_nothing_behind() {
    let ground = Ground::new("cordon", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    let before = ground.read_node(0).await;
    let audit = ground.audit();

    assert_eq!(cluster.cordon(&node, "i-1/1").await.unwrap(), Cordoned::Now);
    let held = ground.read_node(0).await;
    assert_eq!(held["spec"]["unschedulable"], true);
    assert_eq!(taints(&held), [TAINT]);
    assert_eq!(held["metadata"]["labels"][EXCLUSION_LABEL], "true");
    assert!(
        held["metadata"]["annotations"][HOLDERS_ANNOTATION]
            .as_str()
            .unwrap()
            .contains("i-1/1")
    );
    let writes = audit.writes_by(&ground.user()).unwrap();
    assert_eq!(writes.len(), 1, "{writes:?}");

    // A second holder on what the cache does not show yet: the test fails, it looks again.
    assert_eq!(cluster.cordon(&node, "i-1/2").await.unwrap(), Cordoned::Now);
    eventually("the cache to show both", BOUND, async || {
        let node = ground.node(&cluster, 0).await;
        match cluster.cordon(&node, "i-1/1").await.unwrap() {
            Cordoned::Already => Ok(()),
            other => Err(Error::new(format!("{other:?}"))),
        }
    })
    .await;
    let node = ground.node(&cluster, 0).await;
    assert_eq!(cluster.uncordon(&node, "i-1/1").await.unwrap(), Released::Held(1));
    assert_eq!(cluster.uncordon(&node, "i-1/2").await.unwrap(), Released::Last);
    let after = ground.read_node(0).await;
    assert_eq!(cluster.uncordon(&node, "i-1/3").await.unwrap(), Released::NotHeld);
    assert_eq!(
        (&after["spec"], &after["metadata"]["labels"]),
        (&before["spec"], &before["metadata"]["labels"])
    );
    assert_eq!(after["metadata"]["annotations"].get(HOLDERS_ANNOTATION), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_stays() {
    let ground = Ground::new("foreign", 1).await;
    let cluster = ground.cluster().await;
    let labels = json!({EXCLUSION_LABEL: "theirs"});
    let taint = json!([{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]);
    let foreign = json!({"metadata": {"labels": labels}, "spec": {"unschedulable": true, "taints": taint}});
    ground
        .admin
        .patch("/api/v1/nodes/foreign-0", &foreign)
        .await
        .unwrap();
    // Whether or not the cache has seen it.
    let node = ground.node(&cluster, 0).await;
    cluster.cordon(&node, "i-1/1").await.unwrap();
    assert_eq!(taints(&ground.read_node(0).await), ["dedicated", TAINT]);
    assert_eq!(cluster.uncordon(&node, "i-1/1").await.unwrap(), Released::Last);
    let after = ground.read_node(0).await;
    assert_eq!(
        (&after["spec"]["unschedulable"], taints(&after)),
        (&json!(true), vec!["dedicated"])
    );
    assert_eq!(after["metadata"]["labels"][EXCLUSION_LABEL], "theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_elses_taint_is_lost_under_concurrent_writes() {
    let ground = Ground::new("taints", 1).await;
    let cluster = ground.cluster().await;
    let stop = Arc::new(AtomicBool::new(false));
    // Another writer puts taints on, one at a time, as careful as we are.
    let writer = {
        let (admin, stop) = (ground.plane.client().unwrap(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                let node = admin.get("/api/v1/nodes/taints-0").await.unwrap();
                let mut all = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
                all.push(json!({"key": format!("other-{written}"), "effect": "PreferNoSchedule"}));
                let patch = json!({
                    "metadata": {"resourceVersion": node["metadata"]["resourceVersion"]},
                    "spec": {"taints": all},
                });
                let answer = admin
                    .request(http::Method::PATCH, "/api/v1/nodes/taints-0", Some(&patch))
                    .await
                    .unwrap();
                written += usize::from(answer.status.is_success());
                // Often enough to come between any two steps of ours, not so often that nobody else gets to write.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            written
        })
    };
    for round in 0..12 {
        let node = ground.node(&cluster, 0).await;
        let holder = format!("i-1/{round}");
        cluster.cordon(&node, &holder).await.unwrap();
        assert!(taints(&ground.read_node(0).await).contains(&TAINT));
        assert_eq!(cluster.uncordon(&node, &holder).await.unwrap(), Released::Last);
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.await.unwrap();
    let node = ground.read_node(0).await;
    let left = taints(&node);
    assert!(written > 12, "the other writer wrote only {written} times");
    assert_eq!(left.len(), written, "{left:?}");
    assert!(left.iter().all(|key| key.starts_with("other-")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_told_of_once() {
    let ground = Ground::new("events", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    for _ in 0..2 {
        cluster.tell(
            &node,
            Happened::Draining,
            "events-story",
            "Draining, deadline in 2 m.",
        );
    }
    cluster.tell(
        &node,
        Happened::Drained,
        "events-story",
        "Drained: 3 pods evicted.",
    );
    let path = "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Devents-0";
    eventually("two events on the node", BOUND, async || {
        let events = ground.admin.list(path).await?;
        let reasons: Vec<_> = events
            .iter()
            .map(|event| event["reason"].as_str().unwrap_or_default())
            .collect();
        if reasons.len() == 2 {
            Ok(())
        } else {
            Err(Error::new(format!("{reasons:?}")))
        }
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(ground.admin.list(path).await.unwrap().len(), 2);
}
