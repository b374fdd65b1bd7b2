//! What swaps left behind.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hollowtrees_asg_swap::{
    config::{self, Orphans},
    sweep::{Sweeper, Swept, Turn},
    telemetry::Telemetry,
    worker::Health,
};
use hollowtrees_aws::{Keys, Options as AwsOptions};
use hollowtrees_harness::{
    Aws, Error, Worker,
    aws::{NewGroup, Service},
    clock, eventually, http_get,
    ports::Port,
    proxy::Fault,
};
use hollowtrees_runtime::{metrics::Metrics, process::Identity};
use hollowtrees_schemas::{
    id::{ActionId, IncidentKey},
    key,
    proto::{self, time::to_proto},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    policy,
    world::{ACCOUNT, BOUND, CLUSTER, REGION, World, params},
};

/// One replica.
pub(crate) struct Replica {
    sweeper: Sweeper,
    me: proto::Worker,
    metrics: Metrics,
}

impl Replica {
    pub(crate) async fn new(world: &World, orphans: Orphans) -> Self {
        let identity = Identity::new("asg-swap", "0.0.0");
        let metrics = Metrics::new(&identity).unwrap();
        let access = AwsOptions {
            region: Some(REGION.to_owned()),
            endpoint: Some(world.aws.url()),
            keys: Some(Keys::new("testbed", "testbed")),
            ..world.settings.access()
        };
        let aws = hollowtrees_aws::Aws::connect(&access).await.unwrap();
        let mut settings = world.settings.clone();
        settings.sweep = config::Sweep {
            orphans,
            // What is here is new; what is too young is the domain's to test.
            older_than: Duration::ZERO,
            ..settings.sweep
        };
        let telemetry = Telemetry::register(&metrics).unwrap();
        Self {
            sweeper: Sweeper::new(aws, &settings, telemetry, Health::new(None)),
            me: proto::Worker {
                kind: "asg-swap".to_owned(),
                process: identity.id.to_string(),
                version: "0.0.0".to_owned(),
            },
            metrics,
        }
    }

    async fn turn(&self, world: &World) -> Turn {
        self.sweeper.turn(&world.bus, &self.me).await.unwrap()
    }

    pub(crate) async fn sweep(&self, world: &World) -> Swept {
        match self.turn(world).await {
            Turn::Ours(swept) => swept,
            Turn::Others(until) => panic!("it is another one's turn until {until}"),
        }
    }

    pub(crate) fn shows(&self, line: &str) -> bool {
        let text = self.metrics.encode().unwrap();
        text.lines().any(|found| found == line)
    }
}

/// The turn of whoever had it is over.
pub(crate) async fn over(world: &World) {
    world
        .bus
        .groups()
        .remove(&key::group("", "", ""), None)
        .await
        .unwrap();
}

fn action(instance: &str) -> ActionId {
    ActionId::per_instance(
        &IncidentKey::new(CLUSTER, instance, "live"),
        1,
        "asg-swap",
        "certain",
    )
}

/// An instance launched for an action, with these tags besides.
async fn launched(world: &World, action: &ActionId, more: &[(&str, &str)]) -> String {
    let mut tags = vec![
        ("hollowtrees.io/action", action.as_str()),
        ("hollowtrees.io/replaces", "i-0aaaaaaaaaaaaaaaa"),
        ("hollowtrees.io/choice", "0"),
    ];
    tags.extend(more);
    world.aws.launch(REGION, 1, &tags).await.unwrap().remove(0)
}

async fn ledger(world: &World, action: &ActionId, state: &str, result: &str, replacement: Option<&str>) {
    let entry = proto::LedgerEntry {
        schema: 1,
        state: state.to_owned(),
        outcome: (state == "done").then(|| proto::Outcome {
            result: result.to_owned(),
            detail: params(json!({"replacement": replacement})),
            ..proto::Outcome::default()
        }),
        ..proto::LedgerEntry::default()
    };
    let key = key::ledger(CLUSTER, action);
    world.bus.ledger().put(&key, &entry).await.unwrap();
}

/// A record of a group with an open swap of each of these actions.
async fn record(world: &World, group: &str, actions: &[&ActionId]) {
    let opened = Timestamp::now() - SignedDuration::from_mins(10);
    let swaps = actions.iter().map(|action| proto::GroupSwap {
        action_id: action.to_string(),
        cluster: CLUSTER.to_owned(),
        opened_at: Some(to_proto(opened)),
        ..proto::GroupSwap::default()
    });
    let record = proto::Group {
        schema: 1,
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        name: group.to_owned(),
        swaps: swaps.collect(),
        ..proto::Group::default()
    };
    let key = key::group(ACCOUNT, REGION, group);
    world.bus.groups().put(&key, &record).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_an_ended_swap_left_out_of_every_group_is_told_and_ended() {
    let world = World::new().await;
    let of_cluster = ("hollowtrees.io/cluster", CLUSTER);
    let [failed, open, served, gone, foreign, grouped] =
        ["i-1", "i-2", "i-3", "i-4", "i-5", "i-6"].map(action);
    let orphan = launched(&world, &failed, &[of_cluster]).await;
    let under_way = launched(&world, &open, &[of_cluster]).await;
    let taken_out = launched(&world, &served, &[of_cluster]).await;
    let unclaimed = launched(&world, &gone, &[of_cluster]).await;
    let elsewhere = launched(&world, &foreign, &[("hollowtrees.io/cluster", "another")]).await;
    let nobodys = world
        .aws
        .launch(REGION, 1, &[("team", "x")])
        .await
        .unwrap()
        .remove(0);
    ledger(&world, &failed, "done", "failed", Some(&orphan)).await;
    ledger(&world, &open, "running", "", None).await;
    ledger(&world, &served, "done", "succeeded", Some(&taken_out)).await;
    ledger(&world, &grouped, "done", "failed", None).await;
    record(&world, "g", &[&open]).await;
    // A member, whatever became of its action.
    let tagged = NewGroup::new("members")
        .sizes(1, 1, 1)
        .tag("hollowtrees.io/action", grouped.as_str(), true);
    let member = world.group(&tagged).await.remove(0);
    let all = [&under_way, &taken_out, &unclaimed, &elsewhere, &nobodys, &member];

    let reporter = Replica::new(&world, Orphans::Report).await;
    let swept = reporter.sweep(&world).await;
    assert_eq!(
        swept,
        Swept {
            orphans: vec![orphan.clone()],
            unclaimed: vec![unclaimed.clone()],
            ..Swept::default()
        }
    );
    assert_eq!(world.instance(&orphan).await.state, "running", "it is told only");
    assert!(reporter.shows("hollowtrees_asg_swap_orphans{what=\"instance\"} 1"));
    assert!(reporter.shows("hollowtrees_asg_swap_orphans{what=\"unclaimed\"} 1"));
    assert!(reporter.shows("hollowtrees_asg_swap_sweeps_total{answer=\"done\"} 1"));

    over(&world).await;
    let ender = Replica::new(&world, Orphans::Terminate).await;
    let swept = ender.sweep(&world).await;
    assert_eq!(
        (&swept.orphans, &swept.ended),
        (&vec![orphan.clone()], &vec![orphan.clone()])
    );
    assert_eq!(world.instance(&orphan).await.state, "terminated");
    for other in all {
        assert_eq!(world.instance(other).await.state, "running", "{other}");
    }
    let ended: Vec<_> = world
        .aws
        .calls()
        .into_iter()
        .filter(|call| call.action == "TerminateInstances")
        .collect();
    assert_eq!(ended.len(), 1, "{ended:?}");
    policy::assert_allowed(&world, &policy::narrowed()).await;
    assert!(ender.shows("hollowtrees_asg_swap_orphans{what=\"instance\"} 0"));
    assert!(ender.shows("hollowtrees_asg_swap_orphans_ended_total 1"));
    // Another one sweeps now: what this one found is no longer its to tell.
    assert!(matches!(reporter.turn(&world).await, Turn::Others(_)));
    assert!(reporter.shows("hollowtrees_asg_swap_orphans{what=\"unclaimed\"} 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_without_a_tag_of_its_cluster_is_found_by_the_groups_record() {
    let world = World::new().await;
    let [failed, stray] = ["i-1", "i-2"].map(action);
    let orphan = launched(&world, &failed, &[]).await;
    launched(&world, &stray, &[]).await;
    ledger(&world, &failed, "done", "failed", None).await;
    ledger(&world, &stray, "done", "failed", None).await;
    record(&world, "g", &[&failed]).await;
    let replica = Replica::new(&world, Orphans::Report).await;
    let swept = replica.sweep(&world).await;
    assert_eq!(swept.orphans, [orphan]);
    // The same record has an open swap of an action that has ended, of a group that is gone.
    assert_eq!(swept.settled, [format!("g {failed}")]);
    assert!(replica.shows("hollowtrees_asg_swap_orphans{what=\"record\"} 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replicas_one_sweeps_and_a_sweep_that_failed_is_soon_repeated() {
    let world = World::new().await;
    let failed = action("i-1");
    let orphan = launched(&world, &failed, &[("hollowtrees.io/cluster", CLUSTER)]).await;
    ledger(&world, &failed, "done", "failed", None).await;
    let (a, b) = (
        Replica::new(&world, Orphans::Terminate).await,
        Replica::new(&world, Orphans::Terminate).await,
    );
    world.aws.forget_calls();
    let (first, second) = tokio::join!(a.turn(&world), b.turn(&world));
    let ours: Vec<_> = [&first, &second]
        .into_iter()
        .filter(|turn| matches!(turn, Turn::Ours(_)))
        .collect();
    assert_eq!(ours.len(), 1, "{first:?} {second:?}");
    assert_eq!(world.aws.count("DescribeInstances"), 1);
    assert_eq!(world.instance(&orphan).await.state, "terminated");

    // AWS throttles for longer than is repeated: nothing is ended, and the turn is soon free.
    over(&world).await;
    let orphan = launched(&world, &failed, &[("hollowtrees.io/cluster", CLUSTER)]).await;
    let throttled = Service::AutoScaling.fault("Throttling", 400);
    world
        .aws
        .inject(throttled.containing("Action=DescribeAutoScalingInstances&".to_owned()));
    let swept = a.sweep(&world).await;
    assert_eq!(
        (swept.missed.as_slice(), swept.ended.len()),
        ([REGION.to_owned()].as_slice(), 0)
    );
    assert_eq!(world.instance(&orphan).await.state, "running");
    assert!(a.shows("hollowtrees_asg_swap_sweeps_total{answer=\"failed\"} 1"));
    let Turn::Others(until) = b.turn(&world).await else {
        panic!("it is a's turn");
    };
    assert!(
        until.duration_since(Timestamp::now()) <= SignedDuration::from_secs(60),
        "{until}"
    );
    world.aws.heal();

    // The answer to the termination is lost: it is ended once, and the next sweep finds nothing.
    over(&world).await;
    let lost = Fault::lost_reply()
        .containing("Action=TerminateInstances&".to_owned())
        .times(1);
    world.aws.inject(lost);
    assert_eq!(b.sweep(&world).await.ended, std::slice::from_ref(&orphan));
    assert_eq!(world.instance(&orphan).await.state, "terminated");
    over(&world).await;
    assert_eq!(a.sweep(&world).await, Swept::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_whose_launches_cannot_be_ended_leaves_an_orphan_that_is_found() {
    let mut world = World::with(&[("HT_SWAP__RUNNING_WITHIN", "1s")]).await;
    let old = world.group(&NewGroup::new("left").sizes(1, 1, 1)).await.remove(0);
    world.aws.set_delays(hollowtrees_harness::aws::Delays {
        running: Duration::from_secs(3600),
        ..Default::default()
    });
    let denied = Service::Ec2.fault("UnauthorizedOperation", 403);
    world
        .aws
        .inject(denied.containing("Action=TerminateInstances&".to_owned()));
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "failed", "{outcome:?}");
    worker.stop().await;
    world.aws.heal();
    let left = world.replacements(&old).await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].tags["hollowtrees.io/cluster"], CLUSTER);
    let replica = Replica::new(&world, Orphans::Terminate).await;
    assert_eq!(replica.sweep(&world).await.ended, [left[0].id.clone()]);
    world.unswapped("left", &old, (1, 1, 1)).await;
}

/// The shortest that may be set.
const EVERY: Duration = Duration::from_secs(60);

/// A process that sweeps.
struct Process {
    worker: Worker,
    port: Port,
}

impl Process {
    /// By its clock what is new is old enough.
    fn start(world: &World) -> Self {
        const AHEAD: i64 = 20 * 60;
        let port = Port::reserve().unwrap();
        let process = world
            .process(&port)
            .env("HT_SWEEP__EVERY", "1m")
            .env("HT_SWEEP__ORPHANS", "terminate");
        let worker = clock::ahead(process, AHEAD).unwrap().start().unwrap();
        Self { worker, port }
    }

    async fn ready(&self) {
        let url = format!("http://{}/readyz", self.port.addr());
        self.worker.ready(&url, BOUND).await.unwrap();
    }

    /// It has made so many sweeps.
    async fn has_swept(&self, times: usize) {
        let line = format!("hollowtrees_asg_swap_sweeps_total{{answer=\"done\"}} {times}");
        let url = format!("http://{}/metrics", self.port.addr());
        eventually(&line, BOUND, async || {
            let (_, metrics) = http_get::get(&url).await?;
            let metrics = String::from_utf8_lossy(&metrics).into_owned();
            let shows = metrics.lines().any(|found| found == line);
            if shows { Ok(()) } else { Err(Error::new(metrics)) }
        })
        .await;
    }
}

/// An orphan that was not there when somebody last looked is ended by this process, a period after the first start of all.
async fn ends(process: &Process, world: &World, of: &ActionId, began: Instant) {
    let orphan = launched(world, of, &[("hollowtrees.io/cluster", CLUSTER)]).await;
    ledger(world, of, "done", "failed", Some(&orphan)).await;
    let said = process
        .worker
        .logged("had launched and left behind is ended", BOUND);
    said.await.unwrap();
    assert!(began.elapsed() >= EVERY, "{:?}", began.elapsed());
    assert_eq!(world.instance(&orphan).await.state, "terminated");
}

/// It takes a minute, and nothing of a machine meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_is_repeated_after_its_period_by_who_made_it_or_by_who_is_left() {
    let aws = Arc::new(Aws::start().await.unwrap());
    let began = Instant::now();
    let by_itself = async {
        let world = World::beside(Arc::clone(&aws), "itself", &[]).await;
        let process = Process::start(&world);
        process.has_swept(1).await;
        ends(&process, &world, &action("i-1"), began).await;
        process.has_swept(2).await;
    };
    let by_who_is_left = async {
        let world = World::beside(Arc::clone(&aws), "left", &[]).await;
        let first = Process::start(&world);
        first.has_swept(1).await;
        let second = Process::start(&world);
        second.ready().await;
        first.worker.kill();
        ends(&second, &world, &action("i-2"), began).await;
        second.has_swept(1).await;
    };
    tokio::join!(by_itself, by_who_is_left);
    let ended = aws.calls().into_iter();
    let ended = ended.filter(|call| call.action == "TerminateInstances");
    assert_eq!(ended.count(), 2, "each once");
}
