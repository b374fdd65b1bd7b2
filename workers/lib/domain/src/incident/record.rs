//! Incidents to and from their records.

use hollowtrees_schemas::id::IncidentKey;
use hollowtrees_schemas::proto;

use super::{Facts, Incident, RunRef};
use crate::limits::SCHEMA_VERSION;
use crate::record::{RecordError, check_schema, required_time, target, time, word};
use hollowtrees_schemas::proto::time::to_proto;

impl From<&Incident> for proto::Incident {
    fn from(incident: &Incident) -> Self {
        Self {
            schema: SCHEMA_VERSION,
            cluster: incident.key.cluster().to_owned(),
            instance: incident.key.instance().to_owned(),
            mode: incident.key.mode().to_owned(),
            generation: incident.generation,
            state: incident.state.as_str().to_owned(),
            facts: incident.facts.iter().map(Into::into).collect(),
            facts_dropped: incident.facts.dropped(),
            opened_at: Some(to_proto(incident.opened_at)),
            noticed_at: Some(to_proto(incident.noticed_at)),
            last_noticed_at: Some(to_proto(incident.last_noticed_at)),
            closed_at: incident.closed_at.map(to_proto),
            deadline: incident.deadline.map(to_proto),
            certainty: incident.certainty.as_str().to_owned(),
            target: Some(incident.target.clone()),
            runs: incident
                .runs
                .iter()
                .map(|run| proto::RunRef {
                    rule: run.rule.clone(),
                    certainty: run.certainty.to_string(),
                })
                .collect(),
            changes: incident.changes,
        }
    }
}

impl TryFrom<proto::Incident> for Incident {
    type Error = RecordError;

    fn try_from(record: proto::Incident) -> Result<Self, RecordError> {
        check_schema(record.schema)?;
        let key = IncidentKey::from(&record);
        let facts = record
            .facts
            .into_iter()
            .map(TryInto::try_into)
            .collect::<Result<_, _>>()?;
        let runs = record
            .runs
            .into_iter()
            .map(|run| {
                Ok(RunRef {
                    certainty: word("runs.certainty", &run.certainty)?,
                    rule: run.rule,
                })
            })
            .collect::<Result<_, RecordError>>()?;
        Ok(Self {
            key,
            generation: record.generation,
            state: word("state", &record.state)?,
            facts: Facts::restore(facts, record.facts_dropped),
            opened_at: required_time("opened_at", record.opened_at.as_ref())?,
            noticed_at: required_time("noticed_at", record.noticed_at.as_ref())?,
            last_noticed_at: required_time("last_noticed_at", record.last_noticed_at.as_ref())?,
            closed_at: time("closed_at", record.closed_at.as_ref())?,
            deadline: time("deadline", record.deadline.as_ref())?,
            certainty: word("certainty", &record.certainty)?,
            target: target(record.target),
            runs,
            changes: record.changes,
        })
    }
}
