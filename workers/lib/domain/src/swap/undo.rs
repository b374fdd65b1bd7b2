//! The way back: what was launched ends, sizes are as before.

use hollowtrees_schemas::names::result;
use jiff::{SignedDuration, Timestamp};

use super::{
    Checkpoint, End, Next, Orders, Seen, Wait, again, balance,
    checkpoint::Undo,
    decide::end_old,
    forward::{APPEARS_WITHIN, is_replaced, lower_desired, restore_max, strays, takes_back},
    node::Waited,
    scale_in,
    world::Standing,
};

/// No pool is left to try.
const NO_CAPACITY: &str = "no-capacity";

/// Why the swap has to be undone now; `None`: it goes on.
pub(super) fn why(checkpoint: &Checkpoint, seen: &Seen, orders: &Orders, now: Timestamp) -> Option<Undo> {
    let failed = |reason: &str, message: String| {
        Some(Undo::Failed {
            reason: reason.to_owned(),
            message,
        })
    };
    if seen.group.is_none() {
        return failed("group-gone", format!("The group {} is gone.", checkpoint.group));
    }
    // The old one is out, though it may still show: from here on it is only brought to its end.
    if checkpoint.attached && (checkpoint.detached || seen.old_stays().is_none()) {
        return None;
    }
    if orders.cancelled {
        return Some(Undo::Cancelled);
    }
    if !checkpoint.attached {
        let (_, others) = seen.others();
        let replaced = others >= seen.sizes().desired;
        let nothing_launched = checkpoint.launched.is_none() && !checkpoint.in_doubt;
        if seen.old_stays().is_none() && (replaced || nothing_launched) {
            return Some(Undo::OldLeft);
        }
        if checkpoint.choice().is_none() {
            return failed(NO_CAPACITY, tried(checkpoint));
        }
    }
    if orders.give_up && !is_replaced(checkpoint, seen) {
        return failed(
            "deadline",
            "The replacement was not in service in time.".to_owned(),
        );
    }
    let age = SignedDuration::from_secs(now.as_second().saturating_sub(checkpoint.attached_at));
    if checkpoint.attached && age > orders.in_service_within && !is_replaced(checkpoint, seen) {
        return failed(
            "not-in-service",
            format!(
                "The replacement was not in service {} s after it was attached.",
                age.as_secs()
            ),
        );
    }
    None
}

/// The next step back; `None`: the launch in doubt is repeated until it is answered, for only then is it known what to
/// end.
pub(super) fn step(
    checkpoint: &mut Checkpoint,
    seen: &Seen,
    orders: &Orders,
    why: &Undo,
    now: Timestamp,
) -> Option<Next> {
    if checkpoint.in_doubt {
        return None;
    }
    let age = SignedDuration::from_secs(now.as_second().saturating_sub(checkpoint.launched_at));
    let launched = checkpoint.launched.as_deref();
    if launched.is_some_and(|id| seen.ours(id).is_none()) && age <= APPEARS_WITHIN && !checkpoint.attached {
        return Some(Next::Wait(Wait::Appears));
    }
    // Ended past its group it would be replaced, and sizes read now may be as old as the members.
    if seen.is_unseen(checkpoint) {
        return Some(Next::Wait(Wait::Appears));
    }
    if checkpoint.attached && !checkpoint.lost && seen.group.is_some() && seen.old_stays().is_none() {
        // The old one went while it was being undone: the replacement stays.
        if !checkpoint.old_left && !checkpoint.detached {
            checkpoint.old_left = true;
        }
        if let Some(next) = sizes_back(checkpoint, seen)
            .or_else(|| scale_in::copy(checkpoint, seen))
            .or_else(|| strays(checkpoint, seen))
        {
            return Some(next);
        }
        scale_in::is_awaited(checkpoint, false);
        // It may have gone by our hand after all.
        let old = end_old(checkpoint, seen, orders);
        return Some(old.unwrap_or_else(|| Next::Finish(kept(checkpoint, seen))));
    }
    if let Some(next) = end_ours(checkpoint, seen) {
        return Some(next);
    }
    if let Some(next) = sizes_back(checkpoint, seen) {
        return Some(next);
    }
    // Its group is gone, and it is out of it by our hand.
    let old = end_old(checkpoint, seen, orders);
    Some(old.unwrap_or_else(|| Next::Finish(end(checkpoint, seen, why))))
}

/// The group as it was.
fn sizes_back(checkpoint: &mut Checkpoint, seen: &Seen) -> Option<Next> {
    lower_desired(checkpoint, seen)
        .or_else(|| restore_max(checkpoint, seen))
        .or_else(|| balance::resume(checkpoint, seen))
}

/// Ends what runs, and what has ended and is a member still: for that one the group would end another when desired is lowered.
fn end_ours(checkpoint: &mut Checkpoint, seen: &Seen) -> Option<Next> {
    for id in seen.alive().map(|instance| &instance.id).chain(&seen.attached) {
        if checkpoint.left.instances.contains_key(id) {
            continue;
        }
        match seen.standing(id) {
            // What is in a warm pool the group alone can end (Auto Scaling API reference, TerminateInstanceInAutoScalingGroup).
            Some(Standing::Leaving | Standing::Warm) => {}
            Some(_) => {
                return Some(Next::TerminateMember {
                    instance: id.clone(),
                    decrement: takes_back(checkpoint, seen),
                });
            }
            None => return Some(Next::TerminateNew { instance: id.clone() }),
        }
    }
    None
}

fn kept(checkpoint: &Checkpoint, seen: &Seen) -> End {
    let new = checkpoint.launched.as_deref().unwrap_or("the replacement");
    End::new(
        result::SUCCEEDED,
        "old-left-first",
        format!(
            "{new} is in {} in place of {}, which left while the swap was being undone.{}{}{}",
            checkpoint.group,
            seen.old_id,
            checkpoint.node.map(Waited::sentence).unwrap_or_default(),
            scale_in::sentence(checkpoint),
            leftovers(checkpoint, &seen.old_id)
        ),
    )
}

fn end(checkpoint: &Checkpoint, seen: &Seen, why: &Undo) -> End {
    let undone = if !checkpoint.left.instances.is_empty() {
        // What runs on is told below.
        ""
    } else if checkpoint.launched.is_some() {
        " What was launched was ended."
    } else if checkpoint.refused.is_empty() {
        " Nothing was launched."
    } else {
        // Of a pool that was given up it is not known whether it gave an instance.
        " Nothing that was launched runs on."
    };
    let left = leftovers(checkpoint, &seen.old_id);
    let old = &seen.old_id;
    match why {
        // Nothing is amiss: it is tried again another time.
        Undo::Failed { reason, message } if checkpoint.back_to_spot && reason == NO_CAPACITY => End::skipped(
            again::NO_SPOT,
            format!("{message} {old} stays on demand.{undone}{left}"),
        ),
        Undo::Failed { reason, message } => {
            End::new(result::FAILED, reason, format!("{message}{undone}{left}"))
        }
        Undo::Cancelled => End::new(
            result::CANCELLED,
            "withdrawn",
            format!("The incident was withdrawn.{undone}{left}"),
        ),
        Undo::OldLeft => End::skipped(
            "old-left-first",
            format!(
                "{old} left {} before it could be replaced; the group replaces it itself.{undone}{left}",
                checkpoint.group
            ),
        ),
    }
}

fn tried(checkpoint: &Checkpoint) -> String {
    let last = checkpoint
        .refused
        .last()
        .map_or("none was offered", |refused| refused.why.as_str());
    format!(
        "None of {} pools gave a replacement; the last: {last}.",
        checkpoint.choices.len()
    )
}

fn leftovers(checkpoint: &Checkpoint, old: &str) -> String {
    let left = &checkpoint.left;
    let mut text = String::new();
    for (what, why) in [
        ("MaxSize", &left.max),
        ("Desired capacity", &left.desired),
        ("Suspended, the process AZRebalance", &left.rebalance),
    ] {
        if let Some(why) = why {
            text.push_str(&format!(" {what} was left: {why}."));
        }
    }
    if let Some(why) = &left.old {
        text.push_str(&format!(" {old} still runs: {why}."));
    }
    for (instance, why) in &left.instances {
        text.push_str(&format!(" {instance} may still run: {why}."));
    }
    text
}
