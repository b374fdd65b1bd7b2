//! What the users of `docs/nats-permissions.md` can do, and what they cannot.

use std::time::Duration;

use hollowtrees_bus::{
    Bus,
    apply::{self, apply_consumer},
    topology::{self, Consumer, Profile},
    watch::Change,
};
use hollowtrees_harness::{
    Error, Metadata, Nats, Worker, eventually, http_get, metadata::Instance, ports::Port, process::Builder,
};
use hollowtrees_schemas::{
    envelope::{self, DataFormat, Envelope},
    filter,
    id::{ActionId, IncidentKey},
    key,
    names::Stream,
    outgoing, proto,
};

use crate::bus::{Raw, as_user, connected, server, server_with_accounts, subjects, violations};

const BOUND: Duration = Duration::from_secs(60);
/// A name that has to be escaped.
const BLUE: &str = "blue.eu";
const GREEN: &str = "green";
const INSTANCE: &str = "i-0d2aab13057917887";

fn program(of: &str) -> Builder {
    Worker::builder(of, env!("CARGO_BIN_EXE_chart-program")).env("HOLLOWTREES_PROGRAM", of)
}

/// A server with everything on it.
async fn declared() -> (Nats, Bus) {
    let nats = server(&[BLUE, GREEN]).await;
    let operator = connected(&nats, "operator").await;
    let consumers: Vec<Consumer> = topology::consumers()
        .into_iter()
        .chain(topology::of_cluster(BLUE))
        .chain(topology::of_cluster(GREEN))
        .chain([reader()])
        .collect();
    apply::apply(&operator, Profile::LOCAL, &consumers).await.unwrap();
    (nats, operator)
}

/// A consumer of blue's own, as the page has the operator make it.
fn reader() -> Consumer {
    Consumer {
        name: "reader-blue=2Eeu".to_owned(),
        stream: Stream::Notices,
        filters: vec![filter::notices(Some(BLUE))],
        description: "test".to_owned(),
    }
}

fn notice(cluster: &str, instance: &str) -> outgoing::Outgoing {
    let notice = proto::Notice {
        cluster: cluster.to_owned(),
        provider: "aws".to_owned(),
        instance: instance.to_owned(),
        kind: "spot-interruption".to_owned(),
        ..proto::Notice::default()
    };
    outgoing::notice(&envelope::notice(notice, "/aws/1/eu/imds"), DataFormat::Json).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_and_router_and_observer_work_with_their_permissions() {
    let (nats, operator) = declared().await;
    let metadata = Metadata::start(Instance::new(INSTANCE, "eu-west-1a"))
        .await
        .unwrap();
    let (for_router, for_agent) = (Port::reserve().unwrap(), Port::reserve().unwrap());
    let router = as_user(program("hollowtrees-router"), &nats, "router")
        .env("HT_HEALTH__LISTEN", for_router.addr().to_string())
        .start()
        .unwrap();
    let agent = as_user(program("hollowtrees-agent"), &nats, "agent-blue=2Eeu")
        .env("HT_CLUSTER", BLUE)
        .env("HT_PROVIDER", "aws")
        .env("HT_METADATA__URL", metadata.url())
        .env("HT_POLL__INTERVAL", "20ms")
        .env("HT_HEALTH__LISTEN", for_agent.addr().to_string())
        .start()
        .unwrap();
    for (process, port) in [(&router, &for_router), (&agent, &for_agent)] {
        process
            .ready(&format!("http://{}/readyz", port.addr()), BOUND)
            .await
            .unwrap();
    }
    metadata.interrupt("terminate", Duration::from_secs(120));
    let incident = key::incident(&IncidentKey::new(BLUE, INSTANCE, "live"));
    eventually("the incident", BOUND, async || {
        operator.incidents().get(&incident).await.unwrap()
    })
    .await;
    eventually("the first actions of the run", BOUND, async || {
        let actions = subjects(&operator, Stream::Actions).await;
        if actions.len() == 2 {
            Ok(())
        } else {
            Err(Error::new(format!("{actions:?}")))
        }
    })
    .await;
    // What the router cannot read.
    let mut raw = Raw::connect(&nats, "operator").await;
    assert!(
        raw.publish("ht.notice.v1.green.spot-interruption.i-1", "", "garbage")
            .await
    );
    assert!(
        raw.publish("ht.outcome.v1.green.drain.succeeded.not%escaped", "", "garbage")
            .await
    );
    eventually("two dead letters", BOUND, async || {
        match operator.dead_range().await.unwrap() {
            Some((first, last)) if last - first == 1 => Ok(()),
            other => Err(Error::new(format!("{other:?}"))),
        }
    })
    .await;
    // Over a new connection it goes on.
    assert_eq!(violations(&nats), Vec::<String>::new());
    nats.restart().await.unwrap();
    metadata.interrupt("stop", Duration::from_secs(60));
    eventually("the second notice", BOUND, async || {
        let notices = subjects(&operator, Stream::Notices).await;
        let own = notices
            .iter()
            .filter(|subject| subject.ends_with(INSTANCE))
            .count();
        if own == 2 {
            Ok(())
        } else {
            Err(Error::new(format!("{notices:?}")))
        }
    })
    .await;
    router
        .ready(&format!("http://{}/readyz", for_router.addr()), BOUND)
        .await
        .unwrap();
    let observed = as_user(program("hollowtrees"), &nats, "observer")
        .args(["runs", "show", INSTANCE])
        .start()
        .unwrap();
    let status = observed.exited(BOUND).await.unwrap();
    let story = observed.log().unwrap();
    assert!(status.success() && story.contains("drain"), "{story}");
    for arguments in [
        &["bus", "check"][..],
        &["runs", "list"],
        &["notice", "list"],
        &["dead", "list"],
    ] {
        let observed = as_user(program("hollowtrees"), &nats, "observer")
            .args(arguments)
            .start()
            .unwrap();
        let status = observed.exited(BOUND).await.unwrap();
        assert!(status.success(), "{arguments:?}: {}", observed.log().unwrap());
    }
    for process in [router, agent] {
        assert!(process.terminate(BOUND).await.unwrap().success());
    }
    assert_eq!(violations(&nats), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_counts_with_its_permissions() {
    let (nats, operator) = declared().await;
    let port = Port::reserve().unwrap();
    let process = as_user(program("hollowtrees-metrics"), &nats, "metrics")
        .env("HT_HEALTH__LISTEN", port.addr().to_string())
        .start()
        .unwrap();
    let url = |path: &str| format!("http://{}{path}", port.addr());
    process.ready(&url("/readyz"), BOUND).await.unwrap();
    let counted = async |expected: usize| {
        eventually(format!("{expected} notices to be counted"), BOUND, async || {
            let (_, page) = http_get::get(&url("/metrics")).await?;
            let page = String::from_utf8_lossy(&page).into_owned();
            let counted: f64 = page
                .lines()
                .filter(|line| line.starts_with("hollowtrees_notices_total{"))
                .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                .sum();
            if counted as usize == expected {
                Ok(())
            } else {
                Err(Error::new(page))
            }
        })
        .await;
    };
    operator.publish(&notice(BLUE, "i-1"), None).await.unwrap();
    counted(1).await;
    assert_eq!(violations(&nats), Vec::<String>::new());
    nats.restart().await.unwrap();
    operator.publish(&notice(GREEN, "i-2"), None).await.unwrap();
    let mut raw = Raw::connect(&nats, "operator").await;
    let broken = [("X bad".to_owned(), "1".to_owned())];
    assert!(
        raw.publish_with("ht.notice.v1.green.spot-interruption.i-3", &broken, b"{}")
            .await
    );
    operator.publish(&notice(GREEN, "i-4"), None).await.unwrap();
    counted(3).await;
    process.terminate(BOUND).await.unwrap();
    assert_eq!(violations(&nats), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_stores_and_puts_aside_with_its_permissions() {
    let (nats, operator) = declared().await;
    let (health, port) = (Port::reserve().unwrap(), Port::reserve().unwrap());
    let process = as_user(program("hollowtrees-gateway"), &nats, "gateway")
        .env("HT_HTTP__LISTEN", port.addr().to_string())
        .env("HT_HEALTH__LISTEN", health.addr().to_string())
        .start()
        .unwrap();
    let ready = format!("http://{}/readyz", health.addr());
    process.ready(&ready, BOUND).await.unwrap();
    let client = hollowtrees_harness::http_client::Client::plain().unwrap();
    let send = async |instance: &str| {
        let url = format!("http://{}/api/v2/alerts", port.addr());
        let labels = format!(r#"{{"alertname":"a","cluster":"{BLUE}","instance_id":"{instance}"}}"#);
        let body = format!(r#"[{{"labels":{labels}}}, "no alert"]"#);
        let answer = client
            .send(http::Method::POST, &url, &[], body.into())
            .await
            .unwrap();
        assert_eq!(answer.status(), 400, "one of two");
    };
    send("i-1").await;
    nats.restart().await.unwrap();
    process.ready(&ready, BOUND).await.unwrap();
    send("i-2").await;
    let expected = [
        "ht.notice.v1.blue=2Eeu.alert.i-1",
        "ht.notice.v1.blue=2Eeu.alert.i-2",
    ];
    let operator_again = connected(&nats, "operator").await;
    assert_eq!(subjects(&operator_again, Stream::Notices).await, expected);
    let letters = subjects(&operator_again, Stream::Dead).await;
    assert_eq!(letters, ["ht.dead.v1.=.alertmanager=2Fanyone.gateway"]);
    drop(operator);
    process.terminate(BOUND).await.unwrap();
    assert_eq!(violations(&nats), Vec::<String>::new());
    let mut raw = Raw::connect(&nats, "gateway").await;
    assert!(!raw.publish("ht.action.v1.green.drain.i-1", "", "{}").await);
    assert!(!raw.publish("ht.dead.v1.green.HT_ACTIONS.drain", "", "{}").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_its_cluster() {
    let (nats, operator) = declared().await;
    let bus = connected(&nats, "reader-blue=2Eeu").await;
    let mut deliveries = bus.consume(&reader(), 16).await.unwrap();
    for (cluster, instance) in [(GREEN, "i-1"), (BLUE, "i-2")] {
        operator.publish(&notice(cluster, instance), None).await.unwrap();
    }
    let delivery = tokio::time::timeout(BOUND, deliveries.next()).await.unwrap();
    let seen = Envelope::<proto::Notice>::decode(&delivery.wire).unwrap().data;
    delivery.ack().await;
    assert_eq!((seen.cluster.as_str(), seen.instance.as_str()), (BLUE, "i-2"));
    assert_eq!(violations(&nats), Vec::<String>::new());
    let mut raw = Raw::connect(&nats, "reader-blue=2Eeu").await;
    assert!(raw.subscribe("ht.outcome.v1.blue=2Eeu.>").await);
    assert!(!raw.subscribe("ht.outcome.v1.*.*.*.*").await);
    assert!(!raw.subscribe("ht.>").await);
}

/// By user: what it may publish of its own cluster, and what of the other it may not.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_publishes_what_is_another_clusters() {
    let (nats, operator) = declared().await;
    let own = "blue=2Eeu";
    let check = async |user: &str, subject: &str, allowed: bool| {
        let mut raw = Raw::connect(&nats, user).await;
        assert_eq!(raw.publish(subject, "", "{}").await, allowed, "{user} {subject}");
    };
    let written_by_others = [
        "ht.action.v1.CLUSTER.drain.i-1",
        "ht.incident.v1.CLUSTER.closed.i-1",
        "ht.run.v1.CLUSTER.finished.i-1",
        "$KV.ht_incidents.CLUSTER.i-1",
        "$KV.ht_runs.CLUSTER.i-1.1.r.certain",
        "$KV.ht_groups.1.eu.asg",
        "$KV.ht_workers.router.1",
        "$JS.API.STREAM.DELETE.HT_NOTICES",
        "$JS.API.STREAM.UPDATE.HT_NOTICES",
        "$JS.API.STREAM.PURGE.HT_NOTICES",
        "$JS.API.STREAM.CREATE.MINE",
        "$JS.API.STREAM.MSG.DELETE.HT_DEAD",
        "$JS.API.CONSUMER.DELETE.HT_NOTICES.router-notices",
        "$JS.API.CONSUMER.CREATE.HT_NOTICES",
        "$JS.API.CONSUMER.CREATE.HT_ACTIONS.drain-CLUSTER",
        "$JS.API.CONSUMER.DURABLE.CREATE.HT_ACTIONS.drain-CLUSTER",
        "$JS.API.CONSUMER.MSG.NEXT.HT_NOTICES.router-notices",
        "$JS.ACK.HT_NOTICES.router-notices.1.1.1.1.0",
    ];
    let served = [
        "ht.outcome.v1.CLUSTER.drain.succeeded.i-1",
        "ht.dead.v1.CLUSTER.HT_ACTIONS.drain",
        "$KV.ht_ledger.CLUSTER.abc",
        "$JS.API.CONSUMER.MSG.NEXT.HT_ACTIONS.drain-CLUSTER",
        "$JS.ACK.HT_ACTIONS.drain-CLUSTER.1.1.1.1.0",
        "$JS.API.DIRECT.GET.KV_ht_incidents.$KV.ht_incidents.CLUSTER.i-1",
        "$JS.API.DIRECT.GET.KV_ht_ledger.$KV.ht_ledger.CLUSTER.abc",
    ];
    let told = "ht.notice.v1.CLUSTER.spot-interruption.i-1";
    for (cluster, is_own) in [(own, true), (GREEN, false)] {
        let of = |subject: &str| subject.replace("CLUSTER", cluster);
        check(&format!("agent-{own}"), &of(told), is_own).await;
        check(&format!("drain-{own}"), &of(told), false).await;
        check("router", &of(told), false).await;
        for subject in served {
            check(&format!("agent-{own}"), &of(subject), false).await;
            check(&format!("drain-{own}"), &of(subject), is_own).await;
        }
        for subject in written_by_others {
            check(&format!("agent-{own}"), &of(subject), false).await;
            check(&format!("drain-{own}"), &of(subject), false).await;
            check(&format!("reader-{own}"), &of(subject), false).await;
        }
        for subject in served.into_iter().chain([told]) {
            check(&format!("reader-{own}"), &of(subject), false).await;
        }
        check(
            &format!("drain-{own}"),
            &of("ht.outcome.v1.CLUSTER.asg-swap.succeeded.i-1"),
            false,
        )
        .await;
    }
    for writes in [
        "ht.notice.v1.green.k.i-1",
        "$KV.ht_incidents.green.i-1",
        "$JS.API.STREAM.DELETE.HT_NOTICES",
    ] {
        check("observer", writes, false).await;
    }
    // Replies to others, and what others publish, are not heard.
    for user in ["agent", "drain"] {
        let mut raw = Raw::connect(&nats, &format!("{user}-{own}")).await;
        for deaf in [
            ">",
            "ht.>",
            "_INBOX.>",
            "_INBOX_router.>",
            "_INBOX_drain-green.>",
            "$KV.>",
            "$JS.API.>",
        ] {
            assert!(!raw.subscribe(deaf).await, "{user} {deaf}");
        }
    }
    // Through the project's own client too: it is not stored.
    let agent = connected(&nats, &format!("agent-{own}")).await;
    agent.publish(&notice(BLUE, "i-own"), None).await.unwrap();
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
    agent
        .publish(&notice(GREEN, "i-other"), Some(soon))
        .await
        .unwrap_err();
    let stored = subjects(&operator, Stream::Notices).await;
    assert!(
        stored.iter().any(|subject| subject.ends_with("i-own")),
        "{stored:?}"
    );
    assert!(
        !stored.iter().any(|subject| subject.contains("green")),
        "{stored:?}"
    );
}

const RECORD: &str = "green.i-1";

fn incident_of_green() -> proto::Incident {
    proto::Incident {
        schema: 1,
        cluster: GREEN.to_owned(),
        instance: "i-1".to_owned(),
        ..proto::Incident::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_its_own_keeps_an_agents_answers() {
    let nats = server_with_accounts(BLUE).await;
    let operator = connected(&nats, "operator").await;
    apply::apply(&operator, Profile::LOCAL, &topology::consumers())
        .await
        .unwrap();
    let before = operator
        .incidents()
        .put(RECORD, &incident_of_green())
        .await
        .unwrap();
    let mut raw = Raw::connect(&nats, "agent-blue=2Eeu").await;
    let mine = "ht.notice.v1.blue=2Eeu.spot-interruption.i-1";
    let forged_subject = "ht.notice.v1.green.spot-interruption.i-forged";
    for forged in [&format!("$KV.ht_incidents.{RECORD}"), forged_subject] {
        assert!(
            raw.publish(mine, forged, "{}").await,
            "its own account minds nothing"
        );
    }
    // Nothing of the streams is there, so nothing comes of it.
    raw.publish(forged_subject, "", "{}").await;
    raw.publish("$JS.API.STREAM.DELETE.HT_NOTICES", "", "").await;
    // Answers are sent in the order of the messages: those are over when this one is acknowledged.
    let agent = connected(&nats, "agent-blue=2Eeu").await;
    agent.publish(&notice(BLUE, "i-2"), None).await.unwrap();
    let stored = subjects(&operator, Stream::Notices).await;
    let own = |instance: &str| format!("ht.notice.v1.blue=2Eeu.spot-interruption.{instance}");
    assert_eq!(stored, [own("i-1"), own("i-1"), own("i-2")]);
    let record = operator.incidents().get(RECORD).await.unwrap().unwrap();
    assert_eq!((record.revision, record.value), (before, incident_of_green()));
}

/// What the page says is not fenced: here as it is, so that the page stays true.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_fenced_is_known() {
    let (nats, operator) = declared().await;
    let notices_of_green = async || {
        let stored = subjects(&operator, Stream::Notices).await;
        stored
            .into_iter()
            .filter(|subject| subject.contains(".green."))
            .collect::<Vec<_>>()
    };
    // Whoever may ask something may have the answer sent anywhere: an agent makes the server publish an acknowledgement.
    let mut agent = Raw::connect(&nats, "agent-blue=2Eeu").await;
    let mine = "ht.notice.v1.blue=2Eeu.spot-interruption.i-1";
    assert!(
        agent
            .publish(mine, "ht.notice.v1.green.spot-interruption.i-forged", "{}")
            .await
    );
    eventually("the acknowledgement to be stored", BOUND, async || {
        let found = notices_of_green().await;
        if found.len() == 1 {
            Ok(())
        } else {
            Err(Error::new(format!("{found:?}")))
        }
    })
    .await;

    // A drain worker has its own record, with any content, sent as a notice of another cluster.
    let mut drain = Raw::connect(&nats, "drain-blue=2Eeu").await;
    let forged = notice(GREEN, "i-forged-2");
    let own = "$KV.ht_workers.drain.me";
    assert!(
        drain
            .publish_with(own, &forged.wire.headers, &forged.wire.body)
            .await
    );
    let get = format!("$JS.API.DIRECT.GET.KV_ht_workers.{own}");
    assert!(
        drain
            .publish(&get, "ht.notice.v1.green.spot-interruption.i-forged-2", "")
            .await
    );
    eventually("the forged notice to be stored", BOUND, async || {
        let found = notices_of_green().await;
        if found.len() == 2 {
            Ok(())
        } else {
            Err(Error::new(format!("{found:?}")))
        }
    })
    .await;

    // The filter of a watch is in the body of its request: all clusters' incidents can be read.
    operator
        .incidents()
        .put(RECORD, &incident_of_green())
        .await
        .unwrap();
    let blue = connected(&nats, "drain-blue=2Eeu").await;
    assert!(blue.incidents().get(RECORD).await.is_err(), "but not one by one");
    let mut watch = blue.incidents().watch(&[">"]);
    let seen = async {
        loop {
            if let Change::Put(key, _) = watch.next().await {
                return key;
            }
        }
    };
    assert_eq!(tokio::time::timeout(BOUND, seen).await.unwrap(), RECORD);

    // Who is alive is told by kind and process, for all clusters.
    let word = proto::Liveness::default();
    blue.workers()
        .put("drain.a-process-of-green", &word)
        .await
        .unwrap();
}

/// A worker of green cannot take, settle or record blue's actions, whatever it asks for.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_worker_takes_its_own_actions_only() {
    let (nats, operator) = declared().await;
    let action = |cluster: &str| {
        let incident = IncidentKey::new(cluster, INSTANCE, "live");
        let action = proto::Action {
            id: ActionId::per_instance(&incident, 1, "drain", "certain").to_string(),
            cluster: cluster.to_owned(),
            kind: "drain".to_owned(),
            instance: INSTANCE.to_owned(),
            generation: 1,
            ..proto::Action::default()
        };
        outgoing::action(&envelope::action(action, "/test"), DataFormat::Json).unwrap()
    };
    for cluster in [BLUE, GREEN] {
        operator.publish(&action(cluster), None).await.unwrap();
    }
    let green = connected(&nats, "drain-green").await;
    let own: Vec<Consumer> = topology::of_cluster(GREEN).collect();
    let mut deliveries = green.consume(&own[0], 16).await.unwrap();
    let delivery = tokio::time::timeout(BOUND, deliveries.next()).await.unwrap();
    assert!(delivery.subject.contains(".green."), "{}", delivery.subject);
    delivery.ack().await;
    let others: Vec<Consumer> = topology::of_cluster(BLUE).collect();
    assert!(green.consume(&others[0], 16).await.is_err());
    // Nor can it make its own consumer take them.
    let mut widened = own[0].clone();
    widened.filters = others[0].filters.clone();
    assert!(apply_consumer(&green, &widened, Profile::LOCAL).await.is_err());

    let entry = proto::LedgerEntry {
        schema: 1,
        state: "done".to_owned(),
        nonce: "n".to_owned(),
        ..proto::LedgerEntry::default()
    };
    green.ledger().create("green.1", &entry).await.unwrap();
    assert!(green.ledger().create("blue=2Eeu.1", &entry).await.is_err());
    assert!(green.ledger().get("blue=2Eeu.1").await.is_err());
    assert!(operator.ledger().get("blue=2Eeu.1").await.unwrap().is_none());
}
