//! `hollowtrees dead`: messages nobody could use.

mod discard;
mod list;
mod post;
mod redrive;
mod show;

use clap::Subcommand;
use hollowtrees_bus::Bus;

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

pub use discard::Discard;
pub use list::List;
pub use redrive::Redrive;
pub use show::Show;

/// `hollowtrees dead ...`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List dead letters, oldest first, with the number the other commands take
    List(List),
    /// Show one whole: why, from where, its headers and its body
    Show(Show),
    /// Send some back where they came from: onto the bus, where they stay dead letters until discarded and doing it twice sends
    /// them once, or to the gateway, which closes those it takes
    Redrive(Redrive),
    /// Remove some for good
    Discard(Discard),
}

pub(crate) async fn run(bus: &Bus, command: &Command, output: &mut Output) -> Result<Exit, Failure> {
    match command {
        Command::List(list) => list::run(bus, list, output).await,
        Command::Show(show) => show::run(bus, show, output).await,
        Command::Redrive(redrive) => redrive::run(bus, redrive, output).await,
        Command::Discard(discard) => discard::run(bus, discard, output).await,
    }
}
