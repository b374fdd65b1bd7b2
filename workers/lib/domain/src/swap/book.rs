//! The record of a group in `ht_groups`: who may change its sizes now, what we changed, which swaps are open.
//!
//! AWS has no conditional update of sizes. So whoever changes them holds the lease, notes in the record what it is about
//! to write, writes, and notes that it has. After a crash between the two, the sizes themselves tell whether it happened.

use hollowtrees_schemas::{
    names::result,
    proto::{self, time},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Books, leftover,
    note::settle,
    world::{Group, Member, Sizes, Standing},
};

/// A lease is held this long at most, and renewed where it is needed longer.
pub const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// Ended swaps are kept this long.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// A swap that is open for longer may be one whose action has ended without a word.
const YOUNG: SignedDuration = SignedDuration::from_mins(1);
/// Swaps a record holds.
const SWAPS_MAX: usize = 256;

/// Why the record does not let a swap in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Another action's swap of the same instance is open: its cluster and id.
    Other {
        /// Cluster of that action.
        cluster: String,
        /// Its id.
        action: String,
    },
    /// There are too many open swaps.
    Full,
    /// As many are open as may be at once: this many.
    Enough(usize),
}

/// Enters a swap, once. Forgets what ended long ago.
///
/// # Errors
/// It is not its turn.
pub fn open(record: &mut proto::Group, swap: proto::GroupSwap, now: Timestamp) -> Result<(), Busy> {
    trim(record, now);
    if record
        .swaps
        .iter()
        .any(|found| found.action_id == swap.action_id && is_open(found))
    {
        return Ok(());
    }
    if let Some(other) = other(record, &swap.action_id, &swap.cluster, &swap.instance) {
        return Err(other);
    }
    // A redriven action begins anew.
    record.swaps.retain(|found| found.action_id != swap.action_id);
    if record.swaps.len() >= SWAPS_MAX {
        return Err(Busy::Full);
    }
    record.swaps.push(swap);
    Ok(())
}

/// Other actions' open swaps that are worth asking the ledger about: their cluster and action. Those of the same
/// instance at once, the others when they are not young.
#[must_use]
pub fn doubtful(
    record: &proto::Group,
    action: &str,
    cluster: &str,
    instance: &str,
    now: Timestamp,
) -> Vec<(String, String)> {
    let opened = |swap: &proto::GroupSwap| swap.opened_at.as_ref().and_then(|at| time::from_proto(at).ok());
    record
        .swaps
        .iter()
        .filter(|swap| is_open(swap) && swap.action_id != action)
        .filter(|swap| {
            let young = opened(swap).is_some_and(|at| now.duration_since(at) < YOUNG);
            !young || swap.instance == instance && swap.cluster == cluster
        })
        .map(|swap| (swap.cluster.clone(), swap.action_id.clone()))
        .collect()
}

/// Enters a swap, after the end of those whose actions (first) have these results (second). They end before ours can
/// begin, but our books stay open between: what they left of MaxSize is taken back by us. What holds a unit of desired stays open, for
/// a sweep ([`super::leftover`]): nobody else knows how much of desired is its.
///
/// # Errors
/// It is not its turn.
pub fn enter(
    record: &mut proto::Group,
    swap: proto::GroupSwap,
    ended: &[(String, String)],
    max_open: Option<u32>,
    now: Timestamp,
) -> Result<(), Busy> {
    for (action, result) in ended {
        let mut swaps = record.swaps.iter();
        if !swaps.any(|swap| swap.action_id == *action && leftover::may_hold_desired(swap)) {
            end(record, action, result, now);
        }
    }
    let others = others_open(record, &swap.action_id, ended);
    if !has_entered(record, &swap.action_id)
        && max_open.is_some_and(|most| usize::try_from(most).is_ok_and(|most| others >= most))
    {
        return Err(Busy::Enough(others));
    }
    open(record, swap, now)
}

/// Until when the group rests after its last swap that succeeded.
#[must_use]
pub fn rests_until(record: &proto::Group, cooldown: SignedDuration) -> Option<Timestamp> {
    record
        .swaps
        .iter()
        .filter(|swap| swap.result == result::SUCCEEDED)
        .filter_map(|swap| time::from_proto(swap.ended_at.as_ref()?).ok())
        .max()
        .and_then(|ended| ended.checked_add(cooldown).ok())
}

/// Whether an open swap is about this instance: it goes, or it came for one that goes.
#[must_use]
pub fn is_busy(record: &proto::Group, instance: &str) -> bool {
    let mut swaps = record.swaps.iter().filter(|swap| is_open(swap));
    swaps.any(|swap| swap.instance == instance || swap.replacement == instance)
}

/// Whether any swap is open.
#[must_use]
pub fn has_open(record: &proto::Group) -> bool {
    record.swaps.iter().any(is_open)
}

/// Whether this action's swap is open.
#[must_use]
pub fn has_entered(record: &proto::Group, action: &str) -> bool {
    let mut swaps = record.swaps.iter();
    swaps.any(|swap| swap.action_id == action && is_open(swap))
}

/// How many swaps of other actions are open, those apart whose actions (first) have ended.
#[must_use]
pub fn others_open(record: &proto::Group, action: &str, ended: &[(String, String)]) -> usize {
    let counts = |swap: &&proto::GroupSwap| {
        let has_ended = ended.iter().any(|(id, _)| *id == swap.action_id);
        is_open(swap) && swap.action_id != action && !has_ended
    };
    record.swaps.iter().filter(counts).count()
}

/// Another action's open swap of the same instance.
#[must_use]
pub fn other(record: &proto::Group, action: &str, cluster: &str, instance: &str) -> Option<Busy> {
    let found = record.swaps.iter().find(|found| {
        is_open(found) && found.instance == instance && found.cluster == cluster && found.action_id != action
    })?;
    Some(Busy::Other {
        cluster: found.cluster.clone(),
        action: found.action_id.clone(),
    })
}

/// Notes the end of a swap. With the last open one our books are closed: what MaxSize and desired are then is the
/// group's own affair.
pub fn close(record: &mut proto::Group, action: &str, result: &str, now: Timestamp) {
    end(record, action, result, now);
    // An earlier start of it may have died with the lease in its hands.
    record.lease.take_if(|lease| lease.action_id == action);
    if !has_open(record) {
        record.base_max = 0;
        record.written_max = 0;
        record.written_desired = None;
        record.pending = None;
    }
    trim(record, now);
}

fn end(record: &mut proto::Group, action: &str, result: &str, now: Timestamp) {
    for swap in record
        .swaps
        .iter_mut()
        .filter(|swap| swap.action_id == action && is_open(swap))
    {
        swap.result = result.to_owned();
        swap.ended_at = Some(time::to_proto(now));
        swap.room = 0;
        swap.surplus = 0;
        swap.attaching = 0;
    }
}

fn trim(record: &mut proto::Group, now: Timestamp) {
    let ended = |swap: &proto::GroupSwap| swap.ended_at.as_ref().and_then(|at| time::from_proto(at).ok());
    record
        .swaps
        .retain(|swap| is_open(swap) || ended(swap).is_some_and(|at| now.duration_since(at) < KEPT));
    while record.swaps.len() >= SWAPS_MAX
        && let Some(oldest) = record.swaps.iter().position(|swap| !is_open(swap))
    {
        record.swaps.remove(oldest);
    }
}

pub(super) fn is_open(swap: &proto::GroupSwap) -> bool {
    swap.result.is_empty()
}

/// Takes the lease. One of the same action is a dead start's of it; one of the same process is a task's that broke off,
/// for who asks holds the process's own lock.
///
/// # Errors
/// Somebody holds it, until then.
pub fn lease(
    record: &mut proto::Group,
    holder: &proto::Worker,
    action: &str,
    now: Timestamp,
) -> Result<(), Timestamp> {
    if let Some(lease) = &record.lease {
        let until = lease.until.as_ref().and_then(|at| time::from_proto(at).ok());
        let until = until
            .unwrap_or(Timestamp::MIN)
            .min(now.saturating_add(LEASE).unwrap_or(Timestamp::MAX));
        let held_by_us = lease.action_id == action
            || lease
                .holder
                .as_ref()
                .is_some_and(|held_by| held_by.process == holder.process);
        if until > now && !held_by_us {
            return Err(until);
        }
    }
    record.lease = Some(proto::GroupLease {
        holder: Some(holder.clone()),
        action_id: action.to_owned(),
        until: Some(time::to_proto(
            now.saturating_add(LEASE).unwrap_or(Timestamp::MAX),
        )),
    });
    Ok(())
}

/// Whether the lease is this action's.
#[must_use]
pub fn holds(record: &proto::Group, holder: &proto::Worker, action: &str) -> bool {
    record.lease.as_ref().is_some_and(|lease| {
        lease.action_id == action
            && lease
                .holder
                .as_ref()
                .is_some_and(|by| by.process == holder.process)
    })
}

/// What the record says about a swap.
#[must_use]
pub fn books(record: &proto::Group, action: &str, sizes: Sizes) -> Books {
    let open = || record.swaps.iter().filter(|swap| is_open(swap));
    Books {
        base_max: record.base_max,
        written_max: record.written_max,
        surplus: open()
            .filter(|swap| swap.action_id == action)
            .map(|swap| swap.surplus)
            .sum(),
        awaited_by_others: open()
            .filter(|swap| swap.action_id != action && awaits_attachment(swap))
            .map(|swap| swap.weight)
            .sum(),
        others_under_way: others_under_way(record, action),
        rebalance_suspended: record.rebalance_suspended,
        rebalance_resumed: false,
        rebalance_in_doubt: false,
        desired_is_ours: record.written_desired == Some(sizes.desired),
        stale: false,
    }
}

/// A member that the group launched itself and that is not in service yet, where there are as many members as desired
/// without it, and it weighs as much as this swap has to take back. None where the group may have launched it for another
/// member that is at risk.
#[must_use]
pub fn spare(record: &proto::Group, group: &Group, surplus: u32) -> Option<String> {
    let stays = |member: &&Member| matches!(member.standing, Standing::Joining | Standing::InService);
    let members = || group.members.iter().filter(stays);
    let count: u32 = members().map(|member| member.weight).sum();
    if surplus == 0 || count < group.sizes.desired || group.capacity_rebalance {
        return None;
    }
    let of_a_swap = |id: &str| record.swaps.iter().any(|swap| swap.replacement == id);
    members()
        .find(|member| {
            member.standing == Standing::Joining && member.weight == surplus && !of_a_swap(&member.instance)
        })
        .map(|member| member.instance.clone())
}

/// The member that this action's swap attached, by the record. It may have ended since, before anybody saw that it had joined.
#[must_use]
pub fn attached(record: &proto::Group, action: &str, group: &Group) -> Option<String> {
    let swap = record.swaps.iter().find(|swap| swap.action_id == action)?;
    let mut members = group.members.iter();
    let member = members.find(|member| member.instance == swap.replacement)?;
    (member.standing != Standing::Leaving).then(|| member.instance.clone())
}

/// It has launched, or is about to launch, what is not attached yet.
pub(super) fn awaits_attachment(swap: &proto::GroupSwap) -> bool {
    is_open(swap) && (swap.replacement.is_empty() || swap.attaching > 0)
}

/// Units of desired that swaps have added and not taken back.
#[must_use]
pub fn added(record: &proto::Group) -> u32 {
    record.swaps.iter().map(|swap| swap.surplus).sum()
}

/// Whether nobody but this action is there to put back what swaps have changed of MaxSize, or AZRebalance, by a look at the group.
#[must_use]
pub fn is_last_to_put_back(record: &proto::Group, action: &str, group: &Group, now: Timestamp) -> bool {
    let mut settled = record.clone();
    settle(&mut settled, group, now);
    (settled.written_max != 0 || settled.rebalance_suspended) && !others_under_way(&settled, action)
}

/// Whether other swaps are open that need room in MaxSize, or have raised desired.
#[must_use]
pub fn others_under_way(record: &proto::Group, action: &str) -> bool {
    record
        .swaps
        .iter()
        .filter(|swap| is_open(swap) && swap.action_id != action)
        .any(|swap| swap.room > 0 || swap.surplus > 0 || swap.weight > 0 && awaits_attachment(swap))
}
