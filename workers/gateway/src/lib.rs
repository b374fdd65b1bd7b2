//! The gateway: what other origins than the node agent say of an instance, as notices on the bus.
//!
//! | module | what it does |
//! |---|---|
//! | [`config`] | its own configuration |
//! | `run` | the process |
//! | [`http`] | the server: connections, TLS, bodies, who may come in, answers |
//! | [`auth`] | who speaks, and for which clusters |
//! | [`alerts`] | Alertmanager's API and webhook to notices |
//! | [`events`] | CloudEvents to notices |
//! | [`aws_events`] | what a queue of AWS would deliver, posted |
//! | [`push`] | what Google, Azure and Oracle push, to notices |
//! | [`settle`] | what a request holds, part by part, to the bus |
//! | [`ingest`] | the one way onto the bus: stored, or put aside |
//! | [`rate`] | so many in a time |
//! | [`sqs`] | queues of SQS: events of EventBridge, Auto Scaling and AWS Health |
//! | [`sns`] | topics of SNS that post the same by HTTPS |
//! | [`telemetry`] | every metric there is |
//!
//! **Nothing is lost.** An origin is answered only after the bus has acknowledged; until then it says the same again, and
//! the same has the same id, so that it is stored once. What cannot be used is put aside whole as a dead letter.

pub mod alerts;
pub mod asked;
pub mod auth;
pub mod aws_events;
pub mod config;
pub mod events;
pub mod http;
pub mod ingest;
pub mod problem;
pub mod push;
pub mod rate;
pub mod settle;
pub mod sns;
pub mod sqs;
pub mod status;
pub mod telemetry;
pub mod ways;

mod run;

pub use run::run;

/// The whole process, from the command line to the exit code.
pub fn main() -> std::process::ExitCode {
    hollowtrees_runtime::Frame::new("gateway", env!("CARGO_PKG_VERSION"))
        .about("takes notices from alerts, CloudEvents and clouds")
        .defaults(config::DEFAULTS)
        .many_threaded()
        .run(run)
}
