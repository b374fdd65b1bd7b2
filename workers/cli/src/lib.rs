//! The `hollowtrees` command: what a person asks of the bus, and tells it. `docs/cli.md` is its manual.
//!
//! | module | what it holds |
//! |---|---|
//! | [`args`] | the command line |
//! | [`bus`], [`notice`], [`runs`], [`rules`], [`dead`], [`watch`], [`completion`] | one group of commands each, one file a command |
//! | [`story`] | everything the bus knows of one instance, put in order: what `runs show` prints |
//! | [`event`], [`mod@line`] | any message of any stream, and what it says in one line |
//! | [`reading`], [`records`] | getting messages and records from the bus |
//! | [`gateway`] | the gateway, where its dead letters are posted again |
//! | [`connect`] | the connection, configured as the workers' is |
//! | [`output`], [`table`], [`when`](mod@when) | the only place that prints; how rows and times look |
//! | [`exit`] | exit codes, and what failed |

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::{CommandFactory, Parser};

pub mod args;
pub mod bus;
pub mod completion;
pub mod connect;
pub mod dead;
pub mod event;
pub mod exit;
pub mod gateway;
pub mod line;
pub mod notice;
pub mod output;
pub mod reading;
pub mod records;
pub mod rules;
pub mod runs;
pub mod story;
pub mod table;
pub mod watch;
pub mod when;

use crate::{
    args::{Cli, Command},
    exit::{Exit, Failure},
    output::Output,
};

/// The command line as clap knows it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs one command line, the program's name first, and says how it ended.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(asked) => {
            let code = if asked.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            // Nobody is left to tell where this cannot be printed.
            drop(asked.print());
            return code.into();
        }
    };
    let mut output = Output::new(cli.output, Box::new(io::stdout()));
    let ended = run(&cli, &mut output).and_then(|exit| {
        output.flush()?;
        Ok(exit)
    });
    match ended {
        Ok(exit) => exit.into(),
        Err(Failure::Unread) => Exit::Done.into(),
        Err(Failure::Said { exit, message }) => {
            let text = output::failure(cli.output, exit, &message);
            drop(output.flush());
            drop(writeln!(io::stderr(), "{text}"));
            exit.into()
        }
    }
}

fn run(cli: &Cli, output: &mut Output) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Rules(command) => rules::run(command, output),
        Command::Completion(shell) => completion::run(shell, output),
        Command::Bus(_) | Command::Notice(_) | Command::Runs(_) | Command::Dead(_) | Command::Watch(_) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::unavailable(format!("cannot start: {error}")))?;
            runtime.block_on(on_the_bus(cli, output))
        }
    }
}

async fn on_the_bus(cli: &Cli, output: &mut Output) -> Result<Exit, Failure> {
    // What is refused without a look at the bus is refused before it is looked for.
    if let Command::Notice(notice::Command::Send(send)) = &cli.command {
        send.check()?;
    }
    let patience = match &cli.command {
        Command::Bus(bus::Command::Apply(apply)) => apply.patience(),
        _ => Duration::ZERO,
    };
    let bus = connect::connect(&cli.connection, patience).await?;
    match &cli.command {
        Command::Bus(command) => bus::run(&bus, command, output).await,
        Command::Notice(command) => notice::run(&bus, command, output).await,
        Command::Runs(command) => runs::run(&bus, command, output).await,
        Command::Dead(command) => dead::run(&bus, command, output).await,
        Command::Watch(command) => watch::run(&bus, command, output).await,
        Command::Rules(command) => rules::run(command, output),
        Command::Completion(shell) => completion::run(shell, output),
    }
}
