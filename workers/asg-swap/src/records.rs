//! What incidents, runs and the ledger say.

use hollowtrees_domain::{
    notice::is_only_if_asked_for,
    swap::{Drain, again},
};
use hollowtrees_runtime::worker::{Failure, Job};
use hollowtrees_schemas::{
    id::{ActionId, IncidentKey},
    key,
    names::{action_state, kind, ledger_state, phase, result, state},
    proto::{self, time},
};

/// Whether an instance has an open incident of its own that says that it goes.
pub(crate) async fn is_doomed(job: &Job, instance: &str) -> Result<bool, Failure> {
    let action = job.action();
    let incident = IncidentKey::new(&action.cluster, instance, &action.mode);
    let found = job.bus().incidents().get(&key::incident(&incident)).await;
    Ok(found.map_err(Failure::transient)?.is_some_and(|found| {
        let incident = found.value;
        let mut standing = incident
            .facts
            .iter()
            .filter(|fact| fact.state == state::ACTIVE)
            .peekable();
        let stays = standing.peek().is_some() && standing.all(|fact| is_only_if_asked_for(&fact.kind));
        incident.state == state::OPEN && !stays
    }))
}

/// Whether the old instance may stay, and is only to be brought back to spot.
pub(crate) async fn is_back_to_spot(job: &Job) -> Result<bool, Failure> {
    let action = job.action();
    let found = job
        .bus()
        .incidents()
        .get(&key::incident(&IncidentKey::from(action)))
        .await;
    let found = found.map_err(Failure::transient)?;
    Ok(found.is_some_and(|found| found.value.generation == action.generation && again::is_all(&found.value)))
}

/// Not known is not none: what is read may be old, and the node may be in the middle of a drain.
const UNKNOWN: Drain = Drain::Pending { until: None };

/// What the incident's runs say of the old instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Around {
    /// Whether it is being drained.
    pub(crate) drain: Drain,
    /// Another action's swap of it has succeeded.
    pub(crate) swapped: bool,
}

/// Whether the old instance is being drained by its incident's runs.
pub(crate) async fn drain(job: &Job) -> Result<Drain, Failure> {
    Ok(around(job).await?.drain)
}

/// What its incident's runs say of the old instance.
pub(crate) async fn around(job: &Job) -> Result<Around, Failure> {
    const NOTHING: Around = Around {
        drain: UNKNOWN,
        swapped: false,
    };
    let action = job.action();
    let incident = IncidentKey::from(action);
    let found = job.bus().incidents().get(&key::incident(&incident)).await;
    let Some(found) = found.map_err(Failure::transient)? else {
        return Ok(NOTHING);
    };
    // This action is of a run: an incident without one is not read whole.
    if found.value.generation != action.generation || found.value.runs.is_empty() {
        return Ok(NOTHING);
    }
    let (mut drains, mut swapped) = (Vec::new(), false);
    for run in &found.value.runs {
        let key = key::run(&incident, action.generation, &run.rule, &run.certainty);
        let run = job.bus().runs().get(&key).await.map_err(Failure::transient)?;
        match run {
            Some(run) => {
                drains.extend(drains_of(&run.value, &action.id));
                swapped |= is_swapped(&run.value, &action.id);
            }
            None => drains.push(UNKNOWN),
        }
    }
    Ok(Around {
        drain: joined(&drains),
        swapped,
    })
}

fn is_swapped(run: &proto::Run, own: &str) -> bool {
    run.actions
        .iter()
        .any(|action| action.kind == kind::ASG_SWAP && action.id != own && action.result == result::SUCCEEDED)
}

/// The drains of a run as our own action has to take them.
fn drains_of<'a>(run: &'a proto::Run, own: &str) -> impl Iterator<Item = Drain> + use<'a> {
    let is_over = run.phase == phase::FINISHED;
    let ours = run.actions.iter().find(|action| action.id == own);
    let step = ours.map_or(u32::MAX, |action| action.step);
    run.actions
        .iter()
        .filter(|action| action.kind == kind::DRAIN)
        .map(move |action| match action.result.as_str() {
            result::SUCCEEDED => Drain::Emptied,
            // No node, no pods.
            result::SKIPPED if action.reason == hollowtrees_schemas::names::reason::NODE_NOT_FOUND => {
                Drain::Emptied
            }
            _ if action.state == action_state::DONE || is_over => Drain::NotEmptied,
            _ if action.step > step && action.state == action_state::PLANNED => Drain::Later,
            _ => Drain::Pending {
                until: action.close_at.as_ref().and_then(|at| time::from_proto(at).ok()),
            },
        })
}

/// Several drains of one node: it is waited for the last one that does not wait itself; one that ended well is enough.
fn joined(drains: &[Drain]) -> Drain {
    let pending = drains.iter().filter_map(|drain| match drain {
        Drain::Pending { until } => Some(*until),
        _ => None,
    });
    // Without a time it is due last.
    let last = pending.max_by(|a, b| match (a, b) {
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
    match last {
        Some(until) => Drain::Pending { until },
        None if drains.contains(&Drain::Emptied) => Drain::Emptied,
        None if drains.contains(&Drain::Later) => Drain::Later,
        None if drains.is_empty() => Drain::None,
        None => Drain::NotEmptied,
    }
}

/// The result of another action, once it has one.
pub(crate) async fn ended(job: &Job, cluster: &str, action: &str) -> Result<Option<String>, Failure> {
    let Ok(id) = action.parse::<ActionId>() else {
        return Ok(Some(result::FAILED.to_owned()));
    };
    let found = job.bus().ledger().get(&key::ledger(cluster, &id)).await;
    let found = found.map_err(Failure::transient)?;
    Ok(found
        .filter(|found| found.value.state == ledger_state::DONE)
        .map(|found| {
            found
                .value
                .outcome
                .map_or_else(String::new, |outcome| outcome.result)
        })
        .map(|word| {
            if word.is_empty() {
                result::FAILED.to_owned()
            } else {
                word
            }
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_empty_when_its_last_drain_says_so() {
        let action = |kind: &str, state: &str, result: &str, reason: &str| proto::ActionState {
            kind: kind.to_owned(),
            state: state.to_owned(),
            result: result.to_owned(),
            reason: reason.to_owned(),
            ..proto::ActionState::default()
        };
        let check = |actions: &[proto::ActionState], phase: &str, expected: Drain| {
            let run = proto::Run {
                phase: phase.to_owned(),
                actions: actions.to_vec(),
                ..proto::Run::default()
            };
            assert_eq!(
                joined(&drains_of(&run, "own").collect::<Vec<_>>()),
                expected,
                "{actions:?}"
            );
        };
        let pending = Drain::Pending { until: None };
        check(&[], "running", Drain::None);
        check(&[action("notify", "published", "", "")], "running", Drain::None);
        check(&[action("drain", "published", "", "")], "running", pending);
        check(&[action("drain", "planned", "", "")], "running", pending);
        check(
            &[action("drain", "planned", "", "")],
            "finished",
            Drain::NotEmptied,
        );
        check(
            &[action("drain", "done", "succeeded", "")],
            "running",
            Drain::Emptied,
        );
        check(
            &[action("drain", "done", "skipped", "node-not-found")],
            "running",
            Drain::Emptied,
        );
        check(
            &[action("drain", "done", "failed", "deadline")],
            "running",
            Drain::NotEmptied,
        );
        check(
            &[
                action("drain", "done", "succeeded", ""),
                action("drain", "started", "", ""),
            ],
            "running",
            pending,
        );
        // One that waits for us is not waited for; any other is.
        let of_step = |kind: &str, id: &str, step: u32| proto::ActionState {
            id: id.to_owned(),
            step,
            ..action(kind, "planned", "", "")
        };
        let (own, later) = (of_step("asg-swap", "own", 1), of_step("drain", "other", 2));
        check(&[own.clone(), later.clone()], "running", Drain::Later);
        check(&[own.clone(), of_step("drain", "other", 1)], "running", pending);
        check(
            &[own, later, action("drain", "started", "", "")],
            "running",
            pending,
        );
    }

    #[test]
    fn it_is_swapped_once_another_swap_says_so() {
        let run = |id: &str, kind: &str, result: &str| proto::Run {
            actions: vec![proto::ActionState {
                id: id.to_owned(),
                kind: kind.to_owned(),
                result: result.to_owned(),
                ..proto::ActionState::default()
            }],
            ..proto::Run::default()
        };
        assert!(is_swapped(&run("other", "asg-swap", "succeeded"), "own"));
        for other in [
            run("own", "asg-swap", "succeeded"),
            run("other", "asg-swap", "failed"),
            run("other", "drain", "succeeded"),
        ] {
            assert!(!is_swapped(&other, "own"), "{other:?}");
        }
    }
}
