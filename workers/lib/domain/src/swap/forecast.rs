//! The calls that a swap would make: for a dry run.
//!
//! The same decisions as in earnest, on a group that does what it is asked: the first pool gives an instance, what is waited for comes,
//! and nobody else touches the group.

use std::collections::BTreeMap;

use hollowtrees_schemas::proto;
use jiff::{SignedDuration, Timestamp};

use super::{
    Answer, Checkpoint, Drain, Next, Orders, Seen, book,
    choice::Claim,
    decide, fresh,
    joint::{Joint, Wish, Write, join},
    note,
    world::{Group, Instance, Launch, Life, Member, Standing},
};

/// What stands for the id of the instance that would be launched.
pub const REPLACEMENT: &str = "(the replacement)";

/// More steps than any swap takes that meets no trouble.
const STEPS: usize = 64;
/// What passes while something is waited for.
const WAITS: SignedDuration = SignedDuration::from_secs(5);

/// A call that changes something.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// `RunInstances`
    Launch(Box<Launch>),
    /// A call about the group.
    Change(Write),
    /// `TerminateInstances`, of this instance.
    Terminate(String),
}

/// The calls in their order, from the beginning of a swap (`checkpoint` is [`Checkpoint::begin`]'s) to its end. Reads, of which a swap
/// makes as many as it has to wait, are not among them.
#[must_use]
pub fn forecast(
    checkpoint: Checkpoint,
    seen: &Seen,
    orders: &Orders,
    claim: Claim<'_>,
    now: Timestamp,
) -> Vec<Call> {
    let mut world = World::new(&checkpoint, seen, orders, claim, now);
    let mut checkpoint = checkpoint;
    let mut calls = Vec::new();
    for _ in 0..STEPS {
        let decision = decide(&checkpoint, &world.look(), &world.orders, claim, world.now);
        checkpoint = decision.checkpoint;
        match &decision.next {
            Next::Begin | Next::Finish(_) => break,
            Next::Wait(_) => world.wait(),
            step => {
                let (call, answer) = world.perform(&checkpoint, step);
                calls.extend(call);
                checkpoint.after(step, answer, claim.old, world.now);
            }
        }
    }
    calls
}

struct World<'a> {
    claim: Claim<'a>,
    seen: Seen,
    orders: Orders,
    record: proto::Group,
    now: Timestamp,
}

impl<'a> World<'a> {
    fn new(checkpoint: &Checkpoint, seen: &Seen, orders: &Orders, claim: Claim<'a>, now: Timestamp) -> Self {
        let swap = proto::GroupSwap {
            action_id: claim.action.to_owned(),
            instance: claim.old.to_owned(),
            weight: checkpoint.old.weight,
            ..proto::GroupSwap::default()
        };
        let record = proto::Group {
            swaps: vec![swap],
            ..proto::Group::default()
        };
        let seen = Seen {
            ours: Vec::new(),
            ..seen.clone()
        };
        Self {
            claim,
            seen,
            orders: orders.clone(),
            record,
            now,
        }
    }

    /// As the group and its record are now.
    fn look(&self) -> Seen {
        let Some(group) = &self.seen.group else {
            return self.seen.clone();
        };
        let books = fresh::read(&self.record, self.claim.action, group, self.now);
        Seen {
            attached: book::attached(&self.record, self.claim.action, group),
            spare: book::spare(&self.record, group, books.surplus),
            books,
            ..self.seen.clone()
        }
    }

    /// What is waited for is there then.
    fn wait(&mut self) {
        self.now = self.now.saturating_add(WAITS).unwrap_or(self.now);
        if matches!(self.seen.drain, Drain::Pending { .. }) {
            self.seen.drain = Drain::Emptied;
        }
        for member in self.seen.group.iter_mut().flat_map(|group| &mut group.members) {
            if member.standing == Standing::Joining {
                member.standing = Standing::InService;
            }
        }
    }

    fn perform(&mut self, checkpoint: &Checkpoint, step: &Next) -> (Option<Call>, Answer) {
        match step {
            Next::Launch(launch) => {
                self.seen.ours.push(Instance {
                    id: REPLACEMENT.to_owned(),
                    life: Life::Running,
                    instance_type: launch.instance_type.clone(),
                    subnet: launch.subnet.clone(),
                    zone: checkpoint
                        .choice()
                        .map(|choice| choice.zone.clone())
                        .unwrap_or_default(),
                    spot: launch.spot.is_some(),
                    tags: BTreeMap::clone(&launch.tags),
                });
                let call = Call::Launch(launch.clone());
                (Some(call), Answer::Launched(REPLACEMENT.to_owned()))
            }
            Next::TerminateOld => (Some(self.end(self.claim.old)), Answer::Done),
            Next::TerminateNew { instance } => (Some(self.end(instance)), Answer::Done),
            step => {
                let wish = Wish {
                    action: self.claim.action.to_owned(),
                    old: self.claim.old.to_owned(),
                    weight: checkpoint.old.weight,
                    step: step.clone(),
                };
                let call = self.change(&wish).map(Call::Change);
                (call, Answer::Done)
            }
        }
    }

    fn end(&mut self, instance: &str) -> Call {
        let ours = self.seen.ours.iter_mut().chain(&mut self.seen.old);
        for found in ours.filter(|found| found.id == instance) {
            found.life = Life::Gone;
        }
        Call::Terminate(instance.to_owned())
    }

    fn change(&mut self, wish: &Wish) -> Option<Write> {
        let group = self.seen.group.as_mut()?;
        let joint = join(group.sizes, std::slice::from_ref(wish))?;
        note::settle(&mut self.record, group, self.now);
        note::plan(&mut self.record, &wish.action, &joint, group.sizes, self.now);
        apply(group, &joint, &self.seen.ours);
        note::done(&mut self.record, &wish.action, &joint, self.now);
        Some(joint.write)
    }
}

/// As Auto Scaling does it.
fn apply(group: &mut Group, joint: &Joint, ours: &[Instance]) {
    let weight = joint.weight();
    let lower = |group: &mut Group, decrement: bool| {
        if decrement {
            group.sizes.desired = group.sizes.desired.saturating_sub(weight);
        }
    };
    match &joint.write {
        Write::Attach { instances } => {
            group.sizes.desired = group.sizes.desired.saturating_add(weight);
            let launched = ours.iter().filter(|found| instances.contains(&found.id));
            group.members.extend(launched.map(|found| Member {
                instance: found.id.clone(),
                standing: Standing::Joining,
                weight,
                zone: found.zone.clone(),
                protected: false,
            }));
        }
        Write::Detach { instances, decrement } => {
            group
                .members
                .retain(|member| !instances.contains(&member.instance));
            lower(group, *decrement);
        }
        Write::TerminateMember { instance, decrement } => {
            group.members.retain(|member| member.instance != *instance);
            lower(group, *decrement);
        }
        Write::SetDesired { to } => group.sizes.desired = *to,
        Write::SetMax { .. } | Write::Rebalance { .. } | Write::Protect { .. } => {
            if let Some(shown) = joint.write.shown(group.clone()) {
                *group = shown;
            }
        }
    }
}
