//! The processes of a control plane and what each is told.

use crate::ports::Port;
use crate::{Context, Result};
use std::path::{Path, PathBuf};

/// A process of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The store.
    Etcd,
    /// The API server.
    ApiServer,
    /// Deployments, replica sets, disruption budgets, garbage collection and the like. Nothing in it evicts pods from
    /// nodes or removes pods of nodes that are gone: what ends a pod in a test is what the test is about.
    ControllerManager,
    /// Binds pods to nodes.
    Scheduler,
    /// The simulated kubelet of all nodes.
    Kubelet,
}

const CONTROLLERS: &[&str] = &[
    "clusterrole-aggregation-controller",
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "statefulset-controller",
];

/// What gives up nodes that say nothing: marks them, deletes pods by taint, and collects those that nobody ends.
const GIVING_UP: &[&str] = &[
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
    "taint-eviction-controller",
];

/// The users that the parts are to each other.
pub(super) const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";
pub(super) const SCHEDULER: &str = "system:kube-scheduler";
/// The simulated kubelet: it deletes the pods whose end has come.
pub const KUBELET_USER: &str = "testbed:kubelet";

/// Reserved for as long as the control plane lives.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) etcd: Port,
    pub(super) etcd_peer: Port,
    pub(super) server: Port,
    pub(super) controllers: Port,
    pub(super) scheduler: Port,
    pub(super) kubelet: Port,
}

impl Ports {
    pub(super) fn reserve() -> Result<Self> {
        Ok(Self {
            etcd: Port::reserve()?,
            etcd_peer: Port::reserve()?,
            server: Port::reserve()?,
            controllers: Port::reserve()?,
            scheduler: Port::reserve()?,
            kubelet: Port::reserve()?,
        })
    }

    pub(super) fn server_url(&self) -> String {
        format!("https://{}", self.server.addr())
    }
}

pub(super) fn kubeconfig(directory: &Path, user: &str) -> PathBuf {
    directory.join(format!("{}.kubeconfig", user.replace(':', "-")))
}

/// The scheduler's limits are in a file, it has no flags for them.
pub(super) fn write_scheduler_configuration(directory: &Path) -> Result<()> {
    let kubeconfig = kubeconfig(directory, SCHEDULER);
    let text = serde_json::json!({
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": false},
        "clientConnection": {"kubeconfig": kubeconfig, "qps": 5000, "burst": 5000},
    });
    std::fs::write(directory.join("scheduler.yaml"), text.to_string())
        .context(|| "cannot write the scheduler's file")
}

impl Part {
    /// The name of its program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
        }
    }

    /// Where it says whether it is ready.
    pub(super) fn health(self, ports: &Ports) -> (String, &'static str) {
        match self {
            Self::Etcd => (format!("http://{}", ports.etcd.addr()), "/health"),
            Self::ApiServer => (ports.server_url(), "/readyz"),
            Self::ControllerManager => (format!("https://{}", ports.controllers.addr()), "/healthz"),
            Self::Scheduler => (format!("https://{}", ports.scheduler.addr()), "/readyz"),
            Self::Kubelet => (format!("http://{}", ports.kubelet.addr()), "/"),
        }
    }

    /// `silent_after`: seconds after which a node that says nothing is given up, if at all.
    pub(super) fn args(self, directory: &Path, ports: &Ports, silent_after: Option<u32>) -> Vec<String> {
        let file = |name: &str| directory.join(name).display().to_string();
        let serving = |port: &Port| {
            vec![
                "--bind-address=127.0.0.1".to_owned(),
                format!("--secure-port={}", port.number()),
                format!("--tls-cert-file={}", file("server.crt")),
                format!("--tls-private-key-file={}", file("server.key")),
            ]
        };
        let kubeconfig = |user| format!("--kubeconfig={}", kubeconfig(directory, user).display());
        let giving_up = silent_after.map_or(&[][..], |_| GIVING_UP);
        match self {
            Self::Etcd => etcd(ports, &file("etcd")),
            Self::ApiServer => [serving(&ports.server), api_server(ports, file)].concat(),
            Self::ControllerManager => [
                serving(&ports.controllers),
                vec![
                    kubeconfig(CONTROLLER_MANAGER),
                    format!("--controllers={}", [CONTROLLERS, giving_up].concat().join(",")),
                    format!(
                        "--service-account-private-key-file={}",
                        file("service-accounts.key")
                    ),
                    format!("--root-ca-file={}", file("ca.crt")),
                    "--leader-elect=false".to_owned(),
                    // Each controller with its own rights, as in production.
                    "--use-service-account-credentials=true".to_owned(),
                    // As fast as a production cluster's controllers, whose many small limits add up.
                    "--kube-api-qps=5000".to_owned(),
                    "--kube-api-burst=5000".to_owned(),
                    "--concurrent-replicaset-syncs=20".to_owned(),
                ],
                silent_after.map_or_else(Vec::new, |seconds| {
                    vec![
                        "--node-monitor-period=1s".to_owned(),
                        format!("--node-monitor-grace-period={seconds}s"),
                    ]
                }),
            ]
            .concat(),
            Self::Scheduler => [
                serving(&ports.scheduler),
                vec![format!("--config={}", file("scheduler.yaml"))],
            ]
            .concat(),
            Self::Kubelet => vec![
                kubeconfig(KUBELET_USER),
                format!("--listen={}", ports.kubelet.addr()),
            ],
        }
    }
}

fn etcd(ports: &Ports, data: &str) -> Vec<String> {
    let (client, peer) = (
        format!("http://{}", ports.etcd.addr()),
        format!("http://{}", ports.etcd_peer.addr()),
    );
    vec![
        format!("--data-dir={data}"),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--log-level=warn".to_owned(),
        // The data outlives a killed process, and need not outlive the machine.
        "--unsafe-no-fsync".to_owned(),
        "--quota-backend-bytes=8589934592".to_owned(),
    ]
}

fn api_server(ports: &Ports, file: impl Fn(&str) -> String) -> Vec<String> {
    vec![
        format!("--etcd-servers=http://{}", ports.etcd.addr()),
        format!("--client-ca-file={}", file("ca.crt")),
        format!("--token-auth-file={}", file("tokens.csv")),
        format!("--service-account-key-file={}", file("service-accounts.pub")),
        format!(
            "--service-account-signing-key-file={}",
            file("service-accounts.key")
        ),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        // Its partner, the controller that takes the taint off again, does not run.
        "--disable-admission-plugins=TaintNodesByCondition".to_owned(),
        format!("--cert-dir={}", file("api-server")),
        format!("--audit-policy-file={}", file("audit-policy.yaml")),
        format!("--audit-log-path={}", file("audit.log")),
        // Never rotated: it is counted as a whole.
        "--audit-log-maxsize=100000".to_owned(),
    ]
}
