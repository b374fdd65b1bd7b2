//! Sets of stream sequences that are nearly contiguous: a few pairs, whatever their number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A set of sequences, as disjoint spans with at least one number between them. On the wire `[[1,40],[42,42]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub struct Spans(BTreeMap<u64, u64>);

impl Spans {
    /// Whether it holds `sequence`.
    pub fn contains(&self, sequence: u64) -> bool {
        let below = self.0.range(..=sequence).next_back();
        below.is_some_and(|(_, &last)| sequence <= last)
    }

    /// Adds one sequence.
    pub fn insert(&mut self, sequence: u64) {
        self.insert_span(sequence, sequence);
    }

    /// Adds all from `first` to `last`; nothing where `first` is above `last`.
    pub fn insert_span(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let (mut first, mut last) = (first, last);
        // All that overlap or touch, from the highest down; the spans are disjoint, so the first that does not
        // reach ends it.
        while let Some((&start, &end)) = self.0.range(..=last.saturating_add(1)).next_back() {
            if end.saturating_add(1) < first {
                break;
            }
            self.0.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.0.insert(first, last);
    }

    /// Number of spans.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Joins the lowest spans until there are at most `most`; how many sequences that added.
    pub fn join_lowest(&mut self, most: usize) -> u64 {
        let mut added = 0_u64;
        while self.0.len() > most.max(1) {
            let Some((first, last)) = self.0.pop_first() else {
                break;
            };
            let Some((next, end)) = self.0.pop_first() else {
                break;
            };
            added = added.saturating_add(next.saturating_sub(last).saturating_sub(1));
            self.0.insert(first, end);
        }
        added
    }
}

impl From<Vec<(u64, u64)>> for Spans {
    fn from(pairs: Vec<(u64, u64)>) -> Self {
        let mut spans = Self::default();
        for (first, last) in pairs {
            spans.insert_span(first, last);
        }
        spans
    }
}

impl From<Spans> for Vec<(u64, u64)> {
    fn from(spans: Spans) -> Self {
        spans.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_set_it_was_made_from(
            pairs in prop::collection::vec((1_u64..60, 0_u64..8), 0..20)
        ) {
            let (mut spans, mut set) = (Spans::default(), BTreeSet::new());
            for (first, more) in pairs {
                spans.insert_span(first, first + more);
                set.extend(first..=first + more);
            }
            for sequence in 0..80 {
                prop_assert_eq!(spans.contains(sequence), set.contains(&sequence));
            }
            // As few spans as can be.
            let runs = set.iter().filter(|&&sequence| !set.contains(&(sequence - 1))).count();
            prop_assert_eq!(spans.len(), runs);
            let wire = serde_json::to_string(&spans).unwrap();
            prop_assert_eq!(serde_json::from_str::<Spans>(&wire).unwrap(), spans.clone());
            let mut joined = spans.clone();
            let added = joined.join_lowest(2);
            prop_assert!(joined.len() <= 2);
            let size = |spans: &Spans| (0..80).filter(|&sequence| spans.contains(sequence)).count() as u64;
            prop_assert_eq!(size(&joined), size(&spans) + added);
        }
    }

    #[test]
    fn the_ends_of_the_numbers_are_no_trap() {
        let mut spans = Spans::default();
        spans.insert_span(u64::MAX - 1, u64::MAX);
        spans.insert_span(0, 0);
        spans.insert_span(5, 3);
        assert!(spans.contains(u64::MAX) && spans.contains(0) && !spans.contains(4));
        assert_eq!(spans.len(), 2);
    }
}
