//! The servers, the nodes, the workers.

use std::time::Duration;

use anyhow::{Context as _, Result};
use hollowtrees_bus::{
    Bus, Options, apply,
    topology::{self, Profile},
};
use hollowtrees_harness::{
    ControlPlane, Metadata, Nats, Worker,
    control_plane::{Client, fixtures},
    metadata::Instance,
    ports::Port,
    try_eventually,
};
use serde_json::Value;

use crate::{
    Arguments, Scenario,
    roles::{ROLE, Role},
};

/// Name of the cluster in every message.
pub(crate) const CLUSTER: &str = "demo";
/// Namespace of the pods.
pub(crate) const NAMESPACE: &str = "shop";
/// Nodes that go begin with this, those that stay with the other.
const GOING: &str = "spot";
const STAYING: &str = "steady";
/// Agents are started for so many nodes; the notices of more come from the demo itself.
const MOST_AGENTS: u16 = 5;
const START: Duration = Duration::from_secs(60);
const RULES: &str = "\
version: 1
rules:
  - name: spot-interruption
    match: { exact: { data.kind: spot-interruption } }
    steps:
      - actions: [drain]
";

/// One node whose instance is taken back.
pub(crate) struct Going {
    pub(crate) name: String,
    pub(crate) instance: String,
    pub(crate) metadata: Option<Metadata>,
}

/// Everything that runs.
pub(crate) struct Stage {
    pub(crate) bus: Bus,
    pub(crate) kubernetes: Client,
    pub(crate) going: Vec<Going>,
    pub(crate) router: Worker,
    pub(crate) drain: Worker,
    _agents: Vec<Worker>,
    _ports: Vec<Port>,
    _rules: tempfile::TempDir,
    _control_plane: ControlPlane,
    _nats: Nats,
}

impl Stage {
    pub(crate) async fn set(arguments: &Arguments) -> Result<Self> {
        let nats = Nats::start().await?;
        println!("  nats-server                      {}", nats.url());
        let control_plane = ControlPlane::start().await?;
        println!("  etcd, kube-apiserver, controllers {}", control_plane.url());
        let bus = Bus::connect(&Options::new(nats.url()).named("demo")).await?;
        let mut consumers = topology::consumers();
        consumers.extend(topology::of_cluster(CLUSTER));
        apply::apply(&bus, Profile::LOCAL, &consumers).await?;
        println!("  streams, buckets, consumers      applied");

        let kubernetes = control_plane.client()?;
        let mut going = populate(&kubernetes, arguments).await?;
        println!(
            "  {} node(s) that will go, {} that stay, {} pods on each",
            arguments.nodes,
            staying(arguments),
            arguments.pods
        );

        let rules = tempfile::tempdir()?;
        let rules_file = rules.path().join("rules.yaml");
        std::fs::write(&rules_file, RULES)?;
        let mut ports = Vec::new();
        let mut start = |role: Role, own: &[(&str, String)]| -> Result<(Worker, String)> {
            let port = Port::reserve()?;
            let url = format!("http://{}/readyz", port.addr());
            let mut builder = Worker::builder(role.name(), std::env::current_exe()?)
                .env(ROLE, role.name())
                .env("HT_NATS__URL", nats.url())
                .env("HT_HEALTH__LISTEN", port.addr().to_string());
            for (name, value) in own {
                builder = builder.env(name, value);
            }
            ports.push(port);
            Ok((builder.start()?, url))
        };
        let (router, router_url) = start(
            Role::Router,
            &[("HT_RULES__FILE", rules_file.display().to_string())],
        )?;
        let drain_settings = [
            ("HT_CLUSTER__NAME", CLUSTER.to_owned()),
            (
                "HT_CLUSTER__KUBECONFIG",
                control_plane.kubeconfig().display().to_string(),
            ),
        ];
        let (drain, drain_url) = start(Role::Drain, &drain_settings)?;
        let mut agents = Vec::new();
        if arguments.nodes <= MOST_AGENTS {
            for node in &mut going {
                let instance = Instance::new(&node.instance, "us-east-1a").hostname(&node.name);
                let metadata = Metadata::start(instance).await?;
                let settings = [
                    ("HT_CLUSTER", CLUSTER.to_owned()),
                    ("HT_NODE", node.name.clone()),
                    ("HT_METADATA__URL", metadata.url()),
                ];
                agents.push(start(Role::Agent, &settings)?);
                node.metadata = Some(metadata);
            }
        }
        router.ready(&router_url, START).await?;
        drain.ready(&drain_url, START).await?;
        for (agent, url) in &agents {
            agent.ready(url, START).await?;
        }
        println!("  router, drain, {} agent(s)         ready", agents.len());
        Ok(Self {
            bus,
            kubernetes,
            going,
            router,
            drain,
            _agents: agents.into_iter().map(|(agent, _)| agent).collect(),
            _ports: ports,
            _rules: rules,
            _control_plane: control_plane,
            _nats: nats,
        })
    }

    /// The pods of the shop as the API server has them.
    pub(crate) async fn pods(&self) -> Result<Vec<Value>> {
        Ok(self.kubernetes.list(&pods_path()).await?)
    }
}

pub(crate) fn pods_path() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/pods")
}

fn staying(arguments: &Arguments) -> usize {
    usize::from(arguments.nodes).div_ceil(4).max(2)
}

/// Creates nodes, a deployment whose pods land on those that go, and then the room for them to go to.
async fn populate(kubernetes: &Client, arguments: &Arguments) -> Result<Vec<Going>> {
    let count = usize::from(arguments.nodes);
    kubernetes.namespace(NAMESPACE).await?;
    let label = |mut node: Value| {
        // One prefix for both kinds, so that the deployment's pods may run on either.
        node["metadata"]["labels"][fixtures::PREFIX] = "shop".into();
        node
    };
    kubernetes
        .post_all(
            "/api/v1/nodes",
            fixtures::nodes(GOING, count).into_iter().map(label),
        )
        .await?;
    let replicas = count * usize::from(arguments.pods);
    let deployments = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments");
    // Each takes a moment to end, as programs do.
    let deployment = fixtures::annotated(
        fixtures::deployment("shop", replicas, "shop"),
        fixtures::EXIT_AFTER,
        "1s",
    );
    kubernetes.post(&deployments, &deployment).await?;
    try_eventually(
        format!("{replicas} pods to run"),
        Duration::from_secs(300),
        || async {
            let pods = kubernetes
                .list(&pods_path())
                .await
                .map_err(|error| error.to_string())?;
            let running = pods
                .iter()
                .filter(|pod| pod["status"]["phase"] == "Running")
                .count();
            if running == replicas {
                Ok(())
            } else {
                Err(format!("{running} run"))
            }
        },
    )
    .await
    .context("the deployment did not start")?;
    if arguments.scenario == Scenario::BlockedBudget {
        let budgets = format!("/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets");
        kubernetes
            .post(&budgets, &fixtures::budget("shop", replicas))
            .await?;
    }
    let stay = fixtures::nodes(STAYING, staying(arguments))
        .into_iter()
        .map(label);
    kubernetes.post_all("/api/v1/nodes", stay).await?;
    let names = (0..count).map(|number| Going {
        name: format!("{GOING}-{number}"),
        instance: fixtures::instance_id(GOING, number),
        metadata: None,
    });
    Ok(names.collect())
}
