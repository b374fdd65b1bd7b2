//! Nodes and pods to be drained, and the same requests made bare.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use hollowtrees_harness::{
    ControlPlane, Error,
    control_plane::{Answer, Client, fixtures},
    try_eventually,
};
use http::Method;
use serde_json::{Value, json};

/// Ground is prepared within this, whatever else the machine does.
pub(super) const BOUND: Duration = Duration::from_secs(900);
/// Label of pods that a budget covers.
const APP: &str = "app";

/// Ready nodes with running pods.
pub(super) struct Ground {
    pub(super) name: String,
    pub(super) admin: Client,
    nodes: Vec<Value>,
    pods: Vec<Value>,
}

/// What the bare client asks of a pod.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Evict,
    Delete,
}

/// Times from the first request on.
pub(super) struct Bare {
    pub(super) cordoned: Duration,
    /// All evictions or deletions were granted, counted from the first of them.
    pub(super) asked: Duration,
    /// All pods are gone.
    pub(super) drained: Duration,
}

impl Ground {
    /// So many nodes with so many pods each; the pods of node `i` are labelled `app: app_of(i)`.
    pub(super) async fn prepare(
        plane: &ControlPlane,
        name: &str,
        nodes: usize,
        pods: usize,
        app_of: impl Fn(usize) -> &'static str,
    ) -> Result<Self> {
        let admin = plane.client()?;
        admin.namespace(name).await?;
        admin
            .post_all("/api/v1/nodes", fixtures::nodes(name, nodes))
            .await?;
        let of_node = |node: usize| {
            let app = app_of(node);
            (0..pods)
                .map(move |pod| fixtures::pod(&format!("p-{node}-{pod}"), app, &format!("{name}-{node}")))
        };
        let all: Vec<Value> = (0..nodes).flat_map(of_node).collect();
        admin.post_all(&pods_path(name), all).await?;
        let listed = |what: &'static str, path: String, count: usize, good: fn(&Value) -> bool| {
            let admin = admin.clone();
            async move {
                try_eventually(what, BOUND, || async {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    let items = admin.list(&path).await?;
                    let found = items.iter().filter(|item| good(item)).count();
                    if found == count {
                        Ok(items)
                    } else {
                        Err(Error::new(format!("{found} of {count}")))
                    }
                })
                .await
            }
        };
        let selector = format!("/api/v1/nodes?labelSelector={}%3D{name}", fixtures::PREFIX);
        let ready = |node: &Value| {
            let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
            conditions.is_some_and(|all| {
                all.iter()
                    .any(|one| one["type"] == "Ready" && one["status"] == "True")
            })
        };
        let nodes_listed = listed("all nodes to be ready", selector, nodes, ready).await?;
        let running = |pod: &Value| {
            pod.pointer("/status/phase")
                .is_some_and(|phase| phase == "Running")
        };
        let pods_listed = listed("all pods to run", pods_path(name), nodes * pods, running).await?;
        Ok(Self {
            name: name.to_owned(),
            admin,
            nodes: nodes_listed,
            pods: pods_listed,
        })
    }

    /// Nodes.
    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Pods of all of them.
    pub(super) fn pods(&self) -> usize {
        self.pods.len()
    }

    /// A budget for the pods labelled `app: <app>` that allows nothing.
    pub(super) async fn forbid(&self, app: &str) -> Result<()> {
        let labelled = |pod: &&Value| text(pod, &format!("/metadata/labels/{APP}")) == app;
        let count = self.pods.iter().filter(labelled).count();
        let path = format!("/apis/policy/v1/namespaces/{}/poddisruptionbudgets", self.name);
        self.admin.post(&path, &fixtures::budget(app, count)).await?;
        let path = format!("{path}/{app}");
        try_eventually("the budget to be counted", BOUND, || async {
            let budget = self.admin.get(&path).await?;
            let expected = budget.pointer("/status/expectedPods").and_then(Value::as_u64);
            if expected == u64::try_from(count).ok() {
                Ok(())
            } else {
                Err(Error::new(budget.to_string()))
            }
        })
        .await?;
        Ok(())
    }

    /// Cordons, then evicts or deletes, by a client that does nothing else, so many requests at once.
    pub(super) async fn bare(&self, way: Way, cordons: usize, at_once: usize) -> Result<Bare> {
        let began = Instant::now();
        stream::iter(&self.nodes)
            .map(|node| self.patch(node))
            .buffer_unordered(cordons)
            .try_for_each(async |()| Ok(()))
            .await?;
        let cordoned = began.elapsed();
        stream::iter(&self.pods)
            .map(|pod| self.ask(way, pod))
            .buffer_unordered(at_once)
            .try_for_each(async |()| Ok(()))
            .await?;
        let asked = began.elapsed().saturating_sub(cordoned);
        self.emptied().await?;
        Ok(Bare {
            cordoned,
            asked,
            drained: began.elapsed(),
        })
    }

    async fn emptied(&self) -> Result<()> {
        let one = format!("{}?limit=1", pods_path(&self.name));
        try_eventually("all pods to be gone", BOUND, || async {
            match self.admin.list(&one).await?.first() {
                None => Ok(()),
                Some(left) => Err(Error::new(format!("{} is there", text(left, "/metadata/name")))),
            }
        })
        .await?;
        Ok(())
    }

    async fn patch(&self, node: &Value) -> Result<()> {
        let name = text(node, "/metadata/name");
        let taint = json!([{"key": "hollowtrees.io/terminating", "effect": "NoSchedule"}]);
        let holder = json!({"holders": ["i-0123456789abcdef0/1"], "before": {}}).to_string();
        let patch = json!([
            {"op": "test", "path": "/metadata/uid", "value": text(node, "/metadata/uid")},
            {"op": "add", "path": "/spec/unschedulable", "value": true},
            {"op": "add", "path": "/spec/taints", "value": taint},
            {"op": "add", "path": "/metadata/annotations", "value": {"hollowtrees.io/cordon": holder}},
            {
                "op": "add",
                "path": "/metadata/labels/node.kubernetes.io~1exclude-from-external-load-balancers",
                "value": "true",
            },
        ]);
        let path = format!("/api/v1/nodes/{name}");
        let answer = self
            .admin
            .send(Method::PATCH, &path, "application/json-patch+json", Some(&patch))
            .await?;
        granted(&path, &answer)
    }

    async fn ask(&self, way: Way, pod: &Value) -> Result<()> {
        let name = text(pod, "/metadata/name");
        let only = json!({"preconditions": {"uid": text(pod, "/metadata/uid")}});
        let path = format!("{}/{name}", pods_path(&self.name));
        let (path, method, body) = match way {
            Way::Delete => (path, Method::DELETE, only),
            Way::Evict => {
                let eviction = json!({
                    "apiVersion": "policy/v1",
                    "kind": "Eviction",
                    "metadata": {"name": name, "namespace": self.name},
                    "deleteOptions": only,
                });
                (format!("{path}/eviction"), Method::POST, eviction)
            }
        };
        granted(&path, &self.admin.request(method, &path, Some(&body)).await?)
    }
}

pub(super) fn pods_path(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

fn granted(path: &str, answer: &Answer) -> Result<()> {
    ensure!(answer.status.is_success(), "{path}: {answer}");
    Ok(())
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
