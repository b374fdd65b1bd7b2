//! The way forward: launch, running, node ready if asked, room, attach, in service, detach, restore, end the old one.

use hollowtrees_schemas::names::result;
use jiff::{SignedDuration, Timestamp};

use super::{
    Checkpoint, End, Next, Orders, Seen, Wait, balance,
    decide::end_old,
    health, node,
    processes::leaves_unregistered,
    scale_in,
    world::{Life, Standing},
};

/// A launched instance shows within this (EC2 is eventually consistent), or it counts as gone.
pub(super) const APPEARS_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// The next step; `None`: launch the choice that is tried.
pub(super) fn step(
    checkpoint: &mut Checkpoint,
    seen: &Seen,
    orders: &Orders,
    now: Timestamp,
) -> Option<Next> {
    if !checkpoint.attached {
        let launched = checkpoint.launched.clone()?;
        return until_attached(checkpoint, seen, orders, &launched, now);
    }
    if seen.old_stays().is_none() && seen.is_unseen(checkpoint) {
        return Some(Next::Wait(Wait::Appears));
    }
    if let Some(next) = old_out(checkpoint, seen, orders, now) {
        return Some(next);
    }
    // Where the old one left by itself desired goes first, or the group launches another one meanwhile.
    if let Some(next) = scale_in::copy(checkpoint, seen) {
        return Some(next);
    }
    if let Some(next) = strays(checkpoint, seen) {
        return Some(next);
    }
    if let Some(next) = restore_max(checkpoint, seen).or_else(|| balance::resume(checkpoint, seen)) {
        return Some(next);
    }
    let joins = is_joining(checkpoint, seen, orders, now);
    if scale_in::is_awaited(checkpoint, joins) {
        return Some(Next::Wait(Wait::InService));
    }
    Some(end_old(checkpoint, seen, orders).unwrap_or_else(|| Next::Finish(success(checkpoint, seen))))
}

fn until_attached(
    checkpoint: &mut Checkpoint,
    seen: &Seen,
    orders: &Orders,
    launched: &str,
    now: Timestamp,
) -> Option<Next> {
    let age = SignedDuration::from_secs(now.as_second().saturating_sub(checkpoint.launched_at));
    let Some(instance) = seen.ours(launched) else {
        if age <= APPEARS_WITHIN {
            return Some(Next::Wait(Wait::Appears));
        }
        checkpoint.next_choice("it was launched and never showed");
        return None;
    };
    let slow = instance.life == Life::Pending && age > orders.running_within;
    let why = match instance.life {
        Life::Gone => Some("it ended before it could be attached"),
        Life::Stopped => Some("it stopped before it could be attached"),
        _ if seen.doomed => Some("it is about to be interrupted itself"),
        Life::Pending if slow => Some("it did not run in time"),
        Life::Pending | Life::Running => None,
    };
    match (why, instance.life) {
        (Some(why), Life::Gone) => {
            checkpoint.next_choice(why);
            None
        }
        // It was asked for and refused: it is told of, and another pool is tried.
        (Some(why), _) if checkpoint.left.instances.contains_key(launched) => {
            checkpoint.next_choice(why);
            None
        }
        (Some(_), _) => Some(Next::TerminateNew {
            instance: launched.to_owned(),
        }),
        (None, Life::Running) if node::is_awaited(checkpoint, seen, orders, now) => {
            Some(Next::Wait(Wait::NodeReady))
        }
        (None, Life::Running) => Some(attach(checkpoint, seen, launched)),
        (None, _) => Some(Next::Wait(Wait::Running)),
    }
}

/// Room by the shortfall only, that of all open swaps at once: attaching raises desired by itself, and fails beyond
/// MaxSize.
fn attach(checkpoint: &mut Checkpoint, seen: &Seen, launched: &str) -> Next {
    let sizes = seen.sizes();
    let needed = sizes.desired.saturating_add(checkpoint.old.weight);
    if needed > sizes.max {
        checkpoint.room = checkpoint.room.max(needed - sizes.max);
        let max = needed.saturating_add(seen.books.awaited_by_others);
        return Next::MakeRoom { max };
    }
    if let Some(next) = balance::suspend(checkpoint, seen, launched) {
        return next;
    }
    checkpoint.unregistered = seen.group.as_ref().is_some_and(leaves_unregistered);
    Next::Attach {
        instance: launched.to_owned(),
    }
}

/// Until the old one is out of the group and desired is as before.
fn old_out(checkpoint: &mut Checkpoint, seen: &Seen, orders: &Orders, now: Timestamp) -> Option<Next> {
    match seen.old_stays().filter(|_| !checkpoint.detached) {
        Some(Standing::Joining) => Some(Next::Wait(Wait::OldJoins)),
        Some(_)
            if is_replaced(checkpoint, seen)
                && let Some(next) = scale_in::copy(checkpoint, seen) =>
        {
            Some(next)
        }
        Some(_) if is_replaced(checkpoint, seen) && health::is_awaited(checkpoint, seen, orders, now) => {
            Some(Next::Wait(Wait::Health))
        }
        Some(_) if is_replaced(checkpoint, seen) => {
            checkpoint.detaching = true;
            Some(Next::Detach {
                decrement: takes_back(checkpoint, seen),
            })
        }
        Some(_) => Some(Next::Wait(Wait::InService)),
        // Of its own choice the group may end what serves and keep what does not yet.
        None if has_unit(checkpoint, seen) && has_more(seen) && is_joining(checkpoint, seen, orders, now) => {
            Some(Next::Wait(Wait::InService))
        }
        None if has_unit(checkpoint, seen) => lower_desired(checkpoint, seen),
        None => None,
    }
}

/// The old one went without the unit of desired that was to go with it: by itself, or though it seemed to run on and so to be
/// detached by us. That one is taken back only where desired is still ours: else it may have gone with it.
fn has_unit(checkpoint: &Checkpoint, seen: &Seen) -> bool {
    let is_ours = seen.books.surplus > 0 && seen.books.desired_is_ours;
    checkpoint.old_left || checkpoint.detached && is_ours && checkpoint.left.desired.is_none()
}

/// The group has launched something in the old one's place: lowering desired ends a member.
fn has_more(seen: &Seen) -> bool {
    let surplus = seen.books.surplus;
    surplus > 0 && seen.others().1 > seen.sizes().desired.saturating_sub(surplus)
}

/// The replacement is a member and may be in service in time.
fn is_joining(checkpoint: &Checkpoint, seen: &Seen, orders: &Orders, now: Timestamp) -> bool {
    let launched = checkpoint.launched.as_deref().unwrap_or_default();
    let age = SignedDuration::from_secs(now.as_second().saturating_sub(checkpoint.attached_at));
    let is_late = orders.give_up || orders.cancelled || age > orders.in_service_within;
    !checkpoint.lost && !is_late && seen.standing(launched) == Some(Standing::Joining)
}

/// The replacement is in service; or it was lost, and the group's own are enough.
pub(super) fn is_replaced(checkpoint: &Checkpoint, seen: &Seen) -> bool {
    let launched = checkpoint.launched.as_deref().unwrap_or_default();
    if !checkpoint.lost {
        return seen.standing(launched) == Some(Standing::InService);
    }
    let before = seen.sizes().desired.saturating_sub(seen.books.surplus);
    seen.others().0 >= before
}

/// Whether desired is lowered with a member that goes: only if it is as our last change left it. Otherwise it is said.
pub(super) fn takes_back(checkpoint: &mut Checkpoint, seen: &Seen) -> bool {
    let sizes = seen.sizes();
    let ours = seen.books.surplus > 0 && seen.books.desired_is_ours;
    checkpoint.left.desired = if !ours {
        Some(format!(
            "someone changed desired to {} meanwhile, so what attaching added to it was not taken back",
            sizes.desired
        ))
    } else if sizes.desired <= sizes.min {
        Some(format!("desired is {}, the least allowed", sizes.desired))
    } else {
        None
    };
    checkpoint.left.desired.is_none()
}

/// Takes back what attaching added to desired, if desired still is what our last change made it. What the group has
/// launched meanwhile goes with it, where it can be told.
pub(super) fn lower_desired(checkpoint: &mut Checkpoint, seen: &Seen) -> Option<Next> {
    let (sizes, surplus) = (seen.sizes(), seen.books.surplus);
    if surplus == 0 || checkpoint.left.desired.is_some() || seen.group.is_none() {
        return None;
    }
    let to = sizes.desired.saturating_sub(surplus);
    if !seen.books.desired_is_ours {
        checkpoint.left.desired = Some(format!(
            "someone changed desired to {} meanwhile, so {surplus} of it was not taken back",
            sizes.desired
        ));
        return None;
    }
    if to < sizes.min {
        checkpoint.left.desired = Some(format!("desired is {}, the least allowed", sizes.desired));
        return None;
    }
    Some(match seen.spare.clone().filter(|_| !checkpoint.spare_stays) {
        Some(instance) => Next::EndSpare { instance },
        None => Next::LowerDesired { to },
    })
}

/// Takes back MaxSize as far as nobody needs it, if it still is what we wrote. The last of a group's swaps that are under
/// way does it for all.
pub(super) fn restore_max(checkpoint: &mut Checkpoint, seen: &Seen) -> Option<Next> {
    let (sizes, books) = (seen.sizes(), seen.books);
    if books.written_max == 0 || checkpoint.left.max.is_some() || seen.group.is_none() {
        return None;
    }
    if sizes.max != books.written_max {
        if checkpoint.room > 0 || !books.others_under_way {
            checkpoint.left.max = Some(format!(
                "someone changed MaxSize from {} to {} meanwhile",
                books.written_max, sizes.max
            ));
        }
        return None;
    }
    if books.others_under_way {
        return None;
    }
    // A MaxSize below desired would lower desired (Auto Scaling API reference, UpdateAutoScalingGroup).
    let to = books.base_max.max(sizes.desired);
    if to < sizes.max {
        return Some(Next::RestoreMax { to });
    }
    if to > books.base_max {
        checkpoint.left.max = Some(format!("MaxSize stays {to}, as desired is {}", sizes.desired));
    }
    None
}

/// What else of ours runs, of choices given up.
pub(super) fn strays(checkpoint: &Checkpoint, seen: &Seen) -> Option<Next> {
    let kept = checkpoint.launched.as_deref();
    let stray = seen.alive().find(|instance| {
        Some(instance.id.as_str()) != kept
            && seen.standing(&instance.id).is_none()
            && !checkpoint.left.instances.contains_key(&instance.id)
    })?;
    Some(Next::TerminateNew {
        instance: stray.id.clone(),
    })
}

fn success(checkpoint: &Checkpoint, seen: &Seen) -> End {
    let old = &seen.old_id;
    let new = checkpoint.launched.as_deref().unwrap_or("its replacement");
    let group = &checkpoint.group;
    let mut message = if checkpoint.lost {
        format!("{new} was lost after it was attached, and {group} replaced it by itself; {old} is out.")
    } else if checkpoint.old_left {
        format!("{new} is in {group} in place of {old}; the old left first.")
    } else {
        format!("{new} is in {group} in place of {old}.")
    };
    if let Some(waited) = checkpoint.node.filter(|_| !checkpoint.lost) {
        message.push_str(&waited.sentence());
    }
    if let Some(waited) = checkpoint.health.filter(|_| !checkpoint.lost) {
        message.push_str(&waited.sentence());
    }
    if checkpoint.unregistered && !checkpoint.lost {
        message.push_str(&format!(
            " It is registered with no load balancer: the process AddToLoadBalancer of {group} was suspended as it joined. Auto \
             Scaling does not make up for that; register it by hand if it is to have requests."
        ));
    }
    message.push_str(&scale_in::sentence(checkpoint));
    for (what, left) in [
        ("MaxSize", &checkpoint.left.max),
        ("Desired capacity", &checkpoint.left.desired),
        ("Suspended, the process AZRebalance", &checkpoint.left.rebalance),
    ] {
        if let Some(why) = left {
            message.push_str(&format!(" {what} was left: {why}."));
        }
    }
    if let Some(why) = &checkpoint.left.old {
        message.push_str(&format!(" {old} still runs: {why}."));
    }
    for (instance, why) in &checkpoint.left.instances {
        message.push_str(&format!(" {instance} may still run: {why}."));
    }
    let reason = if checkpoint.old_left { "old-left-first" } else { "" };
    End::new(result::SUCCEEDED, reason, message)
}
