//! Audit log entries of Compute Engine (Cloud Logging's `LogEntry` with a `protoPayload`), as a log sink exports them.
//!
//! A preemption and what else Google does to an instance by itself are in the log of system events
//! (`cloudaudit.googleapis.com%2Fsystem_event`), what people do in that of admin activity.

use hollowtrees_schemas::{
    envelope,
    names::{kind, state},
    proto::{self, time::to_proto},
};
use serde::Deserialize;
use serde_json::Value;

use crate::problem::Problem;

/// Prefixes of methods that people call.
const CALLS: [&str; 2] = ["v1.compute.instances.", "beta.compute.instances."];
const SYSTEM: &str = "compute.instances.";
const INSTANCE: &str = "gce_instance";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    proto_payload: Payload,
    #[serde(default)]
    insert_id: String,
    #[serde(default)]
    timestamp: String,
    #[serde(default)]
    resource: Resource,
    operation: Option<Operation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    method_name: String,
    #[serde(default)]
    resource_name: String,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: i64,
}

#[derive(Default, Deserialize)]
struct Resource {
    #[serde(default, rename = "type")]
    ty: String,
    #[serde(default)]
    labels: Labels,
}

#[derive(Default, Deserialize)]
struct Labels {
    #[serde(default)]
    instance_id: String,
    #[serde(default)]
    project_id: String,
    #[serde(default)]
    zone: String,
}

#[derive(Deserialize)]
struct Operation {
    #[serde(default)]
    id: String,
    #[serde(default)]
    first: bool,
}

/// `ce-source` of a project's audit log.
pub fn source(notice: &proto::Notice) -> String {
    envelope::source(&["gcp", &notice.account, &notice.region, "audit-log"])
}

/// Whether a document is an audit log entry.
pub fn is_entry(document: &Value) -> bool {
    document.get("protoPayload").is_some()
}

/// The notice of an entry; `None` where no instance goes by it.
///
/// # Errors
/// It is no entry, or names no instance.
pub fn notice(document: &Value, cluster: &str) -> Result<Option<proto::Notice>, Problem> {
    let entry: Entry = serde_json::from_value(document.clone()).map_err(|_| {
        Problem::undecodable(
            "the data is no audit log entry: it has no `protoPayload.methodName`, or a field of another type",
        )
    })?;
    let payload = &entry.proto_payload;
    let Some((kind, action)) = meaning(&payload.method_name) else {
        return Ok(None);
    };
    let labels = &entry.resource.labels;
    // A call that failed changed nothing; of one that takes time the first entry is soonest.
    let later = entry.operation.as_ref().is_some_and(|operation| !operation.first);
    if payload.status.code != 0 || later || (!entry.resource.ty.is_empty() && entry.resource.ty != INSTANCE) {
        return Ok(None);
    }
    if labels.instance_id.is_empty() {
        return Err(Problem::new(
            "resource.labels.instance_id",
            "is missing; export the entries as they are",
        ));
    }
    let noticed_at = hollowtrees_schemas::proto::time::parse(&entry.timestamp);
    let noticed_at = noticed_at.map_err(|error| Problem::new("timestamp", error.to_string()))?;
    let operation = entry
        .operation
        .map(|operation| operation.id)
        .filter(|id| !id.is_empty());
    Ok(Some(proto::Notice {
        cluster: cluster.to_owned(),
        provider: "gcp".to_owned(),
        account: labels.project_id.clone(),
        region: region(&labels.zone).to_owned(),
        zone: labels.zone.clone(),
        instance: labels.instance_id.clone(),
        kind: kind.to_owned(),
        state: state::ACTIVE.to_owned(),
        event_id: operation.unwrap_or(entry.insert_id),
        provider_action: action.to_owned(),
        noticed_at: Some(to_proto(noticed_at)),
        // Nodes of GKE are named as their instances.
        node: payload
            .resource_name
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned(),
        ..proto::Notice::default()
    }))
}

/// Kind and provider's action of a method.
fn meaning(method: &str) -> Option<(&'static str, &'static str)> {
    if let Some(event) = method.strip_prefix(SYSTEM) {
        return match event {
            "preempted" => Some((kind::PREEMPTED, "preempt")),
            "hostError" => Some((kind::INSTANCE_STATE_CHANGE, "host-error")),
            "terminateOnHostMaintenance" => Some((kind::INSTANCE_STATE_CHANGE, "terminate")),
            "guestTerminate" => Some((kind::INSTANCE_STATE_CHANGE, "guest-terminate")),
            _ => None,
        };
    }
    let call = CALLS.iter().find_map(|prefix| method.strip_prefix(prefix))?;
    match call {
        "stop" => Some((kind::INSTANCE_STATE_CHANGE, "stop")),
        "suspend" => Some((kind::INSTANCE_STATE_CHANGE, "suspend")),
        "delete" => Some((kind::INSTANCE_STATE_CHANGE, "delete")),
        _ => None,
    }
}

/// `europe-west1` of `europe-west1-c`.
fn region(zone: &str) -> &str {
    zone.rsplit_once('-').map_or(zone, |(region, _)| region)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(method: &str) -> Value {
        json!({
            "protoPayload": {
                "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
                "status": {"message": "Instance was preempted."},
                "authenticationInfo": {"principalEmail": "system@google.com"},
                "serviceName": "compute.googleapis.com",
                "methodName": method,
                "resourceName": "projects/a-project/zones/europe-west1-c/instances/gke-prod-spot-3706",
            },
            "insertId": "an-insert-id",
            "resource": {
                "type": "gce_instance",
                "labels": {"instance_id": "1844488190001122334", "project_id": "a-project", "zone": "europe-west1-c"},
            },
            "timestamp": "2026-09-16T10:42:31.325309Z",
            "severity": "INFO",
            "logName": "projects/a-project/logs/cloudaudit.googleapis.com%2Fsystem_event",
            "operation": {"id": "systemevent-1694860946116", "producer": method, "first": true, "last": true},
        })
    }

    #[test]
    fn a_preemption_is_a_notice() {
        let notice = notice(&entry("compute.instances.preempted"), "prod")
            .unwrap()
            .unwrap();
        let found = [
            &notice.provider,
            &notice.account,
            &notice.region,
            &notice.zone,
            &notice.instance,
            &notice.kind,
            &notice.event_id,
            &notice.node,
        ];
        assert_eq!(
            found,
            [
                "gcp",
                "a-project",
                "europe-west1",
                "europe-west1-c",
                "1844488190001122334",
                "preempted",
                "systemevent-1694860946116",
                "gke-prod-spot-3706"
            ]
        );
        assert_eq!(source(&notice), "/gcp/a-project/europe-west1/audit-log");
    }

    #[test]
    fn by_method_it_is_a_notice_or_nothing() {
        let kind = |method: &str| notice(&entry(method), "prod").unwrap().map(|notice| notice.kind);
        for (method, expected) in [
            ("compute.instances.hostError", Some("instance-state-change")),
            (
                "compute.instances.terminateOnHostMaintenance",
                Some("instance-state-change"),
            ),
            ("v1.compute.instances.delete", Some("instance-state-change")),
            ("beta.compute.instances.stop", Some("instance-state-change")),
            ("compute.instances.migrateOnHostMaintenance", None),
            ("compute.instances.automaticRestart", None),
            ("v1.compute.instances.insert", None),
            ("storage.buckets.delete", None),
        ] {
            assert_eq!(kind(method).as_deref(), expected, "{method}");
        }
    }

    #[test]
    fn what_failed_or_is_the_end_of_what_was_told_is_nothing() {
        let mut failed = entry("v1.compute.instances.delete");
        failed["protoPayload"]["status"]["code"] = json!(7);
        assert_eq!(notice(&failed, "prod").unwrap(), None);
        let mut last = entry("v1.compute.instances.delete");
        last["operation"]["first"] = json!(false);
        assert_eq!(notice(&last, "prod").unwrap(), None);
        let mut nameless = entry("compute.instances.preempted");
        nameless["resource"]["labels"] = json!({});
        assert_eq!(
            notice(&nameless, "prod").unwrap_err().field,
            "resource.labels.instance_id"
        );
        notice(&json!({"protoPayload": 1}), "prod").unwrap_err();
    }
}
