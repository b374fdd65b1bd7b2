//! From the queue on: what Auto Scaling itself sends about a lifecycle hook, to the answer it gets.

use std::time::Duration;

use hollowtrees_e2e::checker::Books;
use hollowtrees_harness::{
    Result,
    aws::{Hook, Instance, LifecycleAction, Service},
    control_plane::fixtures,
    eventually,
    ports::Port,
};
use hollowtrees_schemas::{
    names::{kind, result},
    proto,
};
use hollowtrees_stage::{
    Process, Role,
    machines::{self, ACCOUNT},
    rig::REGION,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{BOUND, GROUP, NAMESPACE, World};

const HOOK: &str = "wait-for-it";
const TOKEN: &str = "71514b9d-6a40-4b26-8523-05e7ee35fa40";

/// A world with a gateway that reads a queue, two lifecycle workers that see the nodes, and a group with a hook.
struct Way {
    world: World,
    queue: String,
    _gateway: Process,
    _port: Port,
    _workers: Vec<Process>,
}

impl Way {
    async fn open(world: World, hook: Hook) -> Self {
        let queue = world.rig.aws.create_queue(REGION, "hooks").await.unwrap();
        let port = Port::reserve().unwrap();
        let gateway = world.rig.start_gateway("gateway", &queue, port.addr()).unwrap();
        let workers: Vec<_> = ["lifecycle-1", "lifecycle-2"]
            .map(|name| world.rig.start(Role::Lifecycle, name).unwrap())
            .into();
        for process in workers.iter().chain([&gateway]) {
            process.ready().await.unwrap();
        }
        world.rig.aws.put_hook_as(GROUP, HOOK, hook);
        Self {
            world,
            queue,
            _gateway: gateway,
            _port: port,
            _workers: workers,
        }
    }

    /// Auto Scaling has the instance wait, and says so.
    async fn wait(&self, instance: &str, transition: &str, state: &str) {
        let aws = &self.world.rig.aws;
        let wait = LifecycleAction::new(GROUP, HOOK, instance, TOKEN);
        aws.wait_in_hook(wait, state).await.unwrap();
        let (what, way) = match transition {
            "LAUNCHING" => (
                "EC2 Instance-launch Lifecycle Action",
                ["EC2", "AutoScalingGroup"],
            ),
            _ => (
                "EC2 Instance-terminate Lifecycle Action",
                ["AutoScalingGroup", "EC2"],
            ),
        };
        let event = json!({
            "version": "0",
            "id": format!("event-of-{instance}"),
            "detail-type": what,
            "source": "aws.autoscaling",
            "account": ACCOUNT,
            "time": Timestamp::now().to_string(),
            "region": REGION,
            "resources": [],
            "detail": {
                "LifecycleActionToken": TOKEN,
                "AutoScalingGroupName": GROUP,
                "LifecycleHookName": HOOK,
                "EC2InstanceId": instance,
                "LifecycleTransition": format!("autoscaling:EC2_INSTANCE_{transition}"),
                "Origin": way[0],
                "Destination": way[1],
            },
        });
        aws.send(REGION, &self.queue, &[event.to_string()]).await.unwrap();
    }

    fn held(&self) -> LifecycleAction {
        self.world.rig.aws.lifecycle_actions().remove(0)
    }

    /// Waits until the hook was prolonged so often, unanswered.
    async fn heartbeats(&self, count: usize) {
        eventually(format!("{count} heartbeats"), BOUND, async || {
            let wait = self.held();
            assert_eq!(wait.result, None, "{wait:?}");
            if wait.heartbeats.len() >= count {
                Ok(())
            } else {
                Err(format!("{wait:?}"))
            }
        })
        .await;
    }

    /// The one answer that the hook got in time.
    fn answered(&self) -> String {
        let wait = self.held();
        assert!(!wait.timed_out, "{wait:?}");
        assert_eq!(self.world.rig.aws.count("CompleteLifecycleAction"), 1);
        let calls = self.world.rig.aws.calls();
        let call = calls.iter().find(|call| call.action == "CompleteLifecycleAction");
        assert_eq!(call.unwrap().get("LifecycleActionToken"), Some(TOKEN));
        wait.result.unwrap()
    }

    /// `Lifecycle` of a member as the group shows it.
    async fn member_state(&self, instance: &str) -> Result<String> {
        let by = [("InstanceIds.member.1", instance)];
        let aws = &self.world.rig.aws;
        let shown = aws
            .call(Service::AutoScaling, "DescribeAutoScalingInstances", &by)
            .await?;
        let state = shown.split("<LifecycleState>").nth(1).unwrap_or_default();
        Ok(state.split('<').next().unwrap_or_default().to_owned())
    }
}

/// As in `docs/hooks.md`, with a shorter time.
fn launches(timeout: &str) -> String {
    format!(
        "
version: 1
rules:
  - name: group-launches
    match: {{ exact: {{ data.kind: asg-launching }} }}
    steps:
      - actions: [{{ kind: hook, timeout: {timeout} }}]
"
    )
}

/// An instance that comes: its node is not there when the workers begin to look.
async fn launched(rules: &str, hook: Hook) -> (Way, Instance) {
    let world = World::make_by(rules, 1).await;
    let machine = world.machines[0].clone();
    let node = format!("/api/v1/nodes/{}", machine.node);
    world.rig.kubernetes.delete(&node, &json!({})).await.unwrap();
    let way = Way::open(world, hook).await;
    way.wait(&machine.instance, "LAUNCHING", "Pending:Wait").await;
    let all = way.world.rig.aws.instances().await.unwrap();
    let instance = all.into_iter().find(|instance| instance.id == machine.instance);
    (way, instance.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_told_on_a_queue_is_continued_once_its_node_is_ready() {
    let hook = Hook::launching(Duration::from_secs(12));
    let (way, instance) = launched(&launches("10m"), hook).await;
    way.heartbeats(1).await;
    machines::join(&way.world.rig.kubernetes, &instance)
        .await
        .unwrap();
    let books = Books::when_finished(&way.world.rig.bus, 1, BOUND).await;
    books.assert_sound();
    let hooked = ((kind::HOOK.to_owned(), result::SUCCEEDED.to_owned()), 1);
    assert_eq!(books.results(), [hooked].into());
    assert_eq!(way.answered(), "CONTINUE");
    eventually("the instance to come into service", BOUND, async || {
        let state = way.member_state(&instance.id).await.unwrap();
        if state == "InService" { Ok(()) } else { Err(state) }
    })
    .await;
    let incident = books.incidents.values().next().unwrap();
    assert_eq!(
        (incident.certainty.as_str(), &incident.deadline),
        ("advisory", &None)
    );
    assert_eq!(way.world.evicted(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_told_on_a_queue_is_abandoned_when_its_node_never_comes() {
    let hook = Hook::launching(Duration::from_secs(16));
    let (way, _) = launched(&launches("20s"), hook).await;
    let books = Books::when_finished(&way.world.rig.bus, 1, BOUND).await;
    books.assert_sound();
    let hooked = ((kind::HOOK.to_owned(), result::FAILED.to_owned()), 1);
    assert_eq!(books.results(), [hooked].into());
    assert_eq!(way.answered(), "ABANDON");
    assert!(
        !way.held().heartbeats.is_empty(),
        "it was held past its time-out: {:?}",
        way.held()
    );
}

const TERMINATIONS: &str = "
version: 1
rules:
  - name: group-ends-it
    match: { exact: { data.kind: asg-terminating } }
    steps:
      - actions: [drain, hook]
";

#[tokio::test(flavor = "multi_thread")]
async fn a_termination_told_on_a_queue_is_answered_only_after_the_last_pod_has_gone() {
    let world = World::make_by(TERMINATIONS, 1).await;
    let way = Way::open(world, Hook::terminating(Duration::from_mins(2))).await;
    let rig = &way.world.rig;
    let budgets = format!("/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets");
    let budget = fixtures::budget("shop", 2);
    rig.kubernetes.post(&budgets, &budget).await.unwrap();
    let machine = &way.world.machines[0];
    let residents = way.world.residents(machine).await;
    assert!(!residents.is_empty(), "there is something to evict");
    way.wait(&machine.instance, "TERMINATING", "Terminating:Wait")
        .await;
    eventually("the node to be cordoned", BOUND, async || {
        way.world.node(machine).await["spec"]["unschedulable"] == true
    })
    .await;
    assert_eq!(
        way.world.residents(machine).await,
        residents,
        "their budget keeps them"
    );
    assert_eq!(way.held().result, None);
    let name = budget["metadata"]["name"].as_str().unwrap();
    let one = format!("{budgets}/{name}");
    rig.kubernetes.delete(&one, &json!({})).await.unwrap();
    // Looked at in this order: had it been answered before, it would have been with pods there.
    eventually("the hook to be answered", BOUND, async || {
        let left = way.world.residents(machine).await;
        let answered = way.held().result.is_some();
        assert!(
            !answered || left.is_empty(),
            "{left:?} were there a moment before"
        );
        answered
    })
    .await;
    let books = Books::when_finished(&rig.bus, 1, BOUND).await;
    books.assert_sound();
    let wanted = [kind::DRAIN, kind::HOOK].map(|kind| ((kind.to_owned(), result::SUCCEEDED.to_owned()), 1));
    assert_eq!(books.results(), wanted.into());
    assert_eq!(way.answered(), "CONTINUE");
    let ended = |kind: &str| ended_at(&books, kind);
    assert!(ended(kind::DRAIN) <= ended(kind::HOOK));
    let incident = books.incidents.values().next().unwrap();
    assert!(
        incident.deadline.is_some(),
        "the queue knows the hook's time-out: {incident:?}"
    );
    assert_eq!(way.world.evicted(), residents);
}

const EXTENDED: &str = "
version: 1
rules:
  - name: group-ends-it
    match: { exact: { data.kind: asg-terminating } }
    steps:
      - actions:
          - { kind: drain, params: { grace_cap: 2s } }
          - { kind: hook, params: { extend: 10m } }
";
/// Budgets are overridden two seconds before a deadline, which is moved on at half of this.
const SHORT: Duration = Duration::from_secs(20);

/// A node whose pods a budget keeps, in a hook that is prolonged for them; who they are, and when the hook would be over by
/// its first time-out.
async fn prolonged() -> (Way, Vec<String>, Timestamp) {
    let world = World::make_by(EXTENDED, 1).await;
    let way = Way::open(world, Hook::terminating(SHORT)).await;
    let budgets = format!("/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets");
    let kubernetes = &way.world.rig.kubernetes;
    kubernetes
        .post(&budgets, &fixtures::budget("shop", 2))
        .await
        .unwrap();
    let machine = &way.world.machines[0];
    let residents = way.world.residents(machine).await;
    assert!(!residents.is_empty(), "there is something to evict");
    way.wait(&machine.instance, "TERMINATING", "Terminating:Wait")
        .await;
    let first = Timestamp::now() + SignedDuration::try_from(SHORT).unwrap();
    way.heartbeats(1).await;
    (way, residents, first)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_a_budget_holds_up_goes_on_past_the_first_time_out() {
    let (way, residents, first) = prolonged().await;
    let rig = &way.world.rig;
    let machine = &way.world.machines[0];
    eventually("the first time-out to be well over", BOUND, async || {
        assert_eq!(way.world.residents(machine).await, residents, "nobody is forced");
        assert_eq!(way.held().result, None);
        Timestamp::now() > first + SignedDuration::from_secs(10)
    })
    .await;
    let one = format!("/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets/shop");
    rig.kubernetes.delete(&one, &json!({})).await.unwrap();
    let books = Books::when_finished(&rig.bus, 1, BOUND).await;
    books.assert_sound();
    let wanted = [kind::DRAIN, kind::HOOK].map(|kind| ((kind.to_owned(), result::SUCCEEDED.to_owned()), 1));
    assert_eq!(books.results(), wanted.into());
    assert_eq!(way.answered(), "CONTINUE");
    assert_eq!(way.world.evicted(), residents, "evicted, not deleted");
    assert!(ended_at(&books, kind::DRAIN) > first);
    assert_eq!(
        (books.incidents.len(), books.runs.len()),
        (1, 1),
        "the notices are one wait"
    );
    let incident = books.incidents.values().next().unwrap();
    assert_eq!(
        (incident.generation, incident.facts.len()),
        (1, 1),
        "{incident:?}"
    );
    assert!(of(incident.deadline) > first, "{incident:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_prolonged_hook_moves_the_deadline_of_an_interruption() {
    let (way, residents, first) = prolonged().await;
    let machine = &way.world.machines[0];
    let interruption = machine.notice("spot-interruption", 15);
    let deadline = of(interruption.deadline);
    assert!(deadline > first, "the hook alone would be over by then");
    way.world.tell(interruption).await;
    let books = Books::when_finished(&way.world.rig.bus, 1, BOUND).await;
    books.assert_sound();
    // By force, for the instance goes: two seconds before it does.
    let drained = ended_at(&books, kind::DRAIN);
    let wanted = deadline - SignedDuration::from_secs(2);
    assert!(drained >= wanted, "{drained} is not near {deadline}");
    assert!(
        drained < deadline + SignedDuration::from_secs(3),
        "{drained} is not near {deadline}"
    );
    assert_eq!(
        way.world.residents(machine).await,
        Vec::<String>::new(),
        "{residents:?} are gone"
    );
    let incident = books.incidents.values().next().unwrap();
    assert_eq!(of(incident.deadline), deadline, "the tightest: {incident:?}");
    let wait = incident.facts.iter().find(|fact| fact.event_id == TOKEN).unwrap();
    assert!(
        of(wait.deadline) > deadline,
        "the wait itself is longer: {incident:?}"
    );
}

fn of(time: Option<pbjson_types::Timestamp>) -> Timestamp {
    proto::time::from_proto(&time.unwrap()).unwrap()
}

/// When the only action of a kind ended.
fn ended_at(books: &Books, kind: &str) -> Timestamp {
    let mut actions = books.runs.values().flat_map(|run| &run.actions);
    let action = actions.find(|action| action.kind == kind).unwrap();
    of(action.ended_at)
}
