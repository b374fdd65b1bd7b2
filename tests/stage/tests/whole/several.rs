//! Several notices about one instance: of other kinds, and one that takes the first back.

use hollowtrees_e2e::checker::Books;
use hollowtrees_harness::eventually;
use hollowtrees_schemas::{
    names::{kind, result},
    proto,
};

use crate::{BOUND, GROUP, World};

const EVERY_KIND: &str = "
version: 1
rules:
  - name: rebalance
    match: { exact: { data.kind: rebalance-recommendation } }
    steps: [{ actions: [drain, asg-swap] }]
  - name: interruption
    match: { exact: { data.kind: spot-interruption } }
    steps: [{ actions: [drain, asg-swap] }]
  - name: leaving
    match: { exact: { data.kind: asg-terminating } }
    steps: [{ actions: [drain, asg-swap] }]
";

const TAKEN_BACK: &str = "
version: 1
rules:
  - name: maintenance
    match: { exact: { data.kind: scheduled-maintenance } }
    steps: [{ actions: [drain] }]
    on_cancel: [uncordon]
";

#[tokio::test(flavor = "multi_thread")]
async fn a_recommendation_an_interruption_and_the_groups_own_word_are_one_drain_and_one_swap() {
    let world = World::make_by(EVERY_KIND, 1).await;
    let machine = &world.machines[0];
    let residents = world.residents(machine).await;
    assert!(!residents.is_empty(), "there is something to evict");
    world.tell(machine.notice("rebalance-recommendation", 300)).await;
    eventually("the recommendation to be followed", BOUND, async || {
        world.node(machine).await["spec"]["unschedulable"] == true
    })
    .await;
    world.tell(machine.notice("spot-interruption", 120)).await;
    world.tell(machine.notice("asg-terminating", 600)).await;
    let runs = eventually("three runs to finish", BOUND, async || {
        let books = Books::read(&world.rig.bus).await;
        let finished = books.runs.values().filter(|run| run.phase == "finished").count();
        (finished == 3).then_some(books)
    })
    .await;
    runs.assert_sound();
    assert_eq!(runs.incidents.len(), 1, "all of them are one incident");

    // By name: the drain of the interruption may be the other worker's, and ask for a pod that is on its way out.
    assert_eq!(world.evicted(), residents);
    let aws = &world.rig.aws;
    let calls = ["RunInstances", "AttachInstances", "DetachInstances"].map(|call| (call, aws.count(call)));
    assert_eq!(
        calls,
        [
            ("RunInstances", 1),
            ("AttachInstances", 1),
            ("DetachInstances", 1)
        ]
    );
    let group = aws.group(GROUP).await.unwrap();
    assert_eq!(
        (group.sizes.desired, group.sizes.max, group.members.len()),
        (1, 1, 1)
    );
    assert_ne!(group.members[0].0, machine.instance);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_taken_back_after_its_drain_gives_the_node_back() {
    let world = World::make_by(TAKEN_BACK, 1).await;
    let machine = &world.machines[0];
    let before = world.node(machine).await;
    let residents = world.residents(machine).await;
    let maintenance = |state: &str| proto::Notice {
        state: state.to_owned(),
        certainty: "scheduled".to_owned(),
        event_id: "event-1".to_owned(),
        ..machine.notice("scheduled-maintenance", 1_800)
    };
    world.tell(maintenance("active")).await;
    let books = Books::when_finished(&world.rig.bus, 1, BOUND).await;
    let drained = (kind::DRAIN.to_owned(), result::SUCCEEDED.to_owned());
    assert_eq!(books.results(), [(drained.clone(), 1)].into());
    assert_eq!(world.node(machine).await["spec"]["unschedulable"], true);

    world.tell(maintenance("cancelled")).await;
    eventually("the node to be given back", BOUND, async || {
        let node = world.node(machine).await;
        let given_back = node["spec"]["unschedulable"] == before["spec"]["unschedulable"]
            && node["spec"]["taints"] == before["spec"]["taints"]
            && node["metadata"]["labels"] == before["metadata"]["labels"];
        if given_back {
            Ok(())
        } else {
            Err(node["spec"].to_string())
        }
    })
    .await;
    let uncordoned = (kind::UNCORDON.to_owned(), result::SUCCEEDED.to_owned());
    eventually("the run to say so", BOUND, async || {
        let books = Books::read(&world.rig.bus).await;
        let all_finished = books.runs.values().all(|run| run.phase == "finished");
        let expected = [(drained.clone(), 1), (uncordoned.clone(), 1)].into();
        if all_finished && books.results() == expected {
            Ok(())
        } else {
            Err(format!("{:?}", books.results()))
        }
    })
    .await;
    assert_eq!(world.evicted(), residents, "nobody evicts what comes back to it");
}
