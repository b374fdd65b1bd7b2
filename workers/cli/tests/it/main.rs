//! The `hollowtrees` program against a real server.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests: what they cannot do fails the test"
)]

mod bus;
mod connection;
mod dead;
mod manual;
mod notice;
mod rules;
mod runs;
mod support;
mod watch;
mod world;
