//! The whole saga against a small model of AWS: whatever happens in whatever order, it ends, nothing of ours is left
//! over, and sizes are as before unless somebody else changed them.
//!
//! Every mishap at every moment of a play, and every two of them, of one swap, of two, and of two whose steps are joined; other orders
//! and more of them by chance. Two processes with one action, and the lease, are in [`replicas`]. Swaps are of strategy `swap`,
//! one action each, with nothing to drain. After a refusal for good only what is told is held, not the sizes.

use std::collections::{BTreeMap, BTreeSet};

use hollowtrees_schemas::{names::result, proto};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

mod interference;
mod replicas;

use super::super::{
    Answer, Checkpoint, Choice, Drain, End, Next, Node, Orders, Seen, Strategy as Way, TAG_ACTION,
    TAG_CHOICE, TAG_MANAGED, balance, book,
    checkpoint::Plan,
    choice::Claim,
    decide, fresh,
    health::Health,
    joint::{Joint, Wish, Write, join},
    leftover, note, orphan,
    world::{Group, Instance, Launch, Life, Member, Sizes, Source, Standing, Subnet, Tag, TemplateRef},
};
use crate::words::Certainty;

/// What may happen to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is done, and its answer comes.
    Done,
    /// The process dies before it.
    DiesBefore,
    /// The process dies, or the answer is lost, after it.
    DiesAfter,
    /// It is not answered, and an attachment takes effect this many ticks later, another change of members or the end of an
    /// instance at the next; other steps are done.
    Late(u8),
    /// A launch is not answered, and takes effect this many ticks later, unless its token has been used by then; other steps are
    /// done.
    LaunchLate(u8),
    /// A launch is done, and what it launched shows only after this many looks; its answer comes, or does not. Other steps are
    /// done.
    Hidden(u8, bool),
    /// The pool has none; other steps are done.
    NotThere,
    /// It is refused for good.
    Refused,
    /// Its process stands still in it.
    Stalls(replicas::Stall),
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Step(usize, Fate),
    /// A step that reads the group as it was before our latest change of it, if that was not long ago.
    Lagging(usize, Fate),
    /// All of one process at once, as one call under one lease; also with what was read before.
    Round(Fate, bool),
    OldLeaves(usize),
    NewDies(usize),
    NewDoomed(usize),
    NewNode(usize, Node),
    Cancel(usize),
    GiveUp(usize),
    Tick,
    /// For so many looks of each swap, EC2 shows instances as they are now.
    InstancesLag(u8),
    Foreign(Foreign),
}

/// What somebody else does to the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Foreign {
    MaxUp,
    /// As low as it can go without a change of desired, if that is not just what we wrote: the two cannot be told apart.
    MaxDown,
    /// As high as it can go.
    MinUp,
    MinDown,
    /// By more than all of ours together, down and up again too: what is changed to just what we expected cannot be told apart.
    DesiredUp,
    DesiredDown,
    Suspends,
    Resumes,
    /// It launches from something else.
    Source,
    /// With its members.
    Deletes,
}

/// All but the last.
const FOREIGN: [Foreign; 9] = [
    Foreign::MaxUp,
    Foreign::MaxDown,
    Foreign::MinUp,
    Foreign::MinDown,
    Foreign::DesiredUp,
    Foreign::DesiredDown,
    Foreign::Suspends,
    Foreign::Resumes,
    Foreign::Source,
];

/// Those that leave a size as we never do.
const OF_SIZES: [Foreign; 3] = [Foreign::MaxUp, Foreign::DesiredUp, Foreign::DesiredDown];

fn happening(edits: &[Foreign], refusals: bool) -> impl Strategy<Value = Happening> {
    let fates = if refusals {
        vec![
            Fate::Done,
            Fate::Done,
            Fate::DiesBefore,
            Fate::DiesAfter,
            Fate::Late(1),
            Fate::Late(3),
            Fate::LaunchLate(2),
            Fate::Hidden(3, false),
            Fate::Hidden(3, true),
            Fate::NotThere,
            Fate::Refused,
        ]
    } else {
        vec![
            Fate::Done,
            Fate::Done,
            Fate::DiesBefore,
            Fate::DiesAfter,
            Fate::Late(1),
            Fate::Late(3),
            Fate::LaunchLate(2),
            Fate::Hidden(3, false),
            Fate::Hidden(3, true),
            Fate::NotThere,
        ]
    };
    let rare = u32::from(!edits.is_empty());
    // One is needed, though it never comes.
    let edits = if edits.is_empty() { &FOREIGN } else { edits }.to_vec();
    let nodes = [
        Node::NotAsked,
        Node::Unseen,
        Node::NotThere,
        Node::NotReady,
        Node::Ready,
    ];
    prop_oneof![
        24 => (0usize..3, prop::sample::select(fates.clone()))
            .prop_map(|(saga, fate)| Happening::Step(saga, fate)),
        12 => (0usize..3, prop::sample::select(fates.clone()))
            .prop_map(|(saga, fate)| Happening::Lagging(saga, fate)),
        12 => (prop::sample::select(fates), prop::bool::weighted(0.3))
            .prop_map(|(fate, lagging)| Happening::Round(fate, lagging)),
        12 => Just(Happening::Tick),
        2 => (0usize..3).prop_map(Happening::OldLeaves),
        6 => prop_oneof![
            1 => (0usize..3).prop_map(Happening::NewDies),
            1 => (0usize..3).prop_map(Happening::NewDoomed),
            4 => (0usize..3, prop::sample::select(nodes.to_vec()))
                .prop_map(|(saga, node)| Happening::NewNode(saga, node)),
        ],
        2 => (0usize..3).prop_map(Happening::Cancel),
        1 => (0usize..3).prop_map(Happening::GiveUp),
        2 => (1u8..6).prop_map(Happening::InstancesLag),
        3 * rare => prop::sample::select(edits).prop_map(Happening::Foreign),
    ]
}

struct Saga {
    action: String,
    old: String,
    certain: bool,
    saved: Checkpoint,
    /// In the memory of the living process.
    live: Checkpoint,
    cancelled: bool,
    give_up: bool,
    doomed: bool,
    node: Node,
    /// An attachment of it took effect late, or will.
    late: bool,
    end: Option<End>,
    /// Of what changed desired, the last this saga knows of.
    attached_at: u64,
    /// The old one is protected from scale-in.
    protected: bool,
    /// Looks for which it sees instances as they were.
    behind: u8,
    /// What was attached for it, each once.
    joined: BTreeSet<String>,
    /// Units of desired that were lowered for it.
    lowered: usize,
    /// The old one was detached by us.
    taken_out: bool,
    /// By its latest look what was changed of MaxSize, or AZRebalance, could not be put back; others have not changed it.
    leaves_knowingly: bool,
    /// What its latest look showed may be older than our latest change.
    stale: bool,
    /// Which process has its action.
    process: u32,
}

struct World {
    group: Group,
    /// Units of capacity that each instance counts for.
    weight: u32,
    /// Before anything.
    base: Sizes,
    instances: BTreeMap<String, Instance>,
    by_token: BTreeMap<String, (Launch, String)>,
    record: proto::Group,
    sagas: Vec<Saga>,
    now: i64,
    made: u32,
    /// Counts changes of desired; and which of them was the last by somebody else.
    changes: u64,
    foreign_desired_at: u64,
    /// MaxSize and desired as somebody else left them.
    foreign_max: Option<u32>,
    foreign_desired: Option<u32>,
    foreign_min: bool,
    /// Sizes were changed by somebody else while a write of ours was under way.
    overtaken: bool,
    resumed_by_others: bool,
    deleted: bool,
    last_max_of_ours: u32,
    killed: BTreeSet<String>,
    refused: bool,
    /// Somebody else has suspended AZRebalance, from the beginning.
    suspended_by_others: bool,
    /// The group protects all that joins it from scale-in.
    protects_new: bool,
    /// What we protected latest, and until when it may be read as if we had not. An older read that shows in no size is told by
    /// nothing, so that this hides none of what the group did by itself, as it may without us.
    just_protected: (i64, Vec<String>),
    /// The group before our latest change of it, and until when it may be read.
    earlier: Option<(i64, Group)>,
    /// Writes under way, and ticks that are left.
    late: Vec<(u8, Joint)>,
    /// Instances that are ended at the next tick.
    late_ends: Vec<String>,
    /// What is written now was decided some ticks ago.
    is_late_write: bool,
    /// The group as who writes now has read it.
    looked_at: Vec<Member>,
    /// Launches under way, and ticks that are left.
    late_launches: Vec<(u8, Launch)>,
    /// What was launched and does not show yet, and for how many looks.
    hidden: BTreeMap<String, u8>,
    /// Instances as EC2 showed them.
    frozen: BTreeMap<String, Instance>,
    /// What was launched, or showed, only after its swap had ended.
    too_late: BTreeSet<String>,
    /// Calls that were made.
    calls: usize,
    /// Processes that stand still.
    stalled: Vec<replicas::Stalled>,
    /// Who changes the group holds its lease. Otherwise nobody waits for it, which is more than can happen.
    leases: bool,
    /// A process stood still, or died, between the record of a group and the ledger: what is left then a sweep takes back.
    half_written: bool,
    /// Processes that were ever there.
    processes: u32,
}

/// What a call can change, in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shape {
    made: u32,
    gone: usize,
    members: usize,
    protected: usize,
    sizes: Sizes,
    suspended: bool,
}

const BASE: Sizes = Sizes {
    min: 1,
    desired: 5,
    max: 5,
};

/// Longer than a few ticks.
const NODE_WITHIN: SignedDuration = SignedDuration::from_secs(20);

/// Seconds that what is read may be behind, less than is waited for it.
const LAG: i64 = 5;

impl World {
    fn new(sagas: usize, certain: bool, room: u32) -> Self {
        let ids: Vec<String> = (0..BASE.desired)
            .map(|number| format!("i-old-{number}"))
            .collect();
        let zone_of = |id: &String| {
            let odd = id.ends_with(['1', '3']);
            if odd { "b" } else { "a" }.to_owned()
        };
        let instance = |id: &String| Instance {
            id: id.clone(),
            life: Life::Running,
            instance_type: "m5.large".to_owned(),
            subnet: "s-a".to_owned(),
            zone: zone_of(id),
            spot: true,
            tags: BTreeMap::new(),
        };
        let managed = Tag {
            key: TAG_MANAGED.to_owned(),
            value: "true".to_owned(),
            propagate: false,
        };
        Self {
            weight: 1,
            base: Sizes {
                max: BASE.max + room,
                ..BASE
            },
            group: Group {
                name: "g".to_owned(),
                sizes: Sizes {
                    max: BASE.max + room,
                    ..BASE
                },
                members: ids
                    .iter()
                    .map(|id| Member {
                        instance: id.clone(),
                        standing: Standing::InService,
                        weight: 1,
                        zone: zone_of(id),
                        protected: false,
                    })
                    .collect(),
                // As even as it goes, and every replacement comes into the fuller one.
                subnets: ["a", "b"]
                    .map(|zone| Subnet {
                        id: format!("s-{zone}"),
                        zone: zone.to_owned(),
                    })
                    .to_vec(),
                source: Source::Template(TemplateRef {
                    id: "lt".to_owned(),
                    version: "1".to_owned(),
                }),
                capacity_rebalance: false,
                placement: Default::default(),
                maintenance: None,
                suspended: Vec::new(),
                target_groups: Vec::new(),
                classic_balancers: Vec::new(),
                tags: vec![managed],
            },
            instances: ids.iter().map(|id| (id.clone(), instance(id))).collect(),
            by_token: BTreeMap::new(),
            record: proto::Group::default(),
            sagas: (0..sagas)
                .map(|number| Saga {
                    action: format!("action-{number}"),
                    old: ids[number].clone(),
                    certain,
                    saved: Checkpoint::default(),
                    live: Checkpoint::default(),
                    cancelled: false,
                    give_up: false,
                    doomed: false,
                    node: Node::NotAsked,
                    late: false,
                    end: None,
                    attached_at: 0,
                    protected: false,
                    behind: 0,
                    joined: BTreeSet::new(),
                    lowered: 0,
                    taken_out: false,
                    leaves_knowingly: false,
                    stale: false,
                    process: u32::try_from(number).unwrap(),
                })
                .collect(),
            now: 1_000,
            made: 0,
            changes: 0,
            foreign_desired_at: 0,
            foreign_max: None,
            foreign_desired: None,
            foreign_min: false,
            overtaken: false,
            resumed_by_others: false,
            deleted: false,
            last_max_of_ours: 0,
            killed: BTreeSet::new(),
            refused: false,
            suspended_by_others: false,
            protects_new: false,
            just_protected: (0, Vec::new()),
            earlier: None,
            late: Vec::new(),
            late_ends: Vec::new(),
            is_late_write: false,
            looked_at: Vec::new(),
            late_launches: Vec::new(),
            hidden: BTreeMap::new(),
            frozen: BTreeMap::new(),
            too_late: BTreeSet::new(),
            calls: 0,
            stalled: Vec::new(),
            leases: false,
            half_written: false,
            processes: u32::try_from(sagas).unwrap(),
        }
        .protecting([true, false, true])
    }

    /// With these of the old ones protected from scale-in.
    fn protecting(mut self, which: [bool; 3]) -> Self {
        for ((saga, member), protected) in self.sagas.iter_mut().zip(&mut self.group.members).zip(which) {
            saga.protected = protected;
            member.protected = protected;
        }
        self
    }

    /// Where each instance counts for so much; what room there is stays as it was.
    fn weighing(mut self, weight: u32) -> Self {
        let more = |size: u32| size + BASE.desired * (weight - 1);
        let base = self.base;
        self.base = Sizes {
            min: base.min * weight,
            desired: more(base.desired),
            max: more(base.max),
        };
        self.group.sizes = self.base;
        self.group
            .members
            .iter_mut()
            .for_each(|member| member.weight = weight);
        self.weight = weight;
        self
    }

    /// So many instances.
    fn units(&self, instances: usize) -> u32 {
        u32::try_from(instances).unwrap() * self.weight
    }

    fn make(&mut self, life: Life, tags: BTreeMap<String, String>) -> String {
        self.made += 1;
        let id = format!("i-new-{}", self.made);
        let instance = Instance {
            id: id.clone(),
            life,
            zone: if tags.contains_key(TAG_ACTION) { "a" } else { "b" }.to_owned(),
            tags,
            ..self.instances["i-old-0"].clone()
        };
        self.instances.insert(id.clone(), instance);
        id
    }

    /// What time and the group do by themselves.
    fn tick(&mut self) {
        self.now += 5;
        for (left, joint) in std::mem::take(&mut self.late) {
            match left {
                1 => {
                    self.is_late_write = true;
                    self.write(&joint);
                    self.is_late_write = false;
                    self.earlier = None;
                }
                _ => self.late.push((left - 1, joint)),
            }
        }
        for (left, launch) in std::mem::take(&mut self.late_launches) {
            match left {
                1 => drop(self.launch(&launch)),
                _ => self.late_launches.push((left - 1, launch)),
            }
        }
        self.wake();
        for id in std::mem::take(&mut self.late_ends) {
            self.instances.get_mut(&id).unwrap().life = Life::Gone;
            self.killed.insert(id);
        }
        for instance in self
            .instances
            .values_mut()
            .filter(|found| found.life == Life::Pending)
        {
            instance.life = Life::Running;
        }
        if self.deleted {
            return;
        }
        let instances = &self.instances;
        self.group
            .members
            .retain(|member| member.standing != Standing::Leaving);
        for member in &mut self.group.members {
            member.standing = match (instances[&member.instance].life, member.standing) {
                (Life::Gone, _) => Standing::Leaving,
                (_, Standing::Joining) => Standing::InService,
                (_, standing) => standing,
            };
        }
        let stay = |member: &Member| member.standing != Standing::Leaving;
        let each = self.weight as usize;
        let count = self.units(self.group.members.iter().filter(|member| stay(member)).count());
        let desired = self.group.sizes.desired;
        for _ in (count..desired).step_by(each) {
            let id = self.make(Life::Running, BTreeMap::new());
            self.group.members.push(Member {
                instance: id,
                standing: Standing::Joining,
                weight: self.weight,
                zone: "b".to_owned(),
                protected: self.protects_new,
            });
        }
        for _ in (desired..count).step_by(each) {
            // Its own choice: the one that is longest in it, of those that are not protected. What joined late and went in the same
            // moment, nobody knows of.
            let late: Vec<_> = self.sagas.iter().filter(|saga| saga.late).collect();
            let is_late = |id: &str| late.iter().any(|saga| saga.live.launched.as_deref() == Some(id));
            let may_end =
                |member: &&mut Member| stay(member) && !member.protected && !is_late(&member.instance);
            if let Some(member) = self.group.members.iter_mut().find(may_end) {
                member.standing = Standing::Leaving;
                let id = member.instance.clone();
                self.killed.insert(id.clone());
                self.instances.get_mut(&id).unwrap().life = Life::Gone;
            }
        }
    }

    fn member(&mut self, id: &str) -> Option<&mut Member> {
        self.group.members.iter_mut().find(|member| member.instance == id)
    }

    fn seen(&self, at: usize, lagging: bool) -> Seen {
        let saga = &self.sagas[at];
        let earlier = self
            .earlier
            .as_ref()
            .filter(|(until, _)| lagging && self.now <= *until);
        let mut group = earlier.map_or(&self.group, |(_, group)| group).clone();
        let (until, protected) = &self.just_protected;
        for member in &mut group.members {
            let hidden = lagging && self.now <= *until && protected.contains(&member.instance);
            member.protected &= !hidden;
        }
        let group = &group;
        let books = fresh::read(
            &self.record,
            &saga.action,
            group,
            Timestamp::from_second(self.now).unwrap(),
        );
        let instances = if saga.behind > 0 {
            &self.frozen
        } else {
            &self.instances
        };
        let tagged = instances.values().filter(|found| {
            found.tags.get(TAG_ACTION) == Some(&saga.action) && !self.hidden.contains_key(&found.id)
        });
        Seen {
            old_id: saga.old.clone(),
            old: instances.get(&saga.old).cloned(),
            group: Some(group.clone()),
            warm: false,
            at_risk: Vec::new(),
            added: 0,
            ours: tagged.cloned().collect(),
            doomed: saga.doomed,
            node: saga.node,
            // Now and then.
            health: if self.now % 3 == 0 {
                Health::Healthy
            } else {
                Health::Waiting
            },
            replaced_by: None,
            other_swap: false,
            drain: Drain::None,
            attached: book::attached(&self.record, &saga.action, group),
            spare: book::spare(&self.record, group, books.surplus),
            books,
        }
    }

    /// A group that was deleted is not there, nor looked for in its record.
    fn look(&mut self, at: usize, lagging: bool) -> Seen {
        let mut seen = self.seen(at, lagging);
        if self.deleted {
            seen = Seen {
                group: None,
                books: Default::default(),
                attached: None,
                spare: None,
                ..seen
            };
        }
        self.sagas[at].behind = self.sagas[at].behind.saturating_sub(1);
        let action = &self.sagas[at].action;
        let instances = &self.instances;
        self.hidden.retain(|id, looks| {
            *looks -= u8::from(instances[id].tags.get(TAG_ACTION) == Some(action));
            *looks > 0
        });
        seen
    }

    /// Looks, decides, saves; none once it has ended.
    fn decide(&mut self, at: usize, lagging: bool) -> Option<(Next, Group)> {
        if self.sagas[at].end.is_some() || self.stands_still(at) {
            return None;
        }
        let seen = self.look(at, lagging);
        Some(self.decide_by(at, seen))
    }

    /// Decides by a look, and saves.
    fn decide_by(&mut self, at: usize, seen: Seen) -> (Next, Group) {
        let now = Timestamp::from_second(self.now).unwrap();
        let saga = &self.sagas[at];
        let (action, old) = (saga.action.clone(), saga.old.clone());
        let certainty = if saga.certain {
            Certainty::Certain
        } else {
            Certainty::Advisory
        };
        let orders = Orders {
            strategy: Way::Swap,
            managed: false,
            certainty,
            cancelled: saga.cancelled,
            give_up: saga.give_up,
            watch: Default::default(),
            drain_over: false,
            running_within: SignedDuration::from_secs(60),
            node_within: NODE_WITHIN,
            node_over: saga.give_up,
            healthy_within: SignedDuration::from_secs(60),
            in_service_within: SignedDuration::from_secs(120),
        };
        let claim = Claim {
            action: &action,
            redrive: 0,
            old: &old,
        };
        let decision = decide(&saga.live, &seen, &orders, claim, now);
        if decision.checkpoint.undo.is_some() && saga.live.undo.is_none() && !self.deleted {
            assert!(!saga.live.detached, "what is detached is not undone");
        }
        let (node, gave_up) = (seen.node, saga.give_up);
        let was_awaited = saga.live.launched.is_some() && !saga.live.attached && node != Node::NotAsked;
        self.keep(at, decision.checkpoint);
        let step = decision.next;
        if matches!(step, Next::Attach { .. }) && was_awaited {
            let waited = self.sagas[at]
                .live
                .node
                .expect("it is noted what came of the wait");
            let in_vain = matches!(waited.found, Node::NotThere | Node::NotReady);
            let old_left = self.instances[&old].life == Life::Gone;
            let is_over = waited.seconds >= NODE_WITHIN.as_secs() || gave_up || old_left;
            assert!(
                !in_vain || is_over || waited.found != node,
                "{waited:?}, {node:?} now"
            );
        }
        let leaves = seen.books.written_max != 0 || seen.books.rebalance_suspended;
        self.sagas[at].stale = seen.books.stale;
        self.sagas[at].leaves_knowingly = leaves && !seen.books.others_under_way;
        if let Next::Finish(_) = step {
            let shows = |id: &str| seen.ours.iter().any(|found| found.id == id);
            let hidden = |id: &&String| self.is_ours(at, id) && !shows(id);
            let hidden: Vec<_> = self.instances.keys().filter(hidden).cloned().collect();
            self.too_late.extend(hidden);
        }
        assert!(
            seen.group.is_some() || !step.needs_lease(),
            "nothing is asked of a group that is gone: {step:?}"
        );
        let group = seen.group.unwrap_or_else(|| self.group.clone());
        (step, group)
    }

    /// One step, which makes one call at most.
    fn step(&mut self, at: usize, fate: Fate, lagging: bool) {
        let (calls, before) = (self.calls, self.shape());
        self.take_step(at, fate, lagging);
        assert!(self.calls <= calls + 1, "one call a step");
        self.check_effect(before, 1);
    }

    fn take_step(&mut self, at: usize, fate: Fate, lagging: bool) {
        if let Fate::Stalls(stall) = fate
            && stall.moment == replicas::Moment::Looked
        {
            return self.stall_at_a_look(at, stall, lagging);
        }
        if let Some((step, group)) = self.decide(at, lagging) {
            if !(self.leases && step.needs_lease()) {
                return self.do_step(at, step, fate, &group);
            }
            // What it does it decides by a look under the lease.
            if self.take_lease(at) {
                match self.decide(at, lagging) {
                    Some((step, group)) if step.needs_lease() => {
                        self.under_lease(&[(at, step)], fate, &group);
                    }
                    _ => self.release(at),
                }
            }
        }
    }

    fn do_step(&mut self, at: usize, step: Next, fate: Fate, group: &Group) {
        if step.needs_lease() {
            return self.under_lease(&[(at, step)], fate, group);
        }
        let now = Timestamp::from_second(self.now).unwrap();
        if let Fate::Stalls(stall) = fate {
            return self.stall_alone(at, step, stall);
        }
        if fate == Fate::DiesBefore {
            match &step {
                // The record is written, and the ledger is not.
                Next::Begin => {
                    self.open_books(at);
                    self.half_written = true;
                }
                Next::Finish(end) => self.half_written |= self.close_books(at, end),
                _ => {}
            }
            return self.dies(at);
        }
        if fate == Fate::Refused && !matches!(step, Next::Begin | Next::Wait(_) | Next::Finish(_)) {
            self.refused = true;
            return self.answer(at, &step, refused(), now);
        }
        if fate == Fate::NotThere
            && let Next::Launch(launch) = &step
            // A pool that gave an instance for a token gives it again.
            && !self.by_token.contains_key(&launch.token)
        {
            return self.answer(at, &step, Answer::NotThere("none".to_owned()), now);
        }
        if let (Fate::LaunchLate(ticks), Next::Launch(launch)) = (fate, &step) {
            return self.late_launches.push((ticks, Launch::clone(launch)));
        }
        // What joined late and went in the same moment nobody knows of.
        if let (Fate::Late(_), Next::TerminateNew { instance }) = (fate, &step)
            && !self.sagas[at].late
        {
            // As by a process that was held up, while another has its action.
            assert!(self.is_ours(at, instance) && self.member(instance).is_none());
            return self.late_ends.push(instance.clone());
        }
        let answer = self.perform(at, &step);
        if let (Fate::Hidden(looks, answered), Some(Answer::Launched(id))) = (fate, &answer) {
            self.hidden.insert(id.clone(), looks);
            if !answered {
                return self.dies(at);
            }
        }
        if fate == Fate::DiesAfter {
            return self.dies(at);
        }
        if let Some(answer) = answer {
            self.answer(at, &step, answer, now);
        }
    }

    /// Every swap looks at the same group and decides; one call is made.
    fn round(&mut self, fate: Fate, lagging: bool) {
        if matches!(fate, Fate::Stalls(stall) if stall.moment == replicas::Moment::Looked) {
            return;
        }
        if !self.leases {
            let (steps, shown) = self.decide_all(lagging);
            if let Some(group) = shown {
                self.under_lease(&steps, fate, &group);
            }
            return;
        }
        self.gather();
        let (steps, _) = self.decide_all(lagging);
        let Some((holder, _)) = steps.first() else {
            return;
        };
        if self.take_lease(*holder) {
            match self.decide_all(lagging) {
                (steps, Some(group)) => {
                    // It is for whoever leads.
                    assert!(self.take_lease(steps[0].0));
                    self.under_lease(&steps, fate, &group);
                }
                (_, None) => self.release(*holder),
            }
        }
    }

    fn decide_all(&mut self, lagging: bool) -> (Vec<(usize, Next)>, Option<Group>) {
        let mut steps = Vec::new();
        let mut shown = None;
        for at in 0..self.sagas.len() {
            if let Some((step, group)) = self.decide(at, lagging)
                && step.needs_lease()
            {
                steps.push((at, step));
                shown = Some(group);
            }
        }
        (steps, shown)
    }

    fn under_lease(&mut self, steps: &[(usize, Next)], fate: Fate, group: &Group) {
        let holder = steps[0].0;
        if !self.take_lease(holder) {
            return;
        }
        self.write_under_lease(steps, fate, group);
        if !matches!(fate, Fate::DiesBefore | Fate::DiesAfter | Fate::Stalls(_)) {
            self.release(holder);
        }
    }

    fn write_under_lease(&mut self, steps: &[(usize, Next)], fate: Fate, group: &Group) {
        let now = Timestamp::from_second(self.now).unwrap();
        let wishes: Vec<Wish> = steps
            .iter()
            .map(|(at, step)| Wish {
                action: self.sagas[*at].action.clone(),
                old: self.sagas[*at].old.clone(),
                weight: self.sagas[*at].live.old.weight,
                step: step.clone(),
            })
            .collect();
        let joint = join(group.sizes, &wishes).expect("a step of the lease is a call");
        let by: Vec<_> = steps
            .iter()
            .filter(|(at, _)| joint.is_of(&self.sagas[*at].action))
            .cloned()
            .collect();
        if self.sagas[steps[0].0].stale {
            if joint.write.changes_sizes() {
                return;
            }
        } else {
            note::settle(&mut self.record, group, now);
            note::plan(&mut self.record, &wishes[0].action, &joint, group.sizes, now);
        }
        match fate {
            Fate::DiesBefore => return steps.iter().for_each(|(at, _)| self.dies(*at)),
            Fate::Stalls(stall) => return self.stall_in_a_call(steps, joint, stall, &group.members),
            Fate::Refused => {
                self.refused = true;
                note::was_refused(&mut self.record, &wishes[0].action, &joint.write);
                if joint.write == (Write::Rebalance { suspend: true }) {
                    note::unsuspended(&mut self.record);
                }
                for (at, step) in &by {
                    self.answer(*at, step, refused(), now);
                }
                return;
            }
            Fate::Late(ticks) if matches!(joint.write, Write::Attach { .. }) => {
                by.iter().for_each(|(at, _)| self.sagas[*at].late = true);
                return self.late.push((ticks, joint));
            }
            // Within what is waited for it: nothing tells a later one from none, and AWS takes no conditions.
            Fate::Late(_)
                if matches!(
                    joint.write,
                    Write::Detach { .. } | Write::TerminateMember { .. } | Write::Protect { .. }
                ) =>
            {
                return self.late.push((1, joint));
            }
            _ => {}
        }
        let done = self.call(&joint, &group.members);
        if fate == Fate::DiesAfter {
            return steps.iter().for_each(|(at, _)| self.dies(*at));
        }
        if done {
            note::done(&mut self.record, &wishes[0].action, &joint, now);
            for (at, step) in &by {
                self.answer(*at, step, Answer::Done, now);
            }
            return;
        }
        // Refused. What was asked for several is asked for each; one alone is asked again for some time.
        note::was_refused(&mut self.record, &wishes[0].action, &joint.write);
        if by.len() > 1 {
            for (at, _) in by {
                // By a look of its own.
                if let Some((step, group)) = self.decide(at, false).filter(|(step, _)| step.needs_lease()) {
                    self.under_lease(&[(at, step)], fate, &group);
                }
            }
        }
    }

    /// What comes after it has what the ledger keeps.
    fn dies(&mut self, at: usize) {
        let text = serde_json::to_string(&self.sagas[at].saved).unwrap();
        assert!(text.len() < 16 * 1024, "{} bytes", text.len());
        self.sagas[at].live = serde_json::from_str(&text).unwrap();
    }

    fn keep(&mut self, at: usize, checkpoint: Checkpoint) {
        let saga = &mut self.sagas[at];
        if checkpoint.has_begun() {
            saga.saved.clone_from(&checkpoint);
        }
        saga.live = checkpoint;
    }

    fn answer(&mut self, at: usize, step: &Next, answer: Answer, now: Timestamp) {
        let mut checkpoint = self.sagas[at].live.clone();
        checkpoint.after(step, answer, &self.sagas[at].old.clone(), now);
        self.keep(at, checkpoint);
    }

    /// AWS's side of a step. `None`: it is refused for now, or there is nothing to answer.
    fn perform(&mut self, at: usize, step: &Next) -> Option<Answer> {
        let old = self.sagas[at].old.clone();
        match step {
            Next::Begin => {
                self.open_books(at);
                let plan = Plan {
                    choices: vec![Choice::default(); 3],
                    weight: self.weight,
                    protected: self.member(&old).is_some_and(|member| member.protected),
                    ..Plan::default()
                };
                let begun = Checkpoint::begin("g", self.group.sizes, &self.instances[&old], plan);
                self.keep(at, begun);
                return None;
            }
            Next::Wait(_) => return None,
            Next::Finish(end) => {
                if self.close_books(at, end) {
                    self.sagas[at].end = Some(end.clone());
                }
                return None;
            }
            Next::Launch(launch) => {
                self.calls += 1;
                return Some(Answer::Launched(self.launch(launch)));
            }
            Next::TerminateOld => {
                self.calls += 1;
                assert!(!self.sagas[at].certain, "an interruption ends it anyway");
                assert!(self.member(&old).is_none(), "only out of its group");
                self.instances.get_mut(&old).unwrap().life = Life::Gone;
            }
            Next::TerminateNew { instance } => {
                self.calls += 1;
                let joined = self.member(instance).is_some();
                assert!(self.is_ours(at, instance) && (!joined || self.is_late_write));
                self.killed.insert(instance.clone());
                self.instances.get_mut(instance).unwrap().life = Life::Gone;
            }
            step => unreachable!("{step:?} is a call under the lease"),
        }
        Some(Answer::Done)
    }

    fn open_books(&mut self, at: usize) {
        let swap = proto::GroupSwap {
            action_id: self.sagas[at].action.clone(),
            instance: self.sagas[at].old.clone(),
            weight: self.weight,
            ..proto::GroupSwap::default()
        };
        book::open(&mut self.record, swap, Timestamp::from_second(self.now).unwrap()).unwrap();
    }

    /// `false`: others have made room in MaxSize since, or those that were to take it back have ended, and it is for this one.
    fn close_books(&mut self, at: usize, end: &End) -> bool {
        let now = Timestamp::from_second(self.now).unwrap();
        let saga = &self.sagas[at];
        if !saga.live.has_begun() {
            return true;
        }
        let is_last = book::is_last_to_put_back(&self.record, &saga.action, &self.group, now);
        if is_last && !saga.leaves_knowingly && !self.deleted {
            return false;
        }
        book::close(&mut self.record, &saga.action, end.result, now);
        true
    }

    /// A launch by its token, of which there is one instance.
    fn launch(&mut self, launch: &Launch) -> String {
        if let Some((first, id)) = self.by_token.get(&launch.token) {
            assert_eq!(first, launch, "the same token is the same call");
            return id.clone();
        }
        let of_a_choice = |found: &&Instance| {
            let same = |tag: &str| found.tags.get(tag) == launch.tags.get(tag);
            same(TAG_ACTION) && same(TAG_CHOICE)
        };
        let first = self.instances.values().find(of_a_choice);
        assert_eq!(first, None, "a choice is launched once");
        let id = self.make(Life::Pending, launch.tags.clone());
        let call = (launch.clone(), id.clone());
        self.by_token.insert(launch.token.clone(), call);
        let saga = self.saga_of(&launch.tags[TAG_ACTION]);
        if self.sagas[saga].end.is_some() || self.is_ending(saga) {
            self.too_late.insert(id.clone());
        }
        id
    }

    fn shape(&self) -> Shape {
        let members = self.group.members.iter();
        let stay = || {
            members
                .clone()
                .filter(|member| member.standing != Standing::Leaving)
        };
        let gone = |found: &&Instance| found.life == Life::Gone;
        Shape {
            made: self.made,
            gone: self.instances.values().filter(gone).count(),
            members: stay().count(),
            protected: stay().filter(|member| member.protected).count(),
            sizes: self.group.sizes,
            suspended: balance::is_suspended(&self.group),
        }
    }

    /// At most one thing was changed since then, for no more swaps than these.
    fn check_effect(&self, before: Shape, swaps: usize) {
        let after = self.shape();
        if before == after {
            return;
        }
        let launched = after.made - before.made;
        let members = after.members.abs_diff(before.members);
        let desired = after.sizes.desired.abs_diff(before.sizes.desired);
        let joins_or_leaves = members > 0 || desired > 0;
        // A member goes whole: with its protection, and, where the group ends it, with the instance.
        let ended = if members > 0 { 0 } else { after.gone - before.gone };
        let protected = if members > 0 {
            0
        } else {
            after.protected.abs_diff(before.protected)
        };
        let effects = [
            launched > 0,
            joins_or_leaves,
            ended > 0,
            protected > 0,
            after.sizes.max != before.sizes.max,
            after.suspended != before.suspended,
        ];
        let each_alone = launched <= 1 && ended <= 1;
        let one_a_swap = members <= swaps && desired <= self.units(swaps) && protected <= swaps;
        assert!(
            effects.into_iter().filter(|is| *is).count() == 1
                && each_alone
                && one_a_swap
                && after.sizes.min == before.sizes.min,
            "one effect: {before:?} {after:?}"
        );
    }

    fn saga_of(&self, action: &str) -> usize {
        self.sagas
            .iter()
            .position(|saga| saga.action == action)
            .expect("an action of these")
    }

    /// AWS's side of a call: whole or not at all.
    fn write(&mut self, joint: &Joint) -> bool {
        self.calls += 1;
        if self.deleted {
            return false;
        }
        let sizes = self.group.sizes;
        let shares: Vec<_> = joint
            .shares
            .iter()
            .map(|share| (self.saga_of(&share.action), share.instance.clone()))
            .collect();
        let (many, weight) = (self.units(shares.len()), self.weight);
        match &joint.write {
            Write::SetMax { to } if *to > sizes.max => {
                let open = self
                    .record
                    .swaps
                    .iter()
                    .filter(|swap| swap.result.is_empty())
                    .count();
                let shortfall = sizes.desired + self.units(open);
                assert!(
                    self.is_late_write || *to > sizes.desired && *to <= shortfall,
                    "by the shortfall only"
                );
                self.group.sizes.max = *to;
                self.last_max_of_ours = *to;
            }
            Write::SetMax { to } => {
                assert_eq!(
                    sizes.max, self.last_max_of_ours,
                    "undone only if it is what we wrote"
                );
                assert!(*to >= sizes.desired, "a MaxSize below desired lowers desired");
                self.group.sizes.max = *to;
                self.last_max_of_ours = *to;
            }
            Write::Attach { .. } => {
                let runs = |world: &Self, id: &str| world.instances[id].life == Life::Running;
                if let [(_, one)] = shares.as_slice()
                    && runs(self, one)
                    && self.member(one).is_some()
                {
                    return true;
                }
                let fit = sizes.desired + many <= sizes.max;
                if !fit
                    || !shares
                        .iter()
                        .all(|(_, id)| runs(self, id) && self.member(id).is_none())
                {
                    return false;
                }
                let before = self.difference();
                // Who was late decided by another group.
                let is_late = shares.iter().any(|(at, _)| self.sagas[*at].late);
                self.group.sizes.desired += many;
                self.changes += 1;
                for (at, instance) in shares {
                    let first = self.sagas[at].joined.insert(instance.clone());
                    assert!(first, "{instance} is attached once");
                    self.group.members.push(Member {
                        instance,
                        standing: Standing::Joining,
                        weight: self.weight,
                        zone: "a".to_owned(),
                        protected: self.protects_new,
                    });
                    self.sagas[at].attached_at = self.changes;
                }
                let after = self.difference();
                assert!(
                    after < 2
                        || after <= before
                        || is_late
                        || self.has_lost_one_since_the_look()
                        || self.refused
                        || self.resumed_by_others
                        || balance::is_suspended(&self.group),
                    "zones are evened out while both are members: {:#?}",
                    self.group
                );
            }
            Write::Protect { .. } => {
                assert!(!self.protects_new, "it is protected without");
                let serves = |world: &mut Self, id: &str| {
                    let found = world.member(id);
                    found.is_some_and(|found| {
                        matches!(found.standing, Standing::InService | Standing::Standby)
                    })
                };
                if !shares.iter().all(|(_, new)| serves(self, new)) {
                    return false;
                }
                for (at, new) in &shares {
                    assert!(self.sagas[*at].protected, "the old one is not");
                    assert!(self.is_ours(*at, new));
                    self.member(new).unwrap().protected = true;
                }
            }
            Write::Detach { decrement, .. } => {
                let serves = |world: &mut Self, id: &str| {
                    let found = world.member(id);
                    found.is_some_and(|found| found.standing == Standing::InService)
                };
                let all = shares.iter().all(|(_, old)| serves(self, old));
                if !all || *decrement && sizes.desired < sizes.min + many {
                    return false;
                }
                for (at, old) in &shares {
                    assert_eq!(self.sagas[*at].old, *old);
                    self.check_protection(*at);
                    self.sagas[*at].taken_out = true;
                    self.group.members.retain(|member| member.instance != *old);
                }
                self.lower(*decrement, &shares);
            }
            Write::SetDesired { to } => {
                // What joins late for a swap that has ended cannot be told from what another one is about to attach.
                let joined_late = self.sagas.iter().any(|saga| saga.late && saga.end.is_some());
                let by_nobody_else = self.foreign_desired_at == 0;
                for (at, _) in &shares {
                    assert!(
                        self.foreign_desired_at < self.sagas[*at].attached_at
                            || by_nobody_else && joined_late,
                        "undone only if nobody else changed it"
                    );
                }
                assert_eq!(*to + many, sizes.desired);
                if let [saga] = self.sagas.as_slice()
                    && !(saga.cancelled || saga.give_up || saga.live.lost || self.refused)
                    && self.foreign_desired_at == 0
                    && !self.is_late_write
                {
                    // Whichever the group ends of those that are too many.
                    let enough = self.serving() >= self.staying() || self.staying() <= *to;
                    assert!(
                        enough,
                        "one that serves may go for one that does not: {:#?}",
                        self.group
                    );
                }
                self.lower(true, &shares);
            }
            Write::Rebalance { suspend } => {
                self.group.suspended = if *suspend {
                    assert!(!self.suspended_by_others, "it was suspended already");
                    vec![balance::REBALANCE.to_owned()]
                } else {
                    assert!(!self.suspended_by_others, "it is not ours to resume");
                    Vec::new()
                };
            }
            Write::TerminateMember { instance, decrement } => {
                let is_launched = self.instances[instance].tags.contains_key(TAG_ACTION);
                if is_launched {
                    assert!(shares.iter().all(|(at, _)| self.is_ours(*at, instance)));
                } else {
                    // What the group launched itself, and has one too many with.
                    assert!(*decrement, "it would be launched again");
                    assert!(
                        self.staying() >= sizes.desired || self.is_late_write,
                        "it is needed"
                    );
                }
                match self.member(instance) {
                    Some(member) if member.standing != Standing::Leaving => {
                        if *decrement && sizes.desired < sizes.min + weight {
                            return false;
                        }
                        member.standing = Standing::Leaving;
                    }
                    _ => return false,
                }
                self.instances.get_mut(instance).unwrap().life = Life::Gone;
                self.lower(*decrement, &shares);
            }
        }
        true
    }

    /// The replacement, where there is one, is protected as the old one was, unless that was refused.
    fn check_protection(&self, at: usize) {
        let saga = &self.sagas[at];
        let new = saga.live.launched.as_deref().filter(|_| !saga.live.lost);
        let mut members = self.group.members.iter();
        // One that the group ends needs none.
        let is_new =
            |member: &&Member| Some(member.instance.as_str()) == new && member.standing != Standing::Leaving;
        let Some(new) = members.find(is_new) else {
            return;
        };
        let is_told = saga.live.protection.as_deref().is_some_and(|why| !why.is_empty());
        let in_time = !(saga.give_up || saga.cancelled);
        assert!(
            !saga.protected || new.protected || is_told && (self.refused || !in_time),
            "not protected: {new:?}, {:?}",
            saga.live
        );
        assert!(
            saga.protected || self.protects_new || !new.protected && saga.live.protection.is_none(),
            "protected as nothing was: {new:?}, {:?}",
            saga.live
        );
    }

    /// Of the zones.
    fn difference(&self) -> usize {
        let of = |zone: &str| {
            let stays = |member: &&Member| member.standing != Standing::Leaving && member.zone == zone;
            self.group.members.iter().filter(stays).count()
        };
        of("a").abs_diff(of("b"))
    }

    /// Whether the group has let go a member by itself, as it may at any moment.
    fn has_lost_one_since_the_look(&self) -> bool {
        let stays = |member: &&Member| member.standing != Standing::Leaving;
        let mut stayed = self.looked_at.iter().filter(stays);
        stayed.any(|was| {
            let mut stay = self.group.members.iter().filter(stays);
            stay.all(|member| member.instance != was.instance)
        })
    }

    fn serving(&self) -> u32 {
        let members = self.group.members.iter();
        let serve = members.filter(|member| member.standing == Standing::InService);
        self.units(serve.count())
    }

    fn staying(&self) -> u32 {
        let members = self.group.members.iter();
        let stay = members.filter(|member| member.standing != Standing::Leaving);
        self.units(stay.count())
    }

    /// Each gives back what it has added, once. Where AWS refused to end what was about to be attached, and that is attached after
    /// its swap has ended, another one may give it back, so that desired is as it was.
    fn lower(&mut self, decrement: bool, shares: &[(usize, String)]) {
        if !decrement {
            return;
        }
        self.group.sizes.desired -= self.units(shares.len());
        self.changes += 1;
        for (at, _) in shares {
            let saga = &mut self.sagas[*at];
            saga.lowered += 1;
            assert!(
                saga.lowered <= saga.joined.len() || self.refused,
                "{} gives back more than it added",
                saga.action
            );
        }
        let lowered: usize = self.sagas.iter().map(|saga| saga.lowered).sum();
        let added: usize = self.sagas.iter().map(|saga| saga.joined.len()).sum();
        assert!(lowered <= added, "more is given back than was added");
    }

    fn is_ours(&self, at: usize, instance: &str) -> bool {
        self.instances[instance].tags.get(TAG_ACTION) == Some(&self.sagas[at].action)
    }

    fn happen(&mut self, happening: Happening) {
        let known = |at: usize| at % self.sagas.len();
        match happening {
            Happening::Step(at, fate) => self.step(known(at), fate, false),
            Happening::Lagging(at, fate) => self.step(known(at), fate, true),
            Happening::Round(fate, lagging) => self.round(fate, lagging),
            Happening::Tick => self.tick(),
            Happening::OldLeaves(at) => {
                let old = self.sagas[known(at)].old.clone();
                self.instances.get_mut(&old).unwrap().life = Life::Gone;
                if let Some(member) = self.member(&old) {
                    member.standing = Standing::Leaving;
                }
            }
            Happening::NewDies(at) => {
                let at = known(at);
                // What joined after it was given up, and ended before anybody looked, nobody knows of.
                let new = self.sagas[at].live.launched.clone();
                if let Some(new) = new.filter(|_| !self.sagas[at].late) {
                    self.killed.insert(new.clone());
                    self.instances.get_mut(&new).unwrap().life = Life::Gone;
                }
            }
            Happening::NewDoomed(at) => {
                let at = known(at);
                self.sagas[at].doomed = self.sagas[at].live.launched.is_some() && !self.sagas[at].doomed;
            }
            Happening::NewNode(at, node) => {
                let at = known(at);
                self.sagas[at].node = node;
            }
            Happening::Cancel(at) => {
                let at = known(at);
                self.sagas[at].cancelled |= self.sagas[at].end.is_none() && !self.is_ending(at);
            }
            Happening::GiveUp(at) => {
                let at = known(at);
                self.sagas[at].give_up = true;
            }
            Happening::InstancesLag(looks) => {
                self.frozen.clone_from(&self.instances);
                self.sagas.iter_mut().for_each(|saga| saga.behind = looks);
            }
            Happening::Foreign(edit) => self.edit(edit),
        }
    }

    /// Somebody else's change of the group.
    fn edit(&mut self, edit: Foreign) {
        if self.deleted {
            return;
        }
        let before = self.group.sizes;
        let pending = self.record.pending.clone();
        // What is just as we wrote it, or as it is while a write of ours may not have happened, cannot be told apart from ours.
        let is_expected = |to: u32, written: Option<u32>, of: fn(&proto::GroupWrite) -> Option<u32>| {
            written == Some(to) || pending.as_ref().is_some_and(|write| of(write).is_some())
        };
        let sizes = &mut self.group.sizes;
        match edit {
            Foreign::MaxUp => sizes.max += 10 * self.weight,
            Foreign::MaxDown
                if is_expected(sizes.desired, Some(self.last_max_of_ours), |write| write.max) =>
            {
                return;
            }
            Foreign::MaxDown => sizes.max = sizes.desired,
            Foreign::MinUp => sizes.min = sizes.desired,
            Foreign::MinDown => sizes.min = 0,
            Foreign::DesiredUp => {
                sizes.desired += 11 * self.weight;
                sizes.max += 20 * self.weight;
            }
            Foreign::DesiredDown => {
                let to = sizes.min;
                let few = sizes.desired <= sizes.min + 3 * self.weight;
                if few || is_expected(to, self.record.written_desired, |write| write.desired) {
                    return;
                }
                sizes.desired = to;
            }
            Foreign::Suspends if !balance::is_suspended(&self.group) => {
                self.group.suspended.push(balance::REBALANCE.to_owned());
                // Once it is noted that we are about to, the two cannot be told apart.
                self.suspended_by_others |= !self.record.rebalance_suspended;
            }
            // It is suspended.
            Foreign::Suspends => return,
            Foreign::Resumes => {
                self.group.suspended.clear();
                self.suspended_by_others = false;
                self.resumed_by_others = true;
            }
            Foreign::Source => self.group.source = Source::Unknown("something else".to_owned()),
            Foreign::Deletes => {
                self.deleted = true;
                for member in std::mem::take(&mut self.group.members) {
                    self.instances.get_mut(&member.instance).unwrap().life = Life::Gone;
                    self.killed.insert(member.instance);
                }
            }
        }
        let sizes = self.group.sizes;
        if sizes.max != before.max {
            self.foreign_max = Some(sizes.max);
        }
        if sizes.desired != before.desired {
            self.changes += 1;
            self.foreign_desired_at = self.changes;
            self.foreign_desired = Some(sizes.desired);
        }
        self.foreign_min |= sizes.min != before.min;
        // Nothing tells what was decided before from what is done after it, and AWS takes no conditions.
        self.overtaken |= sizes != before && !(self.late.is_empty() && self.stalled.is_empty());
        self.earlier = None;
    }

    /// No swap has two replacements in the group.
    fn check(&self) {
        for saga in &self.sagas {
            let is_its_own = |id: &str| self.instances[id].tags.get(TAG_ACTION) == Some(&saga.action);
            let stays = |member: &&Member| member.standing != Standing::Leaving;
            let members = self.group.members.iter().filter(stays);
            let of_it = members.filter(|member| is_its_own(&member.instance)).count();
            assert!(of_it <= 1, "{} has {of_it} in {:?}", saga.action, self.group);
        }
    }

    /// Nothing more goes wrong: everything comes to its end.
    fn settle(&mut self) {
        for _ in 0..400 {
            for at in 0..self.sagas.len() {
                // A doom that lasts for ever ends every launch.
                self.sagas[at].doomed = false;
                self.step(at, Fate::Done, false);
            }
            self.tick();
            if self.sagas.iter().all(|saga| saga.end.is_some())
                && self.late_launches.is_empty()
                && self.stalled.is_empty()
            {
                self.sweep();
                return self.sweep_group();
            }
        }
        let open: Vec<_> = self
            .sagas
            .iter()
            .filter(|saga| saga.end.is_none())
            .map(|saga| &saga.live)
            .collect();
        panic!("not at an end: {open:#?}\n{:#?}\n{:#?}", self.group, self.record);
    }

    /// What was launched, or showed, after its swap had ended is found by its tags.
    fn sweep(&mut self) {
        let long = SignedDuration::from_mins(15);
        let now = Timestamp::from_second(self.now).unwrap() + long;
        let launched_at = Timestamp::from_second(self.now).unwrap();
        for id in &self.too_late {
            let instance = self.instances.get_mut(id).unwrap();
            let saga = self
                .sagas
                .iter()
                .find(|saga| instance.tags.get(TAG_ACTION) == Some(&saga.action))
                .unwrap();
            let served = saga
                .end
                .as_ref()
                .is_some_and(|end| end.result == result::SUCCEEDED);
            let launched = orphan::Launched {
                id: id.clone(),
                at: Some(launched_at),
                in_group: self.group.has(id),
            };
            let author = orphan::Author::Ended {
                at: launched_at,
                in_service: saga.live.launched.clone().filter(|_| served),
            };
            if orphan::judge(&launched, &author, long, now) == orphan::Verdict::Orphan {
                instance.life = Life::Gone;
            }
        }
    }

    /// What swaps that have ended left in their group.
    fn sweep_group(&mut self) {
        let mut found = false;
        for _ in 0..64 {
            let now = self.now();
            let group = self.group.clone();
            let open: Vec<_> = self
                .record
                .swaps
                .iter()
                .filter(|swap| swap.result.is_empty())
                .cloned()
                .collect();
            if self.deleted {
                open.iter()
                    .for_each(|swap| book::close(&mut self.record, &swap.action_id, result::FAILED, now));
                note::resumed(&mut self.record, now);
                return;
            }
            let first = open.first();
            let step = first.map(|swap| leftover::step(&self.record, swap, &group, true, now));
            let joint = match first.zip(step) {
                None if !self.record.rebalance_suspended => {
                    assert!(
                        !found || self.half_written || self.refused,
                        "only what died in between is left to a sweep"
                    );
                    return;
                }
                None => Joint {
                    write: Write::Rebalance { suspend: false },
                    shares: Vec::new(),
                },
                Some((swap, Next::Finish(_))) => {
                    book::close(&mut self.record, &swap.action_id, result::FAILED, now);
                    found = true;
                    continue;
                }
                Some((_, Next::Wait(_))) => {
                    self.tick();
                    continue;
                }
                Some((swap, step)) => {
                    let wish = Wish {
                        action: swap.action_id.clone(),
                        old: swap.instance.clone(),
                        weight: swap.weight,
                        step,
                    };
                    join(group.sizes, &[wish]).expect("a call under the lease")
                }
            };
            found = true;
            note::settle(&mut self.record, &group, now);
            note::plan(&mut self.record, "sweep", &joint, group.sizes, now);
            if self.write(&joint) {
                note::done(&mut self.record, "sweep", &joint, now);
            } else {
                note::was_refused(&mut self.record, "sweep", &joint.write);
            }
            self.tick();
        }
        panic!("a sweep comes to no end: {:#?}", self.record);
    }

    fn verify(&mut self) {
        for at in 0..self.sagas.len() {
            let saga = &self.sagas[at];
            let end = saga.end.clone().unwrap();
            let alive: Vec<&String> = self
                .instances
                .values()
                .filter(|found| found.life != Life::Gone && found.tags.get(TAG_ACTION) == Some(&saga.action))
                .map(|found| &found.id)
                .collect();
            let told = |id: &String| saga.live.left.instances.contains_key(id);
            let (old, new) = (saga.old.clone(), saga.live.launched.clone());
            let say = format!("{end:?} {alive:?} {:?}", saga.live);
            let (lost, untouched) = (saga.live.lost, !saga.live.has_begun());
            match end.result {
                result::SUCCEEDED => {
                    assert!(alive.len() <= 1 || self.refused, "one replacement: {say}");
                    let new = new.unwrap();
                    let is_member = self.group.members.iter().any(|member| member.instance == new);
                    assert!(
                        is_member || lost || self.deleted || self.killed.contains(&new),
                        "the replacement serves: {say}"
                    );
                    assert!(
                        self.group.members.iter().all(|member| member.instance != old),
                        "the old one is out: {say}"
                    );
                    self.check_protection(at);
                }
                _ if untouched => assert!(alive.is_empty(), "{say}"),
                _ => {
                    assert!(alive.iter().all(|id| told(id)), "nothing of ours runs on: {say}");
                    assert!(self.refused || saga.live.left.instances.is_empty(), "{say}");
                }
            }
        }
        self.check_old_ones();
        assert!(self.record.swaps.iter().all(|swap| !swap.result.is_empty()));
        if self.deleted {
            // Nothing is left to put back.
            return;
        }
        let sizes = self.group.sizes;
        let left = |told: fn(&Checkpoint) -> bool| self.sagas.iter().any(|saga| told(&saga.live));
        let desired_told = left(|live| live.left.desired.is_some());
        let max_told = left(|live| live.left.max.is_some());
        if !self.refused && !self.overtaken {
            // What somebody else has left, or said why not.
            let desired = self.foreign_desired.unwrap_or(self.base.desired);
            let is_told = desired_told && (self.foreign_desired_at > 0 || self.foreign_min);
            assert!(
                sizes.desired == desired || is_told,
                "desired is {}, not {desired}: {:#?}",
                sizes.desired,
                self.record
            );
            let max = self.foreign_max.unwrap_or(self.base.max);
            // A sweep takes back what is above desired.
            let told = max_told || self.half_written && sizes.max == sizes.desired;
            let is_told = told && (self.foreign_max.is_some() || sizes.desired != self.base.desired);
            assert!(
                sizes.max == max || is_told,
                "MaxSize is {}, not {max}: {:#?}",
                sizes.max,
                self.record
            );
            if self.foreign_desired_at == 0 && !self.foreign_min {
                assert!(!desired_told, "nothing was left of desired");
                assert!(
                    !max_told || self.foreign_max.is_some(),
                    "nothing was left of MaxSize"
                );
            }
        }
        if !self.refused {
            let is_suspended = balance::is_suspended(&self.group);
            assert_eq!(
                is_suspended, self.suspended_by_others,
                "zones are evened out again"
            );
            assert!(!self.record.rebalance_suspended);
        }
    }

    /// What we took out of the group goes on costing: it is ended, or it is said why not.
    fn check_old_ones(&self) {
        for saga in &self.sagas {
            let runs_on = saga.taken_out && self.instances[&saga.old].life != Life::Gone;
            let ends_anyway = saga.certain && !saga.cancelled;
            let is_told = saga.live.left.old.is_some();
            assert!(
                !runs_on || ends_anyway || is_told,
                "the old one runs on: {:?} {:?}",
                saga.end,
                saga.live
            );
        }
    }
}

fn refused() -> Answer {
    Answer::Refused {
        reason: "refused".to_owned(),
        message: "no".to_owned(),
    }
}

fn play(sagas: usize, certain: bool, room: u32, happenings: &[Happening]) {
    play_in(World::new(sagas, certain, room), happenings);
}

fn play_in(mut world: World, happenings: &[Happening]) {
    for happening in happenings {
        world.happen(*happening);
        world.check();
    }
    world.settle();
    world.verify();
}

/// Moments at which something may go wrong: a swap that meets nothing has ended by the last of them.
const MOMENTS: usize = 14;

/// What goes wrong at a moment.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    /// The steps of the moment come to this.
    Fate(Fate),
    /// This happens before them.
    Before(Happening),
    /// They, and those of the next moment, read the group as it was before our latest change, if that was not long ago.
    Lags,
}

/// How every combination is played.
#[derive(Clone, Copy, Debug)]
struct Setting {
    sagas: usize,
    /// All in one call first.
    together: bool,
    certain: bool,
    /// Between desired and MaxSize.
    room: u32,
    /// Who changes the group holds its lease.
    leases: bool,
}

/// Says which play it was that failed.
struct Playing<'a>(Setting, &'a [(usize, Mishap)]);

impl Drop for Playing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?} with {:?}", self.0, self.1);
        }
    }
}

/// Plays with these mishaps at these moments: at each, every swap has its step, alone (in a process of its own) or all in
/// one call, and then time passes.
fn play_mishaps(setting: Setting, mishaps: &[(usize, Mishap)]) {
    let Setting {
        sagas,
        together,
        certain,
        room,
        leases,
    } = setting;
    let _playing = Playing(setting, mishaps);
    let mut world = World::new(sagas, certain, room);
    world.leases = leases;
    for moment in 0..MOMENTS {
        let mut fate = Fate::Done;
        for (_, mishap) in mishaps.iter().filter(|(at, _)| *at == moment) {
            match mishap {
                Mishap::Fate(of) => fate = *of,
                Mishap::Before(happening) => world.happen(*happening),
                Mishap::Lags => {}
            }
        }
        let lags = |(at, mishap): &(usize, Mishap)| {
            matches!(mishap, Mishap::Lags) && (*at..=*at + 1).contains(&moment)
        };
        let is_behind = mishaps.iter().any(lags);
        if together {
            world.round(fate, is_behind);
        }
        for at in 0..sagas {
            // Of what the round has left, the steps that are nobody else's.
            let lag = is_behind || fate != Fate::Done && at > 0;
            world.step(at, fate, lag);
        }
        world.check();
        if moment % 2 == 1 {
            world.tick();
        }
    }
    if mishaps.is_empty() {
        let open = world.sagas.iter().filter(|saga| saga.end.is_none()).count();
        assert_eq!(open, 0, "no step is later than the last moment");
    }
    world.settle();
    world.check();
    world.verify();
}

/// Faults of a step, and what the world may do to one swap, at every moment.
fn usual() -> Vec<(usize, Mishap)> {
    let fates = [
        Fate::DiesBefore,
        Fate::DiesAfter,
        Fate::Late(1),
        Fate::Late(3),
        Fate::NotThere,
        Fate::Refused,
    ];
    let happenings = [
        Happening::OldLeaves(0),
        Happening::NewDies(0),
        Happening::NewDoomed(0),
        Happening::Cancel(0),
        Happening::GiveUp(0),
    ];
    let mishaps = fates
        .map(Mishap::Fate)
        .into_iter()
        .chain(happenings.map(Mishap::Before));
    at_every_moment(mishaps)
}

fn at_every_moment(mishaps: impl IntoIterator<Item = Mishap>) -> Vec<(usize, Mishap)> {
    let at_every = |mishap| (0..MOMENTS).map(move |moment| (moment, mishap));
    mishaps.into_iter().flat_map(at_every).collect()
}

/// A step comes to one.
fn exclude(first: (usize, Mishap), second: (usize, Mishap)) -> bool {
    let two_fates = matches!((first.1, second.1), (Mishap::Fate(_), Mishap::Fate(_)));
    two_fates && first.0 == second.0
}

/// Every mishap at every moment, and every two of them.
fn every_two_mishaps(sagas: usize, together: bool) {
    let single = usual();
    let mut played = 0;
    for certain in [false, true] {
        let setting = Setting {
            sagas,
            together,
            certain,
            room: 0,
            leases: false,
        };
        play_mishaps(setting, &[]);
        for (at, first) in single.iter().enumerate() {
            play_mishaps(setting, &[*first]);
            for second in &single[at + 1..] {
                if !exclude(*first, *second) {
                    play_mishaps(setting, &[*first, *second]);
                    played += 1;
                }
            }
        }
    }
    let of = single.len();
    let is_fate = |mishap: &&(usize, Mishap)| matches!(mishap.1, Mishap::Fate(_));
    let fates = single.iter().filter(is_fate).count() / MOMENTS;
    let same_moment = MOMENTS * fates * (fates - 1) / 2;
    assert_eq!(played, 2 * (of * (of - 1) / 2 - same_moment));
}

#[test]
fn every_two_mishaps_at_every_moment_of_one_swap() {
    every_two_mishaps(1, false);
}

#[test]
fn every_two_mishaps_at_every_moment_of_two_swaps() {
    every_two_mishaps(2, false);
}

#[test]
fn every_two_mishaps_at_every_moment_of_two_swaps_in_one_call() {
    every_two_mishaps(2, true);
}

/// Its attachment was not answered, it ended at once, and an older read showed no member: the choice was given up.
#[test]
fn what_ended_as_it_joined_goes_with_its_unit_of_desired() {
    let until_attached = [
        Happening::Step(0, Fate::Done),
        Happening::Step(0, Fate::Done),
        Happening::Tick,
        Happening::Step(0, Fate::Done),
        Happening::Step(0, Fate::Done),
        Happening::Step(0, Fate::DiesAfter),
    ];
    let given_up = [
        Happening::NewDies(0),
        Happening::Lagging(0, Fate::NotThere),
        Happening::Step(0, Fate::NotThere),
    ];
    let mut world = World::new(1, false, 0);
    for happening in until_attached.into_iter().chain(given_up) {
        world.happen(happening);
    }
    assert_eq!(world.group.sizes.desired, BASE.desired + 1, "it was attached");
    let instance = "i-new-1".to_owned();
    let next = world.decide(0, false).map(|(next, _)| next);
    let decrement = true;
    assert_eq!(next, Some(Next::TerminateMember { instance, decrement }));
    play_in(world, &[]);
}

/// A write that is noted and was never made is not seen in an older read that shows, by an earlier write, the size it would make.
#[test]
fn an_older_read_is_no_attachment() {
    use Happening::{Lagging, NewDies, OldLeaves, Round, Step, Tick};
    let until_noted = [
        Step(0, Fate::DiesAfter),
        Step(0, Fate::Done),
        Step(1, Fate::Done),
        Step(1, Fate::DiesAfter),
        Tick,
        Step(0, Fate::Done),
        Lagging(2, Fate::Done),
        Round(Fate::Done, false),
        OldLeaves(0),
        Step(1, Fate::DiesAfter),
        Step(2, Fate::Done),
        Step(1, Fate::Done),
        NewDies(1),
        Step(0, Fate::Done),
        Tick,
        Step(2, Fate::DiesBefore),
    ];
    let mut world = World::new(3, false, 1).protecting([false; 3]);
    for happening in until_noted {
        world.happen(happening);
    }
    let noted = world.record.pending.clone().map(|write| write.desired);
    assert_eq!(
        noted,
        Some(Some(world.group.sizes.desired + 1)),
        "it is about to attach"
    );
    world.happen(Round(Fate::Done, true));
    assert!(!world.sagas[2].live.attached);
    play_in(world, &[NewDies(2), Happening::Cancel(1)]);
}

/// Zones are reckoned by a look, after which the group may have let go a member.
#[test]
fn a_member_that_left_after_the_look_is_reckoned_with() {
    use Happening::{OldLeaves, Round, Step, Tick};
    let happenings = [
        Step(1, Fate::Done),
        Step(1, Fate::DiesAfter),
        Tick,
        OldLeaves(1),
        OldLeaves(0),
        Step(1, Fate::Late(1)),
        Round(Fate::Done, false),
        Tick,
        Tick,
        Step(1, Fate::Done),
        Round(Fate::Done, false),
        Step(2, Fate::Done),
        Step(2, Fate::DiesAfter),
        Tick,
        Round(Fate::Done, true),
    ];
    let world = World::new(3, true, 1).protecting([false, false, true]);
    play_in(world, &happenings);
}

/// Desired was lowered, and the group ends the old one, which EC2 shows running for a while; we had been about to detach it.
#[test]
fn what_its_group_ends_is_left_to_its_group() {
    use Happening::{GiveUp, InstancesLag, Lagging, NewDies, OldLeaves, Round, Step, Tick};
    let lowered = [
        Lagging(1, Fate::DiesAfter),
        Step(1, Fate::Done),
        Step(0, Fate::Done),
        Tick,
        Step(0, Fate::Done),
        Happening::NewNode(1, Node::NotAsked),
        Tick,
        Round(Fate::Done, false),
        Tick,
        Step(0, Fate::Done),
        Lagging(0, Fate::Done),
        NewDies(0),
        Step(0, Fate::Done),
        GiveUp(2),
        Tick,
        Tick,
        Tick,
        Lagging(1, Fate::DiesAfter),
        Round(Fate::Done, false),
        Step(0, Fate::DiesBefore),
        Step(0, Fate::Done),
        InstancesLag(3),
        Tick,
        Step(0, Fate::Done),
        Tick,
    ];
    play(2, false, 1, &lowered);
    let by_itself = [
        Step(0, Fate::Done),
        Lagging(0, Fate::NotThere),
        Tick,
        Step(1, Fate::DiesAfter),
        Happening::Foreign(Foreign::MaxUp),
        Step(1, Fate::DiesAfter),
        Tick,
        Lagging(1, Fate::DiesAfter),
        Tick,
        Tick,
        Round(Fate::DiesAfter, false),
        InstancesLag(3),
        Tick,
        Tick,
        Tick,
        Lagging(0, Fate::Done),
        Round(Fate::Refused, false),
        Round(Fate::LaunchLate(2), false),
        OldLeaves(1),
        Step(0, Fate::Done),
    ];
    play(2, false, 0, &by_itself);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn it_ends_and_leaves_everything_as_it_was(
        sagas in 1usize..=3,
        certain in any::<bool>(),
        room in 0u32..=2,
        weight in 1u32..=3,
        protected in any::<[bool; 3]>(),
        happenings in prop::collection::vec(happening(&[], false), 0..80),
    ) {
        let world = World::new(sagas, certain, room).weighing(weight).protecting(protected);
        play_in(world, &happenings);
    }

    #[test]
    fn it_never_takes_back_what_somebody_else_changed(
        sagas in 1usize..=3,
        certain in any::<bool>(),
        room in 0u32..=2,
        weight in 1u32..=3,
        happenings in prop::collection::vec(happening(&FOREIGN[..6], false), 0..80),
    ) {
        play_in(World::new(sagas, certain, room).weighing(weight), &happenings);
    }

    #[test]
    fn what_somebody_else_suspended_stays_so(
        sagas in 1usize..=2,
        certain in any::<bool>(),
        happenings in prop::collection::vec(happening(&OF_SIZES, false), 0..60),
    ) {
        let mut world = World::new(sagas, certain, 0);
        world.group.suspended = vec![balance::REBALANCE.to_owned()];
        world.suspended_by_others = true;
        play_in(world, &happenings);
    }

    #[test]
    fn what_the_group_protects_itself_is_not_asked_for(
        sagas in 1usize..=2,
        certain in any::<bool>(),
        happenings in prop::collection::vec(happening(&FOREIGN[..6], false), 0..60),
    ) {
        let mut world = World::new(sagas, certain, 0);
        world.protects_new = true;
        play_in(world, &happenings);
    }

    #[test]
    fn what_is_refused_is_told(
        sagas in 1usize..=2,
        certain in any::<bool>(),
        happenings in prop::collection::vec(happening(&FOREIGN[..6], true), 0..60),
    ) {
        play(sagas, certain, 0, &happenings);
    }
}
