//! Which step is next.

use hollowtrees_schemas::names::result;
use jiff::{SignedDuration, Timestamp};

use super::{
    Checkpoint, Choice, Drain, End, Next, Orders, Seen, Strategy, TAG_CHOICE, Wait,
    checkpoint::Undo,
    choice::Claim,
    forward::{self, APPEARS_WITHIN},
    rebalance::left_to_group,
    scale_in,
    skip::skip,
    undo,
    world::{Life, Standing},
};

/// One thing to do, and what is saved before it is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// As it is from now on.
    pub checkpoint: Checkpoint,
    /// What is done.
    pub next: Next,
}

/// Says the one next thing to do. `claim` names the action and makes the launch's token.
#[must_use]
pub fn decide(
    checkpoint: &Checkpoint,
    seen: &Seen,
    orders: &Orders,
    claim: Claim<'_>,
    now: Timestamp,
) -> Decision {
    let mut checkpoint = checkpoint.clone();
    let next = if checkpoint.has_begun() {
        match checkpoint.strategy {
            Strategy::Swap => swap(&mut checkpoint, seen, orders, claim, now),
            Strategy::Detach => detach(&mut checkpoint, seen, orders),
            Strategy::Terminate | Strategy::None => terminate(&mut checkpoint, seen, orders),
        }
    } else {
        begin(seen, orders)
    };
    Decision { checkpoint, next }
}

fn begin(seen: &Seen, orders: &Orders) -> Next {
    if orders.cancelled {
        return Next::Finish(End::new(
            result::CANCELLED,
            "withdrawn",
            "The incident was withdrawn; nothing was touched.",
        ));
    }
    // Until the old one is out, the other swap can still be undone.
    if seen.other_swap && (seen.old_stays().is_some() || seen.replaced_by.is_none()) {
        if orders.give_up {
            return Next::Finish(End::new(
                result::FAILED,
                "deadline",
                "Another swap of the instance did not end in time.",
            ));
        }
        return Next::Wait(Wait::OtherSwap);
    }
    match skip(seen, orders) {
        Some(end) => Next::Finish(end),
        None if let Some(next) = left_to_group(seen, orders) => next,
        None if orders.give_up => Next::Finish(End::new(
            result::FAILED,
            "deadline",
            "Too little time was left to begin.",
        )),
        None => Next::Begin,
    }
}

fn swap(checkpoint: &mut Checkpoint, seen: &Seen, orders: &Orders, claim: Claim<'_>, now: Timestamp) -> Next {
    notice(checkpoint, seen, now);
    if !seen.books.stale {
        return on_its_way(checkpoint, seen, orders, claim, now);
    }
    // Sizes and members that are older than our own change of them decide nothing; only a launch does without them.
    let mut ahead = checkpoint.clone();
    match on_its_way(&mut ahead, seen, orders, claim, now) {
        launch @ Next::Launch(_) => {
            *checkpoint = ahead;
            launch
        }
        _ => Next::Wait(Wait::Shows),
    }
}

fn on_its_way(
    checkpoint: &mut Checkpoint,
    seen: &Seen,
    orders: &Orders,
    claim: Claim<'_>,
    now: Timestamp,
) -> Next {
    if checkpoint.undo.is_none() {
        checkpoint.undo = undo::why(checkpoint, seen, orders, now);
    }
    if checkpoint.undo.is_none() {
        let next = forward::step(checkpoint, seen, orders, now);
        // No pool may be left by now.
        checkpoint.undo = match next {
            Some(next) => return next,
            None => undo::why(checkpoint, seen, orders, now),
        };
    }
    let next = checkpoint
        .undo
        .clone()
        .and_then(|why| undo::step(checkpoint, seen, orders, &why, now));
    next.unwrap_or_else(|| launch(checkpoint, claim))
}

/// Takes over what the cloud shows of earlier steps, whoever did them.
fn notice(checkpoint: &mut Checkpoint, seen: &Seen, now: Timestamp) {
    answered(checkpoint, seen, now);
    scale_in::notice(checkpoint, seen);
    let Some(launched) = checkpoint.launched.clone() else {
        return;
    };
    match seen.standing(&launched) {
        Some(Standing::Joining | Standing::InService | Standing::Standby) => {
            if !checkpoint.attached {
                checkpoint.attached = true;
                checkpoint.attached_at = now.as_second();
            }
            // What was read before may have been old.
            checkpoint.lost = false;
            checkpoint.in_service |= seen.standing(&launched) == Some(Standing::InService);
        }
        // Gone from the group it was attached to, or on its way: never to be used again.
        Some(Standing::Leaving | Standing::Warm) => {
            checkpoint.attached = true;
            checkpoint.lost = true;
        }
        // The record may say that it was attached, by sizes that are no older than what it notes. What is read of the members may
        // be: it is lost only if EC2 says that it is gone, or if it does not show for long.
        None => {
            if seen.books.surplus > 0 && !seen.books.stale && !checkpoint.attached {
                checkpoint.attached = true;
                checkpoint.attached_at = now.as_second();
            }
            let gone = seen.ours(&launched).is_some_and(|found| found.life == Life::Gone);
            let age = SignedDuration::from_secs(now.as_second().saturating_sub(checkpoint.attached_at));
            checkpoint.lost |= checkpoint.attached && seen.group.is_some() && (gone || age > APPEARS_WITHIN);
        }
    }
    // Out of the group: by us, if we were about to and the record, or its running on, says that it happened.
    if checkpoint.attached && seen.group.is_some() && seen.old_stays().is_none() && !checkpoint.detached {
        let runs = seen.old.as_ref().is_some_and(|old| old.life != Life::Gone);
        let let_go = seen.books.surplus == 0 || runs && seen.standing(&seen.old_id).is_none();
        if checkpoint.detaching && let_go && !checkpoint.old_left {
            checkpoint.detached = true;
        } else {
            checkpoint.old_left = true;
        }
    }
    // A group goes with its members, or without any: if we were about to take it out, it is out.
    if seen.group.is_none() && checkpoint.detaching && !checkpoint.old_left {
        checkpoint.detached = true;
    }
}

/// An instance that carries the tags of the launch in doubt is its answer.
fn answered(checkpoint: &mut Checkpoint, seen: &Seen, now: Timestamp) {
    if !checkpoint.in_doubt || checkpoint.launched.is_some() {
        return;
    }
    let number = checkpoint.at.to_string();
    let answer = seen
        .alive()
        .find(|found| found.tags.get(TAG_CHOICE) == Some(&number));
    if let Some(instance) = answer {
        checkpoint.in_doubt = false;
        checkpoint.launched = Some(instance.id.clone());
        checkpoint.launched_at = now.as_second();
    }
}

/// The launch of the choice that is tried; from here on it is in doubt until it is answered.
fn launch(checkpoint: &mut Checkpoint, claim: Claim<'_>) -> Next {
    let call =
        |choice: &Choice| choice.launch(checkpoint.at, claim, checkpoint.spot.as_ref(), &checkpoint.tags);
    match checkpoint.choice().map(call) {
        Some(call) => {
            checkpoint.in_doubt = true;
            Next::Launch(Box::new(call))
        }
        // Not reached: who asks for a launch has looked at the choices.
        None => Next::Finish(End::new(result::FAILED, "no-capacity", "No pool is left to try.")),
    }
}

/// The old one is no member: it goes on costing unless an interruption ends it. `None`: nothing is to be done about it.
pub(super) fn end_old(checkpoint: &mut Checkpoint, seen: &Seen, orders: &Orders) -> Option<Next> {
    let life = seen.old.as_ref().map_or(Life::Gone, |old| old.life);
    let ends_anyway = orders.certainty == crate::words::Certainty::Certain && !orders.cancelled;
    let is_done = checkpoint.old_terminated || checkpoint.left.old.is_some();
    if life == Life::Gone || ends_anyway || is_done || !checkpoint.detached {
        return None;
    }
    // Its group may be ending it, and not only letting it go; then it does so in its own way.
    if seen.standing(&seen.old_id).is_some() {
        if !orders.drain_over {
            return Some(Next::Wait(Wait::Leaves));
        }
        checkpoint.left.old = Some("its group has not let it go yet".to_owned());
        return None;
    }
    match seen.drain {
        Drain::Pending { .. } if !orders.drain_over => Some(Next::Wait(Wait::Drain)),
        Drain::None | Drain::Pending { .. } | Drain::Later | Drain::NotEmptied if orders.cancelled => {
            checkpoint.left.old = Some(
                "the incident was withdrawn after it was detached, and it may have pods; end it when it has none"
                    .to_owned(),
            );
            None
        }
        // Who waits for us is not waited for.
        Drain::Later => {
            checkpoint.left.old =
                Some("it is drained after this, and a step after that may end it".to_owned());
            None
        }
        _ => Some(Next::TerminateOld),
    }
}

fn detach(checkpoint: &mut Checkpoint, seen: &Seen, orders: &Orders) -> Next {
    let old = &seen.old_id;
    match seen.old_stays().filter(|_| !checkpoint.detached) {
        Some(_) if let Some(end) = called_off(checkpoint, orders) => return Next::Finish(end),
        Some(Standing::Joining) => return Next::Wait(Wait::OldJoins),
        Some(_) => {
            checkpoint.detaching = true;
            return Next::Detach { decrement: false };
        }
        None => {
            let runs = seen.old.as_ref().is_some_and(|old| old.life != Life::Gone);
            checkpoint.detached |= checkpoint.detaching && runs && seen.standing(old).is_none();
            checkpoint.old_left = !checkpoint.detached;
        }
    }
    if let Some(next) = end_old(checkpoint, seen, orders) {
        return next;
    }
    let (reason, mut message) = if checkpoint.detached {
        (
            "",
            format!("{old} was detached; {} replaces it.", checkpoint.group),
        )
    } else {
        (
            "old-left-first",
            format!("{old} left {} by itself, which replaces it.", checkpoint.group),
        )
    };
    if let Some(why) = &checkpoint.left.old {
        message.push_str(&format!(" {old} still runs: {why}."));
    }
    Next::Finish(End::new(result::SUCCEEDED, reason, message))
}

fn terminate(checkpoint: &mut Checkpoint, seen: &Seen, orders: &Orders) -> Next {
    let (old, group) = (&seen.old_id, &checkpoint.group);
    if seen.old_stays().is_some() && !checkpoint.old_terminated {
        if let Some(end) = called_off(checkpoint, orders) {
            return Next::Finish(end);
        }
        // Its pods first, if somebody is at it.
        if matches!(seen.drain, Drain::Pending { .. }) && !orders.drain_over {
            return Next::Wait(Wait::Drain);
        }
        if seen.drain == Drain::Later && !orders.drain_over {
            return Next::Finish(End::new(
                result::FAILED,
                "drained-after",
                format!(
                    "The rule drains {old} in a step after this one, which would end it with its pods; have it drained before. \
                     Nothing was touched."
                ),
            ));
        }
        return Next::TerminateMember {
            instance: old.clone(),
            decrement: false,
        };
    }
    let message = format!("{old} is ended; {group} replaces it.");
    Next::Finish(End::new(result::SUCCEEDED, "", message))
}

/// The end of a way that has touched nothing yet.
fn called_off(checkpoint: &Checkpoint, orders: &Orders) -> Option<End> {
    match &checkpoint.undo {
        Some(Undo::Failed { reason, message }) => Some(End::new(result::FAILED, reason, message)),
        _ if orders.cancelled => Some(End::new(
            result::CANCELLED,
            "withdrawn",
            "The incident was withdrawn; nothing was touched.",
        )),
        _ if orders.give_up && checkpoint.strategy == Strategy::Detach => Some(End::new(
            result::FAILED,
            "deadline",
            "No time was left; nothing was touched.",
        )),
        _ => None,
    }
}
