//! EC2's documents.
//!
//! Shapes: AWS, "Instance metadata categories", "Spot Instance interruption notices", "EC2 instance rebalance
//! recommendations", "Scheduled events for your instances", "Retrieve the target lifecycle state through instance
//! metadata", "Instance identity documents".

use hollowtrees_schemas::names::{certainty, kind};
use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::{Garbage, Heard, Identity, Of, When, Word, identity, is_event, is_word, mail_time, text, time};
use crate::provider::Provider;

/// Where a notice of interruption appears.
pub const INSTANCE_ACTION: &str = "/latest/meta-data/spot/instance-action";
/// Where it appears since 2015, for terminations only.
pub const TERMINATION_TIME: &str = "/latest/meta-data/spot/termination-time";
/// Where a rebalance recommendation appears.
pub const REBALANCE: &str = "/latest/meta-data/events/recommendations/rebalance";
/// Where reboots, stops and the retirement of the hardware are announced.
pub const MAINTENANCE: &str = "/latest/meta-data/events/maintenance/scheduled";
/// What its auto-scaling group wants of it.
pub const LIFECYCLE: &str = "/latest/meta-data/autoscaling/target-lifecycle-state";
/// Who this instance is.
pub const IDENTITY: &str = "/latest/dynamic/instance-identity/document";
/// The instance's id, where there is no identity document.
pub const INSTANCE_ID: &str = "/latest/meta-data/instance-id";

/// What will be done with a spot instance: `{"action": "terminate", "time": "2017-09-18T08:22:00Z"}`. A time that
/// cannot be read leaves the action standing.
///
/// # Errors
/// It is not an object, or has no action.
pub fn instance_action(body: &[u8]) -> Result<Heard, Garbage> {
    let of = Of(Provider::Aws, INSTANCE_ACTION);
    let detail: Map<String, Value> = of.json(body)?;
    let action = text(&detail, "action");
    if !is_word(action) {
        return Err(of.garbage("no `action` of at most 64 characters", body));
    }
    // "When a Spot Instance is hibernated, you receive an interruption notice, but you do not receive it two minutes
    // in advance because the hibernation process begins immediately."
    let when = match time(text(&detail, "time")) {
        _ if action == "hibernate" => When::In(SignedDuration::ZERO),
        Some(time) => When::At(time),
        None => When::Unknown,
    };
    Ok(vec![interruption(action.to_owned(), when, detail)].into())
}

/// The time at which it is terminated, as text: `2015-01-05T18:02:00Z`. Anything else means that it is not ("the item
/// is not present or contains a value that is not a time value").
///
/// # Errors
/// Never; the same shape as the others.
pub fn termination_time(body: &[u8]) -> Result<Heard, Garbage> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let word = |time| {
        let detail = Map::from_iter([("termination-time".to_owned(), Value::from(text.trim()))]);
        interruption("terminate".to_owned(), When::At(time), detail)
    };
    Ok(time(text).map(word).into_iter().collect::<Vec<_>>().into())
}

pub(super) fn interruption(action: String, when: When, detail: Map<String, Value>) -> Word {
    Word {
        slot: String::new(),
        kind: kind::SPOT_INTERRUPTION,
        certainty: certainty::CERTAIN,
        action,
        event_id: String::new(),
        when,
        stamp: None,
        over: false,
        detail,
    }
}

/// EC2 would rather move it: `{"noticeTime": "2020-10-27T08:22:00Z"}`.
///
/// # Errors
/// It is not an object with a `noticeTime`.
pub fn rebalance(body: &[u8]) -> Result<Heard, Garbage> {
    let of = Of(Provider::Aws, REBALANCE);
    let detail: Map<String, Value> = of.json(body)?;
    if !detail.contains_key("noticeTime") {
        return Err(of.garbage("no `noticeTime`", body));
    }
    Ok(vec![Word {
        slot: String::new(),
        kind: kind::REBALANCE_RECOMMENDATION,
        certainty: certainty::ADVISORY,
        action: String::new(),
        event_id: String::new(),
        when: When::Unknown,
        stamp: time(text(&detail, "noticeTime")),
        over: false,
        detail,
    }]
    .into())
}

/// Scheduled events: `[{"Code": "system-reboot", "EventId": "instance-event-...", "NotBefore": "21 Jan 2019 09:00:43
/// GMT", "State": "active", ...}]`. `NotBefore` is when it goes. A state of `canceled` or `completed`, or a description
/// that says so, means that it is over. A bare object counts as a list of one, as emulators serve it.
///
/// # Errors
/// It is not a list.
pub fn maintenance(body: &[u8]) -> Result<Heard, Garbage> {
    let of = Of(Provider::Aws, MAINTENANCE);
    let events = match of.json(body)? {
        Value::Array(events) => events,
        one @ Value::Object(_) => vec![one],
        _ => return Err(of.garbage("not a list", body)),
    };
    let mut heard = Heard::default();
    for event in events {
        match event {
            Value::Object(detail) if is_word(text(&detail, "Code")) && is_event(text(&detail, "EventId")) => {
                heard.words.push(scheduled(detail));
            }
            _ => heard.odd = Some(of.garbage("an event without `Code` or `EventId`", body)),
        }
    }
    Ok(heard)
}

fn scheduled(detail: Map<String, Value>) -> Word {
    let id = text(&detail, "EventId").to_owned();
    let description = text(&detail, "Description").to_ascii_lowercase();
    let says_over = |word: &str| {
        text(&detail, "State").eq_ignore_ascii_case(word) || description.starts_with(&format!("[{word}]"))
    };
    Word {
        slot: id.clone(),
        kind: kind::SCHEDULED_MAINTENANCE,
        certainty: certainty::SCHEDULED,
        action: text(&detail, "Code").to_owned(),
        event_id: id,
        when: mail_time(text(&detail, "NotBefore")).map_or(When::Unknown, When::At),
        stamp: None,
        over: says_over("canceled") || says_over("completed"),
        detail,
    }
}

/// What its group wants of it: `InService`, `Terminated`, `Detached`, `Standby`, `Warmed:Hibernated`, ... How long the
/// lifecycle hook gives it is not said.
///
/// # Errors
/// It is not one word.
pub fn lifecycle(body: &[u8]) -> Result<Heard, Garbage> {
    let state = Of(Provider::Aws, LIFECYCLE).word(body)?;
    let action = match state {
        "Terminated" | "Warmed:Terminated" => "terminate",
        "Warmed:Stopped" => "stop",
        "Warmed:Hibernated" => "hibernate",
        // It stays, in its group or out of it.
        _ => return Ok(Heard::default()),
    };
    Ok(vec![Word {
        slot: String::new(),
        kind: kind::ASG_TERMINATING,
        certainty: certainty::CERTAIN,
        action: action.to_owned(),
        event_id: String::new(),
        when: When::Unknown,
        stamp: None,
        over: false,
        detail: Map::from_iter([("target-lifecycle-state".to_owned(), Value::from(state))]),
    }]
    .into())
}

/// The identity document.
///
/// # Errors
/// It is not an object, or has no instance id.
pub fn identity(body: &[u8]) -> Result<Identity, Garbage> {
    identity::of_document(Of(Provider::Aws, IDENTITY), body)
}

/// From the bare instance id.
///
/// # Errors
/// It is not one word.
pub fn instance_id(body: &[u8]) -> Result<Identity, Garbage> {
    let id = Of(Provider::Aws, INSTANCE_ID).word(body)?;
    Ok(Identity::bare(Provider::Aws, id))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// Action and time (seconds) of the only word.
    fn one(heard: Result<Heard, Garbage>) -> Option<(String, Option<i64>)> {
        let heard = heard.ok()?;
        assert_eq!(heard.odd, None);
        let [word]: [Word; 1] = heard.words.try_into().unwrap();
        let time = match word.when {
            When::At(time) => Some(time.as_second()),
            When::In(after) => Some(after.as_secs()),
            When::Begun | When::Unknown => None,
        };
        Some((word.action, time))
    }

    #[test]
    fn instance_actions() {
        for (body, expected) in [
            (
                r#"{"action": "terminate", "time": "2017-09-18T08:22:00Z"}"#,
                Some(("terminate", Some(1_505_722_920))),
            ),
            (
                "{\n\t\"action\": \"stop\",\n\t\"time\": \"2020-07-07T00:00:00Z\"\n}",
                Some(("stop", Some(1_594_080_000))),
            ),
            (
                r#"{"action": "stop", "time": "2017-09-18T10:22:00+02:00", "new": [1]}"#,
                Some(("stop", Some(1_505_722_920))),
            ),
            // No two minutes.
            (
                r#"{"action": "hibernate", "time": "2017-09-18T10:22:00+02:00"}"#,
                Some(("hibernate", Some(0))),
            ),
            (r#"{"action": "hibernate"}"#, Some(("hibernate", Some(0)))),
            (
                r#"{"action": "terminate", "time": "soon"}"#,
                Some(("terminate", None)),
            ),
            (
                r#"{"action": "terminate", "time": 17}"#,
                Some(("terminate", None)),
            ),
            (r#"{"action": "terminate"}"#, Some(("terminate", None))),
            (r#"{"time": "2017-09-18T08:22:00Z"}"#, None),
            (r#"{"action": "", "time": "2017-09-18T08:22:00Z"}"#, None),
            (r#"{"action": "terminate", "time": "2017-"#, None),
            (r#"{"action": "two words"}"#, None),
            ("[]", None),
            ("<?xml version=\"1.0\"?>", None),
            ("", None),
        ] {
            let found = one(instance_action(body.as_bytes()));
            let found = found.as_ref().map(|(action, time)| (action.as_str(), *time));
            assert_eq!(found, expected, "{body}");
        }
        let long = format!(r#"{{"action": "{}"}}"#, "x".repeat(65));
        assert!(instance_action(long.as_bytes()).is_err());
        assert!(
            instance_action(b"\xff\xfe{")
                .unwrap_err()
                .to_string()
                .contains("instance-action is not what aws documents")
        );
    }

    #[test]
    fn termination_times() {
        for (body, expected) in [
            ("2015-01-05T18:02:00Z", Some(1_420_480_920)),
            (" 2015-01-05T18:02:00Z\n", Some(1_420_480_920)),
            // As documented: no time, no termination.
            ("", None),
            ("none", None),
            ("<html>", None),
        ] {
            let words = termination_time(body.as_bytes()).unwrap().words;
            let found = words.first().map(|word| match word.when {
                When::At(time) => time.as_second(),
                _ => panic!("{word:?}"),
            });
            assert_eq!(found, expected, "{body}");
        }
    }

    #[test]
    fn rebalance_recommendations() {
        for (body, expected) in [
            (
                r#"{"noticeTime": "2020-10-27T08:22:00Z"}"#,
                Some(Some(1_603_786_920)),
            ),
            (r#"{"noticeTime": "?"}"#, Some(None)),
            ("{}", None),
            ("404", None),
        ] {
            let parsed = rebalance(body.as_bytes()).ok();
            assert_eq!(
                parsed.map(|p| p.words[0].stamp.map(Timestamp::as_second)),
                expected,
                "{body}"
            );
        }
    }

    #[test]
    fn scheduled_events() {
        for code in [
            "instance-reboot",
            "system-reboot",
            "system-maintenance",
            "instance-retirement",
            "instance-stop",
        ] {
            let body = format!(
                r#"[{{"NotBefore": "21 Jan 2019 09:00:43 GMT", "Code": "{code}", "Description": "scheduled reboot",
                "EventId": "instance-event-0d59937288b749b32", "NotAfter": "21 Jan 2019 09:17:23 GMT", "State": "active"}}]"#
            );
            let found = one(maintenance(body.as_bytes()));
            assert_eq!(found, Some((code.to_owned(), Some(1_548_061_243))));
        }
        let over = |state: &str, description: &str| {
            let body = serde_json::json!([{"Code": "instance-stop", "EventId": "e", "State": state, "Description": description}]);
            maintenance(body.to_string().as_bytes()).unwrap().words[0].over
        };
        assert!(!over("active", "The instance is scheduled for a stop"));
        assert!(over("canceled", "") && over("completed", "") && over("Canceled", ""));
        assert!(over("active", "[Canceled] stop") && over("", "[Completed] stop"));
        assert_eq!(maintenance(b"[]"), Ok(Heard::default()));
        let object = br#"{"Code": "system-reboot", "EventId": "e", "NotBefore": "later"}"#;
        assert_eq!(one(maintenance(object)), Some(("system-reboot".to_owned(), None)));
        for body in ["", "17", r#"[{"Code": "system-reboot", "EventId": "e"}"#] {
            assert!(maintenance(body.as_bytes()).is_err(), "{body}");
        }
        // What cannot be read hides nothing that can.
        for (body, read) in [
            ("[17]", 0),
            ("[{}]", 0),
            (r#"[{"Code": "system-reboot"}]"#, 0),
            (
                r#"[{"Code": "system-reboot", "EventId": "e"}, {"EventId": "f"}]"#,
                1,
            ),
        ] {
            let heard = maintenance(body.as_bytes()).unwrap();
            assert_eq!((heard.words.len(), heard.odd.is_some()), (read, true), "{body}");
        }
    }

    #[test]
    fn lifecycle_states() {
        for (state, expected) in [
            ("InService", None),
            ("Terminated", Some("terminate")),
            ("Terminated\n", Some("terminate")),
            ("Detached", None),
            ("Standby", None),
            ("Warmed:Running", None),
            ("Warmed:Stopped", Some("stop")),
            ("Warmed:Hibernated", Some("hibernate")),
            ("Warmed:Terminated", Some("terminate")),
        ] {
            let words = lifecycle(state.as_bytes()).unwrap().words;
            assert_eq!(
                words.first().map(|word| word.action.as_str()),
                expected,
                "{state}"
            );
        }
        assert!(lifecycle(b"").is_err() && lifecycle(b"<html>two words</html>").is_err());
    }

    #[test]
    fn identities() {
        let document = r#"{"accountId": "001234567890", "architecture": "x86_64", "availabilityZone": "eu-west-1a",
            "instanceId": "i-0d2aab13057917887", "instanceType": "m5.large", "region": "eu-west-1", "kernelId": null}"#;
        let found = identity(document.as_bytes()).unwrap();
        assert_eq!(
            (found.account_id.as_str(), found.region.as_str()),
            ("001234567890", "eu-west-1")
        );
        assert_eq!(found.instance_id, "i-0d2aab13057917887");
        for body in [
            "{}",
            r#"{"instanceId": ""}"#,
            r#"{"instanceId": "i 1"}"#,
            "i-1",
            "",
        ] {
            assert!(identity(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(instance_id(b"i-1\n").unwrap().instance_id, "i-1");
        assert!(instance_id(b"<html>two words</html>").is_err());
    }
}
