//! What the agent costs a node: memory, processor time, size.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hollowtrees_bench::{
    sample::{Latencies, milliseconds},
    table::Table,
};
use hollowtrees_bus::{
    Bus, Options, Tls, apply,
    read::{From, Reading, Until},
    topology::{self, Profile},
};
use hollowtrees_harness::{
    Metadata, Nats, Worker,
    metadata::{Gcp, Instance},
    ports::Port,
    proxy::Seen,
};
use hollowtrees_schemas::{
    envelope::Envelope,
    names::{Stream, state},
    proto::Notice,
};
use jiff::Timestamp;

use crate::cost::{busy, status};

const MB: f64 = 1e6;
/// Changes whose latency is taken.
const CHANGES: u64 = 200;
/// How often the document is read while latencies are taken: a poll's own share is at most this and a tenth.
const POLL: Duration = Duration::from_millis(20);
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Prints the rows of an agent that is left idle for so long, connected with TLS, with its defaults.
pub(crate) async fn agent(table: &mut Table, built: Option<PathBuf>, idle: Duration) -> Result<()> {
    let program = match built {
        Some(program) => program,
        None => tokio::task::spawn_blocking(build).await??,
    };
    #[allow(clippy::cast_precision_loss, reason = "bytes of a program")]
    let size = fs::metadata(&program)
        .with_context(|| format!("no agent at {}", program.display()))?
        .len() as f64;
    let nats = Nats::builder().tls().start().await?;
    let ca = nats.ca_file().context("the server has a certificate")?.to_owned();
    let mut options = Options::new(nats.url());
    options.tls = Tls {
        ca: Some(ca.clone()),
        ..Tls::default()
    };
    let bus = Bus::connect(&options).await?;
    apply::apply(&bus, Profile::LOCAL, &topology::consumers()).await?;
    let metadata = Metadata::start(Instance::new("i-0123456789abcdef0", "eu-west-1a")).await?;
    let port = Port::reserve()?;
    let worker = Worker::builder("agent", &program)
        .env("HT_CLUSTER", "c1")
        .env("HT_NODE", "ip-10-0-0-1")
        .env("HT_PROVIDER", "aws")
        .env("HT_METADATA__URL", metadata.url())
        .env("HT_NATS__URL", nats.url())
        .env("HT_NATS__TLS__REQUIRED", "true")
        .env("HT_NATS__TLS__CA", ca.display().to_string())
        .env("HT_HEALTH__LISTEN", port.addr().to_string())
        .start()?;
    worker
        .ready(&format!("http://{}/readyz", port.addr()), Duration::from_secs(30))
        .await?;
    let pid = worker.pid().context("the agent runs")?;
    let polled = metadata.seen().len();
    let (began, busy_before) = (Instant::now(), busy(pid)?);
    tokio::time::sleep(idle).await;
    let (took, busy_after) = (began.elapsed(), busy(pid)?);
    let idle_kib = status(pid, "VmRSS:")?;
    let requests = metadata.seen().len() - polled;
    ensure!(
        requests > 0,
        "the agent asked the metadata service nothing in {took:?}"
    );

    // It works: what the service says is on the bus.
    let mut reading = bus
        .read(Stream::Notices, &[], From::First, Until::Stopped)
        .await?;
    metadata.interrupt("terminate", Duration::from_secs(120));
    tokio::time::timeout(Duration::from_secs(30), reading.next())
        .await
        .context("no notice came of an interruption")??;
    let peak_kib = status(pid, "VmHWM:")?;

    let what = format!("agent, TLS, {} s idle", idle.as_secs());
    table.limit(&format!("{what}, resident"), idle_kib / 1024.0, "MiB", Some(6.0));
    table.limit(
        "agent, most resident ever, a notice included",
        peak_kib / 1024.0,
        "MiB",
        None,
    );
    let share = busy_after.saturating_sub(busy_before).as_secs_f64() / took.as_secs_f64();
    table.limit(&format!("{what}, of a core"), share * 100.0, "%", Some(0.2));
    table.limit("agent, program", size / MB, "MB", Some(6.0));
    drop((reading, worker));
    latencies(table, &program).await
}

/// Prints how long it takes from a change in the metadata to its place on the bus.
async fn latencies(table: &mut Table, program: &Path) -> Result<()> {
    let nats = Nats::start().await?;
    let bus = Bus::connect(&Options::new(nats.url())).await?;
    apply::apply(&bus, Profile::LOCAL, &topology::consumers()).await?;
    let ec2 = Metadata::start(Instance::new("i-0123456789abcdef0", "eu-west-1a")).await?;
    let gcp = Gcp::start().await?;
    let polled = Way {
        provider: "aws",
        url: ec2.url(),
        document: "spot/instance-action",
        change: &|change| {
            // Each is news: it is sooner by more than a second, also after rounding.
            ec2.interrupt("terminate", Duration::from_secs(3_600 - 4 * change));
        },
        seen: &|| ec2.seen(),
    };
    let polled = polled.latencies(program, &nats, &bus).await?;
    let waited = Way {
        provider: "gcp",
        url: gcp.url(),
        document: "instance/maintenance-event",
        change: &|change| gcp.set("instance/maintenance-event", Some(&format!("EVENT_{change}"))),
        seen: &|| gcp.seen(),
    };
    let waited = waited.latencies(program, &nats, &bus).await?;
    // A poll may be a tenth of its period late, and the change have come just after the one before.
    let period = milliseconds(POLL) * 1.1;
    let what = format!("agent, EC2 polled every {POLL:?}");
    rows(
        table,
        &format!("{what}, change -> on the bus"),
        &polled.all,
        period + 5.0,
    );
    rows(
        table,
        &format!("{what}, the poll that finds it -> on the bus"),
        &polled.ours,
        5.0,
    );
    rows(
        table,
        "agent, Google waited for, change -> on the bus",
        &waited.all,
        20.0,
    );
    Ok(())
}

/// The limit is for 99 of 100.
fn rows(table: &mut Table, what: &str, found: &Latencies, limit: f64) {
    let p50 = milliseconds(found.quantile(0.5));
    table.limit(&format!("{what}, p50"), p50, "ms", None);
    let p99 = milliseconds(found.quantile(0.99));
    table.limit(&format!("{what}, p99"), p99, "ms", Some(limit));
    table.limit(&format!("{what}, max"), milliseconds(found.max()), "ms", None);
}

/// How an agent comes to know of a change.
struct Way<'a> {
    provider: &'static str,
    url: String,
    /// End of the path that tells it.
    document: &'static str,
    change: &'a dyn Fn(u64),
    seen: &'a dyn Fn() -> Vec<Seen>,
}

/// Of all changes.
struct Found {
    /// From the change to its place on the bus.
    all: Latencies,
    /// From the first question that was answered with the change.
    ours: Latencies,
}

impl Way<'_> {
    /// How long each of many changes takes to be on the bus, by the server's clock, which is this machine's.
    async fn latencies(self, program: &Path, nats: &Nats, bus: &Bus) -> Result<Found> {
        let port = Port::reserve()?;
        let worker = Worker::builder("agent", program)
            .env("HT_CLUSTER", self.provider)
            .env("HT_PROVIDER", self.provider)
            .env("HT_METADATA__URL", &self.url)
            .env("HT_POLL__INTERVAL", format!("{}ms", POLL.as_millis()))
            .env("HT_NATS__URL", nats.url())
            .env("HT_HEALTH__LISTEN", port.addr().to_string())
            .start()?;
        worker
            .ready(&format!("http://{}/readyz", port.addr()), Duration::from_secs(30))
            .await?;
        let mut reading = bus.read(Stream::Notices, &[], From::Next, Until::Stopped).await?;
        let (mut all, mut ours) = (Vec::new(), Vec::new());
        for number in 0..CHANGES {
            // Not in step with the polls, whose periods are at random, a tenth more or less.
            tokio::time::sleep(Duration::from_millis(100 + number * 7 % 41)).await;
            let before = (self.seen)().len();
            let began = Timestamp::now();
            (self.change)(number);
            let changed = Timestamp::now();
            let stored = tokio::time::timeout(Duration::from_secs(30), announced(&mut reading))
                .await
                .context("no notice came of a change")??;
            let seen = (self.seen)();
            let mut asked = seen
                .iter()
                .skip(before)
                .filter(|seen| seen.path.contains(self.document));
            // Who was asking already may have been told with the change.
            let asked = asked
                .find(|seen| seen.at >= changed)
                .map(|seen| seen.at)
                .filter(|at| *at <= stored)
                .unwrap_or(changed);
            all.push(Duration::try_from(stored.duration_since(began)).unwrap_or_default());
            ours.push(Duration::try_from(stored.duration_since(asked)).unwrap_or_default());
        }
        Ok(Found {
            all: Latencies::of(all),
            ours: Latencies::of(ours),
        })
    }
}

/// When the next notice was stored that announces something; the event in whose place it is, is taken back by another.
async fn announced(reading: &mut Reading) -> Result<Timestamp> {
    loop {
        let message = reading.next().await?.context("the stream ended")?;
        let notice = Envelope::<Notice>::decode(&message.wire)?.data;
        if notice.state == state::ACTIVE {
            return Ok(message.stored_at);
        }
    }
}

/// By the alias that makes it for images.
fn build() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build-agent", "--quiet"])
        .current_dir(&root)
        .status()
        .context("cannot run cargo build-agent")?;
    ensure!(status.success(), "cargo build-agent ended with {status}");
    // This program is in `target/release` itself, wherever `target` is.
    let this = std::env::current_exe()?;
    let target = this
        .parent()
        .and_then(Path::parent)
        .context("this program is in a target directory")?;
    Ok(target.join(TRIPLE).join("agent/hollowtrees-agent"))
}
