//! Processes of a group, suspended and resumed.

use super::query::Call;
use super::strict::{Stop, Strict, World};

/// All of them (Auto Scaling API reference, `SuspendProcesses`).
const PROCESSES: [&str; 9] = [
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
];

impl Strict {
    pub(super) async fn processes(&self, world: &mut World, call: &Call) -> Result<(), Stop> {
        let group = world.of(call)?;
        let mut named: Vec<_> = call
            .list("ScalingProcesses")
            .into_iter()
            .map(str::to_owned)
            .collect();
        if named.is_empty() {
            named = PROCESSES.map(str::to_owned).to_vec();
        }
        group.suspended.retain(|process| !named.contains(process));
        if call.action == "SuspendProcesses" {
            group.suspended.extend(named);
        }
        let name = group.name.clone();
        self.settle(world, &call.region, &name).await
    }
}
