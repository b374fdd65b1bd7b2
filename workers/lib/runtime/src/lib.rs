//! The frame every Hollowtrees worker runs in. A worker's `main` is this much:
//!
//! ```no_run
//! # use std::process::ExitCode;
//! # use serde::{Deserialize, Serialize};
//! use hollowtrees_runtime::{Context, Failure, Frame, config};
//!
//! #[derive(Deserialize, Serialize)]
//! struct Settings {}
//! impl config::Settings for Settings {}
//!
//! async fn run(context: Context<Settings>) -> Result<(), Failure> {
//!     context.checks.complete();
//!     context.shutdown.draining().await;
//!     Ok(())
//! }
//!
//! fn main() -> ExitCode {
//!     Frame::new("router", env!("CARGO_PKG_VERSION")).run(run)
//! }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`run`] | the frame itself: from the command line to the exit code |
//! | [`config`] | defaults, file, environment, validation, `--dump-config` |
//! | [`logs`], [`fatal`] | the log format and filter; panics and last words |
//! | [`shutdown`] | the first signal drains, the second exits |
//! | [`health`], [`http`] | `/livez`, `/readyz`, `/metrics` on one small server |
//! | [`metrics`] | metrics that cannot be given the wrong labels |
//! | `probe` | `--healthy`, for health checks where there is nothing but the worker |
//! | [`process`], [`exit`] | who this process is, and how it ends |
//! | `server` | a server for others than the platform, with TLS (feature `server`) |
//! | `bus` | the connection to the bus (feature `bus`) |
//! | `worker` | the action-worker loop (feature `worker`) |
//!
//! Feature `multi-thread` brings the many-threaded scheduler, `bus` the way from `[nats]` to a connection, `worker` the
//! loop, `server` a server with TLS; without features this crate links neither a NATS
//! client nor anything else a small process does not need.

/// The heap of processes with many threads. A message is made of many small pieces that one thread allocates and
/// another frees; the C library's heap took a third of the router's processor time for that.
#[cfg(feature = "multi-thread")]
#[global_allocator]
static HEAP: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

pub mod args;
#[cfg(feature = "bus")]
pub mod bus;
pub mod config;
pub mod exit;
pub mod fatal;
pub mod health;
pub mod http;
pub mod logs;
pub mod metrics;
mod probe;
pub mod process;
pub mod run;
#[cfg(feature = "server")]
pub mod server;
pub mod shutdown;
#[cfg(feature = "worker")]
pub mod worker;

pub use exit::Failure;
pub use run::{Context, Frame};
pub use shutdown::Shutdown;
