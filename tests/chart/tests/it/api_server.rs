//! A real API server takes every manifest as it is: a server-side dry run that refuses unknown fields.

use std::{sync::Arc, time::Duration};

use hollowtrees_harness::{
    ControlPlane, Error,
    control_plane::{Client, fixtures},
    eventually,
};
use serde_json::{Value, json};

use crate::documents::{CUSTOM, SETS, kind, name, rendered, with, workloads};

const BOUND: Duration = Duration::from_secs(90);

/// Where objects of a kind are posted.
fn path(object: &Value) -> String {
    let (group, plural) = match kind(object) {
        "ConfigMap" => ("/api/v1", "configmaps"),
        "Service" => ("/api/v1", "services"),
        "ServiceAccount" => ("/api/v1", "serviceaccounts"),
        "DaemonSet" => ("/apis/apps/v1", "daemonsets"),
        "Deployment" => ("/apis/apps/v1", "deployments"),
        "Job" => ("/apis/batch/v1", "jobs"),
        "PodDisruptionBudget" => ("/apis/policy/v1", "poddisruptionbudgets"),
        "ClusterRole" => ("/apis/rbac.authorization.k8s.io/v1", "clusterroles"),
        "ClusterRoleBinding" => ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
        "Role" => ("/apis/rbac.authorization.k8s.io/v1", "roles"),
        "RoleBinding" => ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
        "ValidatingAdmissionPolicy" => (
            "/apis/admissionregistration.k8s.io/v1",
            "validatingadmissionpolicies",
        ),
        "ValidatingAdmissionPolicyBinding" => (
            "/apis/admissionregistration.k8s.io/v1",
            "validatingadmissionpolicybindings",
        ),
        "FlowSchema" => ("/apis/flowcontrol.apiserver.k8s.io/v1", "flowschemas"),
        other => panic!("the chart has a {other} now; say here where it goes"),
    };
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{group}/namespaces/{namespace}/{plural}"),
        None => format!("{group}/{plural}"),
    }
}

/// Creates what the chart renders, for good.
pub(crate) async fn install(admin: &Client, objects: &[Value]) {
    for object in objects {
        admin.ensure(&path(object), object).await.unwrap();
    }
}

async fn ground() -> (Arc<ControlPlane>, Client) {
    let plane = ControlPlane::shared().await.unwrap();
    let admin = plane.client().unwrap();
    (plane, admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_manifest_is_accepted() {
    let (_plane, admin) = ground().await;
    for set in SETS {
        let namespace = format!("accept-{set}");
        admin.namespace(&namespace).await.unwrap();
        let objects = rendered(&with(set).namespace(&namespace)).await;
        let mut accepted = 0;
        for object in objects.iter().filter(|object| !CUSTOM.contains(&kind(object))) {
            let path = format!("{}?dryRun=All&fieldValidation=Strict", path(object));
            let answer = admin
                .request(http::Method::POST, &path, Some(object))
                .await
                .unwrap();
            assert!(
                answer.status.is_success(),
                "{} {} of {set}: {answer}\n{object:#}",
                kind(object),
                name(object)
            );
            accepted += 1;
        }
        assert!(accepted >= 10, "{set}: {accepted}");
    }
}

/// What the server says to an unknown field: the test above can fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_field_is_refused() {
    let (_plane, admin) = ground().await;
    let namespace = "misspelt";
    admin.namespace(namespace).await.unwrap();
    let objects = rendered(&with("minimal").namespace(namespace)).await;
    let mut deployment = objects
        .into_iter()
        .find(|object| kind(object) == "Deployment")
        .unwrap();
    deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = json!({});
    let path = format!("{}?dryRun=All&fieldValidation=Strict", path(&deployment));
    let answer = admin
        .request(http::Method::POST, &path, Some(&deployment))
        .await
        .unwrap();
    assert_eq!(answer.status, 400, "{answer}");
}

/// The strictest of the Pod Security Standards takes all pods; of the agent it minds the host's network and nothing
/// else.
#[tokio::test(flavor = "multi_thread")]
async fn pods_meet_the_restricted_standard() {
    let (_plane, admin) = ground().await;
    for set in SETS {
        let namespace = format!("restricted-{set}");
        admin.namespace(&namespace).await.unwrap();
        let enforce = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        let labelled = format!("/api/v1/namespaces/{namespace}");
        admin.patch(&labelled, &enforce).await.unwrap();
        let objects = rendered(&with(set).namespace(&namespace)).await;
        let accounts: Vec<Value> = objects
            .iter()
            .filter(|object| kind(object) == "ServiceAccount")
            .cloned()
            .collect();
        install(&admin, &accounts).await;
        for (worker, template) in workloads(&objects) {
            let mut pod = template.clone();
            pod["apiVersion"] = "v1".into();
            pod["kind"] = "Pod".into();
            pod["metadata"]["name"] = worker.into();
            let path = format!("/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict");
            let answer = admin
                .request(http::Method::POST, &path, Some(&pod))
                .await
                .unwrap();
            if worker != "agent" {
                assert!(answer.status.is_success(), "{worker} of {set}: {answer}");
                continue;
            }
            assert_eq!(answer.status, 403, "{answer}");
            let message = answer.body["message"].as_str().unwrap();
            let minded = message.split_once("\"restricted:").unwrap().1;
            assert!(minded.contains("hostNetwork=true"), "{message}");
            for harmless in [
                "runAsNonRoot",
                "seccompProfile",
                "capabilities",
                "allowPrivilegeEscalation",
                "volume",
            ] {
                assert!(!minded.contains(harmless), "{message}");
            }
        }
    }
}

/// Installed for good: controllers make the pods, the scheduler and the nodes take them, and the Job ends.
#[tokio::test(flavor = "multi_thread")]
async fn an_installed_release_comes_to_run() {
    let (_plane, admin) = ground().await;
    let namespace = "installed";
    admin.namespace(namespace).await.unwrap();
    admin
        .post_all("/api/v1/nodes", fixtures::nodes(namespace, 3))
        .await
        .unwrap();
    // On nodes of its own; other tests drain theirs.
    let here = json!({fixtures::PREFIX: namespace}).to_string();
    let mut render = with("full").namespace(namespace).set(
        "busApply.podAnnotations",
        &json!({fixtures::COMPLETE_AFTER: "100ms"}).to_string(),
    );
    // Roles belong to no namespace: the names of other tests are taken.
    render = render.set("fullnameOverride", &format!("{namespace:?}"));
    for worker in [
        "agent",
        "router",
        "drain",
        "asgSwap",
        "lifecycle",
        "metrics",
        "gateway",
        "recommender",
        "busApply",
    ] {
        render = render.set(&format!("{worker}.nodeSelector"), &here);
    }
    let objects: Vec<Value> = rendered(&render)
        .await
        .into_iter()
        .filter(|object| !CUSTOM.contains(&kind(object)))
        .collect();
    install(&admin, &objects).await;
    // One agent a node, tainted or not.
    let taint = json!({"spec": {"taints": [{"key": "any", "effect": "NoExecute"}], "unschedulable": true}});
    admin.patch("/api/v1/nodes/installed-2", &taint).await.unwrap();
    for object in &objects {
        let (status, wanted) = match kind(object) {
            "DaemonSet" => ("numberReady", 3),
            "Deployment" => ("readyReplicas", object["spec"]["replicas"].as_u64().unwrap()),
            "Job" => ("succeeded", 1),
            _ => continue,
        };
        let path = format!("{}/{}", path(object), name(object));
        eventually(format!("{wanted} {status} of {path}"), BOUND, async || {
            let found = admin.get(&path).await?;
            match found["status"][status].as_u64() {
                Some(count) if count == wanted => Ok(()),
                _ => Err(Error::new(found["status"].to_string())),
            }
        })
        .await;
    }
}

/// In the API server's queues the drain worker is told from everybody else.
#[tokio::test(flavor = "multi_thread")]
async fn the_drain_workers_requests_have_a_flow_of_their_own() {
    const SCHEMA: &str = "x-kubernetes-pf-flowschema-uid";
    let (plane, admin) = ground().await;
    let namespace = "flow";
    admin.namespace(namespace).await.unwrap();
    let objects = rendered(&with("minimal").namespace(namespace).release("flow")).await;
    let of_kind = |wanted: &str| {
        let found = objects
            .iter()
            .find(|object| kind(object) == wanted && name(object).ends_with("-drain"));
        found.unwrap_or_else(|| panic!("a {wanted} of drain"))
    };
    let (schema, account) = (of_kind("FlowSchema"), of_kind("ServiceAccount"));
    install(&admin, &[account.clone(), schema.clone()]).await;
    let uid = admin
        .get(&format!("{}/{}", path(schema), name(schema)))
        .await
        .unwrap()["metadata"]["uid"]
        .clone();
    let token = plane
        .service_account_token(namespace, name(account))
        .await
        .unwrap();
    let client = plane.client_with_token(&token).unwrap();
    // The API server takes schemas in by a watch.
    eventually("its requests to be told apart", BOUND, async || {
        let answer = client.request(http::Method::GET, "/api/v1/nodes", None).await?;
        match answer.headers.get(SCHEMA) {
            Some(found) if uid == found.to_str().unwrap_or_default() => Ok(()),
            found => Err(Error::new(format!("{found:?}, not {uid}"))),
        }
    })
    .await;
    let others = admin
        .request(http::Method::GET, "/api/v1/nodes", None)
        .await
        .unwrap();
    assert_ne!(
        others.headers.get(SCHEMA).map(http::HeaderValue::as_bytes),
        uid.as_str().map(str::as_bytes)
    );
}
