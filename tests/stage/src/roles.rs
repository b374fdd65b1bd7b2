//! One program as any of the workers: the same code as their own programs run.

use std::process::ExitCode;

/// Says which role a process plays.
pub(crate) const ROLE: &str = "HOLLOWTREES_STAGE_ROLE";

/// A worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Notices from one instance's metadata service.
    Agent,
    /// Notices from queues and alerts.
    Gateway,
    /// Notices and outcomes to actions.
    Router,
    /// Nodes are cordoned and emptied.
    Drain,
    /// Instances are replaced.
    AsgSwap,
    /// Lifecycle hooks are answered.
    Lifecycle,
    /// All is counted.
    Metrics,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Agent,
        Self::Gateway,
        Self::Router,
        Self::Drain,
        Self::AsgSwap,
        Self::Lifecycle,
        Self::Metrics,
    ];

    /// As its own program is called, without `hollowtrees-`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Gateway => "gateway",
            Self::Router => "router",
            Self::Drain => "drain",
            Self::AsgSwap => "asg-swap",
            Self::Lifecycle => "lifecycle",
            Self::Metrics => "metrics",
        }
    }
}

/// Plays the role this process was started for; `None` if for none.
pub fn play() -> Option<ExitCode> {
    let role = std::env::var(ROLE).ok()?;
    let role = Role::ALL.into_iter().find(|known| known.name() == role)?;
    Some(match role {
        Role::Agent => hollowtrees_agent::main(),
        Role::Gateway => hollowtrees_gateway::main(),
        Role::Router => hollowtrees_router::main(),
        Role::Drain => hollowtrees_drain::main(),
        Role::AsgSwap => hollowtrees_asg_swap::main(),
        Role::Lifecycle => hollowtrees_lifecycle::main(),
        Role::Metrics => hollowtrees_metrics::main(),
    })
}
