//! The worker between a real bus and a real control plane: actions in, outcomes out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

// The same ground, and the same role, as the cluster's own tests.
#[allow(dead_code, reason = "each of the two takes what it needs of it")]
#[path = "../../../lib/cluster/tests/it/support.rs"]
mod support;

mod actions;
mod afterwards;
mod burst;
mod clusters;
mod deadlines;
mod faults;
mod outages;
mod params;
mod process;
mod refusals;
mod replicas;
mod story;
mod withdrawal;
mod world;
