//! `cargo bench-pipeline`: prints a table, each figure with the floor of the same run beside it.
//!
//! The floor is a bare loop on a bare client that makes the same calls and nothing else. An optimised program that misses a bar
//! names it at the end and ends with 1.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program whose output is a table"
)]

mod agent;
mod alerts;
mod burst;
mod capacity;
mod cost;
mod floor;
mod latency;
mod roles;
mod setup;
mod sqs;
mod swaps;
mod throughput;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum};
use hollowtrees_bench::table::{self, IS_OPTIMISED, Table};

/// How fast the pipeline is on this machine. Ends with 1 where a bar is not met, if it is optimised.
#[derive(Parser)]
struct Arguments {
    /// Only these rows; without it those of a pipeline that is small: latency, router, worker, burst, agent.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Rows>,
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
    /// Messages that wait in SQS when the gateway starts.
    #[arg(long, default_value_t = 1_000)]
    messages: usize,
    /// Swaps of twenty groups at once.
    #[arg(long, default_value_t = 200)]
    swaps: u32,
    /// Nodes that go at once in the burst.
    #[arg(long, default_value_t = 100)]
    nodes: usize,
    /// Pods on each of them.
    #[arg(long, default_value_t = 10)]
    pods: usize,
    /// Runs of the comparison of capacities, each from a seed of its own.
    #[arg(long, default_value_t = 100)]
    runs: u64,
    /// The first of these seeds.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many of these runs are played at once.
    #[arg(long, default_value_t = 4)]
    lanes: usize,
    /// Processes of the swap worker on one bus, in the rows swaps and capacity.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    replicas: u8,
    /// How long the agent is left idle before it is measured, and how long its processor time is taken.
    #[arg(long, default_value_t = 600)]
    agent_seconds: u64,
    /// A built agent to measure; without it `cargo build-agent` makes one.
    #[arg(long)]
    agent: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rows {
    /// Notice to handler.
    Latency,
    /// Notices a second of the router.
    Router,
    /// Actions a second of the worker loop.
    Worker,
    /// Many nodes at once on a Kubernetes API server.
    Burst,
    /// The same by deletions.
    Delete,
    /// The same with a tenth of the nodes kept by a budget.
    Blocked,
    /// The same with deadlines over ten minutes.
    Spread,
    /// Start and memory of the drain worker in a large cluster.
    Cache,
    /// The bare requests at 1, 16 and 64 at once.
    Floors,
    /// What `kubectl drain` is made of, on the same burst.
    Peers,
    /// Memory and processor time of the node agent.
    Agent,
    /// A full queue of SQS to the bus.
    Sqs,
    /// Many instances of many auto-scaling groups replaced at once.
    Swaps,
    /// What is in service of a group that is swapped, and of one that is left to Auto Scaling. A table of its own.
    Capacity,
    /// Alerts a second by HTTP, and how long each request takes.
    Alerts,
}

impl Arguments {
    fn rows(&self) -> Vec<Rows> {
        if self.only.is_empty() {
            vec![
                Rows::Latency,
                Rows::Router,
                Rows::Worker,
                Rows::Burst,
                Rows::Agent,
            ]
        } else {
            self.only.clone()
        }
    }

    async fn print(&self, table: &mut Table, rows: Rows) -> anyhow::Result<()> {
        let (nodes, pods) = (self.nodes, self.pods);
        match rows {
            Rows::Latency => {
                latency::idle(table, self.idle).await?;
                Box::pin(latency::loaded(table, self.loaded, self.per_second)).await
            }
            Rows::Router => Box::pin(throughput::router(table, self.notices)).await,
            Rows::Worker => throughput::worker(table, self.actions).await,
            Rows::Burst => Box::pin(burst::burst(table, nodes, pods)).await,
            Rows::Delete => Box::pin(burst::delete(table, nodes, pods)).await,
            Rows::Blocked => Box::pin(burst::blocked(table, nodes, pods)).await,
            Rows::Spread => Box::pin(burst::spread(table, nodes, pods)).await,
            Rows::Cache => Box::pin(burst::cache(table, nodes, pods)).await,
            Rows::Floors => Box::pin(burst::floors(table, nodes, pods)).await,
            Rows::Peers => Box::pin(burst::peers(table, nodes, pods)).await,
            Rows::Sqs => Box::pin(sqs::sqs(table, self.messages)).await,
            Rows::Swaps => Box::pin(swaps::swaps(table, self.swaps, self.replicas.into())).await,
            Rows::Capacity => {
                let asked = capacity::Asked {
                    runs: self.runs,
                    seed: self.seed,
                    lanes: self.lanes,
                    replicas: self.replicas.into(),
                };
                capacity::capacity(table, &asked).await
            }
            Rows::Alerts => Box::pin(alerts::alerts(table)).await,
            Rows::Agent => {
                let idle = Duration::from_secs(self.agent_seconds);
                agent::agent(table, self.agent.clone(), idle).await
            }
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    // The workers bring a runtime of their own.
    if let Some(ended) = roles::play() {
        return Ok(ended);
    }
    let mut table = Table::default();
    let measured = measure(&Arguments::parse(), &mut table);
    let verdict = table.verdict(IS_OPTIMISED);
    // Also where a later row broke off.
    eprint!("{verdict}");
    measured?;
    Ok(verdict.exit_code())
}

#[tokio::main]
async fn measure(arguments: &Arguments, table: &mut Table) -> anyhow::Result<()> {
    println!(
        "nats-server and Kubernetes API of the testbed, one copy each, file storage, loopback; {} cores",
        std::thread::available_parallelism()?
    );
    println!();
    if arguments.rows() != [Rows::Capacity] {
        println!("{}", table::HEADER);
    }
    for rows in arguments.rows() {
        arguments.print(table, rows).await?;
    }
    Ok(())
}
