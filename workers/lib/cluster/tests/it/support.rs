//! A cluster of one's own on the shared control plane, seen through the role the worker has.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hollowtrees_cluster::{
    Access, Cluster, Node, Settings,
    engine::{Ended, Summary, Unobserved},
};
use hollowtrees_domain::drain::{Force, Options, Wish};
use hollowtrees_harness::{
    ControlPlane, Error,
    control_plane::{Audit, Client, fixtures},
    eventually,
    proxy::Http,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub(crate) const BOUND: Duration = Duration::from_secs(90);

/// The role the worker asks for, as it is deployed.
const RBAC: &str = include_str!("../../../../drain/rbac.yaml");

/// Nodes and a namespace by one name.
pub(crate) struct Ground {
    pub(crate) plane: Arc<ControlPlane>,
    /// May do anything.
    pub(crate) admin: Client,
    pub(crate) name: String,
    /// Of a service account that has the worker's role and nothing else.
    pub(crate) kubeconfig: PathBuf,
}

impl Ground {
    /// So many ready nodes `<name>-<i>`.
    pub(crate) async fn new(name: &str, nodes: usize) -> Self {
        Self::on(ControlPlane::shared().await.unwrap(), name, nodes).await
    }

    /// The same on this control plane.
    pub(crate) async fn on(plane: Arc<ControlPlane>, name: &str, nodes: usize) -> Self {
        let admin = plane.client().unwrap();
        admin.namespace(name).await.unwrap();
        admin
            .post_all("/api/v1/nodes", fixtures::nodes(name, nodes))
            .await
            .unwrap();
        for i in 0..nodes {
            let path = format!("/api/v1/nodes/{name}-{i}");
            eventually(format!("{path} to be ready"), BOUND, async || {
                is_ready(&admin.get(&path).await?)
            })
            .await;
        }
        let kubeconfig = plane.kubeconfig_for_service_account(name, "drain").await.unwrap();
        grant(&admin, name).await;
        Self {
            plane,
            admin,
            name: name.to_owned(),
            kubeconfig,
        }
    }

    /// The user the cluster's requests are made by.
    pub(crate) fn user(&self) -> String {
        format!("system:serviceaccount:{}:drain", self.name)
    }

    pub(crate) fn audit(&self) -> Audit {
        self.plane.audit().from_now().unwrap()
    }

    /// A cluster that has seen everything.
    pub(crate) async fn cluster(&self) -> Cluster {
        self.cluster_with(Options::default()).await
    }

    pub(crate) async fn cluster_with(&self, options: Options) -> Cluster {
        let settings = Settings {
            options,
            ..Settings::default()
        };
        self.cluster_by(self.kubeconfig.clone(), settings).await
    }

    /// One that goes by another kubeconfig, say through a fault proxy.
    pub(crate) async fn cluster_by(&self, kubeconfig: PathBuf, settings: Settings) -> Cluster {
        let access = Access {
            kubeconfig: Some(kubeconfig),
            context: None,
        };
        let stop = CancellationToken::new();
        let cluster = Cluster::connect(&access, settings, Arc::new(Unobserved), stop)
            .await
            .unwrap();
        let mut health = cluster.health();
        tokio::time::timeout(BOUND, health.wait_for(|health| health.trouble().is_none()))
            .await
            .expect("the watches to be in step")
            .unwrap();
        cluster
    }

    /// One that goes through a fault proxy. Its watches end soon, but not so soon that their end would be a failure.
    pub(crate) async fn cluster_through(&self, proxy: &Http) -> Cluster {
        let via = self.plane.kubeconfig_via(&self.kubeconfig, &proxy.url()).unwrap();
        let settings = Settings {
            watch_for: Duration::from_secs(6),
            ..Settings::default()
        };
        self.cluster_by(via, settings).await
    }

    /// The node of the instance with this number, as the cluster sees it.
    pub(crate) async fn node(&self, cluster: &Cluster, i: usize) -> Arc<Node> {
        let id = fixtures::instance_id(&self.name, i);
        cluster
            .find(&id, "", Timestamp::now() + SignedDuration::from_secs(30))
            .await
            .expect("the node is known")
    }

    pub(crate) async fn read_node(&self, i: usize) -> Value {
        self.admin
            .get(&format!("/api/v1/nodes/{}-{i}", self.name))
            .await
            .unwrap()
    }

    pub(crate) fn pods_path(&self) -> String {
        format!("/api/v1/namespaces/{}/pods", self.name)
    }

    pub(crate) fn budgets_path(&self) -> String {
        format!("/apis/policy/v1/namespaces/{}/poddisruptionbudgets", self.name)
    }

    pub(crate) async fn post_pods(&self, pods: impl IntoIterator<Item = Value>) {
        let pods: Vec<Value> = pods.into_iter().collect();
        self.admin
            .post_all(&self.pods_path(), pods.clone())
            .await
            .unwrap();
        for pod in pods {
            let path = format!(
                "{}/{}",
                self.pods_path(),
                pod["metadata"]["name"].as_str().unwrap()
            );
            eventually(format!("{path} to run"), BOUND, async || {
                let pod = self.admin.get(&path).await?;
                match pod["status"]["phase"].as_str() {
                    Some("Running" | "Succeeded" | "Failed") => Ok(()),
                    _ => Err(Error::new(pod["status"].to_string())),
                }
            })
            .await;
        }
    }

    /// A budget, once the controller has counted.
    pub(crate) async fn budget(&self, app: &str, min_available: usize, allowed: u64) {
        self.admin
            .post(&self.budgets_path(), &fixtures::budget(app, min_available))
            .await
            .unwrap();
        self.budget_allows(app, allowed).await;
    }

    pub(crate) async fn budget_allows(&self, app: &str, allowed: u64) {
        let path = format!("{}/{app}", self.budgets_path());
        eventually(format!("{path} to allow {allowed}"), BOUND, async || {
            let budget = self.admin.get(&path).await?;
            let status = &budget["status"];
            if status["disruptionsAllowed"] == allowed
                && status["observedGeneration"] == budget["metadata"]["generation"]
                && status["expectedPods"].as_u64().unwrap_or(0) > 0
            {
                Ok(())
            } else {
                Err(Error::new(status.to_string()))
            }
        })
        .await;
    }

    /// Pods that the cluster's own picture has on a node.
    pub(crate) async fn seen(&self, cluster: &Cluster, node: &Node, count: usize) {
        eventually(
            format!("{count} pods of {} to be seen", node.name),
            BOUND,
            async || {
                let seen = cluster.pods_on(&node.name);
                if seen.len() == count {
                    Ok(())
                } else {
                    Err(Error::new(format!("{seen:?}")))
                }
            },
        )
        .await;
    }

    pub(crate) async fn names_on(&self, node: &str) -> Vec<String> {
        let path = format!("{}?fieldSelector=spec.nodeName%3D{node}", self.pods_path());
        let pods = self.admin.list(&path).await.unwrap();
        pods.iter()
            .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Gives the account `drain` of a namespace the worker's role.
pub(crate) async fn grant(admin: &Client, namespace: &str) {
    admin.grant(manifest(RBAC), namespace, "drain").await.unwrap();
}

/// Cordons and drains as the worker does.
pub(crate) async fn drain(cluster: &Cluster, node: &Node, wish: Wish) -> Summary {
    cluster.cordon(node, "i-test/1").await.unwrap();
    let mut ticket = cluster.drain(node, wish, None);
    tokio::time::timeout(BOUND, ticket.ended())
        .await
        .expect("the drain to end")
        .unwrap()
}

pub(crate) fn within(seconds: i64, force: Force) -> Wish {
    Wish {
        deadline: Some(Timestamp::now() + SignedDuration::from_secs(seconds)),
        force,
    }
}

pub(crate) fn paths(ground: &Ground, names: &[&str]) -> Vec<String> {
    names
        .iter()
        .map(|name| format!("{}/{name}", ground.name))
        .collect()
}

pub(crate) fn assert_empty(summary: &Summary) {
    assert_eq!(summary.ended, Ended::Empty, "{summary:?}");
    assert!(summary.left.is_empty(), "{summary:?}");
}

fn is_ready(object: &Value) -> Result<(), Error> {
    let conditions = object["status"]["conditions"].as_array();
    let ready = conditions.is_some_and(|all| {
        all.iter()
            .any(|one| one["type"] == "Ready" && one["status"] == "True")
    });
    if ready {
        Ok(())
    } else {
        Err(Error::new(object["status"].to_string()))
    }
}

/// The objects of a manifest.
pub(crate) fn manifest(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect()
}
