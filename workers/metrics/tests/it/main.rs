//! The metrics worker against a real bus: what it counts, that it counts it once, and what it shows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod counts;
mod files;
mod lag;
mod once;
mod process;
mod world;
