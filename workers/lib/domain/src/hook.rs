//! How long a lifecycle hook is held open, and when it is answered.
//!
//! A hook waits its heartbeat time-out for an answer. A heartbeat starts that anew, up to a limit over all of them; it is
//! recorded at half of it, while work on the instance is under way and before the incident's deadline. What work is left
//! after that has what remains of the last time-out.

use hollowtrees_schemas::names::{action_state, effect, kind, phase, result};
use hollowtrees_schemas::proto;
use jiff::{SignedDuration, Timestamp};

use crate::record::{minus, plus};

/// The hook is answered this much before it would time out, or a tenth of its time-out where that is less.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// What cannot end before the instance does, and the hook itself.
const AFTER_ITS_END: [&str; 3] = [kind::HOOK, kind::REMOVE_NODE, kind::UNCORDON];
/// What empties an instance, whichever run has it.
const EMPTIES: [&str; 2] = [kind::DRAIN, kind::DEREGISTER];

/// Until when a hook waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    heartbeat: SignedDuration,
    expires_at: Timestamp,
    global_until: Timestamp,
}

impl Times {
    /// Of a wait that began `since`, in a hook with these limits.
    #[must_use]
    pub fn new(since: Timestamp, heartbeat: SignedDuration, global: SignedDuration) -> Self {
        let global_until = plus(since, global);
        Self {
            heartbeat,
            expires_at: plus(since, heartbeat).min(global_until),
            global_until,
        }
    }

    /// As it was kept.
    #[must_use]
    pub const fn restore(heartbeat: SignedDuration, expires_at: Timestamp, global_until: Timestamp) -> Self {
        Self {
            heartbeat,
            expires_at,
            global_until,
        }
    }

    /// After a heartbeat that was sent at this moment: it took effect then or later.
    #[must_use]
    pub fn prolonged(self, sent_at: Timestamp) -> Self {
        let expires_at = plus(sent_at, self.heartbeat).min(self.global_until);
        Self {
            expires_at: self.expires_at.max(expires_at),
            ..self
        }
    }

    /// When it times out, unless it is prolonged.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// When it times out however often it is prolonged.
    #[must_use]
    pub const fn global_until(&self) -> Timestamp {
        self.global_until
    }

    /// How long it waits for a heartbeat.
    #[must_use]
    pub const fn heartbeat(&self) -> SignedDuration {
        self.heartbeat
    }

    /// When it is answered at the latest, unless it is prolonged.
    fn last_answer(&self) -> Timestamp {
        minus(self.expires_at, MARGIN.min(self.heartbeat / 10))
    }

    /// The deadline that the heartbeats so far have given the work: until the hook is answered, and by no more than
    /// `extend` later than the `first`. None: no later than that.
    #[must_use]
    pub fn extended(&self, first: Timestamp, extend: SignedDuration) -> Option<Timestamp> {
        let deadline = self.last_answer().min(plus(first, extend));
        (deadline > first).then_some(deadline)
    }
}

/// How the work stands that the hook is held open for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Some of it has no outcome, or that is not known.
    UnderWay,
    /// All ended as asked, or there was nothing to do.
    Done,
    /// All ended, and some of it not as asked.
    Amiss,
}

/// What bounds the wait besides the hook itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The incident's deadline: no heartbeat after it.
    pub deadline: Option<Timestamp>,
    /// The answer is given by then.
    pub ends_by: Timestamp,
    /// A heartbeat failed: the next one not before.
    pub heartbeat_from: Option<Timestamp>,
}

/// What is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Record a heartbeat.
    Heartbeat,
    /// Look again at this moment at the latest.
    Wait(Timestamp),
    /// Answer: the work has ended so; `UnderWay`: it is out of time.
    Answer(Work),
}

/// What is next for a hook.
#[must_use]
pub fn decide(times: &Times, work: Work, bounds: &Bounds, now: Timestamp) -> Next {
    if work != Work::UnderWay {
        return Next::Answer(work);
    }
    let half = times.heartbeat / 2;
    let last = times.last_answer().min(bounds.ends_by);
    let allowed = bounds.deadline.is_none_or(|deadline| now < deadline)
        && now < bounds.ends_by
        && times.expires_at < times.global_until;
    let due = minus(times.expires_at, half);
    let beat_at = bounds.heartbeat_from.map_or(due, |from| due.max(from));
    // When this began to look at the hook late, AWS alone knows whether it has timed out: it is asked once.
    if allowed && now >= beat_at && (now < last || bounds.heartbeat_from.is_none()) {
        return Next::Heartbeat;
    }
    if now >= last {
        return Next::Answer(Work::UnderWay);
    }
    Next::Wait(if allowed { beat_at.min(last) } else { last })
}

/// An action that the hook waits for, as its run has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// Its kind.
    pub kind: String,
    /// Its result; empty while there is none.
    pub result: String,
    /// Why.
    pub reason: String,
}

/// The joint state of what is awaited.
#[must_use]
pub fn work(awaited: &[Awaited]) -> Work {
    if awaited.iter().any(|action| action.result.is_empty()) {
        return Work::UnderWay;
    }
    let well = |action: &Awaited| [result::SUCCEEDED, result::SKIPPED].contains(&action.result.as_str());
    if awaited.iter().all(well) {
        Work::Done
    } else {
        Work::Amiss
    }
}

/// What a hook of this action id waits for in a run: where the run has the hook, whatever touches the instance in its step
/// and those before it; in a run without it, what empties the instance, for as long as it does. What comes after the
/// instance's end is not waited for, or it would never end.
#[must_use]
pub fn awaited(run: &proto::Run, hook: &str) -> Vec<Awaited> {
    let own = run
        .actions
        .iter()
        .filter(|action| action.id == hook)
        .map(|action| action.step)
        .max();
    let is_over = run.phase == phase::FINISHED;
    let ended = |action: &proto::ActionState| Awaited {
        kind: action.kind.clone(),
        result: if action.state == action_state::DONE {
            action.result.clone()
        } else if is_over {
            result::CANCELLED.to_owned()
        } else {
            String::new()
        },
        reason: action.reason.clone(),
    };
    let is_counted = |action: &proto::ActionState| {
        let plan = run
            .steps
            .get(action.step as usize)
            .and_then(|step| step.actions.get(action.place as usize));
        // Those of `on_cancel` are of no step.
        plan.is_some_and(|plan| match own {
            Some(step) => {
                action.step <= step
                    && plan.effect != effect::PER_ACTION
                    && !AFTER_ITS_END.contains(&action.kind.as_str())
            }
            None => EMPTIES.contains(&action.kind.as_str()),
        })
    };
    run.actions
        .iter()
        .filter(|action| is_counted(action))
        .map(ended)
        .filter(|awaited| own.is_some() || awaited.result.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn times() -> Times {
        Times::new(
            at(0),
            SignedDuration::from_secs(100),
            SignedDuration::from_secs(250),
        )
    }

    #[test]
    fn heartbeats_at_half_the_time_out_and_an_answer_before_its_end() {
        let check = |times: Times, deadline: Option<i64>, failed: Option<i64>, now: i64, expected: Next| {
            let bounds = Bounds {
                deadline: deadline.map(at),
                ends_by: at(1_000),
                heartbeat_from: failed.map(at),
            };
            let next = decide(&times, Work::UnderWay, &bounds, at(now));
            assert_eq!(next, expected, "{times:?} {bounds:?} at {now}");
        };
        let given_up = Next::Answer(Work::UnderWay);
        check(times(), None, None, 0, Next::Wait(at(50)));
        check(times(), None, None, 49, Next::Wait(at(50)));
        check(times(), None, None, 50, Next::Heartbeat);
        // One that failed is tried again, as long as the hook waits.
        check(times(), None, Some(52), 51, Next::Wait(at(52)));
        check(times(), None, Some(52), 52, Next::Heartbeat);
        check(times(), None, Some(95), 89, Next::Wait(at(90)));
        check(times(), None, Some(89), 90, given_up);
        // A first look that comes late.
        check(times(), None, None, 400, Next::Heartbeat);
        check(times(), None, Some(401), 401, given_up);
        // Each lasts a time-out, up to the limit over all of them.
        let once = times().prolonged(at(50));
        check(once, None, None, 50, Next::Wait(at(100)));
        check(once, None, None, 100, Next::Heartbeat);
        let twice = once.prolonged(at(100)).prolonged(at(150));
        assert_eq!(twice.expires_at(), at(250));
        check(twice, None, None, 230, Next::Wait(at(240)));
        check(twice, None, None, 240, given_up);
        // None after the deadline; what is left of the last one is left.
        check(once, Some(100), None, 99, Next::Wait(at(100)));
        check(once, Some(100), None, 100, Next::Wait(at(140)));
        check(once, Some(100), None, 140, given_up);
        check(times(), Some(40), None, 45, Next::Wait(at(90)));
    }

    #[test]
    fn heartbeats_give_the_work_time_that_they_have_won_and_no_more() {
        let check = |times: Times, first: i64, extend: i64, expected: Option<i64>| {
            let found = times.extended(at(first), SignedDuration::from_secs(extend));
            assert_eq!(found, expected.map(at), "{times:?} {first} {extend}");
        };
        check(times(), 100, 500, None);
        let once = times().prolonged(at(50));
        check(once, 100, 500, Some(140));
        check(once, 100, 30, Some(130));
        check(once, 100, 0, None);
        // The queue counts from the event, and we from when we saw it: not before what it said.
        check(once, 141, 500, None);
        // The limit over all heartbeats.
        check(once.prolonged(at(240)), 100, 500, Some(240));
    }

    #[test]
    fn the_end_of_the_work_or_of_the_action_is_the_end_of_the_wait() {
        let bounds = Bounds {
            deadline: None,
            ends_by: at(30),
            heartbeat_from: None,
        };
        let check = |work, now, expected| {
            assert_eq!(
                decide(&times(), work, &bounds, at(now)),
                expected,
                "{work:?} at {now}"
            );
        };
        check(Work::Done, 0, Next::Answer(Work::Done));
        check(Work::Amiss, 0, Next::Answer(Work::Amiss));
        check(Work::UnderWay, 29, Next::Wait(at(30)));
        check(Work::UnderWay, 30, Next::Answer(Work::UnderWay));
        check(Work::UnderWay, 80, Next::Answer(Work::UnderWay));
    }

    #[test]
    fn a_late_heartbeat_never_shortens_the_wait() {
        let long = Times::restore(SignedDuration::from_secs(100), at(500), at(900));
        assert_eq!(long.prolonged(at(10)).expires_at(), at(500));
        assert_eq!(long.prolonged(at(450)).expires_at(), at(550));
        assert_eq!(long.prolonged(at(890)).expires_at(), at(900));
    }

    fn run(phase: &str, steps: &[&[(&str, &str, &str)]]) -> proto::Run {
        let mut run = proto::Run {
            phase: phase.to_owned(),
            ..proto::Run::default()
        };
        for (step, actions) in (0..).zip(steps) {
            let mut planned = proto::PlannedStep::default();
            for (place, (kind, state, result)) in (0..).zip(*actions) {
                let effect = if *kind == "notify" {
                    "per-action"
                } else {
                    "per-instance"
                };
                planned.actions.push(proto::PlannedAction {
                    kind: (*kind).to_owned(),
                    effect: effect.to_owned(),
                    ..proto::PlannedAction::default()
                });
                run.actions.push(proto::ActionState {
                    id: format!("id-{kind}"),
                    step,
                    place,
                    kind: (*kind).to_owned(),
                    state: (*state).to_owned(),
                    result: (*result).to_owned(),
                    ..proto::ActionState::default()
                });
            }
            run.steps.push(planned);
        }
        run
    }

    #[test]
    fn a_hook_waits_for_what_stands_beside_and_before_it() {
        let check = |run: &proto::Run, expected: &[&str], joint: Work| {
            let found = awaited(run, "id-hook");
            let kinds: Vec<_> = found.iter().map(|action| action.kind.as_str()).collect();
            assert_eq!(kinds, expected, "{run:?}");
            assert_eq!(work(&found), joint, "{found:?}");
        };
        let hook = ("hook", "started", "");
        let drained = ("drain", "done", "succeeded");
        check(&run("running", &[&[hook]]), &[], Work::Done);
        check(
            &run("running", &[&[("drain", "published", ""), hook]]),
            &["drain"],
            Work::UnderWay,
        );
        check(&run("running", &[&[drained, hook]]), &["drain"], Work::Done);
        check(
            &run("running", &[&[("drain", "done", "failed"), hook]]),
            &["drain"],
            Work::Amiss,
        );
        check(
            &run("running", &[&[("drain", "done", "skipped"), hook]]),
            &["drain"],
            Work::Done,
        );
        // In a step of its own; a later step is not waited for, nor are people, nor what waits for the instance's end.
        check(
            &run(
                "running",
                &[
                    &[drained, ("notify", "published", "")],
                    &[
                        ("deregister", "started", ""),
                        hook,
                        ("remove-node", "published", ""),
                    ],
                    &[("uncordon", "planned", ""), ("asg-swap", "planned", "")],
                ],
            ),
            &["drain", "deregister"],
            Work::UnderWay,
        );
        // Of a run without the hook only what empties the instance, and not what it will never do.
        check(
            &run(
                "running",
                &[&[("drain", "planned", ""), ("asg-swap", "started", "")]],
            ),
            &["drain"],
            Work::UnderWay,
        );
        check(
            &run("running", &[&[("drain", "done", "failed")]]),
            &[],
            Work::Done,
        );
        check(&run("finished", &[&[("drain", "planned", "")]]), &[], Work::Done);
        check(
            &run("finished", &[&[("drain", "planned", ""), hook]]),
            &["drain"],
            Work::Amiss,
        );
    }
}
