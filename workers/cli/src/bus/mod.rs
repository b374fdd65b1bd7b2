//! `hollowtrees bus`: what the servers hold, made and checked.

mod apply;
mod check;
mod declared;

use clap::Subcommand;
use hollowtrees_bus::Bus;

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

pub use apply::Apply;
pub use check::Check;
pub use declared::{Declared, Own};

/// `hollowtrees bus ...`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make what is missing, change what differs, and print what was changed; nothing is ever deleted
    Apply(Apply),
    /// Print what differs from what is declared; exit code 1 if anything does
    Check(Check),
}

pub(crate) async fn run(bus: &Bus, command: &Command, output: &mut Output) -> Result<Exit, Failure> {
    match command {
        Command::Apply(apply) => apply::run(bus, apply, output).await,
        Command::Check(check) => check::run(bus, check, output).await,
    }
}
