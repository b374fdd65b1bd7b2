//! One fact of an incident, and which of two facts about the same thing counts.

use std::cmp::{Ordering, Reverse};

use hollowtrees_schemas::id::NoticeId;
use hollowtrees_schemas::proto;
use jiff::Timestamp;

use crate::notice::Notice;
use crate::record::{RecordError, required_time, time, word};
use crate::words::{Certainty, NoticeState, UnknownWord};
use hollowtrees_schemas::proto::time::to_proto;

/// What a fact says now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FactState {
    /// It stands.
    Active,
    /// The provider took it back.
    Cancelled,
    /// The alert no longer fires.
    Resolved,
    /// An earlier generation had it; it is kept to tell its duplicates from
    /// news, and stands no more. On the wire `past`.
    Past,
}

impl FactState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Cancelled => "cancelled",
            Self::Resolved => "resolved",
            Self::Past => "past",
        }
    }
}

impl std::str::FromStr for FactState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "past" => Ok(Self::Past),
            other => other.parse().map(|state: NoticeState| state.into()),
        }
    }
}

impl From<NoticeState> for FactState {
    fn from(state: NoticeState) -> Self {
        match state {
            NoticeState::Active => Self::Active,
            NoticeState::Cancelled => Self::Cancelled,
            NoticeState::Resolved => Self::Resolved,
        }
    }
}

/// What one notice said of one kind, or of one event of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Kind of the notice.
    pub kind: String,
    /// The provider's event id, or empty.
    pub event_id: String,
    /// Whether it stands.
    pub state: FactState,
    /// How sure it is.
    pub certainty: Certainty,
    /// What the provider will do.
    pub provider_action: String,
    /// When the origin saw it.
    pub noticed_at: Timestamp,
    /// When the bus stored it.
    pub received_at: Timestamp,
    /// When the instance goes.
    pub deadline: Option<Timestamp>,
    /// The notice it came with.
    pub notice_id: NoticeId,
    /// `ce-source` of the notice.
    pub source: String,
}

impl Fact {
    /// The fact of a notice.
    #[must_use]
    pub fn of(notice: &Notice) -> Self {
        Self {
            kind: notice.message.kind.clone(),
            event_id: notice.message.event_id.clone(),
            state: notice.state.into(),
            certainty: notice.certainty,
            provider_action: notice.message.provider_action.clone(),
            noticed_at: notice.noticed_at,
            received_at: notice.received_at,
            deadline: notice.deadline,
            notice_id: notice.id.clone(),
            source: notice.source.clone(),
        }
    }

    /// Whether it stands.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.state == FactState::Active
    }

    /// Whether both are about the same thing: the same event of the provider,
    /// or the same kind where the provider names no event.
    #[must_use]
    pub fn same_thing(&self, other: &Self) -> bool {
        self.kind == other.kind && self.event_id == other.event_id
    }

    /// Whether `other` no longer counts beside this one. A strict partial
    /// order, so that what is left of a set of facts does not depend on the
    /// order in which they came:
    ///
    /// - of one event of the provider the newest counts, also where its
    ///   deadline is later;
    /// - without an event id a withdrawal ends everything older, and an active
    ///   one replaces only older active ones that are neither tighter nor surer.
    #[must_use]
    pub fn outweighs(&self, other: &Self) -> bool {
        if !self.same_thing(other) || self.cmp_age(other) != Ordering::Greater {
            return false;
        }
        if !self.event_id.is_empty() || !self.stands() {
            return true;
        }
        other.stands() && self.urgency() <= other.urgency() && self.certainty >= other.certainty
    }

    /// Newest last: by `noticed_at`, at the same moment an active one after a
    /// withdrawal (better one drain too many), then the tighter deadline, then
    /// the notice id, so that no two different notices are equal.
    fn cmp_age(&self, other: &Self) -> Ordering {
        let rank = |fact: &Self| matches!(fact.state, FactState::Active | FactState::Past);
        self.noticed_at
            .cmp(&other.noticed_at)
            .then_with(|| rank(self).cmp(&rank(other)))
            .then_with(|| Reverse(self.urgency()).cmp(&Reverse(other.urgency())))
            .then_with(|| self.notice_id.as_str().cmp(other.notice_id.as_str()))
    }

    /// Which of many facts to keep when there are too many: those that stand,
    /// the surest, the most urgent, the newest. Most important last.
    pub(super) fn cmp_importance(&self, other: &Self) -> Ordering {
        let rank = |fact: &Self| match fact.state {
            FactState::Active => 2,
            FactState::Cancelled | FactState::Resolved => 1,
            FactState::Past => 0,
        };
        rank(self)
            .cmp(&rank(other))
            .then_with(|| self.certainty.cmp(&other.certainty))
            .then_with(|| Reverse(self.urgency()).cmp(&Reverse(other.urgency())))
            .then_with(|| self.cmp_age(other))
    }

    /// Sorts facts in the record: same things together, oldest first.
    pub(super) fn cmp_place(&self, other: &Self) -> Ordering {
        self.kind
            .cmp(&other.kind)
            .then_with(|| self.event_id.cmp(&other.event_id))
            .then_with(|| self.cmp_age(other))
    }

    fn urgency(&self) -> Timestamp {
        self.deadline.unwrap_or(Timestamp::MAX)
    }
}

impl From<&Fact> for proto::Fact {
    fn from(fact: &Fact) -> Self {
        Self {
            kind: fact.kind.clone(),
            event_id: fact.event_id.clone(),
            state: fact.state.as_str().to_owned(),
            certainty: fact.certainty.as_str().to_owned(),
            provider_action: fact.provider_action.clone(),
            noticed_at: Some(to_proto(fact.noticed_at)),
            received_at: Some(to_proto(fact.received_at)),
            deadline: fact.deadline.map(to_proto),
            notice_id: fact.notice_id.to_string(),
            source: fact.source.clone(),
        }
    }
}

impl TryFrom<proto::Fact> for Fact {
    type Error = RecordError;

    fn try_from(fact: proto::Fact) -> Result<Self, RecordError> {
        Ok(Self {
            state: word("facts.state", &fact.state)?,
            certainty: word("facts.certainty", &fact.certainty)?,
            noticed_at: required_time("facts.noticed_at", fact.noticed_at.as_ref())?,
            received_at: required_time("facts.received_at", fact.received_at.as_ref())?,
            deadline: time("facts.deadline", fact.deadline.as_ref())?,
            notice_id: word("facts.notice_id", &fact.notice_id)?,
            kind: fact.kind,
            event_id: fact.event_id,
            provider_action: fact.provider_action,
            source: fact.source,
        })
    }
}
