//! The gateway and the bus are killed, stopped and cut off while alerts and CloudEvents come: what was answered with 200 is on
//! the stream, and what was sent again is there once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hollowtrees_harness::{eventually, http_client::Client, proxy};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    alerts::firing,
    process::Process,
    world::{BOUND, World},
};

const SENDERS: usize = 8;
const SENT: usize = 4_096;
/// Prometheus sends at most 64 at once.
const BATCH: usize = 16;

/// What is sent.
#[derive(Clone, Copy)]
enum What {
    Alerts,
    /// CloudEvents in batches.
    Events,
}

impl What {
    fn path(self) -> &'static str {
        match self {
            Self::Alerts => "/api/v2/alerts",
            Self::Events => "/events",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Alerts => "application/json",
            Self::Events => "application/cloudevents-batch+json",
        }
    }

    fn one(self, number: usize) -> Value {
        let instance = instance(number);
        match self {
            Self::Alerts => firing(&instance),
            Self::Events => json!({
                "specversion": "1.0", "id": number.to_string(), "source": "/my/monitor",
                "type": "io.hollowtrees.notice.v1", "datacontenttype": "application/json",
                "data": {"cluster": "prod", "provider": "mine", "instance": instance, "kind": "spot-interruption"},
            }),
        }
    }
}

fn instance(number: usize) -> String {
    format!("i-{number:017x}")
}

/// Senders that send each batch until it is answered with 200, as any origin that means it.
struct Flood {
    senders: JoinSet<()>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    answered: AtomicUsize,
    told_to_come_back: AtomicUsize,
    not_answered: AtomicUsize,
}

impl Flood {
    fn start(process: &Process, what: What) -> Self {
        let counts = Arc::new(Counts::default());
        let mut senders = JoinSet::new();
        for sender in 0..SENDERS {
            let (url, counts) = (process.url(what.path()), Arc::clone(&counts));
            senders.spawn(async move {
                let client = Client::plain().unwrap();
                for batch in 0..SENT / SENDERS / BATCH {
                    let first = sender * SENT / SENDERS + batch * BATCH;
                    let all = (first..first + BATCH).map(|number| what.one(number)).collect();
                    until_taken(&client, &url, what, &Value::Array(all), &counts).await;
                    counts.answered.fetch_add(BATCH, Ordering::Relaxed);
                }
            });
        }
        Self { senders, counts }
    }

    /// Waits until so many have been answered with 200.
    async fn answered(&self, count: usize) {
        eventually(format!("{count} to be answered"), BOUND, || async {
            match self.counts.answered.load(Ordering::Relaxed) {
                enough if enough >= count => Ok(()),
                few => Err(few),
            }
        })
        .await;
    }

    async fn end(mut self) -> Arc<Counts> {
        while let Some(ended) = self.senders.join_next().await {
            ended.unwrap();
        }
        self.counts
    }
}

async fn until_taken(client: &Client, url: &str, what: What, body: &Value, counts: &Counts) {
    let headers = [("content-type", what.content_type().to_owned())];
    loop {
        let sent = client
            .send(Method::POST, url, &headers, body.to_string().into())
            .await;
        match sent.map(|answer| answer.status()) {
            Ok(StatusCode::OK) => return,
            Ok(StatusCode::SERVICE_UNAVAILABLE) => counts.told_to_come_back.fetch_add(1, Ordering::Relaxed),
            Ok(other) => panic!("{other}"),
            Err(_) => counts.not_answered.fetch_add(1, Ordering::Relaxed),
        };
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Everything is on the stream, once.
async fn assert_all_there_once(world: &World) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for notice in world.notices().await {
        *times.entry(notice.data.instance).or_default() += 1;
    }
    let missing: Vec<_> = (0..SENT)
        .map(instance)
        .filter(|instance| !times.contains_key(instance))
        .collect();
    let several: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
    assert!(missing.is_empty(), "answered and not there: {missing:?}");
    assert!(several.is_empty(), "there more than once: {several:?}");
    assert_eq!(times.len(), SENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_and_stopped_in_mid_ingest_of_alerts_loses_and_repeats_nothing() {
    gateway_killed(What::Alerts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_and_stopped_in_mid_ingest_of_events_loses_and_repeats_nothing() {
    gateway_killed(What::Events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_killed_stopped_and_cut_off_in_mid_ingest_of_alerts_loses_and_repeats_nothing() {
    bus_killed(What::Alerts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_killed_stopped_and_cut_off_in_mid_ingest_of_events_loses_and_repeats_nothing() {
    bus_killed(What::Events).await;
}

async fn gateway_killed(what: What) {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let flood = Flood::start(&process, what);
    for kill in 1..=5 {
        flood.answered(kill * SENT / 8).await;
        if kill % 2 == 1 {
            process.worker.kill();
        } else {
            // All may have been answered by the one before: a process that has only been started ends as any does by a signal.
            process.ready().await;
            let status = process.worker.terminate(BOUND).await.unwrap();
            assert!(status.success(), "told to go it ends well: {status}");
        }
        process.worker.restart().unwrap();
    }
    let counts = flood.end().await;
    assert!(
        counts.not_answered.load(Ordering::Relaxed) > 0,
        "the kills were noticed"
    );
    assert_all_there_once(&world).await;
}

async fn bus_killed(what: What) {
    let world = World::new().await;
    let wire = proxy::Tcp::start(world.nats.addr()).await.unwrap();
    let env = [
        ("HT_HTTP__ANSWER_TIME", "1s"),
        ("HT_NATS__REQUEST_TIMEOUT", "500ms"),
        ("HT_INGEST__IN_FLIGHT", "64"),
    ];
    let process = Process::at(&format!("nats://{}", wire.addr()), &env).await;
    let flood = Flood::start(&process, what);
    flood.answered(SENT / 8).await;
    world.nats.kill();
    world.nats.restart().await.unwrap();
    flood.answered(2 * SENT / 8).await;
    // Slow: stopped for longer than a client waits.
    world.nats.pause().unwrap();
    eventually("clients to be told to come back", BOUND, || async {
        match flood.counts.told_to_come_back.load(Ordering::Relaxed) {
            0 => Err("none was"),
            _ => Ok(()),
        }
    })
    .await;
    world.nats.resume().unwrap();
    flood.answered(3 * SENT / 8).await;
    // Stored, and the acknowledgements lost.
    wire.lose_replies();
    let before = flood.counts.told_to_come_back.load(Ordering::Relaxed);
    eventually("more clients to be told to come back", BOUND, || async {
        match flood.counts.told_to_come_back.load(Ordering::Relaxed) {
            now if now > before => Ok(()),
            _ => Err("none was"),
        }
    })
    .await;
    wire.heal();
    flood.answered(5 * SENT / 8).await;
    wire.cut();
    tokio::time::sleep(Duration::from_millis(200)).await;
    wire.heal();
    flood.answered(6 * SENT / 8).await;
    wire.blackhole();
    tokio::time::sleep(Duration::from_millis(200)).await;
    wire.drop_connections();
    wire.heal();
    flood.end().await;
    let bus = hollowtrees_bus::Bus::connect(&hollowtrees_bus::Options::new(world.nats.url()))
        .await
        .unwrap();
    let world = World { bus, ..world };
    assert_all_there_once(&world).await;
}
