//! A cluster whose nodes a worker sees, under the role it is deployed with and no other right.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use serde_json::{Value, json};

use super::{Audit, Client, ControlPlane, fixtures};
use crate::Result;

/// See the module.
pub struct Ground {
    /// The control plane, shared with other tests.
    pub plane: Arc<ControlPlane>,
    admin: Client,
    name: String,
    worker: &'static str,
    granted: BTreeSet<(String, String)>,
    audit: Audit,
    /// Of a service account that has the worker's role and nothing else.
    pub kubeconfig: PathBuf,
}

impl Ground {
    /// With nodes whose names begin with `name`. `worker`: the service account in `rbac`, documents as they are deployed.
    ///
    /// # Errors
    /// No control plane, or it takes the roles of nobody.
    pub async fn new(name: &str, worker: &'static str, rbac: &[Value]) -> Result<Self> {
        let plane = ControlPlane::shared().await?;
        let admin = plane.client()?;
        admin.namespace(name).await?;
        admin.grant(rbac.to_vec(), name, worker).await?;
        let kubeconfig = plane.kubeconfig_for_service_account(name, worker).await?;
        let audit = plane.audit().from_now()?;
        Ok(Self {
            plane,
            admin,
            name: name.to_owned(),
            worker,
            granted: granted(rbac),
            audit,
            kubeconfig,
        })
    }

    /// An instance joins: its node is there, and not ready.
    ///
    /// # Errors
    /// The API server does not take it.
    pub async fn joins(&self, instance: &str, zone: &str) -> Result<()> {
        let node = fixtures::node(instance, zone, instance);
        // Only its spec says which instance it is of.
        let mut node = fixtures::annotated(node, fixtures::READY_AFTER, "never");
        node["metadata"]["name"] = self.node_of(instance).into();
        self.admin.post("/api/v1/nodes", &node).await?;
        self.says(instance, "False").await
    }

    /// Its node is ready.
    ///
    /// # Errors
    /// The API server does not take it.
    pub async fn is_ready(&self, instance: &str) -> Result<()> {
        self.says(instance, "True").await
    }

    async fn says(&self, instance: &str, ready: &str) -> Result<()> {
        let status: Value = json!({"status": {"conditions": [{"type": "Ready", "status": ready}]}});
        let path = format!("/api/v1/nodes/{}/status", self.node_of(instance));
        self.admin.patch(&path, &status).await.map(drop)
    }

    fn node_of(&self, instance: &str) -> String {
        format!("{}-{instance}", self.name)
    }

    /// Panics unless the worker asked the API server for what its role gives, all of it, and was refused nothing.
    #[track_caller]
    pub fn assert_rights(&self) {
        let user = format!("system:serviceaccount:{}:{}", self.name, self.worker);
        let entries = self.audit.entries().expect("the audit log can be read");
        let ours: Vec<_> = entries.iter().filter(|entry| entry.user == user).collect();
        assert!(ours.iter().all(|entry| entry.code != 403), "{ours:#?}");
        let used: BTreeSet<_> = ours
            .iter()
            .map(|entry| (entry.verb.clone(), entry.resource.clone()))
            .collect();
        assert_eq!(used, self.granted, "used, and granted by the role");
    }
}

/// Verb and resource of every permission.
fn granted(rbac: &[Value]) -> BTreeSet<(String, String)> {
    let texts = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let rules = rbac
        .iter()
        .filter(|object| object["kind"] == "ClusterRole")
        .flat_map(|role| role["rules"].as_array().into_iter().flatten());
    rules
        .flat_map(|rule| {
            let verbs = texts(&rule["verbs"]);
            texts(&rule["resources"]).into_iter().flat_map(move |resource| {
                verbs
                    .clone()
                    .into_iter()
                    .map(move |verb| (verb, resource.clone()))
            })
        })
        .collect()
}
