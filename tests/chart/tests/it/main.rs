//! The chart: what it renders, whether a real API server takes it, and what can be done with the rights it gives.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod api_server;
mod approvals;
mod bus;
mod configuration;
mod cut_off;
mod documents;
mod fenced;
mod lifecycle;
mod pages;
mod pods;
mod rights;
mod spot_again;
mod stack;
