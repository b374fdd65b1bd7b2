//! `hollowtrees notice`: tell the bus of an instance, and see what it was told.

mod facts;
mod list;
mod send;

use clap::Subcommand;
use hollowtrees_bus::Bus;

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

pub use facts::Facts;
pub use list::List;
pub use send::Send;

/// `hollowtrees notice ...`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send a notice, of mode `test` unless told otherwise: it travels the whole way and touches nothing
    Send(Box<Send>),
    /// List notices, oldest first
    List(List),
}

pub(crate) async fn run(bus: &Bus, command: &Command, output: &mut Output) -> Result<Exit, Failure> {
    match command {
        Command::Send(send) => send::run(bus, send, output).await,
        Command::List(list) => list::run(bus, list, output).await,
    }
}
