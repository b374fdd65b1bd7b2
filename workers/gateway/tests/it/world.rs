//! A bus, and what is on it.

use std::time::Duration;

use hollowtrees_bus::{
    Bus, Options, apply,
    read::{From, Message, Until},
    topology::{self, Profile},
};
use hollowtrees_gateway::{config, ingest::Ingest, telemetry::Telemetry};
use hollowtrees_harness::Nats;
use hollowtrees_runtime::{
    config::{Config, Loader},
    metrics::Metrics,
    process::Identity,
};
use hollowtrees_schemas::{envelope::Envelope, names::Stream, proto};

pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) bus: Bus,
    pub(crate) nats: Nats,
    pub(crate) metrics: Metrics,
}

impl World {
    pub(crate) async fn new() -> Self {
        let nats = Nats::start().await.unwrap();
        let bus = Bus::connect(&Options::new(nats.url())).await.unwrap();
        apply::apply(&bus, Profile::LOCAL, &topology::consumers())
            .await
            .unwrap();
        let metrics = Metrics::new(&Identity::new("gateway", "0.0.0")).unwrap();
        Self { bus, nats, metrics }
    }

    /// The way onto the bus, over a connection of its own.
    pub(crate) async fn ingest(&self, env: &[(&str, &str)]) -> Ingest {
        let bus = Bus::connect(&Options::new(self.nats.url())).await.unwrap();
        let telemetry = Telemetry::register(&self.metrics).unwrap();
        Ingest::new(bus, worker(), &settings(env).ingest, telemetry)
    }

    /// What a stream holds, in order.
    pub(crate) async fn held(&self, stream: Stream) -> Vec<Message> {
        held(&self.bus, stream).await
    }

    /// The notices on the bus, in order.
    pub(crate) async fn notices(&self) -> Vec<Envelope<proto::Notice>> {
        let held = self.held(Stream::Notices).await;
        held.iter()
            .map(|message| Envelope::decode(&message.wire).unwrap())
            .collect()
    }

    /// The dead letters on the bus, in order.
    pub(crate) async fn letters(&self) -> Vec<proto::DeadLetter> {
        let held = self.held(Stream::Dead).await;
        held.iter().map(hollowtrees_bus::dead::letter).collect()
    }

    /// Value of one series, written as in a scrape; 0 where it is not there.
    pub(crate) fn value(&self, series: &str) -> f64 {
        value(&self.metrics.encode().unwrap(), series).unwrap_or(0.0)
    }
}

pub(crate) async fn held(bus: &Bus, stream: Stream) -> Vec<Message> {
    let mut reading = bus.read(stream, &[], From::First, Until::Present).await.unwrap();
    let mut found = Vec::new();
    while let Some(message) = reading.next().await.unwrap() {
        found.push(message);
    }
    found
}

pub(crate) fn worker() -> proto::Worker {
    proto::Worker {
        kind: "gateway".to_owned(),
        process: "p-1".to_owned(),
        version: "0.0.0".to_owned(),
    }
}

pub(crate) fn settings(env: &[(&str, &str)]) -> config::Settings {
    let env = env
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let loaded: Config<config::Settings> = Loader::new(config::DEFAULTS).env(env.collect()).load().unwrap();
    loaded.own
}

pub(crate) fn value(text: &str, series: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}
