//! On Azure.

use std::time::Duration;

use hollowtrees_harness::{
    Nats, eventually,
    metadata::{Azure, Event},
    proxy::Fault,
};
use jiff::Timestamp;
use serde_json::json;

use crate::rig::{Agent, LIMIT, Stream, agent, goes_at};

const EVENTS: &str = "/metadata/scheduledevents";
const VM: &str = "aks-spot_3";
const QUARTER: Duration = Duration::from_secs(900);

fn on_azure(service: &Azure, nats: &Nats, env: &[(&str, &str)]) -> Agent {
    let env: Vec<_> = [("HT_PROVIDER", "azure")].iter().chain(env).copied().collect();
    agent(&service.url(), &nats.url(), &env)
}

#[tokio::test]
async fn an_eviction_of_this_machine_and_not_of_the_others() {
    let (nats, service) = (Nats::start().await.unwrap(), Azure::start(VM).await.unwrap());
    let mut stream = Stream::of(&nats).await;
    let agent = on_azure(&service, &nats, &[]);
    agent.ready().await;
    let others: Vec<_> = (10..60)
        .map(|other| {
            Event::new(
                &format!("E{other}"),
                "Preempt",
                &format!("aks-spot_{other}"),
                QUARTER,
            )
        })
        .collect();
    service.schedule(&others);
    stream.is_silent().await;

    let after = Duration::from_secs(30);
    let mine = Event::new("C1BF8322", "Preempt", VM, after);
    let at = Timestamp::now() + after;
    service.schedule(&[others, vec![mine.clone()]].concat());
    let envelope = stream.next().await;
    let notice = &envelope.data;
    assert_eq!(
        envelope.source,
        "/azure/8d10da13-8125-4ba9-a717-bf7490507b3d/westeurope/imds"
    );
    assert_eq!(
        (
            notice.kind.as_str(),
            notice.certainty.as_str(),
            notice.state.as_str()
        ),
        ("preempted", "certain", "active")
    );
    assert_eq!(
        (
            notice.instance.as_str(),
            notice.event_id.as_str(),
            notice.labels["instance_name"].as_str()
        ),
        ("02aab8a4-74ef-476e-8182-f6d2ba4166a6", "C1BF8322", VM)
    );
    assert_eq!(
        (notice.zone.as_str(), notice.instance_type.as_str()),
        ("westeurope-2", "Standard_D4s_v5")
    );
    goes_at(notice, at);

    // It starts before its time, then it is gone from the list.
    service.schedule(&[mine.started()]);
    let started = stream.next().await.data;
    assert_eq!(
        (started.state.as_str(), started.event_id.as_str()),
        ("active", "C1BF8322")
    );
    assert!(started.deadline.as_ref().unwrap().seconds <= Timestamp::now().as_second());
    service.schedule(&[]);
    let over = stream.next().await.data;
    assert_eq!(
        (over.state.as_str(), over.event_id.as_str()),
        ("cancelled", "C1BF8322")
    );
    stream.is_silent().await;
}

#[tokio::test]
async fn maintenance_is_announced_moved_and_cancelled() {
    let (nats, service) = (Nats::start().await.unwrap(), Azure::start(VM).await.unwrap());
    let mut stream = Stream::of(&nats).await;
    let agent = on_azure(&service, &nats, &[("HT_MAINTENANCE__PAUSES", "advisory")]);
    agent.ready().await;
    let mut all = Vec::new();
    for (id, kind, certainty, of_kind) in [
        ("E1", "Reboot", "scheduled", "scheduled-maintenance"),
        ("E2", "Redeploy", "scheduled", "scheduled-maintenance"),
        ("E3", "Freeze", "advisory", "scheduled-maintenance"),
        ("E4", "Terminate", "certain", "asg-terminating"),
    ] {
        all.push(Event::new(id, kind, VM, QUARTER));
        // Times are as they were: only the new one is news.
        service.schedule(&all);
        let notice = stream.next().await.data;
        assert_eq!(
            (
                notice.event_id.as_str(),
                notice.certainty.as_str(),
                notice.kind.as_str()
            ),
            (id, certainty, of_kind)
        );
        assert_eq!(notice.provider_action, kind.to_lowercase());
    }
    let sooner = Duration::from_secs(60);
    all[0].after = Some(sooner);
    service.schedule(&all);
    let moved = stream.next().await.data;
    assert_eq!(moved.event_id, "E1");
    goes_at(&moved, Timestamp::now() + sooner);
    service.schedule(&all[..3]);
    let cancelled = stream.next().await.data;
    assert_eq!(
        (cancelled.event_id.as_str(), cancelled.state.as_str()),
        ("E4", "cancelled")
    );
    assert_eq!(cancelled.kind, "asg-terminating");
    stream.is_silent().await;
}

#[tokio::test]
async fn a_freeze_is_nothing_unless_asked_for() {
    let (nats, service) = (Nats::start().await.unwrap(), Azure::start(VM).await.unwrap());
    let mut stream = Stream::of(&nats).await;
    let agent = on_azure(&service, &nats, &[]);
    agent.ready().await;
    service.schedule(&[Event::new("E3", "Freeze", VM, QUARTER)]);
    stream.is_silent().await;
}

#[tokio::test]
async fn a_first_answer_that_takes_long_is_waited_for() {
    let (nats, service) = (Nats::start().await.unwrap(), Azure::start(VM).await.unwrap());
    let mut stream = Stream::of(&nats).await;
    // Ten times the limit of a request.
    service.inject(Fault::slow(Duration::from_secs(3)).path(EVENTS).times(1));
    service.schedule(&[Event::new("E1", "Preempt", VM, QUARTER)]);
    let agent = on_azure(&service, &nats, &[]);
    assert_eq!(stream.next().await.data.event_id, "E1");
    let errors = agent.samples("hollowtrees_errors_total").await;
    assert!(
        errors.iter().all(|sample| !sample.contains("timeout")),
        "{errors:?}"
    );
    // Later ones are not.
    service.inject(Fault::slow(Duration::from_secs(3)).path(EVENTS));
    agent.meets("metadata_timeout").await;
}

#[tokio::test]
async fn trouble_takes_nothing_back() {
    let (nats, service) = (Nats::start().await.unwrap(), Azure::start(VM).await.unwrap());
    let mut stream = Stream::of(&nats).await;
    service.schedule(&[Event::new("E1", "Reboot", VM, QUARTER)]);
    let agent = on_azure(&service, &nats, &[]);
    assert_eq!(stream.next().await.data.event_id, "E1");
    for (fault, kind) in [
        (Fault::status(410), "metadata_status"),
        (Fault::status(429), "metadata_status"),
        (Fault::status(500), "metadata_status"),
        (
            Fault::status(200).body("{\"DocumentIncarnation\": 2}"),
            "metadata_garbage",
        ),
        (
            Fault::status(200).body("{\"DocumentIncarnation\": 2, \"Events\": [17]}"),
            "metadata_garbage",
        ),
        (Fault::garbage(), "metadata_garbage"),
        (Fault::truncated(), "metadata_broken"),
        (Fault::no_answer(), "metadata_broken"),
    ] {
        service.inject(fault.path(EVENTS));
        agent.meets(kind).await;
        service.heal();
    }
    service.inject(Fault::status(404).path(EVENTS));
    let asked = service.count(EVENTS);
    eventually("more readings", LIMIT, || async {
        let more = service.count(EVENTS) - asked;
        if more > 5 { Ok(()) } else { Err(more) }
    })
    .await;
    service.heal();
    stream.is_silent().await;
    // One that cannot be read stands beside one that can.
    let mut event = json!({
        "EventId": "E2", "EventType": "Preempt", "EventStatus": "Scheduled", "Resources": [VM], "NotBefore": "whenever",
    });
    service.schedule_raw(vec![json!({"Resources": [VM]}), event.clone()]);
    let notice = stream.next().await.data;
    assert_eq!((notice.event_id.as_str(), notice.deadline), ("E2", None));
    agent.meets("metadata_garbage").await;
    // E1 is missing from that list, but it may be the one that cannot be read.
    stream.is_silent().await;
    event["NotBefore"] = "".into();
    service.schedule_raw(vec![event]);
    let cancelled = stream.next().await.data;
    assert_eq!(
        (cancelled.event_id.as_str(), cancelled.state.as_str()),
        ("E1", "cancelled")
    );
    agent.ready().await;
}

#[tokio::test]
async fn a_list_older_than_the_last_neither_cancels_nor_brings_back() {
    let (nats, service) = (Nats::start().await.unwrap(), Azure::start(VM).await.unwrap());
    let mut stream = Stream::of(&nats).await;
    let agent = on_azure(&service, &nats, &[]);
    agent.ready().await;
    let answers = |incarnation: u64, events: &[serde_json::Value]| {
        let body = json!({"DocumentIncarnation": incarnation, "Events": events});
        service.heal();
        service.inject(Fault::status(200).body(body.to_string()).path(EVENTS));
    };
    let event = |id: &str| json!({"EventId": id, "EventType": "Preempt", "EventStatus": "Scheduled", "Resources": [VM], "NotBefore": "Fri, 01 Jan 2100 00:00:00 GMT"});
    let said = async |stream: &mut Stream, id: &str, state: &str| {
        let notice = stream.next().await.data;
        assert_eq!((notice.event_id.as_str(), notice.state.as_str()), (id, state));
    };
    answers(7, &[event("E1")]);
    said(&mut stream, "E1", "active").await;
    // An answer of before E1.
    answers(6, &[]);
    agent.meets("metadata_outdated").await;
    stream.is_silent().await;
    answers(8, &[]);
    said(&mut stream, "E1", "cancelled").await;
    // One of before it was cancelled.
    answers(7, &[event("E1")]);
    agent.meets("metadata_outdated").await;
    stream.is_silent().await;
    answers(8, &[]);
    agent.ready().await;
    // The service counts anew, as it may on another host: no eviction is lost by that.
    answers(1, &[event("E2")]);
    agent.meets("metadata_outdated").await;
    said(&mut stream, "E2", "active").await;
    agent.ready().await;
}

#[tokio::test]
async fn times_long_past_and_far_off_are_said_as_they_are() {
    let (nats, service) = (Nats::start().await.unwrap(), Azure::start(VM).await.unwrap());
    let mut stream = Stream::of(&nats).await;
    let agent = on_azure(&service, &nats, &[]);
    agent.ready().await;
    let event = |id: &str, time: &str| json!({"EventId": id, "EventType": "Reboot", "EventStatus": "Scheduled", "Resources": [VM], "NotBefore": time});
    service.schedule_raw(vec![
        event("E1", "Tue, 09 Aug 2022 17:07:32 GMT"),
        event("E2", "Fri, 01 Jan 2100 00:00:00 GMT"),
        event("E3", "Fri, 31 Dec 9999 23:59:59 GMT"),
    ]);
    let mut found = Vec::new();
    for _ in 0..3 {
        let notice = stream.next().await.data;
        found.push((notice.event_id, notice.deadline.map(|deadline| deadline.seconds)));
    }
    found.sort();
    // The last is no time a message can hold: the event stands without.
    let expected = [
        ("E1", Some(1_660_064_852)),
        ("E2", Some(4_102_444_800)),
        ("E3", None),
    ];
    assert_eq!(found, expected.map(|(id, seconds)| (id.to_owned(), seconds)));
}
