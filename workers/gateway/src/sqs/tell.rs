//! From an event, and what is known of its instance, to a notice: pure.

use std::{collections::BTreeMap, time::Duration};

use hollowtrees_aws::Machine;
use hollowtrees_domain::limits::{LABEL_BYTES_MAX, LABELS_MAX, TEXT_BYTES_MAX};
use hollowtrees_schemas::{envelope, names::mode, proto, proto::time::to_proto};
use jiff::{SignedDuration, Timestamp};

use super::read::{Deadline, Event};
use super::route::account;

/// What is left of an event in a notice at most, in bytes as JSON: the stream takes 256 KiB in all.
const DETAIL: usize = 96 * 1024;

/// When the instance goes. `hook`: how long the event's hook waits, where that is known.
#[must_use]
pub fn deadline(event: &Event, hook: Option<Duration>) -> Option<Timestamp> {
    match &event.deadline {
        Deadline::Unknown => None,
        Deadline::At(at) => Some(*at),
        Deadline::Hook(_) => {
            let waits = SignedDuration::try_from(hook?).ok()?;
            event.at?.checked_add(waits).ok()
        }
    }
}

/// The notice for one cluster, with its `ce-source`: `/aws/<account>/<region>/<way>`, whichever queue, topic or process had
/// it.
#[must_use]
pub fn notice(
    event: &Event,
    machine: Option<&Machine>,
    cluster: &str,
    hook: Option<Duration>,
    way: &str,
) -> (proto::Notice, String) {
    let account = account(event, machine);
    let source = envelope::source(&["aws", account, &event.region, way]);
    let known = machine.cloned().unwrap_or_default();
    let notice = proto::Notice {
        cluster: cluster.to_owned(),
        provider: "aws".to_owned(),
        account: account.to_owned(),
        region: event.region.clone(),
        zone: known.zone,
        instance: event.instance.clone(),
        kind: event.kind.to_owned(),
        state: event.state.to_owned(),
        certainty: event.certainty.to_owned(),
        mode: mode::LIVE.to_owned(),
        event_id: event.event_id.clone(),
        provider_action: event.action.clone(),
        noticed_at: event.at.map(to_proto),
        deadline: deadline(event, hook).map(to_proto),
        node: known.private_name,
        group: if known.group.is_empty() {
            event.group.clone()
        } else {
            known.group
        },
        instance_type: known.instance_type,
        labels: labels(&known.tags),
        // What has no place in a message is left out: the notice counts.
        detail: detail(event),
    };
    (notice, source)
}

/// The instance's tags, as many as a notice takes.
fn labels(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    tags.iter()
        .filter(|(key, value)| key.len() <= TEXT_BYTES_MAX && value.len() <= LABEL_BYTES_MAX)
        .take(LABELS_MAX)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn detail(event: &Event) -> Option<pbjson_types::Struct> {
    let value = serde_json::Value::Object(event.detail.clone());
    let fits = serde_json::to_vec(&value).is_ok_and(|text| text.len() <= DETAIL);
    if !fits {
        return None;
    }
    serde_json::from_value(value).ok()
}
