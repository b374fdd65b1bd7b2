//! Where one action of a run stands, and when it is due.

use hollowtrees_schemas::id::ActionId;
use hollowtrees_schemas::proto;
use jiff::Timestamp;

use super::plan::PlannedAction;
use crate::limits::{
    CLOSE_AFTER_DEADLINE, EXPIRE_AFTER_DEADLINE, MESSAGE_BYTES_MAX, PUBLISH_AGAIN_AFTER, REASON_BYTES_MAX,
    TIMEOUT_PER_ACTION, TIMEOUT_WITHOUT_DEADLINE,
};
use crate::record::{RecordError, cut, minus, plus, time, word};
use crate::words::{Effect, Outcome, WhenExpired};
use hollowtrees_schemas::proto::time::to_proto;

/// The final outcome of an action, as much of it as a run keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The result.
    pub result: Outcome,
    /// One word a program can match.
    pub reason: String,
    /// The beginning of a sentence for a person.
    pub message: String,
    /// When it ended.
    pub at: Timestamp,
}

impl Ended {
    /// An end, its texts cut to what a record keeps.
    #[must_use]
    pub fn new(result: Outcome, reason: &str, message: &str, at: Timestamp) -> Self {
        let reason = cut(reason, REASON_BYTES_MAX);
        Self {
            result,
            reason,
            message: cut(message, MESSAGE_BYTES_MAX),
            at,
        }
    }

    /// The end an outcome message tells of; none for `progress` and for words
    /// of a newer release. `at` where the message has no time.
    #[must_use]
    pub fn of(outcome: &proto::Outcome, at: Timestamp) -> Option<Self> {
        let result = outcome.result.parse().ok()?;
        let ended_at = outcome.times.as_ref().and_then(|times| times.ended_at.as_ref());
        let at = time("ended_at", ended_at).ok().flatten().unwrap_or(at);
        Some(Self::new(result, &outcome.reason, &outcome.message, at))
    }
}

/// Where an action stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// In the plan, or its step has begun and its publication is not noted.
    Planned,
    /// On its stream.
    Published,
    /// Somebody is at it: at its deadline it is not expired, and a withdrawal
    /// leaves it to end by itself. Its outcome stays due.
    Started,
    /// Its one outcome is in.
    Done(Ended),
}

/// An action of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionState {
    /// Its id, the same for every run that asks for the same effect.
    pub id: ActionId,
    /// Index of its step; the number of steps for those of `on_cancel`.
    pub step: u32,
    /// Index within its step.
    pub place: u32,
    /// Kind of the action.
    pub kind: String,
    /// Where it stands.
    pub standing: Standing,
    /// When its step began; unset before.
    pub start_at: Option<Timestamp>,
    /// The last moment of an effect, pinned when the step began.
    pub deadline: Option<Timestamp>,
    /// When the outcome is due, pinned when the step began.
    pub close_at: Option<Timestamp>,
    /// When it was noted as published.
    pub published_at: Option<Timestamp>,
}

impl ActionState {
    /// Whether its outcome is in.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.standing, Standing::Done(_))
    }

    /// The outcome, once it is in.
    #[must_use]
    pub fn ended(&self) -> Option<&Ended> {
        match &self.standing {
            Standing::Done(ended) => Some(ended),
            Standing::Planned | Standing::Published | Standing::Started => None,
        }
    }

    /// Whether its step has begun and its outcome is awaited.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.start_at.is_some() && !self.is_done()
    }

    /// Sets start and limits from the incident's deadline:
    ///
    /// - per instance: deadline = incident's - reserve; none where none is known;
    /// - per action: the incident's deadline or `timeout` (60 s) after the
    ///   start, whichever is later: people are told also when it is too late;
    /// - `close_at`: five minutes after the deadline (or the start, if that is
    ///   later); `timeout` (1 h) after the start where there is no deadline.
    pub(super) fn pin(&mut self, plan: &PlannedAction, start: Timestamp, incident: Option<Timestamp>) {
        self.start_at = Some(start);
        self.deadline = match plan.effect {
            Effect::PerInstance => incident.map(|deadline| minus(deadline, plan.deadline_reserve)),
            Effect::PerAction => {
                let own = plus(start, plan.timeout.unwrap_or(TIMEOUT_PER_ACTION));
                Some(incident.map_or(own, |deadline| deadline.max(own)))
            }
        };
        self.close_at = Some(match self.deadline {
            Some(deadline) => plus(deadline.max(start), CLOSE_AFTER_DEADLINE),
            None => plus(start, plan.timeout.unwrap_or(TIMEOUT_WITHOUT_DEADLINE)),
        });
    }

    /// When nobody may start it any more; none where it runs late or runs.
    pub(super) fn expires_at(&self, plan: &PlannedAction) -> Option<Timestamp> {
        let waits = matches!(self.standing, Standing::Planned | Standing::Published);
        (waits && plan.when_expired == WhenExpired::Skip)
            .then_some(self.deadline.zip(self.start_at))
            .flatten()
            .map(|(deadline, start)| plus(deadline.max(start), EXPIRE_AFTER_DEADLINE))
    }

    /// When it is published again, its publication never having been noted.
    pub(super) fn publish_again_at(&self) -> Option<Timestamp> {
        let start = self.start_at?;
        matches!(self.standing, Standing::Planned).then(|| plus(start, PUBLISH_AGAIN_AFTER))
    }

    /// The next moment the router has to look at it.
    pub(super) fn due_at(&self, plan: &PlannedAction) -> Option<Timestamp> {
        if !self.is_awaited() {
            return None;
        }
        [self.close_at, self.expires_at(plan), self.publish_again_at()]
            .into_iter()
            .flatten()
            .min()
    }
}

impl From<&ActionState> for proto::ActionState {
    fn from(action: &ActionState) -> Self {
        let ended = action.ended();
        Self {
            id: action.id.to_string(),
            step: action.step,
            place: action.place,
            kind: action.kind.clone(),
            state: match action.standing {
                Standing::Planned => "planned",
                Standing::Published => "published",
                Standing::Started => "started",
                Standing::Done(_) => "done",
            }
            .to_owned(),
            result: ended.map(|ended| ended.result.to_string()).unwrap_or_default(),
            reason: ended.map(|ended| ended.reason.clone()).unwrap_or_default(),
            message: ended.map(|ended| ended.message.clone()).unwrap_or_default(),
            start_at: action.start_at.map(to_proto),
            deadline: action.deadline.map(to_proto),
            close_at: action.close_at.map(to_proto),
            published_at: action.published_at.map(to_proto),
            ended_at: ended.map(|ended| to_proto(ended.at)),
        }
    }
}

impl TryFrom<proto::ActionState> for ActionState {
    type Error = RecordError;

    fn try_from(action: proto::ActionState) -> Result<Self, RecordError> {
        let standing = match action.state.as_str() {
            "planned" => Standing::Planned,
            "published" => Standing::Published,
            "started" => Standing::Started,
            "done" => Standing::Done(Ended {
                result: word("actions.result", &action.result)?,
                reason: action.reason,
                message: action.message,
                at: crate::record::required_time("actions.ended_at", action.ended_at.as_ref())?,
            }),
            other => {
                return Err(RecordError::corrupt(
                    "actions.state",
                    format!("`{other}` is not known"),
                ));
            }
        };
        Ok(Self {
            id: word("actions.id", &action.id)?,
            step: action.step,
            place: action.place,
            kind: action.kind,
            standing,
            start_at: time("actions.start_at", action.start_at.as_ref())?,
            deadline: time("actions.deadline", action.deadline.as_ref())?,
            close_at: time("actions.close_at", action.close_at.as_ref())?,
            published_at: time("actions.published_at", action.published_at.as_ref())?,
        })
    }
}
