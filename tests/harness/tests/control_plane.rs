//! The control plane and its simulated nodes do what tests will rely on.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::exit,
    reason = "tests"
)]

use hollowtrees_harness::control_plane::{Client, ControlPlane, Part, fixtures};
use hollowtrees_harness::{Error, eventually, kubectl, proxy::Fault};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const BOUND: Duration = Duration::from_secs(90);

async fn shared(namespace: &str) -> (Arc<ControlPlane>, Client) {
    let plane = ControlPlane::shared().await.unwrap();
    let client = plane.client().unwrap();
    client.namespace(namespace).await.unwrap();
    (plane, client)
}

fn pods(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
}

async fn ready(client: &Client, path: &str) -> Value {
    eventually(format!("{path} to be ready"), BOUND, async || {
        let object = client.get(path).await?;
        if is_ready(&object) {
            Ok(object)
        } else {
            Err(Error::new(object["status"].to_string()))
        }
    })
    .await
}

async fn gone(client: &Client, path: &str) {
    eventually(format!("{path} to be gone"), BOUND, async || {
        let answer = client.request(Method::GET, path, None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            Ok(())
        } else {
            Err(Error::new(answer.body.to_string()))
        }
    })
    .await;
}

async fn one_node(client: &Client, name: &str) {
    client
        .post(
            "/api/v1/nodes",
            &fixtures::node(name, "us-east-1a", &fixtures::instance_id(name, 0)),
        )
        .await
        .unwrap();
    ready(client, &format!("/api/v1/nodes/{name}")).await;
}

#[tokio::test]
async fn nodes_become_ready_and_run_the_pods_of_a_deployment() {
    let (_plane, client) = shared("deploy").await;
    client
        .post_all("/api/v1/nodes", fixtures::nodes("deploy", 3))
        .await
        .unwrap();
    let node = ready(&client, "/api/v1/nodes/deploy-2").await;
    let id = fixtures::instance_id("deploy", 2);
    assert_eq!(node["spec"]["providerID"], format!("aws:///us-east-1c/{id}"));
    assert!(
        id.len() == 19 && id[2..].chars().all(|c| c.is_ascii_hexdigit()),
        "{id}"
    );

    let deployments = "/apis/apps/v1/namespaces/deploy/deployments";
    client
        .post(deployments, &fixtures::deployment("web", 5, "deploy"))
        .await
        .unwrap();
    eventually("five pods to be available", BOUND, async || {
        let status = client.get(&format!("{deployments}/web")).await?["status"].clone();
        if status["availableReplicas"] == 5 {
            Ok(())
        } else {
            Err(Error::new(status.to_string()))
        }
    })
    .await;
    let running = client.list(&pods("deploy")).await.unwrap();
    assert!(
        running
            .iter()
            .all(|pod| pod["status"]["podIP"].is_string() && pod["spec"]["nodeName"].is_string())
    );
}

#[tokio::test]
async fn a_budget_refuses_evictions_beyond_it() {
    let (_plane, client) = shared("budget").await;
    one_node(&client, "budget-0").await;
    client
        .post_all(
            &pods("budget"),
            (0..2).map(|i| fixtures::pod(&format!("p-{i}"), "db", "budget-0")),
        )
        .await
        .unwrap();
    // Bare pods have no controller to count by: a budget with minAvailable as a number counts them all the same.
    client
        .post(
            "/apis/policy/v1/namespaces/budget/poddisruptionbudgets",
            &fixtures::budget("db", 1),
        )
        .await
        .unwrap();
    for i in 0..2 {
        ready(&client, &format!("{}/p-{i}", pods("budget"))).await;
    }
    eventually("one disruption to be allowed", BOUND, async || {
        let budget = client
            .get("/apis/policy/v1/namespaces/budget/poddisruptionbudgets/db")
            .await?;
        if budget["status"]["disruptionsAllowed"] == 1 {
            Ok(())
        } else {
            Err(Error::new(budget["status"].to_string()))
        }
    })
    .await;
    assert_eq!(
        client.evict("budget", "p-0").await.unwrap().status,
        StatusCode::CREATED
    );
    let refused = client.evict("budget", "p-1").await.unwrap();
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{refused}");
    gone(&client, &format!("{}/p-0", pods("budget"))).await;
}

#[tokio::test]
async fn kubectls_drain_says_what_it_did_to_many_nodes() {
    let (plane, client) = shared("kubectl").await;
    let nodes: Vec<_> = (0..3).map(|i| format!("kubectl-{i}")).collect();
    for (i, node) in nodes.iter().enumerate() {
        one_node(&client, node).await;
        let pod = fixtures::pod(&format!("p-{i}"), "web", node);
        client.post(&pods("kubectl"), &pod).await.unwrap();
        ready(&client, &format!("{}/p-{i}", pods("kubectl"))).await;
    }
    let drain = |nodes: &[String]| kubectl::Drain::of(nodes).with("timeout", "60s");
    let refused = drain(&nodes[..1]).run(plane.kubeconfig(), BOUND).await.unwrap();
    let refused = &refused.nodes[0];
    assert_eq!(refused.refused.keys().collect::<Vec<_>>(), ["kubectl/p-0"]);
    assert!(refused.errors[0].contains("declare no controller"), "{refused:?}");
    assert!(
        refused.asked.is_empty() && refused.cordoned.is_some(),
        "{refused:?}"
    );

    let drain = drain(&nodes)
        .with("force", true)
        .with("goroutines", 2)
        .client(200, 200);
    let report = drain.run(plane.kubeconfig(), BOUND).await.unwrap();
    for (i, node) in report.nodes.iter().enumerate() {
        let pod = [format!("kubectl/p-{i}")];
        assert_eq!(
            (node.node.as_str(), &node.gone[..]),
            (nodes[i].as_str(), &pod[..])
        );
        assert!(
            node.errors.is_empty() && node.asked == pod && node.delete == pod,
            "{node:?}"
        );
        assert!(
            node.cordoned.unwrap() <= node.drained && node.drained <= report.took,
            "{node:?}"
        );
        let object = client.get(&format!("/api/v1/nodes/{}", node.node)).await.unwrap();
        assert_eq!(object["spec"]["unschedulable"], true);
    }
    let wrong = drain_of_nobody(plane.kubeconfig()).await;
    assert!(wrong.contains("goroutine"), "{wrong}");
}

/// What it says to arguments that mean nothing.
async fn drain_of_nobody(kubeconfig: &std::path::Path) -> String {
    let none: [&str; 0] = [];
    let told = kubectl::Drain::of(none).run(kubeconfig, BOUND).await;
    told.unwrap_err().to_string()
}

#[tokio::test]
async fn pods_end_as_their_grace_period_and_annotation_say() {
    let (_plane, client) = shared("grace").await;
    one_node(&client, "grace-0").await;
    let pod = |name: &str, exit: &str| {
        fixtures::annotated(fixtures::pod(name, "x", "grace-0"), fixtures::EXIT_AFTER, exit)
    };
    let path = |name: &str| format!("{}/{name}", pods("grace"));
    for (name, exit) in [
        ("soon", "2s"),
        ("killed", "60s"),
        ("shortened", "60s"),
        ("stuck", "never"),
    ] {
        client.post(&pods("grace"), &pod(name, exit)).await.unwrap();
        ready(&client, &path(name)).await;
    }
    let mut held = fixtures::pod("held", "x", "grace-0");
    held["metadata"]["finalizers"] = json!(["testbed.hollowtrees.io/hold"]);
    client.post(&pods("grace"), &held).await.unwrap();
    ready(&client, &path("held")).await;

    let start = Instant::now();
    client.delete(&path("soon"), &json!({})).await.unwrap();
    client
        .delete(&path("killed"), &json!({"gracePeriodSeconds": 4}))
        .await
        .unwrap();
    client
        .delete(&path("shortened"), &json!({"gracePeriodSeconds": 600}))
        .await
        .unwrap();
    client
        .delete(&path("stuck"), &json!({"gracePeriodSeconds": 1}))
        .await
        .unwrap();
    client.delete(&path("held"), &json!({})).await.unwrap();
    gone(&client, &path("soon")).await;
    assert!(
        start.elapsed() >= Duration::from_secs(2),
        "soon: {:?}",
        start.elapsed()
    );
    gone(&client, &path("killed")).await;
    assert!(
        start.elapsed() >= Duration::from_secs(4),
        "killed: {:?}",
        start.elapsed()
    );

    assert!(client.get(&path("shortened")).await.is_ok());
    let again = Instant::now();
    client
        .delete(&path("shortened"), &json!({"gracePeriodSeconds": 2}))
        .await
        .unwrap();
    gone(&client, &path("shortened")).await;
    // The API server counts the new grace period from the first deletion: those 2 s are over, so it makes 1 s of it.
    assert!(
        again.elapsed() >= Duration::from_secs(1),
        "shortened: {:?}",
        again.elapsed()
    );
    assert!(
        start.elapsed() < Duration::from_secs(50),
        "shortened: {:?}",
        start.elapsed()
    );

    assert!(
        client.get(&path("stuck")).await.is_ok(),
        "its grace period was over long ago"
    );
    client
        .delete(&path("stuck"), &json!({"gracePeriodSeconds": 0}))
        .await
        .unwrap();
    gone(&client, &path("stuck")).await;

    eventually(
        "the containers of the held pod to have ended",
        BOUND,
        async || {
            let pod = client.get(&path("held")).await?;
            let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"];
            if *ended == 0 {
                Ok(())
            } else {
                Err(Error::new(pod["status"].to_string()))
            }
        },
    )
    .await;
    client
        .patch(&path("held"), &json!({"metadata": {"finalizers": null}}))
        .await
        .unwrap();
    gone(&client, &path("held")).await;
}

#[tokio::test]
async fn pods_start_get_ready_and_complete_as_told() {
    let (_plane, client) = shared("phases").await;
    one_node(&client, "phases-0").await;
    let pod = |name: &str, annotation: &str, value: &str| {
        fixtures::annotated(fixtures::pod(name, "x", "phases-0"), annotation, value)
    };
    let unready = pod("unready", fixtures::READY_AFTER, "never");
    let job = pod("job", fixtures::COMPLETE_AFTER, "1s");
    client.post_all(&pods("phases"), [unready, job]).await.unwrap();
    eventually("the job to succeed", BOUND, async || {
        let pod = client.get(&format!("{}/job", pods("phases"))).await?;
        if pod["status"]["phase"] == "Succeeded" {
            Ok(())
        } else {
            Err(Error::new(pod["status"].to_string()))
        }
    })
    .await;
    let unready = client.get(&format!("{}/unready", pods("phases"))).await.unwrap();
    assert!(
        unready["status"]["phase"] == "Running" && !is_ready(&unready),
        "{unready}"
    );

    // A node whose kubelet hangs keeps its pods until it works again.
    client
        .patch(
            "/api/v1/nodes/phases-0",
            &json!({"metadata": {"annotations": {fixtures::KUBELET: "stopped"}}}),
        )
        .await
        .unwrap();
    client
        .post(&pods("phases"), &fixtures::pod("late", "x", "phases-0"))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        client.get(&format!("{}/late", pods("phases"))).await.unwrap()["status"]["phase"],
        "Pending"
    );
    client
        .patch(
            "/api/v1/nodes/phases-0",
            &json!({"metadata": {"annotations": {fixtures::KUBELET: null}}}),
        )
        .await
        .unwrap();
    ready(&client, &format!("{}/late", pods("phases"))).await;
}

#[tokio::test]
async fn a_service_account_may_do_what_its_role_says_and_its_requests_are_counted() {
    let (plane, client) = shared("roles").await;
    let token = plane.service_account_token("roles", "drain").await.unwrap();
    let audit = plane.audit().from_now().unwrap();
    let drain = plane.client_with_token(&token).unwrap();
    let refused = drain.request(Method::GET, "/api/v1/nodes", None).await.unwrap();
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{refused}");

    let role = json!({
        "metadata": {"name": "roles-drain"},
        "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}],
    });
    client
        .post("/apis/rbac.authorization.k8s.io/v1/clusterroles", &role)
        .await
        .unwrap();
    let binding = json!({
        "metadata": {"name": "roles-drain"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "roles-drain"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "roles", "name": "drain"}],
    });
    client
        .post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding)
        .await
        .unwrap();
    eventually("the role to count", BOUND, || drain.list("/api/v1/nodes")).await;
    drain.evict("roles", "no-such-pod").await.unwrap();

    let counts = audit.count_by("system:serviceaccount:roles:drain").unwrap();
    assert!(
        counts[&("list".to_owned(), "nodes".to_owned())] >= 2,
        "{counts:?}"
    );
    assert_eq!(
        counts[&("create".to_owned(), "pods/eviction".to_owned())],
        1,
        "{counts:?}"
    );
    let writes = audit.writes_by("system:serviceaccount:roles:drain").unwrap();
    assert_eq!(writes.len(), 1);
    assert_eq!((writes[0].code, writes[0].name.as_str()), (403, "no-such-pod"));

    let kubeconfig = plane
        .kubeconfig_for_service_account("roles", "drain")
        .await
        .unwrap();
    assert!(std::fs::read_to_string(kubeconfig).unwrap().contains("\"token\""));
    let kubeconfig = plane.kubeconfig_for_user("jane", Some("operators")).unwrap();
    let via = plane.kubeconfig_via(&kubeconfig, "https://127.0.0.1:1").unwrap();
    assert!(
        std::fs::read_to_string(via)
            .unwrap()
            .contains("https://127.0.0.1:1")
    );
}

#[tokio::test]
async fn an_http_proxy_before_the_api_server_injects_faults() {
    let (plane, direct) = shared("faults").await;
    let proxy = plane.http_proxy().await.unwrap();
    let ca = std::fs::read_to_string(plane.ca_file()).unwrap();
    let client = Client::new(&proxy.url(), &ca, Some(plane.admin_token())).unwrap();
    client.get("/api/v1/nodes").await.unwrap();

    proxy.inject(
        Fault::status(429)
            .header("retry-after", "7")
            .method(Method::POST)
            .path("/configmaps")
            .skip(1)
            .times(2),
    );
    let maps = "/api/v1/namespaces/faults/configmaps";
    let map = |name: &str| json!({"metadata": {"name": name}});
    client.post(maps, &map("first")).await.unwrap();
    for _ in 0..2 {
        let refused = client
            .request(Method::POST, maps, Some(&map("second")))
            .await
            .unwrap();
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers["retry-after"], "7");
    }
    client.post(maps, &map("second")).await.unwrap();

    proxy.inject(Fault::lost_reply().method(Method::POST).times(1));
    assert!(client.post(maps, &map("third")).await.is_err());
    direct.get(&format!("{maps}/third")).await.unwrap();
    proxy.inject(Fault::garbage().times(1));
    assert!(client.list(maps).await.is_err());
    proxy.inject(Fault::truncated().times(1));
    assert!(client.list(maps).await.is_err());
    proxy.inject(Fault::no_answer());
    assert!(client.list(maps).await.is_err());
    proxy.heal();
    proxy.inject(Fault::slow(Duration::from_millis(300)));
    let start = Instant::now();
    assert!(client.list(maps).await.unwrap().len() >= 3);
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(
        proxy
            .seen()
            .iter()
            .filter(|seen| seen.status == Some(StatusCode::TOO_MANY_REQUESTS))
            .count(),
        2
    );
}

#[tokio::test]
async fn a_killed_api_server_comes_back_with_its_objects() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client().unwrap();
    client.namespace("kept").await.unwrap();
    plane.kill(Part::ApiServer);
    assert!(client.get("/api/v1/namespaces/kept").await.is_err());
    plane.kill(Part::Etcd);
    plane.restart(Part::Etcd).await.unwrap();
    plane.restart(Part::ApiServer).await.unwrap();
    let client = plane.client().unwrap();
    client.get("/api/v1/namespaces/kept").await.unwrap();
    // The others find it again by themselves.
    one_node(&client, "again-0").await;
    client.namespace("new").await.unwrap();
}
