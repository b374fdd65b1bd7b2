//! Alerts by HTTP onto the stream, beside the same messages published by a bare client.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use futures::future::try_join_all;
use hollowtrees_bench::{sample::Latencies, table::Table};
use hollowtrees_bus::read::{From, Until};
use hollowtrees_gateway::ingest::message;
use hollowtrees_harness::ports::Port;
use hollowtrees_schemas::{names::Stream, outgoing::Outgoing, proto};
use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{cost::busy, floor::Bare, roles::Role, setup::Setup};

const CONNECTIONS: u32 = 16;
const LASTS: Duration = Duration::from_secs(10);
/// Alerts a second that have to be stored.
const A_SECOND: f64 = 5_000.0;
/// What 99 of 100 requests may take.
const LONGEST: Duration = Duration::from_millis(50);
/// A little more than the bar asks for, so that a rate that is held is not below it by its last request.
const PACE: f64 = 5_050.0;

/// One way of sending.
struct Load {
    /// Alerts in a request.
    batch: u32,
    /// Alerts a second over all connections; `None`: as fast as answers come.
    pace: Option<f64>,
}

impl Load {
    fn name(&self) -> String {
        let pace = self
            .pace
            .map_or_else(|| "as fast as it goes".to_owned(), |pace| format!("{pace}/s"));
        format!("alerts by HTTP, {pace}, {} a request", self.batch)
    }
}

/// What came of one.
struct Sent {
    count: usize,
    took: Duration,
    /// From when each request was due to its answer.
    times: Latencies,
}

impl Sent {
    #[allow(clippy::cast_precision_loss, reason = "a count of alerts")]
    fn a_second(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }
}

/// Sixteen connections, each a request at a time; the floor is sixteen tasks on one connection of the bare client, each of which
/// publishes as many messages at a time and waits for their acknowledgements.
pub(crate) async fn alerts(table: &mut Table) -> Result<()> {
    for (batch, pace) in [(64, Some(PACE)), (8, Some(PACE)), (64, None), (1, None)] {
        let load = Load { batch, pace };
        let floor = floor(&load).await?;
        let (ours, cpu) = ours(&load).await?;
        print(table, &load, &ours, &floor, cpu);
    }
    Ok(())
}

fn print(table: &mut Table, load: &Load, ours: &Sent, floor: &Sent, cpu: Duration) {
    let name = load.name();
    let is_paced = load.pace.is_some();
    let share = ours.a_second() / floor.a_second() * 100.0;
    let rate = |sent: &Sent| format!("{:.0}/s", sent.a_second());
    table.beside(
        &format!("{name}, stored"),
        &[rate(ours), rate(floor), format!("{share:.0} % of it")],
        is_paced.then(|| (format!(">= {A_SECOND}/s"), ours.a_second() >= A_SECOND)),
    );
    for (quantile, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        let (ours, floor) = (ours.times.quantile(share), floor.times.quantile(share));
        let over = ours.saturating_sub(floor);
        let has_bar = is_paced && quantile == "p99";
        table.beside(
            &format!("{name}, {quantile}"),
            &[ours, floor, over].map(|time| format!("{time:.2?}")),
            has_bar.then(|| (format!("< {LONGEST:?}"), ours < LONGEST)),
        );
    }
    #[allow(clippy::cast_precision_loss, reason = "a count of alerts")]
    let each = cpu.as_secs_f64() * 1e6 / ours.count as f64;
    table.limit(
        &format!("{name}, processor time of the gateway an alert"),
        each,
        "us",
        None,
    );
}

/// By the gateway, every answered alert counted on the stream; and its processor time.
async fn ours(load: &Load) -> Result<(Sent, Duration)> {
    let setup = Setup::roomy().await?;
    let port = Port::reserve()?;
    let env = [
        ("HT_HTTP__LISTEN", port.addr().to_string()),
        ("HT_HTTP__RATE", "1000000".to_owned()),
        ("HT_HTTP__BURST", "1000000".to_owned()),
    ];
    let gateway = setup.process(Role::Gateway, &env).await?;
    let before = busy(gateway.pid()?)?;
    let to = port.addr();
    let sent = send(load, |due| Connection::open(to, due)).await?;
    let cpu = busy(gateway.pid()?)?.saturating_sub(before);
    let mut reading = setup
        .bus
        .read(Stream::Notices, &[], From::First, Until::Present)
        .await?;
    let mut stored = 0;
    while reading.next().await?.is_some() {
        stored += 1;
    }
    ensure!(
        stored == sent.count,
        "{} alerts were answered and {stored} are on the stream",
        sent.count
    );
    Ok((sent, cpu))
}

/// The same messages, without HTTP.
async fn floor(load: &Load) -> Result<Sent> {
    let setup = Setup::roomy().await?;
    let bare = Bare::connect(&setup.nats.url()).await?;
    send(load, |due| {
        let bare = bare.clone();
        async move { Ok(Publisher { bare, due }) }
    })
    .await
}

/// Who sends requests.
trait Sender: Send + 'static {
    /// Sends alerts of these numbers and waits for the answer.
    fn send(&mut self, first: usize, count: u32) -> impl Future<Output = Result<()>> + Send;
    /// When requests are due.
    fn due(&self) -> Due;
}

/// When the requests of one connection are due.
#[derive(Clone, Copy)]
struct Due {
    start: Instant,
    /// Between two, and before the first.
    pace: Option<(Duration, Duration)>,
}

async fn send<S: Sender, F: Future<Output = Result<S>>>(
    load: &Load,
    open: impl Fn(Due) -> F,
) -> Result<Sent> {
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut senders = JoinSet::new();
    for number in 0..CONNECTIONS {
        let pace = load.pace.map(|pace| {
            let every = Duration::from_secs_f64(f64::from(load.batch) * f64::from(CONNECTIONS) / pace);
            (every, every * number / CONNECTIONS)
        });
        let sender = open(Due { start, pace }).await?;
        senders.spawn(one(sender, load.batch, Arc::clone(&next)));
    }
    let mut times = Vec::new();
    while let Some(sent) = senders.join_next().await {
        times.extend(sent??);
    }
    Ok(Sent {
        count: next.load(Ordering::Relaxed),
        took: start.elapsed(),
        times: Latencies::of(times),
    })
}

/// Sends until the time is up. A request that is late for one before it counts from when it was due.
async fn one(mut sender: impl Sender, batch: u32, next: Arc<AtomicUsize>) -> Result<Vec<Duration>> {
    let Due { start, pace } = sender.due();
    let mut times = Vec::new();
    let mut sent = 0;
    while start.elapsed() < LASTS {
        let mut due = Instant::now();
        if let Some((every, offset)) = pace {
            due = start + offset + every * sent;
            tokio::time::sleep_until(due.into()).await;
        }
        let first = next.fetch_add(usize::try_from(batch)?, Ordering::Relaxed);
        sender.send(first, batch).await?;
        times.push(due.elapsed());
        sent += 1;
    }
    Ok(times)
}

struct Publisher {
    bare: Bare,
    due: Due,
}

impl Sender for Publisher {
    async fn send(&mut self, first: usize, count: u32) -> Result<()> {
        let numbers = first..first + usize::try_from(count)?;
        let all = numbers.map(|number| {
            let out = notice(number);
            async {
                let out = out?;
                self.bare.publish(out.subject.to_string(), &out).await
            }
        });
        try_join_all(all).await.map(drop)
    }

    fn due(&self) -> Due {
        self.due
    }
}

/// What the gateway makes of an alert, or as much.
fn notice(number: usize) -> Result<Outgoing> {
    let label = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let notice = proto::Notice {
        cluster: "prod".to_owned(),
        provider: "aws".to_owned(),
        instance: instance(number),
        kind: "alert".to_owned(),
        event_id: "0123456789abcdef0123456789abcdef".to_owned(),
        labels: [("alertname", "SpotTerminationNotice"), ("cluster_name", "prod")]
            .map(label)
            .into(),
        ..proto::Notice::default()
    };
    Ok(message(notice, "/alerts/prod", Timestamp::now())?)
}

struct Connection {
    stream: TcpStream,
    due: Due,
}

impl Connection {
    async fn open(to: SocketAddr, due: Due) -> Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, due })
    }
}

impl Sender for Connection {
    async fn send(&mut self, first: usize, count: u32) -> Result<()> {
        let numbers = first..first + usize::try_from(count)?;
        let alerts: Vec<_> = numbers.map(alert).collect();
        let body = format!("[{}]", alerts.join(","));
        let head = format!(
            "POST /api/v2/alerts HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.stream
            .write_all(&[head.as_bytes(), body.as_bytes()].concat())
            .await?;
        // 200 has no body here.
        let mut answer = Vec::with_capacity(1_024);
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            if self.stream.read_buf(&mut answer).await? == 0 {
                bail!("the gateway hung up");
            }
        }
        ensure!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        Ok(())
    }

    fn due(&self) -> Due {
        self.due
    }
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
