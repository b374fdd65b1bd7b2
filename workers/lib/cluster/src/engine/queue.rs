//! The one queue of all pods of all nodes.

use std::collections::BTreeSet;

use hollowtrees_domain::drain::order::Place;
use jiff::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Queue(BTreeSet<Place>);

impl Queue {
    pub(super) fn insert(&mut self, place: Place) {
        self.0.insert(place);
    }

    pub(super) fn remove(&mut self, place: &Place) {
        self.0.remove(place);
    }

    pub(super) fn pop(&mut self) -> Option<Place> {
        self.0.pop_first()
    }

    /// Of those that have one, in the order of the queue.
    pub(super) fn latest_starts(&self) -> impl Iterator<Item = Timestamp> {
        self.0.iter().map_while(Place::latest_start)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
