//! Processes of a group that somebody has suspended, and its instance maintenance policy.
//!
//! What AWS's pages say of them is about what a group does by itself; of calls that others make they say little. What follows here is
//! in a table of `docs/operating.md`. The one process that swaps suspend themselves is in [`super::balance`].

use super::{End, Strategy, world::Group};

/// A group launches instances.
pub const LAUNCH: &str = "Launch";
/// It ends them.
pub const TERMINATE: &str = "Terminate";
/// It registers what joins it with its load balancers.
pub const ADD_TO_LOAD_BALANCER: &str = "AddToLoadBalancer";

/// A group's instance maintenance policy, in percent of desired (Auto Scaling API reference, `InstanceMaintenancePolicy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// `MaxHealthyPercentage`: how many may be in service or pending while instances are replaced.
    pub most: u32,
}

impl Maintenance {
    /// How many instances of this weight may be there beside those that are desired; one at least, for a swap launches before it
    /// lets go.
    #[must_use]
    pub fn beside(self, desired: u32, weight: u32) -> u32 {
        let more = u64::from(desired) * u64::from(self.most.saturating_sub(100)) / 100;
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        (more / weight.max(1)).max(1)
    }
}

/// Whether a process is suspended, by whomever.
#[must_use]
pub fn is_suspended(group: &Group, process: &str) -> bool {
    group.suspended.iter().any(|suspended| suspended == process)
}

/// Why a way that leaves it to the group to replace an instance is not gone; `None`: it is, or it is another way.
pub(super) fn keep_from(group: &Group, old: &str, strategy: Strategy) -> Option<End> {
    let needed: &[&str] = match strategy {
        Strategy::Swap | Strategy::None => &[],
        Strategy::Detach => &[LAUNCH],
        Strategy::Terminate => &[LAUNCH, TERMINATE],
    };
    let process = needed.iter().find(|process| is_suspended(group, process))?;
    Some(End::skipped(
        "process-suspended",
        format!(
            "The process {process} of {} is suspended, so that the group would not replace {old}, as strategy {strategy} has it. \
             Nothing was touched; strategy swap needs no process of the group.",
            group.name
        ),
    ))
}

/// Whether what is attached to the group now comes to none of its load balancers.
pub(super) fn leaves_unregistered(group: &Group) -> bool {
    let has_balancers = !group.target_groups.is_empty() || !group.classic_balancers.is_empty();
    has_balancers && is_suspended(group, ADD_TO_LOAD_BALANCER)
}
