//! One episode of one instance, joined from all its notices.
//!
//! An incident of mode `test` or `dry-run` is a record of its own (the mode is
//! part of [`IncidentKey`]): a test never joins or withdraws a live incident.

mod fact;
mod facts;
mod merge;
mod record;

use hollowtrees_schemas::id::IncidentKey;
use hollowtrees_schemas::proto;
use jiff::Timestamp;

pub use fact::{Fact, FactState};
pub use facts::{Added, Facts};
pub use merge::{Change, Merged, merge};

use crate::limits::{CLOSE_INCIDENT_AFTER_DEADLINE, CLOSE_INCIDENT_WITHOUT_DEADLINE, PURGE_AFTER};
use crate::record::plus;
use crate::words::{Certainty, IncidentState};

/// A run of an incident: which rule, at which certainty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunRef {
    /// Name of the rule.
    pub rule: String,
    /// The incident's certainty when the run was planned.
    pub certainty: Certainty,
}

/// The record of an instance: its newest generation, and what is remembered of
/// the ones before.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Cluster, instance and mode.
    pub key: IncidentKey,
    /// 1 is the first; 0 until something active was heard.
    pub generation: u64,
    /// Where it is.
    pub state: IncidentState,
    /// What is known.
    pub facts: Facts,
    /// When its first notice was merged.
    pub opened_at: Timestamp,
    /// The earliest `noticed_at` of its notices.
    pub noticed_at: Timestamp,
    /// The latest one.
    pub last_noticed_at: Timestamp,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
    /// The earliest over the facts that stand.
    pub deadline: Option<Timestamp>,
    /// The highest over the facts that stand.
    pub certainty: Certainty,
    /// What is known of the instance.
    pub target: proto::Target,
    /// Runs of this generation.
    pub runs: Vec<RunRef>,
    /// Changes so far, over all generations: the sequence of its events.
    pub changes: u64,
}

impl Incident {
    /// Whether nothing of this generation stands any more.
    #[must_use]
    pub fn withdrawn(&self) -> bool {
        self.facts.standing().next().is_none()
    }

    /// The run that already serves a rule: one at the present certainty or a
    /// higher one. It is why a rule that matches starts nothing.
    #[must_use]
    pub fn serving_run(&self, rule: &str) -> Option<&RunRef> {
        self.runs
            .iter()
            .find(|run| run.rule == rule && run.certainty >= self.certainty)
    }

    /// The run a matching rule is to have, unless one serves it. A rule whose
    /// notice was advice gets a second run when the incident becomes certain
    /// and a notice matches it again.
    #[must_use]
    pub fn wanted_run(&self, rule: &str) -> Option<RunRef> {
        let wanted = self.state == IncidentState::Open && self.serving_run(rule).is_none();
        wanted.then(|| RunRef {
            rule: rule.to_owned(),
            certainty: self.certainty,
        })
    }

    /// When it closes if its runs have ended by then; see [`Times::closes_at`].
    #[must_use]
    pub fn closes_at(&self) -> Option<Timestamp> {
        self.times().closes_at()
    }

    /// The closed record, where it is time. The caller has seen every run of
    /// this generation finished.
    #[must_use]
    pub fn close(&self, now: Timestamp) -> Option<Self> {
        if self.closes_at()? > now {
            return None;
        }
        Some(Self {
            state: IncidentState::Closed,
            closed_at: Some(now),
            changes: self.changes.saturating_add(1),
            ..self.clone()
        })
    }

    /// When the record may be deleted; see [`Times::purge_at`].
    #[must_use]
    pub fn purge_at(&self) -> Option<Timestamp> {
        self.times().purge_at()
    }

    fn times(&self) -> Times {
        Times {
            state: self.state,
            deadline: self.deadline,
            last_noticed_at: self.last_noticed_at,
            closed_at: self.closed_at,
        }
    }
}

/// What of an incident says when it is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Where it is.
    pub state: IncidentState,
    /// The earliest over the facts that stand.
    pub deadline: Option<Timestamp>,
    /// The latest `noticed_at` of its notices.
    pub last_noticed_at: Timestamp,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
}

impl Times {
    /// When the incident closes if its runs have ended by then; none once closed.
    /// A withdrawn one closes as soon as they have.
    #[must_use]
    pub fn closes_at(&self) -> Option<Timestamp> {
        match self.state {
            IncidentState::Open => Some(match self.deadline {
                Some(deadline) => plus(deadline, CLOSE_INCIDENT_AFTER_DEADLINE),
                None => plus(self.last_noticed_at, CLOSE_INCIDENT_WITHOUT_DEADLINE),
            }),
            IncidentState::Cancelled => Some(self.last_noticed_at),
            IncidentState::Closed => None,
        }
    }

    /// When the record may be deleted; none while the incident is not closed.
    #[must_use]
    pub fn purge_at(&self) -> Option<Timestamp> {
        self.closed_at.map(|closed_at| plus(closed_at, PURGE_AFTER))
    }
}

#[cfg(test)]
mod tests;
