//! The programs the tests run against, built from `tests/testbed` on first use.
//!
//! They are kept outside the checkout, in `$HOLLOWTREES_TESTBED_CACHE` or else the user's cache directory, each under
//! a hash of what it is built from. [`BIN`] names a directory with prebuilt ones instead.

mod build;
pub(crate) mod cache;
mod python;

pub use python::{MOTO, moto_server};

use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Names a directory with prebuilt programs; nothing is built then.
pub const BIN: &str = "HOLLOWTREES_TESTBED_BIN";

/// Names the directory where built programs are kept.
pub const CACHE: &str = "HOLLOWTREES_TESTBED_CACHE";

/// A program of the testbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    /// The NATS server.
    NatsServer,
    /// etcd, the Kubernetes control plane and the simulated kubelet; its first argument says which.
    ControlPlane,
    /// Helm, which lints and renders charts.
    Helm,
    /// The library of `kubectl drain`, as a program.
    KubectlDrain,
}

impl Program {
    /// The name of its file.
    pub fn name(self) -> &'static str {
        match self {
            Self::NatsServer => "nats-server",
            Self::ControlPlane => "control-plane",
            Self::Helm => "helm",
            Self::KubectlDrain => "kubectl-drain",
        }
    }

    /// Its Go module.
    fn module(self) -> PathBuf {
        match self {
            Self::NatsServer | Self::ControlPlane | Self::KubectlDrain => sources(),
            Self::Helm => sources().join("helm"),
        }
    }

    /// The package that is built, in its module.
    fn package(self) -> &'static str {
        match self {
            Self::NatsServer => "./cmd/nats-server",
            Self::ControlPlane => "./cmd/control-plane",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
            Self::KubectlDrain => "./cmd/kubectl-drain",
        }
    }

    /// What it is built from, below its module, besides `go.mod` and `go.sum`.
    fn sources(self) -> &'static [&'static str] {
        match self {
            Self::NatsServer => &["cmd/nats-server"],
            Self::ControlPlane => &["cmd/control-plane", "kubelet"],
            Self::Helm => &[],
            Self::KubectlDrain => &["cmd/kubectl-drain"],
        }
    }

    /// What a person who waits for the first build should expect.
    fn patience(self) -> &'static str {
        match self {
            Self::NatsServer | Self::KubectlDrain => "about a minute",
            Self::ControlPlane => "about ten minutes on two cores",
            Self::Helm => "about five minutes on two cores",
        }
    }
}

/// The testbed's sources.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testbed")
}

/// The program's file, built first if need be; blocks while it is built, by this process or another.
///
/// # Errors
/// If Go is missing, the build fails, or [`BIN`] names a directory without it.
pub fn binary(program: Program) -> Result<PathBuf> {
    if let Some(prebuilt) = std::env::var_os(BIN).filter(|value| !value.is_empty()) {
        let path = Path::new(&prebuilt).join(program.name());
        return if path.is_file() {
            Ok(path)
        } else {
            Err(Error::new(format!(
                "{BIN} is set, but there is no {}; unset it to have it built",
                path.display()
            )))
        };
    }
    let sources = program.module();
    let go = build::go_version()?;
    let key = build::key(&sources, program, &go)?;
    cache::entry(
        &format!("{}-{key}", program.name()),
        program.name(),
        |directory| build::go_build(&sources, program, &directory.join(program.name())),
    )
}

/// [`binary`], for asynchronous callers.
///
/// # Errors
/// As [`binary`].
pub async fn binary_async(program: Program) -> Result<PathBuf> {
    tokio::task::spawn_blocking(move || binary(program))
        .await
        .unwrap_or_else(|error| {
            Err(Error::new(format!(
                "the build of {} panicked: {error}",
                program.name()
            )))
        })
}

/// Tells the person at the terminal, also where the test harness captures what tests print.
pub(crate) fn say(message: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stderr(), "testbed: {message}"));
}
