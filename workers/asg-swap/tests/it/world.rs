//! A bus, an AWS, and workers between them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hollowtrees_asg_swap::{
    config,
    telemetry::Telemetry,
    worker::{Health, Swapper},
};
use hollowtrees_aws::{Keys, Options as AwsOptions};
use hollowtrees_bus::{
    Bus, Deliveries, Options, apply,
    topology::{self, Consumer, Profile},
};
use hollowtrees_cluster::{Limits, Nodes, Sight};
use hollowtrees_harness::{
    Aws, Nats, Worker,
    aws::{Call, Instance, NewGroup, Service},
    eventually,
    ports::Port,
    process::Builder,
    proxy::Fault,
};
use hollowtrees_runtime::{
    config::Loader,
    metrics::Metrics,
    process::Identity,
    worker::{ServeError, serve},
};
use hollowtrees_schemas::{
    envelope::{self, DataFormat, Envelope},
    id::{ActionId, IncidentKey},
    key,
    names::{Stream, result},
    outgoing,
    proto::{self, time::to_proto},
};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Nothing here takes longer, on however busy a machine.
pub(crate) const BOUND: Duration = Duration::from_secs(90);
/// How long before the end of the old one waits for its replacement are over, as docs/operating.md says.
const CUT_AT: Duration = Duration::from_secs(15);
pub(crate) const CLUSTER: &str = "prod";
pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "us-east-1";

/// Everything a test needs, by one name.
pub(crate) struct World {
    pub(crate) aws: Arc<Aws>,
    pub(crate) bus: Bus,
    outcomes: Deliveries,
    pub(crate) settings: config::Settings,
    pub(crate) nats: Nats,
    /// What its workers sign with.
    pub(crate) key: String,
}

/// How many replicas a test's worker stands for; none said: one. See [`crate::replicas`].
pub(crate) const REPLICAS: &str = "HOLLOWTREES_SWAP_REPLICAS";

/// Whether each of these does what comes to it, instead of one of them all.
pub(crate) const APART: &str = "HOLLOWTREES_SWAP_APART";

/// As many as that.
pub(crate) fn replicas() -> usize {
    let said = std::env::var(REPLICAS);
    said.map_or(1, |said| said.parse().expect("a number of replicas"))
}

/// A worker in this process, or its replicas.
pub(crate) struct Running(Vec<Replica>);

struct Replica {
    stop: CancellationToken,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    pub(crate) async fn stop(self) {
        for replica in &self.0 {
            replica.stop.cancel();
        }
        for replica in self.0 {
            replica.task.await.unwrap().unwrap();
        }
    }

    /// As a crash: no word to anyone.
    pub(crate) async fn crash(self) {
        for replica in &self.0 {
            replica.task.abort();
        }
        for replica in self.0 {
            assert!(replica.task.await.unwrap_err().is_cancelled());
        }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With these variables of the environment.
    pub(crate) async fn with(env: &[(&str, &str)]) -> Self {
        let aws = Aws::start().await.unwrap();
        Self::beside(Arc::new(aws), "testbed", env).await
    }

    /// With a bus of its own, beside others on one AWS; its workers sign with this key.
    pub(crate) async fn beside(aws: Arc<Aws>, key: &str, env: &[(&str, &str)]) -> Self {
        let nats = Nats::start().await.unwrap();
        let bus = Bus::connect(&Options::new(nats.url())).await.unwrap();
        let apart = [("HT_SWAP__AFFINITY", "false")];
        let apart = apart.iter().take(usize::from(std::env::var_os(APART).is_some()));
        let env = [("HT_SWAP__POLL", "100ms")].iter().chain(apart).chain(env);
        let env = env.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let loader = Loader::new(config::DEFAULTS).env(env.collect());
        let settings = loader.load::<config::Settings>().unwrap().own;
        let reader = Consumer {
            name: "test-outcomes".to_owned(),
            stream: Stream::Outcomes,
            filters: vec![hollowtrees_schemas::filter::outcomes(None, None, None)],
            description: "test".to_owned(),
        };
        let mut consumers = topology::consumers();
        consumers.push(reader.clone());
        apply::apply(&bus, Profile::LOCAL, &consumers).await.unwrap();
        let outcomes = bus.consume(&reader, 256).await.unwrap();
        Self {
            aws,
            bus,
            outcomes,
            settings,
            nats,
            key: key.to_owned(),
        }
    }

    /// Starts a worker, in as many replicas as there are to be.
    pub(crate) async fn worker(&self) -> Running {
        let started = (0..replicas()).map(|_| self.replica());
        Running(futures::future::join_all(started).await)
    }

    async fn replica(&self) -> Replica {
        let identity = Identity::new("asg-swap", "0.0.0");
        let metrics = Metrics::new(&identity).unwrap();
        let access = AwsOptions {
            endpoint: Some(self.aws.url()),
            keys: Some(Keys::new(self.key.as_str(), "testbed")),
            ..self.settings.access()
        };
        let aws = hollowtrees_aws::Aws::connect(&access).await.unwrap();
        let telemetry = Telemetry::register(&metrics).unwrap();
        let sight = match self.settings.api_server() {
            Some(access) => {
                let nodes = Nodes::connect(&access, Limits::default()).await.unwrap();
                Some(Sight::of(&self.settings.cluster.name, nodes))
            }
            None => None,
        };
        let swapper = Swapper::new(aws, &self.settings.swap, telemetry, Health::new(None)).seeing(sight);
        let process = proto::Worker {
            kind: "asg-swap".to_owned(),
            process: identity.id.to_string(),
            version: "0.0.0".to_owned(),
        };
        let stop = CancellationToken::new();
        let (bus, settings, stopped) = (
            self.bus.clone(),
            self.settings.loop_settings(Duration::from_secs(5)),
            stop.clone(),
        );
        let task =
            tokio::spawn(
                async move { serve(bus, swapper, settings, process, &metrics, stopped, |_| {}).await },
            );
        Replica { stop, task }
    }

    /// The process itself, to be started, serving `/readyz` and `/metrics` there.
    pub(crate) fn process(&self, listen: &Port) -> Builder {
        Worker::builder("asg-swap", env!("CARGO_BIN_EXE_hollowtrees-asg-swap"))
            .env("AWS_ENDPOINT_URL", self.aws.url())
            .env("AWS_ACCESS_KEY_ID", &self.key)
            .env("AWS_SECRET_ACCESS_KEY", "testbed")
            .env("AWS_REGION", REGION)
            .env("HT_SWAP__POLL", "200ms")
            .env("HT_NATS__URL", self.nats.url())
            .env("HT_HEALTH__LISTEN", listen.addr().to_string())
    }

    /// Makes a group and forgets the calls for it; its members' ids.
    pub(crate) async fn group(&self, group: &NewGroup) -> Vec<String> {
        let made = self.aws.create(group).await.unwrap();
        self.aws.forget_calls();
        made.members.into_iter().map(|(id, _)| id).collect()
    }

    /// Protects a member from scale-in, and forgets the call for it.
    pub(crate) async fn protect(&self, member: &str) {
        let group = self.instance(member).await.group.expect("a member");
        let params = [
            ("AutoScalingGroupName", group.as_str()),
            ("InstanceIds.member.1", member),
            ("ProtectedFromScaleIn", "true"),
        ];
        let call = self
            .aws
            .call(Service::AutoScaling, "SetInstanceProtection", &params);
        call.await.unwrap();
        self.aws.forget_calls();
    }

    pub(crate) async fn members(&self, group: &str) -> Vec<String> {
        let group = self.aws.group(group).await.unwrap();
        group.members.into_iter().map(|(id, _)| id).collect()
    }

    /// min, desired, max
    pub(crate) async fn sizes(&self, group: &str) -> (u32, u32, u32) {
        let sizes = self.aws.group(group).await.unwrap().sizes;
        (sizes.min, sizes.desired, sizes.max)
    }

    pub(crate) async fn instance(&self, id: &str) -> Instance {
        let all = self.aws.instances().await.unwrap();
        all.into_iter()
            .find(|found| found.id == id)
            .expect("the instance")
    }

    /// What was launched for this instance and has not ended.
    pub(crate) async fn replacements(&self, old: &str) -> Vec<Instance> {
        let mut all = self.aws.instances().await.unwrap();
        all.retain(|found| {
            found
                .tags
                .get("hollowtrees.io/replaces")
                .is_some_and(|replaced| replaced == old)
                && matches!(found.state.as_str(), "pending" | "running")
        });
        all
    }

    /// All launches that were asked for.
    pub(crate) fn launches(&self) -> Vec<Call> {
        let mut calls = self.aws.calls();
        calls.retain(|call| call.action == "RunInstances");
        calls
    }

    /// Begins to replace an instance, by a worker that is gone once EC2 has launched and before it has an answer. Until AWS is
    /// healed no answer to a launch arrives.
    pub(crate) async fn dies_unanswered(&self, old: &str) {
        let lost = Fault::lost_reply().containing("Action=RunInstances&");
        self.aws.inject(lost);
        let worker = self.worker().await;
        self.send(&self.action(old, "certain")).await;
        eventually("the launch to have happened", BOUND, async || {
            self.replacements(old).await.len() == 1
        })
        .await;
        worker.crash().await;
    }

    /// An action whose instance is about to end, and when that is.
    pub(crate) fn ending(&self, action: proto::Action, within: Duration) -> (proto::Action, Instant) {
        let deadline = Timestamp::now() + SignedDuration::try_from(within).unwrap();
        let action = proto::Action {
            deadline: Some(to_proto(deadline)),
            ..action
        };
        (action, Instant::now() + within)
    }

    /// The first call of this name was as long before `end` as this: the wait before it was cut there, and everything that
    /// `before` names was asked before the end.
    pub(crate) fn assert_cut(&self, first: &str, before: &[&str], end: Instant) {
        let calls = self.aws.timed_calls();
        let at = |name: &str| {
            let found = calls.iter().find(|(_, call)| call.action == name);
            found.unwrap_or_else(|| panic!("{name} was not asked")).0
        };
        let left = end.checked_duration_since(at(first));
        let left = left.unwrap_or_else(|| panic!("{first} was asked after the end"));
        // What is left of the end is told in whole milliseconds.
        assert!(left < CUT_AT + Duration::from_millis(500), "not waited: {left:?}");
        for name in before {
            assert!(at(name) < end, "{name} was asked after the end");
        }
    }

    /// An action as the router makes it.
    pub(crate) fn action(&self, instance: &str, certainty: &str) -> proto::Action {
        let incident = IncidentKey::new(CLUSTER, instance, "live");
        let now = Timestamp::now();
        proto::Action {
            id: ActionId::per_instance(&incident, 1, "asg-swap", certainty).to_string(),
            cluster: CLUSTER.to_owned(),
            kind: "asg-swap".to_owned(),
            instance: instance.to_owned(),
            generation: 1,
            certainty: certainty.to_owned(),
            mode: "live".to_owned(),
            noticed_at: Some(to_proto(now)),
            deadline: Some(to_proto(now + SignedDuration::from_secs(120))),
            close_at: Some(to_proto(now + SignedDuration::from_secs(420))),
            target: Some(proto::Target {
                provider: "aws".to_owned(),
                account: ACCOUNT.to_owned(),
                region: REGION.to_owned(),
                ..proto::Target::default()
            }),
            ..proto::Action::default()
        }
    }

    pub(crate) async fn send(&self, action: &proto::Action) {
        let envelope = envelope::action(action.clone(), "/hollowtrees/test/router");
        self.bus
            .publish(&outgoing::action(&envelope, DataFormat::Json).unwrap(), None)
            .await
            .unwrap();
    }

    /// Writes the incident as the router would.
    pub(crate) async fn incident(&self, instance: &str, state: &str) {
        let record = proto::Incident {
            schema: 1,
            cluster: CLUSTER.to_owned(),
            instance: instance.to_owned(),
            mode: "live".to_owned(),
            generation: 1,
            state: state.to_owned(),
            changes: if state == "open" { 1 } else { 2 },
            runs: vec![proto::RunRef {
                rule: "spot".to_owned(),
                certainty: "advisory".to_owned(),
            }],
            ..proto::Incident::default()
        };
        let key = key::incident(&IncidentKey::new(CLUSTER, instance, "live"));
        self.bus.incidents().put(&key, &record).await.unwrap();
    }

    /// Writes an incident whose run drains nothing.
    pub(crate) async fn undrained(&self, instance: &str) {
        self.incident(instance, "open").await;
        self.run(instance, Vec::new()).await;
    }

    /// Writes a run with a drain as the router would.
    pub(crate) async fn drain(&self, instance: &str, state: &str, result: &str) {
        let drain = proto::ActionState {
            kind: "drain".to_owned(),
            state: state.to_owned(),
            result: result.to_owned(),
            ..proto::ActionState::default()
        };
        self.run(instance, vec![drain]).await;
    }

    pub(crate) async fn run(&self, instance: &str, actions: Vec<proto::ActionState>) {
        let incident = IncidentKey::new(CLUSTER, instance, "live");
        let record = proto::Run {
            schema: 1,
            cluster: CLUSTER.to_owned(),
            instance: instance.to_owned(),
            generation: 1,
            rule: "spot".to_owned(),
            certainty: "advisory".to_owned(),
            phase: "running".to_owned(),
            actions,
            ..proto::Run::default()
        };
        let key = key::run(&incident, 1, "spot", "advisory");
        self.bus.runs().put(&key, &record).await.unwrap();
    }

    /// The record of a group.
    pub(crate) async fn record(&self, group: &str) -> proto::Group {
        let key = key::group(ACCOUNT, REGION, group);
        self.bus
            .groups()
            .get(&key)
            .await
            .unwrap()
            .expect("a record")
            .value
    }

    /// What an action's checkpoint says of a field; null where there is none.
    pub(crate) async fn checkpoint(&self, action: &proto::Action, field: &str) -> serde_json::Value {
        let key = key::ledger(CLUSTER, &action.id.parse().unwrap());
        let entry = self.bus.ledger().get(&key).await.unwrap();
        let saved = entry.and_then(|entry| entry.value.checkpoint);
        saved.map_or(serde_json::Value::Null, |saved| {
            serde_json::to_value(saved).unwrap()[field].clone()
        })
    }

    /// The next outcome, progress included.
    pub(crate) async fn next(&mut self) -> proto::Outcome {
        let delivery = tokio::time::timeout(BOUND, self.outcomes.next())
            .await
            .expect("an outcome comes");
        let outcome = Envelope::<proto::Outcome>::decode(&delivery.wire).unwrap().data;
        delivery.ack().await;
        outcome
    }

    /// The next final outcome.
    pub(crate) async fn end(&mut self) -> proto::Outcome {
        loop {
            let outcome = self.next().await;
            if result::is_final(&outcome.result) {
                return outcome;
            }
        }
    }

    /// Waits until this fact is told.
    pub(crate) async fn fact(&mut self, reason: &str) {
        loop {
            let outcome = self.next().await;
            assert_eq!(outcome.result, "progress", "{reason} is awaited: {outcome:?}");
            if outcome.reason == reason {
                return;
            }
        }
    }

    /// One replacement serves in place of the old one, and sizes are these.
    pub(crate) async fn swapped(&self, group: &str, old: &str, sizes: (u32, u32, u32)) -> Instance {
        let mut found = self.replacements(old).await;
        assert_eq!(found.len(), 1, "{found:?}");
        let members = self.members(group).await;
        assert!(
            members.contains(&found[0].id) && !members.contains(&old.to_owned()),
            "{members:?}"
        );
        assert_eq!(self.sizes(group).await, sizes);
        found.remove(0)
    }

    /// Nothing changed: the old one serves, and nothing of ours runs.
    pub(crate) async fn unswapped(&self, group: &str, old: &str, sizes: (u32, u32, u32)) {
        let found = self.replacements(old).await;
        assert!(found.is_empty(), "{found:?}");
        assert!(self.members(group).await.contains(&old.to_owned()));
        assert_eq!(self.sizes(group).await, sizes);
    }
}

pub(crate) fn detail(outcome: &proto::Outcome) -> serde_json::Value {
    serde_json::to_value(outcome.detail.as_ref().expect("a detail")).unwrap()
}

/// Parameters of an action.
pub(crate) fn params(value: serde_json::Value) -> Option<pbjson_types::Struct> {
    serde_json::from_value(value).unwrap()
}
