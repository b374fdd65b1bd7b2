//! The processes themselves, and hooks of instances whose cluster they do not see, or whose hook nobody knows: each is answered or left
//! as its rule says, said once, counted, and asked about no more.

use std::time::Duration;

use hollowtrees_harness::{Worker, aws::Hook, control_plane::Ground, http_get, ports::Port};
use hollowtrees_schemas::proto;
use serde_json::{Value, json};

use crate::{
    launch::ground,
    process::process,
    world::{BOUND, CLUSTER, World, params, word},
};

const HEARTBEAT: Duration = Duration::from_secs(60);
/// Fifty looks of a worker that would look again.
const QUIET: Duration = Duration::from_secs(5);

/// What is asked for a member of the group, and what comes of it.
struct Case {
    asked: Value,
    end: (&'static str, &'static str),
    says: &'static str,
    answer: Option<&'static str>,
}

impl Case {
    fn all() -> [Self; 5] {
        let case = |asked, end, says, answer| Self {
            asked,
            end,
            says,
            answer,
        };
        let done = ("succeeded", "");
        let unknown = ("failed", "unknown-hook");
        [
            case(json!({}), done, "answered CONTINUE", Some("CONTINUE")),
            case(
                json!({"no_node": "abandon"}),
                done,
                "as `no_node` says, after drain skipped",
                Some("ABANDON"),
            ),
            case(json!({"no_node": "leave"}), done, "left to time out", None),
            case(json!({"hook": "another"}), unknown, "nothing was answered", None),
            // What is not known is not answered by a parameter either.
            case(
                json!({"hook": "another", "no_node": "abandon", "on_failure": "abandon"}),
                unknown,
                "no lifecycle hook another",
                None,
            ),
        ]
    }
}

/// One that sees a cluster, which is not that of the actions.
fn elsewhere(world: &World, ground: &Ground, port: &Port) -> Worker {
    process(world, port)
        .env("HT_CLUSTER__NAME", "elsewhere")
        .env("HT_CLUSTER__KUBECONFIG", &ground.kubeconfig)
        .env("HT_HOOK__SEEN_WITHIN", "2s")
        .start()
        .unwrap()
}

/// The sum of a series over these processes.
async fn counted(ports: &[Port], series: &str) -> f64 {
    let mut sum = 0.0;
    for port in ports {
        let url = format!("http://{}/metrics", port.addr());
        let (_, text) = http_get::get(&url).await.unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let found = text.lines().find_map(|line| line.strip_prefix(series));
        sum += found.map_or(0.0, |value| value.trim().parse().unwrap());
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn those_of_a_cluster_that_nobody_sees_are_answered_or_left_once() {
    let ground = ground("hook-foreign").await;
    let mut world = World::new().await;
    let cases = Case::all();
    let members = world
        .group(u32::try_from(cases.len()).unwrap(), Hook::terminating(HEARTBEAT))
        .await;
    let ports = [Port::reserve().unwrap(), Port::reserve().unwrap()];
    let processes = ports.each_ref().map(|port| elsewhere(&world, &ground, port));
    for (process, port) in processes.iter().zip(&ports) {
        let url = format!("http://{}/readyz", port.addr());
        process.ready(&url, BOUND).await.unwrap();
    }
    // By chance of ids it has a node where they see nodes, which is not the one that is meant.
    ground.joins(&members[0], "us-east-1a").await.unwrap();
    world.aws.forget_calls();
    for (instance, case) in members.iter().zip(&cases) {
        world.terminates(instance).await;
        world.incident(instance, "open", Some("token")).await;
        world
            .drain_because(instance, "done", "skipped", "node-not-found")
            .await;
        let action = proto::Action {
            params: params(case.asked.clone()),
            ..world.action(instance)
        };
        assert_eq!(action.cluster, CLUSTER);
        world.send(&action).await;
    }
    // One that is a member of nothing.
    let nobody = "i-0bbbbbbbbbbbbbbbb";
    world.send(&world.action(nobody)).await;
    let mut ended = Vec::new();
    for _ in 0..=members.len() {
        let outcome = world.end().await;
        let place = members.iter().position(|id| *id == outcome.instance);
        let (end, says) = match place {
            Some(place) => (cases[place].end, cases[place].says),
            None => (("skipped", "not-in-group"), "of no auto-scaling group"),
        };
        assert_eq!(word(&outcome), end, "{outcome:?}");
        assert!(outcome.message.contains(says), "{outcome:?}");
        ended.push(outcome.instance);
    }
    ended.sort();
    ended.dedup();
    assert_eq!(ended.len(), members.len() + 1, "one outcome each");
    let asked = world.aws.calls().len();
    tokio::time::sleep(QUIET).await;
    let calls = world.aws.calls();
    assert_eq!(calls[asked..], [], "it is over");
    // The hooks of each were read once, and what is answered is answered once.
    assert_eq!(world.aws.count("DescribeLifecycleHooks"), members.len());
    assert_eq!(world.aws.count("RecordLifecycleActionHeartbeat"), 0);
    let mut answers = world.answers();
    answers.sort();
    let due = members.iter().zip(&cases);
    let due = due.filter_map(|(id, case)| Some((format!("token-of-{id}"), case.answer?.to_owned())));
    let mut due: Vec<_> = due.collect();
    due.sort();
    assert_eq!(answers, due);
    for (instance, case) in members.iter().zip(&cases) {
        let wait = world.wait(instance);
        assert_eq!((wait.result.as_deref(), wait.timed_out), (case.answer, false));
    }
    for (series, expected) in [
        ("hollowtrees_lifecycle_hooks_total{end=\"continue\"} ", 1.0),
        ("hollowtrees_lifecycle_hooks_total{end=\"abandon\"} ", 1.0),
        ("hollowtrees_lifecycle_hooks_total{end=\"left\"} ", 1.0),
        ("hollowtrees_lifecycle_held ", 0.0),
        (
            "hollowtrees_worker_outcomes_total{action=\"hook\",result=\"failed\"} ",
            2.0,
        ),
        (
            "hollowtrees_worker_outcomes_total{action=\"hook\",result=\"skipped\"} ",
            1.0,
        ),
    ] {
        assert_eq!(counted(&ports, series).await, expected, "{series}");
    }
    for process in processes {
        process.terminate(BOUND).await.unwrap();
    }
    world.assert_all_told().await;
}
