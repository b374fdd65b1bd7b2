//! Lifecycle actions of Auto Scaling: an instance waits in a hook, and goes when the hook is answered or its time over.
//!
//! They come by EventBridge, or directly (to SQS or SNS as the hook's notification target) without an envelope. Both
//! carry the action's token, which makes them one fact.

use hollowtrees_schemas::names::{certainty, kind, state};

use super::{Deadline, Document, Event, Idle, Origin, Said, Unusable, ec2, field};

const KIND: &str = "EC2 Instance-terminate Lifecycle Action";
const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";
const LAUNCHING: &str = "autoscaling:EC2_INSTANCE_LAUNCHING";
const TEST: &str = "autoscaling:TEST_NOTIFICATION";

/// By EventBridge.
pub(super) fn terminate(document: Document, origin: &Origin) -> Result<Said, Unusable> {
    let detail = field::detail(&document, KIND)?;
    let told = Event {
        account: field::account(&document, "account", origin),
        region: field::region(&document, "region", origin),
        at: ec2::said_at(&document, origin),
        ..action(detail)?
    };
    Ok(Said::Events(vec![Event {
        detail: document,
        ..told
    }]))
}

/// Directly.
pub(super) fn direct(document: Document, origin: &Origin) -> Result<Said, Unusable> {
    let transition = field::text(&document, "LifecycleTransition");
    let event = field::text(&document, "Event");
    if [transition, event].contains(&Some(TEST)) {
        return Ok(Said::Nothing(Idle::TestNotification));
    }
    match (transition, event) {
        (Some(LAUNCHING), _) => Ok(Said::Nothing(Idle::Launch)),
        (Some(TERMINATING), _) => {
            let told = Event {
                account: field::account(&document, "AccountId", origin),
                region: origin.region.clone(),
                at: field::time(&document, "Time").or(origin.sent_at),
                ..action(&document)?
            };
            Ok(Said::Events(vec![Event {
                detail: document,
                ..told
            }]))
        }
        // Notifications of a group, which need no hook: after the fact.
        (None, Some(event)) if event.starts_with("autoscaling:") => Ok(Said::Nothing(Idle::ScalingActivity)),
        _ => Err(Unusable::Field {
            kind: KIND,
            field: "LifecycleTransition",
            wanted: "that of a launch or a termination",
        }),
    }
}

/// Its own fields, the same in both.
fn action(detail: &Document) -> Result<Event, Unusable> {
    let hook = field::name(detail, "LifecycleHookName");
    let group = field::name(detail, "AutoScalingGroupName");
    Ok(Event {
        kind: kind::ASG_TERMINATING,
        state: state::ACTIVE,
        certainty: certainty::CERTAIN,
        account: String::new(),
        region: String::new(),
        instance: field::instance(detail, KIND, "EC2InstanceId")?,
        event_id: field::word(detail, "LifecycleActionToken"),
        action: "terminate".to_owned(),
        at: None,
        deadline: if hook.is_empty() || group.is_empty() {
            Deadline::Unknown
        } else {
            Deadline::Hook(hook)
        },
        group,
        detail: Document::new(),
    })
}
