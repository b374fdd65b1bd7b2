//! Actions that belong together are done by one process, and by whoever has them where it does not take them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use hollowtrees_bus::{
    Auth, Bus, Options,
    consume::forward::{Answer, Forwarded, Forwards},
    liveness::Lease,
};
use hollowtrees_harness::{Nats, eventually, nats::User, proxy};
use hollowtrees_runtime::worker::{Report, Settings};
use hollowtrees_schemas::{filter, key, proto};
use tokio::sync::Notify;

use crate::support::{
    BOUND, CLUSTER, Outcomes, Running, Scripted, action, connect, connect_by, prepare, prepared, run, send,
    settings, settled,
};

fn with_affinity() -> Settings {
    Settings {
        affinity: true,
        ..settings()
    }
}

/// What handlers did, by instance: more than one is a second effect.
#[derive(Clone, Default)]
struct Effects(Arc<Mutex<BTreeMap<String, usize>>>);

impl Effects {
    fn note(&self, instance: &str) {
        *self.0.lock().unwrap().entry(instance.to_owned()).or_default() += 1;
    }

    fn each_is_one(&self, of: usize) {
        let effects = self.0.lock().unwrap();
        assert_eq!(effects.len(), of, "{effects:?}");
        assert!(effects.values().all(|times| *times == 1), "{effects:?}");
    }
}

/// All it does belongs together.
fn joined(effects: &Effects) -> Scripted {
    let effects = effects.clone();
    Scripted::new(move |job| {
        let effects = effects.clone();
        async move {
            if let Some(elsewhere) = job.elsewhere(&["all"]) {
                return Err(elsewhere);
            }
            effects.note(&job.action().instance);
            Ok(Report::succeeded("Done."))
        }
    })
}

/// Nothing that it does belongs to it, as long as there is anybody else.
fn modest(effects: &Effects) -> Scripted {
    let effects = effects.clone();
    Scripted::new(move |job| {
        let effects = effects.clone();
        async move {
            if let Some(elsewhere) = (0..64).find_map(|number: u32| job.elsewhere(&[&number.to_string()])) {
                return Err(elsewhere);
            }
            effects.note(&job.action().instance);
            Ok(Report::succeeded("Done."))
        }
    })
}

fn offered(worker: &Running, answer: &str) -> u64 {
    let line = format!("hollowtrees_worker_actions_offered_total{{action=\"work\",answer=\"{answer}\"}}");
    worker.count(&line)
}

/// Which processes ended these.
async fn ended_by(outcomes: &mut Outcomes, count: usize) -> BTreeSet<String> {
    let mut processes = BTreeSet::new();
    let mut instances = BTreeSet::new();
    for _ in 0..count {
        let outcome = outcomes.next().await;
        assert_eq!(
            (outcome.result.as_str(), outcome.attempt),
            ("succeeded", 1),
            "{outcome:?}"
        );
        assert!(instances.insert(outcome.instance), "it ended twice");
        processes.insert(outcome.worker.unwrap().process);
    }
    processes
}

/// Sends some until all know each other: until one process ends all of them, and each of the others has given it some. Its name.
async fn acquainted(bus: &Bus, outcomes: &mut Outcomes, workers: &[Running]) -> String {
    const FEW: usize = 8;
    for round in 0..100 {
        let given = || workers.iter().map(|worker| offered(worker, "taken"));
        let before: Vec<_> = given().collect();
        for number in 0..FEW {
            send(bus, &action(&format!("i-early-{round}-{number}"))).await;
        }
        let processes = ended_by(outcomes, FEW).await;
        let gave = given().zip(before).filter(|(now, before)| now > before).count();
        if processes.len() == 1 && gave + 1 == workers.len() {
            return processes.into_iter().next().unwrap();
        }
    }
    panic!("they never do what belongs together in one process");
}

/// Another process as the others see it, that does nothing of itself.
struct Puppet {
    _lease: Lease,
    given: Forwards,
}

impl Puppet {
    async fn new(bus: &Bus) -> Self {
        let deliveries = bus.consume(&settings().consumer(), 16).await.unwrap();
        let takes_at = filter::forward(None, "work", "puppet");
        let given = deliveries.forwards(takes_at.clone()).await.unwrap();
        // It pulls nothing: all that is sent goes to the others.
        drop(deliveries);
        let worker = proto::Worker {
            kind: "work".to_owned(),
            process: "puppet".to_owned(),
            version: String::new(),
        };
        let me = proto::Liveness {
            worker: Some(worker),
            takes_at,
            ..proto::Liveness::default()
        };
        Self {
            _lease: Lease::register(bus, &me).await.unwrap(),
            given,
        }
    }
}

/// A worker that gives all it has to a puppet.
struct Scene {
    _nats: Nats,
    bus: Bus,
    outcomes: Outcomes,
    effects: Effects,
    worker: Running,
    puppet: Puppet,
}

impl Scene {
    async fn new() -> Self {
        let (nats, bus) = prepared().await;
        let effects = Effects::default();
        Self {
            outcomes: Outcomes::of(&bus).await,
            worker: run(&connect(&nats.url()).await, &modest(&effects), with_affinity()),
            puppet: Puppet::new(&bus).await,
            effects,
            bus,
            _nats: nats,
        }
    }

    /// Sends one after the other until one is given.
    async fn given(&mut self) -> (proto::Action, Forwarded) {
        for number in 0..100 {
            let action = action(&format!("i-{number}"));
            send(&self.bus, &action).await;
            tokio::select! {
                given = self.puppet.given.next() => return (action, given.unwrap()),
                outcome = self.outcomes.next() => assert_eq!(outcome.result, "succeeded"),
            }
        }
        panic!("nothing is given to it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_does_what_belongs_together() {
    let (nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let effects = Effects::default();
    let mut workers = Vec::new();
    for _ in 0..3 {
        let handler = joined(&effects);
        workers.push(run(&connect(&nats.url()).await, &handler, with_affinity()));
    }
    let home = acquainted(&bus, &mut outcomes, &workers).await;
    let taken = || -> u64 { workers.iter().map(|worker| offered(worker, "taken")).sum() };
    let before = taken();
    effects.0.lock().unwrap().clear();
    for number in 0..60 {
        send(&bus, &action(&format!("i-{number}"))).await;
    }
    let processes = ended_by(&mut outcomes, 60).await;
    assert_eq!(processes, BTreeSet::from([home]));
    effects.each_is_one(60);
    assert!(taken() > before, "nothing had to be given");
    settled(&bus).await;
    for worker in workers {
        let again = worker.count("hollowtrees_worker_redeliveries_total{action=\"work\"}");
        assert_eq!(again, 0, "what was given was handed out again");
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_done_where_it_is() {
    let mut scene = Scene::new().await;
    let (action, given) = scene.given().await;
    let order: &str = &given.delivery.subject;
    assert!(order.ends_with(&action.instance), "{order}");
    given.delivery.abandon();
    given.word.refused("not today").await;
    let outcome = scene.outcomes.next().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.instance, outcome.attempt),
        ("succeeded", action.instance, 1)
    );
    assert_eq!(offered(&scene.worker, "refused"), 1);
    scene.worker.stop().await;
    settled(&scene.bus).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_answered_it_is_done_where_it_is() {
    let mut scene = Scene::new().await;
    let (action, given) = scene.given().await;
    given.delivery.abandon();
    let outcome = scene.outcomes.next().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.instance),
        ("succeeded", action.instance)
    );
    assert_eq!(offered(&scene.worker, "silent"), 1);
    scene.worker.stop().await;
    settled(&scene.bus).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_without_an_answer_is_done_once() {
    let mut scene = Scene::new().await;
    let (action, given) = scene.given().await;
    let begun = scene.effects.0.lock().unwrap().len();
    // It claims it as it may, and its answer is lost.
    let key = key::ledger(CLUSTER, &action.id.parse().unwrap());
    let entry = scene.bus.ledger().get(&key).await.unwrap().unwrap();
    assert_eq!(entry.revision, given.revision);
    assert_eq!(entry.value.owner.as_ref().unwrap().process, "puppet");
    let claimed = proto::LedgerEntry {
        nonce: "puppet".to_owned(),
        ..entry.value
    };
    scene
        .bus
        .ledger()
        .update(&key, &claimed, given.revision)
        .await
        .unwrap();
    eventually("the claim to be lost", BOUND, async || {
        scene
            .worker
            .count("hollowtrees_worker_claims_lost_total{action=\"work\"}")
            == 1
    })
    .await;
    scene.outcomes.none_within(Duration::from_millis(500)).await;
    scene.effects.each_is_one(begun);
    given.delivery.ack().await;
    scene.worker.stop().await;
    settled(&scene.bus).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hears_of_it_too_late_does_not_do_it() {
    let (nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let effects = Effects::default();
    let far = proxy::Tcp::start(nats.addr()).await.unwrap();
    let workers = [
        run(&connect(&nats.url()).await, &modest(&effects), with_affinity()),
        run(
            &connect(&format!("nats://{}", far.addr())).await,
            &modest(&effects),
            with_affinity(),
        ),
    ];
    // Each gives to the other one what it has: they know each other.
    let mut sent = 0;
    while workers.iter().any(|worker| offered(worker, "taken") == 0) {
        send(&bus, &action(&format!("i-early-{sent}"))).await;
        sent += 1;
        assert_eq!(outcomes.next().await.result, "succeeded");
    }
    far.latency(Duration::from_millis(600));
    for number in 0..4 {
        send(&bus, &action(&format!("i-{number}"))).await;
    }
    let results = outcomes.results(4).await;
    assert!(
        results.values().all(|result| result == "succeeded"),
        "{results:?}"
    );
    far.heal();
    settled(&bus).await;
    effects.each_is_one(sent + 4);
    assert!(offered(&workers[0], "silent") > 0, "the far one was in time");
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_with_what_was_given_to_it_leaves_it_to_the_others() {
    let mut scene = Scene::new().await;
    let (action, given) = scene.given().await;
    given.word.taken().await;
    given.delivery.abandon();
    drop(scene.puppet);
    let outcome = scene.outcomes.next().await;
    // Whether it was started there nobody knows: it counts as a start that broke off.
    assert_eq!(
        (outcome.result.as_str(), outcome.instance, outcome.attempt),
        ("succeeded", action.instance, 2)
    );
    scene.worker.stop().await;
    settled(&scene.bus).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ends_or_has_no_room_takes_nothing() {
    let (nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let (effects, go) = (Effects::default(), Arc::new(Notify::new()));
    let held = {
        let go = Arc::clone(&go);
        Scripted::new(move |_| {
            let go = Arc::clone(&go);
            async move {
                go.notified().await;
                Ok(Report::succeeded("Done."))
            }
        })
    };
    let full = Settings {
        running: 1,
        accepted: 1,
        ..with_affinity()
    };
    let busy = run(&connect(&nats.url()).await, &held, full);
    send(&bus, &action("i-held")).await;
    held.started(1).await;
    let worker = run(&connect(&nats.url()).await, &modest(&effects), with_affinity());
    let mut sent = 0;
    let mut refused = async |times: u64| {
        while offered(&worker, "refused") < times {
            send(&bus, &action(&format!("i-{sent}"))).await;
            sent += 1;
            assert_eq!(outcomes.next().await.result, "succeeded");
        }
    };
    refused(1).await;
    // It waits for the one that runs, and is alive as long as that.
    let stopping = tokio::spawn(busy.stop());
    let before = offered(&worker, "refused");
    refused(before + 2).await;
    assert_eq!(offered(&worker, "taken") + offered(&worker, "silent"), 0);
    go.notify_one();
    stopping.await.unwrap();
    assert_eq!(outcomes.next().await.instance, "i-held");
    effects.each_is_one(sent);
    worker.stop().await;
    settled(&bus).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_another_consumer_is_not_taken() {
    let (nats, bus) = prepared().await;
    let worker = run(
        &connect(&nats.url()).await,
        &Scripted::succeeds(),
        with_affinity(),
    );
    let mut ended = Outcomes::of(&bus).await;
    let mut outcomes = bus
        .consume(&hollowtrees_bus::topology::Consumer::router_outcomes(), 4)
        .await
        .unwrap();
    send(&bus, &action("i-1")).await;
    let process = ended.next().await.worker.unwrap().process;
    let takes_at = filter::forward(None, "work", &process);
    let other = outcomes.next().await;
    let revision = {
        let key = key::ledger(CLUSTER, &action("i-1").id.parse().unwrap());
        bus.ledger().get(&key).await.unwrap().unwrap().revision
    };
    let answer = bus.forward(&takes_at, &other.slip(), revision).await;
    let Answer::Refused(why) = answer else {
        panic!("{answer:?}");
    };
    assert!(why.contains("HT_OUTCOMES/router-outcomes"), "{why}");
    other.ack().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_give_does_it_all_itself() {
    let rest = ["$JS.>", "$KV.>", "ht.outcome.>", "_INBOX.>"];
    let nats = Nats::builder()
        .user(User::new("all", "secret"))
        .user(
            User::new("fenced", "secret")
                .publish(rest)
                .subscribe(["_INBOX.>"]),
        )
        .start()
        .await
        .unwrap();
    let connect_as = async |user: &str| {
        let auth = Auth::Password {
            user: user.to_owned(),
            password: "secret".to_owned(),
        };
        connect_by(Options {
            auth,
            ..Options::new(nats.url())
        })
        .await
    };
    let bus = connect_as("all").await;
    prepare(&bus).await;
    let mut outcomes = Outcomes::of(&bus).await;
    let effects = Effects::default();
    let mut workers = Vec::new();
    for _ in 0..2 {
        let fenced = connect_as("fenced").await;
        workers.push(run(&fenced, &modest(&effects), with_affinity()));
    }
    for number in 0..20 {
        send(&bus, &action(&format!("i-{number}"))).await;
    }
    ended_by(&mut outcomes, 20).await;
    effects.each_is_one(20);
    for worker in workers {
        for answer in ["taken", "refused", "silent"] {
            assert_eq!(offered(&worker, answer), 0, "it is offered to nobody");
        }
        worker.stop().await;
    }
}
