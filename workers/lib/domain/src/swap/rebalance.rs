//! A group with Capacity Rebalancing, which replaces spot instances at risk itself: what is left to it, and what it leaves.
//!
//! Auto Scaling tries to launch a spot instance for each that EC2 recommends to move away from, and then ends that one (user guide,
//! "Capacity Rebalancing"). Two who replace the same instance would launch twice. So a swap looks whether the group has begun. It does
//! what the group does not: for an instance on demand, for a group that may launch nothing, and, where that is asked for, once the
//! group has had its time (`docs/decisions/0009`).

use super::{
    End, Next, Orders, Seen, Strategy, Wait,
    processes::{LAUNCH, is_suspended},
    world::Standing,
};

/// How long such a group has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watch {
    /// It is left to it.
    #[default]
    Never,
    /// It has time still to begin.
    Waits,
    /// It has had its time.
    Over,
}

/// What a swap does in place of beginning; `None`: it is not left to the group.
pub(super) fn left_to_group(seen: &Seen, orders: &Orders) -> Option<Next> {
    let group = seen.group.as_ref().filter(|group| group.capacity_rebalance)?;
    let is_on_demand = seen.old.as_ref().is_some_and(|old| !old.spot);
    if is_on_demand || is_suspended(group, LAUNCH) {
        return None;
    }
    let (name, old) = (&group.name, &seen.old_id);
    let desired = group.sizes.desired.saturating_sub(seen.added);
    let (mut serving, mut joining) = (0, 0);
    let stays = |id: &String| id != old && !seen.at_risk.contains(id);
    for member in group.members.iter().filter(|member| stays(&member.instance)) {
        match member.standing {
            Standing::InService => serving += member.weight,
            Standing::Joining => joining += member.weight,
            Standing::Standby | Standing::Warm | Standing::Leaving => {}
        }
    }
    let (reason, what) = if serving >= desired {
        ("group-replaced-it", "it has replaced it already")
    } else if serving + joining >= desired {
        ("group-replaces-it", "what it launches for it joins")
    } else {
        match orders.watch {
            Watch::Over if orders.strategy == Strategy::Swap => return None,
            Watch::Waits if orders.strategy == Strategy::Swap && !orders.give_up => {
                return Some(Next::Wait(Wait::GroupReplaces));
            }
            _ => ("group-replaces-itself", "it has launched nothing for it yet"),
        }
    };
    Some(Next::Finish(End::skipped(
        reason,
        format!(
            "{name} replaces {old} itself, for its Capacity Rebalancing is on: {what}. Without {old} {serving} are in service and \
             {joining} join, {desired} are desired."
        ),
    )))
}
