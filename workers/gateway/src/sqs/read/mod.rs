//! From the body of a message to what it says: pure, so that every shape can be a table.
//!
//! | module | what it does |
//! |---|---|
//! | `unwrap` | takes off what others wrapped around an event: SNS, Pipes, records, text in text |
//! | `ec2` | interruptions, recommendations, changes of state |
//! | `health` | scheduled changes of AWS Health |
//! | `lifecycle` | lifecycle actions of Auto Scaling, by EventBridge or direct |
//! | `field` | fields, checked |
//!
//! Shapes: EC2 user guide, "Spot Instance interruption notices", "EC2 instance rebalance recommendations", "Monitor
//! interruptible Capacity Reservations", "State change events"; AWS Health user guide, "AWS Health events Amazon
//! EventBridge schema"; EC2 Auto Scaling user guide, "EventBridge event reference", "Lifecycle hook notifications".

mod ec2;
mod field;
mod health;
mod lifecycle;
mod unwrap;

use jiff::Timestamp;
use lifecycle::Way;
use serde_json::{Map, Value};

/// A JSON object.
pub(crate) type Document = Map<String, Value>;

/// What a queue and its message say of an event that does not say it itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Account of the queue.
    pub account: String,
    /// Region of the queue.
    pub region: String,
    /// When the message was sent.
    pub sent_at: Option<Timestamp>,
    /// Whether hooks of launches are to be told.
    pub launches: bool,
}

/// What one event says of one instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Kind of the notice, one of our constants.
    pub kind: &'static str,
    /// One of `hollowtrees_schemas::names::state`.
    pub state: &'static str,
    /// One of `hollowtrees_schemas::names::certainty`.
    pub certainty: &'static str,
    /// Account of the instance; empty where unknown.
    pub account: String,
    /// Region of the instance; empty where unknown.
    pub region: String,
    /// Its id.
    pub instance: String,
    /// The provider's id of what happens, the same from whichever way it comes; empty where another origin that says
    /// the same knows none (spot interruptions and recommendations: the metadata service has no id for them).
    pub event_id: String,
    /// What the provider does: `terminate`, `stop`, `hibernate`; for maintenance the code of the metadata service.
    pub action: String,
    /// When the provider said so.
    pub at: Option<Timestamp>,
    /// When the instance goes.
    pub deadline: Deadline,
    /// Its auto-scaling group, where the event names it.
    pub group: String,
    /// The event as it came, what it says of other instances left out.
    pub detail: Document,
}

/// When the instance goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deadline {
    /// The provider does not say.
    Unknown,
    /// Then.
    At(Timestamp),
    /// When this hook of the event's group has waited its time since the event; to be looked up.
    Hook(String),
}

/// What is known and of no interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Idle {
    /// An instance that starts or runs.
    StateChange,
    /// The test of a hook or of a notification.
    TestNotification,
    /// A hook for an instance that starts.
    Launch,
    /// Auto Scaling tells what it did.
    ScalingActivity,
    /// A call seen by CloudTrail, Auto Scaling's failures among them.
    CloudTrail,
    /// AWS Health, but no scheduled change of an instance.
    Health,
    /// The reservation, not an instance in it; a spot request.
    Reservation,
    /// SNS about itself.
    Subscription,
    /// A list of nothing.
    Empty,
}

impl Idle {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::StateChange,
        Self::TestNotification,
        Self::Launch,
        Self::ScalingActivity,
        Self::CloudTrail,
        Self::Health,
        Self::Reservation,
        Self::Subscription,
        Self::Empty,
    ];

    /// Its word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StateChange => "state-change",
            Self::TestNotification => "test-notification",
            Self::Launch => "launch",
            Self::ScalingActivity => "scaling-activity",
            Self::CloudTrail => "cloudtrail",
            Self::Health => "health",
            Self::Reservation => "reservation",
            Self::Subscription => "subscription",
            Self::Empty => "empty",
        }
    }
}

/// Why something in a body cannot be used. Nothing of the body is in it but names that AWS gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is no JSON.
    #[error("it is no JSON ({0})")]
    NotJson(String),
    /// It is JSON of a shape that nobody here knows.
    #[error(
        "it is neither an event of EventBridge nor a lifecycle notification of Auto Scaling, nor either of them in SNS, \
         Pipes or a list; is something else sent to this queue?"
    )]
    Shape,
    /// Wrapped in more layers than anybody makes.
    #[error("it is wrapped more than {0} times")]
    TooDeep(usize),
    /// More than anybody sends at once.
    #[error("it holds more than {0} events")]
    TooMany(usize),
    /// An event of a type that no rule of ours asks for.
    #[error(
        "events `{kind}` of `{source_name}` are unknown here; narrow the EventBridge rule that sends them"
    )]
    Type {
        /// `source`
        source_name: String,
        /// `detail-type`
        kind: String,
    },
    /// A field is missing or cannot be right.
    #[error("`{kind}`: field `{field}` is missing, or is not {wanted}")]
    Field {
        /// Which event.
        kind: &'static str,
        /// Which field.
        field: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
}

impl Unusable {
    /// Whether it could be read at all.
    pub fn is_readable(&self) -> bool {
        !matches!(self, Self::NotJson(_))
    }
}

/// All that one body says. Nothing in it is left without a word: each event of a list is in one of these.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contents {
    /// To be told.
    pub events: Vec<Event>,
    /// To be counted.
    pub idle: Vec<Idle>,
    /// To be kept for a person.
    pub unusable: Vec<Unusable>,
}

/// Reads the body of a message. Never fails as a whole: one bad event of a list leaves the others.
#[must_use]
pub fn contents(body: &str, origin: &Origin) -> Contents {
    let mut contents = Contents::default();
    for found in unwrap::documents(body) {
        match found {
            Ok(unwrap::Found::Event(document)) => match event(document, origin) {
                Ok(Said::Events(events)) => contents.events.extend(events),
                Ok(Said::Nothing(idle)) => contents.idle.push(idle),
                Err(unusable) => contents.unusable.push(unusable),
            },
            Ok(unwrap::Found::Idle(idle)) => contents.idle.push(idle),
            Err(unusable) => contents.unusable.push(unusable),
        }
    }
    contents
}

/// What one document says.
#[derive(Debug)]
enum Said {
    Events(Vec<Event>),
    Nothing(Idle),
}

fn event(document: Document, origin: &Origin) -> Result<Said, Unusable> {
    if !document.contains_key("detail-type") && !document.contains_key("detail_type") {
        return lifecycle::direct(document, origin);
    }
    let source = field::text(&document, "source").unwrap_or_default();
    // Examples of some events in the EC2 guide write it with an underscore.
    let kind = field::text(&document, "detail-type")
        .or_else(|| field::text(&document, "detail_type"))
        .unwrap_or_default();
    match (source, kind) {
        (_, kind) if kind.ends_with("via CloudTrail") => Ok(Said::Nothing(Idle::CloudTrail)),
        ("aws.ec2", "EC2 Spot Instance Interruption Warning") => ec2::spot(document, origin),
        ("aws.ec2", "EC2 Instance Rebalance Recommendation") => ec2::rebalance(document, origin),
        ("aws.ec2", "EC2 Instance State-change Notification") => ec2::state_change(document, origin),
        (
            "aws.ec2",
            "EC2 Capacity Reservation Instance Interruption Warning"
            | "EC2 Interruptible Capacity Reservation Instance Interruption Warning",
        ) => ec2::reservation(document, origin),
        ("aws.ec2", kind)
            if ["EC2 Capacity", "Capacity", "EC2 Interruptible", "EC2 Spot"]
                .iter()
                .any(|start| kind.starts_with(start)) =>
        {
            Ok(Said::Nothing(Idle::Reservation))
        }
        ("aws.health", _) => health::event(document, origin),
        ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action") => {
            lifecycle::bridged(document, Way::Terminating, origin)
        }
        ("aws.autoscaling", "EC2 Instance-launch Lifecycle Action") => {
            lifecycle::bridged(document, Way::Launching, origin)
        }
        ("aws.autoscaling", _) => Ok(Said::Nothing(Idle::ScalingActivity)),
        (source, kind) => Err(Unusable::Type {
            source_name: field::short(source),
            kind: field::short(kind),
        }),
    }
}

#[cfg(test)]
mod tests;
