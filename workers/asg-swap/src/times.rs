//! Until when what of a swap may go on.

use std::time::Duration;

use hollowtrees_runtime::worker::Job;
use jiff::{SignedDuration, Timestamp};

use crate::{config::LAST_WORDS, worker::Swapper};

/// Kept for the way back.
const RESERVE: SignedDuration = SignedDuration::from_secs(60);
/// Kept of the time before that for what comes after the wait for a node: room, attaching, being in service.
const JOINING: SignedDuration = SignedDuration::from_secs(120);
/// How long before the old one's end its replacement is attached, whether its node is ready or not: once the old one is
/// gone the group replaces it by itself.
const BEFORE_ITS_END: SignedDuration = SignedDuration::from_secs(15);

/// Until when what may go on.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// From here on it is undone.
    pub(crate) give_up: Timestamp,
    /// A node is waited for no longer.
    node: Timestamp,
    /// The old one's drain is waited for no longer.
    pub(crate) drain: Timestamp,
    /// The last word.
    pub(crate) end: Timestamp,
}

impl Times {
    /// We speak before the loop ends us.
    pub(crate) fn of(swapper: &Swapper, job: &Job) -> Self {
        let now = job.now();
        let settings = &swapper.settings;
        let later = |wait: Duration| {
            SignedDuration::try_from(wait)
                .ok()
                .and_then(|wait| now.checked_add(wait).ok())
                .unwrap_or(Timestamp::MAX)
        };
        let last = job.ends_by();
        let quarter = |until: Timestamp| until.duration_since(now).max(SignedDuration::ZERO) / 4;
        let words = SignedDuration::try_from(LAST_WORDS).unwrap_or_default();
        let end = last - words.min(quarter(last));
        let back = RESERVE.min(quarter(end));
        let give_up = (end - back).min(later(settings.time_limit));
        let joining = JOINING.min(give_up.duration_since(now).max(SignedDuration::ZERO) / 2);
        Self {
            give_up,
            node: give_up - joining,
            drain: end - SignedDuration::from_secs(10).min(quarter(end)),
            end,
        }
    }

    /// Whether what comes after the wait for a node needs the time that is left, with the old one's end, where it is
    /// known, at this deadline.
    pub(crate) fn node_is_over(&self, now: Timestamp, deadline: Option<Timestamp>) -> bool {
        let ends_soon = deadline.is_some_and(|deadline| deadline.duration_since(now) <= BEFORE_ITS_END);
        ends_soon || now >= self.node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_waited_for_while_there_is_time_for_what_comes_after() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let times = Times {
            give_up: at(900),
            node: at(780),
            drain: at(1_000),
            end: at(1_000),
        };
        let check = |now, deadline: Option<i64>, expected| {
            let over = times.node_is_over(at(now), deadline.map(at));
            assert_eq!(over, expected, "{now} of {deadline:?}");
        };
        check(779, None, false);
        check(780, None, true);
        // It is attached before the old one ends, also where that is past.
        check(100, Some(116), false);
        check(101, Some(116), true);
        check(500, Some(116), true);
        check(100, Some(5_000), false);
    }
}
