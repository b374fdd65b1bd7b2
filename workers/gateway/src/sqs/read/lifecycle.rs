//! Lifecycle actions of Auto Scaling: an instance waits in a hook, and goes, or comes into service, when the hook is answered
//! or its time over.
//!
//! They come by EventBridge, or directly (to SQS or SNS as the hook's notification target) without an envelope. Both
//! carry the action's token, which makes them one fact.

use hollowtrees_schemas::names::{certainty, kind, state};

use super::{Deadline, Document, Event, Idle, Origin, Said, Unusable, ec2, field};

const TEST: &str = "autoscaling:TEST_NOTIFICATION";

/// What an instance waits for.
#[derive(Clone, Copy)]
pub(super) enum Way {
    Launching,
    Terminating,
}

impl Way {
    fn of(transition: &str) -> Option<Self> {
        match transition {
            "autoscaling:EC2_INSTANCE_LAUNCHING" => Some(Self::Launching),
            "autoscaling:EC2_INSTANCE_TERMINATING" => Some(Self::Terminating),
            _ => None,
        }
    }

    /// The `detail-type`.
    const fn event(self) -> &'static str {
        match self {
            Self::Launching => "EC2 Instance-launch Lifecycle Action",
            Self::Terminating => "EC2 Instance-terminate Lifecycle Action",
        }
    }
}

/// By EventBridge.
pub(super) fn bridged(document: Document, way: Way, origin: &Origin) -> Result<Said, Unusable> {
    let detail = field::detail(&document, way.event())?;
    let told = Event {
        account: field::account(&document, "account", origin),
        region: field::region(&document, "region", origin),
        at: ec2::said_at(&document, origin),
        ..action(detail, way)?
    };
    Ok(said(told, document, way, origin))
}

/// Directly.
pub(super) fn direct(document: Document, origin: &Origin) -> Result<Said, Unusable> {
    let transition = field::text(&document, "LifecycleTransition");
    let event = field::text(&document, "Event");
    if [transition, event].contains(&Some(TEST)) {
        return Ok(Said::Nothing(Idle::TestNotification));
    }
    if let Some(way) = transition.and_then(Way::of) {
        let told = Event {
            account: field::account(&document, "AccountId", origin),
            region: origin.region.clone(),
            at: field::time(&document, "Time").or(origin.sent_at),
            ..action(&document, way)?
        };
        return Ok(said(told, document, way, origin));
    }
    match (transition, event) {
        // Notifications of a group, which need no hook: after the fact.
        (None, Some(event)) if event.starts_with("autoscaling:") => Ok(Said::Nothing(Idle::ScalingActivity)),
        _ => Err(Unusable::Field {
            kind: Way::Terminating.event(),
            field: "LifecycleTransition",
            wanted: "that of a launch or a termination",
        }),
    }
}

fn said(told: Event, document: Document, way: Way, origin: &Origin) -> Said {
    if matches!(way, Way::Launching) && !origin.launches {
        return Said::Nothing(Idle::Launch);
    }
    Said::Events(vec![Event {
        detail: document,
        ..told
    }])
}

/// Its own fields, the same in both. A launch has no deadline: what comes need not be done with anything.
fn action(detail: &Document, way: Way) -> Result<Event, Unusable> {
    let hook = field::name(detail, "LifecycleHookName");
    let group = field::name(detail, "AutoScalingGroupName");
    let (kind, certainty, action) = match way {
        Way::Launching => (kind::ASG_LAUNCHING, certainty::ADVISORY, "launch"),
        Way::Terminating => (kind::ASG_TERMINATING, certainty::CERTAIN, "terminate"),
    };
    Ok(Event {
        kind,
        state: state::ACTIVE,
        certainty,
        account: String::new(),
        region: String::new(),
        instance: field::instance(detail, way.event(), "EC2InstanceId")?,
        event_id: field::word(detail, "LifecycleActionToken"),
        action: action.to_owned(),
        at: None,
        deadline: match way {
            Way::Terminating if !hook.is_empty() && !group.is_empty() => Deadline::Hook(hook),
            Way::Terminating | Way::Launching => Deadline::Unknown,
        },
        group,
        detail: Document::new(),
    })
}
