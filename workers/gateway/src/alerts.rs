//! Alerts, as Prometheus sends them to an Alertmanager, and as Alertmanager's webhook passes them on.

pub mod document;
pub mod notice;

use bytes::Bytes;
use serde_json::{json, value::RawValue};

use crate::{
    asked::Asked,
    config::Settings,
    ingest,
    problem::Problem,
    settle::{Frame, Part},
};
use document::{Alert, Webhook};
use notice::Terms;

/// The alerts of `POST /api/v2/alerts` and `/api/v1/alerts`.
///
/// # Errors
/// The body is no array.
pub fn posted(asked: &Asked, settings: &Settings) -> Result<Vec<Part>, Problem> {
    let alerts: Vec<&RawValue> = serde_json::from_slice(&asked.body)
        .map_err(|error| Problem::json(&error, "an array of alerts, as Prometheus posts it"))?;
    Ok(parts(asked, settings, &alerts, &[], &Frame::LIST))
}

/// The alerts of Alertmanager's webhook.
///
/// # Errors
/// The body is not what the webhook posts.
pub fn webhook(asked: &Asked, settings: &Settings) -> Result<Vec<Part>, Problem> {
    let posted: Webhook<'_> = serde_json::from_slice(&asked.body).map_err(|error| {
        Problem::json(
            &error,
            "an object with `alerts`, as Alertmanager's webhook posts it",
        )
    })?;
    if posted.truncated_alerts > 0 {
        tracing::warn!(
            correlation = asked.correlation,
            left_out = posted.truncated_alerts,
            "Alertmanager left alerts out of a notification; set `max_alerts: 0` in its receiver."
        );
    }
    let through = [
        ("receiver", posted.receiver.as_str()),
        ("externalURL", posted.external_url.as_str()),
    ];
    let frame = Frame::new(before(&posted), "]}");
    Ok(parts(asked, settings, &posted.alerts, &through, &frame))
}

/// What stands before the alerts of a notification that has one alone.
fn before(posted: &Webhook<'_>) -> String {
    let (receiver, address) = (json!(posted.receiver), json!(posted.external_url));
    format!(r#"{{"receiver":{receiver},"externalURL":{address},"alerts":["#)
}

fn parts(
    asked: &Asked,
    settings: &Settings,
    alerts: &[&RawValue],
    through: &[(&'static str, &str)],
    frame: &Frame,
) -> Vec<Part> {
    let terms = Terms {
        client: &asked.client,
        cluster: &settings.cluster,
        cluster_labels: &settings.alerts.cluster_labels,
        instance_labels: &settings.alerts.instance_labels,
        correlation: &asked.correlation,
        through,
        now: asked.at,
    };
    let names = &settings.alerts.names;
    alerts
        .iter()
        .enumerate()
        .map(|(index, raw)| Part {
            frame: frame.clone(),
            ..part(index, raw, &asked.body, &terms, names)
        })
        .collect()
}

fn part(index: usize, raw: &RawValue, body: &Bytes, terms: &Terms<'_>, names: &[String]) -> Part {
    let bytes = body.slice_ref(raw.get().as_bytes());
    let alert: Alert = match serde_json::from_str(raw.get()) {
        Ok(alert) => alert,
        Err(error) => {
            return Part {
                index,
                id: crate::asked::correlation(&http::HeaderMap::new(), &bytes),
                body: bytes,
                frame: Frame::default(),
                made: Err(Problem::json(
                    &error,
                    "an alert: `labels` (texts), and maybe `annotations`, `startsAt`, `endsAt`, `generatorURL`",
                )),
            };
        }
    };
    let taken = names.is_empty()
        || alert
            .labels
            .get("alertname")
            .is_some_and(|name| names.contains(name));
    let made = if taken {
        notice::notice(&alert, terms).and_then(|notice| {
            let source = notice::source(&notice.cluster);
            Ok(Some(ingest::message(notice, &source, terms.now)?))
        })
    } else {
        Ok(None)
    };
    Part {
        index,
        id: notice::identity(&alert),
        body: bytes,
        frame: Frame::default(),
        made,
    }
}
