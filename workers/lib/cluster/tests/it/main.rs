//! The engine against a real control plane with simulated nodes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod anew;
mod budgets;
mod cap;
mod cordon;
mod drain;
mod force;
mod nodes;
mod support;
mod volumes;
mod watch;
mod ways;
