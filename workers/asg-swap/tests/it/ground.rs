//! A cluster whose nodes a worker sees, under the role it is deployed with and no other right.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use hollowtrees_harness::{
    ControlPlane,
    aws::Instance,
    control_plane::{Audit, Client, fixtures},
};
use serde_json::{Value, json};

/// The role the worker asks for, as it is deployed.
const RBAC: &str = include_str!("../../rbac.yaml");

pub(crate) struct Ground {
    pub(crate) plane: Arc<ControlPlane>,
    admin: Client,
    name: String,
    audit: Audit,
    /// Of a service account that has the worker's role and nothing else.
    pub(crate) kubeconfig: PathBuf,
}

impl Ground {
    pub(crate) async fn new(name: &str) -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let admin = plane.client().unwrap();
        admin.namespace(name).await.unwrap();
        admin.grant(roles(), name, "asg-swap").await.unwrap();
        let kubeconfig = plane
            .kubeconfig_for_service_account(name, "asg-swap")
            .await
            .unwrap();
        let audit = plane.audit().from_now().unwrap();
        Self {
            plane,
            admin,
            name: name.to_owned(),
            audit,
            kubeconfig,
        }
    }

    /// An instance joins: its node is there, and not ready.
    pub(crate) async fn joins(&self, instance: &Instance) {
        let node = fixtures::node(&instance.id, &instance.zone, &instance.id);
        // Only its spec says which instance it is of.
        let mut node = fixtures::annotated(node, fixtures::READY_AFTER, "never");
        node["metadata"]["name"] = self.node_of(instance).into();
        self.admin.post("/api/v1/nodes", &node).await.unwrap();
        self.says(instance, "False").await;
    }

    /// Its node is ready.
    pub(crate) async fn is_ready(&self, instance: &Instance) {
        self.says(instance, "True").await;
    }

    async fn says(&self, instance: &Instance, ready: &str) {
        let status: Value = json!({"status": {"conditions": [{"type": "Ready", "status": ready}]}});
        let path = format!("/api/v1/nodes/{}/status", self.node_of(instance));
        self.admin.patch(&path, &status).await.unwrap();
    }

    fn node_of(&self, instance: &Instance) -> String {
        format!("{}-{}", self.name, instance.id)
    }

    /// What the worker asked of the API server is what its role gives, all of it, and nothing was refused.
    pub(crate) fn assert_rights(&self) {
        let user = format!("system:serviceaccount:{}:asg-swap", self.name);
        let entries = self.audit.entries().unwrap();
        let ours: Vec<_> = entries.iter().filter(|entry| entry.user == user).collect();
        assert!(ours.iter().all(|entry| entry.code != 403), "{ours:#?}");
        let used: BTreeSet<_> = ours
            .iter()
            .map(|entry| (entry.verb.clone(), entry.resource.clone()))
            .collect();
        assert_eq!(used, granted(), "used, and granted by rbac.yaml");
    }
}

fn roles() -> Vec<Value> {
    RBAC.split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect()
}

/// Verb and resource of every permission.
fn granted() -> BTreeSet<(String, String)> {
    let texts = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for role in roles().iter().filter(|object| object["kind"] == "ClusterRole") {
        for rule in role["rules"].as_array().unwrap() {
            for resource in texts(&rule["resources"]) {
                all.extend(
                    texts(&rule["verbs"])
                        .into_iter()
                        .map(|verb| (verb, resource.clone())),
                );
            }
        }
    }
    all
}
