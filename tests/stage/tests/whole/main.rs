//! The whole pipeline on real servers, two of every worker: what a notice comes to, and what one of mode `test` or
//! `dry-run` does not.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: what they cannot do fails the test"
)]

mod advice;
mod hooks;
mod queues;
mod several;
mod sources;
mod spot_again;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hollowtrees_e2e::checker::Books;
use hollowtrees_harness::{Metadata, eventually, metadata::Instance};
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    names::{kind, result},
    outgoing, proto,
};
use hollowtrees_stage::{Machine, Process, Rig, Role, machines, rig::DRAIN_USER};
use serde_json::Value;

const RULES: &str = "
version: 1
rules:
  - name: interruption
    match: { exact: { data.kind: spot-interruption } }
    steps:
      - actions: [drain, asg-swap]
";
const NAMESPACE: &str = "shop";
const GROUP: &str = "web";
const BOUND: Duration = Duration::from_secs(120);

struct World {
    rig: Rig,
    machines: Vec<Machine>,
    processes: Vec<Process>,
}

impl World {
    async fn make(count: u32) -> Self {
        Self::make_by(RULES, count).await
    }

    async fn make_by(rules: &str, count: u32) -> Self {
        let rig = Rig::set(env!("CARGO_BIN_EXE_hollowtrees-stage"), rules)
            .await
            .unwrap();
        let machines = machines::make(&rig.aws, &rig.kubernetes, GROUP, count, count)
            .await
            .unwrap();
        machines::deploy(&rig.kubernetes, NAMESPACE, 2 * machines.len())
            .await
            .unwrap();
        machines::make_steady(&rig.kubernetes, 2).await.unwrap();
        let mut processes = Vec::new();
        for role in [Role::Router, Role::Drain, Role::AsgSwap, Role::Metrics] {
            for replica in 1..=2 {
                let name = format!("{}-{replica}", role.name());
                processes.push(match role {
                    Role::AsgSwap if rules.contains("wait_for_node") => {
                        rig.start_swap_that_waits(&name).unwrap()
                    }
                    _ => rig.start(role, &name).unwrap(),
                });
            }
        }
        for process in &processes {
            process.ready().await.unwrap();
        }
        rig.aws.forget_calls();
        Self {
            rig,
            machines,
            processes,
        }
    }

    async fn tell(&self, notice: proto::Notice) {
        let message = outgoing::notice(&envelope::notice(notice, "/aws/test"), DataFormat::Json).unwrap();
        self.rig.bus.publish(&message, None).await.unwrap();
    }

    async fn node(&self, machine: &Machine) -> Value {
        let path = format!("/api/v1/nodes/{}", machine.node);
        self.rig.kubernetes.get(&path).await.unwrap()
    }

    /// The pods that the drain workers evicted.
    fn evicted(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        for entry in self.rig.control_plane.audit().entries().unwrap() {
            let created = entry.verb == "create" && entry.is_done();
            if entry.user == DRAIN_USER && entry.resource == "pods/eviction" && created {
                names.insert(entry.name);
            }
        }
        names.into_iter().collect()
    }

    /// Names of the pods on a machine.
    async fn residents(&self, machine: &Machine) -> Vec<String> {
        let pods = machines::pods(&self.rig.kubernetes, NAMESPACE).await.unwrap();
        let mut names: Vec<_> = pods
            .iter()
            .filter(|pod| pod["spec"]["nodeName"] == machine.node.as_str())
            .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    /// The sum of a counter's series that carry all these labels, over the metrics workers.
    async fn counted(&self, name: &str, labels: &[&str]) -> f64 {
        let mut sum = 0.0;
        for process in self
            .processes
            .iter()
            .filter(|process| process.role == Role::Metrics)
        {
            for line in process.metrics().await.unwrap().lines() {
                let Some(rest) = line.strip_prefix(name) else {
                    continue;
                };
                let Some((series, value)) = rest.rsplit_once(' ') else {
                    continue;
                };
                if series.starts_with('{') && labels.iter().all(|label| series.contains(label)) {
                    sum += value.parse::<f64>().unwrap();
                }
            }
        }
        sum
    }
}

fn wanted(drained: &str, swapped: &str, count: usize) -> BTreeMap<(String, String), usize> {
    [
        ((kind::DRAIN.to_owned(), drained.to_owned()), count),
        ((kind::ASG_SWAP.to_owned(), swapped.to_owned()), count),
    ]
    .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_empties_the_node_and_replaces_the_instance() {
    let world = World::make(1).await;
    let machine = &world.machines[0];
    let metadata = Metadata::start(Instance::new(&machine.instance, &machine.zone).hostname(&machine.node))
        .await
        .unwrap();
    let agent = world.rig.start_agent(machine, &metadata).unwrap();
    agent.ready().await.unwrap();
    metadata.interrupt("terminate", Duration::from_secs(120));

    let books = Books::when_finished(&world.rig.bus, 1, BOUND).await;
    books.assert_sound();
    assert_eq!(books.results(), wanted(result::SUCCEEDED, result::SUCCEEDED, 1));

    let node = world
        .rig
        .kubernetes
        .get(&format!("/api/v1/nodes/{}", machine.node))
        .await
        .unwrap();
    assert_eq!(node["spec"]["unschedulable"], true);
    machines::running(&world.rig.kubernetes, NAMESPACE, 2, BOUND)
        .await
        .unwrap();
    for pod in machines::pods(&world.rig.kubernetes, NAMESPACE).await.unwrap() {
        assert_ne!(pod["spec"]["nodeName"], machine.node.as_str());
    }
    let group = world.rig.aws.group(GROUP).await.unwrap();
    assert_eq!(
        (group.sizes.desired, group.sizes.max, group.members.len()),
        (1, 1, 1)
    );
    let (replacement, state) = &group.members[0];
    assert_ne!(replacement, &machine.instance);
    assert_eq!(state, "InService");

    eventually("the metrics to show it", BOUND, async || {
        let mut counted = Vec::new();
        for (name, labels) in [
            ("hollowtrees_notices_total", &["kind=\"spot-interruption\""][..]),
            (
                "hollowtrees_outcomes_total",
                &["action=\"drain\"", "result=\"succeeded\""],
            ),
            (
                "hollowtrees_outcomes_total",
                &["action=\"asg-swap\"", "result=\"succeeded\""],
            ),
            ("hollowtrees_notice_to_drained_seconds_count", &[]),
        ] {
            counted.push(world.counted(name, labels).await);
        }
        if counted == [1.0; 4] {
            Ok(())
        } else {
            Err(format!("{counted:?}"))
        }
    })
    .await;
}

/// A recorder proves that no server was written to: the API server's audit log, and all calls to AWS.
async fn touches_nothing(mode: &str, expected: &str) {
    let world = World::make(2).await;
    let audit = world.rig.control_plane.audit().from_now().unwrap();
    for machine in &world.machines {
        let notice = proto::Notice {
            mode: mode.to_owned(),
            ..machine.notice("spot-interruption", 120)
        };
        world.tell(notice).await;
    }
    let books = Books::when_finished(&world.rig.bus, 2, BOUND).await;
    books.assert_sound();
    assert_eq!(books.results(), wanted(expected, expected, 2), "{books:?}");
    assert_eq!(audit.writes_by(DRAIN_USER).unwrap(), []);
    assert_eq!(world.rig.aws.writes(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_goes_the_whole_way_and_touches_nothing() {
    touches_nothing("test", result::SKIPPED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_looks_and_touches_nothing() {
    touches_nothing("dry-run", result::SUCCEEDED).await;
}
