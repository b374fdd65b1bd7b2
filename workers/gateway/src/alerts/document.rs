//! Alerts as Prometheus and Alertmanager write them.
//!
//! Prometheus posts an array of alerts (Alertmanager's OpenAPI v2, `postableAlerts`; v1 had the same five fields);
//! Alertmanager's webhook an object with such an array, version 4. Unknown fields are left alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

/// One alert.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// What it is about; `alertname` among them.
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// What people read.
    #[serde(default, deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
    /// Since when it fires, RFC 3339.
    #[serde(default, deserialize_with = "or_default")]
    pub starts_at: String,
    /// Until when, RFC 3339: a firing one has a time to come.
    #[serde(default, deserialize_with = "or_default")]
    pub ends_at: String,
    /// The expression's page in Prometheus.
    #[serde(default, rename = "generatorURL", deserialize_with = "or_default")]
    pub generator_url: String,
    /// `firing` or `resolved`; of the webhook only.
    #[serde(default)]
    pub status: Value,
}

/// What Alertmanager's webhook posts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook<'a> {
    /// The alerts, each as it came.
    #[serde(borrow)]
    pub alerts: Vec<&'a RawValue>,
    /// How many were left out (`max_alerts` of the receiver).
    #[serde(default)]
    pub truncated_alerts: u64,
    /// The receiver's name in Alertmanager.
    #[serde(default, deserialize_with = "or_default")]
    pub receiver: String,
    /// Alertmanager's address.
    #[serde(default, rename = "externalURL", deserialize_with = "or_default")]
    pub external_url: String,
}

/// `null` reads as nothing: writers in Go write it for an empty map.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A time of an alert; empty and Go's zero time (year 1) are none.
///
/// # Errors
/// A text that is no time, with how one is written.
pub fn time(text: &str) -> Result<Option<Timestamp>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let time = hollowtrees_schemas::proto::time::parse(text).map_err(|error| error.to_string())?;
    Ok(Some(time).filter(|time| *time > GO_ZERO))
}

/// `0001-01-01T00:00:00Z`.
const GO_ZERO: Timestamp = Timestamp::constant(-62_135_596_800, 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_nothing_and_the_zero_time_is_none() {
        let alert: Alert = serde_json::from_str(
            r#"{"labels":{"a":"b"},"annotations":null,"startsAt":null,"endsAt":"0001-01-01T00:00:00Z","more":1}"#,
        )
        .unwrap();
        assert_eq!(alert.labels["a"], "b");
        assert!(alert.annotations.is_empty());
        assert_eq!(time(&alert.starts_at), Ok(None));
        assert_eq!(time(&alert.ends_at), Ok(None));
        assert!(time("2026-01-02T03:04:05.678+01:00").unwrap().is_some());
        time("yesterday").unwrap_err();
        serde_json::from_str::<Alert>(r#"{"annotations":{}}"#).unwrap_err();
    }
}
