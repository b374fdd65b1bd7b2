//! What holds for every cluster: pods by chance, some of them behind budgets, over the whole time of a drain.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    order::{BUCKET_SECONDS, Place},
    *,
};

/// Keeps a pod for good.
const OPT_OUT: &str = "hollowtrees.io/do-not-evict";
/// Keeps it until its last moment.
const RESERVE: &str = "karpenter.sh/do-not-disrupt";
/// Looks at one node; far more than its pods give reason for.
const MOST_STEPS: usize = 2_000;
/// A refused eviction is asked again after this, if nothing else comes before.
const RETRY: SignedDuration = SignedDuration::from_secs(5);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// A pod and what the world does with it.
#[derive(Debug, Clone)]
struct Lot {
    pod: Pod,
    /// Its budget allows nothing.
    blocked: bool,
    /// Its containers end this long after they are told, if their grace lasts.
    exits_after: i64,
}

prop_compose! {
    fn any_pod(node: u8)(
        uid: u32, grace_seconds in 1_u32..400, owner in 0_usize..3, critical: bool, mirror in chance(8), finished in chance(8),
        asks in 0_usize..8, last in chance(8), empty_dir: bool, deleted in proptest::option::weighted(0.2, (0_i64..100, 1_u32..400)),
    ) -> Pod {
        let one = |yes: bool, key: &str, value: &str| {
            yes.then(|| (key.to_owned(), value.to_owned())).into_iter().collect::<BTreeMap<_, _>>()
        };
        Pod {
            uid: format!("{node}-{uid}"),
            namespace: "shop".to_owned(),
            name: uid.to_string(),
            node: node.to_string(),
            labels: Arc::new(one(last, "app.kubernetes.io/part-of", "hollowtrees")),
            annotations: match asks {
                0 => one(true, OPT_OUT, "true"),
                1 => one(true, RESERVE, "true"),
                _ => BTreeMap::new(),
            },
            grace_seconds,
            owner: [Owner::None, Owner::DaemonSet, Owner::Controller][owner],
            mirror,
            finished,
            containers_ended: finished,
            critical,
            empty_dir,

            // Asked for so long ago with that grace, and not over yet.
            deletion: deleted.filter(|(ago, grace)| *ago < i64::from(*grace)).map(|(ago, grace_seconds)| Deletion {
                ends_at: at(i64::from(grace_seconds) - ago),
                grace_seconds,
            }),
            ..Pod::default()
        }
    }
}

fn chance(of: u32) -> impl Strategy<Value = bool> {
    (0..of).prop_map(|face| face == 0)
}

fn any_lots(node: u8) -> impl Strategy<Value = Vec<Lot>> {
    let lot = (any_pod(node), any::<bool>(), 0_i64..500).prop_map(|(pod, blocked, exits_after)| Lot {
        pod,
        blocked,
        exits_after,
    });
    proptest::collection::vec(lot, 0..8).prop_map(|lots| {
        let mut seen = BTreeSet::new();
        lots.into_iter()
            .filter(|lot| seen.insert(lot.pod.uid.clone()))
            .collect()
    })
}

fn any_options() -> impl Strategy<Value = Options> {
    any::<[bool; 3]>().prop_map(|[bare, empty_dir, daemons]| Options {
        bare,
        empty_dir,
        daemons,
        ..Options::default()
    })
}

/// One node under an API server that answers at once.
struct World {
    lots: Vec<Lot>,
    options: Options,
    want: Want,
    now: Timestamp,
    refused: BTreeSet<String>,
    /// Told to end, by uid, and when.
    told: BTreeMap<String, Timestamp>,
    /// First asked for, by uid.
    asked: BTreeMap<String, Timestamp>,
    /// Deleted past a budget, by uid.
    forced: BTreeMap<String, Timestamp>,
    retry_at: BTreeMap<String, Timestamp>,
}

impl World {
    fn new(lots: Vec<Lot>, options: Options, want: Want) -> Self {
        let told = lots.iter().filter(|lot| lot.pod.deletion.is_some());
        Self {
            told: told.map(|lot| (lot.pod.uid.clone(), at(0))).collect(),
            lots,
            options,
            want,
            now: at(0),
            refused: BTreeSet::new(),
            asked: BTreeMap::new(),
            forced: BTreeMap::new(),
            retry_at: BTreeMap::new(),
        }
    }

    /// Takes away what has ended by now.
    fn end(&mut self) {
        let (now, told) = (self.now, &self.told);
        self.lots
            .retain(|lot| ends(lot, told).is_none_or(|end| end > now));
    }

    /// Does all that is to be done now, as the engine does: a look, the requests, another look. Says when to look again.
    fn work(&mut self) -> Result<Option<Timestamp>, TestCaseError> {
        loop {
            let pods: Vec<Pod> = self.lots.iter().map(|lot| lot.pod.clone()).collect();
            let assessment = assess(
                &pods,
                &self.options,
                &[self.want],
                |pod| self.refused.contains(&pod.uid),
                self.now,
            );
            let mut asked = false;
            for (i, assessed) in assessment.pods.iter().enumerate() {
                asked |= self.ask(i, assessed)?;
            }
            if !asked {
                let due = assessment.due.into_iter();
                let retries = self.retry_at.values().copied().filter(|at| *at > self.now);
                return Ok(due.chain(retries).min());
            }
        }
    }

    /// Makes the request a step means, if it is due, and checks that it may be made.
    fn ask(&mut self, i: usize, assessed: &Assessed<'_>) -> Result<bool, TestCaseError> {
        if !assessed.step.is_effect() {
            return Ok(false);
        }
        let (lot, now) = (&mut self.lots[i], self.now);
        let pod = assessed.pod;
        let opted_out = pod.annotations.contains_key(OPT_OUT);
        let untouchable = pod.mirror || opted_out || (pod.finished && pod.deletion.is_none());
        prop_assert!(!untouchable, "{assessed:?}");
        prop_assert!(tier(&self.options, pod).is_some(), "{assessed:?}");
        self.asked.entry(pod.uid.clone()).or_insert(now);
        let mut delete = |grace: u32| {
            let grace_seconds = lot
                .pod
                .deletion
                .map_or(grace, |deletion| deletion.grace_seconds.min(grace));
            let ends_at = now + secs(i64::from(grace));
            let ends_at = lot
                .pod
                .deletion
                .map_or(ends_at, |deletion| deletion.ends_at.min(ends_at));
            lot.pod.deletion = Some(Deletion {
                ends_at,
                grace_seconds,
            });
            self.told.entry(pod.uid.clone()).or_insert(now);
        };
        match assessed.step {
            Step::Evict { .. } if self.retry_at.get(&pod.uid).is_some_and(|at| *at > now) => {
                return Ok(false);
            }
            Step::Evict { .. } if lot.blocked => {
                self.refused.insert(pod.uid.clone());
                self.retry_at.insert(pod.uid.clone(), now + RETRY);
            }
            Step::Evict { grace } => delete(grace.unwrap_or(pod.grace_seconds)),
            Step::Delete { grace } => {
                self.forced.insert(pod.uid.clone(), now);
                delete(grace);
            }
            Step::Shorten { grace } => {
                prop_assert!(grace < pod.deletion.unwrap().grace_seconds, "{assessed:?}");
                delete(grace);
            }
            Step::Skip(_) | Step::Ended | Step::Await | Step::Gate | Step::Reserve | Step::Late => {}
        }
        Ok(true)
    }
}

/// When a pod that was told to end has ended.
fn ends(lot: &Lot, told: &BTreeMap<String, Timestamp>) -> Option<Timestamp> {
    let by_itself = *told.get(&lot.pod.uid)? + secs(lot.exits_after);
    Some(lot.pod.deletion?.ends_at.min(by_itself))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Looked at only when an alarm rings, a pod ends, or a refusal is old: with force, each pod that goes is asked for
    /// and deleted in time to have its grace, whatever budgets and earlier tiers do.
    #[test]
    fn nobody_is_starved_past_the_last_moment(
        lots in any_lots(0), options in any_options(), deadline in 5_i64..300, cap in proptest::option::of(1_u32..60),
    ) {
        let want = Want {
            wish: Wish { deadline: Some(at(deadline)), force: Force::Always },
            terms: Terms { grace_cap_seconds: cap, ..Terms::default() },
        };
        let all = lots.clone();
        let mut world = World::new(lots, options.clone(), want);
        for step in 0.. {
            prop_assert!(step < MOST_STEPS, "it never ends");
            world.end();
            let due = world.work()?;
            let (told, now) = (&world.told, world.now);
            let next_end = world.lots.iter().filter_map(|lot| ends(lot, told)).filter(|end| *end > now).min();
            match due.into_iter().chain(next_end).min() {
                Some(next) if next <= at(deadline) => world.now = next,
                _ => break,
            }
        }
        for lot in &all {
            let pod = &lot.pod;
            if tier(&options, pod).is_none() {
                prop_assert!(!world.asked.contains_key(&pod.uid), "{pod:?}");
                continue;
            }
            let end = world.lots.iter().find(|other| other.pod.uid == pod.uid).and_then(|other| other.pod.deletion);
            // In time, unless nothing runs in it any more.
            prop_assert!(pod.containers_ended || end.is_none_or(|end| end.ends_at <= at(deadline + 1)), "{pod:?} ends {end:?}");
            if pod.deletion.is_some() {
                continue;
            }
            let grace = i64::from(pod.grace_seconds.min(cap.unwrap_or(u32::MAX)));
            let last = at((deadline - grace).max(0));
            let asked = world.asked.get(&pod.uid);
            prop_assert!(asked.is_some_and(|asked| *asked <= last), "{pod:?} was asked {asked:?}");
            if pod.annotations.contains_key(RESERVE) {
                prop_assert_eq!(asked.copied(), Some(last), "{:?}", pod);
            }
            // Behind a budget: at the last moment and not before.
            let forced = world.forced.get(&pod.uid);
            prop_assert_eq!(forced.copied(), lot.blocked.then_some(last), "{:?}", pod);
        }
    }

    /// Without force nothing is deleted or shortened, however long it takes; and only pods of the same node gate.
    #[test]
    fn nobody_waits_for_another_node(
        mine in any_lots(0), others in any_lots(1), options in any_options(), now in 0_i64..300,
        deadline in proptest::option::of(0_i64..300),
    ) {
        let want = Want::from(Wish { deadline: deadline.map(at), force: Force::Never });
        let pods = |lots: &[Lot]| lots.iter().map(|lot| lot.pod.clone()).collect::<Vec<_>>();
        let (mine, others) = (pods(&mine), pods(&others));
        let alone = assess(&mine, &options, &[want], |_| true, at(now));
        for assessed in &alone.pods {
            prop_assert!(!matches!(assessed.step, Step::Delete { .. } | Step::Shorten { .. }), "{assessed:?}");
        }
        // The first tier of a node is never gated, whatever is on the others.
        let first = alone.pods.iter().filter(|assessed| !assessed.step.is_settled()).filter_map(|assessed| assessed.tier).min();
        for assessed in alone.pods.iter().filter(|assessed| assessed.tier.is_some() && assessed.tier == first) {
            prop_assert!(assessed.step != Step::Gate, "{assessed:?}");
        }
        // In the queue, too, a pod of another node as urgent as this one is before all of them or behind all of them.
        let places = |pods: &[Pod]| pods.iter().map(|pod| place(pod, at(100), &options)).collect::<Vec<_>>();
        let mut queue: Vec<Place> = places(&mine).into_iter().chain(places(&others)).collect();
        queue.sort();
        let nodes: Vec<_> = queue.iter().map(Place::node).collect();
        prop_assert!(nodes.windows(2).filter(|pair| pair[0] != pair[1]).count() <= 1, "{queue:?}");
    }

    /// The queue: the most urgent first; of those as urgent one node after another; of a node tier by tier.
    #[test]
    fn the_queue_is_by_urgency_node_and_tier(
        lots in proptest::collection::vec((0_u8..4).prop_flat_map(any_pod), 0..24), options in any_options(),
        deadlines in proptest::collection::vec(proptest::option::of(0_i64..60), 4),
    ) {
        // By uid: bucket, node, tier.
        let mut keys = BTreeMap::new();
        let mut queue = Vec::new();
        for (pod, tier) in lots.iter().filter_map(|pod| Some((pod, tier(&options, pod)?))) {
            let deadline = deadlines[pod.node.parse::<usize>().unwrap()];
            let wish = Wish { deadline: deadline.map(at), force: Force::Never };
            let latest = wish.latest_start(pod.grace_seconds);
            let bucket = latest.map_or(i64::MAX, |latest| latest.as_second().div_euclid(BUCKET_SECONDS));
            keys.insert(pod.uid.clone(), (bucket, pod.node.clone(), tier));
            queue.push(Place::new(latest, Arc::from(pod.node.as_str()), tier, Arc::from(pod.uid.as_str())));
        }
        queue.sort();
        let order: Vec<_> = queue.iter().map(|place| &keys[place.uid().as_ref()]).collect();
        prop_assert!(order.is_sorted(), "{order:?}");
        // So that of two pods of a node the more urgent one, and of those as urgent the one of the earlier tier, is first;
        // and a node that is begun is finished before the next one as urgent.
        let runs = order.chunk_by(|a, b| (a.0, &a.1) == (b.0, &b.1)).count();
        let pairs: BTreeSet<_> = order.iter().map(|key| (key.0, &key.1)).collect();
        prop_assert_eq!(runs, pairs.len());
    }
}

/// The tier of a pod that goes, sooner or later.
fn tier(options: &Options, pod: &Pod) -> Option<Tier> {
    match options.judge(pod) {
        Verdict::Goes(tier) | Verdict::Reserved(tier, ..) => Some(tier),
        Verdict::Stays(_) => None,
    }
}

fn place(pod: &Pod, latest: Timestamp, options: &Options) -> Place {
    let tier = tier(options, pod).unwrap_or(Tier::Ordinary);
    Place::new(
        Some(latest),
        Arc::from(pod.node.as_str()),
        tier,
        Arc::from(pod.uid.as_str()),
    )
}
