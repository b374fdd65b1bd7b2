//! The servers, the machines, the workers.

use anyhow::{Context as _, Result};
use hollowtrees_harness::{Metadata, aws::Group, control_plane::fixtures, metadata::Instance};
use hollowtrees_stage::{Machine, Process, Rig, Role, machines};
use serde_json::Value;

use crate::{Arguments, Scenario};

/// Namespace of the pods.
pub(crate) const NAMESPACE: &str = "shop";
/// The auto-scaling group whose instances go.
const GROUP: &str = "spot";
/// Agents are started for so many nodes; the notices of more come from the demo itself.
const MOST_AGENTS: u16 = 5;
/// The default rules without the last step: nobody here is told, and the demo would wait for it.
const RULES: &str = "\
version: 1
rules:
  - name: spot-interruption
    match: { exact: { data.kind: spot-interruption } }
    steps:
      - actions: [drain, asg-swap]
";

/// One machine that is taken back.
pub(crate) struct Going {
    pub(crate) machine: Machine,
    pub(crate) metadata: Option<Metadata>,
}

/// Everything that runs.
pub(crate) struct Stage {
    pub(crate) rig: Rig,
    pub(crate) going: Vec<Going>,
    /// The group before anything happens.
    pub(crate) group: Group,
    pub(crate) router: Process,
    pub(crate) drain: Process,
    pub(crate) swap: Process,
    pub(crate) metrics: Process,
    _agents: Vec<Process>,
}

impl Stage {
    pub(crate) async fn set(arguments: &Arguments) -> Result<Self> {
        let rig = Rig::set(std::env::current_exe()?, RULES).await?;
        println!("  nats-server                       {}", rig.nats.url());
        println!("  etcd, kube-apiserver, controllers {}", rig.control_plane.url());
        println!("  EC2 and Auto Scaling (moto)       {}", rig.aws.url());

        let count = u32::from(arguments.nodes);
        let replicas = usize::from(arguments.nodes) * usize::from(arguments.pods);
        let made = machines::make(&rig.aws, &rig.kubernetes, GROUP, count, count).await?;
        machines::deploy(&rig.kubernetes, NAMESPACE, replicas)
            .await
            .context("the deployment did not start")?;
        if arguments.scenario == Scenario::BlockedBudget {
            let budgets = format!("/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets");
            rig.kubernetes
                .post(&budgets, &fixtures::budget("shop", replicas))
                .await?;
        }
        machines::make_steady(&rig.kubernetes, staying(arguments)).await?;
        println!(
            "  {count} spot instance(s) that will go, {} nodes that stay, {} pods on each",
            staying(arguments),
            arguments.pods
        );

        let start = |role: Role| rig.start(role, role.name());
        let (router, drain) = (start(Role::Router)?, start(Role::Drain)?);
        let (swap, metrics) = (start(Role::AsgSwap)?, start(Role::Metrics)?);
        let mut agents = Vec::new();
        let mut going = Vec::new();
        for machine in made {
            let mut metadata = None;
            if arguments.nodes <= MOST_AGENTS {
                let instance = Instance::new(&machine.instance, &machine.zone).hostname(&machine.node);
                let service = Metadata::start(instance).await?;
                agents.push(rig.start_agent(&machine, &service)?);
                metadata = Some(service);
            }
            going.push(Going { machine, metadata });
        }
        for process in [&router, &drain, &swap, &metrics].into_iter().chain(&agents) {
            process.ready().await?;
        }
        println!(
            "  router, drain, asg-swap, metrics, {} agent(s) ready",
            agents.len()
        );
        Ok(Self {
            group: rig.aws.group(GROUP).await?,
            rig,
            going,
            router,
            drain,
            swap,
            metrics,
            _agents: agents,
        })
    }

    /// The pods of the shop as the API server has them.
    pub(crate) async fn pods(&self) -> Result<Vec<Value>> {
        Ok(machines::pods(&self.rig.kubernetes, NAMESPACE).await?)
    }

    /// The group as it is now.
    pub(crate) async fn group_now(&self) -> Result<Group> {
        Ok(self.rig.aws.group(GROUP).await?)
    }
}

fn staying(arguments: &Arguments) -> usize {
    usize::from(arguments.nodes).div_ceil(4).max(2)
}
