//! A bus, an AWS, and workers between them.

use std::time::Duration;

use hollowtrees_aws::{Keys, Options as AwsOptions};
use hollowtrees_bus::{
    Bus, Deliveries, Options, apply,
    liveness::RENEW_EVERY,
    topology::{self, Consumer, Profile},
};
use hollowtrees_cluster::{Limits, Nodes, Sight};
use hollowtrees_harness::{
    Aws, Error, Nats,
    aws::{Hook, LifecycleAction, NewGroup, Service},
    eventually,
    proxy::Fault,
};
use hollowtrees_lifecycle::{
    config,
    telemetry::Telemetry,
    worker::{Health, Lifecycle},
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
pub(crate) const CLUSTER: &str = "prod";
pub(crate) const GROUP: &str = "g";
pub(crate) const HOOK: &str = "drain-it";
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

/// Everything a test needs, by one name.
pub(crate) struct World {
    pub(crate) aws: Aws,
    pub(crate) bus: Bus,
    outcomes: Deliveries,
    /// How many of them were taken.
    taken: usize,
    pub(crate) settings: config::Settings,
    pub(crate) nats: Nats,
}

/// How many replicas a test's worker stands for; none said: one. See [`crate::replicas`].
pub(crate) const REPLICAS: &str = "HOLLOWTREES_LIFECYCLE_REPLICAS";

/// A worker in this process, or its replicas.
pub(crate) struct Running(Vec<Replica>);

struct Replica {
    process: String,
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

    /// With these settings besides.
    pub(crate) async fn with(env: &[(&str, &str)]) -> Self {
        let (nats, aws) = tokio::join!(Nats::start(), Aws::start());
        let (nats, aws) = (nats.unwrap(), aws.unwrap());
        let bus = Bus::connect(&Options::new(nats.url())).await.unwrap();
        let fast = [
            ("HT_HOOK__POLL", "100ms"),
            ("HT_HOOK__SEEN_WITHIN", "2s"),
            ("HT_DEREGISTER__POLL", "500ms"),
        ];
        let env = fast.iter().chain(env);
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
            taken: 0,
            settings,
            nats,
        }
    }

    /// A worker dies of which AWS has done what it answered to the hook, and whose own reply was lost.
    pub(crate) async fn dies_unanswered(&self, action: &proto::Action) {
        let lost = Fault::lost_reply();
        self.aws
            .inject(lost.containing("Action=CompleteLifecycleAction&"));
        let worker = self.worker().await;
        self.send(action).await;
        eventually("the answer to be heard", BOUND, async || {
            self.wait(&action.instance).result.is_some()
        })
        .await;
        worker.crash().await;
        self.aws.heal();
    }

    /// Starts a worker, in as many replicas as there are to be.
    pub(crate) async fn worker(&self) -> Running {
        let said = std::env::var(REPLICAS);
        let count = said.map_or(1, |said| said.parse().expect("a number of replicas"));
        let started = (0..count).map(|_| self.replica());
        Running(futures::future::join_all(started).await)
    }

    async fn replica(&self) -> Replica {
        let identity = Identity::new("lifecycle", "0.0.0");
        let metrics = Metrics::new(&identity).unwrap();
        let access = AwsOptions {
            endpoint: Some(self.aws.url()),
            keys: Some(Keys::new("testbed", "testbed")),
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
        let lifecycle = Lifecycle::new(aws, &self.settings, telemetry, Health::new(None)).seeing(sight);
        let process = proto::Worker {
            kind: "lifecycle".to_owned(),
            process: identity.id.to_string(),
            version: "0.0.0".to_owned(),
        };
        let name = process.process.clone();
        let stop = CancellationToken::new();
        let (bus, settings, stopped) = (
            self.bus.clone(),
            self.settings.loop_settings(Duration::from_secs(5)),
            stop.clone(),
        );
        let task =
            tokio::spawn(
                async move { serve(bus, lifecycle, settings, process, &metrics, stopped, |_| {}).await },
            );
        Replica {
            process: name,
            stop,
            task,
        }
    }

    /// Waits until each of these workers knows all others.
    pub(crate) async fn know_each_other(&self, workers: &[Running]) {
        for replica in workers.iter().flat_map(|worker| &worker.0) {
            let key = key::worker("lifecycle", &replica.process);
            eventually("its place to be told", BOUND, async || {
                let told = self.bus.workers().get(&key).await.unwrap();
                told.is_some_and(|told| !told.value.takes_at.is_empty())
            })
            .await;
        }
        // What is stored the others hear at once; by the next word of all of them they have.
        tokio::time::sleep(RENEW_EVERY).await;
    }

    /// Makes a group with this hook; its members' ids.
    pub(crate) async fn group(&self, size: u32, hook: Hook) -> Vec<String> {
        let group = NewGroup::new(GROUP).sizes(1, size, size);
        let made = self.aws.create(&group).await.unwrap();
        self.aws.put_hook_as(GROUP, HOOK, hook);
        self.aws.forget_calls();
        made.members.into_iter().map(|(id, _)| id).collect()
    }

    /// A group of one whose only instance waits in its hook, with an incident that says so.
    pub(crate) async fn terminating(&self, heartbeat: Duration) -> String {
        self.terminating_in(Hook::terminating(heartbeat)).await
    }

    pub(crate) async fn terminating_in(&self, hook: Hook) -> String {
        let instance = self.group(1, hook).await.remove(0);
        self.terminates(&instance).await;
        self.incident(&instance, "open", Some("token-1")).await;
        instance
    }

    /// A member begins to wait in the hook.
    pub(crate) async fn terminates(&self, instance: &str) {
        let action = LifecycleAction::new(GROUP, HOOK, instance, &format!("token-of-{instance}"));
        self.aws.wait_in_hook(action, "Terminating:Wait").await.unwrap();
    }

    /// The wait of an instance in a hook.
    pub(crate) fn wait(&self, instance: &str) -> LifecycleAction {
        let all = self.aws.lifecycle_actions();
        all.into_iter()
            .find(|action| action.instance_id == instance)
            .expect("a wait")
    }

    /// Waits until this many heartbeats were recorded.
    pub(crate) async fn heartbeats(&self, instance: &str, count: usize) {
        eventually(format!("{count} heartbeats"), BOUND, async || {
            let wait = self.wait(instance);
            if wait.heartbeats.len() >= count {
                Ok(())
            } else {
                Err(Error::new(format!("{wait:?}")))
            }
        })
        .await;
    }

    /// An action as the router makes it.
    pub(crate) fn action(&self, instance: &str) -> proto::Action {
        let now = Timestamp::now();
        proto::Action {
            id: action_id(instance),
            cluster: CLUSTER.to_owned(),
            kind: "hook".to_owned(),
            instance: instance.to_owned(),
            generation: 1,
            certainty: "certain".to_owned(),
            mode: "live".to_owned(),
            noticed_at: Some(to_proto(now)),
            close_at: Some(to_proto(now + SignedDuration::from_mins(60))),
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

    /// Writes the incident as the router would. `token`: what its notice told; none: as the agent tells it.
    pub(crate) async fn incident(&self, instance: &str, state: &str, token: Option<&str>) {
        self.incident_until(instance, state, token, None).await;
    }

    pub(crate) async fn incident_until(
        &self,
        instance: &str,
        state: &str,
        token: Option<&str>,
        deadline: Option<Timestamp>,
    ) {
        self.incident_of("asg-terminating", instance, state, token, deadline)
            .await;
    }

    /// One whose only notice is of this kind.
    pub(crate) async fn incident_of(
        &self,
        kind: &str,
        instance: &str,
        state: &str,
        token: Option<&str>,
        deadline: Option<Timestamp>,
    ) {
        let token = token.map(|_| format!("token-of-{instance}"));
        let record = proto::Incident {
            schema: 1,
            cluster: CLUSTER.to_owned(),
            instance: instance.to_owned(),
            mode: "live".to_owned(),
            generation: 1,
            state: state.to_owned(),
            changes: if state == "open" { 1 } else { 2 },
            deadline: deadline.map(to_proto),
            facts: vec![proto::Fact {
                kind: kind.to_owned(),
                event_id: token.unwrap_or_default(),
                state: "active".to_owned(),
                noticed_at: Some(to_proto(Timestamp::now())),
                deadline: deadline.map(to_proto),
                ..proto::Fact::default()
            }],
            runs: vec![proto::RunRef {
                rule: "terminate".to_owned(),
                certainty: "certain".to_owned(),
            }],
            ..proto::Incident::default()
        };
        let key = key::incident(&IncidentKey::new(CLUSTER, instance, "live"));
        self.bus.incidents().put(&key, &record).await.unwrap();
    }

    /// Writes a run with a drain beside the hook as the router would.
    pub(crate) async fn drain(&self, instance: &str, state: &str, result: &str) {
        self.drain_because(instance, state, result, "").await;
    }

    /// One whose drain ended for this reason.
    pub(crate) async fn drain_because(&self, instance: &str, state: &str, result: &str, reason: &str) {
        let planned = |kind: &str| proto::PlannedAction {
            kind: kind.to_owned(),
            effect: "per-instance".to_owned(),
            ..proto::PlannedAction::default()
        };
        let record = proto::Run {
            schema: 1,
            cluster: CLUSTER.to_owned(),
            instance: instance.to_owned(),
            generation: 1,
            rule: "terminate".to_owned(),
            certainty: "certain".to_owned(),
            phase: "running".to_owned(),
            steps: vec![proto::PlannedStep {
                actions: vec![planned("drain"), planned("hook")],
                ..proto::PlannedStep::default()
            }],
            actions: vec![
                proto::ActionState {
                    id: "of-the-drain".to_owned(),
                    kind: "drain".to_owned(),
                    state: state.to_owned(),
                    result: result.to_owned(),
                    reason: reason.to_owned(),
                    ..proto::ActionState::default()
                },
                proto::ActionState {
                    id: action_id(instance),
                    place: 1,
                    kind: "hook".to_owned(),
                    state: "published".to_owned(),
                    ..proto::ActionState::default()
                },
            ],
            ..proto::Run::default()
        };
        let incident = IncidentKey::new(CLUSTER, instance, "live");
        let key = key::run(&incident, 1, "terminate", "certain");
        self.bus.runs().put(&key, &record).await.unwrap();
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

    /// The next final outcome.
    pub(crate) async fn end(&mut self) -> proto::Outcome {
        loop {
            let delivery = tokio::time::timeout(BOUND, self.outcomes.next())
                .await
                .expect("an outcome comes");
            let outcome = Envelope::<proto::Outcome>::decode(&delivery.wire).unwrap().data;
            delivery.ack().await;
            self.taken += 1;
            if result::is_final(&outcome.result) {
                return outcome;
            }
        }
    }

    /// No outcome is stored that was not taken.
    pub(crate) async fn assert_all_told(&mut self) {
        let stream = self.bus.stream_state(Stream::Outcomes).await.unwrap();
        assert_eq!(usize::try_from(stream.messages).unwrap(), self.taken);
    }

    /// Another one than we answers the hook.
    pub(crate) async fn somebody_answers(&self, instance: &str) {
        let by = [
            ("AutoScalingGroupName", GROUP),
            ("LifecycleHookName", HOOK),
            ("InstanceId", instance),
            ("LifecycleActionResult", "CONTINUE"),
        ];
        self.aws
            .call(Service::AutoScaling, "CompleteLifecycleAction", &by)
            .await
            .unwrap();
    }

    /// Calls of this name in which the action of AWS is about this instance, or has its token.
    pub(crate) fn answers(&self) -> Vec<(String, String)> {
        let calls = self.aws.calls().into_iter();
        calls
            .filter(|call| call.action == "CompleteLifecycleAction")
            .map(|call| {
                let of = |name| call.get(name).unwrap_or_default().to_owned();
                let by = format!("{}{}", of("LifecycleActionToken"), of("InstanceId"));
                (by, of("LifecycleActionResult"))
            })
            .collect()
    }
}

fn action_id(instance: &str) -> String {
    let incident = IncidentKey::new(CLUSTER, instance, "live");
    ActionId::per_instance(&incident, 1, "hook", "certain").to_string()
}

/// Result and reason.
pub(crate) fn word(outcome: &proto::Outcome) -> (&str, &str) {
    (outcome.result.as_str(), outcome.reason.as_str())
}

pub(crate) fn detail(outcome: &proto::Outcome) -> serde_json::Value {
    serde_json::to_value(outcome.detail.as_ref().expect("a detail")).unwrap()
}

/// Parameters of an action.
pub(crate) fn params(value: serde_json::Value) -> Option<pbjson_types::Struct> {
    serde_json::from_value(value).unwrap()
}
