//! Approvals of Azure's events. What the router would write is written here; with the router itself they are tried in
//! `tests/chart/tests/it/approvals.rs`.

use std::time::Duration;

use hollowtrees_bus::{Bus, Options};
use hollowtrees_harness::{
    Nats, eventually,
    metadata::{Azure, Event},
    proxy::Fault,
};
use hollowtrees_schemas::{id::IncidentKey, key, proto};

use crate::rig::{Agent, LIMIT, Stream, agent};

const EVENTS: &str = "/metadata/scheduledevents";
const QUARTER: Duration = Duration::from_secs(900);
const ONE: (&str, &str) = ("aks-spot_1", "11111111-0000-0000-0000-000000000000");
const TWO: (&str, &str) = ("AKS-spot_2", "22222222-0000-0000-0000-000000000000");

async fn machine((name, id): (&str, &str)) -> Azure {
    Azure::start_as(name, id).await.unwrap()
}

fn approver(service: &Azure, bus: &str, env: &[(&str, &str)]) -> Agent {
    let own = [("HT_PROVIDER", "azure"), ("HT_AZURE__APPROVE", "true")];
    let env: Vec<_> = own.iter().chain(env).copied().collect();
    agent(&service.url(), bus, &env)
}

async fn connected(nats: &Nats) -> Bus {
    Bus::connect(&Options::new(nats.url())).await.unwrap()
}

/// An open incident that knows of these events and has these runs.
fn incident(instance: &str, events: &[&str], runs: &[&str]) -> proto::Incident {
    let fact = |event: &&str| proto::Fact {
        event_id: (*event).to_owned(),
        state: "active".to_owned(),
        ..proto::Fact::default()
    };
    let run = |rule: &&str| proto::RunRef {
        rule: (*rule).to_owned(),
        certainty: "certain".to_owned(),
    };
    proto::Incident {
        schema: 1,
        cluster: "blue".to_owned(),
        instance: instance.to_owned(),
        generation: 1,
        state: "open".to_owned(),
        facts: events.iter().map(fact).collect(),
        runs: runs.iter().map(run).collect(),
        ..proto::Incident::default()
    }
}

async fn write_incident(bus: &Bus, incident: &proto::Incident) {
    let of = IncidentKey::new(&incident.cluster, &incident.instance, "live");
    eventually("the incident to be written", LIMIT, || async {
        bus.incidents().put(&key::incident(&of), incident).await
    })
    .await;
}

async fn write_run(bus: &Bus, instance: &str, rule: &str, phase: &str, result: &str) {
    let of = IncidentKey::new("blue", instance, "live");
    let run = proto::Run {
        schema: 1,
        phase: phase.to_owned(),
        result: result.to_owned(),
        ..proto::Run::default()
    };
    let key = key::run(&of, 1, rule, "certain");
    eventually("the run to be written", LIMIT, || async {
        bus.runs().put(&key, &run).await
    })
    .await;
}

/// All of it is done for this machine.
async fn is_done(bus: &Bus, instance: &str, event: &str) {
    write_run(bus, instance, "spot", "finished", "succeeded").await;
    write_incident(bus, &incident(instance, &[event], &["spot"])).await;
}

async fn approves(service: &Azure, expected: &[&str]) {
    eventually(format!("approvals of {expected:?}"), LIMIT, || async {
        let approved = service.approved();
        if approved == expected {
            Ok(())
        } else {
            Err(format!("{approved:?}"))
        }
    })
    .await;
}

/// Not within fifty readings of the list.
async fn approves_nothing(service: &Azure) {
    let before = service.count(EVENTS);
    eventually("fifty more readings", LIMIT, || async {
        let more = service.count(EVENTS) - before;
        if more >= 50 { Ok(()) } else { Err(more) }
    })
    .await;
    assert_eq!(service.approved(), Vec::<String>::new());
}

fn posts(service: &Azure) -> usize {
    service
        .seen()
        .iter()
        .filter(|seen| seen.method == http::Method::POST && seen.path.contains(EVENTS))
        .count()
}

#[tokio::test]
async fn an_event_is_approved_once_all_its_runs_have_succeeded() {
    let (nats, service) = (Nats::start().await.unwrap(), machine(ONE).await);
    let mut stream = Stream::of(&nats).await;
    let bus = connected(&nats).await;
    let agent = approver(&service, &nats.url(), &[]);
    service.schedule(&[Event::new("E1", "Preempt", ONE.0, QUARTER)]);
    assert_eq!(stream.next().await.data.event_id, "E1");
    approves_nothing(&service).await;

    // An incident without runs: no rule matched, and nobody has done anything.
    write_incident(&bus, &incident(ONE.1, &["E1"], &[])).await;
    approves_nothing(&service).await;
    // Two runs, one of which goes on; then fails.
    write_run(&bus, ONE.1, "spot", "finished", "succeeded").await;
    write_run(&bus, ONE.1, "page", "running", "").await;
    write_incident(&bus, &incident(ONE.1, &["E1"], &["spot", "page"])).await;
    approves_nothing(&service).await;
    write_run(&bus, ONE.1, "page", "finished", "failed").await;
    approves_nothing(&service).await;
    assert_eq!(posts(&service), 0);

    write_run(&bus, ONE.1, "page", "finished", "succeeded").await;
    approves(&service, &["E1"]).await;
    // It starts by that: the notice's time is now.
    assert_eq!(stream.next().await.data.event_id, "E1");
    agent.counts("hollowtrees_agent_approvals_total 1").await;
    // Another event of the same incident waits until the incident knows of it.
    service.schedule(&[Event::new("E2", "Reboot", ONE.0, QUARTER)]);
    stream.next().await;
    eventually("more readings", LIMIT, || async {
        let asked = service.count(EVENTS);
        if asked > 100 { Ok(()) } else { Err(asked) }
    })
    .await;
    assert_eq!(service.approved(), ["E1"]);
    write_incident(&bus, &incident(ONE.1, &["E1", "E2"], &["spot", "page"])).await;
    approves(&service, &["E1", "E2"]).await;
    assert_eq!(posts(&service), 2);
}

#[tokio::test]
async fn nothing_is_approved_unless_asked_for_and_live() {
    for env in [
        &[("HT_AZURE__APPROVE", "false")][..],
        &[("HT_MODE", "dry-run")],
        &[("HT_MODE", "test")],
    ] {
        let (nats, service) = (Nats::start().await.unwrap(), machine(ONE).await);
        let mut stream = Stream::of(&nats).await;
        let _agent = approver(&service, &nats.url(), env);
        service.schedule(&[Event::new("E1", "Preempt", ONE.0, QUARTER)]);
        stream.next().await;
        is_done(&connected(&nats).await, ONE.1, "E1").await;
        approves_nothing(&service).await;
    }
}

#[tokio::test]
async fn an_event_of_two_machines_is_approved_by_one_when_both_are_done() {
    let nats = Nats::start().await.unwrap();
    let (one, two) = (machine(ONE).await, machine(TWO).await);
    let mut stream = Stream::of(&nats).await;
    let bus = connected(&nats).await;
    let event = Event {
        resources: vec![TWO.0.to_owned(), ONE.0.to_owned()],
        ..Event::new("E1", "Terminate", ONE.0, QUARTER)
    };
    let first = approver(&one, &nats.url(), &[]);
    one.schedule(std::slice::from_ref(&event));
    assert_eq!(stream.next().await.data.instance, ONE.1);
    // The other has no agent yet.
    is_done(&bus, ONE.1, "E1").await;
    approves_nothing(&one).await;
    two.schedule(std::slice::from_ref(&event));
    let _second = approver(&two, &nats.url(), &[]);
    assert_eq!(stream.next().await.data.instance, TWO.1);
    approves_nothing(&one).await;
    // The one that is to approve ends, and knows nothing when it comes back.
    first.worker.terminate(LIMIT).await.unwrap();
    is_done(&bus, TWO.1, "E1").await;
    approves_nothing(&two).await;
    let _first = approver(&one, &nats.url(), &[]);
    approves(&one, &["E1"]).await;
    assert_eq!((posts(&one), posts(&two)), (1, 0));
}

#[tokio::test]
async fn neither_a_bus_nor_a_service_that_is_away_loses_an_approval() {
    let (nats, service) = (Nats::start().await.unwrap(), machine(ONE).await);
    let mut stream = Stream::of(&nats).await;
    let bus = connected(&nats).await;
    let agent = approver(&service, &nats.url(), &[]);
    service.schedule(&[Event::new("E1", "Preempt", ONE.0, QUARTER)]);
    stream.next().await;
    nats.kill();
    approves_nothing(&service).await;
    nats.restart().await.unwrap();
    service.inject(Fault::status(500).method(http::Method::POST));
    is_done(&bus, ONE.1, "E1").await;
    agent.meets_at("metadata_status", "approve").await;
    assert_eq!(service.approved(), Vec::<String>::new());
    service.heal();
    approves(&service, &["E1"]).await;
}
