//! Oracle's Events service: CloudEvents of version 0.1, which a topic of Notifications posts to an HTTPS subscription as they
//! are.
//!
//! Shapes: Oracle, "Contents of an Event Message", "Services that Produce Events" (Compute), "Preemptible Instances", which
//! says that `instancepreemptionaction` is emitted two minutes before the termination begins, and "Confirming a
//! Subscription".

use hollowtrees_schemas::{
    envelope,
    names::{kind, state},
    proto::{self, time::to_proto},
};
use jiff::SignedDuration;
use serde::Deserialize;

use crate::{
    asked::Asked,
    config::Settings,
    events,
    problem::Problem,
    settle::{Frame, Part},
};

/// All types of Oracle's own events begin so.
const PREFIX: &str = "com.oraclecloud.";
const VERSION: &str = "0.1";
/// A preemptible instance is taken back.
const PREEMPTION: &str = "com.oraclecloud.computeapi.instancepreemptionaction";
const NOTICE: SignedDuration = SignedDuration::from_secs(120);

/// Says what a post is for.
const PURPOSE: &str = "x-oci-ns-messagetype";
const CONFIRMATION: &str = "SubscriptionConfirmation";
/// Where a confirmation is answered.
const ANSWERED_AT: &str = "x-oci-ns-confirmationurl";
/// Whose message it is, the same when it is posted again.
const ID: &str = "x-oci-ns-messageid";

/// The event of a post; none where the topic asks whether it may post, which a person answers.
///
/// # Errors
/// The body is no event of Oracle's.
pub fn parts(asked: &Asked, settings: &Settings) -> Result<Vec<Part>, Problem> {
    if asked.header(PURPOSE) == Some(CONFIRMATION) {
        let address = asked.header(ANSWERED_AT).unwrap_or("in the topic's console");
        tracing::warn!(
            address,
            client = asked.client.name,
            "A topic asks whether it may post: open this address to let it."
        );
        return Ok(Vec::new());
    }
    let sent =
        read(&asked.body).map_err(|error| Problem::json(&error, "an event of Oracle's Events service"))?;
    let id = asked
        .header(ID)
        .map_or_else(|| events::content(&asked.body), str::to_owned);
    let made = if sent.cloud_events_version == VERSION && sent.event_type.starts_with(PREFIX) {
        asked
            .cluster(&settings.cluster)
            .and_then(|cluster| events::told(notice(sent, &cluster)?, source, asked))
    } else {
        Err(Problem::rejected(
            "eventType",
            "is none of Oracle's; send events of your own to /events",
        ))
    };
    Ok(vec![Part {
        index: 0,
        id,
        body: asked.body.clone(),
        frame: Frame::default(),
        made,
    }])
}

/// An event as it is posted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    cloud_events_version: String,
    event_type: String,
    #[serde(rename = "eventID", default)]
    event_id: String,
    #[serde(default)]
    event_time: String,
    #[serde(default)]
    data: Data,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Data {
    compartment_id: Option<String>,
    resource_name: Option<String>,
    resource_id: Option<String>,
    availability_domain: Option<String>,
    additional_details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Details {
    preemption_action: Option<String>,
}

fn read(body: &[u8]) -> Result<Sent, serde_json::Error> {
    serde_json::from_slice(body)
}

/// `ce-source` of a compartment's events.
fn source(notice: &proto::Notice) -> String {
    envelope::source(&["oracle", &notice.account, &notice.region, "events"])
}

/// The notice of an event; `None` where no instance goes by it.
fn notice(sent: Sent, cluster: &str) -> Result<Option<proto::Notice>, Problem> {
    if sent.event_type != PREEMPTION {
        return Ok(None);
    }
    let data = sent.data;
    let instance = data.resource_id.unwrap_or_default();
    if instance.is_empty() {
        return Err(Problem::new(
            "data.resourceId",
            "is missing; it names the instance",
        ));
    }
    let noticed_at =
        proto::time::parse(&sent.event_time).map_err(|error| Problem::new("eventTime", error.to_string()))?;
    let name = data.resource_name.filter(|name| !name.is_empty());
    Ok(Some(proto::Notice {
        cluster: cluster.to_owned(),
        provider: "oracle".to_owned(),
        account: data.compartment_id.unwrap_or_default(),
        region: region(&instance).to_owned(),
        zone: data.availability_domain.unwrap_or_default(),
        kind: kind::PREEMPTED.to_owned(),
        state: state::ACTIVE.to_owned(),
        event_id: sent.event_id,
        provider_action: data
            .additional_details
            .and_then(|details| details.preemption_action)
            .unwrap_or_default()
            .to_ascii_lowercase(),
        noticed_at: Some(to_proto(noticed_at)),
        deadline: noticed_at.checked_add(NOTICE).ok().map(to_proto),
        labels: name
            .map(|name| ("instance_name".to_owned(), name))
            .into_iter()
            .collect(),
        instance,
        ..proto::Notice::default()
    }))
}

/// `ocid1.RESOURCE.REALM.[REGION].UNIQUE`
fn region(ocid: &str) -> &str {
    ocid.split('.').nth(3).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const INSTANCE: &str = "ocid1.instance.oc1.phx.anyhqljt";

    fn event() -> Value {
        json!({
            "eventType": PREEMPTION, "cloudEventsVersion": "0.1", "eventTypeVersion": "2.0", "source": "ComputeApi",
            "eventID": "E1", "eventTime": "2026-10-01T12:00:00Z", "contentType": "application/json",
            "data": {
                "compartmentId": "ocid1.compartment.oc1..c", "compartmentName": "c", "resourceName": "node-1",
                "resourceId": INSTANCE, "availabilityDomain": "AD-1", "freeFormTags": {}, "definedTags": {},
                "additionalDetails": {"preemptionAction": "TERMINATE"},
            },
            "extensions": {"compartmentId": "ocid1.compartment.oc1..c"},
        })
    }

    fn told(event: &Value) -> Result<Option<proto::Notice>, Problem> {
        notice(read(event.to_string().as_bytes()).unwrap(), "oke")
    }

    #[test]
    fn a_preemption_has_two_minutes() {
        let notice = told(&event()).unwrap().unwrap();
        assert_eq!(
            (
                notice.kind.as_str(),
                notice.instance.as_str(),
                notice.region.as_str()
            ),
            ("preempted", INSTANCE, "phx")
        );
        assert_eq!(
            (notice.event_id.as_str(), notice.provider_action.as_str()),
            ("E1", "terminate")
        );
        let seconds = |time: &Option<_>| -> i64 {
            proto::time::from_proto(time.as_ref().unwrap())
                .unwrap()
                .as_second()
        };
        assert_eq!(seconds(&notice.deadline) - seconds(&notice.noticed_at), 120);
        assert_eq!(source(&notice), "/oracle/ocid1.compartment.oc1..c/phx/events");
    }

    #[test]
    fn other_events_and_other_bodies() {
        let with = |path: &str, value: Value| {
            let mut event = event();
            *event.pointer_mut(path).unwrap() = value;
            event
        };
        let other = with(
            "/eventType",
            "com.oraclecloud.computeapi.launchinstance.begin".into(),
        );
        assert!(told(&other).unwrap().is_none());
        assert!(told(&with("/data/resourceId", Value::Null)).is_err());
        assert!(told(&with("/eventTime", "now".into())).is_err());
        assert!(read(b"{}").is_err() && read(b"").is_err());
    }
}
