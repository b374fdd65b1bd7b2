//! What the times in a message say, in seconds. Pure.
//!
//! Times are those of the origin (noticed), of the worker, whose clock is held against the bus server's (accepted,
//! cordoned, ended, deadline), and of the bus itself (stored, published).

use hollowtrees_schemas::{
    names::{kind, reason, result},
    proto::{self, time},
};
use jiff::Timestamp;

/// Of a notice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OfNotice {
    /// From the origin's look to the bus.
    pub(crate) delay: Option<f64>,
    /// From the bus to the deadline; below zero: it came too late.
    pub(crate) lead: Option<f64>,
}

/// Of a final outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OfOutcome {
    /// From the notice to a worker's hands.
    pub(crate) accepted: Option<f64>,
    /// From the notice to the cordon.
    pub(crate) cordoned: Option<f64>,
    /// From the notice to the end of a drain.
    pub(crate) drained: Option<f64>,
    /// From the notice to the end.
    pub(crate) ended: Option<f64>,
    /// From the action on the bus to the outcome on the bus.
    pub(crate) turnaround: Option<f64>,
    /// From the end to the deadline; below zero: by so much too late.
    pub(crate) left: Option<f64>,
}

fn at(time: Option<&pbjson_types::Timestamp>) -> Option<Timestamp> {
    time.and_then(|time| time::from_proto(time).ok())
}

fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    Some(to?.duration_since(from?).as_secs_f64())
}

pub(crate) fn of_notice(notice: &proto::Notice, stored_at: Timestamp) -> OfNotice {
    let stored_at = Some(stored_at);
    OfNotice {
        delay: between(at(notice.noticed_at.as_ref()), stored_at),
        lead: between(stored_at, at(notice.deadline.as_ref())),
    }
}

pub(crate) fn of_outcome(outcome: &proto::Outcome, stored_at: Timestamp) -> OfOutcome {
    let times = outcome.times.unwrap_or_default();
    let noticed_at = at(times.noticed_at.as_ref());
    // A consumer of one's own may not tell when it ended; the bus knows when it said so.
    let ended_at = Some(at(times.ended_at.as_ref()).unwrap_or(stored_at));
    let ended = between(noticed_at, ended_at);
    OfOutcome {
        accepted: between(noticed_at, at(times.accepted_at.as_ref())),
        cordoned: between(noticed_at, at(times.cordoned_at.as_ref())),
        drained: ended.filter(|_| outcome.kind == kind::DRAIN),
        ended,
        turnaround: between(at(times.published_at.as_ref()), Some(stored_at)),
        left: between(ended_at, at(outcome.deadline.as_ref())),
    }
}

/// Whether time ran out for it: it ended after its deadline, or says so.
pub(crate) fn missed(outcome: &proto::Outcome, left: Option<f64>) -> bool {
    match outcome.result.as_str() {
        result::EXPIRED => true,
        result::FAILED => outcome.reason == reason::DEADLINE || left.is_some_and(|left| left < 0.0),
        result::SUCCEEDED => left.is_some_and(|left| left < 0.0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use hollowtrees_schemas::proto::time::to_proto;

    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn told(at: i64) -> Option<pbjson_types::Timestamp> {
        Some(to_proto(second(at)))
    }

    #[test]
    fn a_drain_tells_its_whole_way() {
        let outcome = proto::Outcome {
            kind: kind::DRAIN.to_owned(),
            result: result::SUCCEEDED.to_owned(),
            deadline: told(220),
            times: Some(proto::Times {
                noticed_at: told(100),
                published_at: told(101),
                accepted_at: told(102),
                cordoned_at: told(103),
                ended_at: told(150),
                ..proto::Times::default()
            }),
            ..proto::Outcome::default()
        };
        let lead = of_outcome(&outcome, second(151));
        let expected = OfOutcome {
            accepted: Some(2.0),
            cordoned: Some(3.0),
            drained: Some(50.0),
            ended: Some(50.0),
            turnaround: Some(50.0),
            left: Some(70.0),
        };
        assert_eq!(lead, expected);
        assert!(!missed(&outcome, lead.left));

        let late = proto::Outcome {
            deadline: told(140),
            ..outcome.clone()
        };
        let lead = of_outcome(&late, second(151));
        assert_eq!(lead.left, Some(-10.0));
        assert!(missed(&late, lead.left));

        let bare = proto::Outcome {
            times: None,
            deadline: told(160),
            kind: "own".to_owned(),
            ..outcome
        };
        let lead = of_outcome(&bare, second(151));
        assert_eq!((lead.ended, lead.left, lead.drained), (None, Some(9.0), None));
    }

    #[test]
    fn what_was_called_off_missed_nothing() {
        for (result, reason, left, expected) in [
            ("cancelled", "", Some(-5.0), false),
            ("skipped", "", Some(-5.0), false),
            ("expired", "deadline", None, true),
            ("failed", "deadline", Some(1.0), true),
            ("failed", "denied", Some(1.0), false),
        ] {
            let outcome = proto::Outcome {
                result: result.to_owned(),
                reason: reason.to_owned(),
                ..proto::Outcome::default()
            };
            assert_eq!(missed(&outcome, left), expected, "{result} {reason}");
        }
    }

    #[test]
    fn a_notice_may_come_after_its_deadline() {
        let notice = proto::Notice {
            noticed_at: told(100),
            deadline: told(103),
            ..proto::Notice::default()
        };
        let lead = of_notice(&notice, second(105));
        assert_eq!((lead.delay, lead.lead), (Some(5.0), Some(-2.0)));
        let bare = of_notice(&proto::Notice::default(), second(105));
        assert_eq!((bare.delay, bare.lead), (None, None));
    }
}
