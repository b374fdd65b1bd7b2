//! The clusters: each case on two nodes with the same pods, one for each drain.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use hollowtrees_cluster::{Access, Cluster, Settings, engine::Unobserved};
use hollowtrees_domain::drain::{Options, Unbudgeted};
use hollowtrees_harness::{
    ControlPlane, Error,
    control_plane::{Client, Part, fixtures},
    eventually,
    proxy::{self, Fault},
    testbed::{self, Program},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    cases::Case,
    pods::{DAEMON_SET, Kind},
};

pub(crate) const BOUND: Duration = Duration::from_secs(120);
/// Written on every pod.
const LABEL: &str = "testbed.hollowtrees.io/parity";
/// What should have ended has outlived its grace by this, so that `--skip-wait-for-delete-timeout=1` means it.
const OUTLIVED: jiff::SignedDuration = jiff::SignedDuration::from_secs(3);

/// What tells the two nodes of a case apart: kubectl's and ours.
pub(crate) const SIDES: [&str; 2] = ["kubectl", "ours"];

/// A control plane whose controllers are gone, so that nobody but the drains and the kubelet does anything.
pub(crate) struct Ground {
    // It ends with this.
    _plane: ControlPlane,
    pub(crate) admin: Client,
    /// The ways to it, by side.
    pub(crate) ways: [Way; 2],
}

/// A way to the API server that faults can be put in, and that sees all that is asked.
pub(crate) struct Way {
    pub(crate) proxy: proxy::Http,
    pub(crate) kubeconfig: PathBuf,
}

/// One of a case's two nodes.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) node: String,
    /// Of its pods; those of an ending namespace are in one of their own.
    namespace: String,
}

impl Side {
    pub(crate) fn new(case: &Case, of: &str) -> Self {
        let name = format!("{}-{of}", case.name);
        Self {
            node: name.clone(),
            namespace: name,
        }
    }

    pub(crate) fn namespace(&self, kind: &Kind) -> String {
        if kind.namespace_ending {
            format!("{}-ending", self.namespace)
        } else {
            self.namespace.clone()
        }
    }

    fn pods(&self, kind: &Kind) -> String {
        format!("/api/v1/namespaces/{}/pods", self.namespace(kind))
    }
}

impl Way {
    async fn to(plane: &ControlPlane) -> Self {
        let proxy = plane.http_proxy().await.unwrap();
        let kubeconfig = plane.kubeconfig_via(plane.kubeconfig(), &proxy.url()).unwrap();
        Self { proxy, kubeconfig }
    }
}

impl Ground {
    pub(crate) async fn new() -> Self {
        let plane = ControlPlane::start().await.unwrap();
        // Built now, where it is not yet: no drain waits for it.
        testbed::binary_async(Program::KubectlDrain).await.unwrap();
        plane.kill(Part::ControllerManager);
        plane.kill(Part::Scheduler);
        Self {
            admin: plane.client().unwrap(),
            ways: [Way::to(&plane).await, Way::to(&plane).await],
            _plane: plane,
        }
    }

    /// Our way to the cluster, once it has seen everything.
    pub(crate) async fn cluster(&self, unbudgeted: Unbudgeted) -> Cluster {
        let access = Access {
            kubeconfig: Some(self.ways[1].kubeconfig.clone()),
            context: None,
        };
        let settings = Settings {
            options: Options {
                unbudgeted,
                ..Options::default()
            },
            ..Settings::default()
        };
        let cluster = Cluster::connect(&access, settings, Arc::new(Unobserved), CancellationToken::new());
        let cluster = cluster.await.unwrap();
        let mut health = cluster.health();
        tokio::time::timeout(BOUND, health.wait_for(|health| health.trouble().is_none()))
            .await
            .expect("the watches to be in step")
            .unwrap();
        cluster
    }

    /// Makes what a side of a case needs, with its pods, none of them ending yet.
    pub(crate) async fn make(&self, case: &Case, side: &Side) {
        let id = fixtures::instance_id(&side.node, 0);
        let node = fixtures::node(&side.node, "us-east-1a", &id);
        self.admin.post("/api/v1/nodes", &node).await.unwrap();
        let namespaces: BTreeSet<String> = case.kinds.iter().map(|kind| side.namespace(kind)).collect();
        for namespace in namespaces {
            let (admin, account) = (&self.admin, json!({"metadata": {"name": "default"}}));
            admin
                .post("/api/v1/namespaces", &fixtures::namespace(&namespace))
                .await
                .unwrap();
            let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
            admin.post(&accounts, &account).await.unwrap();
            let sets = format!("/apis/apps/v1/namespaces/{namespace}/daemonsets");
            admin
                .post(&sets, &fixtures::daemon_set(DAEMON_SET, "nowhere"))
                .await
                .unwrap();
        }
        for kind in &case.kinds {
            for (i, allowed) in kind.budgets.iter().enumerate() {
                self.budget(side, kind, i, *allowed).await;
            }
            let pods = kind.pods().map(|name| {
                let mut pod = kind.object(&name, &side.node);
                pod["metadata"]["labels"][LABEL] = case.name.as_str().into();
                pod
            });
            self.admin.post_all(&side.pods(kind), pods).await.unwrap();
        }
    }

    /// A budget as its controller would have counted it.
    async fn budget(&self, side: &Side, kind: &Kind, i: usize, allowed: u64) {
        let path = format!(
            "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
            side.namespace(kind)
        );
        let mut budget = fixtures::budget(kind.name, 0);
        let name = format!("{}.{i}", kind.name);
        budget["metadata"]["name"] = name.as_str().into();
        self.admin.post(&path, &budget).await.unwrap();
        let pods = kind.pods as u64;
        let status = json!({"status": {
            "observedGeneration": 1, "disruptionsAllowed": allowed, "expectedPods": pods, "currentHealthy": pods,
            "desiredHealthy": pods - allowed.min(pods),
        }});
        self.admin
            .patch(&format!("{path}/{name}/status"), &status)
            .await
            .unwrap();
    }

    /// The pods of all cases, by namespace and name.
    pub(crate) async fn pods(&self) -> BTreeMap<(String, String), Value> {
        let pods = self
            .admin
            .list(&format!("/api/v1/pods?labelSelector={LABEL}"))
            .await
            .unwrap();
        pods.into_iter().map(|pod| (name_of(&pod), pod)).collect()
    }

    /// Waits until all pods run, or do what they do instead, and lets those begin to end that will not.
    pub(crate) async fn settle(&self, cases: &[Case]) {
        let kinds = cases.iter().flat_map(|case| case.kinds.iter());
        let count: usize = 2 * kinds.map(|kind| kind.pods).sum::<usize>();
        let path = format!("/api/v1/pods?labelSelector={LABEL}");
        eventually(format!("{count} pods to run"), BOUND, async || {
            let pods = self.admin.list(&path).await?;
            let waiting: Vec<_> = pods.iter().filter(|pod| !is_settled(pod)).map(name_of).collect();
            if pods.len() == count && waiting.is_empty() {
                Ok(())
            } else {
                Err(Error::new(format!(
                    "{} pods, {} of them not yet: {waiting:?}",
                    pods.len(),
                    waiting.len()
                )))
            }
        })
        .await;
        for case in cases {
            for of in SIDES {
                self.delete(case, &Side::new(case, of), Kind::is_stuck).await;
            }
        }
    }

    async fn delete(&self, case: &Case, side: &Side, which: impl Fn(&Kind) -> bool) {
        for kind in case.kinds.iter().filter(|kind| kind.ending && which(kind)) {
            for name in kind.pods() {
                let path = format!("{}/{name}", side.pods(kind));
                self.admin.delete(&path, &json!({})).await.unwrap();
            }
        }
    }

    /// Deletes what is to be ending, and injects what is to be answered, just before the drain.
    pub(crate) async fn begin(&self, case: &Case, side: &Side, way: &Way) {
        self.delete(case, side, |kind| !kind.is_stuck()).await;
        if let Some(kind) = case.kinds.iter().find(|kind| kind.namespace_ending) {
            let path = format!("/api/v1/namespaces/{}", side.namespace(kind));
            self.admin.delete(&path, &json!({})).await.unwrap();
        }
        for kind in &case.kinds {
            let Some(answer) = kind.answer else { continue };
            for name in kind.pods() {
                let mut fault = Fault::status(answer.status)
                    .path(format!("{}/{name}/eviction", side.pods(kind)))
                    .body(body(answer.status, answer.once));
                if answer.once {
                    fault = fault.times(1);
                }
                way.proxy.inject(fault);
            }
        }
    }
}

/// Whether our picture of a pod is as the drain is to meet it.
pub(crate) fn is_met(kind: &Kind, pod: &hollowtrees_domain::drain::Pod) -> bool {
    let ends = pod.deletion.map(|deletion| deletion.ends_at);
    let outlived = ends.is_some_and(|ends| ends + OUTLIVED < jiff::Timestamp::now());
    pod.finished == (kind.finished || kind.ending && kind.finalizer)
        && pod.deletion.is_some() == kind.ending
        && (!kind.is_stuck() || outlived)
}

/// A 429 is by a budget where it stays, and by the server's load where it passes.
fn body(status: u16, once: bool) -> String {
    let reason = match status {
        404 => "NotFound",
        409 => "Conflict",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    let causes = if status == 429 && !once {
        json!([{"reason": "DisruptionBudget", "message": "injected"}])
    } else {
        json!([])
    };
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": status, "reason": reason,
        "message": "injected fault", "details": {"causes": causes},
    })
    .to_string()
}

/// Runs, or has finished, or is one that never does.
fn is_settled(pod: &Value) -> bool {
    let annotation = |key: &str| pod["metadata"]["annotations"].get(key).and_then(Value::as_str);
    let wanted = match (
        annotation(fixtures::COMPLETE_AFTER),
        annotation(fixtures::START_AFTER),
    ) {
        (Some(_), _) => "Succeeded",
        (_, Some(_)) => "Pending",
        _ => "Running",
    };
    pod["status"]["phase"] == wanted
}

fn name_of(pod: &Value) -> (String, String) {
    let text = |key: &str| pod["metadata"][key].as_str().unwrap().to_owned();
    (text("namespace"), text("name"))
}
