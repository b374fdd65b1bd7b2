//! From messages and records to episodes. Pure.

use std::collections::{BTreeMap, HashMap};

use hollowtrees_schemas::{id::IncidentKey, proto};
use jiff::Timestamp;

use super::{Episode, Story, generations::Generations};
use crate::{
    event::{Event, Said},
    when,
};

/// Which episode.
type Home = (IncidentKey, u64);

#[derive(Default)]
struct Draft {
    events: Vec<Event>,
    incident: Option<proto::Incident>,
    runs: BTreeMap<(String, String), proto::Run>,
}

impl Story {
    /// Sorts what was read. `events` in the order of the server's clock; records beat what events say of them.
    pub fn assemble(
        instance: &str,
        events: Vec<Event>,
        incidents: Vec<proto::Incident>,
        runs: Vec<proto::Run>,
    ) -> Self {
        let generations = Generations::of(&events, &incidents);
        let mut drafts: BTreeMap<Home, Draft> = BTreeMap::new();
        let mut homes: HashMap<String, Home> = HashMap::new();
        let mut homeless = Vec::new();
        for event in events {
            let Some(home) = home_of(instance, &event, &generations) else {
                homeless.push(event);
                continue;
            };
            if let Some(action) = event.action_id() {
                homes.insert(action.to_owned(), home.clone());
            }
            let draft = drafts.entry(home).or_default();
            draft.learn(&event);
            draft.events.push(event);
        }
        for incident in incidents {
            let home = (IncidentKey::from(&incident), incident.generation);
            drafts.entry(home).or_default().incident = Some(incident);
        }
        for run in runs {
            let home = (IncidentKey::from(&run), run.generation);
            for action in &run.actions {
                homes.insert(action.id.clone(), home.clone());
            }
            drafts.entry(home).or_default().learn_run(run);
        }
        let mut loose = Vec::new();
        for event in homeless {
            let home = event.action_id().and_then(|action| homes.get(action));
            match home.and_then(|home| drafts.get_mut(home)) {
                Some(draft) => draft.events.push(event),
                None => loose.push(event),
            }
        }
        let mut episodes: Vec<_> = drafts
            .into_iter()
            .map(|((key, generation), draft)| draft.finish(key, generation))
            .collect();
        episodes.sort_by(|a, b| (a.zero, &a.key).cmp(&(b.zero, &b.key)));
        Self {
            instance: instance.to_owned(),
            episodes,
            loose,
            troubles: Vec::new(),
        }
    }
}

/// The episode an event's own content names. A message that speaks of another instance than its subject has
/// none.
fn home_of(instance: &str, event: &Event, generations: &Generations) -> Option<Home> {
    let key = event.incident()?;
    if key.instance() != instance {
        return None;
    }
    let generation = event
        .generation()
        .unwrap_or_else(|| generations.of_notice(&key, &event.id, event.stored_at));
    Some((key, generation))
}

impl Draft {
    fn learn(&mut self, event: &Event) {
        match &event.said {
            Said::Incident(_, incident) => self.incident = Some((**incident).clone()),
            Said::Run(_, run) => self.learn_run((**run).clone()),
            Said::Notice(_) | Said::Action(_) | Said::Outcome(_) | Said::Dead(_) | Said::Unreadable(_) => {}
        }
    }

    fn learn_run(&mut self, run: proto::Run) {
        self.runs.insert((run.rule.clone(), run.certainty.clone()), run);
    }

    fn finish(mut self, key: IncidentKey, generation: u64) -> Episode {
        self.events
            .sort_by_key(|event| (event.stored_at, event.stream, event.sequence));
        let first_notice = self
            .events
            .iter()
            .find(|event| matches!(event.said, Said::Notice(_)))
            .map(|event| event.stored_at);
        let zero = first_notice.or_else(|| self.first_known());
        let mut runs: Vec<_> = self.runs.into_values().collect();
        runs.sort_by_key(|run| when::of(run.started_at.as_ref()));
        Episode {
            key,
            generation,
            zero: zero.unwrap_or(Timestamp::UNIX_EPOCH),
            begins_with_notice: first_notice.is_some(),
            incident: self.incident,
            runs,
            events: self.events,
            standings: BTreeMap::new(),
        }
    }

    fn first_known(&self) -> Option<Timestamp> {
        let incident = self
            .incident
            .iter()
            .filter_map(|incident| when::of(incident.noticed_at.as_ref()));
        let runs = self
            .runs
            .values()
            .filter_map(|run| when::of(run.noticed_at.as_ref()));
        let events = self.events.iter().map(|event| event.stored_at);
        incident.chain(runs).chain(events).min()
    }
}
