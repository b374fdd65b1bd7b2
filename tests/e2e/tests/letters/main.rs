//! Dead letters of a real gateway, sent to it again by the command line once what was wrong is mended.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod again;
mod queue;
mod world;
