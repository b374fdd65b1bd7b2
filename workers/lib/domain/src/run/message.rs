//! An action of a run as the message a worker takes.

use hollowtrees_schemas::proto;

use super::{ActionState, Run};
use hollowtrees_schemas::proto::time::{duration_to_proto, to_proto};

impl Run {
    /// The message of an action whose step has begun. All of it comes from
    /// the record, so that publishing again publishes the same.
    pub(super) fn message(&self, action: &ActionState) -> Option<proto::Action> {
        let plan = self.planned(action)?;
        let start_at = action.start_at?;
        let delayed = self
            .steps
            .get(action.step as usize)
            .is_some_and(|step| step.before_deadline.is_some());
        Some(proto::Action {
            id: action.id.to_string(),
            cluster: self.key.cluster().to_owned(),
            kind: action.kind.clone(),
            instance: self.key.instance().to_owned(),
            generation: self.generation,
            certainty: self.certainty.as_str().to_owned(),
            mode: self.key.mode().to_owned(),
            effect: plan.effect.as_str().to_owned(),
            rule: self.rule.clone(),
            step: action.step,
            place: action.place,
            noticed_at: Some(to_proto(self.noticed_at)),
            created_at: Some(to_proto(start_at)),
            start_at: delayed.then(|| to_proto(start_at)),
            deadline: action.deadline.map(to_proto),
            close_at: action.close_at.map(to_proto),
            deadline_reserve: Some(duration_to_proto(plan.deadline_reserve)),
            when_expired: plan.when_expired.as_str().to_owned(),
            params: Some(plan.params.clone()),
            target: Some(self.target.clone()),
            redrive: 0,
            on_cancel: action.step as usize >= self.steps.len(),
        })
    }
}
