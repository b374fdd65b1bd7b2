//! Alibaba's documents.
//!
//! Shapes: Alibaba Cloud, "Instance metadata", "Instance identity", "Query the interruption events of preemptible
//! instances" (five minutes before it is released).

use super::{Garbage, Heard, Identity, Of, When, ec2, identity, time};
use crate::provider::Provider;

/// When it is released, as text: `2020-04-07T17:03:00Z`; 404 while it is not.
pub const TERMINATION_TIME: &str = "/latest/meta-data/instance/spot/termination-time";
/// Who this instance is.
pub const IDENTITY: &str = "/latest/dynamic/instance-identity/document";
/// Its type, which begins with `ecs.`.
pub const INSTANCE_TYPE: &str = "/latest/meta-data/instance/instance-type";

/// The time at which it is released.
///
/// # Errors
/// It is not a time.
pub fn termination_time(body: &[u8]) -> Result<Heard, Garbage> {
    let of = Of(Provider::Alibaba, TERMINATION_TIME);
    let text = of.word(body)?;
    let time = time(text).ok_or_else(|| of.garbage("not a time", body))?;
    let detail = [("termination-time".to_owned(), serde_json::Value::from(text))];
    let word = ec2::interruption(
        "terminate".to_owned(),
        When::At(time),
        detail.into_iter().collect(),
    );
    Ok(vec![word].into())
}

/// The identity document: `{"instance-id": "i-...", "owner-account-id": "...", "region-id": ..., "zone-id": ...}`.
///
/// # Errors
/// It is not an object, or has no instance id.
pub fn identity(body: &[u8]) -> Result<Identity, Garbage> {
    identity::of_document(Of(Provider::Alibaba, IDENTITY), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (body, expected) in [
            ("2020-04-07T17:03:00Z", Some(1_586_278_980)),
            ("2020-04-07T17:03:00Z\n", Some(1_586_278_980)),
            ("", None),
            ("<html>", None),
            ("2020-04-07", None),
        ] {
            let heard = termination_time(body.as_bytes()).ok();
            let found = heard.map(|heard| match heard.words[0].when {
                When::At(time) => time.as_second(),
                _ => panic!("{heard:?}"),
            });
            assert_eq!(found, expected, "{body}");
        }
    }

    #[test]
    fn identities() {
        let body = br#"{"zone-id":"cn-hangzhou-i","serial-number":"4acd2b47-b328-4762-852f-998a","instance-id":"i-bp13znx0m0me8cquu123",
            "region-id":"cn-hangzhou","private-ipv4":"192.168.0.1","owner-account-id":"1609123","mac":"00:16:3e:0f:00:01",
            "image-id":"aliyun_3_x64","instance-type":"ecs.g6e.large"}"#;
        let found = identity(body).unwrap();
        assert_eq!(
            (
                found.instance_id.as_str(),
                found.account_id.as_str(),
                found.availability_zone.as_str()
            ),
            ("i-bp13znx0m0me8cquu123", "1609123", "cn-hangzhou-i")
        );
        assert!(identity(b"{}").is_err());
    }
}
