//! What the agent costs a node: memory, processor time, size; and how soon it tells.

mod changes;
mod ground;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hollowtrees_bench::table::Table;
use hollowtrees_bus::read::{From, Until};
use hollowtrees_harness::{Metadata, metadata::Instance};
use hollowtrees_schemas::names::Stream;

use self::ground::Ground;
use crate::cost::{busy, status};

const MB: f64 = 1e6;
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Prints the rows of an agent that is left idle for so long, connected with TLS, with its defaults; then how soon agents tell.
pub(crate) async fn agent(table: &mut Table, built: Option<PathBuf>, idle: Duration) -> Result<()> {
    let program = match built {
        Some(program) => program,
        None => tokio::task::spawn_blocking(build).await??,
    };
    #[allow(clippy::cast_precision_loss, reason = "bytes of a program")]
    let size = fs::metadata(&program)
        .with_context(|| format!("no agent at {}", program.display()))?
        .len() as f64;
    let ground = Ground::tls().await?;
    let metadata = Metadata::start(Instance::new("i-0123456789abcdef0", "eu-west-1a")).await?;
    let worker = ground
        .agent(
            &program,
            "aws",
            &metadata.url(),
            &[("HT_CLUSTER", "c1"), ("HT_NODE", "ip-10-0-0-1")],
        )
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
    let mut reading = ground
        .bus
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
    changes::rows(table, &program).await
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
