//! The agent as a process, between simulated metadata services and a real NATS server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "the helpers of tests are tests"
)]

mod alibaba;
mod approve;
mod azure;
mod detect;
mod ec2;
mod ec2_events;
mod exporters;
mod faults;
mod gcp;
mod rig;
