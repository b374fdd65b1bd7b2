//! The action-worker loop: everything between a stream of actions and a handler (DESIGN section 4).
//!
//! ```text
//!  stream ──> take ──> queue (by deadline) ──> claim ──> handler ──> ledger ──> outcome ──> ack
//!               │                                ▲          │
//!               └ in-progress, adoption          └ take-over└ checkpoint, progress, retry
//! ```
//!
//! A worker of one's own is a type with one method, [`Handler::handle`]; [`serve()`] does the rest. What each
//! part promises:
//!
//! - at most [`Settings::accepted`] actions are held and at most [`Settings::running`] handlers run; those
//!   that wait are ordered by deadline and kept from others by in-progress;
//! - one live process runs an action at a time, by a claim in the ledger with liveness behind it;
//! - an action ends with one outcome, written to the ledger before it is told and told before the ack;
//! - with [`Settings::affinity`], actions of which a handler says that they belong together ([`Job::elsewhere`]) are done by
//!   one process, as far as it takes them;
//! - `test` never reaches a handler, `dry-run` only one that knows it.

mod affinity;
mod attempt;
mod bounded;
mod claim;
mod execute;
mod give;
mod handler;
mod hear;
mod job;
mod order;
mod outcome;
mod parcel;
mod process;
mod queue;
mod refuse;
mod serve;
mod settings;
mod suspects;
mod take;
pub mod telemetry;

pub use handler::{Failure, Handler, Kind, Report};
pub use job::Job;
pub use process::run;
pub use serve::{ServeError, serve};
pub use settings::Settings;
