//! Scheduled changes that AWS Health announces.
//!
//! One event may name many instances, in several pages; each is told by itself. A change that Health closes, or an
//! instance that it calls resolved, is a withdrawal: done or called off, nothing more comes of it.

use hollowtrees_schemas::{
    id::Hash,
    names::{certainty, kind, state},
};
use serde_json::Value;

use super::{Deadline, Document, Event, Idle, Origin, Said, Unusable, ec2, field};

const KIND: &str = "AWS Health Event";
/// Longest event id of a notice, in bytes.
const EVENT_ID: usize = 256;

pub(super) fn event(document: Document, origin: &Origin) -> Result<Said, Unusable> {
    let detail = field::detail(&document, KIND)?;
    let is = |key, value: &str| field::text(detail, key) == Some(value);
    if !is("service", "EC2") || !is("eventTypeCategory", "scheduledChange") {
        return Ok(Said::Nothing(Idle::Health));
    }
    let entities = detail
        .get("affectedEntities")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    // Hosts, volumes and whole accounts are affected too; they are no instances.
    let affected: Vec<_> = entities
        .into_iter()
        .filter_map(|entity| Some((instance(&entity)?, entity)))
        .collect();
    if affected.is_empty() {
        return Ok(Said::Nothing(Idle::Health));
    }
    let closed = is("statusCode", "closed");
    let event_id = event_id(field::text(detail, "eventArn").unwrap_or_default());
    let deadline = field::time(detail, "startTime").map_or(Deadline::Unknown, Deadline::At);
    let code = field::text(detail, "eventTypeCode").unwrap_or_default();
    let told = Event {
        kind: kind::SCHEDULED_MAINTENANCE,
        state: state::ACTIVE,
        certainty: certainty::SCHEDULED,
        // The envelope's account and region are where the event was delivered, which may be elsewhere.
        account: field::account(
            detail,
            "affectedAccount",
            &Origin {
                account: field::account(&document, "account", origin),
                ..Origin::default()
            },
        ),
        region: field::region(
            detail,
            "eventRegion",
            &Origin {
                region: field::region(&document, "region", origin),
                ..Origin::default()
            },
        ),
        instance: String::new(),
        event_id,
        action: action(code).to_owned(),
        at: ec2::said_at(&document, origin),
        deadline,
        group: String::new(),
        detail: Document::new(),
    };
    let mut common = document;
    forget_entities(&mut common);
    let events = affected
        .into_iter()
        .map(|(instance, entity)| {
            let resolved = entity
                .get("status")
                .and_then(Value::as_str)
                .is_some_and(|status| status.eq_ignore_ascii_case("RESOLVED"));
            Event {
                state: if closed || resolved {
                    state::CANCELLED
                } else {
                    state::ACTIVE
                },
                detail: about(&common, &instance, entity),
                instance,
                ..told.clone()
            }
        })
        .collect();
    Ok(Said::Events(events))
}

/// The instance of an entity: by its id, or by its ARN.
fn instance(entity: &Value) -> Option<String> {
    let value = entity.get("entityValue")?.as_str()?;
    let id = value.rsplit('/').next().unwrap_or(value);
    field::is_instance(id).then(|| id.to_owned())
}

/// What the metadata service calls it (`events/maintenance/scheduled`, field `Code`), so that rules have one word for
/// both; the code itself is in the detail.
fn action(code: &str) -> &'static str {
    let words = [
        ("TERMINATION", "terminate"),
        ("RETIREMENT", "instance-retirement"),
        ("INSTANCE_STOP", "instance-stop"),
        ("SYSTEM_REBOOT", "system-reboot"),
        ("REBOOT", "instance-reboot"),
    ];
    words
        .iter()
        .find(|(part, _)| code.contains(part))
        .map_or("system-maintenance", |(_, word)| word)
}

/// The ARN, or where it is too long for a notice a hash of it.
fn event_id(arn: &str) -> String {
    if arn.len() <= EVENT_ID {
        arn.to_owned()
    } else {
        Hash::new("health event").field(arn).finish()
    }
}

fn forget_entities(document: &mut Document) {
    document.remove("resources");
    if let Some(Value::Object(detail)) = document.get_mut("detail") {
        detail.remove("affectedEntities");
    }
}

/// The event as it concerns this instance.
fn about(common: &Document, instance: &str, entity: Value) -> Document {
    let mut document = common.clone();
    document.insert("resources".to_owned(), Value::Array(vec![instance.into()]));
    if let Some(Value::Object(detail)) = document.get_mut("detail") {
        detail.insert("affectedEntities".to_owned(), Value::Array(vec![entity]));
    }
    document
}
