//! Which generation of its incident a notice belongs to. The notice does not say: it was there first.

use std::collections::{BTreeMap, HashMap};

use hollowtrees_schemas::{id::IncidentKey, names::state, proto, subject::IncidentEvent};
use jiff::Timestamp;

use crate::{
    event::{Event, Said},
    when,
};

/// What incidents tell of their generations.
#[derive(Debug, Default)]
pub(super) struct Generations {
    /// The first generation that knows a notice, by incident and notice id.
    by_notice: HashMap<(IncidentKey, String), u64>,
    /// When the notice that opened a generation was stored.
    opened: BTreeMap<(IncidentKey, u64), Timestamp>,
}

impl Generations {
    /// From the events of incidents, then from their records.
    pub(super) fn of(events: &[Event], records: &[proto::Incident]) -> Self {
        let mut known = Self::default();
        for event in events {
            if let Said::Incident(what, incident) = &event.said {
                known.learn(incident, *what == IncidentEvent::Opened);
            }
        }
        for record in records {
            known.learn(record, false);
        }
        known
    }

    fn learn(&mut self, incident: &proto::Incident, opening: bool) {
        let key = IncidentKey::from(incident);
        for fact in &incident.facts {
            // Withdrawn facts are remembered over generations: the first one that knows it has it.
            let first = self
                .by_notice
                .entry((key.clone(), fact.notice_id.clone()))
                .or_insert(incident.generation);
            *first = incident.generation.min(*first);
        }
        let stored = incident
            .facts
            .iter()
            .filter(|fact| state::or_active(&fact.state) == state::ACTIVE)
            .filter_map(|fact| when::of(fact.received_at.as_ref()));
        // At the opening the newest fact is the one that opened it.
        let opened_at = if opening { stored.max() } else { stored.min() };
        let opened_at = opened_at.or_else(|| when::of(incident.opened_at.as_ref()));
        if let Some(opened_at) = opened_at {
            self.opened.entry((key, incident.generation)).or_insert(opened_at);
        }
    }

    /// The generation that lists the notice, else the one that was open when it was stored; 0 for none.
    pub(super) fn of_notice(&self, key: &IncidentKey, id: &str, stored_at: Timestamp) -> u64 {
        if let Some(generation) = self.by_notice.get(&(key.clone(), id.to_owned())) {
            return *generation;
        }
        self.opened
            .range((key.clone(), 0)..=(key.clone(), u64::MAX))
            .filter(|(_, opened_at)| **opened_at <= stored_at)
            .map(|((_, generation), _)| *generation)
            .max()
            .unwrap_or(0)
    }
}
