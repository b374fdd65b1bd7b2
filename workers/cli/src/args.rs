//! The command line. Each group of commands describes its own part.

use clap::{Parser, Subcommand};

use crate::{bus, completion, connect::Connection, dead, notice, output::Format, rules, runs, watch};

/// Operate Hollowtrees: see what became of an instance, send a notice, try rules, look after dead letters.
///
/// Exit codes: 0 done, 1 the answer is no (differences, mistakes, nothing known), 2 wrong usage, 69 the bus cannot
/// be reached or does not answer.
#[derive(Debug, Parser)]
#[command(name = "hollowtrees", version)]
pub struct Cli {
    /// How answers are printed: text, or json: one object, or one a line for lists and streams
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        hide_possible_values = true,
        help_heading = "Everywhere"
    )]
    pub output: Format,
    /// Where the bus is.
    #[command(flatten)]
    pub connection: Connection,
    /// What is asked.
    #[command(subcommand)]
    pub command: Command,
}

/// What is asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the streams, buckets and consumers, or say what of them differs
    #[command(subcommand)]
    Bus(bus::Command),
    /// Send notices and list them
    #[command(subcommand)]
    Notice(notice::Command),
    /// What runs, and the whole story of one instance
    #[command(subcommand)]
    Runs(runs::Command),
    /// Check a file of rules, and explain what it makes of a notice
    #[command(subcommand)]
    Rules(rules::Command),
    /// Messages nobody could use: look at them, send them again, discard them
    #[command(subcommand)]
    Dead(dead::Command),
    /// Everything that happens on the bus, one line an event, until stopped
    Watch(watch::Watch),
    /// Print the completion script of a shell
    Completion(completion::Completion),
}
