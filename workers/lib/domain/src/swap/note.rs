//! What is noted in the record of a group of a write of its sizes: before it, after it, and by who comes after a crash
//! between the two.

use hollowtrees_schemas::proto::{self, time};
use jiff::Timestamp;

use super::{
    book::{awaits_attachment, is_open},
    fresh::is_recent,
    joint::{Joint, Write},
    world::{Group, Sizes},
};

/// Notes what is about to be written, by the action that holds the lease. Where somebody else changed a size since, our
/// books of it begin anew: what is theirs is not ours to take back.
pub fn plan(record: &mut proto::Group, holder: &str, joint: &Joint, sizes: Sizes, now: Timestamp) {
    let lowered = |decrement: bool| decrement.then(|| sizes.desired.saturating_sub(joint.weight()));
    let (max, desired) = match &joint.write {
        Write::SetMax { to } => (Some(*to), None),
        Write::Attach { .. } => (None, Some(sizes.desired.saturating_add(joint.weight()))),
        Write::Detach { decrement, .. } | Write::TerminateMember { decrement, .. } => {
            (None, lowered(*decrement))
        }
        Write::SetDesired { to } => (None, Some(*to)),
        Write::Rebalance { .. } | Write::Protect { .. } => (None, None),
    };
    if joint.write == (Write::Rebalance { suspend: true }) {
        // Noted before, and whether it happened or not it is resumed.
        record.rebalance_suspended = true;
        ask_for_rebalance(record, now);
    }
    if joint.write == (Write::Rebalance { suspend: false }) {
        // Whether it happened or not, nobody counts on its being suspended.
        record.rebalance_resumed_at = Some(time::to_proto(now));
    }
    let out = joint.write.takes_out();
    if !out.is_empty() {
        record.latest_exit = Some(proto::GroupExit {
            action_id: holder.to_owned(),
            instances: out.to_vec(),
            at: Some(time::to_proto(now)),
        });
    }
    if desired.is_some() && record.written_desired != Some(sizes.desired) {
        record.swaps.iter_mut().for_each(|swap| swap.surplus = 0);
        record.written_desired = Some(sizes.desired);
    }
    let attaches = matches!(joint.write, Write::Attach { .. });
    let raises = max.is_some_and(|to| to > sizes.max);
    if raises || joint.write == (Write::Rebalance { suspend: true }) {
        // Who prepares to attach has what is to be attached before it, also where an earlier one of it came to nothing.
        for swap in record
            .swaps
            .iter_mut()
            .filter(|swap| joint.is_of(&swap.action_id))
        {
            if swap.surplus == 0 && swap.attaching == 0 {
                swap.replacement.clear();
            }
        }
    }
    if raises {
        if record.written_max != sizes.max {
            record.base_max = sizes.max;
            record.written_max = sizes.max;
        }
        // It is made for all that are about to need it.
        for swap in record.swaps.iter_mut().filter(|swap| awaits_attachment(swap)) {
            swap.room = joint.weight_of(&swap.action_id).unwrap_or(swap.weight);
        }
    }
    for share in &joint.shares {
        for swap in record
            .swaps
            .iter_mut()
            .filter(|swap| attaches && swap.action_id == share.action)
        {
            swap.replacement.clone_from(&share.instance);
            swap.attaching = share.weight;
        }
    }
    // A step that changes no size shows in the members and processes alone.
    record.pending = (max.is_some() || desired.is_some()).then(|| proto::GroupWrite {
        action_id: holder.to_owned(),
        max,
        desired,
        surplus: if attaches { joint.weight() } else { 0 },
        at: Some(time::to_proto(now)),
        actions: joint.shares.iter().map(|share| share.action.clone()).collect(),
    });
}

/// Whether what was noted is this action's.
fn is_noted(record: &proto::Group, action: &str) -> bool {
    record
        .pending
        .as_ref()
        .is_some_and(|pending| pending.action_id == action)
}

/// Notes that the step that was noted happened.
pub(super) fn wrote(record: &mut proto::Group, now: Timestamp) {
    let Some(pending) = record.pending.take() else {
        return;
    };
    if let Some(max) = pending.max {
        record.written_max = max;
        record.latest_max = Some(latest(max, now));
        if record.written_max <= record.base_max {
            record.base_max = 0;
            record.written_max = 0;
        }
    }
    let Some(desired) = pending.desired else {
        return;
    };
    record.written_desired = Some(desired);
    record.latest_desired = Some(latest(desired, now));
    let attaches = is_attachment(&pending);
    for swap in record
        .swaps
        .iter_mut()
        .filter(|swap| is_about(&pending, &swap.action_id))
    {
        swap.surplus = if attaches { swap.attaching } else { 0 };
        swap.room = 0;
        swap.attaching = 0;
    }
}

/// Notes that this call, of this holder of the lease, was answered: it happened.
pub fn done(record: &mut proto::Group, holder: &str, joint: &Joint, now: Timestamp) {
    if is_noted(record, holder) {
        wrote(record, now);
    }
    match joint.write {
        Write::Detach { decrement: false, .. } | Write::TerminateMember { decrement: false, .. } => {
            for swap in record
                .swaps
                .iter_mut()
                .filter(|swap| joint.is_of(&swap.action_id))
            {
                swap.surplus = 0;
            }
        }
        Write::Rebalance { suspend: false } => resumed(record, now),
        Write::Rebalance { suspend: true } => was_answered(record),
        _ => {}
    }
}

/// Notes that a call was refused, which this action had noted. An earlier one of it may still show: that of an attachment in the
/// members. `false`: there is nothing to note.
pub fn was_refused(record: &mut proto::Group, holder: &str, write: &Write) -> bool {
    let pending = record.pending.take_if(|pending| pending.action_id == holder);
    let takes_out = !write.takes_out().is_empty();
    let exit = record
        .latest_exit
        .take_if(|exit| takes_out && exit.action_id == holder);
    pending.is_some() || exit.is_some()
}

/// Notes that AZRebalance was refused to be suspended: what shows it so is somebody else's.
pub fn unsuspended(record: &mut proto::Group) {
    record.rebalance_suspended = false;
    was_answered(record);
}

/// The call of another process, which may take effect yet, is not forgotten over ours.
fn ask_for_rebalance(record: &mut proto::Group, now: Timestamp) {
    let at = Some(time::to_proto(now));
    let process = holder(record).to_owned();
    match &mut record.rebalance_asked {
        Some(asked) if asked.process != process && is_recent(asked.at.as_ref(), now) => asked.at = at,
        asked => *asked = Some(proto::GroupAsked { process, at }),
    }
}

fn was_answered(record: &mut proto::Group) {
    let process = holder(record).to_owned();
    record.rebalance_asked.take_if(|asked| asked.process == process);
}

/// The process that holds the lease.
fn holder(record: &proto::Group) -> &str {
    let lease = record.lease.as_ref().and_then(|lease| lease.holder.as_ref());
    lease.map_or("", |holder| &holder.process)
}

/// Notes that AZRebalance was resumed.
pub fn resumed(record: &mut proto::Group, now: Timestamp) {
    record.rebalance_suspended = false;
    record.rebalance_resumed_at = Some(time::to_proto(now));
}

/// Settles from the group whether the write that was noted happened, and attachments of which that was not known.
/// `false`: what was noted does not show.
pub fn settle(record: &mut proto::Group, group: &Group, now: Timestamp) -> bool {
    let was_noted = record.pending.is_some();
    let pending = record.pending.take();
    let its_own = |action: &str| {
        pending
            .as_ref()
            .is_some_and(|write| is_attachment_of(write, action))
    };
    // A replacement that is a member was attached, whatever was answered: desired has been raised by it.
    let joined = |swap: &&proto::GroupSwap| is_attaching(swap) && group.has(&swap.replacement);
    let added_by_others: u32 = record
        .swaps
        .iter()
        .filter(joined)
        .filter(|swap| !its_own(&swap.action_id))
        .map(|swap| swap.attaching)
        .sum();
    let shown = group.sizes;
    let shows = pending.as_ref().is_some_and(|write| {
        let max_shows = write.max.is_none_or(|max| max == shown.max);
        let desired_shows = write
            .desired
            .is_none_or(|desired| desired + added_by_others == shown.desired);
        max_shows && desired_shows || all_joined(record, write, group)
    });
    let mut added = 0;
    for swap in record
        .swaps
        .iter_mut()
        .filter(|swap| is_attaching(swap) && group.has(&swap.replacement))
        // What was noted is taken over whole, below.
        .filter(|swap| !shows || !its_own(&swap.action_id))
    {
        added += swap.attaching;
        swap.surplus = std::mem::take(&mut swap.attaching);
        swap.room = 0;
    }
    record.pending = pending.filter(|_| shows);
    let noted_at = record.pending.as_ref().and_then(|pending| pending.at);
    wrote(
        record,
        noted_at.and_then(|at| time::from_proto(&at).ok()).unwrap_or(now),
    );
    // It still is as our changes left it if these are all that it is more.
    let left = record.written_desired.map(|left| left + added);
    if added > 0 && left == Some(shown.desired) {
        record.written_desired = left;
        record.latest_desired = Some(latest(shown.desired, now));
    }
    shows || !was_noted
}

/// Whether the write is about this action's swap.
pub(super) fn is_about(write: &proto::GroupWrite, action: &str) -> bool {
    if write.actions.is_empty() {
        write.action_id == action
    } else {
        write.actions.iter().any(|one| one == action)
    }
}

fn is_attachment(write: &proto::GroupWrite) -> bool {
    write.desired.is_some() && write.surplus != 0
}

fn is_attachment_of(write: &proto::GroupWrite, action: &str) -> bool {
    is_attachment(write) && is_about(write, action)
}

fn is_attaching(swap: &proto::GroupSwap) -> bool {
    is_open(swap) && swap.attaching > 0
}

/// Whether everything that the write attaches is a member. Not if a swap of it has ended: what joined then may have done so
/// by an earlier call.
pub(super) fn all_joined(record: &proto::Group, write: &proto::GroupWrite, group: &Group) -> bool {
    let joined = record
        .swaps
        .iter()
        .filter(|swap| is_attaching(swap) && is_attachment_of(write, &swap.action_id))
        .filter(|swap| group.has(&swap.replacement));
    joined.count() == write.actions.len().max(1)
}

fn latest(size: u32, now: Timestamp) -> proto::GroupSize {
    proto::GroupSize {
        size,
        at: Some(time::to_proto(now)),
    }
}
