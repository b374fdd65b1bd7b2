//! Two processes and one action: one stands still in the middle of a step, by itself or since its bus is out of reach, another
//! one takes over what it had, and the first one goes on from where it was.
//!
//! What holds it up is what the worker asks: its claim, before what it saves and before a call; the lease, before what it notes.
//! So it makes one call more at most, the one that it was about to make; then it stops. What is noted before a call is done, and
//! shows, within [`SHOWS_WITHIN`] or not at all.

use super::*;
use crate::swap::{book::LEASE, fresh::SHOWS_WITHIN};

/// Where a process stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// It has looked, and has the lease if it needs it; it has not saved what that makes of its checkpoint.
    Looked,
    /// It has saved and noted what it is about to do; it is to prove that it may.
    Noted,
    /// It has proven it: it makes the call, whatever others did meanwhile.
    Asked,
    /// It has its answer.
    Answered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stall {
    pub(super) moment: Moment,
    /// In ticks.
    pub(super) lasts: u8,
    /// Another process takes over all that it has.
    pub(super) taken_over: bool,
}

/// A process that stands still.
pub(super) struct Stalled {
    process: u32,
    left: u8,
    taken_over: bool,
    since: i64,
    at: Point,
}

enum Point {
    /// It has looked, for this one.
    Look(usize, Box<Seen>),
    /// It is about to do this, or makes this call, for this one.
    Alone(usize, Next, Moment),
    /// It has been answered, for this one.
    AloneAnswered(usize, Next, Option<Answer>),
    /// It is about to make this call, or makes it, for these, by a look that showed these members.
    Call(Vec<(usize, Next)>, Joint, Moment, Vec<Member>),
    /// It has been answered, for these: whether it was done.
    CallAnswered(Vec<(usize, Next)>, Joint, bool),
}

/// Seconds.
const TICK: i64 = 5;

/// A write is started while the lease lasts this much longer, in seconds.
const MARGIN: i64 = 22;

const fn is_call(step: &Next) -> bool {
    !matches!(step, Next::Begin | Next::Finish(_) | Next::Wait(_))
}

impl World {
    /// Whether the process that has its action does nothing.
    pub(super) fn stands_still(&self, at: usize) -> bool {
        let process = self.sagas[at].process;
        self.stalled
            .iter()
            .any(|stalled| stalled.process == process && !stalled.taken_over)
    }

    /// Whether the process that has its action has had the last look.
    pub(super) fn is_ending(&self, saga: usize) -> bool {
        let ends = |stalled: &Stalled| match &stalled.at {
            Point::AloneAnswered(at, Next::Finish(_), _) | Point::Alone(at, Next::Finish(_), _) => {
                *at == saga && self.is_of(stalled.process, saga)
            }
            _ => false,
        };
        self.stalled.iter().any(ends)
    }

    fn worker(process: u32) -> proto::Worker {
        proto::Worker {
            process: process.to_string(),
            ..proto::Worker::default()
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_second(self.now).unwrap()
    }

    /// `false`: somebody else has it.
    pub(super) fn take_lease(&mut self, at: usize) -> bool {
        let worker = Self::worker(self.sagas[at].process);
        let now = self.now();
        !self.leases || book::lease(&mut self.record, &worker, &self.sagas[at].action, now).is_ok()
    }

    pub(super) fn release(&mut self, at: usize) {
        self.release_of(self.sagas[at].process, at);
    }

    fn release_of(&mut self, process: u32, at: usize) {
        if self.holds(process, at) {
            self.record.lease = None;
        }
    }

    fn holds(&self, process: u32, at: usize) -> bool {
        book::holds(&self.record, &Self::worker(process), &self.sagas[at].action)
    }

    fn is_of(&self, process: u32, at: usize) -> bool {
        self.sagas[at].process == process
    }

    /// All that do not stand still are in one process from now on.
    pub(super) fn gather(&mut self) {
        self.processes += 1;
        for at in 0..self.sagas.len() {
            if !self.stands_still(at) {
                self.sagas[at].process = self.processes;
            }
        }
    }

    fn stall(&mut self, process: u32, stall: Stall, at: Point) {
        assert!(self.leases, "a process that stands still leaves its lease");
        let is_a_call =
            stall.moment != Moment::Asked || TICK * i64::from(stall.lasts) <= SHOWS_WITHIN.as_secs();
        assert!(is_a_call, "no call lasts as long");
        if stall.taken_over {
            self.processes += 1;
            for at in 0..self.sagas.len() {
                if self.is_of(process, at) {
                    self.sagas[at].process = self.processes;
                    self.dies(at);
                }
            }
        }
        self.stalled.push(Stalled {
            process,
            left: stall.lasts,
            taken_over: stall.taken_over,
            since: self.now,
            at,
        });
    }

    pub(super) fn stall_at_a_look(&mut self, at: usize, stall: Stall, lagging: bool) {
        if self.sagas[at].end.is_none() && !self.stands_still(at) && self.take_lease(at) {
            let seen = self.look(at, lagging);
            let process = self.sagas[at].process;
            self.stall(process, stall, Point::Look(at, Box::new(seen)));
        }
    }

    pub(super) fn stall_alone(&mut self, at: usize, step: Next, stall: Stall) {
        if matches!(step, Next::Wait(_)) {
            return;
        }
        let process = self.sagas[at].process;
        let point = match (&step, stall.moment) {
            // The record is written, and the ledger is not.
            (Next::Begin, Moment::Asked | Moment::Answered) => {
                self.half_written = true;
                self.open_books(at);
                Point::Alone(at, step, Moment::Noted)
            }
            (Next::Finish(end), Moment::Asked | Moment::Answered) => {
                if !self.close_books(at, end) {
                    return;
                }
                self.half_written = true;
                Point::AloneAnswered(at, step, None)
            }
            (Next::Begin | Next::Finish(_), moment) => {
                assert_eq!(moment, Moment::Noted);
                Point::Alone(at, step, Moment::Noted)
            }
            (_, Moment::Answered) => {
                let answer = self.perform(at, &step);
                Point::AloneAnswered(at, step, answer)
            }
            (_, moment) => Point::Alone(at, step, moment),
        };
        self.stall(process, stall, point);
    }

    pub(super) fn stall_in_a_call(
        &mut self,
        steps: &[(usize, Next)],
        joint: Joint,
        stall: Stall,
        looked_at: &[Member],
    ) {
        let process = self.sagas[steps[0].0].process;
        let steps = steps.to_vec();
        let point = if stall.moment == Moment::Answered {
            let done = self.call(&joint, looked_at);
            Point::CallAnswered(steps, joint, done)
        } else {
            if matches!(joint.write, Write::Attach { .. }) && stall.moment == Moment::Asked {
                let by = steps
                    .iter()
                    .filter(|(at, _)| joint.is_of(&self.sagas[*at].action));
                let by: Vec<usize> = by.map(|(at, _)| *at).collect();
                by.into_iter().for_each(|at| self.sagas[at].late = true);
            }
            Point::Call(steps, joint, stall.moment, looked_at.to_vec())
        };
        self.stall(process, stall, point);
    }

    /// AWS's side of a call, whole or not at all, and what may be read of the group for a while.
    pub(super) fn call(&mut self, joint: &Joint, looked_at: &[Member]) -> bool {
        let before = self.group.clone();
        self.looked_at = looked_at.to_vec();
        let shape = self.shape();
        let done = self.write(joint);
        self.check_effect(shape, joint.shares.len());
        assert!(done || self.shape() == shape, "whole or not at all");
        if let Write::Protect { instances } = &joint.write {
            self.just_protected = (self.now + LAG, instances.clone());
        } else if self.group != before {
            self.earlier = Some((self.now + LAG, before));
        }
        done
    }

    /// Those that have stood still for long enough go on.
    pub(super) fn wake(&mut self) {
        self.stalled.iter_mut().for_each(|stalled| stalled.left -= 1);
        while let Some(next) = self.stalled.iter().position(|stalled| stalled.left == 0) {
            let stalled = self.stalled.remove(next);
            self.go_on(stalled);
        }
    }

    fn go_on(&mut self, stalled: Stalled) {
        let Stalled { process, since, .. } = stalled;
        let now = self.now();
        // It looks again.
        let is_old = self.now - since > SHOWS_WITHIN.as_secs();
        match stalled.at {
            Point::Look(at, seen) => {
                if !self.is_of(process, at) || self.sagas[at].end.is_some() {
                    return;
                }
                if is_old {
                    return self.release_of(process, at);
                }
                let held = self.holds(process, at);
                let (step, group) = self.decide_by(at, *seen);
                if !step.needs_lease() {
                    self.release_of(process, at);
                }
                self.is_late_write = true;
                if held || !step.needs_lease() {
                    self.do_step(at, step, Fate::Done, &group);
                }
                self.is_late_write = false;
            }
            Point::Alone(at, step, moment) => {
                let ours = self.is_of(process, at);
                let may_go_on = ours && !(is_old && is_call(&step));
                if !may_go_on && moment == Moment::Noted {
                    return;
                }
                let shape = self.shape();
                self.is_late_write = true;
                let answer = self.perform(at, &step);
                self.is_late_write = false;
                self.check_effect(shape, 1);
                if ours && let Some(answer) = answer {
                    self.answer(at, &step, answer, now);
                }
            }
            Point::AloneAnswered(at, step, answer) => {
                if !self.is_of(process, at) {
                    return;
                }
                match (step, answer) {
                    (Next::Finish(end), _) => self.sagas[at].end = Some(end),
                    (step, Some(answer)) => self.answer(at, &step, answer, now),
                    (_, None) => {}
                }
            }
            Point::Call(steps, joint, moment, looked_at) => {
                let leader = steps[0].0;
                let late = self.now - since + MARGIN > LEASE.as_secs();
                if moment == Moment::Noted && (late || is_old || !self.is_of(process, leader)) {
                    return self.release_of(process, leader);
                }
                // Whoever needs it suspended attaches all the same: zones that are evened out cost less than the time.
                self.resumed_by_others |= joint.write == Write::Rebalance { suspend: false };
                self.is_late_write = true;
                let done = self.call(&joint, &looked_at);
                self.is_late_write = false;
                self.earlier = None;
                self.hear(process, &steps, &joint, done);
            }
            Point::CallAnswered(steps, joint, done) => self.hear(process, &steps, &joint, done),
        }
    }

    fn hear(&mut self, process: u32, steps: &[(usize, Next)], joint: &Joint, done: bool) {
        let (leader, now) = (steps[0].0, self.now());
        if self.holds(process, leader) {
            let action = self.sagas[leader].action.clone();
            if done {
                note::done(&mut self.record, &action, joint, now);
            } else {
                note::was_refused(&mut self.record, &action, &joint.write);
            }
        }
        for (at, step) in steps {
            if done && joint.is_of(&self.sagas[*at].action) && self.is_of(process, *at) {
                self.answer(*at, step, Answer::Done, now);
            }
        }
        self.release_of(process, leader);
    }
}

/// Moments, each with how long it lasts: a look until the lease is another's too, a call as long as calls last.
fn stalls() -> impl Iterator<Item = Stall> {
    let moments = [
        (Moment::Looked, 1),
        (Moment::Looked, 8),
        (Moment::Noted, 1),
        (Moment::Noted, 8),
        (Moment::Asked, 1),
        (Moment::Asked, 2),
        (Moment::Answered, 1),
        (Moment::Answered, 8),
    ];
    moments.into_iter().flat_map(|(moment, lasts)| {
        [false, true].map(|taken_over| Stall {
            moment,
            lasts,
            taken_over,
        })
    })
}

/// What is certain ends by itself: of that one is enough.
fn settings() -> Vec<Setting> {
    let settings = [
        (1, false, true),
        (1, false, false),
        (2, false, false),
        (2, true, false),
    ];
    let of = |(sagas, together, certain)| Setting {
        sagas,
        together,
        certain,
        room: 0,
        leases: true,
    };
    settings.map(of).to_vec()
}

fn stands_still() -> Vec<(usize, Mishap)> {
    at_every_moment(stalls().map(|stall| Mishap::Fate(Fate::Stalls(stall))))
}

#[test]
fn a_process_that_stands_still_with_every_mishap_at_every_moment() {
    interference::every_one_with_every(&settings(), &stands_still(), &usual());
}

#[test]
fn two_processes_that_stand_still_at_every_moment() {
    interference::every_one_with_every(&settings(), &stands_still(), &stands_still());
}

/// Calls that take effect later are those of who stands still.
fn in_time(happening: Happening) -> Happening {
    let in_time = |fate| match fate {
        Fate::Late(_) => Fate::Done,
        fate => fate,
    };
    match happening {
        Happening::Step(at, fate) => Happening::Step(at, in_time(fate)),
        Happening::Lagging(at, fate) => Happening::Lagging(at, in_time(fate)),
        Happening::Round(fate, lagging) => Happening::Round(in_time(fate), lagging),
        other => other,
    }
}

fn happening_among_replicas() -> impl Strategy<Value = Happening> {
    let stalls: Vec<Stall> = stalls().collect();
    let stalls = prop::sample::select(stalls);
    prop_oneof![
        6 => happening(&[], false).prop_map(in_time),
        1 => (0usize..3, stalls.clone()).prop_map(|(saga, stall)| Happening::Step(saga, Fate::Stalls(stall))),
        1 => (0usize..3, stalls.clone()).prop_map(|(saga, stall)| Happening::Lagging(saga, Fate::Stalls(stall))),
        1 => stalls.prop_map(|stall| Happening::Round(Fate::Stalls(stall), false)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn processes_that_stand_still_leave_everything_as_it_was(
        sagas in 1usize..=3,
        certain in any::<bool>(),
        room in 0u32..=2,
        weight in 1u32..=3,
        protected in any::<[bool; 3]>(),
        happenings in prop::collection::vec(happening_among_replicas(), 0..80),
    ) {
        let mut world = World::new(sagas, certain, room).weighing(weight).protecting(protected);
        world.leases = true;
        play_in(world, &happenings);
    }
}
