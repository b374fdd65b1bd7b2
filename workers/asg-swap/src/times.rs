//! Until when what of a swap may go on.

use std::time::Duration;

use hollowtrees_runtime::worker::Job;
use jiff::{SignedDuration, Timestamp};

use crate::{config::LAST_WORDS, worker::Swapper};

/// Kept for the way back.
const RESERVE: SignedDuration = SignedDuration::from_secs(60);

/// Until when what may go on.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// From here on it is undone.
    pub(crate) give_up: Timestamp,
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
        Self {
            give_up: (end - back).min(later(settings.time_limit)),
            drain: end - SignedDuration::from_secs(10).min(quarter(end)),
            end,
        }
    }
}
