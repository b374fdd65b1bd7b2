//! A server with everything on it, a router beside it, and messages.

use std::time::Duration;

use anyhow::{Context as _, Result};
use hollowtrees_bus::{
    Bus, Options, apply,
    topology::{self, Consumer, Profile},
};
use hollowtrees_harness::{Nats, Worker, ports::Port};
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    outgoing::{self, Outgoing},
    proto,
    proto::time::to_proto,
};
use jiff::{SignedDuration, Timestamp};

use crate::roles::Role;

const WORK_RULES: &str = "
version: 1
rules:
  - name: plain
    match: { exact: { data.kind: spot-interruption } }
    steps: [{ actions: [work] }]
";

/// A fresh server and a connection to it.
pub(crate) struct Setup {
    pub(crate) nats: Nats,
    pub(crate) bus: Bus,
}

impl Setup {
    pub(crate) async fn start() -> Result<Self> {
        Self::with(work_consumer()).await
    }

    /// With room for more than a minute's work needs.
    pub(crate) async fn roomy() -> Result<Self> {
        let profile = Profile {
            stream_bytes: 1 << 30,
            ..Profile::LOCAL
        };
        Self::made(profile, work_consumer()).await
    }

    /// With the consumer of another worker.
    pub(crate) async fn with(consumer: Consumer) -> Result<Self> {
        Self::made(Profile::LOCAL, consumer).await
    }

    async fn made(profile: Profile, consumer: Consumer) -> Result<Self> {
        let nats = Nats::start().await?;
        let bus = Bus::connect(&Options::new(nats.url())).await?;
        let mut consumers = topology::consumers();
        consumers.push(consumer);
        apply::apply(&bus, profile, &consumers).await?;
        Ok(Self { nats, bus })
    }

    /// Another connection, as another process would have.
    pub(crate) async fn another(&self) -> Result<Bus> {
        Ok(Bus::connect(&Options::new(self.nats.url())).await?)
    }

    /// A router process with one rule: one action of kind `work` a notice.
    pub(crate) async fn router(&self) -> Result<Process> {
        self.router_by(WORK_RULES).await
    }

    /// A router process with these rules.
    pub(crate) async fn router_by(&self, rules: &str) -> Result<Process> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("rules.yaml");
        std::fs::write(&file, rules)?;
        let env = [("HT_RULES__FILE", file.display().to_string())];
        let mut process = self.process(Role::Router, &env).await?;
        process._directory = Some(directory);
        Ok(process)
    }

    /// A process of ours on this bus, once it is ready.
    pub(crate) async fn process(&self, role: Role, env: &[(&str, String)]) -> Result<Process> {
        let port = Port::reserve()?;
        let mut builder = role
            .process()?
            .env("HT_NATS__URL", self.nats.url())
            .env("HT_HEALTH__LISTEN", port.addr().to_string())
            .env("HT_LOG__FILTER", "warn");
        for (name, value) in env {
            builder = builder.env(name, value);
        }
        let worker = builder.start()?;
        worker
            .ready(&format!("http://{}/readyz", port.addr()), Duration::from_secs(60))
            .await?;
        Ok(Process {
            worker,
            _port: port,
            _directory: None,
        })
    }
}

/// A process of ours; stopped when dropped.
pub(crate) struct Process {
    worker: Worker,
    _port: Port,
    _directory: Option<tempfile::TempDir>,
}

impl Process {
    pub(crate) fn pid(&self) -> Result<u32> {
        self.worker.pid().context("the process runs")
    }
}

pub(crate) fn work_consumer() -> Consumer {
    Consumer::actions("work", None, &["work"])
}

/// A notice about `instance`, as an agent sends it.
pub(crate) fn notice(instance: &str) -> Result<Outgoing> {
    notice_of(instance, Timestamp::now() + SignedDuration::from_mins(10))
}

/// The same, of an instance that goes at this time.
pub(crate) fn notice_of(instance: &str, deadline: Timestamp) -> Result<Outgoing> {
    let now = Timestamp::now();
    let notice = proto::Notice {
        cluster: "c1".to_owned(),
        provider: "aws".to_owned(),
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        instance: instance.to_owned(),
        kind: "spot-interruption".to_owned(),
        provider_action: "terminate".to_owned(),
        noticed_at: Some(to_proto(now)),
        deadline: Some(to_proto(deadline)),
        ..proto::Notice::default()
    };
    outgoing::notice(
        &envelope::notice(notice, "/aws/123456789012/eu-west-1/imds"),
        DataFormat::Json,
    )
    .context("a notice is encoded")
}

/// An action about `instance`, as the router sends it.
pub(crate) fn action(instance: &str) -> Result<Outgoing> {
    action_of("work", instance, None)
}

/// The same of another kind, about an instance that is there.
pub(crate) fn action_of(kind: &str, instance: &str, target: Option<proto::Target>) -> Result<Outgoing> {
    use hollowtrees_schemas::id::{ActionId, IncidentKey};
    let now = Timestamp::now();
    let incident = IncidentKey::new("c1", instance, "live");
    let action = proto::Action {
        id: ActionId::per_instance(&incident, 1, kind, "certain").to_string(),
        cluster: "c1".to_owned(),
        kind: kind.to_owned(),
        instance: instance.to_owned(),
        generation: 1,
        certainty: "certain".to_owned(),
        mode: "live".to_owned(),
        noticed_at: Some(to_proto(now)),
        deadline: Some(to_proto(now + SignedDuration::from_mins(10))),
        close_at: Some(to_proto(now + SignedDuration::from_mins(15))),
        target,
        ..proto::Action::default()
    };
    outgoing::action(
        &envelope::action(action, "/hollowtrees/c1/router"),
        DataFormat::Json,
    )
    .context("an action is encoded")
}
