//! What a run does about an event.

use hollowtrees_schemas::id::ActionId;
use hollowtrees_schemas::proto;
use jiff::Timestamp;

use super::{ActionState, Ended, PlannedStep, Run, Standing};
use crate::incident::Incident;
use crate::limits::WAIT_FOR_DEADLINE;
use crate::record::{minus, plus};
use crate::settle::Why;
use crate::target;
use crate::words::{Effect, OnFailure, Outcome, Phase, RunResult};

/// Something that happened to a run.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// It was planned.
    Created,
    /// These actions are on their stream.
    Published(&'a [ActionId]),
    /// Somebody is at this action: the ledger says so, or a `progress` fact.
    Started(&'a ActionId),
    /// The one outcome of an action is known.
    OutcomeIn {
        /// The action.
        action: &'a ActionId,
        /// Its end.
        ended: &'a Ended,
    },
    /// [`Run::due_at`] came.
    Due,
    /// Its incident as it is now.
    IncidentChanged(&'a Incident),
}

/// Something to be done for a run, after the run as decided was written: a
/// process that stops in between leaves a record that says what is missing.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Put these on their stream, then tell [`Event::Published`].
    Publish(Vec<proto::Action>),
    /// End this action in the ledger as [`crate::settle::settle`] says.
    Settle {
        /// The action.
        action: Box<proto::Action>,
        /// The reason to end it.
        why: Why,
    },
    /// Tell that the run finished.
    Finish(RunResult),
}

/// A run after an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The run as it is now; equal to the one before where nothing changed.
    pub run: Run,
    /// What is to be done.
    pub commands: Vec<Command>,
}

impl Run {
    /// Applies an event at a moment. Harmless when applied twice.
    #[must_use]
    pub fn decide(&self, event: Event<'_>, now: Timestamp) -> Decision {
        let mut run = self.clone();
        let mut commands = Vec::new();
        match event {
            Event::Created => {}
            Event::Published(ids) => run.note_published(ids, now),
            Event::Started(id) => {
                // Of a step whose time has come and that has not begun yet.
                run.advance(now, &mut commands);
                run.note_started(id);
            }
            Event::OutcomeIn { action, ended } => run.note_outcome(action, ended),
            Event::Due => run.look_at_due(now, &mut commands),
            Event::IncidentChanged(incident) => run.follow(incident, now, &mut commands),
        }
        run.advance(now, &mut commands);
        Decision { run, commands }
    }

    /// The next moment to decide on [`Event::Due`]; none once finished.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        if self.is_finished() {
            return None;
        }
        let step = (self.phase == Phase::Running && !self.has_begun(self.step)).then(|| {
            self.step_due(self.step)
                .unwrap_or_else(|| plus(self.started_at, WAIT_FOR_DEADLINE))
        });
        let actions = self
            .actions
            .iter()
            .filter_map(|action| action.due_at(self.planned(action)?));
        actions.chain(step).min()
    }

    fn note_published(&mut self, ids: &[ActionId], now: Timestamp) {
        for action in self.actions.iter_mut().filter(|action| ids.contains(&action.id)) {
            // A fast worker's first word may be known before its action is noted as published.
            let noted = action.published_at.is_some() || action.is_done() || action.start_at.is_none();
            if !noted {
                action.published_at = Some(now);
                if action.standing == Standing::Planned {
                    action.standing = Standing::Published;
                }
            }
        }
    }

    fn note_started(&mut self, id: &ActionId) {
        for action in self.actions.iter_mut().filter(|action| action.id == *id) {
            if action.is_awaited() {
                action.standing = Standing::Started;
            }
        }
    }

    fn note_outcome(&mut self, id: &ActionId, ended: &Ended) {
        for action in self
            .actions
            .iter_mut()
            .filter(|action| action.id == *id && !action.is_done())
        {
            action.standing = Standing::Done(ended.clone());
        }
    }

    /// Closes, expires or publishes again what is overdue. An overdue action
    /// of a withdrawn incident is cancelled rather than expired.
    fn look_at_due(&self, now: Timestamp, commands: &mut Vec<Command>) {
        let mut again = Vec::new();
        for action in self.actions.iter().filter(|action| action.is_awaited()) {
            let Some(plan) = self.planned(action) else {
                continue;
            };
            let withdrawn = self.phase == Phase::Cancelling && action.step < self.cancel_step();
            let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
            if passed(action.close_at) {
                let started = action.standing == Standing::Started;
                let why = if started { Why::Stalled } else { Why::Overdue };
                self.settle(action, why, commands);
            } else if withdrawn && (passed(action.expires_at(plan)) || passed(action.publish_again_at())) {
                self.settle(action, Why::Withdrawn, commands);
            } else if passed(action.expires_at(plan)) {
                self.settle(action, Why::Expired, commands);
            } else if passed(action.publish_again_at()) {
                again.extend(self.message(action));
            }
        }
        if !again.is_empty() {
            commands.push(Command::Publish(again));
        }
    }

    fn settle(&self, action: &ActionState, why: Why, commands: &mut Vec<Command>) {
        if let Some(action) = self.message(action) {
            commands.push(Command::Settle {
                action: Box::new(action),
                why,
            });
        }
    }

    /// Takes over what changed at the incident.
    fn follow(&mut self, incident: &Incident, now: Timestamp, commands: &mut Vec<Command>) {
        if incident.key != self.key || incident.generation < self.generation {
            return;
        }
        // A later generation only begins when this one was withdrawn or closed;
        // whoever is still running then was withdrawn.
        let superseded = incident.generation > self.generation;
        if superseded && self.is_finished() {
            return;
        }
        if superseded || incident.withdrawn() {
            self.withdraw(now, commands);
            return;
        }
        if self.phase != Phase::Running {
            return;
        }
        self.target = target::join(&self.target, &incident.target);
        if self.deadline == incident.deadline {
            return;
        }
        self.deadline = incident.deadline;
        let Self {
            actions,
            steps,
            on_cancel,
            ..
        } = self;
        for action in actions.iter_mut().filter(|action| action.is_awaited()) {
            let plan = super::planned(steps, on_cancel, action);
            if let Some((plan, start)) = plan.zip(action.start_at) {
                action.pin(plan, start, incident.deadline);
            }
        }
    }

    /// The incident was withdrawn: no new steps, what waits in a queue is
    /// cancelled, what runs (by the ledger, or by a `progress` fact of who
    /// keeps none) ends by itself, and `on_cancel` follows, also where the run
    /// had finished.
    pub(super) fn withdraw(&mut self, now: Timestamp, commands: &mut Vec<Command>) {
        match self.phase {
            Phase::Finished if self.on_cancel.is_empty() || self.result == Some(RunResult::Cancelled) => {
                return;
            }
            Phase::Finished => {
                self.finished_at = None;
                self.result = None;
            }
            Phase::Running | Phase::Cancelling => {}
        }
        self.phase = Phase::Cancelling;
        let on_cancel = self.cancel_step();
        for action in &mut self.actions {
            if action.start_at.is_none() && !action.is_done() {
                let message = "The incident was withdrawn before the step began.";
                action.standing =
                    Standing::Done(Ended::new(Outcome::Cancelled, "incident-withdrawn", message, now));
            }
        }
        for action in self
            .actions
            .iter()
            .filter(|action| action.is_awaited() && action.step < on_cancel)
            .filter(|action| action.standing != Standing::Started)
        {
            self.settle(action, Why::Withdrawn, commands);
        }
    }

    /// Goes on as far as the outcomes that are in allow.
    fn advance(&mut self, now: Timestamp, commands: &mut Vec<Command>) {
        while self.phase == Phase::Running {
            if self.step >= self.cancel_step() {
                self.finish(self.verdict(), now, commands);
            } else if !self.has_begun(self.step) {
                match self.step_due(self.step) {
                    Some(at) if at <= now => self.begin(self.step, self.deadline, now, commands),
                    None if plus(self.started_at, WAIT_FOR_DEADLINE) <= now => self.skip_steps(
                        self.step,
                        self.step,
                        "no-deadline",
                        "No deadline became known to start ahead of.",
                        now,
                    ),
                    _ => return,
                }
            } else if self.is_complete(self.step) {
                self.leave_step(now);
            } else {
                return;
            }
        }
        let last = self.cancel_step();
        if self.phase == Phase::Cancelling && self.actions.iter().all(|action| action.is_done()) {
            let has_run = self.actions.iter().any(|action| action.step == last);
            if self.on_cancel.is_empty() || has_run {
                self.finish(RunResult::Cancelled, now, commands);
            } else {
                let on_cancel = self.on_cancel.clone();
                self.add_actions(last, &on_cancel);
                self.begin(last, None, now, commands);
            }
        }
    }

    /// Pins the limits of a step's actions and asks for their publication.
    fn begin(&mut self, step: u32, deadline: Option<Timestamp>, now: Timestamp, commands: &mut Vec<Command>) {
        let Self {
            actions,
            steps,
            on_cancel,
            ..
        } = self;
        for action in actions
            .iter_mut()
            .filter(|action| action.step == step && !action.is_done())
        {
            if let Some(plan) = super::planned(steps, on_cancel, action) {
                action.pin(plan, now, deadline);
            }
        }
        let of_step = self
            .actions
            .iter()
            .filter(|action| action.step == step && action.is_awaited());
        let messages: Vec<_> = of_step.filter_map(|action| self.message(action)).collect();
        if !messages.is_empty() {
            commands.push(Command::Publish(messages));
        }
    }

    fn leave_step(&mut self, now: Timestamp) {
        let of_step = || self.actions.iter().filter(|action| action.step == self.step);
        let failed = of_step().any(|action| self.went_wrong(action));
        let skipped = of_step().any(|action| {
            let ended = action.ended();
            ended.is_some_and(|ended| ended.result == Outcome::Skipped)
        });
        let step = self.steps.get(self.step as usize);
        let stops = |of: fn(&PlannedStep) -> OnFailure| step.is_some_and(|step| of(step) == OnFailure::Stop);
        let why = if failed && stops(|step| step.on_failure) {
            Some((
                "earlier-step-failed",
                "An earlier step failed and the rule says to stop then.",
            ))
        } else if skipped && stops(|step| step.on_skipped) {
            Some((
                "earlier-step-skipped",
                "Something of an earlier step was skipped and the rule says to stop then.",
            ))
        } else {
            None
        };
        self.step = self.step.saturating_add(1);
        if let Some((reason, why)) = why {
            self.skip_steps(self.step, self.cancel_step(), reason, why, now);
            self.step = self.cancel_step();
        }
    }

    fn skip_steps(&mut self, from: u32, to: u32, reason: &str, message: &str, now: Timestamp) {
        for action in self
            .actions
            .iter_mut()
            .filter(|action| (from..=to).contains(&action.step))
        {
            if !action.is_done() {
                action.standing = Standing::Done(Ended::new(Outcome::Skipped, reason, message, now));
            }
        }
    }

    fn finish(&mut self, result: RunResult, now: Timestamp, commands: &mut Vec<Command>) {
        self.phase = Phase::Finished;
        self.result = Some(result);
        self.finished_at = Some(now);
        commands.push(Command::Finish(result));
    }

    /// A run fails with any failed action, and with an effect on the instance
    /// that nobody began in time. A message that nobody delivered in time does
    /// not fail it: its own outcome says so.
    fn verdict(&self) -> RunResult {
        let failed = self.actions.iter().any(|action| {
            let per_instance = self
                .planned(action)
                .is_some_and(|plan| plan.effect == Effect::PerInstance);
            match action.ended().map(|ended| ended.result) {
                Some(Outcome::Failed | Outcome::Cancelled) => true,
                Some(Outcome::Expired) => per_instance,
                Some(Outcome::Succeeded | Outcome::Skipped) | None => false,
            }
        });
        if failed {
            RunResult::Failed
        } else {
            RunResult::Succeeded
        }
    }

    /// Whether an outcome counts as the failure of its step.
    fn went_wrong(&self, action: &ActionState) -> bool {
        action
            .ended()
            .is_some_and(|ended| !matches!(ended.result, Outcome::Succeeded | Outcome::Skipped))
    }

    /// When a step may begin; none while a deadline it counts from is unknown.
    fn step_due(&self, step: u32) -> Option<Timestamp> {
        match self.steps.get(step as usize)?.before_deadline {
            Some(before) => self.deadline.map(|deadline| minus(deadline, before)),
            None => Some(self.started_at),
        }
    }

    fn has_begun(&self, step: u32) -> bool {
        let mut of_step = self.actions.iter().filter(|action| action.step == step);
        of_step.any(|action| action.start_at.is_some()) || self.is_complete(step)
    }

    fn is_complete(&self, step: u32) -> bool {
        self.actions
            .iter()
            .filter(|action| action.step == step)
            .all(ActionState::is_done)
    }
}
