//! Approvals of Azure's events by agents with just the permissions of `docs/nats-permissions.md`, from what the real router writes.

use std::time::Duration;

use hollowtrees_bus::{Bus, Deliveries};
use hollowtrees_harness::{
    Worker, eventually,
    metadata::{Azure, Event},
    ports::Port,
};
use hollowtrees_schemas::{
    envelope::{self, DataFormat, Envelope},
    filter,
    names::Stream,
    outgoing, proto,
};

use crate::bus::{Raw, as_user, connected, prepared, server, violations};

const BOUND: Duration = Duration::from_secs(60);
const CLUSTER: &str = "blue.eu";
const USER: &str = "approver-blue=2Eeu";
const ONE: (&str, &str) = ("aks-spot_1", "11111111-0000-0000-0000-000000000000");
const TWO: (&str, &str) = ("aks-spot_2", "22222222-0000-0000-0000-000000000000");

fn program(of: &str) -> hollowtrees_harness::process::Builder {
    Worker::builder(of, env!("CARGO_BIN_EXE_chart-program")).env("HOLLOWTREES_PROGRAM", of)
}

/// Stands for all workers: says of the actions of one instance that they are done.
async fn does_all(operator: &Bus, actions: &mut Deliveries, instance: &str, most: usize) {
    for _ in 0..most {
        let delivery = tokio::time::timeout(BOUND, actions.next())
            .await
            .expect("an action");
        let action = Envelope::<proto::Action>::decode(&delivery.wire).unwrap().data;
        assert_eq!(action.instance, instance);
        let outcome = proto::Outcome {
            action_id: action.id,
            cluster: action.cluster,
            kind: action.kind,
            instance: action.instance,
            generation: action.generation,
            certainty: action.certainty,
            mode: action.mode,
            result: "succeeded".to_owned(),
            ..proto::Outcome::default()
        };
        let outgoing = outgoing::outcome(&envelope::outcome(outcome, "/test"), DataFormat::Json).unwrap();
        operator.publish(&outgoing, None).await.unwrap();
        delivery.ack().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_approve_what_the_router_says_is_done() {
    let nats = server(&[CLUSTER]).await;
    let operator = connected(&nats, "operator").await;
    let mut actions = prepared(&operator, Stream::Actions, filter::all_actions(None)).await;
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.yaml");
    std::fs::write(
        &rules,
        "version: 1\nrules:\n  - name: going\n    match: {all: []}\n    steps:\n      - actions: [look]\n      - actions: [leave]\n",
    )
    .unwrap();
    let port = Port::reserve().unwrap();
    let router = as_user(program("hollowtrees-router"), &nats, "router")
        .env("HT_RULES__FILE", &rules)
        .env("HT_HEALTH__LISTEN", port.addr().to_string())
        .start()
        .unwrap();
    router
        .ready(&format!("http://{}/readyz", port.addr()), BOUND)
        .await
        .unwrap();

    let mut machines = Vec::new();
    for (name, id) in [ONE, TWO] {
        let (service, port) = (Azure::start_as(name, id).await.unwrap(), Port::reserve().unwrap());
        let agent = as_user(program("hollowtrees-agent"), &nats, USER)
            .env("HT_CLUSTER", CLUSTER)
            .env("HT_PROVIDER", "azure")
            .env("HT_AZURE__APPROVE", "true")
            .env("HT_METADATA__URL", service.url())
            .env("HT_POLL__INTERVAL", "50ms")
            .env("HT_HEALTH__LISTEN", port.addr().to_string())
            .start()
            .unwrap();
        agent
            .ready(&format!("http://{}/readyz", port.addr()), BOUND)
            .await
            .unwrap();
        machines.push((service, agent, port));
    }
    let event = Event {
        resources: vec![TWO.0.to_owned(), ONE.0.to_owned()],
        ..Event::new("E1", "Preempt", ONE.0, Duration::from_secs(600))
    };
    // One after the other, so that their actions come in order.
    for (i, (_, id)) in [ONE, TWO].into_iter().enumerate() {
        let service = &machines[i].0;
        service.schedule(std::slice::from_ref(&event));
        does_all(&operator, &mut actions, id, 1).await;
        assert!(machines[0].0.approved().is_empty());
        does_all(&operator, &mut actions, id, 1).await;
    }
    eventually("the approval", BOUND, async || {
        let approved: Vec<_> = machines.iter().map(|(service, ..)| service.approved()).collect();
        if approved == [vec!["E1".to_owned()], vec![]] {
            Ok(())
        } else {
            Err(format!("{approved:?}"))
        }
    })
    .await;
    for (_, agent, _) in &machines {
        assert!(agent.terminate(BOUND).await.unwrap().success());
    }
    router.terminate(BOUND).await.unwrap();
    assert_eq!(violations(&nats), Vec::<String>::new());
}

/// What an approver may do beyond what every agent may, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn an_approver_reads_its_own_cluster_and_writes_nothing_more() {
    let nats = server(&[CLUSTER, "green"]).await;
    let mut raw = Raw::connect(&nats, USER).await;
    for (subject, may) in [
        ("ht.notice.v1.blue=2Eeu.preempted.i-1", true),
        ("ht.ready.v1.blue=2Eeu.E1", true),
        (
            "$JS.API.DIRECT.GET.KV_ht_incidents.$KV.ht_incidents.blue=2Eeu.i-1",
            true,
        ),
        (
            "$JS.API.DIRECT.GET.KV_ht_runs.$KV.ht_runs.blue=2Eeu.i-1.1.r.certain",
            true,
        ),
        ("ht.ready.v1.green.E1", false),
        (
            "$JS.API.DIRECT.GET.KV_ht_incidents.$KV.ht_incidents.green.i-1",
            false,
        ),
        (
            "$JS.API.DIRECT.GET.KV_ht_runs.$KV.ht_runs.green.i-1.1.r.certain",
            false,
        ),
        ("$JS.API.DIRECT.GET.KV_ht_ledger.$KV.ht_ledger.blue=2Eeu.a", false),
        ("$JS.API.DIRECT.GET.KV_ht_incidents", false),
        ("$JS.API.STREAM.MSG.GET.KV_ht_incidents", false),
        ("$KV.ht_incidents.blue=2Eeu.i-1", false),
        ("ht.outcome.v1.blue=2Eeu.drain.succeeded.i-1", false),
        ("ht.run.v1.blue=2Eeu.finished.i-1", false),
    ] {
        assert_eq!(raw.publish(subject, "", "{}").await, may, "{subject}");
    }
    for (subject, may) in [
        ("ht.ready.v1.blue=2Eeu.*", true),
        ("ht.ready.v1.green.*", false),
        ("ht.run.v1.blue=2Eeu.>", false),
        ("ht.>", false),
    ] {
        assert_eq!(raw.subscribe(subject).await, may, "{subject}");
    }
    // One that does not approve has none of it.
    let mut agent = Raw::connect(&nats, "agent-blue=2Eeu").await;
    assert!(!agent.publish("ht.ready.v1.blue=2Eeu.E1", "", "{}").await);
    assert!(!agent.subscribe("ht.ready.v1.blue=2Eeu.*").await);
}
