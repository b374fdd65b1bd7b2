//! What a rule asks for, as it is pinned into a run.

use hollowtrees_schemas::proto;
use jiff::SignedDuration;
use pbjson_types::Struct;

use crate::record::{RecordError, duration, word};
use crate::words::{Effect, OnFailure, WhenExpired};
use hollowtrees_schemas::proto::time::duration_to_proto;

/// One action of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedAction {
    /// The kind of worker asked.
    pub kind: String,
    /// How often it exists.
    pub effect: Effect,
    /// For the worker alone.
    pub params: Struct,
    /// Its deadline is this much before the incident's.
    pub deadline_reserve: SignedDuration,
    /// What happens when nobody started it by its deadline.
    pub when_expired: WhenExpired,
    /// How long it may take where no deadline bounds it.
    pub timeout: Option<SignedDuration>,
}

/// Actions that start together.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// For people; may be empty.
    pub name: String,
    /// One or more.
    pub actions: Vec<PlannedAction>,
    /// Not before this long ahead of the incident's deadline.
    pub before_deadline: Option<SignedDuration>,
    /// Whether the next steps run when one of its actions failed.
    pub on_failure: OnFailure,
    /// Whether they run when one of them was skipped.
    pub on_skipped: OnFailure,
}

impl From<&PlannedAction> for proto::PlannedAction {
    fn from(action: &PlannedAction) -> Self {
        Self {
            kind: action.kind.clone(),
            effect: action.effect.as_str().to_owned(),
            params: Some(action.params.clone()),
            deadline_reserve: Some(duration_to_proto(action.deadline_reserve)),
            when_expired: action.when_expired.as_str().to_owned(),
            timeout: action.timeout.map(duration_to_proto),
        }
    }
}

impl TryFrom<proto::PlannedAction> for PlannedAction {
    type Error = RecordError;

    fn try_from(action: proto::PlannedAction) -> Result<Self, RecordError> {
        Ok(Self {
            effect: word("actions.effect", &action.effect)?,
            when_expired: word("actions.when_expired", &action.when_expired)?,
            deadline_reserve: action.deadline_reserve.as_ref().map(duration).unwrap_or_default(),
            timeout: action.timeout.as_ref().map(duration),
            params: action.params.unwrap_or_default(),
            kind: action.kind,
        })
    }
}

impl From<&PlannedStep> for proto::PlannedStep {
    fn from(step: &PlannedStep) -> Self {
        Self {
            name: step.name.clone(),
            actions: step.actions.iter().map(Into::into).collect(),
            before_deadline: step.before_deadline.map(duration_to_proto),
            on_failure: step.on_failure.as_str().to_owned(),
            // Unsaid where it is as ever: a plan without it is the plan it was.
            on_skipped: match step.on_skipped {
                OnFailure::Continue => String::new(),
                OnFailure::Stop => OnFailure::Stop.as_str().to_owned(),
            },
        }
    }
}

impl TryFrom<proto::PlannedStep> for PlannedStep {
    type Error = RecordError;

    fn try_from(step: proto::PlannedStep) -> Result<Self, RecordError> {
        Ok(Self {
            on_failure: word("steps.on_failure", &step.on_failure)?,
            on_skipped: match step.on_skipped.as_str() {
                "" => OnFailure::Continue,
                given => word("steps.on_skipped", given)?,
            },
            before_deadline: step.before_deadline.as_ref().map(duration),
            actions: step
                .actions
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            name: step.name,
        })
    }
}
