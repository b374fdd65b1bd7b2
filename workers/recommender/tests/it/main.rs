//! The process against a simulated AWS and a real bus.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what they cannot do fails them"
)]

mod answers;
mod faults;
mod golden;
mod openapi;
mod original;
mod own;
mod page;
mod regions;
mod world;
