//! The story for a person.

use hollowtrees_schemas::{
    names::{action_state, mode, phase, state},
    proto,
};
use jiff::Timestamp;

use super::{Episode, Pods, Story};
use crate::{exit::Failure, line, output::Output, table::Table, when};

/// Pods of a drain that are shown where not all are asked for.
const SOME_PODS: usize = 20;

/// How much of a story is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// The first pods of each drain, those with trouble before all others.
    #[default]
    SomePods,
    /// All pods of each drain.
    AllPods,
}

/// Prints a story. `now`: for how far away deadlines are.
///
/// # Errors
/// It cannot be printed.
pub fn tell(story: &Story, now: Timestamp, shown: Shown, output: &mut Output) -> Result<(), Failure> {
    let mut first = true;
    for episode in &story.episodes {
        if !std::mem::take(&mut first) {
            output.line("")?;
        }
        head(episode, now, output)?;
        timeline(episode, output)?;
        for run in &episode.runs {
            tell_run(episode, run, shown, output)?;
        }
        let asked_for = episode
            .incident
            .as_ref()
            .map_or(0, |incident| incident.runs.len());
        if episode.incident.is_some() && asked_for == 0 && episode.runs.is_empty() {
            output.line("  no run: no rule applied; `hollowtrees rules explain` says why")?;
        }
    }
    if !story.loose.is_empty() {
        if !first {
            output.line("")?;
        }
        output.line(format!("of {}, in no incident:", story.instance))?;
        for event in &story.loose {
            output.line(format!(
                "  {}  {:<10}  {}: {}",
                when::text(event.stored_at),
                line::label(event),
                event.cluster,
                line::text(event, event.stored_at)
            ))?;
        }
    }
    for trouble in &story.troubles {
        output.warn(trouble);
    }
    Ok(())
}

fn head(episode: &Episode, now: Timestamp, output: &mut Output) -> Result<(), Failure> {
    let key = &episode.key;
    let mut title = format!("{} in {}", key.instance(), key.cluster());
    if key.mode() != mode::LIVE {
        title = format!("{title} (mode {})", key.mode());
    }
    if episode.generation > 1 {
        title = format!("{title}, generation {}", episode.generation);
    }
    let Some(incident) = &episode.incident else {
        output.line(format!("{title}: no incident"))?;
        return if episode.runs.is_empty() {
            output.line("  no router has taken it up; is one running?")
        } else {
            Ok(())
        };
    };
    output.line(format!("{title}: {}, {}", incident.state, incident.certainty))?;
    let known = about(incident.target.as_ref());
    if !known.is_empty() {
        output.line(format!("  instance      {known}"))?;
    }
    let zero = episode.zero;
    let begin = if episode.begins_with_notice {
        "first notice"
    } else {
        "first known"
    };
    output.line(format!("  {begin:<12}  {}", when::text(zero)))?;
    if let Some(deadline) = when::of(incident.deadline.as_ref()) {
        let far = if incident.state == state::OPEN {
            format!(", {}", when::from_now(deadline, now))
        } else {
            String::new()
        };
        output.line(format!(
            "  deadline      {} ({}{far})",
            when::text(deadline),
            when::after(deadline, zero)
        ))?;
    }
    if incident.facts_dropped > 0 {
        output.line(format!(
            "  {} facts more than a record holds",
            incident.facts_dropped
        ))?;
    }
    Ok(())
}

fn about(target: Option<&proto::Target>) -> String {
    let Some(target) = target else {
        return String::new();
    };
    let place = if target.zone.is_empty() {
        &target.region
    } else {
        &target.zone
    };
    let named = [
        ("", &target.provider),
        ("account ", &target.account),
        ("", place),
        ("", &target.instance_type),
        ("node ", &target.node),
        ("group ", &target.group),
    ];
    let known: Vec<_> = named
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}{value}"))
        .collect();
    known.join(", ")
}

fn timeline(episode: &Episode, output: &mut Output) -> Result<(), Failure> {
    let zero = episode.zero;
    let times: Vec<_> = episode
        .events
        .iter()
        .map(|event| when::after(event.stored_at, zero))
        .collect();
    let width = times.iter().map(String::len).max().unwrap_or(0);
    if times.is_empty() {
        return output.line("  the streams no longer have its messages; this is what the records say:");
    }
    for (event, time) in episode.events.iter().zip(times) {
        output.line(format!(
            "  {time:>width$}  {:<10}  {}",
            line::label(event),
            line::text(event, zero)
        ))?;
    }
    Ok(())
}

fn tell_run(episode: &Episode, run: &proto::Run, shown: Shown, output: &mut Output) -> Result<(), Failure> {
    let zero = episode.zero;
    let started_at = when::of(run.started_at.as_ref());
    let ended = when::of(run.finished_at.as_ref())
        .zip(started_at)
        .map(|(ended, started)| format!(" after {}", when::span(ended.duration_since(started))))
        .unwrap_or_default();
    let stands = match run.phase.as_str() {
        phase::FINISHED => format!("{}{ended}", run.result),
        phase::RUNNING => format!(
            "running, step {} of {}",
            run.step.saturating_add(1),
            run.steps.len()
        ),
        other => other.to_owned(),
    };
    output.line(format!("  run {} ({}): {stands}", run.rule, run.certainty))?;
    let width = run
        .actions
        .iter()
        .map(|action| action.kind.chars().count())
        .max()
        .unwrap_or(0);
    for action in &run.actions {
        output.line(format!(
            "    {:<width$}  {}",
            action.kind,
            action_text(episode, action, zero)
        ))?;
        if let Some(pods) = Pods::of(episode, &action.id) {
            tell_pods(&pods, shown, output)?;
        }
    }
    Ok(())
}

fn tell_pods(pods: &Pods, shown: Shown, output: &mut Output) -> Result<(), Failure> {
    let rows = pods.rows();
    let most = match shown {
        Shown::SomePods => SOME_PODS,
        Shown::AllPods => usize::MAX,
    };
    let more = rows.len().saturating_sub(most);
    let mut table = Table::new(&["POD", "RESULT", "WHY"]);
    rows.into_iter().take(most).for_each(|row| table.row(row));
    let lines = table.rows();
    for line in lines.iter().filter(|_| lines.len() > 1) {
        output.line(format!("      {line}"))?;
    }
    if more > 0 {
        output.line(format!("      and {more} more; `--all-pods` shows them"))?;
    }
    let unnamed = pods.unnamed();
    if !unnamed.is_empty() {
        output.line(format!(
            "      and so many that the outcome does not name: {unnamed}"
        ))?;
    }
    Ok(())
}

fn action_text(episode: &Episode, action: &proto::ActionState, zero: Timestamp) -> String {
    let at = |field: Option<&pbjson_types::Timestamp>| {
        when::of(field).map_or_else(String::new, |at| format!(" {}", when::after(at, zero)))
    };
    match action.state.as_str() {
        action_state::DONE => {
            let mut text = format!("{}{}", action.result, at(action.ended_at.as_ref()));
            for more in [&action.reason, &action.message] {
                if !more.is_empty() {
                    text = format!("{text}, {more}");
                }
            }
            text
        }
        action_state::PUBLISHED => episode.standings.get(&action.id).map_or_else(
            || format!("published{}", at(action.published_at.as_ref())),
            |standing| standing.text(&action.kind, zero),
        ),
        _ => {
            let start = at(action.start_at.as_ref());
            if start.is_empty() {
                "waits for the step before it".to_owned()
            } else {
                format!("planned for{start}")
            }
        }
    }
}
