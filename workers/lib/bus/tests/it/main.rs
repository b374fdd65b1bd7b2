//! The bus crate against real servers.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests: what they cannot do fails the test"
)]

mod apply;
mod consume;
mod credentials;
mod dead;
mod hostile;
mod liveness;
mod publish;
mod store;
mod support;
mod watch;
