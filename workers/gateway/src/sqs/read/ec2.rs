//! What EC2 says of an instance.

use hollowtrees_schemas::names::{certainty, kind, state};
use jiff::{SignedDuration, Timestamp};

use super::{Deadline, Document, Event, Idle, Origin, Said, Unusable, field};

/// From a warning to the end of the instance: EC2 user guide, "Spot Instance interruption notices" (two minutes), and
/// the same for interruptible capacity reservations.
const WARNING: SignedDuration = SignedDuration::from_secs(120);

const SPOT: &str = "EC2 Spot Instance Interruption Warning";
const REBALANCE: &str = "EC2 Instance Rebalance Recommendation";
const STATE_CHANGE: &str = "EC2 Instance State-change Notification";
const RESERVATION: &str = "EC2 Capacity Reservation Instance Interruption Warning";

/// A spot instance goes, two minutes after the event; at once where it hibernates.
pub(super) fn spot(document: Document, origin: &Origin) -> Result<Said, Unusable> {
    let detail = field::detail(&document, SPOT)?;
    let instance = field::instance(detail, SPOT, "instance-id")?;
    let action = field::word(detail, "instance-action");
    let at = said_at(&document, origin);
    // Hibernation begins with the notice.
    let period = match action.as_str() {
        "hibernate" => SignedDuration::ZERO,
        _ => WARNING,
    };
    one(Event {
        kind: kind::SPOT_INTERRUPTION,
        certainty: certainty::CERTAIN,
        deadline: after(at, period),
        action,
        ..plain(instance, at, document, origin)
    })
}

/// A spot instance may go.
pub(super) fn rebalance(document: Document, origin: &Origin) -> Result<Said, Unusable> {
    let detail = field::detail(&document, REBALANCE)?;
    let instance = field::instance(detail, REBALANCE, "instance-id")?;
    let at = said_at(&document, origin);
    one(Event {
        kind: kind::REBALANCE_RECOMMENDATION,
        certainty: certainty::ADVISORY,
        ..plain(instance, at, document, origin)
    })
}

/// An instance is on its way out, or gone. It may stop again after a start, so the event's own id is part of it.
pub(super) fn state_change(document: Document, origin: &Origin) -> Result<Said, Unusable> {
    let detail = field::detail(&document, STATE_CHANGE)?;
    let action = match field::text(detail, "state").unwrap_or_default() {
        "stopping" | "stopped" => "stop",
        "shutting-down" | "terminated" => "terminate",
        "pending" | "running" => return Ok(Said::Nothing(Idle::StateChange)),
        _ => {
            return Err(Unusable::Field {
                kind: STATE_CHANGE,
                field: "state",
                wanted: "a state of an instance",
            });
        }
    };
    let instance = field::instance(detail, STATE_CHANGE, "instance-id")?;
    let at = said_at(&document, origin);
    one(Event {
        kind: kind::INSTANCE_STATE_CHANGE,
        certainty: certainty::CERTAIN,
        event_id: field::word(&document, "id"),
        action: action.to_owned(),
        ..plain(instance, at, document, origin)
    })
}

/// The owner of a capacity reservation wants it back, or it ends.
pub(super) fn reservation(document: Document, origin: &Origin) -> Result<Said, Unusable> {
    let detail = field::detail(&document, RESERVATION)?;
    let instance = field::instance(detail, RESERVATION, "instance-id")?;
    let action = field::word(detail, "instance-action");
    let at = said_at(&document, origin);
    let deadline =
        field::time(detail, "instance-termination-time").map_or_else(|| after(at, WARNING), Deadline::At);
    one(Event {
        kind: kind::CAPACITY_RESERVATION_INTERRUPTION,
        certainty: certainty::CERTAIN,
        deadline,
        action,
        ..plain(instance, at, document, origin)
    })
}

/// When the event says it was made, else when its message was sent.
pub(super) fn said_at(document: &Document, origin: &Origin) -> Option<Timestamp> {
    field::time(document, "time").or(origin.sent_at)
}

fn after(at: Option<Timestamp>, period: SignedDuration) -> Deadline {
    at.and_then(|at| at.checked_add(period).ok())
        .map_or(Deadline::Unknown, Deadline::At)
}

fn one(event: Event) -> Result<Said, Unusable> {
    Ok(Said::Events(vec![event]))
}

/// An event of which no more is known than where and when.
fn plain(instance: String, at: Option<Timestamp>, document: Document, origin: &Origin) -> Event {
    Event {
        kind: "",
        state: state::ACTIVE,
        certainty: certainty::ADVISORY,
        account: field::account(&document, "account", origin),
        region: field::region(&document, "region", origin),
        instance,
        event_id: String::new(),
        action: String::new(),
        at,
        deadline: Deadline::Unknown,
        group: String::new(),
        detail: document,
    }
}
