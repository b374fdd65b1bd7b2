//! `hollowtrees rules`: try rules without a router. Needs no bus.

mod check;
mod explain;

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use hollowtrees_domain::rule::{Rule, Rules};

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

pub use explain::Explain;

/// `hollowtrees rules ...`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say whether a router would take a file of rules, and every mistake in it
    Check(Check),
    /// Say what each rule makes of a notice, and why; exit code 1 if none applies
    Explain(Box<Explain>),
}

/// `hollowtrees rules check`
#[derive(Clone, Debug, Args)]
pub struct Check {
    /// YAML file of rules; - reads standard input
    pub file: PathBuf,
}

pub(crate) fn run(command: &Command, output: &mut Output) -> Result<Exit, Failure> {
    match command {
        Command::Check(check) => check::run(check, output),
        Command::Explain(explain) => explain::run(explain, output),
    }
}

/// A text file, or standard input for `-`.
fn read(path: &Path) -> Result<String, Failure> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}

fn parse(path: &Path) -> Result<Result<Rules, hollowtrees_domain::rule::RuleErrors>, Failure> {
    Ok(Rules::parse(&read(path)?, &path.display().to_string()))
}

/// What a rule does: the kinds of action of each step.
fn steps(rule: &Rule) -> Vec<Vec<&str>> {
    rule.steps
        .iter()
        .map(|step| step.actions.iter().map(|action| action.kind.as_str()).collect())
        .collect()
}

/// The steps in one line: `drain + asg-swap, then notify`.
fn plan(rule: &Rule) -> String {
    let steps: Vec<_> = steps(rule).iter().map(|kinds| kinds.join(" + ")).collect();
    if steps.is_empty() {
        "records only".to_owned()
    } else {
        steps.join(", then ")
    }
}
