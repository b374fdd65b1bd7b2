//! The decisions of the pipeline, as pure functions.
//!
//! A [`notice::Notice`] joins an [`incident::Incident`]; a [`rule::Rule`] that
//! matches it starts a [`run::Run`]; a run takes events and says which
//! commands follow. Time comes in as a value, nothing here waits, reads or
//! writes, so that every decision can be tried again with the same result:
//! two replicas that meet the same record and the same event decide alike, and
//! the compare-and-set of the store lets one of them win.

pub mod address;
pub mod drain;
pub mod duration;
pub mod hook;
pub mod incident;
pub mod limits;
pub mod notice;
pub mod recommend;
pub mod record;
pub mod rule;
pub mod run;
pub mod settle;
pub mod swap;
pub mod target;
pub mod words;
