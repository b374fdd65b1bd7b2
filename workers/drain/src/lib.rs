//! The drain worker: actions about the nodes of one cluster in, outcomes out.
//!
//! | module | what it does |
//! |---|---|
//! | [`config`] | its own configuration |
//! | `run` | the process: connects, serves, ends |
//! | [`worker`] | from an action to the cluster and back: [`worker::Drainer`] |
//! | `cordon` | the actions that put a cordon on and let it go |
//! | `drain` | the drain action |
//! | `removal` | the action for a node whose instance is gone |
//! | `wait` | waiting for a fact while an action lasts |
//! | [`params`] | what an action says of itself |
//! | `rehearsal` | the same in a dry run |
//! | `report` | the outcome of a drain |
//! | `story` | what the events on the node say |
//! | [`telemetry`] | what is counted |
//!
//! What is done to a node, and when, is decided in `hollowtrees_domain::drain` and done in `hollowtrees-cluster`.

pub mod config;
pub mod params;
pub mod telemetry;
pub mod worker;

mod cordon;
mod drain;
mod rehearsal;
mod removal;
mod report;
mod run;
mod story;
mod wait;

pub use run::run;

/// The whole process, from the command line to the exit code.
pub fn main() -> std::process::ExitCode {
    hollowtrees_runtime::Frame::new("drain", env!("CARGO_PKG_VERSION"))
        .about("cordons, drains, uncordons and removes the nodes of one cluster")
        .defaults(config::DEFAULTS)
        .many_threaded()
        .run(run)
}
