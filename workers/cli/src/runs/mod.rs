//! `hollowtrees runs`: what is done about instances, and what was.

mod list;
mod show;
mod wait;

use clap::Subcommand;
use hollowtrees_bus::Bus;

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

pub use list::List;
pub use show::Show;
pub(crate) use wait::wait;

/// `hollowtrees runs ...`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List runs, oldest first
    List(List),
    /// Tell the whole story of an instance: every notice, action, outcome and dead letter, with times
    Show(Show),
}

pub(crate) async fn run(bus: &Bus, command: &Command, output: &mut Output) -> Result<Exit, Failure> {
    match command {
        Command::List(list) => list::run(bus, list, output).await,
        Command::Show(show) => show::run(bus, show, output).await,
    }
}
