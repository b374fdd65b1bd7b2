use std::time::Duration;

use hollowtrees_bus::{
    Bus, ConnectError, Options, PublishError,
    dead::{Class, Reason},
    options::{Auth, Tls},
    topology::{Consumer, MAX_MESSAGE_BYTES},
};
use hollowtrees_harness::{Nats, NatsCluster, eventually, nats::User, proxy};
use hollowtrees_schemas::{
    envelope::{self, DataFormat::Json as JSON},
    outgoing::{self, Outgoing},
    proto,
    subject::{IncidentEvent, RunEvent},
};
use jiff::{SignedDuration, Timestamp};

use crate::support::{connect, connected, notice};

#[tokio::test]
async fn a_message_is_stored_once_however_often_it_is_sent() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let first = bus.publish(&notice("i-1"), None).await.unwrap();
    let again = bus.publish(&notice("i-1"), None).await.unwrap();
    let other = bus.publish(&notice("i-2"), None).await.unwrap();
    assert!(!first.duplicate && again.duplicate && !other.duplicate);
    assert_eq!(first.sequence, again.sequence);
}

#[tokio::test]
async fn a_lost_acknowledgement_makes_no_second_message() {
    let nats = Nats::start().await.unwrap();
    connected(&nats).await;
    let proxy = proxy::Tcp::start(nats.addr()).await.unwrap();
    let mut options = Options::new(format!("nats://{}", proxy.addr()));
    options.request_timeout = Duration::from_millis(500);
    let bus = Bus::connect(&options).await.unwrap();
    let before = bus.publish(&notice("i-before"), None).await.unwrap();

    proxy.lose_replies();
    let publishing = {
        let bus = bus.clone();
        tokio::spawn(async move { bus.publish(&notice("i-lost"), None).await })
    };
    eventually("the reply to be swallowed", Duration::from_secs(10), async || {
        (proxy.bytes_swallowed() > 0).then_some(())
    })
    .await;
    proxy.drop_connections();
    proxy.heal();
    let stored = publishing.await.unwrap().unwrap();
    assert!(stored.duplicate, "the first try had stored it");
    assert_eq!(stored.sequence, before.sequence + 1);
}

#[tokio::test]
async fn publishing_waits_for_a_server_that_restarts_and_ends_with_its_time() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    nats.kill();
    let soon = Timestamp::now() + SignedDuration::from_millis(200);
    let error = bus.publish(&notice("i-1"), Some(soon)).await.unwrap_err();
    assert!(matches!(error, PublishError::TimedOut { .. }), "{error}");

    let publishing = {
        let bus = bus.clone();
        tokio::spawn(async move { bus.publish(&notice("i-2"), None).await })
    };
    nats.restart().await.unwrap();
    publishing.await.unwrap().unwrap();
}

/// One of each kind that is published, all about `i-1`.
fn one_of_each() -> [(&'static str, Outgoing); 5] {
    let (cluster, instance) = ("c1".to_owned(), "i-1".to_owned());
    let action = proto::Action {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        cluster: cluster.clone(),
        kind: "drain".to_owned(),
        instance: instance.clone(),
        ..proto::Action::default()
    };
    let outcome = proto::Outcome {
        action_id: action.id.clone(),
        cluster: cluster.clone(),
        kind: "drain".to_owned(),
        instance: instance.clone(),
        result: "succeeded".to_owned(),
        ..proto::Outcome::default()
    };
    let incident = proto::Incident {
        cluster: cluster.clone(),
        instance: instance.clone(),
        ..proto::Incident::default()
    };
    let run = proto::Run {
        cluster,
        instance,
        rule: "r".to_owned(),
        ..proto::Run::default()
    };
    let (opened, started) = (IncidentEvent::Opened, RunEvent::Started);
    [
        ("notice", Ok(notice("i-1"))),
        ("action", outgoing::action(&envelope::action(action, "/x"), JSON)),
        (
            "outcome",
            outgoing::outcome(&envelope::outcome(outcome, "/x"), JSON),
        ),
        (
            "incident",
            outgoing::incident(opened, &envelope::incident(opened, incident, "/x"), JSON),
        ),
        (
            "run",
            outgoing::run(started, &envelope::run(started, run, "/x"), JSON),
        ),
    ]
    .map(|(word, out)| (word, out.unwrap()))
}

fn with_body(mut out: Outgoing, bytes: usize) -> Outgoing {
    out.wire.body = vec![b' '; bytes].into();
    out
}

const LIMIT: usize = MAX_MESSAGE_BYTES as usize;
/// More than the headers of a message take, and those of a dead letter.
const HEADERS: usize = 4 * 1024;

#[tokio::test]
async fn too_large_a_message_is_refused_at_the_door() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    for (word, out) in one_of_each() {
        for bytes in [LIMIT, 300 * 1024, 2 * 1024 * 1024] {
            let error = bus.publish(&with_body(out.clone(), bytes), None).await;
            let error = error.unwrap_err();
            assert!(
                matches!(error, PublishError::TooLarge { .. }),
                "{word} of {bytes}: {error}"
            );
            let text = error.to_string();
            assert!(
                text.contains(&format!("ht.{word}.v1.c1.")) && text.contains(&bytes.to_string()),
                "{text}"
            );
        }
        let fits = with_body(out, LIMIT - HEADERS);
        assert!(!bus.publish(&fits, None).await.unwrap().duplicate, "{word}");
    }
}

#[tokio::test]
async fn a_dead_letter_may_be_as_large_as_the_server_takes() {
    // The server's own limit, as it comes.
    const SERVER: usize = 1024 * 1024;
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    bus.publish(&with_body(notice("i-1"), LIMIT - HEADERS), None)
        .await
        .unwrap();
    let mut from = bus.consume(&Consumer::router_notices(), 4).await.unwrap();
    let mut delivery = tokio::time::timeout(Duration::from_secs(30), from.next())
        .await
        .expect("the notice comes");
    let worker = proto::Worker::default();
    let reason = Reason {
        class: Class::Undecodable,
        text: "only spaces".to_owned(),
        attempts: 1,
        action_id: None,
        cluster: "c1",
        worker: &worker,
    };
    let own = bus.dead_letter(&delivery, &reason).await.unwrap();
    assert_eq!(
        bus.dead_show(own.sequence).await.unwrap().body,
        delivery.wire.body
    );

    // Of a stream that somebody else set larger limits for.
    delivery.sequence += 1;
    delivery.wire.body = vec![b'x'; SERVER - HEADERS].into();
    let kept = bus.dead_letter(&delivery, &reason).await.unwrap();
    assert!(!kept.duplicate);
    assert_eq!(
        bus.dead_show(kept.sequence).await.unwrap().body,
        delivery.wire.body
    );

    delivery.sequence += 1;
    delivery.wire.body = vec![b'x'; SERVER].into();
    let error = bus.dead_letter(&delivery, &reason).await.unwrap_err();
    assert!(matches!(error, PublishError::TooLarge { .. }), "{error}");
    delivery.term().await;
}

#[tokio::test]
async fn who_cannot_connect_is_told_why() {
    let nats = Nats::builder()
        .user(User::new("worker", "secret"))
        .start()
        .await
        .unwrap();
    let url = nats.url();
    let connect_as = async |password: &str| {
        let auth = Auth::Password {
            user: "worker".to_owned(),
            password: password.to_owned(),
        };
        Bus::connect(&Options {
            auth,
            ..Options::new(&url)
        })
        .await
    };
    connect_as("secret").await.unwrap();
    let refused = connect_as("wrong").await.err().unwrap();
    assert!(matches!(refused, ConnectError::Refused { .. }), "{refused}");
    assert!(refused.to_string().contains("HT_NATS__PASSWORD") && !refused.to_string().contains("wrong"));

    nats.kill();
    let away = connect_as("secret").await.err().unwrap();
    assert!(
        away.is_transient() && away.to_string().contains("HT_NATS__URL"),
        "{away}"
    );
    let none = Bus::connect(&Options {
        urls: Vec::new(),
        ..Options::default()
    })
    .await
    .err()
    .unwrap();
    assert!(matches!(none, ConnectError::NoAddress));
    let nonsense = Bus::connect(&Options::new("http://[")).await.err().unwrap();
    assert!(matches!(nonsense, ConnectError::BadAddress { .. }), "{nonsense}");
}

#[tokio::test]
async fn tls_is_used_and_a_stranger_is_not_trusted() {
    // The process that runs tests installs the one provider, as the frame does in a worker.
    let _already_there = rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err();
    let nats = Nats::builder().mutual_tls().start().await.unwrap();
    let ca = nats.ca_file().unwrap().to_owned();
    let ours = nats.client_certificate("worker").unwrap().unwrap();
    let tls = Tls {
        ca: Some(ca.clone()),
        cert: Some(ours.certificate.clone()),
        key: Some(ours.key.clone()),
        required: true,
        first: false,
    };
    let url = nats.url();
    Bus::connect(&Options {
        tls,
        ..Options::new(&url)
    })
    .await
    .unwrap();
    let without_certificate = Tls {
        ca: Some(ca),
        required: true,
        ..Tls::default()
    };
    assert!(
        Bus::connect(&Options {
            tls: without_certificate,
            ..Options::new(&url)
        })
        .await
        .is_err()
    );
    let without_ca = Tls {
        required: true,
        ..Tls::default()
    };
    assert!(
        Bus::connect(&Options {
            tls: without_ca,
            ..Options::new(&url)
        })
        .await
        .is_err()
    );
}

#[tokio::test]
async fn three_servers_go_on_when_one_is_killed() {
    use hollowtrees_bus::{
        apply,
        topology::{self, Profile},
    };
    let cluster = NatsCluster::start(3).await.unwrap();
    let options = Options {
        urls: cluster.urls(),
        ..Options::default()
    };
    let bus = Bus::connect(&options).await.unwrap();
    let profile = Profile {
        replicas: 3,
        ..Profile::LOCAL
    };
    apply::apply(&bus, profile, &topology::consumers()).await.unwrap();
    assert!(
        apply::check(&bus, profile, &topology::consumers())
            .await
            .unwrap()
            .is_empty()
    );
    for number in 0..200 {
        if number == 100 {
            cluster.kill(0);
        }
        bus.publish(&notice(&format!("i-{number}")), None).await.unwrap();
    }
    let again = bus.publish(&notice("i-0"), None).await.unwrap();
    assert!(
        again.duplicate,
        "what was stored before the kill is known after it"
    );
    drop(connect(&cluster.urls()[1]).await);
}
