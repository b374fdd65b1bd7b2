//! Records as a router of some time ago would have left them.

use hollowtrees_domain::{
    incident::{Incident, merge},
    notice::Notice,
    rule::Rules,
    run::{Ended, Event, Run},
    words::{IncidentState, Outcome},
};
use hollowtrees_schemas::{key, proto};
use jiff::Timestamp;

use crate::support::{World, id, notice, rule, rules};

/// An alert about `instance` and its run of the rule `r`, begun at `at`.
pub(crate) fn begun(instance: &str, at: Timestamp) -> (Incident, Run) {
    let parsed = Notice::parse(notice("alert", instance), "/x", at).unwrap();
    let mut incident = merge(None, &parsed, at).incident;
    incident.runs.push(incident.wanted_run("r").unwrap());
    let rules = rules(&[rule("r", "alert", "  steps: [{ actions: [drain] }]\n")]);
    let rules = Rules::parse(&rules, "r").unwrap();
    let run = Run::plan(rules.get("r").unwrap(), &incident, at);
    let run = run.decide(Event::Created, at).run;
    (incident, run)
}

/// The same, its run finished and the incident closed at `at`.
pub(crate) fn ended(instance: &str, at: Timestamp) -> (Incident, Run) {
    let (mut incident, run) = begun(instance, at);
    let action = run.actions[0].id.clone();
    let ended = Ended::new(Outcome::Succeeded, "", "", at);
    let event = Event::OutcomeIn {
        action: &action,
        ended: &ended,
    };
    let run = run.decide(event, at).run;
    incident.state = IncidentState::Closed;
    incident.closed_at = Some(at);
    (incident, run)
}

impl World {
    pub(crate) async fn put_incident(&self, incident: &Incident) {
        let key = key::incident(&id(incident.key.instance()));
        let record = proto::Incident::from(incident);
        self.bus.incidents().create(&key, &record).await.unwrap();
    }

    pub(crate) async fn put_run(&self, run: &Run) {
        let record = proto::Run::from(run);
        self.bus.runs().create(&run.store_key(), &record).await.unwrap();
    }
}
