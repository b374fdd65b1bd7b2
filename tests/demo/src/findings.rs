//! What was asked for, and what the servers say of it at the end.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use hollowtrees_harness::try_eventually;
use hollowtrees_schemas::{
    names::{kind, result},
    proto,
};
use hollowtrees_stage::machines;
use serde_json::Value;

use crate::{
    Arguments, Scenario,
    stage::{NAMESPACE, Stage},
    story::Outcomes,
};

/// What was heard while it happened.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) notices: usize,
    pub(crate) progress: usize,
    pub(crate) finished: usize,
    pub(crate) results: BTreeMap<String, usize>,
    pub(crate) outcomes: Outcomes,
}

/// Prints the table; whether all of it is true.
pub(crate) async fn check(stage: &Stage, arguments: &Arguments, told: &Told) -> Result<bool> {
    let nodes = usize::from(arguments.nodes);
    let replicas = nodes * usize::from(arguments.pods);
    let mut table = Table::default();
    println!("\n{:<52} {:>10} {:>10}", "asked for", "wanted", "found");

    let mut cordoned = 0;
    for node in &stage.going {
        let found = stage
            .rig
            .kubernetes
            .get(&format!("/api/v1/nodes/{}", node.machine.node))
            .await?;
        let taints = found["spec"]["taints"].as_array().cloned().unwrap_or_default();
        let ours = taints
            .iter()
            .any(|taint| taint["key"] == "hollowtrees.io/terminating");
        cordoned += usize::from(found["spec"]["unschedulable"] == true && ours);
    }
    table.row("nodes cordoned and tainted (API server)", nodes, cordoned);

    let on_going = |pods: &[Value]| {
        let of_going = |pod: &&Value| {
            stage
                .going
                .iter()
                .any(|node| pod["spec"]["nodeName"] == node.machine.node.as_str())
        };
        pods.iter().filter(of_going).count()
    };
    table.row(
        "pods left on them (API server)",
        0,
        on_going(&stage.pods().await?),
    );

    // Their deployment makes new ones elsewhere: that is the API server's work, and takes it a moment.
    let moved = machines::running(
        &stage.rig.kubernetes,
        NAMESPACE,
        replicas,
        Duration::from_secs(60),
    );
    let running = if moved.await.is_ok() {
        replicas
    } else {
        stage
            .pods()
            .await?
            .iter()
            .filter(|pod| pod["status"]["phase"] == "Running")
            .count()
    };
    table.row("pods running elsewhere (API server)", replicas, running);

    table.row("notices stored (HT_NOTICES)", nodes, told.notices);
    let finals = told
        .outcomes
        .values()
        .flatten()
        .filter(|outcome| !outcome.late)
        .count();
    table.row(
        "actions with exactly one outcome (HT_OUTCOMES)",
        2 * nodes,
        finals,
    );
    for (what, kind) in [
        ("drains that succeeded (HT_OUTCOMES)", kind::DRAIN),
        ("swaps that succeeded (HT_OUTCOMES)", kind::ASG_SWAP),
    ] {
        let succeeded =
            |outcome: &&proto::Outcome| outcome.kind == kind && outcome.result == result::SUCCEEDED;
        let found = told.outcomes.values().flatten().filter(succeeded).count();
        table.row(what, nodes, found);
    }
    table.row(
        "runs finished (ht_runs)",
        nodes,
        told.results.get(result::SUCCEEDED).copied().unwrap_or(0),
    );
    let dead = stage
        .rig
        .bus
        .dead_range()
        .await?
        .map_or(0, |(first, last)| last + 1 - first);
    table.row("dead letters (HT_DEAD)", 0, usize::try_from(dead)?);
    replaced(stage, &mut table).await?;
    let counted = counted(stage, 2 * nodes).await;
    table.row("outcomes counted (metrics worker)", 2 * nodes, counted);
    if arguments.scenario == Scenario::BlockedBudget {
        // The first ones are deleted past the budget; once their successors run, it lets the others be evicted.
        let all = |list| {
            told.outcomes
                .values()
                .flatten()
                .map(|outcome| listed(outcome, list))
                .sum::<usize>()
        };
        table.row(
            "pods evicted or deleted past the budget (outcomes)",
            replicas,
            all("evicted") + all("forced"),
        );
        table.row(
            "some of them past the budget, 1 = yes (outcomes)",
            1,
            usize::from(all("forced") > 0),
        );
    }
    Ok(table.all_true)
}

/// What EC2 and Auto Scaling say of the group.
async fn replaced(stage: &Stage, table: &mut Table) -> Result<()> {
    let (before, now) = (&stage.group, stage.group_now().await?);
    let gone = |id: &str| now.members.iter().all(|(member, _)| member != id);
    let out = stage
        .going
        .iter()
        .filter(|going| gone(&going.machine.instance))
        .count();
    table.row(
        "instances out of their group (Auto Scaling)",
        stage.going.len(),
        out,
    );
    let new = now
        .members
        .iter()
        .filter(|(id, state)| state == "InService" && before.members.iter().all(|(member, _)| member != id))
        .count();
    table.row("replacements in service (Auto Scaling)", stage.going.len(), new);
    let unlike = usize::from(now.sizes != before.sizes);
    table.row("sizes of the group that changed (Auto Scaling)", 0, unlike);
    Ok(())
}

/// Outcomes that the metrics worker has counted; it may be a moment behind.
async fn counted(stage: &Stage, wanted: usize) -> usize {
    let look = || async {
        let text = stage.metrics.metrics().await.map_err(|error| error.to_string())?;
        let sum: f64 = text
            .lines()
            .filter(|line| line.starts_with("hollowtrees_outcomes_total{"))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum();
        if sum == wanted as f64 {
            Ok(())
        } else {
            Err(sum.to_string())
        }
    };
    match try_eventually("the outcomes to be counted", Duration::from_secs(15), look).await {
        Ok(()) => wanted,
        Err(late) => late.last.parse().unwrap_or(0),
    }
}

/// Entries of a list in an outcome's detail.
fn listed(outcome: &proto::Outcome, name: &str) -> usize {
    let detail = serde_json::to_value(&outcome.detail).unwrap_or_default();
    detail[name].as_array().map_or(0, Vec::len)
}

struct Table {
    all_true: bool,
}

impl Default for Table {
    fn default() -> Self {
        Self { all_true: true }
    }
}

impl Table {
    fn row(&mut self, what: &str, wanted: usize, found: usize) {
        let verdict = if wanted == found { "" } else { "  <- NOT AS ASKED" };
        println!("{what:<52} {wanted:>10} {found:>10}{verdict}");
        self.all_true &= wanted == found;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_that_is_not_as_asked_makes_all_untrue() {
        let mut table = Table::default();
        table.row("drained", 2, 2);
        assert!(table.all_true);
        table.row("replaced", 2, 1);
        table.row("counted", 2, 2);
        assert!(!table.all_true);
    }
}
