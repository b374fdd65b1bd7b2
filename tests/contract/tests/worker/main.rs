//! The action-worker loop against a real server, with handlers that do as they are told.

mod endings;
mod faults;
mod order;
mod support;
mod withdrawal;
