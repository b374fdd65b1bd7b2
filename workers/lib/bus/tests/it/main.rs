//! The bus crate against real servers.

mod apply;
mod consume;
mod dead;
mod liveness;
mod publish;
mod store;
mod support;
mod watch;
