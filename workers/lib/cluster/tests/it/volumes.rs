//! A node without pods is drained once its volumes are detached, or when that takes too long.

use std::time::{Duration, Instant};

use hollowtrees_cluster::Settings;
use hollowtrees_domain::drain::{Force, Wish};
use hollowtrees_harness::{Error, control_plane::fixtures, eventually};
use serde_json::{Value, json};

use crate::support::{BOUND, Ground, assert_empty, drain, within};

const ATTACHMENTS: &str = "/apis/storage.k8s.io/v1/volumeattachments";

impl Ground {
    /// A pod with a volume of its own, which is attached to the pod's node.
    async fn pod_with_volume(&self, name: &str, node: &str, labels: &Value) {
        let volume = json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": format!("pv-{name}")},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "csi": {"driver": "example.com", "volumeHandle": name},
                "claimRef": {"namespace": self.name, "name": format!("claim-{name}")},
            },
        });
        self.admin
            .post("/api/v1/persistentvolumes", &volume)
            .await
            .unwrap();
        let attachment = json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "VolumeAttachment",
            "metadata": {"name": format!("on-{name}")},
            "spec": {
                "attacher": "example.com",
                "nodeName": node,
                "source": {"persistentVolumeName": format!("pv-{name}")},
            },
        });
        self.admin.post(ATTACHMENTS, &attachment).await.unwrap();
        let mut pod = fixtures::pod(name, "x", node);
        let claim = json!({"claimName": format!("claim-{name}")});
        pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": claim}]);
        pod["metadata"]["annotations"] = labels.clone();
        self.post_pods([pod]).await;
    }

    async fn detach(&self, name: &str) {
        let path = format!("{ATTACHMENTS}/on-{name}");
        self.admin.delete(&path, &json!({})).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_drained_when_its_volumes_are_detached() {
    let ground = Ground::new("volumes", 1).await;
    ground.pod_with_volume("db", "volumes-0", &json!({})).await;
    // One that stays keeps its volume, and nobody waits for that.
    let stays = json!({"hollowtrees.io/do-not-evict": "true"});
    ground.pod_with_volume("logs", "volumes-0", &stays).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    ground.seen(&cluster, &node, 2).await;
    cluster.cordon(&node, "i-1/1").await.unwrap();
    let mut ticket = cluster.drain(&node, within(600, Force::Always), None);
    eventually("the pod to be gone", BOUND, async || {
        match cluster.pods_on(&node.name).len() {
            1 => Ok(()),
            left => Err(Error::new(format!("{left} are there"))),
        }
    })
    .await;
    let waiting = tokio::time::timeout(Duration::from_secs(2), ticket.ended()).await;
    assert!(waiting.is_err(), "its volume is attached: {waiting:?}");
    ground.detach("db").await;
    let detached = Instant::now();
    let summary = tokio::time::timeout(BOUND, ticket.ended())
        .await
        .expect("the drain to end")
        .unwrap();
    assert!(
        detached.elapsed() < Duration::from_secs(3),
        "{:?}",
        detached.elapsed()
    );
    assert_empty(&summary);
    assert!(summary.attached.is_empty(), "{summary:?}");
    ground.detach("logs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_is_not_detached_is_told_of_when_its_wait_or_the_time_is_over() {
    let ground = Ground::new("attached", 2).await;
    ground.pod_with_volume("a", "attached-0", &json!({})).await;
    ground.pod_with_volume("b", "attached-1", &json!({})).await;
    let settings = Settings {
        volume_wait: Duration::from_secs(3),
        ..Settings::default()
    };
    let cluster = ground.cluster_by(ground.kubeconfig.clone(), settings).await;
    let node = ground.node(&cluster, 0).await;
    ground.seen(&cluster, &node, 1).await;
    let summary = drain(&cluster, &node, Wish::PATIENT).await;
    assert_empty(&summary);
    assert_eq!(summary.attached, ["pv-a"]);

    // With a minute to wait, but a deadline before that: the pods are gone in time, and that is a success.
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 1).await;
    ground.seen(&cluster, &node, 1).await;
    let began = Instant::now();
    let summary = drain(&cluster, &node, within(5, Force::Always)).await;
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_empty(&summary);
    assert_eq!(summary.attached, ["pv-b"]);
    for name in ["a", "b"] {
        ground.detach(name).await;
    }
}
