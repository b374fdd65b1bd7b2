//! The pipeline in real processes, and what its tests measure it by.
//!
//! | module | what it is |
//! |---|---|
//! | [`effects`] | a small world in the test's own process that workers act upon: it sees who did what, when |
//! | [`pipeline`] | a server, routers and workers as processes, on their own ports |
//! | [`kills`] | which of them were killed, and when |
//! | [`stream`] | all that a stream holds |
//! | [`cluster`] | which of several servers leads a stream |
//! | [`checker`] | reads the servers and says what is lost, repeated or left without an end |
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test support: where the ground a test stands on is broken, the test fails there and then"
)]

pub mod checker;
pub mod cluster;
pub mod effects;
pub mod kills;
pub mod pipeline;
pub mod stream;
