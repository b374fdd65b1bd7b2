//! What comes after a drain, or instead of one: a machine that is started anew, one that is gone, a taint and no more.

use std::{sync::Arc, time::Duration};

use hollowtrees_harness::{ControlPlane, Error, control_plane::fixtures, eventually};
use hollowtrees_schemas::proto;
use serde_json::{Value, json};

use crate::{
    support::{BOUND, Ground, manifest},
    world::{World, detail},
};

const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
/// Seconds after which a node that says nothing is `Unknown`.
const SILENT_AFTER: u32 = 5;

fn with(action: proto::Action, params: Value) -> proto::Action {
    proto::Action {
        params: Some(serde_json::from_value(params).unwrap()),
        ..action
    }
}

fn taints(node: &Value) -> Vec<String> {
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    taints
        .map(|taint| taint["key"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taint_and_no_more_lets_pods_that_tolerate_it_come_and_is_taken_off() {
    let mut world = World::new("taint", 1).await;
    let before = world.ground.read_node(0).await;
    let worker = world.worker().await;
    world
        .send(&with(world.action("cordon", 120), json!({"taint_only": true})))
        .await;
    let outcome = world.end().await;
    assert_eq!(
        outcome.message, "taint-0 takes no new pods but such as tolerate its taint.",
        "{outcome:?}"
    );
    let node = world.ground.read_node(0).await;
    assert_eq!(taints(&node), ["hollowtrees.io/terminating"]);
    assert_eq!(node["spec"].get("unschedulable"), None);
    assert_eq!(node["metadata"]["labels"], before["metadata"]["labels"]);
    // Somebody else cordons it meanwhile: that stays.
    let foreign = json!({"spec": {"unschedulable": true}});
    let path = "/api/v1/nodes/taint-0";
    world.ground.admin.patch(path, &foreign).await.unwrap();
    world.send(&world.action("uncordon", 120)).await;
    assert_eq!(world.end().await.result, "succeeded");
    let node = world.ground.read_node(0).await;
    assert_eq!(node["spec"]["unschedulable"], true);
    assert!(!taints(&node).contains(&"hollowtrees.io/terminating".to_owned()));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_was_started_anew_is_uncordoned_and_one_that_was_not_stays_cordoned() {
    let mut world = World::new("reboot", 2).await;
    for i in 0..2 {
        boot(&world.ground, i, "first").await;
    }
    let worker = world.worker().await;
    for i in 0..2 {
        world.send(&world.action_on(i, "drain", 120)).await;
        assert_eq!(world.end().await.result, "succeeded");
    }
    let after = json!({"after": "reboot"});
    world
        .send(&with(world.action_on(0, "uncordon", 120), after.clone()))
        .await;
    // Its outcome is due sooner than anything happens to its machine.
    let brief = proto::Action {
        close_at: Some(hollowtrees_schemas::proto::time::to_proto(
            jiff::Timestamp::now() + jiff::SignedDuration::from_secs(6),
        )),
        ..world.action_on(1, "uncordon", 120)
    };
    world.send(&with(brief, after)).await;
    let late = world.end().await;
    assert_eq!(
        (late.instance.as_str(), late.result.as_str(), late.reason.as_str()),
        (
            fixtures::instance_id("reboot", 1).as_str(),
            "failed",
            "not-rebooted"
        ),
        "{late:?}"
    );
    for i in 0..2 {
        assert_eq!(world.ground.read_node(i).await["spec"]["unschedulable"], true);
    }
    boot(&world.ground, 0, "second").await;
    let done = world.end().await;
    assert_eq!(
        done.message, "reboot-0 is as it was before its cordon.",
        "{done:?}"
    );
    let node = world.ground.read_node(0).await;
    assert_eq!(node["spec"].get("unschedulable"), None);
    assert_eq!(world.ground.read_node(1).await["spec"]["unschedulable"], true);
    worker.stop().await;
}

/// What a kubelet says once it runs on a machine that has just started.
async fn boot(ground: &Ground, i: usize, id: &str) {
    let path = format!("/api/v1/nodes/{}-{i}/status", ground.name);
    let status = json!({"status": {"nodeInfo": {"bootID": id}}});
    ground.admin.patch(&path, &status).await.unwrap();
}

/// A node whose kubelet ended, and one whose kubelet speaks, under the controllers that give up nodes.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_gone_is_given_up_and_deleted_and_one_that_speaks_is_not_touched() {
    let plane = Arc::new(ControlPlane::start_giving_up_after(SILENT_AFTER).await.unwrap());
    let ground = Ground::on(Arc::clone(&plane), "gone", 2).await;
    let roles = manifest(include_str!("../../rbac-remove-node.yaml"));
    ground.admin.grant(roles, "gone", "drain").await.unwrap();
    let speaking = [0, 1].map(|i| {
        let plane = Arc::clone(&plane);
        tokio::spawn(async move {
            loop {
                plane.keep_alive(&format!("gone-{i}")).await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        })
    });
    let pods = (0..2)
        .flat_map(|i| (0..3).map(move |n| fixtures::pod(&format!("p-{i}-{n}"), "app", &format!("gone-{i}"))));
    ground.post_pods(pods).await;
    let dead = json!({"metadata": {"annotations": {fixtures::KUBELET: "stopped"}}});
    ground.admin.patch("/api/v1/nodes/gone-0", &dead).await.unwrap();
    speaking[0].abort();
    let attachment = json!({
        "metadata": {"name": "csi-gone"},
        "spec": {"attacher": "csi.test", "nodeName": "gone-0", "source": {"persistentVolumeName": "pv-gone"}},
    });
    let attachments = "/apis/storage.k8s.io/v1/volumeattachments";
    ground.admin.post(attachments, &attachment).await.unwrap();

    let mut world = World::on(ground).await;
    let worker = world.worker().await;
    let audit = world.ground.audit();
    // Due soon: its kubelet will not fall silent.
    let speaks = proto::Action {
        close_at: Some(hollowtrees_schemas::proto::time::to_proto(
            jiff::Timestamp::now() + jiff::SignedDuration::from_secs(15),
        )),
        ..world.action_on(1, "remove-node", 600)
    };
    world.send(&speaks).await;
    world.send(&world.action_on(0, "remove-node", 600)).await;

    let spared = world.end().await;
    assert_eq!(
        (spared.instance.as_str(), spared.reason.as_str()),
        (fixtures::instance_id("gone", 1).as_str(), "node-still-speaks"),
        "{spared:?}"
    );
    assert_eq!(world.ground.names_on("gone-1").await.len(), 3);
    assert!(!taints(&world.ground.read_node(1).await).contains(&OUT_OF_SERVICE.to_owned()));

    // Its pods are given up by the controllers; its volume keeps the object.
    eventually("its pods to be gone", BOUND, async || {
        let left = world.ground.names_on("gone-0").await;
        if left.is_empty() {
            Ok(())
        } else {
            Err(Error::new(format!("{left:?}")))
        }
    })
    .await;
    let node = world.ground.read_node(0).await;
    assert!(taints(&node).contains(&OUT_OF_SERVICE.to_owned()), "{node}");
    let detach = format!("{attachments}/csi-gone");
    world.ground.admin.delete(&detach, &json!({})).await.unwrap();
    let outcome = world.end().await;
    assert_eq!(outcome.message, "gone-0 is deleted.", "{outcome:?}");
    let told = detail(&outcome);
    assert_eq!(
        (&told["out_of_service"], &told["deleted"], &told["left"]),
        (&json!(true), &json!(true), &json!([])),
        "{told}"
    );
    let gone = world.ground.admin.get("/api/v1/nodes/gone-0").await;
    assert!(gone.unwrap_err().to_string().contains("404"));
    let writes = audit.writes_by(&world.ground.user()).unwrap();
    let of_node = |verb: &str| {
        let nodes = writes.iter().filter(|entry| entry.resource == "nodes");
        nodes
            .filter(|entry| entry.verb == verb && entry.is_done())
            .count()
    };
    // One on a version that was not the last any more is refused, and does nothing.
    assert_eq!((of_node("patch"), of_node("delete")), (1, 1), "{writes:?}");
    speaking[1].abort();
    worker.stop().await;
}
