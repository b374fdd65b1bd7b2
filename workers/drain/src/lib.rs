//! The drain worker: cordon, drain and uncordon actions of one cluster in, outcomes out.
//!
//! | module | what it does |
//! |---|---|
//! | [`config`] | its own configuration |
//! | `run` | the process: connects, serves, ends |
//! | [`worker`] | from an action to the cluster and back: [`worker::Drainer`] |
//! | `drain` | the drain action |
//! | [`params`] | what an action says of it |
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

mod drain;
mod rehearsal;
mod report;
mod run;
mod story;

pub use run::run;

/// The whole process, from the command line to the exit code.
pub fn main() -> std::process::ExitCode {
    hollowtrees_runtime::Frame::new("drain", env!("CARGO_PKG_VERSION"))
        .about("serves cordon, drain and uncordon for the nodes of one cluster")
        .defaults(config::DEFAULTS)
        .many_threaded()
        .run(run)
}
