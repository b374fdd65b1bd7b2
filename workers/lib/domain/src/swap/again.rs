//! Whether it is tried again to have on spot what fell back to on demand.
//!
//! EC2 does not say that spot is back: a swap tries to launch there, and where no pool gives an instance nothing has happened.
//! Time is cut into spans of equal length from the instance's launch on, with one attempt in each after the first. So the
//! name of an attempt, and with it the id of its notice, follows from what EC2 shows, whoever looks and however often.
//! Whether it was told, and what came of it, is in the incident of the instance: no other record of it is kept.

use std::collections::BTreeSet;

use hollowtrees_schemas::{
    names::{kind, phase, state},
    proto::{self, time},
};
use jiff::{SignedDuration, Timestamp};

use super::{TAG_FELL_BACK, world::Instance};

/// Reason: no spot pool gave an instance, or the policy allows none.
pub const NO_SPOT: &str = "no-spot";
/// Reason: the group's share on demand needs the instance.
pub const FOR_SHARE: &str = "on-demand-share";
/// Reason: it is on spot already.
pub const ON_SPOT: &str = "on-spot";

/// Whether it is on demand for want of spot, and not for the group's share.
#[must_use]
pub fn fell_back(instance: &Instance) -> bool {
    let tag = instance.tags.get(TAG_FELL_BACK).map(String::as_str);
    !instance.spot && tag == Some("true")
}

/// Whether all that an incident stands for is that its instance may go back to spot. Withdrawn it is no other than it was.
#[must_use]
pub fn is_all(incident: &proto::Incident) -> bool {
    let asks = |fact: &&proto::Fact| fact.kind == kind::SPOT_AGAIN;
    let stands = |fact: &&proto::Fact| fact.state == state::ACTIVE;
    incident.facts.iter().any(|fact| asks(&fact))
        && incident.facts.iter().filter(stands).all(|fact| asks(&fact))
}

/// A member that fell back.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// `i-...`
    pub instance: &'a str,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// Its incident, where there is one.
    pub incident: Option<&'a proto::Incident>,
    /// Runs of that.
    pub runs: &'a [proto::Run],
}

/// What is to be said of an attempt, by its name: the `event_id` of its notices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// It begins.
    Begin(String),
    /// It is over: nothing came of it.
    Over(String),
}

/// How attempts go.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// One in each span of this length; zero: none.
    pub every: SignedDuration,
    /// So many members of a group at once.
    pub at_once: usize,
}

/// Where an attempt stands.
enum Stand {
    /// None does; the last one was heard of then.
    Idle(Option<Timestamp>),
    /// Its runs are under way, or nobody knows yet whether there are any.
    UnderWay,
    /// These are over.
    Over(Vec<String>),
    /// The instance goes, or its incident is about to close.
    LeftAlone,
}

/// What is to be said about members of one group: of those that are due the longest untried first. `spare`: so many
/// members on demand are more than the group's share asks for.
#[must_use]
pub fn plan(members: &[Member<'_>], spare: usize, pace: Pace, now: Timestamp) -> Vec<(String, Say)> {
    let mut said = Vec::new();
    let mut due = BTreeSet::new();
    let mut under_way = 0;
    for member in members {
        match stand(member, pace.every, now) {
            Stand::LeftAlone => {}
            Stand::UnderWay => under_way += 1,
            Stand::Over(names) => {
                let over = names.into_iter().map(Say::Over);
                said.extend(over.map(|over| (member.instance.to_owned(), over)));
            }
            Stand::Idle(last) => {
                let rested = last.is_none_or(|last| now.duration_since(last) >= pace.every);
                if let Some(span) = span(member.launched_at, pace.every, now).filter(|_| rested) {
                    due.insert((last, member.launched_at, member.instance, span));
                }
            }
        }
    }
    let room = pace.at_once.min(spare).saturating_sub(under_way);
    let begins = due.into_iter().take(room);
    said.extend(begins.map(|(_, _, instance, span)| (instance.to_owned(), Say::Begin(name(span)))));
    said
}

/// When the span of now began; none in the first.
fn span(launched_at: Timestamp, every: SignedDuration, now: Timestamp) -> Option<Timestamp> {
    let (age, every) = (now.duration_since(launched_at).as_secs(), every.as_secs());
    let number = age.checked_div(every).filter(|number| *number > 0)?;
    launched_at
        .checked_add(SignedDuration::from_secs(number.checked_mul(every)?))
        .ok()
}

/// By time, not by number: another length of spans gives other names.
fn name(span: Timestamp) -> String {
    format!("from-{}", span.as_second())
}

fn stand(member: &Member<'_>, every: SignedDuration, now: Timestamp) -> Stand {
    let Some(incident) = member.incident else {
        return Stand::Idle(None);
    };
    let asks = || incident.facts.iter().filter(|fact| fact.kind == kind::SPOT_AGAIN);
    let at = |fact: &proto::Fact| fact.noticed_at.as_ref().and_then(|at| time::from_proto(at).ok());
    let last = asks().filter_map(at).max();
    match incident.state.as_str() {
        state::CLOSED => return Stand::Idle(last),
        state::OPEN if is_all(incident) => {}
        _ => return Stand::LeftAlone,
    }
    let is_over = match member.runs {
        // No rule asks for it, or the router is not that far.
        [] => last.is_none_or(|last| now.duration_since(last) >= every),
        runs => runs.iter().all(|run| run.phase == phase::FINISHED),
    };
    if !is_over {
        return Stand::UnderWay;
    }
    let standing = asks().filter(|fact| fact.state == state::ACTIVE);
    Stand::Over(standing.map(|fact| fact.event_id.clone()).collect())
}

#[cfg(test)]
mod tests {
    use hollowtrees_schemas::proto::time::to_proto;

    use super::*;

    const PACE: Pace = Pace {
        every: SignedDuration::from_mins(30),
        at_once: 2,
    };

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    fn incident(state: &str, facts: &[(&str, &str, &str, i64)]) -> proto::Incident {
        let fact = |(kind, event, state, seen): &(&str, &str, &str, i64)| proto::Fact {
            kind: (*kind).to_owned(),
            event_id: (*event).to_owned(),
            state: (*state).to_owned(),
            noticed_at: Some(to_proto(at(*seen))),
            ..proto::Fact::default()
        };
        proto::Incident {
            state: state.to_owned(),
            facts: facts.iter().map(fact).collect(),
            ..proto::Incident::default()
        }
    }

    fn run(phase: &str) -> proto::Run {
        proto::Run {
            phase: phase.to_owned(),
            ..proto::Run::default()
        }
    }

    /// Of one member, launched at 0.
    fn said(of: Option<&proto::Incident>, runs: &[proto::Run], now: i64) -> Vec<Say> {
        let member = Member {
            instance: "i-1",
            launched_at: at(0),
            incident: of,
            runs,
        };
        let said = plan(&[member], 9, PACE, at(now));
        said.into_iter().map(|(_, say)| say).collect()
    }

    fn begins(span: i64) -> Vec<Say> {
        vec![Say::Begin(name(at(span)))]
    }

    #[test]
    fn one_attempt_in_each_span_by_a_name_that_anybody_finds() {
        for (now, expected) in [
            (0, vec![]),
            (29, vec![]),
            (30, begins(30)),
            (59, begins(30)),
            (60, begins(60)),
            (6_000, begins(6_000)),
        ] {
            assert_eq!(said(None, &[], now), expected, "{now}");
        }
        // A clock behind EC2's.
        assert_eq!(said(None, &[], -1), []);
        let never = Pace {
            every: SignedDuration::ZERO,
            ..PACE
        };
        let member = Member {
            instance: "i-1",
            launched_at: at(0),
            incident: None,
            runs: &[],
        };
        assert_eq!(plan(&[member], 9, never, at(600)), []);
    }

    #[test]
    fn an_attempt_is_over_when_its_runs_are_and_the_next_one_waits_for_its_time() {
        let stands = incident("open", &[("spot-again", "from-1", "active", 31)]);
        assert_eq!(said(Some(&stands), &[run("running")], 600), []);
        let over = vec![Say::Over("from-1".to_owned())];
        assert_eq!(said(Some(&stands), &[run("finished")], 32), over);
        assert_eq!(said(Some(&stands), &[run("finished"), run("running")], 32), []);
        // Nobody answers: it is over with its time.
        assert_eq!(said(Some(&stands), &[], 60), []);
        assert_eq!(said(Some(&stands), &[], 61), over);
        // Two that nobody read for long.
        let two = [
            ("spot-again", "from-1", "active", 31),
            ("spot-again", "from-2", "active", 62),
        ];
        assert_eq!(
            said(Some(&incident("open", &two)), &[run("finished")], 63).len(),
            2
        );
        // Withdrawn, its incident closes, and then the next one comes.
        let withdrawn = [("spot-again", "from-1", "cancelled", 41)];
        assert_eq!(said(Some(&incident("cancelled", &withdrawn)), &[], 600), []);
        let closed = incident("closed", &withdrawn);
        assert_eq!(said(Some(&closed), &[], 70), []);
        assert_eq!(said(Some(&closed), &[], 71), begins(60));
    }

    #[test]
    fn one_that_goes_is_left_alone() {
        let both = [
            ("spot-again", "from-1", "active", 31),
            ("scheduled-maintenance", "e", "active", 40),
        ];
        let goes = incident("open", &both);
        assert!(!is_all(&goes));
        assert_eq!(said(Some(&goes), &[run("finished")], 600), []);
        // What is over counts no more; another attempt may be made.
        let was = [("scheduled-maintenance", "e", "cancelled", 40)];
        assert_eq!(said(Some(&incident("closed", &was)), &[], 60), begins(60));
        assert!(!is_all(&incident("closed", &was)));
        let withdrawn = [("spot-again", "from-1", "cancelled", 41)];
        assert!(is_all(&incident("cancelled", &withdrawn)));
    }

    #[test]
    fn few_at_once_and_none_that_the_share_needs() {
        let running = [run("running")];
        let stands = incident("open", &[("spot-again", "from-1", "active", 31)]);
        let lately = incident("closed", &[("spot-again", "from-1", "cancelled", 41)]);
        let long_ago = incident("closed", &[("spot-again", "from-0", "cancelled", 11)]);
        let member = |instance: &'static str, incident| Member {
            instance,
            launched_at: at(0),
            incident,
            runs: &[],
        };
        let under_way = Member {
            runs: &running,
            ..member("i-under-way", Some(&stands))
        };
        let check = |members: &[Member<'_>], spare: usize, expected: &[&str]| {
            let said = plan(members, spare, PACE, at(100));
            let who: Vec<&str> = said.iter().map(|(who, _)| who.as_str()).collect();
            assert_eq!(who, expected, "{spare} {members:?}");
        };
        let all = [
            member("i-lately", Some(&lately)),
            member("i-long-ago", Some(&long_ago)),
            member("i-b", None),
            member("i-a", None),
        ];
        check(&all, 9, &["i-a", "i-b"]);
        check(&all, 1, &["i-a"]);
        check(&all, 0, &[]);
        check(&all[..2], 9, &["i-long-ago", "i-lately"]);
        let mut busy = all.to_vec();
        busy.push(under_way.clone());
        check(&busy, 9, &["i-a"]);
        check(&busy, 1, &[]);
        busy.push(under_way);
        check(&busy, 9, &[]);
    }

    #[test]
    fn only_what_is_on_demand_and_says_so_fell_back() {
        let instance = |spot: bool, tag: &str| Instance {
            id: "i-1".to_owned(),
            life: super::super::world::Life::Running,
            instance_type: String::new(),
            subnet: String::new(),
            zone: String::new(),
            spot,
            tags: [(TAG_FELL_BACK.to_owned(), tag.to_owned())].into(),
        };
        assert!(fell_back(&instance(false, "true")));
        assert!(!fell_back(&instance(true, "true")));
        assert!(!fell_back(&instance(false, "false")));
    }
}
