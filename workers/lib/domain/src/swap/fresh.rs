//! Whether what is read of a group may be older than our own last change of it.
//!
//! Auto Scaling is eventually consistent. A size that is not as we just wrote it is rather an older one than somebody
//! else's; after a while it is somebody else's.

use hollowtrees_schemas::proto::{self, time};
use jiff::{SignedDuration, Timestamp};

use super::{
    Books,
    book::books,
    note::{all_joined, is_about, settle},
    world::{Group, Sizes, Standing},
};

/// What was written shows within this. AWS names no bound; this one is ours.
pub const SHOWS_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// What the record says about a swap in the light of the group, which was read before it.
#[must_use]
pub fn read(record: &proto::Group, action: &str, group: &Group, now: Timestamp) -> Books {
    let mut settled = record.clone();
    let shows = settle(&mut settled, group, now);
    Books {
        stale: is_in_doubt(record, action, now) && (!shows || is_ambiguous(record, group, now))
            || is_older(&settled, group.sizes, now)
            || shows_who_left(record, action, group, now),
        rebalance_resumed: is_recent(record.rebalance_resumed_at.as_ref(), now),
        rebalance_in_doubt: record
            .rebalance_asked
            .as_ref()
            .is_some_and(|asked| is_recent(asked.at.as_ref(), now)),
        ..books(&settled, action, group.sizes)
    }
}

/// Whether the write that was noted may still show.
fn is_in_doubt(record: &proto::Group, action: &str, now: Timestamp) -> bool {
    record.pending.as_ref().is_some_and(|pending| {
        // Whoever rides along looks again once it is answered, or has taken over from who did.
        is_recent(pending.at.as_ref(), now)
            && (is_made(record, &pending.action_id, action) || is_about(pending, action))
    })
}

/// Whether what this holder noted was asked for. Not while it is about it, under its lease, where that is another swap.
fn is_made(record: &proto::Group, holder: &str, action: &str) -> bool {
    let lease = record.lease.as_ref();
    holder == action || lease.is_none_or(|lease| lease.action_id != holder)
}

/// Whether a member that was taken out a moment ago stands where it was: where no size was changed nothing else tells.
fn shows_who_left(record: &proto::Group, action: &str, group: &Group, now: Timestamp) -> bool {
    let stands = |id: &String| {
        let mut members = group.members.iter();
        members.any(|member| member.instance == *id && member.standing != Standing::Leaving)
    };
    record.latest_exit.as_ref().is_some_and(|exit| {
        is_recent(exit.at.as_ref(), now)
            && is_made(record, &exit.action_id, action)
            && exit.instances.iter().any(stands)
    })
}

/// Whether what was noted may show only since it is as before our last change but this one.
fn is_ambiguous(record: &proto::Group, group: &Group, now: Timestamp) -> bool {
    let is_fresh = |latest: &Option<proto::GroupSize>| {
        let at = latest.as_ref().and_then(|latest| latest.at.as_ref());
        is_recent(at, now)
    };
    record.pending.as_ref().is_some_and(|pending| {
        !all_joined(record, pending, group)
            && (pending.max.is_some() && is_fresh(&record.latest_max)
                || pending.desired.is_some() && is_fresh(&record.latest_desired))
    })
}

/// Whether a size is not as our change of it left it a moment ago: then it is rather an older one than somebody else's.
fn is_older(record: &proto::Group, shown: Sizes, now: Timestamp) -> bool {
    [
        (&record.latest_max, shown.max),
        (&record.latest_desired, shown.desired),
    ]
    .into_iter()
    .filter_map(|(latest, shown)| Some((latest.as_ref()?, shown)))
    .any(|(latest, shown)| latest.size != shown && is_recent(latest.at.as_ref(), now))
}

pub(super) fn is_recent(at: Option<&pbjson_types::Timestamp>, now: Timestamp) -> bool {
    let at = at.and_then(|at| time::from_proto(at).ok());
    at.is_some_and(|at| now.duration_since(at) < SHOWS_WITHIN)
}
