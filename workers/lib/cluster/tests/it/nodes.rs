//! The nodes alone.

use std::{collections::BTreeSet, time::Duration};

use hollowtrees_cluster::{Access, Limits, Nodes, Readiness};
use hollowtrees_harness::{ControlPlane, control_plane::fixtures, proxy::Tcp};
use serde_json::{Value, json};

use crate::support::{BOUND, manifest};

/// The role of who asks for nothing else, as it is deployed.
const RBAC: &str = include_str!("../../../../asg-swap/rbac.yaml");

async fn well(nodes: &Nodes, is_so: bool) -> Option<String> {
    let mut health = nodes.health();
    let what = if is_so {
        "the watch to stand"
    } else {
        "the break to be noticed"
    };
    let waited = health.wait_for(|health| health.trouble().is_none() == is_so);
    let health = tokio::time::timeout(BOUND, waited).await.expect(what).unwrap();
    health.trouble()
}

async fn becomes(nodes: &Nodes, instance: &str, from: Readiness, expected: Readiness) {
    let changed = tokio::time::timeout(BOUND, nodes.changed(instance, from)).await;
    assert_eq!(changed.expect("the node to change"), expected);
    assert_eq!(nodes.readiness(instance), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_followed_with_the_right_to_see_nodes_and_no_other() {
    let plane = ControlPlane::shared().await.unwrap();
    let (admin, name) = (plane.client().unwrap(), "nodes-alone");
    admin.namespace(name).await.unwrap();
    admin.grant(manifest(RBAC), name, "asg-swap").await.unwrap();
    let kubeconfig = plane
        .kubeconfig_for_service_account(name, "asg-swap")
        .await
        .unwrap();
    let proxy = Tcp::start(plane.addr()).await.unwrap();
    let url = format!("https://{}", proxy.addr());
    let access = Access {
        kubeconfig: Some(plane.kubeconfig_via(&kubeconfig, &url).unwrap()),
        context: None,
    };
    let audit = plane.audit().from_now().unwrap();
    // Every watch ends soon, so that it is seen to go on.
    let limits = Limits {
        watch: Duration::from_secs(1),
        ..Limits::default()
    };
    let nodes = Nodes::connect(&access, limits).await.unwrap();
    // It is whole without pods and budgets.
    well(&nodes, true).await;
    assert!(nodes.health().borrow().is_synced());

    let instance = fixtures::instance_id(name, 0);
    assert_eq!(nodes.readiness(&instance), Readiness::Absent);
    let mut object = fixtures::node("nodes-alone-0", "us-east-1a", &instance);
    object = fixtures::annotated(object, fixtures::READY_AFTER, "never");
    admin.post("/api/v1/nodes", &object).await.unwrap();
    becomes(&nodes, &instance, Readiness::Absent, Readiness::NotReady).await;
    let node = nodes.node_of(&instance).unwrap();
    assert_eq!((&*node.name, node.ready), ("nodes-alone-0", false));

    // Through a break, and what happened meanwhile is seen after it.
    proxy.cut();
    let trouble = well(&nodes, false).await.unwrap();
    assert!(trouble.starts_with("the watch of nodes broke"), "{trouble}");
    let status: Value = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    let path = "/api/v1/nodes/nodes-alone-0";
    admin.patch(&format!("{path}/status"), &status).await.unwrap();
    assert_eq!(
        nodes.readiness(&instance),
        Readiness::NotReady,
        "nothing is seen through a cut"
    );
    proxy.heal();
    becomes(&nodes, &instance, Readiness::NotReady, Readiness::Ready).await;
    well(&nodes, true).await;
    admin.delete(path, &json!({})).await.unwrap();
    becomes(&nodes, &instance, Readiness::Ready, Readiness::Absent).await;

    let user = format!("system:serviceaccount:{name}:asg-swap");
    let entries = audit.entries().unwrap();
    let ours: Vec<_> = entries.iter().filter(|entry| entry.user == user).collect();
    assert!(ours.iter().all(|entry| entry.code != 403), "{ours:#?}");
    let used: BTreeSet<_> = ours
        .iter()
        .map(|entry| (entry.verb.as_str(), entry.resource.as_str()))
        .collect();
    assert_eq!(used, BTreeSet::from([("list", "nodes"), ("watch", "nodes")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_nodes_is_told_and_sees_none() {
    let plane = ControlPlane::shared().await.unwrap();
    let kubeconfig = plane.kubeconfig_for_user("nobody-in-particular", None).unwrap();
    let access = Access {
        kubeconfig: Some(kubeconfig),
        context: None,
    };
    let nodes = Nodes::connect(&access, Limits::default()).await.unwrap();
    let mut health = nodes.health();
    let told = health.wait_for(|health| {
        health
            .trouble()
            .is_some_and(|trouble| trouble.contains("forbidden"))
    });
    tokio::time::timeout(BOUND, told)
        .await
        .expect("the refusal to be told")
        .unwrap();
    assert!(!nodes.health().borrow().is_synced());
}
