//! Several drain processes of one cluster, each under an account of its own: the API server's record tells who did what.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use hollowtrees_harness::{
    Error, Worker, control_plane::fixtures, eventually, http_get, ports::Port, supervise::Signal,
};
use hollowtrees_schemas::{key, proto, proto::time::to_proto};
use jiff::{SignedDuration, Timestamp};

use crate::{
    burst::{Burst, assert_succeeded, two_tiers},
    support::{BOUND, grant},
    world::{World, detail},
};

/// A drain process.
pub(crate) struct Replica {
    pub(crate) process: Worker,
    /// Its requests are made by this user.
    pub(crate) user: String,
    _port: Port,
}

impl Replica {
    /// Ready when it returns.
    pub(crate) async fn start(world: &World, name: &str) -> Self {
        let account = format!("{}-{name}", world.ground.name);
        let plane = &world.ground.plane;
        let kubeconfig = plane
            .kubeconfig_for_service_account(&account, "drain")
            .await
            .unwrap();
        grant(&world.ground.admin, &account).await;
        let port = Port::reserve().unwrap();
        let process = Worker::builder("drain", env!("CARGO_BIN_EXE_hollowtrees-drain"))
            .env("HT_CLUSTER__NAME", &world.cluster)
            // The cluster is shared with tests that cordon as well.
            .env("HT_DRAIN__ADVISORY_CORDONS", "100%")
            .env("HT_CLUSTER__KUBECONFIG", kubeconfig)
            .env("HT_NATS__URL", world.nats.url())
            .env("HT_HEALTH__LISTEN", port.addr().to_string())
            .start()
            .unwrap();
        let ready = format!("http://{}/readyz", port.addr());
        process.ready(&ready, BOUND).await.unwrap();
        Self {
            process,
            user: format!("system:serviceaccount:{account}:drain"),
            _port: port,
        }
    }

    pub(crate) async fn stop(&self) {
        self.process.signal(Signal::TERM).unwrap();
        let status = self.process.exited(Duration::from_secs(30)).await.unwrap();
        assert!(status.success(), "{status}");
    }
}

/// Starts so many, whose requests count in the burst.
async fn start(world: &World, mut burst: Burst, names: &[&str]) -> (Burst, Vec<Replica>) {
    let mut replicas = Vec::new();
    for name in names {
        let replica = Replica::start(world, name).await;
        burst = burst.and_by(&replica.user);
        replicas.push(replica);
    }
    pulls(world, names.len()).await;
    (burst, replicas)
}

/// Waits until so many processes ask for actions: whoever is ready does so a moment later.
async fn pulls(world: &World, count: usize) {
    let url = format!("{}/jsz?consumers=true", world.nats.monitor_url());
    let consumer = format!("drain-{}", world.cluster);
    eventually(format!("{count} to ask for actions"), BOUND, async || {
        let (_, body) = http_get::get(&url).await?;
        let told: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let streams = told["account_details"][0]["stream_detail"].as_array();
        let waiting = streams
            .into_iter()
            .flatten()
            .flat_map(|stream| stream["consumer_detail"].as_array().into_iter().flatten())
            .find(|found| found["name"] == consumer.as_str())
            .map(|found| found["num_waiting"].clone());
        if waiting == Some(count.into()) {
            Ok(())
        } else {
            Err(Error::new(format!("{waiting:?}")))
        }
    })
    .await;
}

/// Evictions that each user was granted.
fn shares(burst: &Burst) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for entry in burst.granted().into_values().flatten() {
        *shares.entry(entry.user).or_default() += 1;
    }
    shares
}

async fn record(world: &World, action: &proto::Action) -> Option<proto::LedgerEntry> {
    let key = key::ledger(&action.cluster, &action.id.parse().unwrap());
    Some(world.bus.ledger().get(&key).await.unwrap()?.value)
}

async fn owner(world: &World, action: &proto::Action) -> String {
    let record = record(world, action).await;
    record.and_then(|record| record.owner).unwrap_or_default().process
}

#[tokio::test(flavor = "multi_thread")]
async fn three_share_a_burst_and_two_have_the_nodes_of_one_that_is_killed_at_its_peak() {
    const NODES: usize = 18;
    let mut world = World::new("share", NODES).await;
    let pods = two_tiers(&world.ground, 0..NODES, 2);
    let burst = Burst::of(&world.ground, pods).await;
    let (burst, replicas) = start(&world, burst, &["a", "b", "c"]).await;
    let actions: Vec<proto::Action> = (0..NODES).map(|i| world.action_on(i, "drain", 240)).collect();
    for action in &actions {
        world.send(action).await;
    }
    // All first pods are asked to go, and those that come after them are not yet.
    burst.has_granted(burst.pods() / 2).await;
    let killed_at = Timestamp::now();
    let killed = Instant::now();
    replicas[0].process.kill();
    let before = shares(&burst);
    println!("evictions by each until the kill: {before:?}");
    assert_eq!(before.len(), 3, "all of them have a share: {before:?}");
    let mut owners = BTreeSet::new();
    for action in &actions {
        owners.insert(owner(&world, action).await);
    }
    assert_eq!(owners.len(), 3, "{owners:?}");
    let victims: BTreeSet<String> = burst
        .granted()
        .into_values()
        .flatten()
        .filter(|entry| entry.user == replicas[0].user)
        .map(|entry| entry.name.split('-').nth(1).unwrap().to_owned())
        .collect();
    assert!(!victims.is_empty());

    let ends = world.ends(NODES).await;
    println!("all drained {:.1?} after the kill", killed.elapsed());
    assert_succeeded(&ends);
    burst.assert_each_went_once();
    // The first thing that somebody else did about each of the nodes that were the victim's.
    let mut taken: BTreeMap<String, SignedDuration> = BTreeMap::new();
    for entry in burst.evictions() {
        let node = entry.name.split('-').nth(1).unwrap().to_owned();
        if victims.contains(&node) && entry.user != replicas[0].user {
            let after = entry.at.duration_since(killed_at);
            taken
                .entry(node)
                .and_modify(|first| *first = (*first).min(after))
                .or_insert(after);
        }
    }
    println!("taken over after {taken:?}");
    assert_eq!(taken.keys().cloned().collect::<BTreeSet<_>>(), victims);
    // `ack_wait` is five seconds: its word has aged by then, and whoever met it before looks again when it has. One more for
    // a loaded machine.
    let latest = taken.values().max().unwrap();
    assert!(*latest < SignedDuration::from_secs(6), "{taken:?}");
    for replica in &replicas[1..] {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_update_in_mid_burst_starts_nothing_again() {
    const NODES: usize = 12;
    let mut world = World::new("rolling", NODES).await;
    let pods = two_tiers(&world.ground, 0..NODES, 2).into_iter().map(|pod| {
        let critical = pod["spec"].get("priorityClassName").is_some();
        if critical {
            pod
        } else {
            fixtures::annotated(pod, fixtures::EXIT_AFTER, "12s")
        }
    });
    let burst = Burst::of(&world.ground, pods.collect()).await;
    let (mut burst, old) = start(&world, burst, &["a", "b", "c"]).await;
    let actions: Vec<proto::Action> = (0..NODES).map(|i| world.action_on(i, "drain", 240)).collect();
    for action in &actions {
        world.send(action).await;
    }
    burst.has_granted(burst.pods() / 2).await;
    let began = Instant::now();
    let mut new = Vec::new();
    for (replica, name) in old.iter().zip(["d", "e", "f"]) {
        replica.stop().await;
        let next = Replica::start(&world, name).await;
        burst = burst.and_by(&next.user);
        new.push(next);
    }
    println!("rolled in {:.1?}", began.elapsed());
    assert_eq!(burst.granted().len(), burst.pods() / 2, "it was in mid-burst");
    let ends = world.ends(NODES).await;
    assert_succeeded(&ends);
    burst.assert_each_went_once();
    let mut starts = BTreeMap::<(u32, u32), usize>::new();
    for action in &actions {
        let record = record(&world, action).await.unwrap();
        *starts.entry((record.attempt, record.handovers)).or_default() += 1;
        assert_eq!(
            record.attempt - record.handovers,
            1,
            "no start of it broke off: {record:?}"
        );
    }
    println!("(starts, hand-overs): actions {starts:?}");
    assert!(
        starts.keys().all(|(attempt, _)| *attempt > 1),
        "each was handed over: {starts:?}"
    );
    for replica in &new {
        replica.stop().await;
    }
}

/// From the write of the incident to the deletion that it makes due, by the API server's record.
#[tokio::test(flavor = "multi_thread")]
async fn a_tightened_deadline_takes_effect_at_once_whoever_works_on_it() {
    const NODES: usize = 12;
    const GRACE: i64 = 2;
    let mut world = World::new("tight", NODES).await;
    let mut pods = Vec::new();
    for i in 0..NODES {
        let node = format!("tight-{i}");
        let mut db = fixtures::pod(&format!("db-{i}"), "db", &node);
        db["spec"]["terminationGracePeriodSeconds"] = GRACE.into();
        pods.extend([db, fixtures::pod(&format!("free-{i}"), "free", &node)]);
    }
    let burst = Burst::of(&world.ground, pods).await;
    world.ground.budget("db", NODES, 0).await;
    let (burst, replicas) = start(&world, burst, &["a", "b"]).await;
    let actions: Vec<proto::Action> = (0..NODES).map(|i| world.action_on(i, "drain", 600)).collect();
    for action in &actions {
        world.incident(action, "open", action.deadline).await;
        world.send(action).await;
    }
    burst.has_granted(NODES).await;
    eventually("the free pods to be gone", BOUND, async || {
        let left = world.ground.admin.list(&world.ground.pods_path()).await?.len();
        if left == NODES {
            Ok(())
        } else {
            Err(Error::new(left.to_string()))
        }
    })
    .await;
    assert_eq!(shares(&burst).len(), 2, "both have a share");
    let mut took = Vec::new();
    for (i, action) in actions.iter().enumerate() {
        let now = Timestamp::now();
        // Its grace is longer than what is left: the last moment is now.
        let sooner = to_proto(now + SignedDuration::from_secs(GRACE - 1));
        world.incident(action, "open", Some(sooner)).await;
        let name = format!("db-{i}");
        let deleted = eventually(format!("{name} to be deleted"), BOUND, async || {
            burst.deleted().into_iter().find(|entry| entry.name == name)
        })
        .await;
        took.push(deleted.at.duration_since(now));
    }
    took.sort_unstable();
    println!("from the incident's write to the deletion: {took:?}");
    let (median, longest) = (took[NODES / 2], took[NODES - 1]);
    assert!(
        longest < SignedDuration::from_millis(100),
        "{took:?}, median {median}"
    );
    let ends = world.ends(NODES).await;
    assert_succeeded(&ends);
    for outcome in ends.values() {
        assert_eq!(
            detail(outcome)["forced"].as_array().unwrap().len(),
            1,
            "{outcome:?}"
        );
    }
    for replica in &replicas {
        replica.stop().await;
    }
}

/// An advisory drain and a certain one of the same instance may be with two processes. Each asks for all of its pods then;
/// whoever is second meets a pod that is ending, and changes nothing about it.
#[tokio::test(flavor = "multi_thread")]
async fn two_drains_of_one_node_by_two_processes_cost_requests_and_nothing_else() {
    const PODS: usize = 40;
    let mut world = World::new("both", 1).await;
    let pods = (0..PODS).map(|i| {
        let pod = fixtures::pod(&format!("p-{i}"), "x", "both-0");
        fixtures::annotated(pod, fixtures::EXIT_AFTER, "2s")
    });
    let burst = Burst::of(&world.ground, pods.collect()).await;
    let (burst, replicas) = start(&world, burst, &["a", "b"]).await;
    let certain = world.action("drain", 240);
    let advisory = proto::Action {
        id: "a".repeat(32),
        certainty: "advisory".to_owned(),
        ..certain.clone()
    };
    world.send(&advisory).await;
    world.send(&certain).await;
    for _ in 0..2 {
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    }
    let owners = [owner(&world, &advisory).await, owner(&world, &certain).await];
    println!("one process has both: {}", owners[0] == owners[1]);
    let asked = burst.evictions();
    let again = asked.len() - PODS;
    println!("{} requests for {PODS} pods by {:?}", asked.len(), shares(&burst));
    println!("asked for by both: {again}");
    burst.assert_each_went(0);
    for replica in &replicas {
        replica.stop().await;
    }
}
