//! What was asked for, and what the servers say of it at the end.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use hollowtrees_harness::try_eventually;
use hollowtrees_schemas::{names::result, proto};
use serde_json::Value;

use crate::{
    Arguments, Scenario,
    stage::{Stage, pods_path},
    story::Outcomes,
};

/// What was heard while it happened.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) notices: usize,
    pub(crate) cordoned: usize,
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
            .kubernetes
            .get(&format!("/api/v1/nodes/{}", node.name))
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
                .any(|node| pod["spec"]["nodeName"] == node.name.as_str())
        };
        pods.iter().filter(of_going).count()
    };
    table.row(
        "pods left on them (API server)",
        0,
        on_going(&stage.pods().await?),
    );

    // Their deployment makes new ones elsewhere: that is the API server's work, and takes it a moment.
    let running = try_eventually("the pods to run elsewhere", Duration::from_secs(60), || async {
        let pods = stage
            .kubernetes
            .list(&pods_path())
            .await
            .map_err(|error| error.to_string())?;
        let running = pods
            .iter()
            .filter(|pod| pod["status"]["phase"] == "Running")
            .count();
        if running == replicas {
            Ok(running)
        } else {
            Err(running.to_string())
        }
    })
    .await
    .unwrap_or(0);
    table.row("pods running elsewhere (API server)", replicas, running);

    table.row("notices stored (HT_NOTICES)", nodes, told.notices);
    let finals = told
        .outcomes
        .values()
        .flatten()
        .filter(|outcome| !outcome.late)
        .count();
    table.row("actions with exactly one outcome (HT_OUTCOMES)", nodes, finals);
    let drained = told
        .outcomes
        .values()
        .flatten()
        .filter(|outcome| outcome.result == result::SUCCEEDED)
        .count();
    table.row("drains that succeeded (HT_OUTCOMES)", nodes, drained);
    table.row(
        "runs finished (ht_runs)",
        nodes,
        told.results.get(result::SUCCEEDED).copied().unwrap_or(0),
    );
    let dead = stage
        .bus
        .dead_range()
        .await?
        .map_or(0, |(first, last)| last + 1 - first);
    table.row("dead letters (HT_DEAD)", 0, usize::try_from(dead)?);
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
