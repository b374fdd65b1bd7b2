//! Runs to and from their records.

use hollowtrees_schemas::id::IncidentKey;
use hollowtrees_schemas::proto;

use super::Run;
use crate::limits::SCHEMA_VERSION;
use crate::record::{RecordError, check_schema, required_time, target, time, word};
use hollowtrees_schemas::proto::time::to_proto;

impl From<&Run> for proto::Run {
    fn from(run: &Run) -> Self {
        Self {
            schema: SCHEMA_VERSION,
            cluster: run.key.cluster().to_owned(),
            instance: run.key.instance().to_owned(),
            mode: run.key.mode().to_owned(),
            generation: run.generation,
            rule: run.rule.clone(),
            rule_version: run.rule_version.clone(),
            certainty: run.certainty.as_str().to_owned(),
            steps: run.steps.iter().map(Into::into).collect(),
            on_cancel: run.on_cancel.iter().map(Into::into).collect(),
            phase: run.phase.as_str().to_owned(),
            result: run.result.map(|result| result.to_string()).unwrap_or_default(),
            step: run.step,
            actions: run.actions.iter().map(Into::into).collect(),
            started_at: Some(to_proto(run.started_at)),
            finished_at: run.finished_at.map(to_proto),
            due_at: run.due_at().map(to_proto),
            deadline: run.deadline.map(to_proto),
            target: Some(run.target.clone()),
            noticed_at: Some(to_proto(run.noticed_at)),
        }
    }
}

impl TryFrom<proto::Run> for Run {
    type Error = RecordError;

    fn try_from(record: proto::Run) -> Result<Self, RecordError> {
        check_schema(record.schema)?;
        let key = IncidentKey::from(&record);
        let result = match record.result.as_str() {
            "" => None,
            text => Some(word("result", text)?),
        };
        let run = Self {
            key,
            generation: record.generation,
            rule: record.rule,
            rule_version: record.rule_version,
            certainty: word("certainty", &record.certainty)?,
            steps: record
                .steps
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            on_cancel: record
                .on_cancel
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            phase: word("phase", &record.phase)?,
            result,
            step: record.step,
            actions: record
                .actions
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            started_at: required_time("started_at", record.started_at.as_ref())?,
            finished_at: time("finished_at", record.finished_at.as_ref())?,
            deadline: time("deadline", record.deadline.as_ref())?,
            target: target(record.target),
            noticed_at: required_time("noticed_at", record.noticed_at.as_ref())?,
        };
        match run.actions.iter().find(|action| run.planned(action).is_none()) {
            Some(stray) => Err(RecordError::corrupt(
                "actions",
                format!("{} has no place in the plan", stray.id),
            )),
            None => Ok(run),
        }
    }
}
