//! How a notice joins the incident of its instance.

use jiff::Timestamp;

use super::Incident;
use super::fact::Fact;
use super::facts::{Added, Facts};
use crate::limits::PURGE_AFTER;
use crate::notice::{Notice, announces_arrival};
use crate::record::minus;
use crate::target;
use crate::words::{Certainty, IncidentState};

/// What a notice did to its incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The first generation began.
    Opened,
    /// A further generation began: the one before was cancelled or closed.
    Reopened,
    /// It joined.
    Changed {
        /// Runs have to hear of it: the deadline is another one now, or more is known of the instance.
        tell_runs: bool,
    },
    /// The last fact that stood was withdrawn.
    Cancelled,
    /// It is kept, and starts nothing: a withdrawal of what was not known, or
    /// a notice older than the end of an episode it belongs to.
    Recorded,
    /// Nothing new: a duplicate, or older than what is known.
    Unchanged,
}

impl Change {
    /// Whether rules are to be matched against the notice.
    #[must_use]
    pub const fn starts_runs(self) -> bool {
        matches!(self, Self::Opened | Self::Reopened | Self::Changed { .. })
    }
}

/// An incident with a notice merged in.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The incident to write, equal to the one read where nothing changed.
    pub incident: Incident,
    /// What happened.
    pub change: Change,
}

/// Merges a notice into the incident of its key. `now` is used for
/// `opened_at` and `closed_at` and to tell a late notice from news; which
/// facts count depends on the notices alone.
#[must_use]
pub fn merge(known: Option<&Incident>, notice: &Notice, now: Timestamp) -> Merged {
    let fact = Fact::of(notice);
    let Some(known) = known else {
        return first(notice, fact, now);
    };
    if known.facts.knows(&fact) {
        return told_again(known, notice);
    }
    match known.state {
        IncidentState::Open if known.facts.announce_arrival() != announces_arrival(&fact.kind) => {
            crossed(known, notice, fact, now)
        }
        IncidentState::Open => joined(known, notice, fact),
        IncidentState::Cancelled | IncidentState::Closed if fact.stands() && !late(known, &fact, now) => {
            next_generation(known, notice, fact, now)
        }
        IncidentState::Cancelled | IncidentState::Closed => recorded(known, fact),
    }
}

fn first(notice: &Notice, fact: Fact, now: Timestamp) -> Merged {
    let stands = fact.stands();
    let mut facts = Facts::default();
    facts.add(fact);
    let incident = Incident {
        key: notice.key.clone(),
        generation: u64::from(stands),
        state: if stands {
            IncidentState::Open
        } else {
            IncidentState::Closed
        },
        deadline: facts.deadline(),
        certainty: facts.certainty().unwrap_or(Certainty::Advisory),
        facts,
        opened_at: now,
        noticed_at: notice.noticed_at,
        last_noticed_at: notice.noticed_at,
        closed_at: (!stands).then_some(now),
        target: target::of_notice(&notice.message),
        runs: Vec::new(),
        changes: 1,
    };
    Merged {
        incident,
        change: if stands { Change::Opened } else { Change::Recorded },
    }
}

/// A further origin of the same word may know more of the instance: its node, its group.
fn told_again(known: &Incident, notice: &Notice) -> Merged {
    let mut incident = known.clone();
    let target = target::join(&incident.target, &target::of_notice(&notice.message));
    if incident.state != IncidentState::Open || target == incident.target {
        return Merged {
            incident,
            change: Change::Unchanged,
        };
    }
    incident.target = target;
    incident.changes = incident.changes.saturating_add(1);
    Merged {
        incident,
        change: Change::Changed { tell_runs: true },
    }
}

fn joined(known: &Incident, notice: &Notice, fact: Fact) -> Merged {
    let mut incident = known.clone();
    let added = incident.facts.add(fact);
    incident.noticed_at = incident.noticed_at.min(notice.noticed_at);
    incident.last_noticed_at = incident.last_noticed_at.max(notice.noticed_at);
    incident.target = target::join(&incident.target, &target::of_notice(&notice.message));
    incident.changes = incident.changes.saturating_add(1);
    let change = match incident.facts.certainty() {
        // All withdrawn: deadline and certainty stay as they were, for the record.
        None => {
            incident.state = IncidentState::Cancelled;
            Change::Cancelled
        }
        Some(certainty) => {
            incident.certainty = certainty;
            incident.deadline = incident.facts.deadline();
            Change::Changed {
                tell_runs: incident.deadline != known.deadline || incident.target != known.target,
            }
        }
    };
    let change = if added == Added::Known {
        Change::Unchanged
    } else {
        change
    };
    Merged { incident, change }
}

/// An instance that came goes: another episode, of which its coming is no part. That it came is no news of one that goes.
fn crossed(known: &Incident, notice: &Notice, fact: Fact, now: Timestamp) -> Merged {
    match (known.facts.announce_arrival(), fact.stands()) {
        (true, true) => next_generation(known, notice, fact, now),
        (true, false) => recorded(known, fact),
        (false, _) => Merged {
            incident: known.clone(),
            change: Change::Unchanged,
        },
    }
}

fn next_generation(known: &Incident, notice: &Notice, fact: Fact, now: Timestamp) -> Merged {
    let mut facts = known.facts.remembered(minus(now, PURGE_AFTER));
    facts.add(fact);
    let generation = known.generation.saturating_add(1);
    let incident = Incident {
        key: known.key.clone(),
        generation,
        state: IncidentState::Open,
        deadline: facts.deadline(),
        certainty: facts.certainty().unwrap_or(notice.certainty),
        facts,
        opened_at: now,
        noticed_at: notice.noticed_at,
        last_noticed_at: notice.noticed_at,
        closed_at: None,
        target: target::join(&known.target, &target::of_notice(&notice.message)),
        runs: Vec::new(),
        changes: known.changes.saturating_add(1),
    };
    Merged {
        incident,
        change: if generation == 1 {
            Change::Opened
        } else {
            Change::Reopened
        },
    }
}

fn recorded(known: &Incident, fact: Fact) -> Merged {
    let mut incident = known.clone();
    incident.last_noticed_at = incident.last_noticed_at.max(fact.noticed_at);
    incident.facts.add(fact);
    incident.changes = incident.changes.saturating_add(1);
    Merged {
        incident,
        change: Change::Recorded,
    }
}

/// Whether an active notice belongs to an episode that is over: the instance
/// went (facts still stand), it was seen before the end, and what it
/// announces has passed.
fn late(known: &Incident, fact: &Fact, now: Timestamp) -> bool {
    known.state == IncidentState::Closed
        && known.facts.standing().next().is_some()
        && known
            .closed_at
            .is_some_and(|closed_at| fact.noticed_at <= closed_at)
        && fact.deadline.is_none_or(|deadline| deadline <= now)
}
