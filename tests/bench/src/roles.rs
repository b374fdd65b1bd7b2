//! One program as every process of a run: the bench starts itself in a role.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use hollowtrees_harness::{Worker, process::Builder};

use crate::floor;

/// Says which process this is to be.
const ROLE: &str = "HOLLOWTREES_BENCH_ROLE";
/// Where the server of a bare process is.
const SERVER: &str = "HOLLOWTREES_BENCH_SERVER";

/// A process beside the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// As `hollowtrees-router` runs it.
    Router,
    /// As `hollowtrees-drain` runs it.
    Drain,
    /// As `hollowtrees-gateway` runs it.
    Gateway,
    /// As `hollowtrees-asg-swap` runs it.
    AsgSwap,
    /// The floor's router.
    BareRouter,
}

impl Role {
    const ALL: [Self; 5] = [
        Self::Router,
        Self::Drain,
        Self::Gateway,
        Self::AsgSwap,
        Self::BareRouter,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Drain => "drain",
            Self::Gateway => "gateway",
            Self::AsgSwap => "asg-swap",
            Self::BareRouter => "bare-router",
        }
    }

    /// A process of this role, to be configured and started.
    pub(crate) fn process(self) -> Result<Builder> {
        Ok(Worker::builder(self.name(), std::env::current_exe()?).env(ROLE, self.name()))
    }

    /// The floor's router on a server.
    pub(crate) fn bare_router(server: &str) -> Result<Worker> {
        Ok(Self::BareRouter.process()?.env(SERVER, server).start()?)
    }
}

/// Plays the role this process was started for; `None` if for none.
pub(crate) fn play() -> Option<ExitCode> {
    let role = std::env::var(ROLE).ok()?;
    let role = Role::ALL.into_iter().find(|known| known.name() == role)?;
    Some(match role {
        Role::Router => hollowtrees_router::main(),
        Role::Drain => hollowtrees_drain::main(),
        Role::Gateway => hollowtrees_gateway::main(),
        Role::AsgSwap => hollowtrees_asg_swap::main(),
        Role::BareRouter => bare_router(),
    })
}

#[tokio::main]
async fn bare_router() -> ExitCode {
    let routing = async { floor::router(&std::env::var(SERVER).context(SERVER)?).await };
    match routing.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
