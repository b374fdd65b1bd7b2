//! A bus, a cluster, and workers between them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hollowtrees_bus::{
    Bus, Deliveries, Options, apply,
    topology::{self, Consumer, Profile},
};
use hollowtrees_cluster::Cluster;
use hollowtrees_drain::{config, worker::Drainer};
use hollowtrees_harness::{Nats, control_plane::fixtures, proxy};
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

use crate::support::{BOUND, Ground};

/// Everything a test needs, by one name.
pub(crate) struct World {
    pub(crate) ground: Ground,
    pub(crate) bus: Bus,
    outcomes: Deliveries,
    pub(crate) settings: config::Settings,
    pub(crate) nats: Arc<Nats>,
    /// Its name on the bus.
    pub(crate) cluster: String,
}

/// A worker in this process.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), ServeError>>,
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
}

impl World {
    pub(crate) async fn new(name: &str, nodes: usize) -> Self {
        Self::on(Ground::new(name, nodes).await).await
    }

    /// A bus for this ground.
    pub(crate) async fn on(ground: Ground) -> Self {
        let nats = Arc::new(Nats::start().await.unwrap());
        let name = ground.name.clone();
        Self::of_cluster(ground, &name, nats).await
    }

    /// This ground by the name it has on the bus.
    pub(crate) async fn of_cluster(ground: Ground, name: &str, nats: Arc<Nats>) -> Self {
        let bus = Bus::connect(&Options::new(nats.url())).await.unwrap();
        let env = [
            ("HT_CLUSTER__NAME".to_owned(), name.to_owned()),
            ("HT_DRAIN__NODE_WAIT".to_owned(), "1s".to_owned()),
            // The cluster is shared with tests that cordon as well.
            ("HT_DRAIN__ADVISORY_CORDONS".to_owned(), "100%".to_owned()),
        ];
        let loader = Loader::new(config::DEFAULTS).env(env.into());
        let settings = loader.load::<config::Settings>().unwrap().own;
        let reader = Consumer {
            name: format!("test-outcomes-{name}"),
            stream: Stream::Outcomes,
            filters: vec![hollowtrees_schemas::filter::outcomes(Some(name), None, None)],
            description: "test".to_owned(),
        };
        let mut consumers = topology::consumers();
        consumers.push(settings.loop_settings(Duration::ZERO).consumer());
        consumers.push(reader.clone());
        apply::apply(&bus, Profile::LOCAL, &consumers).await.unwrap();
        let outcomes = bus.consume(&reader, 64).await.unwrap();
        Self {
            ground,
            bus,
            outcomes,
            settings,
            nats,
            cluster: name.to_owned(),
        }
    }

    /// Starts a worker.
    pub(crate) async fn worker(&self) -> Running {
        self.worker_of(self.ground.cluster().await)
    }

    /// Starts a worker that is set as the settings of this world are by now.
    pub(crate) async fn worker_as_set(&self) -> Running {
        let kubeconfig = self.ground.kubeconfig.clone();
        self.worker_of(self.ground.cluster_by(kubeconfig, self.settings.engine()).await)
    }

    /// Starts a worker whose requests to the API server go through a proxy.
    pub(crate) async fn worker_through(&self, proxy: &proxy::Http) -> Running {
        let kubeconfig = &self.ground.kubeconfig;
        let via = self
            .ground
            .plane
            .kubeconfig_via(kubeconfig, &proxy.url())
            .unwrap();
        self.worker_of(self.ground.cluster_by(via, self.settings.engine()).await)
    }

    fn worker_of(&self, cluster: Cluster) -> Running {
        let drainer = Drainer::new(cluster, &self.settings.drain);
        let identity = Identity::new("drain", "0.0.0");
        let process = proto::Worker {
            kind: "drain".to_owned(),
            process: identity.id.to_string(),
            version: "0.0.0".to_owned(),
        };
        let metrics = Metrics::new(&identity).unwrap();
        let stop = CancellationToken::new();
        let (bus, settings, stopped) = (
            self.bus.clone(),
            self.settings.loop_settings(Duration::from_secs(5)),
            stop.clone(),
        );
        let task =
            tokio::spawn(
                async move { serve(bus, drainer, settings, process, &metrics, stopped, |_| {}).await },
            );
        Running { stop, task }
    }

    /// An action about node 0 as the router makes it, with so many seconds.
    pub(crate) fn action(&self, kind: &str, seconds: i64) -> proto::Action {
        self.action_on(0, kind, seconds)
    }

    /// The same about node `i`.
    pub(crate) fn action_on(&self, i: usize, kind: &str, seconds: i64) -> proto::Action {
        let instance = fixtures::instance_id(&self.ground.name, i);
        let incident = IncidentKey::new(&self.cluster, &instance, "live");
        let now = Timestamp::now();
        proto::Action {
            id: ActionId::per_instance(&incident, 1, kind, "certain").to_string(),
            cluster: self.cluster.clone(),
            kind: kind.to_owned(),
            instance,
            generation: 1,
            certainty: "certain".to_owned(),
            mode: "live".to_owned(),
            noticed_at: Some(to_proto(now)),
            deadline: Some(to_proto(now + SignedDuration::from_secs(seconds))),
            close_at: Some(to_proto(now + SignedDuration::from_secs(seconds + 300))),
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

    /// Sends a drain of each of these nodes.
    pub(crate) async fn drain_all(&self, nodes: std::ops::Range<usize>, seconds: i64) {
        for i in nodes {
            self.send(&self.action_on(i, "drain", seconds)).await;
        }
    }

    /// Writes the incident as the router would.
    pub(crate) async fn incident(
        &self,
        action: &proto::Action,
        state: &str,
        deadline: Option<pbjson_types::Timestamp>,
    ) {
        let key = key::incident(&IncidentKey::new(&action.cluster, &action.instance, "live"));
        let record = proto::Incident {
            schema: 1,
            cluster: action.cluster.clone(),
            instance: action.instance.clone(),
            mode: "live".to_owned(),
            generation: 1,
            state: state.to_owned(),
            deadline,
            ..proto::Incident::default()
        };
        self.bus.incidents().put(&key, &record).await.unwrap();
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

    /// The final outcomes of so many actions, each of another, by instance.
    pub(crate) async fn ends(&mut self, count: usize) -> BTreeMap<String, proto::Outcome> {
        let mut ends = BTreeMap::new();
        while ends.len() < count {
            let outcome = self.end().await;
            let twice = ends.insert(outcome.instance.clone(), outcome);
            assert!(twice.is_none(), "one outcome an action: {twice:?}");
        }
        ends
    }
}

pub(crate) fn detail(outcome: &proto::Outcome) -> serde_json::Value {
    serde_json::to_value(outcome.detail.as_ref().expect("a detail")).unwrap()
}
