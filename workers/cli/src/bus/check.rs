//! `hollowtrees bus check`

use clap::Args;
use hollowtrees_bus::{
    Bus,
    apply::{self, Weight},
};

use super::{Declared, declared::Json};
use crate::{
    exit::{Exit, Failure},
    output::Output,
};

/// `hollowtrees bus check`
#[derive(Clone, Debug, Default, Args)]
pub struct Check {
    /// What is declared.
    #[command(flatten)]
    pub declared: Declared,
    /// Leave out sizes and copies, which an operator may choose otherwise; workers do not look at them either
    #[arg(long)]
    pub ignore_sizing: bool,
}

pub(super) async fn run(bus: &Bus, check: &Check, output: &mut Output) -> Result<Exit, Failure> {
    let profile = check.declared.profile(bus).await?;
    let mut found = apply::check(bus, profile, &check.declared.consumers()).await?;
    found.retain(|difference| !check.ignore_sizing || difference.weight > Weight::Sizing);
    if output.is_json() {
        let differences: Vec<Json<'_>> = found.iter().map(Json::from).collect();
        output.json(&serde_json::json!({ "differences": differences, "replicas": profile.replicas }))?;
    } else {
        for difference in &found {
            let note = match difference.weight {
                Weight::Sizing => " (a matter of size)",
                Weight::Meaning => "",
                Weight::Fixed => " (cannot be changed in place)",
            };
            output.line(format!("{difference}{note}"))?;
        }
        output.line(match found.len() {
            0 => "everything is as declared".to_owned(),
            1 => "1 difference; `hollowtrees bus apply` with the same flags removes it".to_owned(),
            many => format!("{many} differences; `hollowtrees bus apply` with the same flags removes them"),
        })?;
    }
    Ok(if found.is_empty() {
        Exit::Done
    } else {
        Exit::Negative
    })
}
