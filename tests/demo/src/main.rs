//! `cargo demo`: a simulated instance gets a spot notice, and real servers show what becomes of it.
#![allow(clippy::print_stdout, reason = "a program whose output is a story")]
#![allow(
    clippy::indexing_slicing,
    reason = "only JSON values are indexed: what is not there reads as null"
)]

mod findings;
mod stage;
mod story;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// The pipeline on this machine: real NATS, real Kubernetes API, simulated instances.
#[derive(Clone, Parser)]
#[command(name = "cargo demo")]
pub(crate) struct Arguments {
    /// Nodes whose instances are taken back.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=200))]
    nodes: u16,
    /// Pods on each of them.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(0..=100))]
    pods: u16,
    /// What happens to them.
    #[arg(long, value_enum, default_value_t = Scenario::Interruption)]
    scenario: Scenario,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// One notice after another.
    Interruption,
    /// All notices at once; 20 nodes unless `--nodes` says otherwise.
    Burst,
    /// A disruption budget allows nothing until the deadline is near.
    BlockedBudget,
    /// Router, drain and asg-swap worker are killed in the middle.
    Crash,
}

fn main() -> ExitCode {
    // Each worker is a process of its own: this program again, in another role.
    if let Some(code) = hollowtrees_stage::roles::play() {
        return code;
    }
    let mut arguments = Arguments::parse();
    if arguments.scenario == Scenario::Burst && arguments.nodes == 1 {
        arguments.nodes = 20;
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            println!("the scheduler cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(story::tell(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!("\nNot everything was found true.");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("\nThe demo could not go on: {error:#}");
            ExitCode::FAILURE
        }
    }
}
