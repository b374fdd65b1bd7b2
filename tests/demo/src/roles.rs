//! This program as one of the workers: the same code as their own programs run.

use std::process::ExitCode;

/// Says which role a process plays.
pub(crate) const ROLE: &str = "HOLLOWTREES_DEMO_ROLE";

/// A worker that the demo starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Agent,
    Router,
    Drain,
}

impl Role {
    const ALL: [Self; 3] = [Self::Agent, Self::Router, Self::Drain];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Router => "router",
            Self::Drain => "drain",
        }
    }
}

/// Plays the role this process was started for; `None` if for none.
pub(crate) fn play() -> Option<ExitCode> {
    let role = std::env::var(ROLE).ok()?;
    let role = Role::ALL.into_iter().find(|known| known.name() == role)?;
    Some(match role {
        Role::Agent => hollowtrees_agent::main(),
        Role::Router => hollowtrees_router::main(),
        Role::Drain => hollowtrees_drain::main(),
    })
}
