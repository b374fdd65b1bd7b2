//! One rule applied to one incident at one certainty.
//!
//! A run is planned once ([`Run::plan`]); then [`Run::decide`] takes what
//! happened and returns the run as it is now and what is to be done. Every
//! event may be applied twice, and late: what is done stays done.
//!
//! A run is told from its siblings by incident, generation, rule and
//! certainty. Its per-instance actions carry ids made of incident, generation,
//! kind and certainty: a second rule that asks for the same kind shares the
//! action and its outcome, while the second run of one rule (advice first,
//! then certainty) has actions of its own, which the worker merges with what
//! it already does.

mod action;
mod decide;
mod message;
mod plan;
mod record;

use hollowtrees_schemas::id::{ActionId, IncidentKey, RunId};
use hollowtrees_schemas::proto;
use jiff::Timestamp;

pub use action::{ActionState, Ended, Standing};
pub use decide::{Command, Decision, Event};
pub use plan::{PlannedAction, PlannedStep};

use crate::incident::{Incident, RunRef};
use crate::rule::Rule;
use crate::words::{Certainty, Effect, IncidentState, Phase, RunResult};

/// The record of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Cluster, instance and mode of its incident.
    pub key: IncidentKey,
    /// Generation of its incident.
    pub generation: u64,
    /// Name of the rule.
    pub rule: String,
    /// Hash of the rule as it was.
    pub rule_version: String,
    /// Certainty of the incident when it was planned.
    pub certainty: Certainty,
    /// The pinned plan: a changed rule does not alter it.
    pub steps: Vec<PlannedStep>,
    /// What runs when the incident was withdrawn and all outcomes are in.
    pub on_cancel: Vec<PlannedAction>,
    /// Where it is.
    pub phase: Phase,
    /// How it ended; set when `finished`.
    pub result: Option<RunResult>,
    /// Index of the step under way.
    pub step: u32,
    /// Every action of the plan; those of `on_cancel` once they are wanted.
    pub actions: Vec<ActionState>,
    /// When it was planned.
    pub started_at: Timestamp,
    /// When the last outcome came in.
    pub finished_at: Option<Timestamp>,
    /// The incident's deadline as last seen.
    pub deadline: Option<Timestamp>,
    /// What is known of the instance.
    pub target: proto::Target,
    /// The incident's first notice.
    pub noticed_at: Timestamp,
}

impl Run {
    /// The plan of a rule for an incident at its present certainty. Nothing of
    /// it has begun: decide on [`Event::Created`] next, before it is stored.
    #[must_use]
    pub fn plan(rule: &Rule, incident: &Incident, now: Timestamp) -> Self {
        let mut run = Self {
            key: incident.key.clone(),
            generation: incident.generation,
            rule: rule.name.clone(),
            rule_version: rule.version.clone(),
            certainty: incident.certainty,
            steps: rule.steps.clone(),
            on_cancel: rule.on_cancel.clone(),
            phase: Phase::Running,
            result: None,
            step: 0,
            actions: Vec::new(),
            started_at: now,
            finished_at: None,
            deadline: incident.deadline,
            target: incident.target.clone(),
            noticed_at: incident.noticed_at,
        };
        for (step, planned) in rule.steps.iter().enumerate() {
            run.add_actions(index(step), &planned.actions);
        }
        run
    }

    /// A run that an incident lists and that nobody planned in time, for its rule was taken out of the file between
    /// the two: it has no steps, and failed unless its incident was withdrawn. So that its incident does not close
    /// without a word of it.
    #[must_use]
    pub fn never_planned(reference: &RunRef, incident: &Incident, now: Timestamp) -> Self {
        let result = match incident.state {
            IncidentState::Cancelled => RunResult::Cancelled,
            IncidentState::Open | IncidentState::Closed => RunResult::Failed,
        };
        Self {
            key: incident.key.clone(),
            generation: incident.generation,
            rule: reference.rule.clone(),
            rule_version: String::new(),
            certainty: reference.certainty,
            steps: Vec::new(),
            on_cancel: Vec::new(),
            phase: Phase::Finished,
            result: Some(result),
            step: 0,
            actions: Vec::new(),
            started_at: now,
            finished_at: Some(now),
            deadline: incident.deadline,
            target: incident.target.clone(),
            noticed_at: incident.noticed_at,
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> RunId {
        RunId::of(&self.key, self.generation, &self.rule, self.certainty.as_str())
    }

    /// Its key in the store.
    #[must_use]
    pub fn store_key(&self) -> String {
        hollowtrees_schemas::key::run(&self.key, self.generation, &self.rule, self.certainty.as_str())
    }

    /// Whether all is done.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Finished
    }

    /// Whether the outcome of an action is still wanted here.
    #[must_use]
    pub fn waits_for(&self, action: &ActionId) -> bool {
        self.actions
            .iter()
            .any(|state| state.id == *action && !state.is_done())
    }

    /// The actions of the step under way whose outcome is not in, as messages:
    /// the same ids and contents whenever it is asked. For a redelivered
    /// notice or outcome, whose first attempt may have stopped anywhere.
    #[must_use]
    pub fn republish(&self) -> Vec<proto::Action> {
        let step = self.current_step();
        self.actions
            .iter()
            .filter(|action| action.step == step && action.is_awaited())
            .filter_map(|action| self.message(action))
            .collect()
    }

    /// The message of one of its actions, once its step has begun.
    #[must_use]
    pub fn action_message(&self, action: &ActionId) -> Option<proto::Action> {
        self.actions
            .iter()
            .find(|state| state.id == *action)
            .and_then(|state| self.message(state))
    }

    fn add_actions(&mut self, step: u32, planned: &[PlannedAction]) {
        let run = self.id();
        for (place, action) in planned.iter().enumerate() {
            let place = index(place);
            let id = match action.effect {
                Effect::PerInstance => {
                    ActionId::per_instance(&self.key, self.generation, &action.kind, self.certainty.as_str())
                }
                Effect::PerAction => ActionId::per_action(&run, step, place),
            };
            self.actions.push(ActionState {
                id,
                step,
                place,
                kind: action.kind.clone(),
                standing: Standing::Planned,
                start_at: None,
                deadline: None,
                close_at: None,
                published_at: None,
            });
        }
    }

    /// The step of `on_cancel` comes after all others.
    fn cancel_step(&self) -> u32 {
        index(self.steps.len())
    }

    fn current_step(&self) -> u32 {
        if self.phase == Phase::Cancelling {
            self.cancel_step()
        } else {
            self.step
        }
    }

    fn planned(&self, action: &ActionState) -> Option<&PlannedAction> {
        planned(&self.steps, &self.on_cancel, action)
    }
}

fn planned<'a>(
    steps: &'a [PlannedStep],
    on_cancel: &'a [PlannedAction],
    action: &ActionState,
) -> Option<&'a PlannedAction> {
    let actions = match steps.get(action.step as usize) {
        Some(step) => step.actions.as_slice(),
        None if action.step as usize == steps.len() => on_cancel,
        None => return None,
    };
    actions.get(action.place as usize)
}

/// Steps and places are bounded by the rule's limits.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
