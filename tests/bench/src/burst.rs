//! Many nodes at once on a real API server: notice -> all cordoned, -> all drained.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use hollowtrees_bus::{
    read::{From, Until},
    topology::Consumer,
};
use hollowtrees_harness::{
    ControlPlane, Error,
    control_plane::{Client, fixtures},
    try_eventually,
};
use hollowtrees_schemas::{
    envelope::Envelope,
    names::{Stream, result},
    proto::{self, time},
};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    roles::Role,
    sample::{limit_row, ratio_row},
    setup::{self, Setup},
};

/// As many cordons and requests about pods as the drain worker has under way at once.
const CORDONS: usize = 32;
const EVICTIONS: usize = 64;
/// Rows and ground are prepared within this, whatever else the machine does.
const BOUND: Duration = Duration::from_secs(600);
/// The user whose requests are counted.
const USER: &str = "bench-drain";

const RULES: &str = "
version: 1
rules:
  - name: burst
    match: { exact: { data.kind: spot-interruption } }
    steps: [{ actions: [drain] }]
";

/// Prints the rows of a burst of so many nodes with so many pods each.
pub(crate) async fn burst(nodes: usize, pods: usize) -> Result<()> {
    let plane = ControlPlane::start().await?;
    let floor = Ground::prepare(&plane, "floor", nodes, pods)
        .await?
        .bare()
        .await?;
    let ours = Box::pin(Ground::prepare(&plane, "ours", nodes, pods).await?.ours(&plane)).await?;
    let what = format!("burst, {nodes} nodes x {pods} pods");
    ratio_row(
        &format!("{what}, notice -> all cordoned"),
        ours.cordoned,
        floor.cordoned,
        Some(2.0),
    );
    ratio_row(
        &format!("{what}, notice -> all drained"),
        ours.drained,
        floor.drained,
        Some(1.15),
    );
    ratio_row(
        &format!("{what}, all drained, beside the evictions alone"),
        ours.drained,
        floor.evicted,
        None,
    );
    #[allow(clippy::cast_precision_loss, reason = "counts of requests")]
    let (a_node, most) = (ours.requests as f64 / nodes as f64, (pods + 3) as f64);
    limit_row(&format!("{what}, requests a node"), a_node, "", Some(most));
    #[allow(clippy::cast_precision_loss, reason = "counts of requests")]
    limit_row(
        &format!("{what}, answered 409, 422 or 429"),
        ours.repeated as f64,
        "",
        None,
    );
    Ok(())
}

/// Times from the first request, or notice, on.
struct Bare {
    cordoned: Duration,
    /// All evictions were granted, counted from the first of them.
    evicted: Duration,
    /// All pods are gone.
    drained: Duration,
}

struct Ours {
    cordoned: Duration,
    drained: Duration,
    /// Requests to the API server but watches and those of `repeated`.
    requests: usize,
    /// Answers that ask for the same once more.
    repeated: usize,
}

/// Ready nodes with running pods.
struct Ground {
    name: String,
    admin: Client,
    nodes: Vec<Value>,
    pods: Vec<Value>,
}

impl Ground {
    async fn prepare(plane: &ControlPlane, name: &str, nodes: usize, pods: usize) -> Result<Self> {
        let admin = plane.client()?;
        admin.namespace(name).await?;
        admin
            .post_all("/api/v1/nodes", fixtures::nodes(name, nodes))
            .await?;
        let all = (0..nodes).flat_map(|node| {
            (0..pods)
                .map(move |pod| fixtures::pod(&format!("p-{node}-{pod}"), "x", &format!("{name}-{node}")))
        });
        let all: Vec<Value> = all.collect();
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

    /// The same requests, one kind after the other, by a client that does nothing else.
    async fn bare(&self) -> Result<Bare> {
        let began = Instant::now();
        stream::iter(&self.nodes)
            .map(|node| self.patch(node))
            .buffer_unordered(CORDONS)
            .try_for_each(async |()| Ok(()))
            .await?;
        let cordoned = began.elapsed();
        stream::iter(&self.pods)
            .map(|pod| self.evict(pod))
            .buffer_unordered(EVICTIONS)
            .try_for_each(async |()| Ok(()))
            .await?;
        let evicted = began.elapsed().saturating_sub(cordoned);
        let one = format!("{}?limit=1", pods_path(&self.name));
        try_eventually("all pods to be gone", BOUND, || async {
            match self.admin.list(&one).await?.first() {
                None => Ok(()),
                Some(left) => Err(Error::new(format!("{} is there", text(left, "/metadata/name")))),
            }
        })
        .await?;
        Ok(Bare {
            cordoned,
            evicted,
            drained: began.elapsed(),
        })
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
        ensure!(answer.status.is_success(), "PATCH {path}: {answer}");
        Ok(())
    }

    async fn evict(&self, pod: &Value) -> Result<()> {
        let name = text(pod, "/metadata/name");
        let eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": self.name},
            "deleteOptions": {"preconditions": {"uid": text(pod, "/metadata/uid")}},
        });
        let path = format!("{}/{name}/eviction", pods_path(&self.name));
        let answer = self.admin.request(Method::POST, &path, Some(&eviction)).await?;
        ensure!(answer.status.is_success(), "POST {path}: {answer}");
        Ok(())
    }

    /// By notices, router and drain worker.
    async fn ours(&self, plane: &ControlPlane) -> Result<Ours> {
        let consumer = Consumer::actions("drain", Some("c1"), &["cordon", "drain", "uncordon"]);
        let setup = Setup::with(consumer).await?;
        let _router = setup.router_by(RULES).await?;
        let kubeconfig = plane.kubeconfig_for_user(USER, Some("system:masters"))?;
        let env = [
            ("HT_CLUSTER__NAME", "c1".to_owned()),
            ("HT_CLUSTER__KUBECONFIG", kubeconfig.display().to_string()),
        ];
        let _drain = setup.process(Role::Drain, &env).await?;
        let audit = plane.audit().from_now()?;
        let count = self.nodes.len();
        let ended = self.outcomes(&setup, count);
        let notices: Vec<_> = (0..count)
            .map(|i| setup::notice(&fixtures::instance_id(&self.name, i)))
            .collect::<Result<_>>()?;
        let (began, began_at) = (Instant::now(), Timestamp::now());
        let sent = stream::iter(&notices)
            .map(|notice| setup.bus.publish(notice, None))
            .buffer_unordered(256)
            .try_for_each(async |_| Ok(()));
        let (sent, ended) = tokio::join!(sent, ended);
        sent?;
        let (cordoned_at, drained) = ended?;
        let cordoned = Duration::try_from(cordoned_at.duration_since(began_at))
            .context("nodes are cordoned after their notices")?;
        let is_event = |entry: &&hollowtrees_harness::control_plane::Entry| entry.resource == "events";
        // Events are told on the side: those of the last nodes may be under way.
        let entries = try_eventually("two events a node", Duration::from_secs(30), || async {
            let mut entries = audit.entries()?;
            entries.retain(|entry| entry.user == USER && entry.verb != "watch");
            let events = entries.iter().filter(is_event).count();
            if events >= 2 * count {
                Ok(entries)
            } else {
                Err(Error::new(format!("{events} of {}", 2 * count)))
            }
        })
        .await?;
        let repeated = entries
            .iter()
            .filter(|entry| matches!(entry.code, 409 | 422 | 429))
            .count();
        Ok(Ours {
            cordoned,
            drained: drained.saturating_duration_since(began),
            requests: entries.len() - repeated,
            repeated,
        })
    }

    /// When the last node was cordoned, by the outcomes' word, and when the last one was seen to be drained. Nobody's
    /// pods were lost or left.
    async fn outcomes(&self, setup: &Setup, count: usize) -> Result<(Timestamp, Instant)> {
        let bus = setup.another().await?;
        let mut reading = bus
            .read(Stream::Outcomes, &[], From::First, Until::Stopped)
            .await?;
        let (mut drained, mut evicted, mut cordoned_at) = (0, 0, Timestamp::MIN);
        while drained < count {
            let message = tokio::time::timeout(BOUND, reading.next())
                .await
                .with_context(|| format!("{drained} of {count} nodes are drained"))??
                .context("the reading goes on")?;
            let outcome = Envelope::<proto::Outcome>::decode(&message.wire)?.data;
            if !result::is_final(&outcome.result) {
                continue;
            }
            ensure!(outcome.result == result::SUCCEEDED, "{outcome:?}");
            let at = outcome.times.and_then(|times| times.cordoned_at);
            let at = at.context("a drained node was cordoned")?;
            cordoned_at = cordoned_at.max(time::from_proto(&at)?);
            let detail = serde_json::to_value(outcome.detail.context("a drain has a detail")?)?;
            evicted += detail
                .get("evicted")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            drained += 1;
        }
        let drained_at = Instant::now();
        ensure!(
            evicted == self.pods.len(),
            "{evicted} of {} pods were evicted",
            self.pods.len()
        );
        let left = self.admin.list(&pods_path(&self.name)).await?;
        ensure!(left.is_empty(), "{} pods are left", left.len());
        Ok((cordoned_at, drained_at))
    }
}

fn pods_path(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
