//! Whether what is read of a group may be older than our own last change of it.
//!
//! Auto Scaling is eventually consistent. A size that is not as we just wrote it is rather an older one than somebody
//! else's; after a while it is somebody else's.

use hollowtrees_schemas::proto::{self, time};
use jiff::{SignedDuration, Timestamp};

use super::{
    Books,
    book::books,
    note::{all_joined, settle},
    world::{Group, Sizes},
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
            || is_older(&settled, group.sizes, now),
        rebalance_resumed: is_recent(record.rebalance_resumed_at.as_ref(), now),
        ..books(&settled, action, group.sizes)
    }
}

/// Whether the write that was noted may still show. Not while another swap is about it, under its lease.
fn is_in_doubt(record: &proto::Group, action: &str, now: Timestamp) -> bool {
    record.pending.as_ref().is_some_and(|pending| {
        let lease = record.lease.as_ref();
        let is_under_way = lease.is_some_and(|lease| lease.action_id == pending.action_id);
        is_recent(pending.at.as_ref(), now) && (pending.action_id == action || !is_under_way)
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
            && (pending.max != 0 && is_fresh(&record.latest_max)
                || pending.desired != 0 && is_fresh(&record.latest_desired))
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

fn is_recent(at: Option<&pbjson_types::Timestamp>, now: Timestamp) -> bool {
    let at = at.and_then(|at| time::from_proto(at).ok());
    at.is_some_and(|at| now.duration_since(at) < SHOWS_WITHIN)
}
