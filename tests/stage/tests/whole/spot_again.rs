//! What fell back to on demand goes back to spot, and nothing is drained before there is a replacement.

use std::time::Duration;

use hollowtrees_e2e::checker::Books;
use hollowtrees_harness::{
    aws::{Instance, Service},
    eventually,
};
use hollowtrees_schemas::{id::IncidentKey, key, names::kind, proto};
use hollowtrees_stage::{machines, rig::CLUSTER};

use crate::{BOUND, GROUP, World};

/// The second as in `docs/rules.md`.
const RULES: &str = "
version: 1
rules:
  - name: interruption
    match: { exact: { data.kind: spot-interruption } }
    steps:
      - actions: [drain, { kind: asg-swap, params: { fallback: on-demand } }]
  - name: spot-again
    match: { exact: { data.kind: spot-again } }
    steps:
      - actions:
          - { kind: asg-swap, params: { wait_for_node: 5m } }
        on_skipped: stop
      - actions: [drain]
        on_failure: continue
      - actions:
          - { kind: asg-swap, effect: per-action, params: { strategy: end } }
";

impl World {
    /// Swap workers come that sweep as they start, one after the other, until the incident of an instance is like that.
    async fn sweep_until(&mut self, what: &str, instance: &str, is_so: impl Fn(&proto::Incident) -> bool) {
        let of = key::incident(&IncidentKey::new(CLUSTER, instance, "live"));
        for number in 0.. {
            let found = self.rig.bus.incidents().get(&of).await.unwrap();
            if found.as_ref().is_some_and(|found| is_so(&found.value)) {
                return;
            }
            assert!(number < 30, "{what}: {found:?}");
            // The turn of whoever swept before is over.
            self.rig
                .bus
                .groups()
                .remove(&key::group("", "", ""), None)
                .await
                .unwrap();
            let process = self.rig.start_swap_that_tries("asg-swap-that-tries").unwrap();
            process.ready().await.unwrap();
            eventually("a sweep", BOUND, async || {
                let text = process.metrics().await.unwrap();
                text.contains("hollowtrees_asg_swap_sweeps_total{answer=\"done\"} 1")
            })
            .await;
            // It may be at the swap by now.
            self.processes.push(process);
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    /// The member that runs, of this market.
    async fn member(&self, spot: bool) -> Instance {
        eventually(format!("the member to be on spot: {spot}"), BOUND, async || {
            let all = self.rig.aws.instances().await.unwrap();
            let is_it = |one: &Instance| {
                one.group.as_deref() == Some(GROUP) && one.spot == spot && one.state == "running"
            };
            all.into_iter().find(is_it)
        })
        .await
    }

    async fn is_cordoned(&self, node: &str) -> bool {
        let node = self
            .rig
            .kubernetes
            .get(&format!("/api/v1/nodes/{node}"))
            .await
            .unwrap();
        node["spec"]["unschedulable"] == true
    }
}

/// Results of the actions about an instance.
async fn results(world: &World, instance: &str) -> Vec<(String, String, String)> {
    Books::when_finished_of(&world.rig.bus, instance, BOUND).await;
    let books = Books::read(&world.rig.bus).await;
    let told = books.outcomes.values().flatten();
    let of = told.filter(|outcome| outcome.instance == instance);
    let mut found: Vec<_> = of
        .map(|outcome| {
            (
                outcome.kind.clone(),
                outcome.result.clone(),
                outcome.reason.clone(),
            )
        })
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fell_back_is_tried_again_until_spot_is_back_and_drained_only_then() {
    let mut world = World::make_by(RULES, 1).await;
    let no_spot = Service::Ec2
        .fault("InsufficientInstanceCapacity", 500)
        .containing("Action=RunInstances&")
        .containing("MarketType=spot");
    world.rig.aws.inject(no_spot);
    world
        .tell(world.machines[0].notice("spot-interruption", 120))
        .await;
    let fallen = world.member(false).await;
    machines::join(&world.rig.kubernetes, &fallen).await.unwrap();
    Books::when_finished_of(&world.rig.bus, &world.machines[0].instance, BOUND).await;

    // Spot is still out: the attempt is over, and nothing has happened.
    let has_run = |incident: &proto::Incident| !incident.runs.is_empty();
    world.sweep_until("an attempt", &fallen.id, has_run).await;
    let swap = |result: &str, reason: &str| (kind::ASG_SWAP.to_owned(), result.to_owned(), reason.to_owned());
    assert_eq!(results(&world, &fallen.id).await, [swap("skipped", "no-spot")]);
    assert!(!world.is_cordoned(&fallen.id).await);
    assert_eq!(world.member(false).await.id, fallen.id);

    // It is back.
    world.rig.aws.heal();
    let again = |incident: &proto::Incident| incident.generation == 2 && !incident.runs.is_empty();
    world.sweep_until("another attempt", &fallen.id, again).await;
    let new = eventually("a spot instance to run", BOUND, async || {
        let all = world.rig.aws.instances().await.unwrap();
        let replaces = |one: &Instance| one.tags.get("hollowtrees.io/replaces") == Some(&fallen.id);
        all.into_iter()
            .find(|one| one.spot && one.state == "running" && replaces(one))
    })
    .await;
    assert!(
        !world.is_cordoned(&fallen.id).await,
        "its replacement's node is not there"
    );
    machines::join(&world.rig.kubernetes, &new).await.unwrap();
    let drained = (kind::DRAIN.to_owned(), "succeeded".to_owned(), String::new());
    let expected = [
        swap("skipped", "no-spot"),
        swap("succeeded", ""),
        swap("succeeded", ""),
        drained,
    ];
    assert_eq!(results(&world, &fallen.id).await, expected);
    assert_eq!(world.member(true).await.id, new.id);
    assert!(world.is_cordoned(&fallen.id).await);
    let all = world.rig.aws.instances().await.unwrap();
    let old = all.iter().find(|one| one.id == fallen.id).unwrap();
    assert!(
        matches!(old.state.as_str(), "shutting-down" | "terminated"),
        "{old:?}"
    );
    let sizes = world.rig.aws.group(GROUP).await.unwrap().sizes;
    assert_eq!((sizes.desired, sizes.max), (1, 1));
}
