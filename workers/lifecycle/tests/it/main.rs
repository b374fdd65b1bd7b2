//! The worker between a real bus and a simulated AWS: actions in, answers to hooks, deregistrations and outcomes out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod accounts;
mod balancers;
mod faults;
mod foreign;
mod held;
mod launch;
mod left_alone;
mod process;
mod replicas;
mod together;
mod world;
