use std::time::Duration;

use hollowtrees_domain::drain;
use hollowtrees_harness::{ControlPlane, control_plane::fixtures};
use kube::{Api, api::ListParams};
use serde_json::json;

use super::*;
use crate::connect::{self, Access};

const BOUND: Duration = Duration::from_secs(60);
const NAMESPACE: &str = "protobuf";

async fn next(events: &mut Events<WatchedPod>) -> WatchEvent<WatchedPod> {
    tokio::time::timeout(BOUND, events.next())
        .await
        .expect("an event")
        .expect("the watch to go on")
        .unwrap()
}

/// The same pods by a list in JSON, without those of others.
async fn listed(client: &Client) -> (Vec<drain::Pod>, String) {
    let api = Api::<WatchedPod>::all(client.clone());
    let list = api.list(&ListParams::default()).await.unwrap();
    let version = list.metadata.resource_version.unwrap();
    let pods = list.items.into_iter().map(|pod| pod.content);
    (pods.filter(|pod| pod.namespace == NAMESPACE).collect(), version)
}

/// A pod with everything that is read of one. What owns it is there, or it would be collected.
fn rich(node: &serde_json::Value) -> serde_json::Value {
    let mut pod = fixtures::pod("rich", "shop", "protobuf-0");
    pod["metadata"]["annotations"] = json!({"a/b": "c", "kubernetes.io/config.mirror": ""});
    pod["metadata"]["finalizers"] = json!(["example.com/held"]);
    let uid = &node["metadata"]["uid"];
    pod["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "Node", "name": "protobuf-0", "uid": uid, "controller": true}]);
    let spec = &mut pod["spec"];
    spec["terminationGracePeriodSeconds"] = 45.into();
    spec["priorityClassName"] = "system-node-critical".into();
    spec["tolerations"] =
        json!([{"key": "hollowtrees.io/terminating", "operator": "Exists", "effect": "NoSchedule"}]);
    spec["volumes"] = json!([
        {"name": "scratch", "emptyDir": {}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}},
        {"name": "tmp", "ephemeral": {"volumeClaimTemplate": {"spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}},
    ]);
    pod
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_is_the_same_in_both_encodings_from_its_beginning_to_its_end() {
    let plane = ControlPlane::shared().await.unwrap();
    let admin = plane.client().unwrap();
    admin.namespace(NAMESPACE).await.unwrap();
    admin
        .post_all("/api/v1/nodes", fixtures::nodes(NAMESPACE, 1))
        .await
        .unwrap();
    let client = connect::client(&Access {
        kubeconfig: Some(plane.kubeconfig().to_owned()),
        context: None,
    })
    .await
    .unwrap();
    let (_, version) = listed(&client).await;
    let params = WatchParams::default().fields("spec.nodeName!=").timeout(60);
    let mut events = pods(&client, &params, &version)
        .await
        .unwrap()
        .expect("an API server speaks protobuf");

    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    let node = admin.get("/api/v1/nodes/protobuf-0").await.unwrap();
    admin.post(&path, &rich(&node)).await.unwrap();
    // Until its kubelet has it run: what is listed then is what the last event said.
    let mut seen = Vec::new();
    let last = loop {
        match next(&mut events).await {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) if pod.content.namespace == NAMESPACE => {
                seen.push(pod.content);
            }
            _ => continue,
        }
        let last = seen.last().unwrap();
        if last.ready {
            break last.clone();
        }
    };
    assert_eq!(listed(&client).await.0, std::slice::from_ref(&last));
    assert_eq!(
        (last.name.as_str(), last.node.as_str(), last.grace_seconds),
        ("rich", "protobuf-0", 45)
    );
    assert!(last.critical && last.mirror && last.empty_dir && last.tolerates && last.started_at.is_some());
    assert_eq!(last.owner, drain::Owner::Controller);
    assert_eq!(last.claims, ["data-0", "rich-tmp"]);
    assert_eq!(last.finalizers, ["example.com/held"]);

    // Told to end, ended by its kubelet, and held by its finalizer.
    let pod = format!("{path}/rich");
    admin
        .delete(&pod, &json!({"gracePeriodSeconds": 7}))
        .await
        .unwrap();
    let ending = loop {
        match next(&mut events).await {
            WatchEvent::Modified(pod)
                if pod
                    .content
                    .deletion
                    .is_some_and(|deletion| deletion.grace_seconds == 0) =>
            {
                break pod.content;
            }
            _ => {}
        }
    };
    assert_eq!(listed(&client).await.0, std::slice::from_ref(&ending));
    admin
        .patch(&pod, &json!({"metadata": {"finalizers": null}}))
        .await
        .unwrap();
    loop {
        if let WatchEvent::Deleted(pod) = next(&mut events).await {
            assert_eq!(pod.content.name, "rich");
            assert!(pod.meta.resource_version.is_some());
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_as_in_json() {
    let plane = ControlPlane::shared().await.unwrap();
    let client = connect::client(&Access {
        kubeconfig: Some(plane.kubeconfig().to_owned()),
        context: None,
    })
    .await
    .unwrap();
    let params = WatchParams::default().timeout(60);
    let told = |error: Option<kube::Error>| match error {
        Some(kube::Error::Api(status)) => (status.code, status.message),
        other => panic!("{other:?}"),
    };
    let ours = told(pods(&client, &params, "none").await.err());
    let api = Api::<WatchedPod>::all(client.clone());
    assert_eq!(ours, told(api.watch(&params, "none").await.err()));
    assert!(ours.0 >= 400 && ours.1.contains("none"), "{ours:?}");
}

fn frame(kind: &str, object: &impl Message) -> Vec<u8> {
    let mut raw = MAGIC.to_vec();
    Unknown {
        raw: object.encode_to_vec(),
    }
    .encode(&mut raw)
    .unwrap();
    Event {
        kind: kind.to_owned(),
        object: Some(RawExtension { raw }),
    }
    .encode_to_vec()
}

#[test]
fn bookmarks_and_errors_are_read() {
    let bookmark = Pod {
        metadata: Some(ObjectMeta {
            resource_version: "42".to_owned(),
            ..ObjectMeta::default()
        }),
        ..Pod::default()
    };
    assert!(matches!(
        event(&frame("BOOKMARK", &bookmark)).unwrap(),
        WatchEvent::Bookmark(found) if found.metadata.resource_version == "42"
    ));
    let gone = ApiStatus {
        message: "too old resource version".to_owned(),
        reason: "Expired".to_owned(),
        code: 410,
    };
    assert!(matches!(
        event(&frame("ERROR", &gone)).unwrap(),
        WatchEvent::Error(status) if status.code == 410 && status.message == gone.message
    ));
    assert!(matches!(
        event(&frame("OTHER", &gone)).unwrap(),
        WatchEvent::Error(_)
    ));
    assert!(event(b"\xff\xff\xff").is_err());
}

#[tokio::test]
async fn a_stream_is_read_however_it_is_cut_and_broken_off_is_an_error() {
    let pod = Pod {
        metadata: Some(ObjectMeta {
            name: "p".to_owned(),
            ..ObjectMeta::default()
        }),
        ..Pod::default()
    };
    let mut bytes = Vec::new();
    for kind in ["ADDED", "MODIFIED", "DELETED"] {
        let frame = frame(kind, &pod);
        bytes.extend(u32::try_from(frame.len()).unwrap().to_be_bytes());
        bytes.extend(frame);
    }
    for size in [1, 3, 7, bytes.len()] {
        let parts: Vec<_> = bytes
            .chunks(size)
            .map(|part| Ok(Bytes::copy_from_slice(part)))
            .collect();
        let read: Vec<_> = events(futures::stream::iter(parts)).collect().await;
        let kinds: Vec<_> = read
            .iter()
            .map(|event| format!("{:?}", event.as_ref().unwrap()))
            .collect();
        assert_eq!(
            kinds,
            ["Added event", "Modified event", "Deleted event"],
            "by {size}"
        );
    }
    let short = Bytes::copy_from_slice(&bytes[..bytes.len() - 1]);
    let read: Vec<_> = events(futures::stream::iter([Ok(short)])).collect().await;
    assert_eq!(read.len(), 3);
    assert!(read[2].is_err());
}
