//! The process `AZRebalance`, which ends instances where a group's zones are uneven.
//!
//! A replacement in another zone makes them so, and for a moment there is one instance more than the group wants. What
//! evens them out in that moment may end just the one that was launched. So the process is suspended before such a
//! replacement is attached, and resumed once the old ones are out: by the last swap of the group that is under way, and
//! where none is left by a sweep. No other process is ever touched, and this one not where somebody else has suspended it.

use std::collections::BTreeMap;

use super::{
    Checkpoint, Next, Seen, Wait,
    world::{Group, Standing},
};

/// Its name (Auto Scaling user guide, "types of processes").
pub const REBALANCE: &str = "AZRebalance";

/// A difference that the process evens out: one is as even as it can be.
const UNEVEN: usize = 2;

/// Suspends it, if attaching what was launched makes zones uneven.
pub(super) fn suspend(checkpoint: &Checkpoint, seen: &Seen, launched: &str) -> Option<Next> {
    let group = seen.group.as_ref()?;
    let shows = is_suspended(group) && !seen.books.rebalance_resumed;
    let done = shows
        || match checkpoint.suspended.as_deref() {
            // Not if another swap has resumed it since.
            Some("") => seen.books.rebalance_suspended,
            refused => refused.is_some(),
        };
    let new = &seen.ours(launched)?.zone;
    let others = usize::try_from(seen.books.awaited_by_others).unwrap_or(usize::MAX);
    (!done && unbalances(group, &checkpoint.old.zone, new, others)).then_some(Next::SuspendRebalance)
}

/// Resumes it, if a swap suspended it and none needs that any more. Not before a call that suspends it, and that was not answered,
/// has had its time: it would stay suspended.
pub(super) fn resume(checkpoint: &Checkpoint, seen: &Seen) -> Option<Next> {
    let ours = seen.books.rebalance_suspended && !seen.books.others_under_way;
    let next = if seen.books.rebalance_in_doubt {
        Next::Wait(Wait::Shows)
    } else {
        Next::ResumeRebalance
    };
    (ours && seen.group.is_some() && checkpoint.left.rebalance.is_none()).then_some(next)
}

/// Whether the process is suspended, by whomever.
#[must_use]
pub fn is_suspended(group: &Group) -> bool {
    group.suspended.iter().any(|process| process == REBALANCE)
}

/// Whether zones differ more, and by more than one, with the new one, or once the old one is out. What other swaps are about
/// to attach is not known by zone: it may all be in this one.
fn unbalances(group: &Group, old: &str, new: &str, others: usize) -> bool {
    let mut counts: BTreeMap<&str, usize> = group
        .subnets
        .iter()
        .map(|subnet| (subnet.zone.as_str(), 0))
        .collect();
    if counts.len() < 2 {
        return false;
    }
    for member in &group.members {
        if !matches!(member.standing, Standing::Leaving | Standing::Warm)
            && let Some(count) = counts.get_mut(member.zone.as_str())
        {
            *count += 1;
        }
    }
    let before = difference(&counts);
    let differ = |counts: &BTreeMap<&str, usize>| {
        let after = difference(counts);
        after >= UNEVEN && after > before
    };
    if let Some(count) = counts.get_mut(new) {
        *count = count.saturating_add(1).saturating_add(others);
    }
    let joined = differ(&counts);
    if let Some(count) = counts.get_mut(old) {
        *count = count.saturating_sub(1);
    }
    joined || differ(&counts)
}

fn difference(counts: &BTreeMap<&str, usize>) -> usize {
    let most = counts.values().max().copied().unwrap_or_default();
    most - counts.values().min().copied().unwrap_or_default()
}
