//! The router against real NATS servers.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests fail where their ground is broken"
)]

mod crash;
mod faults;
mod incidents;
mod metrics;
mod refused;
mod retold;
mod rules;
mod seed;
mod support;
mod time;
mod unledgered;
