//! `hollowtrees runs list`

use clap::Args;
use hollowtrees_bus::Bus;
use hollowtrees_schemas::{
    names::{action_state, mode, phase},
    proto,
};
use jiff::Timestamp;

use crate::{
    exit::{Exit, Failure},
    output::Output,
    records,
    table::Table,
    when,
};

/// `hollowtrees runs list`
#[derive(Clone, Debug, Args)]
pub struct List {
    /// Of this cluster only
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Of this instance only
    #[arg(long, value_name = "ID")]
    pub instance: Option<String>,
    /// Only those that have not ended
    #[arg(long)]
    pub unfinished: bool,
}

pub(super) async fn run(bus: &Bus, list: &List, output: &mut Output) -> Result<Exit, Failure> {
    let keys = records::keys(list.cluster.as_deref(), list.instance.as_deref());
    let found = records::present(bus.runs(), &keys).await?;
    for error in &found.unreadable {
        output.warn(error);
    }
    let mut runs: Vec<_> = found.records.into_values().collect();
    runs.retain(|run| !list.unfinished || run.phase != phase::FINISHED);
    runs.sort_by_cached_key(|run| {
        (
            when::of(run.started_at.as_ref()),
            run.cluster.clone(),
            run.instance.clone(),
            run.rule.clone(),
        )
    });
    if output.is_json() {
        runs.iter().try_for_each(|run| output.json(run))?;
        return Ok(Exit::Done);
    }
    if runs.is_empty() {
        output.line(if list.unfinished {
            "no unfinished runs"
        } else {
            "no runs"
        })?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        "STARTED",
        "CLUSTER",
        "INSTANCE",
        "MODE",
        "RULE",
        "CERTAINTY",
        "STATE",
        "DEADLINE",
        "ACTIONS",
    ]);
    let now = Timestamp::now();
    for run in &runs {
        table.row(row(run, now));
    }
    output.table(&table)?;
    Ok(Exit::Done)
}

fn row(run: &proto::Run, now: Timestamp) -> [String; 9] {
    let finished = run.phase == phase::FINISHED;
    let state = match run.phase.as_str() {
        phase::FINISHED => run.result.clone(),
        phase::RUNNING => format!("step {} of {}", run.step.saturating_add(1), run.steps.len()),
        other => other.to_owned(),
    };
    let deadline = when::of(run.deadline.as_ref()).map(|at| {
        if finished {
            when::text(at)
        } else {
            when::from_now(at, now)
        }
    });
    let actions: Vec<_> = run
        .actions
        .iter()
        .map(|action| match action.state.as_str() {
            action_state::DONE => format!("{}: {}", action.kind, action.result),
            other => format!("{}: {other}", action.kind),
        })
        .collect();
    [
        when::of(run.started_at.as_ref())
            .map(when::text)
            .unwrap_or_default(),
        run.cluster.clone(),
        run.instance.clone(),
        mode::or_live(&run.mode).to_owned(),
        run.rule.clone(),
        run.certainty.clone(),
        state,
        deadline.unwrap_or_default(),
        actions.join(", "),
    ]
}
