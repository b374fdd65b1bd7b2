//! The table of `cargo bench-pipeline`: what its rows say, and what comes of a bar that is missed.
//!
//! | module | what |
//! |---|---|
//! | [`curve`] | what was in service when, and whether it was too little |
//! | [`sample`] | latencies of one run |
//! | [`table`] | rows as they are printed, bars as they are held |
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program whose output is a table"
)]

pub mod curve;
pub mod sample;
pub mod table;
