//! The action-worker loop against a real server, with handlers that do as they are told.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests: what they cannot do fails the test"
)]

mod affinity;
mod endings;
mod faults;
mod order;
mod support;
mod withdrawal;
