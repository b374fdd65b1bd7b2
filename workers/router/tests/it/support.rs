//! A bus, a router on it, and a hand that plays all workers.

use std::{collections::HashSet, time::Duration};

use hollowtrees_bus::{
    Bus, Deliveries, Options, apply,
    read::{From, Until},
    topology::{self, Consumer, Profile},
};
use hollowtrees_domain::{incident::Incident, run::Run};
use hollowtrees_harness::{Nats, Worker, eventually, ports::Port};
use hollowtrees_schemas::{
    envelope::{self, DataFormat, Envelope, Message},
    id::{ActionId, IncidentKey},
    key,
    names::Stream,
    outgoing, proto,
};
use jiff::{SignedDuration, Timestamp};

/// Longer than anything here takes, shorter than a person waits.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) nats: Nats,
    pub(crate) bus: Bus,
    actions: Deliveries,
    seen: Vec<proto::Action>,
}

/// A router process and the port it is asked on.
pub(crate) struct Router {
    pub(crate) worker: Worker,
    url: String,
    _port: Port,
    directory: tempfile::TempDir,
}

impl World {
    /// A server with everything on it.
    pub(crate) async fn start() -> Self {
        let nats = Nats::start().await.unwrap();
        let bus = Bus::connect(&Options::new(nats.url()).named("test"))
            .await
            .unwrap();
        let all = Consumer {
            name: "hand".to_owned(),
            stream: Stream::Actions,
            filters: vec!["ht.action.v1.>".to_owned()],
            description: "test".to_owned(),
        };
        let mut consumers = topology::consumers();
        consumers.push(all.clone());
        apply::apply(&bus, Profile::LOCAL, &consumers).await.unwrap();
        let actions = bus.consume(&all, 10_000).await.unwrap();
        Self {
            nats,
            bus,
            actions,
            seen: Vec::new(),
        }
    }

    /// With a router under `rules`, the default ones where empty.
    pub(crate) async fn with_router(rules: &str) -> (Self, Router) {
        let world = Self::start().await;
        let router = world.router(rules).await;
        router.ready().await;
        (world, router)
    }

    /// Starts a router, without waiting for it.
    pub(crate) async fn router(&self, rules: &str) -> Router {
        self.router_at(&self.nats.url(), rules).await
    }

    /// One that reaches the bus by another address.
    pub(crate) async fn router_at(&self, url: &str, rules: &str) -> Router {
        self.router_by(url, rules, "200ms").await
    }

    /// One that looks at the file of its rules this often.
    pub(crate) async fn router_checking(&self, rules: &str, check_every: &str) -> Router {
        let router = self.router_by(&self.nats.url(), rules, check_every).await;
        router.ready().await;
        router
    }

    async fn router_by(&self, url: &str, rules: &str, check_every: &str) -> Router {
        let port = Port::reserve().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut builder = Worker::builder("router", env!("CARGO_BIN_EXE_hollowtrees-router"))
            .env("HT_NATS__URL", url)
            .env("HT_HEALTH__LISTEN", port.addr().to_string())
            .env("HT_RULES__CHECK_EVERY", check_every)
            .env("HT_LOG__FILTER", "warn,hollowtrees_router=info");
        if !rules.is_empty() {
            let file = directory.path().join("rules.yaml");
            std::fs::write(&file, rules).unwrap();
            builder = builder.env("HT_RULES__FILE", file);
        }
        let url = format!("http://{}", port.addr());
        Router {
            worker: builder.start().unwrap(),
            url,
            _port: port,
            directory,
        }
    }

    pub(crate) async fn send(&self, notice: proto::Notice) {
        self.send_from(notice, "/aws/1/eu/imds").await;
    }

    pub(crate) async fn send_from(&self, notice: proto::Notice, source: &str) {
        let out = outgoing::notice(&envelope::notice(notice, source), DataFormat::Json).unwrap();
        self.bus.publish(&out, None).await.unwrap();
    }

    /// The next action of a kind about an instance, from all that were published so far.
    pub(crate) async fn action(&mut self, kind: &str, instance: &str) -> proto::Action {
        let wanted = |action: &proto::Action| action.kind == kind && action.instance == instance;
        loop {
            if let Some(at) = self.seen.iter().position(wanted) {
                return self.seen.remove(at);
            }
            let next = tokio::time::timeout(BOUND, self.take()).await;
            let Ok(action) = next else {
                panic!("no `{kind}` about {instance} came")
            };
            self.seen.push(action);
        }
    }

    /// Whatever actions come within `quiet` after the last one, and those not asked for before.
    pub(crate) async fn rest(&mut self, quiet: Duration) -> Vec<proto::Action> {
        while let Ok(action) = tokio::time::timeout(quiet, self.take()).await {
            self.seen.push(action);
        }
        std::mem::take(&mut self.seen)
    }

    async fn take(&mut self) -> proto::Action {
        let delivery = self.actions.next().await;
        let action = Envelope::<proto::Action>::decode(&delivery.wire).unwrap().data;
        delivery.ack().await;
        action
    }

    /// Ends an action as a worker does: the ledger first, by creation, then the outcome; whether it was first.
    pub(crate) async fn end(&self, action: &proto::Action, result: &str) -> bool {
        let outcome = self.outcome(action, result);
        if !self.write_ledger(action, &outcome).await {
            return false;
        }
        self.tell(outcome).await;
        true
    }

    pub(crate) fn outcome(&self, action: &proto::Action, result: &str) -> proto::Outcome {
        proto::Outcome {
            action_id: action.id.clone(),
            cluster: action.cluster.clone(),
            kind: action.kind.clone(),
            instance: action.instance.clone(),
            generation: action.generation,
            mode: action.mode.clone(),
            result: result.to_owned(),
            worker: Some(proto::Worker {
                kind: "hand".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    pub(crate) async fn write_ledger(&self, action: &proto::Action, outcome: &proto::Outcome) -> bool {
        let entry = proto::LedgerEntry {
            schema: 1,
            state: "done".to_owned(),
            nonce: "hand".to_owned(),
            outcome: Some(outcome.clone()),
            ..Default::default()
        };
        self.bus
            .ledger()
            .create(&ledger_key(action), &entry)
            .await
            .is_ok()
    }

    pub(crate) async fn tell(&self, outcome: proto::Outcome) {
        let source = envelope::source(&["hollowtrees", &outcome.cluster, "hand"]);
        let out = outgoing::outcome(&envelope::outcome(outcome, source), DataFormat::Json).unwrap();
        self.bus.publish(&out, None).await.unwrap();
    }

    pub(crate) async fn incident(&self, instance: &str) -> Option<Incident> {
        let key = key::incident(&id(instance));
        let found = self.bus.incidents().get(&key).await.unwrap();
        found.map(|found| found.value.try_into().unwrap())
    }

    pub(crate) async fn run(
        &self,
        instance: &str,
        generation: u64,
        rule: &str,
        certainty: &str,
    ) -> Option<Run> {
        let key = key::run(&id(instance), generation, rule, certainty);
        let found = self.bus.runs().get(&key).await.unwrap();
        found.map(|found| found.value.try_into().unwrap())
    }

    /// Waits for a run to finish.
    #[track_caller]
    pub(crate) fn finished(
        &self,
        instance: &str,
        generation: u64,
        rule: &str,
        certainty: &str,
    ) -> impl Future<Output = Run> {
        let what = format!("the run of {rule} ({certainty}) for {instance} to finish");
        eventually(what, BOUND, move || async move {
            match self.run(instance, generation, rule, certainty).await {
                Some(run) if run.is_finished() => Ok(run),
                Some(run) => Err(format!("{:?}", run.actions)),
                None => Err("no such run".to_owned()),
            }
        })
    }

    /// All messages of a stream, as (subject, data).
    pub(crate) async fn told<T: Message>(&self, stream: Stream, filter: &str) -> Vec<(String, T)> {
        let mut reading = self
            .bus
            .read(stream, &[filter.to_owned()], From::First, Until::Present)
            .await
            .unwrap();
        let mut told = Vec::new();
        while let Some(message) = reading.next().await.unwrap() {
            let data = Envelope::<T>::decode(&message.wire).unwrap().data;
            told.push((message.subject, data));
        }
        told
    }

    /// Events of an incident and its runs, like `incident.opened`, in the order of the stream.
    pub(crate) async fn events(&self, instance: &str) -> Vec<String> {
        let mut events = Vec::new();
        for (subject, incident) in self
            .told::<proto::Incident>(Stream::Incidents, "ht.incident.v1.>")
            .await
        {
            if incident.instance == instance {
                events.push(format!("incident.{}", subject.split('.').nth(4).unwrap()));
            }
        }
        for (subject, run) in self.told::<proto::Run>(Stream::Incidents, "ht.run.v1.>").await {
            if run.instance == instance {
                events.push(format!("run.{}", subject.split('.').nth(4).unwrap()));
            }
        }
        events
    }
}

impl Router {
    pub(crate) async fn ready(&self) {
        self.worker
            .ready(&format!("{}/readyz", self.url), BOUND)
            .await
            .unwrap();
    }

    /// All its metrics, as Prometheus reads them.
    pub(crate) async fn scrape(&self) -> String {
        let (_, body) = hollowtrees_harness::http_get::get(&format!("{}/metrics", self.url))
            .await
            .unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// The value of a sample, by its name and labels as `/metrics` writes them; 0 if absent.
    pub(crate) async fn metric(&self, sample: &str) -> f64 {
        let body = self.scrape().await;
        let line = body
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    pub(crate) fn rules_file(&self) -> std::path::PathBuf {
        self.directory.path().join("rules.yaml")
    }
}

pub(crate) fn id(instance: &str) -> IncidentKey {
    IncidentKey::new("c1", instance, "")
}

pub(crate) fn ledger_key(action: &proto::Action) -> String {
    let id: ActionId = action.id.parse().unwrap();
    key::ledger(&action.cluster, &id)
}

pub(crate) fn in_seconds(seconds: i64) -> Option<pbjson_types::Timestamp> {
    let at = Timestamp::now() + SignedDuration::from_secs(seconds);
    Some(proto::time::to_proto(at))
}

/// A notice of a kind, from EC2, just seen.
pub(crate) fn notice(kind: &str, instance: &str) -> proto::Notice {
    proto::Notice {
        cluster: "c1".to_owned(),
        provider: "aws".to_owned(),
        instance: instance.to_owned(),
        kind: kind.to_owned(),
        noticed_at: in_seconds(0),
        ..Default::default()
    }
}

pub(crate) fn spot(instance: &str) -> proto::Notice {
    notice("spot-interruption", instance)
}

/// An event of a provider with an id, in a state.
pub(crate) fn event(instance: &str, state: &str, deadline: Option<pbjson_types::Timestamp>) -> proto::Notice {
    proto::Notice {
        event_id: "e1".to_owned(),
        state: state.to_owned(),
        deadline,
        ..notice("scheduled-maintenance", instance)
    }
}

pub(crate) fn rule(name: &str, kind: &str, rest: &str) -> String {
    format!("- name: {name}\n  match: {{ exact: {{ data.kind: {kind} }} }}\n{rest}")
}

pub(crate) fn rules(rules: &[String]) -> String {
    format!("version: 1\nrules:\n{}", rules.concat())
}

pub(crate) fn kinds(actions: &[proto::Action]) -> Vec<String> {
    actions.iter().map(|action| action.kind.clone()).collect()
}

/// Every action once.
#[track_caller]
pub(crate) fn assert_distinct<'a>(ids: impl IntoIterator<Item = &'a String>) {
    let mut seen = HashSet::new();
    for id in ids {
        assert!(seen.insert(id), "{id} came twice");
    }
}
