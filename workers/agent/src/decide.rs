//! What to say about what was seen: pure, so that every sequence of answers can be a table.
//!
//! The same word is said once, however often it is read. A deadline that moves is said again as follows (DESIGN
//! section 4.1): by no more than a second, never; to an earlier time, at once; to a later time, when it has stood
//! there for ten seconds. So a service that moves its time at every reading says one thing, and nothing is said more
//! than once in ten seconds unless it got tighter.
//!
//! A notice that is not there any more is not a cancellation: EC2 documents no withdrawal of an interruption or of a
//! recommendation, and answers 404 also where it lost the document (a resumed or restarted instance).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::document::{InstanceAction, Rebalance};

/// Movements of a deadline up to this are the same deadline.
const SAME: SignedDuration = SignedDuration::from_secs(1);
/// A later deadline has to stand for so long.
const STANDS: SignedDuration = SignedDuration::from_secs(10);

/// One reading of one document.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading<T> {
    /// It is there.
    Present(T),
    /// The service says that there is none.
    Absent,
    /// Nothing is known: no answer, an error, garbage.
    Unknown,
}

/// One round of readings.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// When, by our clock.
    pub at: Timestamp,
    /// `spot/instance-action`
    pub interruption: Reading<InstanceAction>,
    /// `events/recommendations/rebalance`
    pub rebalance: Reading<Rebalance>,
}

/// Something to be said.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// The instance goes.
    Interruption {
        /// What the provider will do.
        action: String,
        /// When.
        deadline: Option<Timestamp>,
        /// When it was seen.
        noticed_at: Timestamp,
        /// The provider's document.
        detail: Map<String, Value>,
    },
    /// The instance may go.
    Rebalance {
        /// When it was seen.
        noticed_at: Timestamp,
        /// The provider's document.
        detail: Map<String, Value>,
    },
}

/// What was said so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    interruption: Option<Interruption>,
    rebalance: Option<Recommendation>,
}

#[derive(Debug, Clone, PartialEq)]
struct Interruption {
    action: String,
    deadline: Option<Timestamp>,
    said_at: Timestamp,
    /// A later deadline, and since when it stands.
    later: Option<(Timestamp, Timestamp)>,
    /// It was absent since it was said.
    was_absent: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Recommendation {
    notice_time: Option<Timestamp>,
    was_absent: bool,
}

impl Said {
    /// What is to be said after `seen`, and what then has been said.
    #[must_use]
    pub fn decide(&self, seen: &Observation) -> (Self, Vec<Fact>) {
        let mut facts = Vec::new();
        let interruption = match (&seen.interruption, &self.interruption) {
            (Reading::Present(present), before) => {
                let (now, fact) = interruption(before.as_ref(), present, seen.at);
                facts.extend(fact);
                Some(now)
            }
            (Reading::Absent, Some(before)) => Some(Interruption {
                was_absent: true,
                ..before.clone()
            }),
            (Reading::Absent | Reading::Unknown, before) => before.clone(),
        };
        let rebalance = match (&seen.rebalance, &self.rebalance) {
            (Reading::Present(present), before) => {
                let again =
                    |before: &Recommendation| before.was_absent && before.notice_time != present.notice_time;
                if before.as_ref().is_none_or(again) {
                    facts.push(Fact::Rebalance {
                        noticed_at: seen.at,
                        detail: present.detail.clone(),
                    });
                    Some(Recommendation {
                        notice_time: present.notice_time,
                        was_absent: false,
                    })
                } else {
                    before.clone()
                }
            }
            (Reading::Absent, Some(before)) => Some(Recommendation {
                was_absent: true,
                ..before.clone()
            }),
            (Reading::Absent | Reading::Unknown, before) => before.clone(),
        };
        (
            Self {
                interruption,
                rebalance,
            },
            facts,
        )
    }
}

fn interruption(
    before: Option<&Interruption>,
    present: &InstanceAction,
    at: Timestamp,
) -> (Interruption, Option<Fact>) {
    let say = || {
        let now = Interruption {
            action: present.action.clone(),
            deadline: present.time,
            said_at: at,
            later: None,
            was_absent: false,
        };
        let fact = Fact::Interruption {
            action: present.action.clone(),
            deadline: present.time,
            noticed_at: at,
            detail: present.detail.clone(),
        };
        (now, Some(fact))
    };
    let Some(before) = before else { return say() };
    if before.action != present.action {
        return say();
    }
    let (said, given) = match (before.deadline, present.time) {
        (_, None) => return (before.clone(), None),
        (None, Some(_)) => return say(),
        (Some(said), Some(given)) => (said, given),
    };
    let moved = given.duration_since(said);
    if moved.abs() <= SAME {
        return (
            Interruption {
                later: None,
                was_absent: false,
                ..before.clone()
            },
            None,
        );
    }
    if moved.is_negative() {
        return say();
    }
    // A new episode, after the instance was resumed, say; but not one at every other reading.
    if before.was_absent && at.duration_since(before.said_at) >= STANDS {
        return say();
    }
    match before.later {
        Some((later, since)) if given.duration_since(later).abs() <= SAME => {
            if at.duration_since(since) >= STANDS {
                say()
            } else {
                (before.clone(), None)
            }
        }
        _ => (
            Interruption {
                later: Some((given, at)),
                ..before.clone()
            },
            None,
        ),
    }
}
