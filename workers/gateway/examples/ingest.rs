//! How many alerts a second the gateway stores, and how long each request takes, with NATS, the gateway and the senders on
//! this machine; beside it the floor: the same messages published without HTTP.
//!
//!     cargo run --release -p hollowtrees-gateway --example ingest
//!
//! The gateway is a process of its own (this program again); the last column is its processor time. Every answered alert is
//! checked to be on the stream.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement: what fails ends it"
)]

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use hollowtrees_bus::{
    Bus, Options, apply,
    read::{From, Until},
    topology::{self, Profile},
};
use hollowtrees_gateway::ingest::message;
use hollowtrees_harness::{Nats, Worker, http_get, ports::Port};
use hollowtrees_schemas::{names::Stream, proto};
use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// Tells this program that it is the gateway.
const ROLE: &str = "HOLLOWTREES_INGEST_ROLE";
const CONNECTIONS: usize = 16;
const BOUND: Duration = Duration::from_secs(60);
/// What the bar asks for, in alerts a second.
const BAR: f64 = 5_000.0;
const LASTS: Duration = Duration::from_secs(10);

/// One way of sending.
struct Load {
    name: &'static str,
    /// Alerts in a request.
    batch: usize,
    /// Alerts a second over all connections; `None`: as fast as answers come.
    rate: Option<f64>,
}

const LOADS: [Load; 4] = [
    Load {
        name: "5,000 alerts/s, 64 a request",
        batch: 64,
        rate: Some(BAR),
    },
    Load {
        name: "5,000 alerts/s, 8 a request",
        batch: 8,
        rate: Some(BAR),
    },
    Load {
        name: "as fast as it goes, 64 a request",
        batch: 64,
        rate: None,
    },
    Load {
        name: "as fast as it goes, 1 a request",
        batch: 1,
        rate: None,
    },
];

fn main() -> ExitCode {
    if std::env::var_os(ROLE).is_some() {
        return hollowtrees_gateway::main();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.unwrap().block_on(measure());
    ExitCode::SUCCESS
}

async fn measure() {
    println!(
        "{:<34} {:>10} {:>9} {:>9} {:>9} {:>12}",
        "", "alerts/s", "p50 ms", "p99 ms", "max ms", "cpu us/alert"
    );
    floor().await;
    for load in &LOADS {
        one(load).await;
    }
}

/// A bus of its own for each, so that none is fuller than another.
async fn bus() -> (Nats, Bus) {
    let nats = Nats::start().await.unwrap();
    let bus = Bus::connect(&Options::new(nats.url())).await.unwrap();
    let profile = Profile {
        stream_bytes: 1 << 30,
        ..Profile::LOCAL
    };
    apply::apply(&bus, profile, &topology::consumers()).await.unwrap();
    (nats, bus)
}

/// The same messages by the bare way onto the bus, as many in flight.
async fn floor() {
    let (_nats, bus) = bus().await;
    let start = Instant::now();
    let numbers = stream::iter(0_usize..).take_while(|_| async { start.elapsed() < LASTS });
    let times: Vec<Duration> = numbers
        .map(|number| {
            let bus = bus.clone();
            async move {
                let notice = proto::Notice {
                    cluster: "prod".to_owned(),
                    provider: "aws".to_owned(),
                    instance: instance(number),
                    kind: "alert".to_owned(),
                    event_id: "0123456789abcdef0123456789abcdef".to_owned(),
                    labels: [("alertname", "SpotTerminationNotice"), ("cluster_name", "prod")]
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .into(),
                    ..proto::Notice::default()
                };
                let out = message(notice, "/alerts/prod", Timestamp::now()).unwrap();
                let sent = Instant::now();
                bus.publish(&out, None).await.unwrap();
                sent.elapsed()
            }
        })
        .buffer_unordered(CONNECTIONS * 64)
        .collect()
        .await;
    row(
        "floor: published without HTTP",
        times.len(),
        start.elapsed(),
        times,
        None,
    );
}

async fn one(load: &Load) {
    let (nats, bus) = bus().await;
    let (port, health) = (Port::reserve().unwrap(), Port::reserve().unwrap());
    let gateway = Worker::builder("gateway", std::env::current_exe().unwrap())
        .env(ROLE, "gateway")
        .env("HT_NATS__URL", nats.url())
        .env("HT_HTTP__LISTEN", port.addr().to_string())
        .env("HT_HTTP__RATE", "1000000")
        .env("HT_HTTP__BURST", "1000000")
        .env("HT_HEALTH__LISTEN", health.addr().to_string())
        .start()
        .unwrap();
    let ready = format!("http://{}/readyz", health.addr());
    gateway.ready(&ready, BOUND).await.unwrap();
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    let start = Instant::now();
    for sender in 0..CONNECTIONS {
        let pace = load.rate.map(|rate| {
            let every = Duration::from_secs_f64(load.batch as f64 * CONNECTIONS as f64 / rate);
            (every, every.mul_f64(sender as f64 / CONNECTIONS as f64))
        });
        senders.spawn(send(port.addr(), load.batch, pace, Arc::clone(&next), start));
    }
    let mut times = Vec::new();
    while let Some(sent) = senders.join_next().await {
        times.extend(sent.unwrap());
    }
    let (answered, took) = (next.load(Ordering::Relaxed), start.elapsed());
    let mut reading = bus
        .read(Stream::Notices, &[], From::First, Until::Present)
        .await
        .unwrap();
    let mut stored = 0;
    while reading.next().await.unwrap().is_some() {
        stored += 1;
    }
    assert_eq!(stored, answered, "every answered alert is on the stream, once");
    let (_, page) = http_get::get(&format!("http://{}/metrics", health.addr()))
        .await
        .unwrap();
    let page = String::from_utf8_lossy(&page).into_owned();
    let cpu = page
        .lines()
        .find_map(|line| line.strip_prefix("process_cpu_seconds_total "));
    let cpu: f64 = cpu.unwrap().parse().unwrap();
    row(load.name, answered, took, times, Some(cpu));
}

/// Sends requests over one connection until the time is up; how long each took, from when it was due.
async fn send(
    to: SocketAddr,
    batch: usize,
    pace: Option<(Duration, Duration)>,
    next: Arc<AtomicUsize>,
    start: Instant,
) -> Vec<Duration> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut times = Vec::new();
    let mut answer = vec![0; 4_096];
    let mut sent = 0_u32;
    while start.elapsed() < LASTS {
        let mut due = Instant::now();
        if let Some((every, offset)) = pace {
            due = start + offset + every * sent;
            tokio::time::sleep_until(due.into()).await;
        }
        let first = next.fetch_add(batch, Ordering::Relaxed);
        let alerts: Vec<_> = (first..first + batch).map(alert).collect();
        let body = format!("[{}]", alerts.join(","));
        let head = format!(
            "POST /api/v2/alerts HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream
            .write_all(&[head.as_bytes(), body.as_bytes()].concat())
            .await
            .unwrap();
        let mut read = 0;
        while !answer[..read].windows(4).any(|end| end == b"\r\n\r\n") {
            let more = stream.read(&mut answer[read..]).await.unwrap();
            assert!(more > 0, "the gateway hung up");
            read += more;
        }
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer[..read])
        );
        times.push(due.elapsed());
        sent += 1;
    }
    times
}

fn instance(number: usize) -> String {
    format!("i-{number:017x}")
}

/// As Prometheus writes it.
fn alert(number: usize) -> String {
    format!(
        r#"{{"annotations":{{}},"endsAt":"2036-10-01T12:04:00.000Z","startsAt":"2026-10-01T12:00:00.250Z","generatorURL":"http://prometheus:9090/graph?g0.expr=x&g0.tab=1","labels":{{"alertname":"SpotTerminationNotice","cluster_name":"prod","instance":"10.0.0.1:9189","instance_action":"terminate","instance_id":"{}","job":"spot-termination-exporter"}}}}"#,
        instance(number)
    )
}

fn row(name: &str, count: usize, took: Duration, mut times: Vec<Duration>, cpu: Option<f64>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    println!(
        "{name:<34} {:>10.0} {:>9.2} {:>9.2} {:>9.2} {:>12}",
        count as f64 / took.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0),
        cpu.map_or_else(String::new, |cpu| format!(
            "{:.0}",
            cpu * 1_000_000.0 / count as f64
        )),
    );
}
