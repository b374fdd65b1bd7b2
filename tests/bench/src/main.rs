//! `cargo bench-pipeline`: prints a table, each figure with the floor of the same run beside it.
//!
//! The floor is a bare loop on the bare client that makes the same JetStream and key-value calls and nothing else.
#![allow(clippy::print_stdout, reason = "a program whose output is a table")]

mod floor;
mod latency;
mod sample;
mod setup;
mod throughput;

use clap::Parser;

/// How fast the pipeline is on this machine.
#[derive(Parser)]
struct Arguments {
    /// Notices sent one by one for the latency of an idle system.
    #[arg(long, default_value_t = 1_000)]
    idle: usize,
    /// Notices sent at the rate of `--per-second`.
    #[arg(long, default_value_t = 5_000)]
    loaded: usize,
    /// Rate of the loaded run.
    #[arg(long, default_value_t = 1_000)]
    per_second: u32,
    /// Notices that wait when the router starts.
    #[arg(long, default_value_t = 10_000)]
    notices: usize,
    /// Actions that wait when the worker starts.
    #[arg(long, default_value_t = 10_000)]
    actions: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    println!(
        "nats-server of the testbed, R1, file storage, loopback; {} cores",
        std::thread::available_parallelism()?
    );
    println!();
    println!("{}", sample::HEADER);
    latency::idle(arguments.idle).await?;
    latency::loaded(arguments.loaded, arguments.per_second).await?;
    throughput::router(arguments.notices).await?;
    throughput::worker(arguments.actions).await?;
    Ok(())
}
