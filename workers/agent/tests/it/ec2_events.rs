//! On EC2: what is announced besides interruptions.

use std::time::Duration;

use hollowtrees_harness::{
    Metadata, Nats, eventually,
    metadata::{Instance, When},
    proxy::Fault,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::rig::{LIMIT, Stream, agent, goes_at};

const MAINTENANCE: &str = "/latest/meta-data/events/maintenance/scheduled";
const LIFECYCLE: &str = "/latest/meta-data/autoscaling/target-lifecycle-state";

async fn instance() -> Metadata {
    Metadata::start(Instance::new("i-0d2aab13057917887", "eu-west-1a"))
        .await
        .unwrap()
}

fn event(id: &str, code: &str, state: &str, at: Timestamp) -> Value {
    json!({
        "NotBefore": at.strftime("%d %b %Y %H:%M:%S GMT").to_string(),
        "Code": code,
        "Description": "scheduled",
        "EventId": id,
        "NotAfter": (at + SignedDuration::from_mins(20)).strftime("%d %b %Y %H:%M:%S GMT").to_string(),
        "State": state,
    })
}

#[tokio::test]
async fn scheduled_events_of_all_codes() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let mut stream = Stream::of(&nats).await;
    let agent = agent(&service.url(), &nats.url(), &[]);
    agent.ready().await;
    let at = Timestamp::now() + SignedDuration::from_hours(24);
    let codes = [
        "instance-reboot",
        "system-reboot",
        "system-maintenance",
        "instance-retirement",
        "instance-stop",
    ];
    let mut events: Vec<_> = codes
        .iter()
        .map(|code| event(&format!("event-{code}"), code, "active", at))
        .collect();
    service.schedule_maintenance(events.clone().into());
    for code in codes {
        let envelope = stream.next().await;
        let notice = &envelope.data;
        assert_eq!(envelope.source, "/aws/123456789012/eu-west-1/imds");
        assert_eq!(
            (
                notice.kind.as_str(),
                notice.certainty.as_str(),
                notice.state.as_str()
            ),
            ("scheduled-maintenance", "scheduled", "active")
        );
        assert_eq!(
            (notice.provider_action.as_str(), notice.event_id.clone()),
            (code, format!("event-{code}"))
        );
        goes_at(notice, at);
    }
    // One is cancelled, one completed, one is only gone: all three are taken back.
    events[0]["State"] = "canceled".into();
    events[1]["State"] = "completed".into();
    events.remove(2);
    service.schedule_maintenance(events.clone().into());
    let mut over = Vec::new();
    for _ in 0..3 {
        let notice = stream.next().await.data;
        assert_eq!(notice.state, "cancelled");
        goes_at(&notice, at);
        over.push(notice.provider_action);
    }
    over.sort();
    assert_eq!(over, ["instance-reboot", "system-maintenance", "system-reboot"]);
    // Moved, by its owner, to a later time: said once it has stood for ten seconds.
    let later = at + SignedDuration::from_hours(48);
    service.schedule_maintenance(json!([
        events[2],
        event("event-instance-stop", "instance-stop", "active", later)
    ]));
    let moved = stream.next().await.data;
    assert_eq!(moved.provider_action, "instance-stop");
    goes_at(&moved, later);

    // Nothing is taken back by trouble.
    for (fault, kind) in [
        (Fault::status(200).body("[17]"), "metadata_garbage"),
        (Fault::garbage(), "metadata_garbage"),
        (Fault::truncated(), "metadata_broken"),
        (Fault::status(500), "metadata_status"),
    ] {
        service.inject(fault.path(MAINTENANCE));
        agent.meets(kind).await;
        service.heal();
    }
    service.inject(Fault::status(404).path(MAINTENANCE));
    stream.is_silent().await;
}

#[tokio::test]
async fn what_the_auto_scaling_group_wants() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let mut stream = Stream::of(&nats).await;
    let agent = agent(&service.url(), &nats.url(), &[]);
    agent.ready().await;
    let wants = |state: &str| service.update(|instance| instance.lifecycle_state = Some(state.to_owned()));
    for state in ["Standby", "Detached", "Warmed:Running"] {
        wants(state);
        let asked = service.count(LIFECYCLE);
        eventually("to be read", LIMIT, || async {
            if service.count(LIFECYCLE) > asked + 1 {
                Ok(())
            } else {
                Err("not yet")
            }
        })
        .await;
    }
    wants("Terminated");
    let notice = stream.next().await.data;
    assert_eq!(
        (
            notice.kind.as_str(),
            notice.certainty.as_str(),
            notice.provider_action.as_str(),
            notice.deadline
        ),
        ("asg-terminating", "certain", "terminate", None)
    );
    stream.is_silent().await;
    // A warm pool puts it to sleep, and fetches it back.
    wants("Warmed:Hibernated");
    assert_eq!(stream.next().await.data.provider_action, "hibernate");
    wants("InService");
    let over = stream.next().await.data;
    assert_eq!(
        (over.kind.as_str(), over.state.as_str()),
        ("asg-terminating", "cancelled")
    );
}

#[tokio::test]
async fn the_older_document_where_there_is_no_newer() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let mut stream = Stream::of(&nats).await;
    let agent = agent(
        &service.url(),
        &nats.url(),
        &[("HT_POLL__TERMINATION_TIME", "20ms")],
    );
    agent.ready().await;
    service.termination_time(Some("not a time: not going"));
    stream.is_silent().await;
    let at = Timestamp::now() + SignedDuration::from_secs(120);
    service.termination_time(Some(&at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
    let notice = stream.next().await.data;
    assert_eq!(
        (notice.kind.as_str(), notice.provider_action.as_str()),
        ("spot-interruption", "terminate")
    );
    goes_at(&notice, at);
    // The newer document says the same: no news.
    service.interrupt(
        "terminate",
        Duration::try_from(at.duration_since(Timestamp::now())).unwrap(),
    );
    stream.is_silent().await;
}

#[tokio::test]
async fn a_hibernation_has_no_two_minutes() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let mut stream = Stream::of(&nats).await;
    let agent = agent(&service.url(), &nats.url(), &[]);
    agent.ready().await;
    service.interrupt_when("hibernate", When::After(Duration::from_secs(120)));
    let notice = stream.next().await.data;
    assert_eq!(notice.provider_action, "hibernate");
    assert_eq!(notice.deadline, notice.noticed_at);
    stream.is_silent().await;
}

#[tokio::test]
async fn each_document_has_a_period_of_its_own() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let agent = agent(
        &service.url(),
        &nats.url(),
        &[
            ("HT_POLL__REBALANCE", "0s"),
            ("HT_POLL__TERMINATION_TIME", "0s"),
            ("HT_POLL__LIFECYCLE", "400ms"),
            ("HT_POLL__MAINTENANCE", "1h"),
        ],
    );
    agent.ready().await;
    eventually("a hundred readings of the most urgent", LIMIT, || async {
        let read = service.count("/spot/instance-action");
        if read >= 100 { Ok(()) } else { Err(read) }
    })
    .await;
    let counts =
        ["recommendations/rebalance", "spot/termination-time", MAINTENANCE].map(|path| service.count(path));
    assert_eq!(counts, [0, 0, 1]);
    let lifecycle = service.count(LIFECYCLE);
    assert!((2..50).contains(&lifecycle), "{lifecycle}");
}
