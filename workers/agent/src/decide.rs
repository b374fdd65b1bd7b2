//! What to say about what was read: pure, so that every sequence of answers can be a table.
//!
//! The same word is said once, however often it is read. A deadline that moves is said again as follows (DESIGN
//! section 4.1): by no more than a second, never; to an earlier time, at once; to a later time, when it has stood
//! there for ten seconds. So a service that moves its time at every reading says one thing, and nothing is said more
//! than once in ten seconds unless it got tighter.
//!
//! What is not there any more is over or taken back where the document is one that says so
//! ([`Document::withdraws`]) and was read whole; of the others it is nothing. A 404 takes nothing back.

use std::collections::{BTreeMap, BTreeSet};

use hollowtrees_schemas::names::state;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::document::{Document, Heard, When, Word};

/// Movements of a deadline up to this are the same deadline.
const SAME: SignedDuration = SignedDuration::from_secs(1);
/// A later deadline has to stand for so long.
const STANDS: SignedDuration = SignedDuration::from_secs(10);

/// One reading of one document.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// It is there, and says this, or nothing.
    Says(Heard),
    /// The service says that there is none.
    Absent,
    /// Nothing is known: no answer, an error, garbage.
    Unknown,
}

/// One reading of one document, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// When, by our clock.
    pub at: Timestamp,
    /// Which document.
    pub document: Document,
    /// What it said.
    pub reading: Reading,
}

/// Something to be said.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Kind of the notice.
    pub kind: &'static str,
    /// How sure it is.
    pub certainty: &'static str,
    /// `active` or `cancelled`.
    pub state: &'static str,
    /// What the provider will do.
    pub action: String,
    /// The provider's id of the event.
    pub event_id: String,
    /// When.
    pub deadline: Option<Timestamp>,
    /// When it was seen.
    pub noticed_at: Timestamp,
    /// The provider's document.
    pub detail: Map<String, Value>,
}

/// What was said so far, by document and slot.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said(BTreeMap<(Document, String), Standing>);

#[derive(Debug, Clone, PartialEq)]
struct Standing {
    /// As it was said.
    word: Word,
    deadline: Option<Timestamp>,
    said_at: Timestamp,
    /// A later deadline, and since when it stands.
    later: Option<(Timestamp, Timestamp)>,
    /// It was absent since it was seen last.
    was_absent: bool,
    /// It is known to have begun.
    begun: bool,
}

impl Said {
    /// What is to be said after `seen`, and what then has been said.
    #[must_use]
    pub fn decide(&self, seen: &Observation) -> (Self, Vec<Fact>) {
        let mut next = self.clone();
        let heard = match &seen.reading {
            Reading::Says(heard) => heard,
            Reading::Absent if !seen.document.withdraws() => &Heard::default(),
            Reading::Absent | Reading::Unknown => return (next, Vec::new()),
        };
        let mut facts = Vec::new();
        let mut slots = BTreeSet::new();
        // Of two words about one event the first counts, at every reading.
        for word in heard.words.iter().filter(|word| slots.insert(&word.slot)) {
            let key = (seen.document, word.slot.clone());
            let (standing, fact) = one(next.0.get(&key), word, seen.at);
            let event = standing.word.event_id.clone();
            facts.extend(fact);
            // Another event in its place: the new one first, lest nothing stand in between.
            let before = next.0.insert(key, standing);
            let before = before.filter(|before| !before.word.over && before.word.event_id != event);
            facts.extend(before.map(|before| before.taken_back(seen.at)));
        }
        let is_gone = |key: &(Document, String)| {
            key.0 == seen.document && heard.words.iter().all(|word| word.slot != key.1)
        };
        next.0.retain(|key, standing| {
            if !is_gone(key) {
                return true;
            }
            if !seen.document.withdraws() {
                standing.was_absent = true;
            } else if heard.odd.is_none() {
                facts.extend((!standing.word.over).then(|| standing.taken_back(seen.at)));
                return false;
            }
            true
        });
        (next, facts)
    }

    /// Action and deadline of what `document` says will end the instance soon, as it was said.
    pub fn going(&self, document: Document) -> Option<(&str, Option<Timestamp>)> {
        use hollowtrees_schemas::names::kind::{PREEMPTED, SPOT_INTERRUPTION};
        let of_document = self.0.iter().filter(|(key, _)| key.0 == document);
        let mut going = of_document.filter(|(_, standing)| {
            !standing.word.over && [PREEMPTED, SPOT_INTERRUPTION].contains(&standing.word.kind)
        });
        going
            .next()
            .map(|(_, standing)| (standing.word.action.as_str(), standing.deadline))
    }
}

impl Standing {
    fn taken_back(&self, at: Timestamp) -> Fact {
        Fact {
            state: state::CANCELLED,
            ..fact(&self.word, self.deadline, at)
        }
    }
}

fn fact(word: &Word, deadline: Option<Timestamp>, at: Timestamp) -> Fact {
    Fact {
        kind: word.kind,
        certainty: word.certainty,
        state: if word.over {
            state::CANCELLED
        } else {
            state::ACTIVE
        },
        action: word.action.clone(),
        event_id: word.event_id.clone(),
        deadline,
        noticed_at: at,
        detail: word.detail.clone(),
    }
}

/// Says the word, with this deadline.
fn say(word: &Word, deadline: Option<Timestamp>, at: Timestamp) -> (Standing, Option<Fact>) {
    let now = Standing {
        word: word.clone(),
        deadline,
        said_at: at,
        later: None,
        was_absent: false,
        begun: word.when == When::Begun,
    };
    (now, Some(fact(word, deadline, at)))
}

fn one(before: Option<&Standing>, word: &Word, at: Timestamp) -> (Standing, Option<Fact>) {
    let given = match word.when {
        When::At(time) => Some(time),
        When::In(after) => at.checked_add(after).ok(),
        When::Begun | When::Unknown => None,
    };
    let Some(before) = before else {
        return say(word, given, at);
    };
    let unchanged = Standing {
        later: None,
        was_absent: false,
        ..before.clone()
    };
    if word.over {
        if before.word.over {
            return (unchanged, None);
        }
        // It has the event id and the deadline of what it takes back.
        let over = Word {
            event_id: before.word.event_id.clone(),
            ..word.clone()
        };
        return say(&over, before.deadline, at);
    }
    let another_episode = before.was_absent && before.word.stamp != word.stamp;
    if before.word.over || another_episode {
        return say(word, given, at);
    }
    if before.word.action != word.action {
        return say(word, given, at);
    }
    // It is taken back by the id it was announced by.
    let word = &Word {
        event_id: before.word.event_id.clone(),
        ..word.clone()
    };
    match (before.deadline, word.when) {
        (Some(said), When::Begun) if !before.begun && said.duration_since(at) > SAME => {
            // It began earlier than it was to.
            return say(word, Some(at), at);
        }
        (None, When::At(_)) => return say(word, given, at),
        (Some(said), When::At(given)) => return moved(before, unchanged, word, said, given, at),
        // What was to happen so long after it was first seen has been said then; no time is no news.
        (_, When::In(_) | When::Begun | When::Unknown) => {}
    }
    let begun = before.begun || word.when == When::Begun;
    (Standing { begun, ..unchanged }, None)
}

/// A word whose deadline, said before, is `given` now.
fn moved(
    before: &Standing,
    unchanged: Standing,
    word: &Word,
    said: Timestamp,
    given: Timestamp,
    at: Timestamp,
) -> (Standing, Option<Fact>) {
    let moved = given.duration_since(said);
    if moved.abs() <= SAME {
        return (unchanged, None);
    }
    if moved.is_negative() {
        return say(word, Some(given), at);
    }
    // A new episode, after the instance was resumed, say; but not one at every other reading.
    if before.was_absent && at.duration_since(before.said_at) >= STANDS {
        return say(word, Some(given), at);
    }
    match before.later {
        Some((later, since)) if given.duration_since(later).abs() <= SAME => {
            if at.duration_since(since) >= STANDS {
                say(word, Some(given), at)
            } else {
                (before.clone(), None)
            }
        }
        _ => (
            Standing {
                later: Some((given, at)),
                ..before.clone()
            },
            None,
        ),
    }
}
