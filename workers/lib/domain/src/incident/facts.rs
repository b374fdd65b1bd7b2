//! The facts of an incident as a set that only ever grows in knowledge.

use hollowtrees_schemas::id::NoticeId;
use jiff::Timestamp;

use super::fact::{Fact, FactState};
use crate::limits::FACTS_MAX;
use crate::notice::announces_arrival;
use crate::words::Certainty;

/// What adding a fact did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is there now.
    New,
    /// It was there, or a newer one about the same thing is.
    Known,
    /// There is no room for it: counted only. A repetition counts again.
    Dropped,
}

/// At most [`FACTS_MAX`] facts, none of which outweighs another; further ones
/// are counted. Merging is commutative, associative and idempotent as long as
/// none had to be dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    list: Vec<Fact>,
    dropped: u32,
}

impl Facts {
    pub(super) fn restore(list: Vec<Fact>, dropped: u32) -> Self {
        Self { list, dropped }
    }

    /// Every fact kept, same things together, oldest first.
    pub fn iter(&self) -> std::slice::Iter<'_, Fact> {
        self.list.iter()
    }

    /// How many there was no room for.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Those that stand.
    pub fn standing(&self) -> impl Iterator<Item = &Fact> {
        self.list.iter().filter(|fact| fact.stands())
    }

    /// Whether all that stands says that the instance comes, and not that it goes.
    #[must_use]
    pub fn announce_arrival(&self) -> bool {
        let mut standing = self.standing().peekable();
        standing.peek().is_some() && standing.all(|fact| announces_arrival(&fact.kind))
    }

    /// The earliest deadline of those that stand.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.standing().filter_map(|fact| fact.deadline).min()
    }

    /// The highest certainty of those that stand; none if none does.
    #[must_use]
    pub fn certainty(&self) -> Option<Certainty> {
        self.standing().map(|fact| fact.certainty).max()
    }

    /// Whether adding it would change nothing.
    #[must_use]
    pub fn knows(&self, fact: &Fact) -> bool {
        self.has(&fact.notice_id) || self.list.iter().any(|known| known.outweighs(fact))
    }

    /// Whether this very notice is among them.
    #[must_use]
    pub fn has(&self, notice: &NoticeId) -> bool {
        self.list.iter().any(|known| known.notice_id == *notice)
    }

    /// Adds a fact. Known by its notice id, the same twice is once.
    pub fn add(&mut self, fact: Fact) -> Added {
        if self.knows(&fact) {
            return Added::Known;
        }
        self.list.retain(|known| !fact.outweighs(known));
        let id = fact.notice_id.clone();
        self.list.push(fact);
        self.list.sort_by(Fact::cmp_place);
        if self.list.len() <= FACTS_MAX {
            return Added::New;
        }
        self.dropped = self.dropped.saturating_add(1);
        let least = self
            .list
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| a.cmp_importance(b))
            .map(|(at, _)| at);
        match least.map(|at| self.list.remove(at)) {
            Some(gone) if gone.notice_id == id => Added::Dropped,
            _ => Added::New,
        }
    }

    /// Joins two sets.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.dropped = self.dropped.saturating_add(other.dropped);
        for fact in other.list {
            self.add(fact);
        }
        self
    }

    /// What the next generation remembers: none stands, none is lost but
    /// those seen before `forget_before`.
    #[must_use]
    pub fn remembered(&self, forget_before: Timestamp) -> Self {
        let list = self
            .list
            .iter()
            .filter(|fact| fact.noticed_at >= forget_before)
            .map(|fact| match fact.state {
                FactState::Active => Fact {
                    state: FactState::Past,
                    ..fact.clone()
                },
                FactState::Cancelled | FactState::Resolved | FactState::Past => fact.clone(),
            })
            .collect();
        Self { list, dropped: 0 }
    }
}
