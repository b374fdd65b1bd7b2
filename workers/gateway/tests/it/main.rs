//! The gateway against a real bus.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod alerts;
mod aws_events;
mod conformance;
mod events;
mod ingest;
mod kills;
mod openapi;
mod page;
mod posts;
mod process;
mod security;
mod sns;
mod sqs;
mod world;
