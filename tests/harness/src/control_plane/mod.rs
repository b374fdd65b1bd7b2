//! A Kubernetes control plane: etcd, API server, controllers, scheduler, and a simulated kubelet for all nodes.
//!
//! What runs is the real thing, each part a process of its own that can be killed, paused and started again; only the
//! nodes are simulated. How a simulated node or pod behaves is said by annotations, see [`fixtures`]. Access control
//! (RBAC) is on.

mod audit;
mod certificates;
mod client;
pub mod fixtures;
mod ground;
mod kubeconfig;
mod part;

pub use audit::{Audit, Entry};
pub use client::{Answer, Client};
pub use ground::Ground;
pub use part::{KUBELET_USER, Part};

use crate::process::Worker;
use crate::supervise::Signal;
use crate::testbed::{self, Program};
use crate::{Context, Error, Result, proxy, scratch, tls, try_eventually};
use certificates::Certificates;
use part::Ports;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::OnceCell;

const START: Duration = Duration::from_secs(120);

/// A Kubernetes API server with all that makes it move.
#[derive(Debug)]
pub struct ControlPlane {
    parts: HashMap<Part, Worker>,
    ports: Ports,
    certificates: Certificates,
    kubeconfig: PathBuf,
    // After the parts, so that it is dropped after them.
    directory: TempDir,
}

impl ControlPlane {
    /// Starts one; ready when it returns, which takes a few seconds.
    ///
    /// # Errors
    /// If a part does not come up, with the end of its log.
    pub async fn start() -> Result<Self> {
        Self::start_with(None).await
    }

    /// The same with the controllers that give up nodes: one whose lease nobody renews is `Unknown` after so many seconds
    /// (the simulated kubelet renews none, see [`ControlPlane::keep_alive`]), and an out-of-service taint works.
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub async fn start_giving_up_after(seconds: u32) -> Result<Self> {
        Self::start_with(Some(seconds)).await
    }

    async fn start_with(silent_after: Option<u32>) -> Result<Self> {
        let binary = testbed::binary_async(Program::ControlPlane).await?;
        let directory = scratch::directory("control-plane")?;
        let path = directory.path();
        let ports = Ports::reserve()?;
        let certificates = Certificates::write(path)?;
        std::fs::write(path.join("audit-policy.yaml"), audit::POLICY)
            .context(|| "cannot write the audit policy")?;
        let server = ports.server_url();
        for (user, files) in &certificates.parts {
            let text = kubeconfig::with_certificate(&server, &certificates.ca, user, files);
            kubeconfig::write(&part::kubeconfig(path, user), &text)?;
        }
        let kubeconfig = path.join("admin.kubeconfig");
        let text = kubeconfig::with_token(&server, &certificates.ca, "admin", &certificates.admin_token);
        kubeconfig::write(&kubeconfig, &text)?;
        part::write_scheduler_configuration(path)?;

        let mut plane = Self {
            parts: HashMap::new(),
            ports,
            certificates,
            kubeconfig,
            directory,
        };
        for stage in [
            &[Part::Etcd][..],
            &[Part::ApiServer],
            &[Part::ControllerManager, Part::Scheduler, Part::Kubelet],
        ] {
            for part in stage {
                let args = part.args(plane.directory.path(), &plane.ports, silent_after);
                let worker = Worker::builder(part.name(), &binary)
                    .arg(part.name())
                    .args(args)
                    .start()?;
                plane.parts.insert(*part, worker);
            }
            for part in stage {
                plane.ready(*part).await?;
            }
        }
        Ok(plane)
    }

    /// One for all tests of this process, started by the first that asks and stopped with the process. Tests tell
    /// themselves apart by namespace and by the prefix of their nodes' names, and must not kill parts of it.
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub async fn shared() -> Result<Arc<Self>> {
        static SHARED: OnceCell<Arc<ControlPlane>> = OnceCell::const_new();
        SHARED
            .get_or_try_init(|| async { Self::start().await.map(Arc::new) })
            .await
            .map(Arc::clone)
    }

    /// Renews a node's lease, as its kubelet does.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn keep_alive(&self, node: &str) -> Result<()> {
        let client = self.client()?;
        let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
        client.namespace("kube-node-lease").await?;
        let now = jiff::Timestamp::now().strftime("%FT%T.%6fZ").to_string();
        let spec = serde_json::json!({"holderIdentity": node, "renewTime": now, "leaseDurationSeconds": 40});
        client
            .ensure(
                leases,
                &serde_json::json!({"metadata": {"name": node}, "spec": spec}),
            )
            .await?;
        let spec = serde_json::json!({"spec": spec});
        client.patch(&format!("{leases}/{node}"), &spec).await.map(drop)
    }

    /// `https://127.0.0.1:port` of the API server.
    pub fn url(&self) -> String {
        self.ports.server_url()
    }

    /// Where the API server listens: for a TCP fault proxy, which passes TLS through.
    pub fn addr(&self) -> std::net::SocketAddr {
        self.ports.server.addr()
    }

    /// A kubeconfig file with all rights, by bearer token.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The bearer token with all rights.
    pub fn admin_token(&self) -> &str {
        &self.certificates.admin_token
    }

    /// The certificate to trust, a PEM file.
    pub fn ca_file(&self) -> &Path {
        &self.certificates.ca
    }

    /// A client with all rights and connections of its own.
    ///
    /// # Errors
    /// If its TLS cannot be set up.
    pub fn client(&self) -> Result<Client> {
        self.client_with_token(&self.certificates.admin_token)
    }

    /// A client with whatever rights the bearer of this token has.
    ///
    /// # Errors
    /// If its TLS cannot be set up.
    pub fn client_with_token(&self, token: &str) -> Result<Client> {
        Client::new(&self.url(), self.certificates.authority.pem(), Some(token))
    }

    /// A kubeconfig file for a user, of a group if so wished, by client certificate: it has the rights that roles bound to
    /// the two give.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn kubeconfig_for_user(&self, user: &str, group: Option<&str>) -> Result<PathBuf> {
        let directory = self.directory.path();
        let files = self
            .certificates
            .authority
            .client(user, group)?
            .write(directory, &format!("user-{user}"))?;
        let text = kubeconfig::with_certificate(&self.url(), &self.certificates.ca, user, &files);
        kubeconfig::write(&directory.join(format!("user-{user}.kubeconfig")), &text)
    }

    /// A kubeconfig file for a service account, by bearer token; the account and its namespace are made if there are
    /// none. Tokens pass through [`ControlPlane::http_proxy`].
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn kubeconfig_for_service_account(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let token = self.service_account_token(namespace, name).await?;
        let text = kubeconfig::with_token(&self.url(), &self.certificates.ca, name, &token);
        kubeconfig::write(
            &self
                .directory
                .path()
                .join(format!("{namespace}-{name}.kubeconfig")),
            &text,
        )
    }

    /// A day's token of a service account; the account and its namespace are made if there are none.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn service_account_token(&self, namespace: &str, name: &str) -> Result<String> {
        self.token(namespace, name, &serde_json::json!({"expirationSeconds": 86_400}))
            .await
    }

    /// A token as a kubelet mounts it into a pod: bound to the pod, and with the name of the pod's node in it.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn pod_token(&self, namespace: &str, account: &str, pod: &str) -> Result<String> {
        let pod = self
            .client()?
            .get(&format!("/api/v1/namespaces/{namespace}/pods/{pod}"))
            .await?;
        let bound = serde_json::json!({
            "kind": "Pod", "apiVersion": "v1", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"],
        });
        let spec = serde_json::json!({"expirationSeconds": 3600, "boundObjectRef": bound});
        self.token(namespace, account, &spec).await
    }

    async fn token(&self, namespace: &str, name: &str, spec: &serde_json::Value) -> Result<String> {
        let client = self.client()?;
        client
            .ensure("/api/v1/namespaces", &fixtures::namespace(namespace))
            .await?;
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        client
            .ensure(&accounts, &serde_json::json!({"metadata": {"name": name}}))
            .await?;
        let wanted = serde_json::json!({"spec": spec});
        let made = client.post(&format!("{accounts}/{name}/token"), &wanted).await?;
        made["status"]["token"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Error::new(format!("no token in {made}")))
    }

    /// A copy of a kubeconfig file that goes to another address, say that of a fault proxy.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn kubeconfig_via(&self, kubeconfig: &Path, server_url: &str) -> Result<PathBuf> {
        kubeconfig::via(kubeconfig, server_url)
    }

    /// An HTTP fault proxy in front of the API server. It ends TLS, with a certificate of the same authority, so
    /// clients must come with a token: a client certificate does not pass through it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn http_proxy(&self) -> Result<proxy::Http> {
        let identity = self.certificates.authority.server(&["127.0.0.1", "localhost"])?;
        proxy::Http::builder(&self.url())
            .trust(self.certificates.authority.pem())
            .serve_tls(identity)
            .start()
            .await
    }

    /// The record of all requests to the API server.
    pub fn audit(&self) -> Audit {
        Audit::new(self.directory.path().join("audit.log"))
    }

    /// The authority that signed the certificates of this control plane.
    pub fn authority(&self) -> &tls::Authority {
        &self.certificates.authority
    }

    /// Kills a part with SIGKILL.
    pub fn kill(&self, part: Part) {
        self.parts[&part].kill();
    }

    /// Starts a part again with the same ports and data; ready when it returns.
    ///
    /// # Errors
    /// If it does not come up, with the end of its log.
    pub async fn restart(&self, part: Part) -> Result<()> {
        self.parts[&part].restart()?;
        self.ready(part).await
    }

    /// Stops a part in its tracks (SIGSTOP).
    ///
    /// # Errors
    /// If the system refuses.
    pub fn pause(&self, part: Part) -> Result<()> {
        self.parts[&part].signal(Signal::STOP)
    }

    /// Lets a part go on.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn resume(&self, part: Part) -> Result<()> {
        self.parts[&part].signal(Signal::CONT)
    }

    /// The process of a part, for its log and its id.
    pub fn part(&self, part: Part) -> &Worker {
        &self.parts[&part]
    }

    async fn ready(&self, part: Part) -> Result<()> {
        let worker = &self.parts[&part];
        let (url, path) = part.health(&self.ports);
        let client = Client::new(&url, self.certificates.authority.pem(), None)?;
        let waited = try_eventually(format!("{} to be ready", part.name()), START, || async {
            if let Some(status) = worker.exit_status() {
                return Ok(Err(Error::new(format!(
                    "{} ended at its start ({status})",
                    part.name()
                ))));
            }
            let answer = client.request(http::Method::GET, path, None).await?;
            if answer.status.is_success() {
                Ok(Ok(()))
            } else {
                Err(Error::new(answer.to_string()))
            }
        })
        .await
        .map_err(Error::from)
        .flatten();
        waited.map_err(|error| worker.with_log(&error))
    }
}
