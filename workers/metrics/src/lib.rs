//! The metrics worker: counts what travels on the bus, once whatever happens, and shows how far each consumer is.
//!
//! | module | what it does |
//! |---|---|
//! | [`config`] | its own configuration |
//! | `run`, [`part`] | the process; the work without its frame |
//! | `feed` | takes the messages of one stream in batches: claim, count, acknowledge |
//! | [`claim`] | which messages are counted, agreed on by all replicas |
//! | [`spans`] | sets of sequences |
//! | [`tally`] | what one message adds |
//! | `labels` | label values, bounded |
//! | `lead` | what the times in a message say |
//! | [`telemetry`] | every metric there is |
//! | `lag` | looks at streams and consumers from time to time |
//! | [`losses`] | messages that went before anybody handled them |
//!
//! **Counted once.** The replicas share one durable consumer a stream. A delivery says nothing about who counted a
//! message: an acknowledgement may be lost, and a process that was stopped may hold what went to another long ago. So
//! a batch is first claimed, by compare-and-set on one small record a stream that holds the sequences counted so far;
//! who wins counts what was new in it, and only then acknowledges. What holds:
//!
//! - No message is ever counted by two processes, nor twice by one: over lost acknowledgements and lost answers,
//!   redeliveries, a process stopped past its `ack_wait`, a consumer that was made anew, a server that is killed.
//! - While the processes live, every message is counted. With a process dies what it counted and nobody scraped, as
//!   with every counter in memory, and a batch it had claimed at that very moment.
//! - What the stream stored twice is two messages: the server knows a `Nats-Msg-Id` again for an hour only.
//! - A record holds 4,000 gaps. Beyond that the oldest are given up: their messages are not counted
//!   (`hollowtrees_metrics_forgone_total`), never counted twice.
//! - A stream that was deleted and made anew begins from nothing; the processes that knew the old one end and start
//!   again.

pub mod claim;
pub mod config;
pub mod losses;
pub mod part;
pub mod spans;
pub mod tally;
pub mod telemetry;

mod feed;
mod labels;
mod lag;
mod lead;
mod run;

pub use run::run;

/// The whole process, from the command line to the exit code.
pub fn main() -> std::process::ExitCode {
    hollowtrees_runtime::Frame::new("metrics", env!("CARGO_PKG_VERSION"))
        .about("counts notices, actions and outcomes, and shows how far their consumers are")
        .defaults(config::DEFAULTS)
        .many_threaded()
        .run(run)
}
