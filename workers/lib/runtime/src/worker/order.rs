//! An action as it came off the stream, parsed once.

use std::{sync::Arc, time::Duration};

use hollowtrees_bus::Delivery;
use hollowtrees_schemas::{
    envelope::Envelope,
    id::{ActionId, IncidentKey},
    key,
    names::{effect, header, mode, when_expired},
    proto::{self, time},
    subject::Subject,
};
use jiff::{SignedDuration, Timestamp};

/// What runs against: nothing but the loop looks at the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Live,
    DryRun,
    Test,
}

/// An action that can be worked on.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) action: Arc<proto::Action>,
    pub(crate) id: ActionId,
    /// Key of its record in `ht_ledger`.
    pub(crate) ledger_key: String,
    /// Key of its incident in `ht_incidents`.
    pub(crate) incident_key: String,
    pub(crate) mode: Mode,
    pub(crate) start_at: Option<Timestamp>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) close_at: Option<Timestamp>,
    pub(crate) reserve: SignedDuration,
    /// Run it even when its deadline passed before it started.
    pub(crate) run_expired: bool,
    pub(crate) redrive: u32,
    /// Its deadline does not follow the incident's: it is no effect on the old node (per action), undoes one
    /// (on cancel), or got another by a redrive.
    pub(crate) own_deadline: bool,
    pub(crate) published_at: Timestamp,
    pub(crate) accepted_at: Timestamp,
}

/// Why a message is no action.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadOrder {
    #[error("this is no CloudEvent with an action ({0}); see docs/custom-consumers.md for the form")]
    Undecodable(String),
    #[error("the action's {field} is {value:?}: {remedy}")]
    Invalid {
        field: &'static str,
        value: String,
        remedy: &'static str,
    },
}

/// What a saga is given to finish or undo what it began, however late it is taken up again.
const SAGA_RECOVERY: Duration = Duration::from_secs(10 * 60);

impl Order {
    pub(crate) fn parse(delivery: &Delivery) -> Result<Self, BadOrder> {
        let envelope = Envelope::<proto::Action>::decode(&delivery.wire)
            .map_err(|error| BadOrder::Undecodable(error.to_string()))?;
        let mut action = envelope.data;
        let invalid = |field, value: &str, remedy| BadOrder::Invalid {
            field,
            value: value.to_owned(),
            remedy,
        };

        let id: ActionId = action.id.parse().map_err(|_| {
            invalid(
                "id",
                &action.id,
                "it must be the 32 hex digits that the router gives it",
            )
        })?;
        for (field, value) in [
            ("cluster", &action.cluster),
            ("instance", &action.instance),
            ("kind", &action.kind),
        ] {
            if value.is_empty() {
                return Err(invalid(field, value, "it must not be empty"));
            }
        }
        let named = Subject::Action {
            cluster: action.cluster.clone(),
            action: action.kind.clone(),
            instance: action.instance.clone(),
        };
        // Permissions are given by subject: data must not say it is of another cluster, kind or instance.
        if delivery.subject.parse().as_ref() != Ok(&named) {
            return Err(invalid(
                "subject",
                &delivery.subject,
                "it must be the one its cluster, kind and instance make",
            ));
        }
        let mode = match action.mode.as_str() {
            "" | mode::LIVE => Mode::Live,
            mode::DRY_RUN => Mode::DryRun,
            mode::TEST => Mode::Test,
            other => return Err(invalid("mode", other, "it must be live, dry-run or test")),
        };
        let run_expired = match action.when_expired.as_str() {
            "" | when_expired::SKIP => false,
            when_expired::RUN => true,
            other => return Err(invalid("when_expired", other, "it must be skip or run")),
        };
        let at = |field, value: Option<&pbjson_types::Timestamp>| {
            value
                .map(time::from_proto)
                .transpose()
                .map_err(|error| invalid(field, &error.to_string(), "it must be a time of this era"))
        };
        let start_at = at("start_at", action.start_at.as_ref())?;
        let close_at = at("close_at", action.close_at.as_ref())?;
        let mut deadline = at("deadline", action.deadline.as_ref())?;
        let reserve = action
            .deadline_reserve
            .as_ref()
            .map(time::duration_from_proto)
            .transpose()
            .map_err(|error| invalid("deadline_reserve", &error.to_string(), "it must be a short time"))?
            .unwrap_or(SignedDuration::ZERO);

        let extra = |name: &str| {
            delivery
                .wire
                .headers
                .iter()
                .find(|(header, _)| header.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        let redrive = extra(header::REDRIVE)
            .and_then(|value| value.parse().ok())
            .unwrap_or(action.redrive);
        action.redrive = redrive;
        let redriven_deadline = extra(header::DEADLINE).and_then(|value| value.parse::<Timestamp>().ok());
        if redriven_deadline.is_some() {
            deadline = redriven_deadline;
        }

        let incident = IncidentKey::new(&action.cluster, &action.instance, &action.mode);
        Ok(Self {
            ledger_key: key::ledger(&action.cluster, &id),
            incident_key: key::incident(&incident),
            id,
            mode,
            start_at,
            deadline,
            // A redriven action has a life of its own, not what is left of the first one's.
            close_at: if redrive > 0 { None } else { close_at },
            reserve,
            run_expired,
            redrive,
            own_deadline: redriven_deadline.is_some()
                || action.on_cancel
                || action.effect == effect::PER_ACTION,
            published_at: delivery.stored_at,
            accepted_at: delivery.received_at,
            action: Arc::new(action),
        })
    }

    /// The deadline as the incident has it now; the action's own where the incident says nothing of it.
    pub(crate) fn deadline_under(&self, incident: Option<&proto::Incident>) -> Option<Timestamp> {
        let Some(incident) = incident.filter(|incident| self.belongs_to(incident)) else {
            return self.deadline;
        };
        if self.own_deadline {
            return self.deadline;
        }
        incident
            .deadline
            .as_ref()
            .and_then(|deadline| time::from_proto(deadline).ok())
            .and_then(|deadline| deadline.checked_sub(self.reserve).ok())
            .or(self.deadline)
    }

    /// When it may start, if not yet.
    pub(crate) fn starts_later(&self, now: Timestamp) -> Option<Timestamp> {
        self.start_at.filter(|start_at| *start_at > now)
    }

    /// Whether this record is the episode the action was planned for.
    pub(crate) fn belongs_to(&self, incident: &proto::Incident) -> bool {
        incident.generation == self.action.generation
    }

    /// When the outcome is due under the deadline there is now: as the router pinned it, and later by as much as the
    /// deadline has moved on since. Where there was none it is no earlier than the one there is.
    fn closes_at(&self, deadline: Option<Timestamp>) -> Option<Timestamp> {
        let close_at = self.close_at?;
        let Some(deadline) = deadline else {
            return Some(close_at);
        };
        let Some(pinned) = self.deadline else {
            return Some(close_at.max(deadline));
        };
        // It is counted from the start where that is later.
        let counted = |deadline: Timestamp| self.start_at.map_or(deadline, |start_at| deadline.max(start_at));
        let moved = counted(deadline).duration_since(counted(pinned));
        let later = close_at.checked_add(moved.max(SignedDuration::ZERO));
        Some(later.unwrap_or(close_at))
    }

    /// How long one handler may take from `now`: until the outcome is due under this deadline, and never longer than
    /// `limit`. A saga that was left open has [`SAGA_RECOVERY`] at least.
    pub(crate) fn time_limit(
        &self,
        now: Timestamp,
        deadline: Option<Timestamp>,
        limit: Duration,
        open_saga: bool,
    ) -> Duration {
        let least = if open_saga { SAGA_RECOVERY } else { Duration::ZERO };
        self.closes_at(deadline).map_or(limit, |close_at| {
            Duration::try_from(close_at.duration_since(now))
                .unwrap_or_default()
                .max(least)
                .min(limit)
        })
    }
}
