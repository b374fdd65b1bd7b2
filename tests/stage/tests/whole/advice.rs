//! A recommendation to move on: cordoned at once, drained when the replacement can take the pods, or is waited for no longer.

use std::time::Duration;

use hollowtrees_e2e::checker::Books;
use hollowtrees_harness::{aws::Instance, eventually};
use hollowtrees_schemas::{
    names::{kind, result},
    proto,
};
use hollowtrees_stage::machines;

use crate::{BOUND, GROUP, World};

/// As in `docs/draining.md`, with another wait.
fn rules(wait: &str) -> String {
    format!(
        "
version: 1
rules:
  - name: rebalance
    match: {{ exact: {{ data.kind: rebalance-recommendation }} }}
    steps:
      - actions:
          - cordon
          - {{ kind: asg-swap, params: {{ wait_for_node: {wait} }} }}
        on_failure: continue
      - actions: [drain]
        on_failure: continue
      - actions:
          - {{ kind: asg-swap, effect: per-action, params: {{ strategy: end }} }}
  - name: interruption
    match: {{ exact: {{ data.kind: spot-interruption }} }}
    steps:
      - actions: [drain]
"
    )
}

impl World {
    /// Tells the recommendation, which has no deadline, and waits for the node to be cordoned and a replacement to run.
    async fn advise(&self) -> Instance {
        let machine = &self.machines[0];
        self.tell(proto::Notice {
            deadline: None,
            ..machine.notice("rebalance-recommendation", 0)
        })
        .await;
        eventually("the node to be cordoned", BOUND, async || {
            self.node(machine).await["spec"]["unschedulable"] == true
        })
        .await;
        eventually("a replacement to run", BOUND, async || {
            let all = self.rig.aws.instances().await.unwrap();
            all.into_iter()
                .find(|instance| instance.id != machine.instance && instance.state == "running")
        })
        .await
    }

    /// So many more looks at the replacement are over, each with its decision.
    async fn looks(&self, count: usize) {
        let before = self.rig.aws.count("DescribeInstances");
        eventually("some more looks", BOUND, async || {
            self.rig.aws.count("DescribeInstances") > before + count
        })
        .await;
    }

    async fn assert_moved(&self, residents: &[String], replacement: &Instance) {
        let books = Books::when_finished(&self.rig.bus, 1, BOUND).await;
        books.assert_sound();
        let wanted = [(kind::ASG_SWAP, 2), (kind::CORDON, 1), (kind::DRAIN, 1)]
            .map(|(kind, count)| ((kind.to_owned(), result::SUCCEEDED.to_owned()), count));
        assert_eq!(books.results(), wanted.into());
        assert_eq!(self.evicted(), residents);
        let old = &self.machines[0].instance;
        let all = self.rig.aws.instances().await.unwrap();
        let old = all.iter().find(|instance| instance.id == *old).unwrap();
        assert!(
            matches!(old.state.as_str(), "shutting-down" | "terminated"),
            "it costs no more: {old:?}"
        );
        let group = self.rig.aws.group(GROUP).await.unwrap();
        let members: Vec<_> = group.members.iter().map(|(id, _)| id).collect();
        assert_eq!(members, [&replacement.id]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pods_stay_until_the_replacements_node_is_ready() {
    let world = World::make_by(&rules("5m"), 1).await;
    let residents = world.residents(&world.machines[0]).await;
    assert!(!residents.is_empty(), "there is something to evict");
    let replacement = world.advise().await;
    world.looks(5).await;
    assert_eq!(world.evicted(), Vec::<String>::new(), "its node is not there");
    machines::join(&world.rig.kubernetes, &replacement).await.unwrap();
    world.assert_moved(&residents, &replacement).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_go_without_it_once_it_was_waited_for_long_enough() {
    let world = World::make_by(&rules("8s"), 1).await;
    let residents = world.residents(&world.machines[0]).await;
    let replacement = world.advise().await;
    world.assert_moved(&residents, &replacement).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_waits_for_nobody() {
    let world = World::make_by(&rules("5m"), 1).await;
    let machine = &world.machines[0];
    let residents = world.residents(machine).await;
    world.advise().await;
    world.tell(machine.notice("spot-interruption", 120)).await;
    eventually("the pods to be evicted", Duration::from_secs(60), async || {
        let evicted = world.evicted();
        if evicted == residents {
            Ok(())
        } else {
            Err(format!("{evicted:?} of {residents:?}"))
        }
    })
    .await;
    assert_eq!(
        world.rig.aws.count("AttachInstances"),
        0,
        "the node is still waited for"
    );
}
