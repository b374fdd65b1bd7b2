//! The servers, and how a worker is started against them.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use hollowtrees_bus::{
    Bus, Options, apply,
    topology::{self, Profile},
};
use hollowtrees_harness::{
    Aws, Context, ControlPlane, Metadata, Nats, Result, Worker, control_plane::Client, http_get, ports::Port,
};

use crate::{
    Machine,
    roles::{ROLE, Role},
};

/// Name of the cluster in every message.
pub const CLUSTER: &str = "stage";
/// Region of every instance.
pub const REGION: &str = "us-east-1";
/// As whom the drain workers speak to the API server: the audit log tells their requests by it.
pub const DRAIN_USER: &str = "hollowtrees-drain";
/// How long a worker may take to be ready.
const START: Duration = Duration::from_secs(60);

/// NATS, a Kubernetes API and a simulated AWS, the bus applied; no worker yet.
pub struct Rig {
    /// A connection of one's own.
    pub bus: Bus,
    /// The API server, as an administrator.
    pub kubernetes: Client,
    /// The bus server.
    pub nats: Nats,
    /// The control plane.
    pub control_plane: ControlPlane,
    /// EC2 and Auto Scaling.
    pub aws: Aws,
    program: PathBuf,
    rules: tempfile::TempDir,
    drain_access: PathBuf,
}

/// A worker that runs, and where it answers.
pub struct Process {
    /// The process.
    pub worker: Worker,
    /// What it plays.
    pub role: Role,
    address: SocketAddr,
    _port: Port,
}

impl Process {
    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// It ended, or is not ready after a minute; with the end of its log.
    pub async fn ready(&self) -> Result<()> {
        self.worker
            .ready(&format!("http://{}/readyz", self.address), START)
            .await
    }

    /// Its metrics as text.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metrics(&self) -> Result<String> {
        let (_, body) = http_get::get(&format!("http://{}/metrics", self.address)).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

impl Rig {
    /// Starts the servers. `program` plays the workers when it is started with a role; `rules` are the routers'.
    ///
    /// # Errors
    /// A server does not start: what it is and the end of its log.
    pub async fn set(program: impl Into<PathBuf>, rules: &str) -> Result<Self> {
        let (nats, control_plane, aws) =
            tokio::try_join!(Nats::start(), ControlPlane::start(), Aws::start())?;
        let bus = Bus::connect(&Options::new(nats.url()).named("stage"))
            .await
            .context(|| "cannot connect to the bus")?;
        let mut consumers = topology::consumers();
        consumers.extend(topology::of_cluster(CLUSTER));
        apply::apply(&bus, Profile::LOCAL, &consumers)
            .await
            .context(|| "cannot apply the topology")?;
        let directory = tempfile::tempdir().context(|| "no place for the rules")?;
        std::fs::write(rules_file(directory.path()), rules).context(|| "cannot write the rules")?;
        Ok(Self {
            bus,
            kubernetes: control_plane.client()?,
            drain_access: control_plane.kubeconfig_for_user(DRAIN_USER, Some("system:masters"))?,
            nats,
            control_plane,
            aws,
            program: program.into(),
            rules: directory,
        })
    }

    /// Starts a worker.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, role: Role, name: &str) -> Result<Process> {
        self.process(role, name, self.settings(role))
    }

    /// Starts a swap worker that sees the cluster's nodes, and so can wait for a replacement's.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_swap_that_waits(&self, name: &str) -> Result<Process> {
        let own = self.seeing_nodes(self.settings(Role::AsgSwap));
        self.process(Role::AsgSwap, name, own)
    }

    /// Starts one that also tries soon whether what fell back to on demand can go back to spot.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_swap_that_tries(&self, name: &str) -> Result<Process> {
        let mut own = self.seeing_nodes(self.settings(Role::AsgSwap));
        own.push(("HT_SWAP__SPOT_AGAIN", "10s".to_owned()));
        self.process(Role::AsgSwap, name, own)
    }

    fn seeing_nodes(&self, mut own: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
        let access = self.control_plane.kubeconfig();
        own.push(("HT_CLUSTER__NAME", CLUSTER.to_owned()));
        own.push(("HT_CLUSTER__KUBECONFIG", access.display().to_string()));
        own
    }

    fn settings(&self, role: Role) -> Vec<(&'static str, String)> {
        match role {
            Role::Router => vec![(
                "HT_RULES__FILE",
                rules_file(self.rules.path()).display().to_string(),
            )],
            Role::Drain => vec![
                ("HT_CLUSTER__NAME", CLUSTER.to_owned()),
                ("HT_CLUSTER__KUBECONFIG", self.drain_access.display().to_string()),
                // Tests advise most of a small stage, and the cap on that is tested by the drain worker's own.
                ("HT_DRAIN__ADVISORY_CORDONS", "100%".to_owned()),
            ],
            Role::AsgSwap => self.aws_settings(),
            Role::Lifecycle => self.seeing_nodes(self.aws_settings()),
            Role::Agent | Role::Gateway | Role::Metrics => Vec::new(),
        }
    }

    fn aws_settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.aws.url()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "stage".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "stage".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Starts the agent of a machine, which asks this metadata service.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_agent(&self, machine: &Machine, metadata: &Metadata) -> Result<Process> {
        let own = vec![
            ("HT_CLUSTER", CLUSTER.to_owned()),
            ("HT_NODE", machine.node.clone()),
            ("HT_PROVIDER", "aws".to_owned()),
            ("HT_METADATA__URL", metadata.url()),
        ];
        self.process(Role::Agent, &format!("agent-{}", machine.node), own)
    }

    /// Starts a gateway that reads this queue, launches included, and takes alerts at this address from anybody.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_gateway(&self, name: &str, queue: &str, listen: SocketAddr) -> Result<Process> {
        let mut own = self.aws_settings();
        own.push(("HT_CLUSTER", CLUSTER.to_owned()));
        own.push(("HT_SQS__QUEUES", queue.to_owned()));
        own.push(("HT_SQS__LAUNCHES", "true".to_owned()));
        own.push(("HT_HTTP__LISTEN", listen.to_string()));
        self.process(Role::Gateway, name, own)
    }

    fn process(&self, role: Role, name: &str, own: Vec<(&str, String)>) -> Result<Process> {
        let port = Port::reserve()?;
        let builder = Worker::builder(name, &self.program)
            .env(ROLE, role.name())
            .env("HT_NATS__URL", self.nats.url())
            .env("HT_HEALTH__LISTEN", port.addr().to_string())
            .env("HT_LOG__FILTER", "info");
        let builder = own
            .into_iter()
            .fold(builder, |builder, (name, value)| builder.env(name, value));
        Ok(Process {
            worker: builder.start()?,
            role,
            address: port.addr(),
            _port: port,
        })
    }
}

fn rules_file(directory: &Path) -> PathBuf {
    directory.join("rules.yaml")
}
