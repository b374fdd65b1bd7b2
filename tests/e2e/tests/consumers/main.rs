//! Consumers of one's own: the examples of `docs/custom-consumers.md`, in every language, in the real pipeline.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests: what they cannot do fails the test"
)]

mod alone;
mod ends;
mod language;
mod page;
mod pager;
mod way;
mod world;
