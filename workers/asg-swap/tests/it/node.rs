//! The replacement is attached when its node is Ready, or when that was waited for long enough.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use hollowtrees_harness::{
    Error, Worker,
    aws::{Instance, NewGroup},
    control_plane::Ground,
    eventually, http_get,
    ports::Port,
    proxy::Tcp,
};
use hollowtrees_schemas::{
    id::{ActionId, IncidentKey},
    proto,
};
use serde_json::json;

use crate::{
    ground::ground,
    world::{BOUND, CLUSTER, World, detail, params},
};

/// A worker that sees the cluster, and one group; the instance that goes.
async fn world(ground: &Ground, env: &[(&str, &str)]) -> (World, String) {
    let kubeconfig = ground.kubeconfig.to_str().unwrap();
    let seen = [
        ("HT_CLUSTER__NAME", CLUSTER),
        ("HT_CLUSTER__KUBECONFIG", kubeconfig),
    ];
    let env: Vec<_> = seen.into_iter().chain(env.iter().copied()).collect();
    let world = World::with(&env).await;
    let old = world.group(&NewGroup::new("g").sizes(1, 1, 2)).await.remove(0);
    (world, old)
}

async fn launched(world: &mut World, old: &str) -> Instance {
    world.fact("running").await;
    world.replacements(old).await.remove(0)
}

/// So many looks at the launched instance, each with its decision, are over from now.
async fn looks(world: &World, count: usize) {
    looks_since(world, world.aws.count("DescribeInstances"), count).await;
}

async fn looks_since(world: &World, before: usize, count: usize) {
    eventually("some more looks", BOUND, async || {
        let since = world.aws.count("DescribeInstances") - before;
        if since > count {
            Ok(())
        } else {
            Err(Error::new(since.to_string()))
        }
    })
    .await;
}

async fn attached(world: &World) -> Instant {
    eventually("an attachment to reach AWS", BOUND, async || {
        (world.aws.count("AttachInstances") > 0).then(Instant::now)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_attached_once_its_node_is_ready_and_not_before() {
    let ground = ground("node-ready").await;
    let (mut world, old) = world(&ground, &[("HT_SWAP__WAIT_FOR_NODE", "90s")]).await;
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let new = launched(&mut world, &old).await;
    looks(&world, 5).await;
    assert_eq!(world.aws.count("AttachInstances"), 0, "it has no node");
    ground.joins(&new.id, &new.zone).await.unwrap();
    looks(&world, 10).await;
    assert_eq!(world.aws.count("AttachInstances"), 0, "its node is not ready");
    assert_eq!(world.members("g").await, std::slice::from_ref(&old));
    ground.is_ready(&new.id).await.unwrap();
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(world.swapped("g", &old, (1, 1, 2)).await.id, new.id);
    let told = detail(&outcome);
    assert_eq!(told["node"]["found"], "ready", "{told}");
    assert!(told["node"]["seconds"].as_f64().unwrap() >= 1.0, "{told}");
    assert!(outcome.message.contains("'s node was Ready"), "{outcome:?}");
    let writes: Vec<String> = world.aws.writes().into_iter().map(|call| call.action).collect();
    assert_eq!(writes, ["RunInstances", "AttachInstances", "DetachInstances"]);
    ground.assert_rights();
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_attached_at_once_when_its_node_turns_ready_and_not_only_at_the_next_look() {
    let ground = ground("node-wakes").await;
    let slow = [("HT_SWAP__WAIT_FOR_NODE", "5m"), ("HT_SWAP__POLL", "60s")];
    let (mut world, old) = world(&ground, &slow).await;
    let worker = world.worker().await;
    // Nothing interrupts it soon.
    let action = proto::Action {
        deadline: None,
        ..world.action(&old, "certain")
    };
    world.send(&action).await;
    let new = launched(&mut world, &old).await;
    // It is in its first pause: between there and the next look is most of a minute.
    let (paused, before) = (Instant::now(), world.aws.count("DescribeInstances"));
    ground.joins(&new.id, &new.zone).await.unwrap();
    looks_since(&world, before, 0).await;
    assert_eq!(world.aws.count("AttachInstances"), 0);
    ground.is_ready(&new.id).await.unwrap();
    let took = attached(&world).await.duration_since(paused);
    assert!(
        took < Duration::from_secs(40),
        "{took:?}; by itself it looks after 48 s at least"
    );
    worker.crash().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_never_comes_is_waited_for_no_longer_than_is_said() {
    let ground = ground("node-never").await;
    let (mut world, old) = world(&ground, &[("HT_SWAP__WAIT_FOR_NODE", "5s")]).await;
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    world.fact("running").await;
    let ran = Instant::now();
    let waited = attached(&world).await.duration_since(ran);
    // The fact came a little after it was seen.
    assert!(waited > Duration::from_secs(3), "{waited:?}");
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("g", &old, (1, 1, 2)).await;
    let said = "No node of the replacement was seen in ";
    assert!(outcome.message.contains(said), "{outcome:?}");
    assert_eq!(detail(&outcome)["node"]["found"], "not-there");
    worker.stop().await;
}

/// With five minutes to wait by the rule, and half of one until the old one ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_waited_for_no_longer_than_the_old_ones_end_allows() {
    let ground = ground("node-ends").await;
    let (mut world, old) = world(&ground, &[("HT_SWAP__WAIT_FOR_NODE", "5m")]).await;
    let worker = world.worker().await;
    let says = "No node of the replacement was seen in ";
    cut_short(&mut world, "g", &old, None, ("not-there", says)).await;
    let old = world
        .group(&NewGroup::new("joins").sizes(1, 1, 2))
        .await
        .remove(0);
    let says = "The replacement's node was not Ready in ";
    cut_short(&mut world, "joins", &old, Some(&ground), ("not-ready", says)).await;
    worker.stop().await;
}

/// A swap whose replacement's node joins here, or nowhere, and is not Ready; what its outcome says of it.
async fn cut_short(
    world: &mut World,
    group: &str,
    old: &str,
    joins: Option<&Ground>,
    (found, says): (&str, &str),
) {
    let (action, end) = world.ending(world.action(old, "certain"), Duration::from_secs(30));
    world.send(&action).await;
    let new = launched(world, old).await;
    if let Some(ground) = joins {
        ground.joins(&new.id, &new.zone).await.unwrap();
    }
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.assert_cut("AttachInstances", &["DetachInstances"], end);
    assert_eq!(world.swapped(group, old, (1, 1, 2)).await.id, new.id);
    let told = detail(&outcome);
    assert_eq!(told["node"]["found"], found, "{told}");
    assert!(told["node"]["seconds"].as_f64().unwrap() < 30.0, "{told}");
    let all_the_same = outcome.message.contains("it was attached all the same");
    assert!(outcome.message.contains(says) && all_the_same, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withdrawn_in_the_wait_is_ended() {
    let ground = ground("node-withdrawn").await;
    let (mut world, old) = world(&ground, &[("HT_SWAP__WAIT_FOR_NODE", "5m")]).await;
    world.incident(&old, "open").await;
    let worker = world.worker().await;
    world.send(&world.action(&old, "advisory")).await;
    let new = launched(&mut world, &old).await;
    ground.joins(&new.id, &new.zone).await.unwrap();
    looks(&world, 3).await;
    world.incident(&old, "cancelled").await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "cancelled", "{outcome:?}");
    world.unswapped("g", &old, (1, 1, 2)).await;
    assert_eq!(world.aws.count("AttachInstances"), 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_in_the_wait_for_a_node() {
    let ground = ground("node-dead").await;
    let (mut world, old) = world(&ground, &[]).await;
    let action = world.action(&old, "certain");
    let port = Port::reserve().unwrap();
    let process = seeing(&world, &port, &ground.kubeconfig, "90s");
    world.send(&action).await;
    let new = launched(&mut world, &old).await;
    looks(&world, 3).await;
    let began = world.checkpoint(&action, "running_at").await;
    assert!(began.as_f64().unwrap() > 0.0, "{began}");
    process.kill();
    process.restart().unwrap();
    // Whoever takes it up waits on, and from the same moment.
    looks(&world, 5).await;
    assert_eq!(world.checkpoint(&action, "running_at").await, began);
    assert_eq!(world.aws.count("AttachInstances"), 0);
    ground.joins(&new.id, &new.zone).await.unwrap();
    ground.is_ready(&new.id).await.unwrap();
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.attempt),
        ("succeeded", 2),
        "{outcome:?}"
    );
    assert_eq!(world.swapped("g", &old, (1, 1, 2)).await.id, new.id);
    assert_eq!(detail(&outcome)["node"]["found"], "ready");
    assert_eq!(world.aws.instances().await.unwrap().len(), 2);
}

/// The process, that sees this cluster and waits so long for a node.
fn seeing(world: &World, listen: &Port, kubeconfig: &Path, wait: &str) -> Worker {
    world
        .process(listen)
        .env("HT_CLUSTER__NAME", CLUSTER)
        .env("HT_CLUSTER__KUBECONFIG", kubeconfig)
        .env("HT_SWAP__WAIT_FOR_NODE", wait)
        .start()
        .unwrap()
}

/// The worker waits by its configuration for nodes of its cluster only; a rule may ask for more, less, or what it cannot do.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_waited_for() {
    let ground = ground("node-whose").await;
    let (mut world, old) = world(&ground, &[("HT_SWAP__WAIT_FOR_NODE", "5m")]).await;
    let mut olds = vec![old];
    for name in ["asked", "other", "off"] {
        olds.extend(world.group(&NewGroup::new(name).sizes(1, 1, 2)).await);
    }
    let worker = world.worker().await;
    let elsewhere = |action: proto::Action| {
        let incident = IncidentKey::new("elsewhere", &action.instance, "live");
        proto::Action {
            id: ActionId::per_instance(&incident, 1, "asg-swap", "certain").to_string(),
            cluster: "elsewhere".to_owned(),
            ..action
        }
    };
    let asking = |old: &str, wait: &str| proto::Action {
        params: params(json!({"wait_for_node": wait})),
        ..world.action(old, "certain")
    };
    let cases = [
        // Of another cluster: not waited for, and nothing is said.
        (elsewhere(world.action(&olds[2], "certain")), None),
        // The same, and a rule asks for it.
        (elsewhere(asking(&olds[1], "5m")), Some("unseen")),
        // A rule wants none.
        (asking(&olds[3], "0s"), None),
        // A rule wants less.
        (asking(&olds[0], "1s"), Some("not-there")),
    ];
    for (action, expected) in cases {
        let before = world.aws.count("AttachInstances");
        world.send(&action).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        assert_eq!(world.aws.count("AttachInstances"), before + 1);
        let told = detail(&outcome);
        assert_eq!(told["node"]["found"].as_str(), expected, "{told}");
        let says = outcome.message.contains("sees no nodes of the cluster");
        assert_eq!(says, expected == Some("unseen"), "{outcome:?}");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_no_duration_touches_nothing() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("g")).await.remove(0);
    let worker = world.worker().await;
    let action = proto::Action {
        params: params(json!({"wait_for_node": "soon"})),
        ..world.action(&old, "certain")
    };
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "bad-params"),
        "{outcome:?}"
    );
    assert_eq!(world.aws.writes().len(), 0);
    worker.stop().await;
}

/// The binary: its API server is away, and it says so, is ready, and swaps after the wait.
#[tokio::test(flavor = "multi_thread")]
async fn without_an_api_server_it_is_ready_says_so_and_swaps() {
    let ground = ground("node-blind").await;
    let proxy = Tcp::start(ground.plane.addr()).await.unwrap();
    proxy.cut();
    let url = format!("https://{}", proxy.addr());
    let via = ground.plane.kubeconfig_via(&ground.kubeconfig, &url).unwrap();
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("g").sizes(1, 1, 2)).await.remove(0);
    let port = Port::reserve().unwrap();
    let process = seeing(&world, &port, &via, "2s");
    let url = |path: &str| format!("http://{}{path}", port.addr());
    process.ready(&url("/readyz"), BOUND).await.unwrap();
    eventually("the trouble to be told", BOUND, async || {
        let (status, body) = http_get::get(&url("/readyz")).await?;
        let body = String::from_utf8_lossy(&body).into_owned();
        let told = body.contains("nodes: the watch of nodes broke") && body.contains("swaps go on without");
        if status == 200 && told {
            Ok(())
        } else {
            Err(Error::new(format!("{status} {body}")))
        }
    })
    .await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(detail(&outcome)["node"]["found"], "not-there");
    world.swapped("g", &old, (1, 1, 2)).await;
    let (_, metrics) = http_get::get(&url("/metrics")).await.unwrap();
    let metrics = String::from_utf8_lossy(&metrics);
    let line = "hollowtrees_asg_swap_steps_total{answer=\"late\",step=\"wait-for-node\"} 1";
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
    proxy.heal();
    eventually("the watch to stand", BOUND, async || {
        let (_, body) = http_get::get(&url("/readyz")).await?;
        let body = String::from_utf8_lossy(&body).into_owned();
        if body == "ready\n" {
            Ok(())
        } else {
            Err(Error::new(body))
        }
    })
    .await;
    process.terminate(BOUND).await.unwrap();
}

#[tokio::test]
async fn a_wait_without_a_cluster_is_refused_with_the_remedy() {
    let process = Worker::builder("asg-swap", env!("CARGO_BIN_EXE_hollowtrees-asg-swap"))
        .env("HT_SWAP__WAIT_FOR_NODE", "90s")
        .start()
        .unwrap();
    let status = process.exited(BOUND).await.unwrap();
    assert_eq!(status.code(), Some(64));
    let log = process.log().unwrap();
    assert!(
        log.contains("swap.wait_for_node") && log.contains("HT_CLUSTER__NAME"),
        "{log}"
    );
}
