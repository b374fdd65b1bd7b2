//! The documents of the metadata service, parsed once.
//!
//! Shapes: AWS, "Instance metadata categories", "Spot Instance interruption notices", "EC2 instance rebalance
//! recommendations", "Instance identity documents".

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Where a notice of interruption appears.
pub const INSTANCE_ACTION: &str = "/latest/meta-data/spot/instance-action";
/// Where a rebalance recommendation appears.
pub const REBALANCE: &str = "/latest/meta-data/events/recommendations/rebalance";
/// Who this instance is.
pub const IDENTITY: &str = "/latest/dynamic/instance-identity/document";
/// The instance's id, where there is no identity document.
pub const INSTANCE_ID: &str = "/latest/meta-data/instance-id";

/// No action, id or name of the provider's is longer.
const WORD: usize = 64;

/// What the provider will do: `{"action": "terminate", "time": "2017-09-18T08:22:00Z"}`.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceAction {
    /// `terminate`, `stop`, `hibernate`.
    pub action: String,
    /// When; `None` where the time cannot be read: the action stands all the same.
    pub time: Option<Timestamp>,
    /// The document as it came.
    pub detail: Map<String, Value>,
}

/// The provider would rather move it: `{"noticeTime": "2020-10-27T08:22:00Z"}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rebalance {
    /// When the provider said so.
    pub notice_time: Option<Timestamp>,
    /// The document as it came.
    pub detail: Map<String, Value>,
}

/// Who this instance is; what is unknown is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// `i-0d2aab13057917887`
    pub instance_id: String,
    /// Twelve digits.
    pub account_id: String,
    /// `eu-west-1`
    pub region: String,
    /// `eu-west-1a`
    pub availability_zone: String,
    /// `m5.large`
    pub instance_type: String,
}

/// A document that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} is not what EC2 documents ({why}): {excerpt}")]
pub struct Garbage {
    /// Which document.
    pub path: &'static str,
    /// What is wrong with it.
    pub why: String,
    /// Its beginning.
    pub excerpt: String,
}

impl InstanceAction {
    /// Reads the document.
    ///
    /// # Errors
    /// It is not an object, or has no action.
    pub fn parse(body: &[u8]) -> Result<Self, Garbage> {
        let detail = object(INSTANCE_ACTION, body)?;
        let action = detail
            .get("action")
            .and_then(Value::as_str)
            .map(str::trim)
            .unwrap_or_default();
        if !is_word(action) {
            return Err(garbage(
                INSTANCE_ACTION,
                "no `action` of at most 64 characters",
                body,
            ));
        }
        Ok(Self {
            action: action.to_owned(),
            time: time(&detail, "time"),
            detail,
        })
    }
}

impl Rebalance {
    /// Reads the document.
    ///
    /// # Errors
    /// It is not an object with a `noticeTime`.
    pub fn parse(body: &[u8]) -> Result<Self, Garbage> {
        let detail = object(REBALANCE, body)?;
        if !detail.contains_key("noticeTime") {
            return Err(garbage(REBALANCE, "no `noticeTime`", body));
        }
        Ok(Self {
            notice_time: time(&detail, "noticeTime"),
            detail,
        })
    }
}

impl Identity {
    /// Reads the identity document.
    ///
    /// # Errors
    /// It is not an object, or has no instance id.
    pub fn parse(body: &[u8]) -> Result<Self, Garbage> {
        let identity: Self =
            serde_json::from_slice(body).map_err(|error| garbage(IDENTITY, &error.to_string(), body))?;
        let parts = [
            &identity.account_id,
            &identity.region,
            &identity.availability_zone,
            &identity.instance_type,
        ];
        if !is_word(&identity.instance_id) || !parts.iter().all(|part| part.is_empty() || is_word(part)) {
            return Err(garbage(
                IDENTITY,
                "no `instanceId`, or a part of more than 64 characters",
                body,
            ));
        }
        Ok(identity)
    }

    /// From the bare instance id.
    ///
    /// # Errors
    /// It is not one word.
    pub fn from_id(body: &[u8]) -> Result<Self, Garbage> {
        let id = std::str::from_utf8(body).unwrap_or_default().trim();
        if !is_word(id) {
            return Err(garbage(INSTANCE_ID, "not an instance id", body));
        }
        Ok(Self {
            instance_id: id.to_owned(),
            ..Self::default()
        })
    }
}

fn object(path: &'static str, body: &[u8]) -> Result<Map<String, Value>, Garbage> {
    serde_json::from_slice(body).map_err(|error| garbage(path, &error.to_string(), body))
}

fn time(detail: &Map<String, Value>, key: &str) -> Option<Timestamp> {
    let text = detail.get(key)?.as_str()?;
    let time: Timestamp = text.trim().parse().ok()?;
    // What a message can hold.
    hollowtrees_schemas::proto::time::from_proto(&hollowtrees_schemas::proto::time::to_proto(time)).ok()
}

fn is_word(text: &str) -> bool {
    (1..=WORD).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn garbage(path: &'static str, why: &str, body: &[u8]) -> Garbage {
    let excerpt = String::from_utf8_lossy(body)
        .chars()
        .take(80)
        .flat_map(char::escape_debug)
        .collect();
    Garbage {
        path,
        why: why.to_owned(),
        excerpt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                r#"{"action": "hibernate", "time": "2017-09-18T10:22:00+02:00", "new": [1]}"#,
                Some(("hibernate", Some(1_505_722_920))),
            ),
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
            let parsed = InstanceAction::parse(body.as_bytes()).ok();
            let found = parsed
                .as_ref()
                .map(|p| (p.action.as_str(), p.time.map(Timestamp::as_second)));
            assert_eq!(found, expected, "{body}");
        }
        let long = format!(r#"{{"action": "{}"}}"#, "x".repeat(65));
        assert!(InstanceAction::parse(long.as_bytes()).is_err());
        assert!(
            InstanceAction::parse(b"\xff\xfe{")
                .unwrap_err()
                .to_string()
                .contains("instance-action")
        );
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
            let parsed = Rebalance::parse(body.as_bytes()).ok();
            assert_eq!(
                parsed.map(|p| p.notice_time.map(Timestamp::as_second)),
                expected,
                "{body}"
            );
        }
    }

    #[test]
    fn identities() {
        let document = r#"{"accountId": "001234567890", "architecture": "x86_64", "availabilityZone": "eu-west-1a",
            "instanceId": "i-0d2aab13057917887", "instanceType": "m5.large", "region": "eu-west-1", "kernelId": null}"#;
        let identity = Identity::parse(document.as_bytes()).unwrap();
        assert_eq!(
            (identity.account_id.as_str(), identity.region.as_str()),
            ("001234567890", "eu-west-1")
        );
        assert_eq!(identity.instance_id, "i-0d2aab13057917887");
        for body in [
            "{}",
            r#"{"instanceId": ""}"#,
            r#"{"instanceId": "i 1"}"#,
            "i-1",
            "",
        ] {
            assert!(Identity::parse(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(Identity::from_id(b"i-1\n").unwrap().instance_id, "i-1");
        assert!(Identity::from_id(b"<html>two words</html>").is_err());
    }
}
