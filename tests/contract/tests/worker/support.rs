//! A worker to be told what to do, and the bus around it.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use hollowtrees_bus::{
    Bus, Deliveries, Options, apply,
    topology::{self, Consumer, Profile},
};
use hollowtrees_harness::{Nats, eventually};
use hollowtrees_runtime::{
    metrics::Metrics,
    process::Identity,
    worker::{Failure, Handler, Job, Kind, Report, ServeError, Settings, serve},
};
use hollowtrees_schemas::{
    envelope::{self, DataFormat, Envelope},
    id::{ActionId, IncidentKey},
    key,
    names::{Stream, ledger_state},
    outgoing, proto,
    proto::time::to_proto,
};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const BOUND: Duration = Duration::from_secs(60);
pub(crate) const CLUSTER: &str = "c1";

type Answer = Pin<Box<dyn Future<Output = Result<Report, Failure>> + Send>>;

/// A handler that is a function, and remembers its starts.
#[derive(Clone)]
pub(crate) struct Scripted {
    script: Arc<dyn Fn(Job) -> Answer + Send + Sync>,
    starts: Arc<Mutex<Vec<(String, u32)>>>,
}

impl Scripted {
    pub(crate) fn new<F, A>(script: F) -> Self
    where
        F: Fn(Job) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Report, Failure>> + Send + 'static,
    {
        Self {
            script: Arc::new(move |job| Box::pin(script(job))),
            starts: Arc::default(),
        }
    }

    pub(crate) fn succeeds() -> Self {
        Self::new(async |_| Ok(Report::succeeded("Done.")))
    }

    /// Instances and attempts, in the order of the starts.
    pub(crate) fn starts(&self) -> Vec<(String, u32)> {
        self.starts.lock().unwrap().clone()
    }

    pub(crate) async fn started(&self, count: usize) {
        eventually(format!("{count} starts of a handler"), BOUND, async || {
            (self.starts().len() >= count).then_some(())
        })
        .await;
    }
}

impl Handler for Scripted {
    async fn handle(&self, job: Job) -> Result<Report, Failure> {
        self.starts
            .lock()
            .unwrap()
            .push((job.action().instance.clone(), job.attempt()));
        (self.script)(job).await
    }
}

/// A worker in this process.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), ServeError>>,
    pub(crate) metrics: Metrics,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// As a crash: no word to anyone.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    pub(crate) fn count(&self, line: &str) -> u64 {
        let text = self.metrics.encode().unwrap();
        let value = text
            .lines()
            .find_map(|found| found.strip_prefix(line)?.strip_prefix(' '))
            .unwrap_or("0");
        value.parse().unwrap()
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        grace: Duration::from_secs(5),
        ..Settings::new("work", vec![Kind::new("work"), Kind::with_dry_run("careful")])
    }
}

/// A server with everything on it, the test worker's consumer included.
pub(crate) async fn prepared() -> (Nats, Bus) {
    let nats = Nats::start().await.unwrap();
    let bus = connect(&nats.url()).await;
    prepare(&bus).await;
    (nats, bus)
}

/// Puts everything on a server that is there.
pub(crate) async fn prepare(bus: &Bus) {
    let mut consumers = topology::consumers();
    consumers.push(settings().consumer());
    apply::apply(bus, Profile::LOCAL, &consumers).await.unwrap();
}

pub(crate) async fn connect(url: &str) -> Bus {
    connect_by(Options::new(url)).await
}

pub(crate) async fn connect_by(options: Options) -> Bus {
    let options = Options {
        request_timeout: Duration::from_millis(1_500),
        ..options
    };
    Bus::connect(&options).await.unwrap()
}

pub(crate) fn run(bus: &Bus, handler: &Scripted, settings: Settings) -> Running {
    let identity = Identity::new("work", "0.0.0");
    let process = proto::Worker {
        kind: "work".to_owned(),
        process: identity.id.to_string(),
        version: "0.0.0".to_owned(),
    };
    let metrics = Metrics::new(&identity).unwrap();
    let stop = CancellationToken::new();
    let (bus, handler, counted, stopped) = (bus.clone(), handler.clone(), metrics.clone(), stop.clone());
    let task =
        tokio::spawn(async move { serve(bus, handler, settings, process, &counted, stopped, |_| {}).await });
    Running { stop, task, metrics }
}

/// An action as the router makes it, due in a minute.
pub(crate) fn action(instance: &str) -> proto::Action {
    let incident = IncidentKey::new(CLUSTER, instance, "live");
    let now = Timestamp::now();
    proto::Action {
        id: ActionId::per_instance(&incident, 1, "work", "certain").to_string(),
        cluster: CLUSTER.to_owned(),
        kind: "work".to_owned(),
        instance: instance.to_owned(),
        generation: 1,
        certainty: "certain".to_owned(),
        mode: "live".to_owned(),
        noticed_at: Some(to_proto(now)),
        deadline: Some(to_proto(now + SignedDuration::from_secs(60))),
        close_at: Some(to_proto(now + SignedDuration::from_secs(300))),
        ..proto::Action::default()
    }
}

pub(crate) fn at(second_from_now: i64) -> Option<pbjson_types::Timestamp> {
    Some(to_proto(
        Timestamp::now() + SignedDuration::from_secs(second_from_now),
    ))
}

pub(crate) async fn send(bus: &Bus, action: &proto::Action) {
    let envelope = envelope::action(action.clone(), "/hollowtrees/c1/router");
    bus.publish(&outgoing::action(&envelope, DataFormat::Json).unwrap(), None)
        .await
        .unwrap();
}

/// Writes the incident of `instance` as the router would.
pub(crate) async fn incident(
    bus: &Bus,
    instance: &str,
    state: &str,
    deadline: Option<pbjson_types::Timestamp>,
) {
    let key = key::incident(&IncidentKey::new(CLUSTER, instance, "live"));
    let record = proto::Incident {
        schema: 1,
        cluster: CLUSTER.to_owned(),
        instance: instance.to_owned(),
        mode: "live".to_owned(),
        generation: 1,
        state: state.to_owned(),
        deadline,
        ..proto::Incident::default()
    };
    bus.incidents().put(&key, &record).await.unwrap();
}

/// Reads all outcomes, from the first on.
pub(crate) struct Outcomes(Deliveries);

impl Outcomes {
    pub(crate) async fn of(bus: &Bus) -> Self {
        let reader = Consumer {
            name: "test-outcomes".to_owned(),
            stream: Stream::Outcomes,
            filters: vec![hollowtrees_schemas::filter::outcomes(None, None, None)],
            description: "test".to_owned(),
        };
        apply::apply_consumer(bus, &reader, Profile::LOCAL).await.unwrap();
        Self(bus.consume(&reader, 64).await.unwrap())
    }

    pub(crate) async fn next(&mut self) -> proto::Outcome {
        let delivery = tokio::time::timeout(BOUND, self.0.next())
            .await
            .expect("an outcome comes");
        let outcome = Envelope::<proto::Outcome>::decode(&delivery.wire).unwrap().data;
        delivery.ack().await;
        outcome
    }

    /// The results of the next `count` instances to end.
    pub(crate) async fn results(&mut self, count: usize) -> HashMap<String, String> {
        let mut results = HashMap::new();
        while results.len() < count {
            let outcome = self.next().await;
            let earlier = results.insert(outcome.instance.clone(), outcome.result);
            assert_eq!(earlier, None, "{} ended twice", outcome.instance);
        }
        results
    }

    pub(crate) async fn none_within(&mut self, quiet: Duration) {
        if let Ok(delivery) = tokio::time::timeout(quiet, self.0.next()).await {
            panic!("no outcome was due, and {delivery:?} came");
        }
    }
}

/// The ledger's word on an action, once it is done.
pub(crate) async fn done(bus: &Bus, action: &proto::Action) -> proto::LedgerEntry {
    let key = key::ledger(CLUSTER, &action.id.parse().unwrap());
    eventually(
        format!("{} to be done in the ledger", action.instance),
        BOUND,
        async || {
            let entry = bus.ledger().get(&key).await.ok().flatten()?.value;
            (entry.state == ledger_state::DONE).then_some(entry)
        },
    )
    .await
}

/// Waits until the server has nothing left to hand out or to have acknowledged.
pub(crate) async fn settled(bus: &Bus) {
    let name = settings().consumer().name;
    eventually("every action to be settled", BOUND, async || {
        let states = bus.consumer_states(Stream::Actions).await.unwrap();
        let state = states.into_iter().find(|state| state.name == name).unwrap();
        if state.pending == 0 && state.ack_pending == 0 {
            Ok(())
        } else {
            Err(format!("{state:?}"))
        }
    })
    .await;
}
