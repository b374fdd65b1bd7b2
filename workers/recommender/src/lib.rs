//! The recommender: which spot pools instances should come from, over HTTP.
//!
//! | module | what it does |
//! |---|---|
//! | [`config`] | its own configuration |
//! | `run` | the process |
//! | [`known`] | what is known of a region, and how old that is |
//! | `refresh` | reads it from AWS, again and again |
//! | [`files`] | prices on demand and interruption frequencies, from the operator's files |
//! | [`interruptions`] | our own interruptions, from the notices on the bus |
//! | [`http`] | the server: paths, answers, who may ask |
//! | [`pools`] | pools in order, for a wish |
//! | [`spot_recommender`] | the same as Hollowtrees' first recommender answered |
//! | [`telescopes`] | node pools as Telescopes answered |
//! | [`telemetry`] | every metric there is |
//!
//! What is recommended is decided in `hollowtrees_domain::recommend`. **A read that fails takes nothing away**: what was
//! known stays, and each answer says how old it is.

pub mod config;
pub mod files;
pub mod http;
pub mod interruptions;
pub mod known;
pub mod pools;
pub mod problem;
pub mod query;
pub mod spot_recommender;
pub mod telemetry;
pub mod telescopes;

mod refresh;
mod run;

pub use run::run;

/// The whole process, from the command line to the exit code.
pub fn main() -> std::process::ExitCode {
    hollowtrees_runtime::Frame::new("recommender", env!("CARGO_PKG_VERSION"))
        .about("recommends spot pools")
        .defaults(config::DEFAULTS)
        .many_threaded()
        .run(run)
}
