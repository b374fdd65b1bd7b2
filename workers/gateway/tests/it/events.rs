//! CloudEvents over HTTP, and what clouds push.

use data_encoding::BASE64;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    process::Process,
    world::{World, value},
};

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

fn notice(instance: &str) -> Value {
    json!({
        "cluster": "prod", "provider": "mine", "instance": instance, "kind": "spot-interruption",
        "deadline": "2026-10-01T12:02:00Z",
    })
}

fn event(id: &str, instance: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/my/monitor", "type": "io.hollowtrees.notice.v1",
        "time": "2026-10-01T12:00:00Z", "datacontenttype": "application/json", "team": "a", "data": notice(instance),
    })
}

async fn post(process: &Process, path: &str, content_type: &str, body: &Value) -> (StatusCode, Value) {
    process
        .post(path, &[("content-type", content_type)], body.to_string())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_one_notice_in_whichever_mode_and_however_often() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let (status, body) = post(&process, "/events", STRUCTURED, &event("1", "i-1")).await;
    assert_eq!((status, &body["stored"]), (StatusCode::OK, &json!(1)), "{body}");
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/my/monitor"),
        ("ce-type", "io.hollowtrees.notice.v1"),
        ("ce-time", "2026-10-01T12:00:00Z"),
        ("ce-team", "a%20b"),
        ("content-type", "application/json"),
    ];
    let (status, body) = process.post("/events", &headers, notice("i-1").to_string()).await;
    assert_eq!((status, &body["repeated"]), (StatusCode::OK, &json!(1)), "{body}");
    let batch = json!([event("1", "i-1"), event("2", "i-2"), event("3", "i-3")]);
    let (status, body) = post(&process, "/events", BATCH, &batch).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&body["repeated"], &body["stored"]),
        (&json!(1), &json!(2)),
        "{body}"
    );
    let notices = world.notices().await;
    assert_eq!(notices.len(), 3);
    let first = &notices[0];
    assert_eq!((first.id.as_str(), first.source.as_str()), ("1", "/my/monitor"));
    assert_eq!(first.extensions["team"], "a");
    assert_eq!(first.subject.as_deref(), Some("i-1"));
    assert!(first.expirytime.is_some() && first.traceparent.is_some());
    assert_eq!(first.data.instance, "i-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_words_about_another_cluster_are_another_notice() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let mut other = event("1", "i-1");
    other["data"]["cluster"] = json!("dev");
    for event in [event("1", "i-1"), other] {
        let (_, body) = post(&process, "/events", STRUCTURED, &event).await;
        assert_eq!(body["stored"], 1, "{body}");
    }
    // One that names none is of the default cluster.
    let mut nameless = event("2", "i-2");
    nameless["data"].as_object_mut().unwrap().remove("cluster");
    post(&process, "/events?cluster=stage", STRUCTURED, &nameless).await;
    nameless["id"] = json!("3");
    post(&process, "/events", STRUCTURED, &nameless).await;
    let clusters: Vec<_> = world
        .notices()
        .await
        .into_iter()
        .map(|notice| notice.data.cluster)
        .collect();
    assert_eq!(clusters, ["prod", "dev", "stage", "home"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_batch_of_events_the_good_are_taken_and_the_bad_are_named_and_kept() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let mut no_instance = event("2", "");
    no_instance["data"]["instance"] = json!("");
    let mut unknown = event("3", "i-3");
    unknown["type"] = json!("com.example.order");
    let mut no_source = event("4", "i-4");
    no_source.as_object_mut().unwrap().remove("source");
    let batch = json!([event("1", "i-1"), no_instance, unknown, no_source, 5]);
    let (status, body) = post(&process, "/events", BATCH, &batch).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let refused = body["refused"].as_array().unwrap();
    let named: Vec<_> = refused
        .iter()
        .map(|refused| {
            (
                refused["index"].as_u64().unwrap(),
                refused["field"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(named, [(1, "instance"), (2, "type"), (3, ""), (4, "")], "{body}");
    assert_eq!(body["stored"], 1);
    let letters = world.letters().await;
    assert_eq!(letters.len(), 4);
    assert!(
        letters
            .iter()
            .any(|letter| serde_json::from_slice::<Value>(&letter.body).unwrap() == json!([batch[3]]))
    );
    assert!(letters.iter().any(|letter| letter.error_class == "rejected"));
}

/// An entry of the audit log as a sink exports it.
fn preempted(instance: &str) -> Value {
    json!({
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": "compute.googleapis.com",
            "methodName": "compute.instances.preempted", "status": {"message": "Instance was preempted."},
            "resourceName": "projects/p-1/zones/europe-west1-c/instances/gke-prod-spot-1",
        },
        "insertId": "x", "timestamp": "2026-09-16T10:42:31.325309Z", "severity": "INFO",
        "resource": {"type": "gce_instance", "labels": {
            "instance_id": instance, "project_id": "p-1", "zone": "europe-west1-c",
        }},
        "operation": {"id": "systemevent-1", "first": true, "last": true, "producer": "compute.instances.preempted"},
    })
}

fn push(data: &Value, attributes: &Value) -> Value {
    json!({
        "message": {
            "data": BASE64.encode(data.to_string().as_bytes()), "attributes": attributes, "messageId": "136969346945",
            "message_id": "136969346945", "publishTime": "2026-09-16T10:42:32Z", "publish_time": "2026-09-16T10:42:32Z",
        },
        "subscription": "projects/p-1/subscriptions/hollowtrees",
        "deliveryAttempt": 1,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn googles_pushes_are_notices_wrapped_or_not_and_by_eventarc() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let json = "application/json";
    let entry = preempted("1844488190001122334");
    let wrapped = push(&entry, &json!({"logging.googleapis.com/timestamp": "x"}));
    let (status, body) = post(&process, "/gcp/pubsub?cluster=gke", json, &wrapped).await;
    assert_eq!((status, &body["stored"]), (StatusCode::OK, &json!(1)), "{body}");
    let (_, body) = post(&process, "/gcp/pubsub?cluster=gke", json, &entry).await;
    assert_eq!(body["repeated"], 1, "{body}");
    let eventarc = json!({
        "specversion": "1.0", "id": "projects/p-1/logs/x", "type": "google.cloud.audit.log.v1.written",
        "source": "//cloudaudit.googleapis.com/projects/p-1/logs/system_event", "data": entry,
    });
    let (_, body) = post(&process, "/events?cluster=gke", STRUCTURED, &eventarc).await;
    assert_eq!(body["repeated"], 1, "{body}");
    let published = json!({
        "specversion": "1.0", "id": "136969346945", "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "source": "//pubsub.googleapis.com/projects/p-1/topics/t", "data": wrapped,
    });
    let (_, body) = post(&process, "/events?cluster=gke", STRUCTURED, &published).await;
    assert_eq!(body["repeated"], 1, "{body}");
    // CloudEvents by the binding of Pub/Sub, in both modes.
    let attributes = json!({
        "ce-specversion": "1.0", "ce-id": "50%", "ce-source": "/mine", "ce-type": "io.hollowtrees.notice.v1",
        "content-type": "application/json",
    });
    let (_, body) = post(&process, "/gcp/pubsub", json, &push(&notice("i-1"), &attributes)).await;
    assert_eq!(body["stored"], 1, "{body}");
    let (_, body) = post(
        &process,
        "/gcp/pubsub",
        json,
        &push(&event("9", "i-2"), &json!({})),
    )
    .await;
    assert_eq!(body["stored"], 1, "{body}");
    let notices = world.notices().await;
    assert_eq!(notices.len(), 3);
    let google = &notices[0].data;
    assert_eq!(
        [
            &google.cluster,
            &google.provider,
            &google.kind,
            &google.instance,
            &google.node
        ],
        [
            "gke",
            "gcp",
            "preempted",
            "1844488190001122334",
            "gke-prod-spot-1"
        ]
    );
    assert_eq!(notices[1].id, "50%");
    // What is of no interest is acknowledged, and what cannot be used too, once it is kept: they would come for ever.
    let mut migrated = preempted("1");
    migrated["protoPayload"]["methodName"] = json!("compute.instances.migrateOnHostMaintenance");
    let (status, body) = post(&process, "/gcp/pubsub", json, &push(&migrated, &json!({}))).await;
    assert_eq!((status, &body["ignored"]), (StatusCode::OK, &json!(1)), "{body}");
    for unusable in [
        push(&json!({"hello": 1}), &json!({})),
        json!({"message": {"data": "!"}}),
        json!([]),
    ] {
        let (status, body) = post(&process, "/gcp/pubsub", json, &unusable).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body["refused"].as_array().map(Vec::len), Some(1), "{body}");
    }
    assert_eq!(world.letters().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_insists_is_told_to_wait_with_what_is_not_kept() {
    let world = World::new().await;
    let env = [("HT_INGEST__DEAD_LETTERS_PER_MINUTE", "2")];
    let process = Process::start(&world, &env).await;
    let mut answers = Vec::new();
    for number in 0..3 {
        let mut unusable = push(&json!({}), &json!({}));
        unusable["message"]["messageId"] = json!(number.to_string());
        let (status, _) = post(&process, "/gcp/pubsub", "application/json", &unusable).await;
        answers.push(status.as_u16());
    }
    assert_eq!(answers, [200, 200, 503]);
    assert_eq!(world.letters().await.len(), 2);
}

const VM: &str = "/subscriptions/s-1/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm-1";
const ANNOTATED: &str = "Microsoft.ResourceNotifications.HealthResources.ResourceAnnotated";

fn annotated(name: &str) -> Value {
    json!({
        "resourceInfo": {
            "id": format!("{VM}/providers/Microsoft.ResourceHealth/resourceAnnotations/e-1"), "name": "e-1",
            "type": "Microsoft.ResourceHealth/resourceAnnotations",
            "properties": {
                "targetResourceId": VM, "targetResourceType": "Microsoft.Compute/virtualMachines",
                "occurredTime": "2026-07-24T19:20:37.9245071Z", "annotationName": name,
                "context": "Platform Initiated", "category": "Unplanned",
            },
        },
        "operationalInfo": {"resourceEventTime": "2026-07-24T19:20:37.9245071Z"}, "apiVersion": "2022-08-01",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn azures_pushes_are_notices_in_both_schemas_after_their_handshakes() {
    let world = World::new().await;
    let process = Process::start(&world, &[("HT_AUTH__TOKEN", "0123456789abcdef")]).await;
    let path = "/azure/event-grid?cluster=aks&token=0123456789abcdef";
    // The handshake of its own schema.
    let validation = json!([{
        "id": "2d1781af", "topic": "/subscriptions/s-1", "subject": "",
        "data": {"validationCode": "512d38b6-c7b8", "validationUrl": "https://rp-eastus2.eventgrid.azure.net/x"},
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "eventTime": "2026-01-25T22:12:19Z",
        "metadataVersion": "1", "dataVersion": "1",
    }]);
    let headers = [
        ("aeg-event-type", "SubscriptionValidation"),
        ("content-type", "application/json"),
    ];
    let (status, body) = process.post(path, &headers, validation.to_string()).await;
    assert_eq!(
        (status, &body["validationResponse"]),
        (StatusCode::OK, &json!("512d38b6-c7b8"))
    );
    let (status, _) = process
        .post("/azure/event-grid", &headers, validation.to_string())
        .await;
    assert_eq!(
        status,
        StatusCode::UNAUTHORIZED,
        "who does not know us is not told that we are here"
    );
    // That of CloudEvents.
    let headers = [
        ("webhook-request-origin", "eventgrid.azure.net"),
        ("webhook-request-rate", "120"),
    ];
    let answer = process.send(Method::OPTIONS, path, &headers, "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["webhook-allowed-origin"], "eventgrid.azure.net");
    assert_eq!(answer.headers()["webhook-allowed-rate"], "60000");
    // The same event in both.
    let own = |id: &str, ty: &str, data: Value| {
        json!({
            "id": id, "topic": "/subscriptions/s-1", "subject": VM, "eventType": ty, "data": data, "dataVersion": "1",
            "metadataVersion": "1", "eventTime": "2026-07-24T19:20:37.9245071Z",
        })
    };
    let batch = json!([
        own("a", ANNOTATED, annotated("VirtualMachinePreempted")),
        own("b", ANNOTATED, annotated("LiveMigrationSucceeded")),
        own("c", "com.example.mine", json!({})),
    ]);
    let (status, body) = post(&process, path, "application/json; charset=utf-8", &batch).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(
        (&body["stored"], &body["ignored"], &body["refused"][0]["index"]),
        (&json!(1), &json!(1), &json!(2)),
        "{body}"
    );
    let cloud_event = json!({
        "specversion": "1.0", "id": "a", "source": "/subscriptions/s-1", "subject": VM, "type": ANNOTATED,
        "time": "2026-07-24T19:20:37.9245071Z", "data": annotated("VirtualMachinePreempted"),
    });
    let (_, body) = post(&process, path, STRUCTURED, &cloud_event).await;
    assert_eq!(body["repeated"], 1, "{body}");
    let (_, body) = post(&process, path, BATCH, &json!([cloud_event])).await;
    assert_eq!(body["repeated"], 1, "{body}");
    let notices = world.notices().await;
    assert_eq!(notices.len(), 1);
    let azure = &notices[0].data;
    assert_eq!(
        [
            &azure.cluster,
            &azure.provider,
            &azure.kind,
            &azure.instance,
            &azure.account
        ],
        ["aks", "azure", "preempted", "vm-1", "s-1"]
    );
    let scrape = process.scrape().await;
    let ignored = value(
        &scrape,
        "hollowtrees_gateway_ignored_total{source=\"event-grid\"}",
    );
    assert_eq!(ignored, Some(1.0));
    assert!(!process.worker.log().unwrap().contains("0123456789abcdef"));
}

/// As Oracle's documents show an event of Compute.
fn preemption() -> Value {
    json!({
        "eventType": "com.oraclecloud.computeapi.instancepreemptionaction", "cloudEventsVersion": "0.1",
        "eventTypeVersion": "2.0", "source": "ComputeApi", "eventID": "E1", "eventTime": "2026-10-01T12:00:00Z",
        "contentType": "application/json",
        "data": {
            "compartmentId": "ocid1.compartment.oc1..c", "compartmentName": "c", "resourceName": "node-1",
            "resourceId": "ocid1.instance.oc1.phx.a", "availabilityDomain": "AD-1", "freeformTags": {},
            "additionalDetails": {"preemptionAction": "TERMINATE"},
        },
        "extensions": {"compartmentId": "ocid1.compartment.oc1..c"},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn oracles_preemption_is_a_notice_with_two_minutes() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    const PATH: &str = "/oracle/notifications?cluster=oke";
    let headers = [
        ("x-oci-ns-messagetype", "SubscriptionConfirmation"),
        (
            "x-oci-ns-confirmationurl",
            "https://cell1.notification.us-phoenix-1.oraclecloud.com/confirm",
        ),
    ];
    let confirmation =
        json!({"ConfirmationURL": "https://cell1.notification.us-phoenix-1.oraclecloud.com/confirm"});
    let (status, _) = process.post(PATH, &headers, confirmation.to_string()).await;
    assert_eq!(status, StatusCode::OK);
    for (expected, headers) in [
        ("stored", [("x-oci-ns-messageid", "1")]),
        ("repeated", [("x-oci-ns-messageid", "2")]),
    ] {
        let (status, body) = process.post(PATH, &headers, preemption().to_string()).await;
        assert_eq!((status, &body[expected]), (StatusCode::OK, &json!(1)), "{body}");
    }
    let notices = world.notices().await;
    let notice = &notices[0].data;
    assert_eq!(
        (notices.len(), notice.cluster.as_str(), notice.kind.as_str()),
        (1, "oke", "preempted")
    );
    assert_eq!(notice.instance, "ocid1.instance.oc1.phx.a");
    assert_eq!(
        notice.deadline.as_ref().unwrap().seconds - notice.noticed_at.as_ref().unwrap().seconds,
        120
    );
    assert_eq!(notices[0].source, "/oracle/ocid1.compartment.oc1..c/phx/events");

    let mut other = preemption();
    other["eventType"] = json!("com.oraclecloud.computeapi.launchinstance.begin");
    let (_, body) = process.json(PATH, &other).await;
    assert_eq!(body["ignored"], 1, "{body}");
    for (pointer, value, field) in [
        ("/eventType", "com.example.other", "eventType"),
        ("/data/resourceId", "", "data.resourceId"),
        ("/eventTime", "soon", "eventTime"),
    ] {
        let mut bad = preemption();
        *bad.pointer_mut(pointer).unwrap() = json!(value);
        let (status, body) = process.json(PATH, &bad).await;
        // It would be posted again for hours.
        assert_eq!(
            (status, &body["refused"][0]["field"]),
            (StatusCode::OK, &json!(field)),
            "{body}"
        );
    }
    let (status, _) = process.post(PATH, &[], "no JSON").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(world.letters().await.len(), 4);
}
