//! What the tests of Hollowtrees, its demo and its benchmarks stand on: real servers, started on free ports of the
//! loopback interface and stopped when they are dropped, simulated metadata services, and faults to put in between.
//!
//! | what | type |
//! |---|---|
//! | a NATS server with JetStream, a cluster of three | [`Nats`], [`NatsCluster`] |
//! | a Kubernetes control plane with simulated nodes | [`ControlPlane`] |
//! | EC2, Auto Scaling and STS, as strict as AWS | [`Aws`] |
//! | an EC2 instance metadata service; those of other clouds | [`Metadata`]; [`metadata`] |
//! | Helm, to lint and render a chart | [`helm`] |
//! | faults on a TCP connection, on HTTP requests | [`proxy::Tcp`], [`proxy::Http`] |
//! | a process of our own under test | [`Worker`] |
//! | one whose machine's clock is off | [`clock`] |
//! | the drain of kubectl, to compare ours with | [`kubectl`] |
//! | `promtool` and a Prometheus, where the machine has them | [`promtool`], [`prometheus`] |
//! | what a machine may lack, and CI's may not | [`Missing`] |
//! | a program in another language, with its dependencies | [`language`] |
//! | wait for a fact, bounded | [`eventually()`], [`try_eventually()`] |
//!
//! Every child process ends with the process that started it, also when that one panics or is killed: see
//! [`supervise`]. The harness names no NATS client, no Kubernetes client and no AWS SDK, so that a test of one of
//! those layers does not build the others.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test support: where the ground a test stands on is broken, the test fails there and then"
)]

pub mod aws;
pub mod clock;
pub mod control_plane;
mod error;
mod eventually;
pub mod helm;
pub mod http_client;
pub mod http_get;
pub mod http_server;
pub mod kubectl;
pub mod language;
pub mod metadata;
mod missing;
pub mod nats;
pub mod ports;
pub mod process;
pub mod prometheus;
pub mod promtool;
pub mod proxy;
pub mod scratch;
pub mod supervise;
pub mod testbed;
pub mod tls;

pub use aws::Aws;
pub use control_plane::ControlPlane;
pub use error::{Context, Error, Result};
pub use eventually::{TimedOut, eventually, try_eventually};
pub use metadata::Metadata;
pub use missing::Missing;
pub use nats::{Nats, NatsCluster};
pub use process::Worker;
