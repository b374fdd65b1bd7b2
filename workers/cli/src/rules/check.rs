//! `hollowtrees rules check`

use serde::Serialize;

use super::{Check, plan, steps};
use crate::{
    exit::{Exit, Failure},
    output::Output,
};

#[derive(Debug, Serialize)]
struct Mistake<'a> {
    file: &'a str,
    line: u64,
    key: &'a str,
    problem: &'a str,
}

pub(super) fn run(check: &Check, output: &mut Output) -> Result<Exit, Failure> {
    let file = check.file.display().to_string();
    match super::parse(&check.file)? {
        Ok(rules) => {
            let rules = rules.as_slice();
            if output.is_json() {
                let rules: Vec<_> = rules
                    .iter()
                    .map(|rule| serde_json::json!({ "rule": rule.name, "steps": steps(rule) }))
                    .collect();
                output.json(&serde_json::json!({ "file": file, "valid": true, "rules": rules }))?;
            } else {
                for rule in rules {
                    output.line(format!("{}: {}", rule.name, plan(rule)))?;
                }
                output.line(format!("{file}: {} rules, no mistakes", rules.len()))?;
            }
            Ok(Exit::Done)
        }
        Err(errors) => {
            if output.is_json() {
                let mistakes: Vec<_> = errors
                    .0
                    .iter()
                    .map(|error| Mistake {
                        file: &error.file,
                        line: error.line,
                        key: &error.key,
                        problem: &error.problem,
                    })
                    .collect();
                output.json(&serde_json::json!({ "file": file, "valid": false, "mistakes": mistakes }))?;
            } else {
                output.lines(&errors.to_string())?;
            }
            Ok(Exit::Negative)
        }
    }
}
