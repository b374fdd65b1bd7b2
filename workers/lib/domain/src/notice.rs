//! One notice, checked and with its defaults filled in.

mod bounds;

use hollowtrees_schemas::id::{IncidentKey, NoticeId};
use hollowtrees_schemas::names::kind;
use hollowtrees_schemas::proto;
use jiff::{SignedDuration, Timestamp};

use crate::limits;
use hollowtrees_schemas::proto::time::{from_proto, to_proto};

use crate::words::{Certainty, Mode, NoticeState};

/// Why a notice is refused. It goes to the dead letters with this sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("notice field `{field}`: {problem}")]
pub struct Invalid {
    /// The field, as it is named in `notice.proto`.
    pub field: &'static str,
    /// What is wrong with it and what it should be.
    pub problem: String,
}

/// A notice that can be merged and matched without further checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Hash of its content.
    pub id: NoticeId,
    /// The incident it belongs to.
    pub key: IncidentKey,
    /// Whether its fact stands.
    pub state: NoticeState,
    /// The given certainty, or the kind's default.
    pub certainty: Certainty,
    /// What may be touched.
    pub mode: Mode,
    /// When the origin saw it, never after [`Notice::received_at`].
    pub noticed_at: Timestamp,
    /// When the bus stored it.
    pub received_at: Timestamp,
    /// The given deadline, or the provider's notice period after `noticed_at`
    /// for a kind that has one.
    pub deadline: Option<Timestamp>,
    /// `ce-source` of its envelope.
    pub source: String,
    /// The message, with the defaults above written in: what rules match.
    pub message: proto::Notice,
}

impl Notice {
    /// Checks a notice from the bus. `source` is its `ce-source`, `received_at`
    /// the time of its message on the stream: the same message read twice
    /// gives the same notice.
    ///
    /// # Errors
    /// The first field that is missing, unknown or too large.
    pub fn parse(message: proto::Notice, source: &str, received_at: Timestamp) -> Result<Self, Invalid> {
        bounds::check(&message)?;
        let id = NoticeId::of(&message);
        let mut message = message;
        let state: NoticeState = word("state", &message.state, || NoticeState::Active)?;
        let certainty: Certainty = word("certainty", &message.certainty, || {
            default_certainty(&message.kind)
        })?;
        let mode: Mode = word("mode", &message.mode, || Mode::Live)?;
        let noticed_at = time("noticed_at", message.noticed_at.as_ref())?
            .map_or(received_at, |noticed_at| noticed_at.min(received_at));
        let deadline = match time("deadline", message.deadline.as_ref())? {
            None if state == NoticeState::Active => notice_period(&message.provider, &message.kind)
                .and_then(|period| noticed_at.checked_add(period).ok()),
            given => given,
        };
        state.as_str().clone_into(&mut message.state);
        certainty.as_str().clone_into(&mut message.certainty);
        mode.as_str().clone_into(&mut message.mode);
        message.noticed_at = Some(to_proto(noticed_at));
        message.deadline = deadline.map(to_proto);
        Ok(Self {
            id,
            key: IncidentKey::from(&message),
            state,
            certainty,
            mode,
            noticed_at,
            received_at,
            deadline,
            source: source.to_owned(),
            message,
        })
    }
}

/// What is known of a kind whose notice does not say: certain are those that
/// announce what already happens, all of one's own are advice.
#[must_use]
pub fn default_certainty(notice_kind: &str) -> Certainty {
    match notice_kind {
        kind::SPOT_INTERRUPTION
        | kind::PREEMPTED
        | kind::ASG_TERMINATING
        | kind::INSTANCE_STATE_CHANGE
        | kind::CAPACITY_RESERVATION_INTERRUPTION => Certainty::Certain,
        kind::SCHEDULED_MAINTENANCE => Certainty::Scheduled,
        _ => Certainty::Advisory,
    }
}

/// Whether a notice of this kind says that an instance comes, and not that it goes. Such a notice begins an incident of its
/// own, which says nothing against the instance, and is only for rules that ask for its kind.
#[must_use]
pub fn announces_arrival(notice_kind: &str) -> bool {
    notice_kind == kind::ASG_LAUNCHING
}

/// Whether a notice of this kind is only for rules that ask for it and for none of those that say that an instance goes: nothing
/// takes the instance away, so that a rule for all there is must not empty it.
#[must_use]
pub fn is_only_if_asked_for(notice_kind: &str) -> bool {
    announces_arrival(notice_kind) || notice_kind == kind::SPOT_AGAIN
}

/// How long the provider leaves where its notice names no time; only kinds
/// that take an instance back at once have one.
#[must_use]
pub fn notice_period(provider: &str, notice_kind: &str) -> Option<SignedDuration> {
    match (notice_kind, provider) {
        (kind::SPOT_INTERRUPTION | kind::PREEMPTED, "aws") => Some(limits::EC2_SPOT_NOTICE),
        (kind::SPOT_INTERRUPTION | kind::PREEMPTED, "gcp" | "azure") => Some(limits::PREEMPTION_NOTICE),
        _ => None,
    }
}

fn word<W>(field: &'static str, text: &str, default: impl FnOnce() -> W) -> Result<W, Invalid>
where
    W: std::str::FromStr<Err = crate::words::UnknownWord>,
{
    if text.is_empty() {
        return Ok(default());
    }
    text.parse().map_err(|error: crate::words::UnknownWord| Invalid {
        field,
        problem: error.to_string(),
    })
}

fn time(field: &'static str, value: Option<&pbjson_types::Timestamp>) -> Result<Option<Timestamp>, Invalid> {
    value
        .map(|value| {
            from_proto(value).map_err(|error| Invalid {
                field,
                problem: error.to_string(),
            })
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn spot() -> proto::Notice {
        proto::Notice {
            cluster: "prod".into(),
            provider: "aws".into(),
            instance: "i-1".into(),
            kind: "spot-interruption".into(),
            noticed_at: Some(to_proto(at(0))),
            ..Default::default()
        }
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut proto::Notice), expected: &str) {
        let mut message = spot();
        change(&mut message);
        let error = Notice::parse(message, "/test", at(5)).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn refusals_name_the_field_and_the_remedy() {
        refused(|n| n.cluster.clear(), "`cluster`: is empty");
        refused(|n| n.instance.clear(), "`instance`: is empty");
        refused(|n| n.kind.clear(), "`kind`: is empty");
        refused(
            |n| n.state = "gone".into(),
            "`state`: expected `active`, `cancelled` or `resolved`, found `gone`",
        );
        refused(
            |n| n.certainty = "sure".into(),
            "`certainty`: expected `advisory`",
        );
        refused(|n| n.mode = "real".into(), "`mode`: expected `live`");
        refused(
            |n| n.instance = "x".repeat(129),
            "`instance`: has 129 bytes, at most 128",
        );
        refused(|n| n.event_id = "x".repeat(257), "`event_id`: has 257 bytes");
        refused(
            |n| n.labels.extend((0..65).map(|i| (i.to_string(), String::new()))),
            "`labels`: has 65",
        );
        refused(
            |n| {
                n.noticed_at = Some(pbjson_types::Timestamp {
                    seconds: i64::MAX,
                    nanos: 0,
                });
            },
            "`noticed_at`",
        );
    }

    #[track_caller]
    fn defaults(provider: &str, kind: &str, certainty: Certainty, deadline: Option<i64>) {
        let message = proto::Notice {
            provider: provider.into(),
            kind: kind.into(),
            ..spot()
        };
        let notice = Notice::parse(message, "/test", at(5)).unwrap();
        assert_eq!(
            (notice.certainty, notice.deadline),
            (certainty, deadline.map(at)),
            "{provider} {kind}"
        );
        assert_eq!(notice.message.certainty, certainty.as_str());
    }

    #[test]
    fn kinds_have_defaults() {
        defaults("aws", "spot-interruption", Certainty::Certain, Some(120));
        defaults("gcp", "preempted", Certainty::Certain, Some(30));
        defaults("azure", "preempted", Certainty::Certain, Some(30));
        defaults("elsewhere", "preempted", Certainty::Certain, None);
        defaults("aws", "rebalance-recommendation", Certainty::Advisory, None);
        defaults("azure", "scheduled-maintenance", Certainty::Scheduled, None);
        defaults("aws", "asg-terminating", Certainty::Certain, None);
        defaults("aws", "one-of-mine", Certainty::Advisory, None);
    }

    #[test]
    fn a_clock_ahead_of_the_bus_does_not_count() {
        let message = proto::Notice {
            noticed_at: Some(to_proto(at(100))),
            ..spot()
        };
        let notice = Notice::parse(message, "/test", at(5)).unwrap();
        assert_eq!((notice.noticed_at, notice.deadline), (at(5), Some(at(125))));
        let message = proto::Notice {
            noticed_at: None,
            ..spot()
        };
        assert_eq!(Notice::parse(message, "/test", at(7)).unwrap().noticed_at, at(7));
    }

    #[test]
    fn modes_are_incidents_of_their_own() {
        let message = proto::Notice {
            mode: "test".into(),
            ..spot()
        };
        let test = Notice::parse(message, "/test", at(5)).unwrap();
        let live = Notice::parse(spot(), "/test", at(5)).unwrap();
        assert_ne!(test.key, live.key);
    }
}
