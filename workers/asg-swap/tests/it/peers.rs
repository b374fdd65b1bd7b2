//! Processes beside each other on one bus, killed for good: nobody starts one again, and those that are left go on by themselves.
//!
//! One process works many swaps at once here, each of which is held at another call, so that one death is the death at all of them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hollowtrees_bus::watch::Change;
use hollowtrees_harness::{
    Aws, Worker,
    aws::{Delays, Instance, Service},
    eventually,
    ports::Port,
    process::Builder,
    proxy::{Fault, Held},
};
use hollowtrees_schemas::{
    key,
    names::{Stream, result},
    proto,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    kills::{At, cases, once, reached},
    ways::{Way, set_paces},
    whole,
    world::{BOUND, CLUSTER, World},
};

/// Swaps of each pair whose end nobody holds up.
const FEW: usize = 4;

/// A bus with all outcomes that came on it.
struct Scene {
    world: World,
    told: Vec<proto::Outcome>,
}

/// A swap of a group of its own.
struct Swap {
    name: String,
    old: String,
    action: proto::Action,
}

/// A process, and its name on the bus.
struct Process {
    worker: Worker,
    id: String,
    _port: Port,
}

impl Process {
    async fn ends(&self) {
        let status = self.worker.terminate(Duration::from_secs(20)).await.unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Scene {
    /// With a bus of its own; its processes sign with this key.
    async fn new(aws: &Arc<Aws>, key: &str) -> Self {
        Self {
            world: World::beside(Arc::clone(aws), key, &[]).await,
            told: Vec::new(),
        }
    }

    /// Starts a process, and waits until it is ready.
    async fn process(&self, with: impl FnOnce(Builder) -> Builder) -> Process {
        let before = self.alive().await;
        let port = Port::reserve().unwrap();
        let worker = with(self.world.process(&port)).start().unwrap();
        let url = format!("http://{}/readyz", port.addr());
        worker.ready(&url, BOUND).await.unwrap();
        let mut now = self.alive().await;
        now.retain(|id| !before.contains(id));
        assert_eq!(now.len(), 1, "{now:?}");
        Process {
            worker,
            id: now.remove(0),
            _port: port,
        }
    }

    /// Processes whose word is fresh.
    async fn alive(&self) -> Vec<String> {
        let mut watch = self.world.bus.workers().watch(&[">"]);
        let mut alive = BTreeMap::new();
        loop {
            match watch.next().await {
                Change::Resync => alive.clear(),
                Change::Put(key, found) => {
                    alive.insert(key, found.value.worker.unwrap().process);
                }
                Change::Removed(key) => {
                    alive.remove(&key);
                }
                Change::Unreadable(error) => panic!("{error}"),
                Change::Synced => return alive.into_values().collect(),
            }
        }
    }

    async fn send(&self, swap: &Swap) {
        self.world.undrained(&swap.old).await;
        self.world.send(&swap.action).await;
    }

    /// Whose it is, once it is somebody's.
    async fn owner(&self, swap: &Swap) -> String {
        let key = key::ledger(CLUSTER, &swap.action.id.parse().unwrap());
        eventually("somebody to have it", BOUND, async || {
            self.world.bus.ledger().get(&key).await.unwrap().is_some()
        })
        .await;
        let entry = self.world.bus.ledger().get(&key).await.unwrap().unwrap();
        entry.value.owner.unwrap().process
    }

    /// The first outcome of this swap, told already or still to come, that is final or of this reason.
    async fn outcome(&mut self, swap: &Swap, reason: Option<&str>) -> proto::Outcome {
        let mut looked_at = 0;
        loop {
            let mut new = self.told.iter().skip(looked_at);
            let found = new.find(|told| {
                told.action_id == swap.action.id
                    && (result::is_final(&told.result) || Some(told.reason.as_str()) == reason)
            });
            if let Some(found) = found {
                return found.clone();
            }
            looked_at = self.told.len();
            self.told.push(self.world.next().await);
        }
    }

    async fn fact(&mut self, swap: &Swap, reason: &str) {
        let outcome = self.outcome(swap, Some(reason)).await;
        assert_eq!(outcome.reason, reason, "{outcome:?}");
    }

    /// Its end, by whom, in which of its starts.
    async fn ended(&mut self, swap: &Swap, expected: (&str, &str, u32)) {
        let outcome = self.outcome(swap, None).await;
        let by = outcome.worker.as_ref().unwrap();
        assert_eq!(
            (outcome.result.as_str(), by.process.as_str(), outcome.attempt),
            expected,
            "{}: {outcome:?}",
            swap.name
        );
    }

    /// No process runs any more, and of each swap one end was told.
    async fn assert_told_once(&mut self, swaps: impl Iterator<Item = &Swap>) {
        let stream = self.world.bus.stream_state(Stream::Outcomes).await.unwrap();
        while self.told.len() < usize::try_from(stream.messages).unwrap() {
            self.told.push(self.world.next().await);
        }
        for swap in swaps {
            let of_it = |told: &&proto::Outcome| told.action_id == swap.action.id;
            let ends = self.told.iter().filter(of_it);
            let ends: Vec<_> = ends.filter(|told| result::is_final(&told.result)).collect();
            assert_eq!(ends.len(), 1, "{ends:?}");
        }
    }
}

impl Swap {
    /// Its calls that changed something, in their order; all instances are these.
    fn changes(&self, world: &World, all: &[Instance]) -> Vec<String> {
        let is_of = |found: &&Instance| {
            let said = |tag: &str, value: &String| found.tags.get(tag) == Some(value);
            said("hollowtrees.io/replaces", &self.old) || said("aws:autoscaling:groupName", &self.name)
        };
        let of_it = all.iter().filter(is_of);
        let mut names: Vec<String> = of_it.map(|found| found.id.clone()).collect();
        names.extend([self.name.clone(), self.old.clone()]);
        let calls = world.aws.writes().into_iter().filter(|call| {
            let is_its = call.params.values().any(|value| names.contains(value));
            is_its && call.key.starts_with(&world.key)
        });
        once(calls.map(|call| call.action))
    }
}

/// A swap, and where it is to be when its process dies.
struct Case {
    way: Way,
    at: At,
    swap: Swap,
    held: Option<Held>,
    is_there: bool,
}

impl Case {
    /// Whether nothing else can begin in its process once it is there.
    fn is_for_last(&self) -> bool {
        matches!(self.at, At::After("DescribeLaunchTemplateVersions", _))
    }

    /// Whether its call ends its replacement, which is not there yet when it begins.
    fn ends_its_replacement(&self) -> bool {
        let ends = |call| matches!(call, "TerminateInstances" | "TerminateInstanceInAutoScalingGroup");
        let (At::Before(call, _) | At::After(call, _)) = self.at else {
            return false;
        };
        ends(call) && matches!(self.way, Way::Unattached | Way::Attached)
    }

    async fn begin(&mut self, scene: &Scene) {
        match self.at {
            At::Told("launched") => self.stay_before("UpdateAutoScalingGroup", &scene.world),
            At::Told(_) => self.stay_before("SetInstanceProtection", &scene.world),
            At::Before(..) | At::After(..) if self.ends_its_replacement() => {}
            At::Before(call, _) | At::After(call, _) => {
                let named = self.named(call).to_owned();
                self.hold(&named, &scene.world);
            }
        }
        scene.send(&self.swap).await;
    }

    /// What its call names that no other's does, as far as it is known when it begins.
    fn named(&self, call: &str) -> &str {
        match (call, self.way) {
            ("RunInstances" | "TerminateInstances", _)
            | ("TerminateInstanceInAutoScalingGroup", Way::Terminate) => &self.swap.old,
            ("DescribeLaunchTemplateVersions", _) | ("TerminateInstanceInAutoScalingGroup", Way::Spared) => {
                ""
            }
            _ => &self.swap.name,
        }
    }

    /// It does not get beyond this call by the process that signs with the world's key.
    fn stay_before(&self, call: &str, world: &World) {
        let throttled = Service::AutoScaling.fault("Throttling", 400);
        let throttled = throttled.containing(format!("Action={call}&"));
        world
            .aws
            .inject(throttled.containing(&self.swap.name).signed_with(&world.key));
    }

    /// Holds its call here of whoever signs with this key, the next time; what was done of it is not done again.
    fn hold_next(&self, (call, after): Place, skip: usize, key: &str, aws: &Aws) -> Held {
        let (fault, held) = if after {
            Fault::held_after()
        } else {
            Fault::held_before()
        };
        let call = whole::CHANGES[call];
        let fault = fault
            .containing(format!("Action={call}&"))
            .containing(self.named(call));
        aws.inject(fault.signed_with(key).skip(skip).times(1));
        held
    }

    /// Holds its call, which names this, of the process that signs with the world's key.
    fn hold(&mut self, named: &str, world: &World) {
        let (fault, held, call, skip) = match self.at {
            At::Before(call, skip) => {
                let (fault, held) = Fault::held_before();
                (fault, held, call, skip)
            }
            At::After(call, skip) => {
                let (fault, held) = Fault::held_after();
                (fault.times(1), held, call, skip)
            }
            At::Told(_) => unreachable!("no call"),
        };
        let fault = fault.containing(format!("Action={call}&")).containing(named);
        world.aws.inject(fault.signed_with(&world.key).skip(skip));
        self.held = Some(held);
    }

    /// It is where it is to be.
    async fn comes(&mut self, scene: &mut Scene) {
        if std::mem::replace(&mut self.is_there, true) {
            return;
        }
        if let Some(fact) = self.way.turns_at() {
            scene.fact(&self.swap, fact).await;
            if self.ends_its_replacement() {
                let new = scene.world.replacements(&self.swap.old).await.remove(0).id;
                self.hold(&new, &scene.world);
            }
            let Swap { name, old, .. } = &self.swap;
            self.way.turns(&scene.world, name, old).await;
        }
        match (self.at, &self.held) {
            (At::Told(fact), _) => scene.fact(&self.swap, fact).await,
            (_, Some(held)) => reached(held).await,
            (_, None) => unreachable!("a call is held"),
        }
    }
}

/// Cases that one process may be at all at once. Of what many swaps ask in one call one is held; what holds up the reads of others
/// is beside those that ask for nothing of the kind; and what is held before it takes effect may be held for as long as it
/// takes.
fn together() -> Vec<Vec<(Way, At)>> {
    let mut shares: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (way, at) in cases() {
        let reads = matches!(at, At::After(call, _) if call.starts_with("Describe"));
        let changed = matches!(at, At::After(..)) && !reads;
        // Of an instance that its group launched it is not known before which one it is.
        let apart = matches!(way, Way::Detach | Way::Spared);
        let share = (way.joins_slowly(), changed, apart || reads);
        shares.entry(share).or_default().push((way, at));
    }
    shares.into_values().collect()
}

/// It waits for an answer for as long as it may.
fn patient(process: Builder) -> Builder {
    process
        .env("HT_AWS__ATTEMPT_TIMEOUT", "20s")
        .env("HT_AWS__OPERATION_TIMEOUT", "20s")
}

/// One process is at all of these when it dies. Another one that worked none of them ends them.
async fn dies(mut cases: Vec<Case>, mut scene: Scene) {
    let aws = Arc::clone(&scene.world.aws);
    let first = scene.process(patient).await;
    cases.sort_by_key(Case::is_for_last);
    let early = cases.partition_point(|case| !case.is_for_last());
    let (early, last) = cases.split_at_mut(early);
    for case in &mut *early {
        case.begin(&scene).await;
    }
    for case in last {
        for other in &mut *early {
            other.comes(&mut scene).await;
        }
        case.begin(&scene).await;
    }
    for case in &cases {
        assert_eq!(scene.owner(&case.swap).await, first.id, "there is no other");
    }
    let key = format!("{}-peer", scene.world.key);
    let peer = scene
        .process(|process| process.env("AWS_ACCESS_KEY_ID", key))
        .await;
    for case in &mut cases {
        case.comes(&mut scene).await;
    }
    first.worker.kill();
    for case in &mut cases {
        case.held = None;
    }
    for Case { way, swap, .. } in &cases {
        scene.ended(swap, (way.result(), &peer.id, 2)).await;
    }
    peer.ends().await;
    let all = aws.instances().await.unwrap();
    for Case { way, at, swap, .. } in &cases {
        way.assert_end(&scene.world, &all, &swap.name, &swap.old).await;
        assert_eq!(swap.changes(&scene.world, &all), way.changes(), "{way:?} {at:?}");
    }
    scene.assert_told_once(cases.iter().map(|case| &case.swap)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_call_its_peer_completes_what_it_began_once() {
    let (quick, slow) = tokio::join!(Aws::start(), Aws::start());
    let (quick, slow) = (Arc::new(quick.unwrap()), Arc::new(slow.unwrap()));
    let mut deaths = Vec::new();
    for (world, share) in together().into_iter().enumerate() {
        let aws = if share[0].0.joins_slowly() { &slow } else { &quick };
        let scene = Scene::new(aws, &format!("peer{world}")).await;
        let mut cases = Vec::new();
        for (number, (way, at)) in share.into_iter().enumerate() {
            let name = format!("peer-{world}-{number:02}");
            let old = way.group(aws, &name).await;
            let action = way.action(&scene.world, &old);
            let swap = Swap { name, old, action };
            cases.push(Case {
                way,
                at,
                swap,
                held: None,
                is_there: false,
            });
        }
        deaths.push((cases, scene));
    }
    set_paces(&quick, &slow);
    let deaths = deaths
        .into_iter()
        .map(|(cases, scene)| tokio::spawn(dies(cases, scene)));
    let deaths: Vec<_> = deaths.collect();
    for death in deaths {
        death.await.unwrap();
    }
}

/// Swaps of three processes, each held at two calls, one after the other. What broke off twice starts a few at a time.
const TWICE: usize = 4;

/// What repeats [`two_deaths`].
const SEED: &str = "HOLLOWTREES_CHAOS_SEED";

/// Where a swap is held: the place of a call in [`whole::CHANGES`], and whether after its effect.
type Place = (usize, bool);

/// How many of a call's kind come before it, after this one was done.
fn skip(call: usize, done: Option<usize>) -> usize {
    let done = done.map_or(0, |done| done + 1);
    let before = whole::CHANGES[done..call].iter();
    before.filter(|other| **other == whole::CHANGES[call]).count()
}

/// Two places each, the second beyond the first; by dice, whose seed is printed. Only the last one comes to the last call: old ones
/// are ended together, and of what many swaps ask in one call one is held.
fn two_deaths() -> Vec<(Place, Place)> {
    let given = std::env::var(SEED).ok();
    let seed: u64 = given.map_or_else(rand::random, |seed| seed.parse().expect("a seed is a number"));
    println!("seed {seed}: repeat with {SEED}={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let last = whole::CHANGES.len() - 1;
    (0..TWICE)
        .map(|number| {
            let first = dice.random_range(2 * number..2 * number + 2);
            let end = last + usize::from(number + 1 == TWICE);
            let second = dice.random_range(first + 1..end);
            ((first, dice.random()), (second, dice.random()))
        })
        .collect()
}

/// Swaps that are held here when the first process dies.
async fn held_at(scene: &Scene, places: impl Iterator<Item = Place>) -> Vec<Case> {
    let (way, world) = (Way::Forward, &scene.world);
    let mut cases = Vec::new();
    for (number, (call, after)) in places.enumerate() {
        let name = format!("three-{number}");
        let old = way.group(&world.aws, &name).await;
        let (skip, call) = (skip(call, None), whole::CHANGES[call]);
        let at = if after {
            At::After(call, skip)
        } else {
            At::Before(call, skip)
        };
        let action = way.action(world, &old);
        let swap = Swap { name, old, action };
        cases.push(Case {
            way,
            at,
            swap,
            held: None,
            is_there: false,
        });
    }
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_two_are_killed_one_after_the_other_and_the_third_completes_each_call_once() {
    let aws = Arc::new(Aws::start().await.unwrap());
    let mut scene = Scene::new(&aws, "three").await;
    let places = two_deaths();
    let mut cases = held_at(&scene, places.iter().map(|(first, _)| *first)).await;
    aws.set_delays(Delays {
        running: Duration::from_secs(1),
        in_service: Duration::from_secs(1),
    });
    // All are the first one's, for there is no other when they begin.
    let first = scene.process(patient).await;
    for case in &mut cases {
        case.begin(&scene).await;
    }
    for case in &cases {
        assert_eq!(scene.owner(&case.swap).await, first.id, "there is no other");
    }
    let keys = ["three-b", "three-c"];
    let mut others = Vec::new();
    for key in keys {
        let with = |process| patient(process).env("AWS_ACCESS_KEY_ID", key);
        others.push(scene.process(with).await);
    }
    for case in &mut cases {
        case.comes(&mut scene).await;
    }
    assert_eq!(scene.alive().await.len(), 3);
    // Whoever goes on with it comes as far as this.
    let mut held = Vec::new();
    for (case, (at, next)) in cases.iter().zip(&places) {
        let done = if at.1 { Some(at.0) } else { at.0.checked_sub(1) };
        let skip = skip(next.0, done);
        held.push(keys.map(|key| case.hold_next(*next, skip, key, &aws)));
    }
    first.worker.kill();
    for case in &mut cases {
        case.held = None;
    }
    let mut owners = Vec::new();
    for (case, [b, c]) in cases.iter().zip(&held) {
        tokio::select! {
            () = reached(b) => {}
            () = reached(c) => {}
        }
        owners.push(scene.owner(&case.swap).await);
    }
    // Of the two that are left the one dies that has more of them.
    let of = |process: &Process| owners.iter().filter(|owner| **owner == process.id).count();
    others.sort_by_key(of);
    let (second, third) = (others.pop().unwrap(), others.pop().unwrap());
    assert_ne!(of(&second), 0);
    second.worker.kill();
    drop(held);
    for (case, owner) in cases.iter().zip(&owners) {
        let start = if *owner == second.id { 3 } else { 2 };
        let expected = (case.way.result(), third.id.as_str(), start);
        scene.ended(&case.swap, expected).await;
    }
    third.ends().await;
    let all = aws.instances().await.unwrap();
    for (Case { way, swap, .. }, deaths) in cases.iter().zip(&places) {
        way.assert_end(&scene.world, &all, &swap.name, &swap.old).await;
        assert_eq!(swap.changes(&scene.world, &all), way.changes(), "{deaths:?}");
    }
    scene.assert_told_once(cases.iter().map(|case| &case.swap)).await;
}

/// Who is killed, of two that are there when all begins.
#[derive(Clone, Copy, Debug)]
enum Killed {
    /// The one that works the swaps.
    Working,
    /// The other one.
    Idle,
    /// Both; a third one is started.
    Both,
}

/// Swaps that both may have been handed, and one works.
async fn of_two(killed: Killed, olds: Vec<(String, String)>, aws: Arc<Aws>) {
    let mut scene = Scene::new(&aws, &format!("{killed:?}")).await;
    let swaps = olds.into_iter().map(|(name, old)| Swap {
        action: scene.world.action(&old, "advisory"),
        name,
        old,
    });
    let swaps: Vec<_> = swaps.collect();
    let (a, b) = (scene.process(|it| it).await, scene.process(|it| it).await);
    for swap in &swaps {
        scene.send(swap).await;
    }
    let mut owners = Vec::new();
    for swap in &swaps {
        scene.fact(swap, "attached").await;
        owners.push(scene.owner(swap).await);
    }
    let of_a = owners.iter().filter(|owner| **owner == a.id).count();
    let (working, idle) = if 2 * of_a > FEW { (a, b) } else { (b, a) };
    let left = match killed {
        Killed::Working => {
            working.worker.kill();
            idle
        }
        Killed::Idle => {
            idle.worker.kill();
            working
        }
        Killed::Both => {
            working.worker.kill();
            idle.worker.kill();
            scene.process(|it| it).await
        }
    };
    eventually("the others to count as dead", BOUND, async || {
        scene.alive().await == [left.id.as_str()]
    })
    .await;
    let all = aws.instances().await.unwrap();
    for swap in &swaps {
        for new in whole::launched_of(&all, &swap.old) {
            aws.set_member_state(&new.id, Some("InService")).await.unwrap();
        }
    }
    for (swap, owner) in swaps.iter().zip(owners) {
        let start = if owner == left.id { 1 } else { 2 };
        scene.ended(swap, ("succeeded", &left.id, start)).await;
    }
    left.ends().await;
    let all = aws.instances().await.unwrap();
    for Swap { name, old, .. } in &swaps {
        Way::Forward.assert_end(&scene.world, &all, name, old).await;
    }
    scene.assert_told_once(swaps.iter()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_of_two_is_killed_the_other_ends_all_and_a_third_where_both_are() {
    let aws = Arc::new(Aws::start().await.unwrap());
    let mut all = Vec::new();
    for killed in [Killed::Working, Killed::Idle, Killed::Both] {
        let mut olds = Vec::new();
        for number in 0..FEW {
            let name = format!("{killed:?}-{number}");
            let group = whole::full(&name, &["m5.large"]);
            let old = aws.create(&group).await.unwrap().members.remove(0).0;
            olds.push((name, old));
        }
        all.push(of_two(killed, olds, Arc::clone(&aws)));
    }
    aws.set_delays(Delays {
        running: Duration::from_secs(1),
        in_service: Duration::from_secs(3600),
    });
    let all: Vec<_> = all.into_iter().map(tokio::spawn).collect();
    for one in all {
        one.await.unwrap();
    }
}
