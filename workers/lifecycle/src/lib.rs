//! The lifecycle worker: `hook` actions in, the answer to an auto-scaling lifecycle hook, an outcome out; `deregister`
//! actions in, an instance that no load balancer sends requests to, an outcome out.
//!
//! | module | what it does |
//! |---|---|
//! | [`config`] | its own configuration |
//! | `run` | the process: reaches AWS, serves, ends |
//! | [`worker`] | from an action to a hook that is held, or an instance that is taken out: [`worker::Lifecycle`] |
//! | `balancers` | takes an instance out of its load balancers |
//! | `params` | what an action says of it |
//! | `find` | which hook an instance waits in |
//! | `hold` | holds it open, and answers it |
//! | `extend` | tells of the time that heartbeats have won |
//! | `work` | the work it is held open for |
//! | `checkpoint` | what a later start has to know |
//! | `report` | what is told of it |
//! | `cloud` | calls of AWS, counted |
//! | [`telemetry`] | what is counted |
//!
//! When there is a heartbeat and when an answer is decided in `hollowtrees_domain::hook`.

pub mod config;
pub mod telemetry;
pub mod worker;

mod balancers;
mod checkpoint;
mod cloud;
mod extend;
mod find;
mod hold;
mod params;
mod report;
mod run;
mod work;

pub use run::run;

/// The whole process, from the command line to the exit code.
pub fn main() -> std::process::ExitCode {
    hollowtrees_runtime::Frame::new("lifecycle", env!("CARGO_PKG_VERSION"))
        .about("answers lifecycle hooks, deregisters instances from load balancers")
        .defaults(config::DEFAULTS)
        .many_threaded()
        .run(run)
}
