//! Azure's documents.
//!
//! Shapes: Microsoft, "Azure Metadata Service: Scheduled Events for Linux VMs", "Azure Instance Metadata Service".

use bytes::Bytes;
use hollowtrees_schemas::names::{certainty, kind};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Garbage, Heard, Identity, Of, Pauses, When, Word, is_event, is_word, mail_time, text};
use crate::provider::Provider;

/// What will happen to the machines of this one's scale set or availability set.
pub const EVENTS: &str = "/metadata/scheduledevents";
/// The version of [`EVENTS`] that knows Terminate, EventSource and DurationInSeconds.
pub const EVENTS_QUERY: &str = "api-version=2020-07-01";
/// Who this machine is.
pub const COMPUTE: &str = "/metadata/instance/compute";
/// A version of [`COMPUTE`] that every region has.
pub const COMPUTE_QUERY: &str = "api-version=2021-02-01";

/// The events that name the machine `name` (or none by name), of a document such as `{"DocumentIncarnation": 1,
/// "Events": [{"EventId": "...", "EventStatus": "Scheduled", "EventType": "Preempt", "Resources": ["vm"], "NotBefore":
/// "Tue, 09 Aug 2022 17:07:32 GMT", ...}]}`. `NotBefore` is blank once the event has started; one that is over is not
/// there any more.
///
/// # Errors
/// It is not an object with a list of events.
pub fn events(body: &[u8], name: &str, pauses: Pauses) -> Result<Heard, Garbage> {
    let of = Of(Provider::Azure, EVENTS);
    let mut document: Map<String, Value> = of.json(body)?;
    let Some(Value::Array(events)) = document.remove("Events") else {
        return Err(of.garbage("no list of `Events`", body));
    };
    let mut heard = Heard {
        version: document.get("DocumentIncarnation").and_then(Value::as_u64),
        ..Heard::default()
    };
    for event in events {
        match event {
            Value::Object(detail) if !concerns(&detail, name) => {}
            Value::Object(detail)
                if is_event(text(&detail, "EventId")) && is_word(text(&detail, "EventType")) =>
            {
                heard.words.extend(word(detail, pauses));
            }
            _ => heard.odd = Some(of.garbage("an event without `EventId` or `EventType`", body)),
        }
    }
    Ok(heard)
}

/// What is posted to [`EVENTS`] for an event to start now.
pub fn start_request(event: &str) -> Bytes {
    json!({"StartRequests": [{"EventId": event}]}).to_string().into()
}

/// All machines of a set see the events of all.
fn concerns(event: &Map<String, Value>, name: &str) -> bool {
    match event.get("Resources") {
        Some(Value::Array(names)) if !names.is_empty() => names.iter().any(|resource| {
            resource
                .as_str()
                .is_some_and(|resource| resource.eq_ignore_ascii_case(name))
        }),
        // None is named: better one notice too many.
        _ => true,
    }
}

fn word(detail: Map<String, Value>, pauses: Pauses) -> Option<Word> {
    let action = text(&detail, "EventType").to_ascii_lowercase();
    let (kind, certainty) = match action.as_str() {
        "preempt" => (kind::PREEMPTED, certainty::CERTAIN),
        // Its scale set deletes it.
        "terminate" => (kind::ASG_TERMINATING, certainty::CERTAIN),
        "reboot" | "redeploy" => (kind::SCHEDULED_MAINTENANCE, certainty::SCHEDULED),
        "freeze" => (kind::SCHEDULED_MAINTENANCE, pauses.certainty()?),
        _ => (kind::SCHEDULED_MAINTENANCE, certainty::ADVISORY),
    };
    let begun = text(&detail, "EventStatus").eq_ignore_ascii_case("Started");
    let when = match mail_time(text(&detail, "NotBefore")) {
        Some(time) => When::At(time),
        None if begun => When::Begun,
        None => When::Unknown,
    };
    let status = text(&detail, "EventStatus");
    let over = status.eq_ignore_ascii_case("Completed") || status.eq_ignore_ascii_case("Canceled");
    let id = text(&detail, "EventId").to_owned();
    Some(Word {
        slot: id.clone(),
        kind,
        certainty,
        action,
        event_id: id,
        when,
        stamp: None,
        over,
        detail,
    })
}

/// What Azure calls the parts of the identity.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Compute {
    vm_id: String,
    name: String,
    subscription_id: String,
    location: String,
    zone: String,
    vm_size: String,
}

/// Who this machine is.
///
/// # Errors
/// It is not an object, or has no `vmId`.
pub fn identity(body: &[u8]) -> Result<Identity, Garbage> {
    let of = Of(Provider::Azure, COMPUTE);
    let compute: Compute = of.json(body)?;
    let zone = if compute.zone.is_empty() {
        String::new()
    } else {
        // As Kubernetes labels a node: `westeurope-1`.
        format!("{}-{}", compute.location, compute.zone)
    };
    Identity {
        provider: Provider::Azure,
        instance_id: compute.vm_id,
        name: compute.name,
        account_id: compute.subscription_id,
        region: compute.location,
        availability_zone: zone,
        instance_type: compute.vm_size,
    }
    .checked(of, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(event: &Value) -> Vec<u8> {
        json!({"DocumentIncarnation": 1, "Events": [event]})
            .to_string()
            .into_bytes()
    }

    fn event(kind: &str) -> Value {
        json!({
            "EventId": "C1BF8322-0000-0000-0000-000000000000", "EventStatus": "Scheduled", "EventType": kind,
            "ResourceType": "VirtualMachine", "Resources": ["vm-spot"], "NotBefore": "Tue, 09 Aug 2022 17:07:32 GMT",
            "Description": "", "EventSource": "Platform", "DurationInSeconds": -1,
        })
    }

    #[test]
    fn kinds_of_events() {
        for (name, pauses, expected) in [
            ("Preempt", Pauses::Ignore, Some(("preempted", "certain"))),
            ("Terminate", Pauses::Ignore, Some(("asg-terminating", "certain"))),
            (
                "Reboot",
                Pauses::Ignore,
                Some(("scheduled-maintenance", "scheduled")),
            ),
            (
                "Redeploy",
                Pauses::Ignore,
                Some(("scheduled-maintenance", "scheduled")),
            ),
            ("Freeze", Pauses::Ignore, None),
            (
                "Freeze",
                Pauses::Advisory,
                Some(("scheduled-maintenance", "advisory")),
            ),
            (
                "Freeze",
                Pauses::Scheduled,
                Some(("scheduled-maintenance", "scheduled")),
            ),
            (
                "Melt",
                Pauses::Ignore,
                Some(("scheduled-maintenance", "advisory")),
            ),
        ] {
            let heard = events(&document(&event(name)), "vm-spot", pauses).unwrap();
            let found = heard.words.first().map(|word| (word.kind, word.certainty));
            assert_eq!((found, heard.odd), (expected, None), "{name}");
            if let Some(word) = heard.words.first() {
                assert_eq!(word.action, name.to_lowercase());
                assert!(matches!(word.when, When::At(time) if time.as_second() == 1_660_064_852));
            }
        }
    }

    #[test]
    fn whose_events() {
        let mut event = event("Preempt");
        for (resources, mine) in [
            (json!(["vm-spot"]), true),
            (json!(["other", "VM-SPOT"]), true),
            (json!(["other"]), false),
            (json!([]), true),
            (json!(null), true),
        ] {
            event["Resources"] = resources.clone();
            let heard = events(&document(&event), "vm-spot", Pauses::Ignore).unwrap();
            assert_eq!(heard.words.len() == 1, mine, "{resources}");
        }
    }

    #[test]
    fn states_of_events() {
        let mut event = event("Preempt");
        for (status, not_before, when, over) in [
            ("Started", "", When::Begun, false),
            ("Scheduled", "", When::Unknown, false),
            ("Scheduled", "soon", When::Unknown, false),
            ("Completed", "", When::Unknown, true),
            ("Canceled", "", When::Unknown, true),
        ] {
            event["EventStatus"] = status.into();
            event["NotBefore"] = not_before.into();
            let heard = events(&document(&event), "vm-spot", Pauses::Ignore).unwrap();
            assert_eq!(
                (heard.words[0].when, heard.words[0].over),
                (when, over),
                "{status}"
            );
        }
    }

    #[test]
    fn an_event_that_cannot_be_read_hides_no_other() {
        let body =
            json!({"DocumentIncarnation": 2, "Events": [17, {"Resources": ["vm-spot"]}, event("Reboot")]});
        let heard = events(body.to_string().as_bytes(), "vm-spot", Pauses::Ignore).unwrap();
        assert_eq!(heard.words.len(), 1);
        assert!(heard.odd.unwrap().to_string().contains("without `EventId`"));
        for body in [
            "",
            "[]",
            "{}",
            r#"{"Events": 1}"#,
            r#"{"DocumentIncarnation": 1, "Events": ["#,
        ] {
            assert!(
                events(body.as_bytes(), "vm-spot", Pauses::Ignore).is_err(),
                "{body}"
            );
        }
        let none = br#"{"DocumentIncarnation": 3, "Events": []}"#;
        let nothing = Heard {
            version: Some(3),
            ..Heard::default()
        };
        assert_eq!(events(none, "vm-spot", Pauses::Ignore), Ok(nothing));
        for odd in ["\"3\"", "-3", "3.5", "null"] {
            let body = format!(r#"{{"DocumentIncarnation": {odd}, "Events": []}}"#);
            let heard = events(body.as_bytes(), "vm-spot", Pauses::Ignore);
            assert_eq!(heard, Ok(Heard::default()), "{odd}: of no known version");
        }
    }

    #[test]
    fn identities() {
        let body = br#"{"vmId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6", "name": "aks-spot_3", "location": "westeurope",
            "zone": "2", "vmSize": "Standard_D4s_v5", "subscriptionId": "8d10da13-8125-4ba9-a717-bf7490507b3d",
            "vmScaleSetName": "aks-spot", "priority": "Spot", "tagsList": []}"#;
        let found = identity(body).unwrap();
        assert_eq!(
            (
                found.instance_id.as_str(),
                found.name.as_str(),
                found.region.as_str()
            ),
            ("02aab8a4-74ef-476e-8182-f6d2ba4166a6", "aks-spot_3", "westeurope")
        );
        assert_eq!(found.availability_zone, "westeurope-2");
        assert!(identity(b"{}").is_err() && identity(b"").is_err());
    }
}
