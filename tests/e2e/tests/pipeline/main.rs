//! The pipeline from a notice to its outcomes: real routers, workers and servers, each a process.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests: what they cannot do fails the test"
)]

mod cancel;
mod cluster;
mod happy;
mod hostile;
mod order;
mod outage;
mod redrive;
mod support;
