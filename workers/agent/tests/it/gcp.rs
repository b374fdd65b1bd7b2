//! On Google Compute Engine.

use std::time::Duration;

use hollowtrees_harness::{Nats, metadata::Gcp};
use hollowtrees_schemas::proto::{self, time::from_proto};
use jiff::{SignedDuration, Timestamp};

use crate::rig::{Agent, Stream, agent};

const PREEMPTED: &str = "/instance/preempted";
const MAINTENANCE: &str = "instance/maintenance-event";
const NOTICE: &str = "instance/attributes/hollowtrees-preemption-notice";

fn on_google(service: &Gcp, nats: &Nats, env: &[(&str, &str)]) -> Agent {
    let env: Vec<_> = [("HT_PROVIDER", "gcp")].iter().chain(env).copied().collect();
    agent(&service.url(), &nats.url(), &env)
}

fn time(time: Option<&pbjson_types::Timestamp>) -> Timestamp {
    from_proto(time.unwrap()).unwrap()
}

/// From when it was seen to when the instance goes.
fn given(notice: &proto::Notice) -> SignedDuration {
    time(notice.deadline.as_ref()).duration_since(time(notice.noticed_at.as_ref()))
}

#[tokio::test]
async fn a_preemption_is_heard_at_once_by_a_request_that_waits() {
    let (nats, service) = (Nats::start().await.unwrap(), Gcp::start().await.unwrap());
    let mut stream = Stream::of(&nats).await;
    let agent = on_google(&service, &nats, &[]);
    agent.ready().await;
    // Whoever waits asks nothing: each document was read once.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(service.count(PREEMPTED), 1, "{:?}", service.seen());

    service.preempt();
    let envelope = stream.next().await;
    let notice = &envelope.data;
    assert_eq!(envelope.source, "/gcp/my-project/europe-west1/imds");
    assert_eq!(
        (
            notice.kind.as_str(),
            notice.certainty.as_str(),
            notice.provider_action.as_str()
        ),
        ("preempted", "certain", "preempt")
    );
    assert_eq!(
        (
            notice.provider.as_str(),
            notice.instance.as_str(),
            notice.account.as_str()
        ),
        ("gcp", "4520031799277581759", "my-project")
    );
    assert_eq!(
        (
            notice.zone.as_str(),
            notice.instance_type.as_str(),
            notice.labels["instance_name"].as_str()
        ),
        ("europe-west1-b", "n2-standard-4", "pool-1-abc")
    );
    assert_eq!(given(notice), SignedDuration::from_secs(30));
    stream.is_silent().await;
}

/// The bound is on the quickest of five, so that a busy machine does not decide.
#[tokio::test]
async fn a_change_is_seen_within_a_tenth_of_a_second() {
    let (nats, service) = (Nats::start().await.unwrap(), Gcp::start().await.unwrap());
    let mut stream = Stream::of(&nats).await;
    let agent = on_google(
        &service,
        &nats,
        &[
            ("HT_MAINTENANCE__PAUSES", "advisory"),
            ("HT_POLL__INTERVAL", "5s"),
        ],
    );
    agent.ready().await;
    let mut quickest = SignedDuration::MAX;
    for text in [
        "MIGRATE_ON_HOST_MAINTENANCE",
        "NONE",
        "TERMINATE_ON_HOST_MAINTENANCE",
        "NONE",
        "A_THIRD_KIND",
    ] {
        // The next request has to wait already.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let changed = Timestamp::now();
        service.set(MAINTENANCE, Some(text));
        let notice = stream.next().await.data;
        quickest = quickest.min(time(notice.noticed_at.as_ref()).duration_since(changed));
    }
    assert!(quickest < SignedDuration::from_millis(100), "{quickest:?}");
}

#[tokio::test]
async fn an_instance_with_a_longer_notice() {
    let nats = Nats::start().await.unwrap();
    let mut stream = Stream::of(&nats).await;
    for (attribute, setting, expected) in [
        (Some("120s"), "30s", 120),
        (None, "45s", 45),
        (Some("soon"), "30s", 30),
        // A slip of the pen is not believed.
        (Some("120h"), "50s", 50),
    ] {
        let service = Gcp::start().await.unwrap();
        service.set(NOTICE, attribute);
        // Each its own cluster, or a later one would be the same notice as an earlier.
        let cluster = format!("c{expected}");
        let agent = on_google(
            &service,
            &nats,
            &[("HT_GCP__NOTICE", setting), ("HT_CLUSTER", &cluster)],
        );
        agent.ready().await;
        service.preempt();
        let notice = stream.next().await.data;
        assert_eq!(
            (notice.cluster.as_str(), given(&notice)),
            (cluster.as_str(), SignedDuration::from_secs(expected))
        );
    }
}

#[tokio::test]
async fn an_instance_that_was_preempted_before_the_agent_came() {
    let (nats, service) = (Nats::start().await.unwrap(), Gcp::start().await.unwrap());
    let mut stream = Stream::of(&nats).await;
    service.preempt();
    let agent = on_google(&service, &nats, &[]);
    let notice = stream.next().await.data;
    assert_eq!((notice.kind.as_str(), notice.deadline), ("preempted", None));
    // Started again it says the same, which the stream has already.
    agent.worker.kill();
    agent.worker.restart().unwrap();
    agent
        .counts("hollowtrees_agent_notices_total{kind=\"preempted\",result=\"duplicate\"} 1")
        .await;
    stream.is_silent().await;
}

#[tokio::test]
async fn maintenance_that_ends_the_instance_and_is_over() {
    let (nats, service) = (Nats::start().await.unwrap(), Gcp::start().await.unwrap());
    let mut stream = Stream::of(&nats).await;
    let agent = on_google(&service, &nats, &[]);
    agent.ready().await;
    // By default a live migration is nothing.
    service.set(MAINTENANCE, Some("MIGRATE_ON_HOST_MAINTENANCE"));
    stream.is_silent().await;
    service.set(MAINTENANCE, Some("TERMINATE_ON_HOST_MAINTENANCE"));
    let notice = stream.next().await.data;
    assert_eq!(
        (
            notice.kind.as_str(),
            notice.certainty.as_str(),
            notice.provider_action.as_str(),
            notice.state.as_str()
        ),
        ("scheduled-maintenance", "certain", "terminate", "active")
    );
    service.set(MAINTENANCE, Some("NONE"));
    let over = stream.next().await.data;
    assert_eq!(
        (over.state.as_str(), &over.event_id),
        ("cancelled", &notice.event_id)
    );
    assert!(!over.event_id.is_empty());
    stream.is_silent().await;
}

#[tokio::test]
async fn an_answer_without_googles_mark() {
    let (nats, service) = (Nats::start().await.unwrap(), Gcp::start().await.unwrap());
    let mut stream = Stream::of(&nats).await;
    let agent = on_google(
        &service,
        &nats,
        &[("HT_GCP__WAIT", "1s"), ("HT_POLL__INTERVAL", "50ms")],
    );
    agent.ready().await;
    // A proxy that answers in the server's place is not believed, whatever it says.
    service.set_flavor(false);
    service.preempt();
    agent.meets("metadata_foreign").await;
    stream.is_silent().await;
    service.set_flavor(true);
    let notice = stream.next().await.data;
    assert_eq!(
        (notice.kind.as_str(), given(&notice)),
        ("preempted", SignedDuration::from_secs(30))
    );
    agent.ready().await;
}

#[tokio::test]
async fn a_server_that_does_not_let_wait_is_polled() {
    let (nats, service) = (Nats::start().await.unwrap(), Gcp::start().await.unwrap());
    let mut stream = Stream::of(&nats).await;
    service.set_waits(false);
    let agent = on_google(&service, &nats, &[("HT_POLL__INTERVAL", "200ms")]);
    agent.ready().await;
    let before = service.count(PREEMPTED);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = service.count(PREEMPTED) - before;
    assert!((1..=7).contains(&asked), "{asked} times in a second");
    service.preempt();
    assert_eq!(stream.next().await.data.kind, "preempted");
}
