//! Which hook an instance waits in.

use hollowtrees_aws::{Hook, Refusal, Transition};
use hollowtrees_domain::notice::announces_arrival;
use hollowtrees_runtime::worker::{Failure, Job, Report};
use hollowtrees_schemas::{
    id::IncidentKey,
    key,
    names::{kind, state},
    proto::{self, time},
};
use jiff::{SignedDuration, Timestamp};

use crate::{checkpoint::Checkpoint, cloud::Cloud, config, params::Params, report, worker::stopping};

/// What was found.
pub(crate) enum Found {
    /// The instance waits in this one.
    Hook(Box<Checkpoint>),
    /// In none that could be answered; what is told of it.
    None(Report),
}

/// Where the instance stands, as far as a hook is concerned.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// In the wait of a termination.
    Waits,
    /// Past it.
    Past,
    /// Not there, or not yet.
    Elsewhere,
}

/// Auto Scaling user guide, "instance lifecycle": the states of a member. One that comes may go instead, and one that goes
/// does not come again.
fn place(state: &str, way: Transition) -> Place {
    let state = state.strip_prefix("Warmed:").unwrap_or(state);
    match (way, state) {
        (Transition::Terminating, "Terminating:Wait") | (Transition::Launching, "Pending:Wait") => {
            Place::Waits
        }
        (Transition::Terminating, "Terminating:Proceed" | "Terminated") => Place::Past,
        (Transition::Terminating, _) | (Transition::Launching, "Pending") => Place::Elsewhere,
        (Transition::Launching, _) => Place::Past,
    }
}

/// Looks for the hook until the instance is seen to wait, or that was waited for long enough.
pub(crate) async fn hook(
    job: &mut Job,
    cloud: &Cloud,
    params: &Params,
    settings: &config::Hook,
) -> Result<Found, Failure> {
    let instance = job.action().instance.clone();
    let way = way(&facts(job).await?);
    let seen_by = plus(job.now(), settings.seen_within);
    let group = loop {
        let asked = cloud.region.membership(&instance).await;
        let member = cloud
            .told("describe-membership", asked)
            .map_err(|refusal| refused(&refusal))?;
        let told = match &member {
            Some(member) if place(&member.state, way) == Place::Waits => break member.group.clone(),
            Some(member) if place(&member.state, way) == Place::Past => {
                return Ok(Found::None(Report::skipped(
                    "hook-over",
                    format!(
                        "{instance} is {} in {}: no hook holds it any more.",
                        member.state, member.group
                    ),
                )));
            }
            Some(member) => (
                "not-waiting",
                format!(
                    "{instance} is {} in {} and waits in no hook.",
                    member.state, member.group
                ),
            ),
            None => (
                "not-in-group",
                format!("{instance} is a member of no auto-scaling group, or no longer."),
            ),
        };
        if job.is_cancelled() {
            return Ok(Found::None(Report::cancelled("The incident was withdrawn.")));
        }
        if job.is_stopping() {
            return Err(stopping());
        }
        if job.now() >= seen_by {
            return Ok(Found::None(Report::skipped(told.0, told.1)));
        }
        tokio::select! {
            () = tokio::time::sleep(settings.poll) => {}
            () = job.changed() => {}
        }
    };
    let asked = cloud.region.hooks(&group).await;
    let mut hooks = match cloud.told("describe-hooks", asked) {
        Ok(hooks) => hooks,
        Err(refusal @ Refusal::Missing { .. }) => {
            return Ok(Found::None(Report::skipped(
                "hook-over",
                format!("{group} is gone, and its hooks with it: {refusal}"),
            )));
        }
        Err(refusal) => return Err(refused(&refusal)),
    };
    hooks.retain(|hook| hook.transition == Some(way));
    let hook = match choose(&group, &hooks, way, params.hook.as_deref()) {
        Ok(hook) => hook,
        Err(report) => return Ok(Found::None(*report)),
    };
    let told = told_by_notices(job, way).await?;
    let mut checkpoint = Checkpoint::new(&group, hook, told.token, told.since);
    checkpoint.first_deadline = told.deadline;
    if job.is_dry_run() {
        return Ok(Found::None(report::rehearsed(&instance, &checkpoint, params)));
    }
    checkpoint.save(job).await?;
    Ok(Found::Hook(Box::new(checkpoint)))
}

/// The one of this name, or the only one: another one may be waited in by somebody else's leave.
fn choose<'a>(
    group: &str,
    hooks: &'a [Hook],
    way: Transition,
    named: Option<&str>,
) -> Result<&'a Hook, Box<Report>> {
    let of = match way {
        Transition::Launching => "launches",
        Transition::Terminating => "terminations",
    };
    let names = || {
        let names: Vec<_> = hooks.iter().map(|hook| hook.name.as_str()).collect();
        names.join(", ")
    };
    let none = match (named, hooks) {
        (None, [hook]) => return Ok(hook),
        (Some(named), _) if !hooks.is_empty() => {
            if let Some(hook) = hooks.iter().find(|hook| hook.name == named) {
                return Ok(hook);
            }
            let names = names();
            Report::failed(
                "unknown-hook",
                format!("{group} has no lifecycle hook {named} of {of}, but {names}; nothing was answered."),
            )
        }
        (_, []) => Report::skipped("no-hook", format!("{group} has no lifecycle hook of {of}.")),
        _ => Report::failed(
            "ambiguous-hook",
            format!(
                "{group} has several lifecycle hooks of {of} ({}); name one in the rule's params (hook: NAME). \
                 Nothing was answered.",
                names()
            ),
        ),
    };
    Err(Box::new(none))
}

/// What stands of the action's incident.
async fn facts(job: &Job) -> Result<Vec<proto::Fact>, Failure> {
    let action = job.action();
    let found = job
        .bus()
        .incidents()
        .get(&key::incident(&IncidentKey::from(action)))
        .await;
    let incident = found.map_err(Failure::transient)?;
    Ok(incident
        .into_iter()
        .filter(|found| found.value.generation == action.generation)
        .flat_map(|found| found.value.facts)
        .filter(|fact| fact.state == state::ACTIVE)
        .collect())
}

/// An instance goes, unless all that is said of it is that it comes.
fn way(facts: &[proto::Fact]) -> Transition {
    if !facts.is_empty() && facts.iter().all(|fact| announces_arrival(&fact.kind)) {
        Transition::Launching
    } else {
        Transition::Terminating
    }
}

/// What the notices of a wait say.
struct Told {
    /// Since when the instance waits; without any word since the first notice of all.
    since: Timestamp,
    /// Its token, where there is only one: of several nobody knows whose hook each is.
    token: Option<String>,
    /// The deadline that came with the token.
    deadline: Option<Timestamp>,
}

async fn told_by_notices(job: &Job, way: Transition) -> Result<Told, Failure> {
    let action = job.action();
    let kind = match way {
        Transition::Launching => kind::ASG_LAUNCHING,
        Transition::Terminating => kind::ASG_TERMINATING,
    };
    let mut facts = facts(job).await?;
    facts.retain(|fact| fact.kind == kind);
    let at = |time: &Option<pbjson_types::Timestamp>| time.as_ref().and_then(|at| time::from_proto(at).ok());
    let since = facts
        .iter()
        .filter_map(|fact| at(&fact.noticed_at))
        .min()
        .or_else(|| at(&action.noticed_at))
        .unwrap_or_else(|| job.now());
    let mut named = facts.into_iter().filter(|fact| !fact.event_id.is_empty());
    let only = named.next().filter(|_| named.next().is_none());
    Ok(Told {
        since: since.min(job.now()),
        deadline: only.as_ref().and_then(|fact| at(&fact.deadline)),
        token: only.map(|fact| fact.event_id),
    })
}

/// The failure of a call without which nothing can be done.
pub(crate) fn refused(refusal: &Refusal) -> Failure {
    match refusal.retry_after() {
        Some(after) => Failure::Transient {
            cause: refusal.to_string(),
            after: Some(after),
        },
        None => Failure::rejected("refused", format!("{refusal}; mend it and redrive this")),
    }
}

fn plus(at: Timestamp, by: std::time::Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or_default();
    at.saturating_add(by).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn states_of_members() {
        let check =
            |state: &str, expected| assert_eq!(place(state, Transition::Terminating), expected, "{state}");
        check("Terminating:Wait", Place::Waits);
        check("Warmed:Terminating:Wait", Place::Waits);
        check("Terminating:Proceed", Place::Past);
        check("Terminated", Place::Past);
        // Auto Scaling is about to have it wait.
        check("Terminating", Place::Elsewhere);
        check("Pending:Wait", Place::Elsewhere);
        check("InService", Place::Elsewhere);
        let check =
            |state: &str, expected| assert_eq!(place(state, Transition::Launching), expected, "{state}");
        check("Pending:Wait", Place::Waits);
        check("Warmed:Pending:Wait", Place::Waits);
        check("Pending", Place::Elsewhere);
        for past in [
            "Pending:Proceed",
            "InService",
            "Warmed:Stopped",
            "Terminating",
            "Terminating:Wait",
        ] {
            check(past, Place::Past);
        }
    }

    #[test]
    fn which_way() {
        let facts = |kinds: &[&str]| -> Vec<_> {
            let fact = |kind: &&str| proto::Fact {
                kind: (*kind).to_owned(),
                ..proto::Fact::default()
            };
            kinds.iter().map(fact).collect()
        };
        assert_eq!(way(&facts(&["asg-launching"])), Transition::Launching);
        for kinds in [
            &[][..],
            &["asg-terminating"],
            &["asg-launching", "spot-interruption"],
        ] {
            assert_eq!(way(&facts(kinds)), Transition::Terminating, "{kinds:?}");
        }
    }

    #[test]
    fn which_hook() {
        let hooks: Vec<_> = ["a", "b"]
            .map(|name| Hook {
                name: name.to_owned(),
                transition: Some(Transition::Terminating),
                heartbeat: Duration::from_secs(30),
                global: Duration::from_secs(300),
            })
            .into();
        let check = |hooks: &[Hook], named: Option<&str>, expected: Option<&str>| {
            let found = choose("g", hooks, Transition::Terminating, named)
                .ok()
                .map(|hook| hook.name.clone());
            assert_eq!(found.as_deref(), expected, "{named:?}");
        };
        check(&[], None, None);
        check(&[], Some("a"), None);
        check(&hooks[..1], None, Some("a"));
        check(&hooks, None, None);
        check(&hooks, Some("b"), Some("b"));
        check(&hooks, Some("c"), None);
    }
}
