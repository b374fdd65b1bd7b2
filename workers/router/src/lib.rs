//! The router: notices become incidents, incidents runs, runs actions; outcomes move them on, and what is
//! due is done.
//!
//! | module | what it does |
//! |---|---|
//! | [`config`] | its own configuration |
//! | [`rulebook`] | the rules in force; keeps the last good ones |
//! | `intake` | takes deliveries, keeps them alive, settles each once |
//! | `notices` | merges a notice into its incident and starts the runs it asks for |
//! | `outcomes` | records an outcome in every run that waits for it |
//! | `drive` | writes a run by compare-and-set and does what it says |
//! | `settle` | ends actions in the ledger that nobody else ends |
//! | `clock`, `index`, `glance` | what is due when, from a watch of the records |
//! | [`telemetry`] | what it counts |
//! | `retell` | tells again what time brought about lately |
//! | `purge` | deletes what closed long ago |
//!
//! All decisions are made in `hollowtrees-domain`; here they are carried out. Any number of routers may run:
//! none holds anything that is not on the bus, each write is a compare-and-set, and whatever a router did
//! not finish is done again by whoever gets the delivery next, with the same ids.

pub mod config;
pub mod rulebook;
pub mod telemetry;

mod clock;
mod core;
mod drive;
mod due;
mod events;
mod glance;
mod index;
mod intake;
mod lanes;
mod notices;
mod outcomes;
mod purge;
mod records;
mod retell;
mod run;
mod settle;
mod trouble;

pub use run::run;

/// The whole process, from the command line to the exit code.
pub fn main() -> std::process::ExitCode {
    hollowtrees_runtime::Frame::new("router", env!("CARGO_PKG_VERSION"))
        .about("turns notices into incidents, runs and actions, and owns their time")
        .defaults(config::DEFAULTS)
        .many_threaded()
        .run(run)
}
