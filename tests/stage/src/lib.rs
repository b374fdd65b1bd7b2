//! The whole pipeline: real servers, and every worker as a process of its own.
//!
//! | module | what it is |
//! |---|---|
//! | [`roles`] | one program that is any of the workers |
//! | [`rig`] | the servers, and how a worker is started against them |
//! | [`machines`] | instances of auto-scaling groups, with their nodes in the cluster |
//!
//! The demo tells what happens on it; the tests beside this kill it.
#![allow(
    clippy::indexing_slicing,
    reason = "only JSON values are indexed: what is not there reads as null"
)]

pub mod machines;
pub mod rig;
pub mod roles;

pub use machines::Machine;
pub use rig::{CLUSTER, Process, Rig};
pub use roles::Role;
