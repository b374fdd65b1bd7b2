//! `hollowtrees rules explain`

use std::path::PathBuf;

use clap::Args;
use hollowtrees_domain::{
    notice::Notice,
    rule::{Candidate, Explanation, Rules},
};
use hollowtrees_schemas::{
    codec::Wire,
    envelope::{self, Envelope},
    proto,
};
use jiff::Timestamp;
use serde::Serialize;

use super::{plan, steps};
use crate::{
    exit::{Exit, Failure},
    notice::Facts,
    output::Output,
};

/// Cluster and instance of a notice that was given none.
const EXAMPLE: (&str, &str) = ("example", "i-0example");

/// `hollowtrees rules explain`
#[derive(Clone, Debug, Args)]
pub struct Explain {
    /// YAML file of rules; - reads standard input
    #[arg(required_unless_present = "default")]
    pub file: Option<PathBuf>,
    /// The rules of a router that is given none
    #[arg(long, conflicts_with = "file")]
    pub default: bool,
    /// A notice as JSON, the data alone or a structured CloudEvent, instead of the flags below; - reads standard
    /// input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["Facts", "cluster", "instance"])]
    pub notice: Option<PathBuf>,
    /// Cluster of the instance
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// The provider's unique id of the instance
    #[arg(long, value_name = "ID")]
    pub instance: Option<String>,
    /// What the notice says.
    #[command(flatten)]
    pub facts: Facts,
}

#[derive(Debug, Serialize)]
struct Json<'a> {
    rule: &'a str,
    applies: bool,
    reasons: Vec<&'a str>,
    steps: Vec<Vec<&'a str>>,
}

pub(super) fn run(explain: &Explain, output: &mut Output) -> Result<Exit, Failure> {
    let rules = match &explain.file {
        Some(path) => super::parse(path)?.map_err(|errors| Failure::negative(errors.to_string()))?,
        None => Rules::default_rules(),
    };
    let now = Timestamp::now();
    let envelope = explain.envelope(now)?;
    let attributes = envelope.attributes();
    let notice = Notice::parse(envelope.data, &envelope.source, now)
        .map_err(|invalid| Failure::negative(format!("a router would refuse this notice: {invalid}")))?;
    let candidate = Candidate {
        attributes: &attributes,
        notice: &notice,
    };
    let explained = rules.explain(&candidate);
    if output.is_json() {
        let told: Vec<_> = explained.iter().map(|found| json(&rules, found)).collect();
        output.json(&serde_json::json!({ "notice": notice.message, "rules": told }))?;
    } else {
        for found in &explained {
            tell(&rules, found, output)?;
        }
        if explained.is_empty() {
            output.line("there are no rules: every notice is recorded only")?;
        }
    }
    let applies = explained.iter().any(|found| found.matched);
    Ok(if applies { Exit::Done } else { Exit::Negative })
}

impl Explain {
    fn envelope(&self, now: Timestamp) -> Result<Envelope<proto::Notice>, Failure> {
        let Some(path) = &self.notice else {
            let cluster = self.cluster.as_deref().unwrap_or(EXAMPLE.0);
            let instance = self.instance.as_deref().unwrap_or(EXAMPLE.1);
            let notice = self.facts.notice(cluster, instance, now);
            return Ok(envelope::notice(
                notice,
                envelope::source(&["hollowtrees", cluster, "cli"]),
            ));
        };
        let text = super::read(path)?;
        let bad = |what: String| Failure::usage(format!("{} is no notice: {what}", path.display()));
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        if value.get("specversion").is_some() {
            let wire = Wire {
                headers: Vec::new(),
                body: text.into(),
            };
            return Envelope::decode(&wire).map_err(|error| bad(error.to_string()));
        }
        let notice: proto::Notice = serde_json::from_value(value).map_err(|error| bad(error.to_string()))?;
        let source = envelope::source(&["hollowtrees", &notice.cluster, "cli"]);
        Ok(envelope::notice(notice, source))
    }
}

fn tell(rules: &Rules, found: &Explanation, output: &mut Output) -> Result<(), Failure> {
    if found.matched {
        let does = rules.get(&found.rule).map(plan).unwrap_or_default();
        return output.line(format!("{}: applies: {does}", found.rule));
    }
    output.line(format!("{}: does not apply", found.rule))?;
    found
        .reasons
        .iter()
        .try_for_each(|reason| output.line(format!("    {}", reason.text)))
}

fn json<'a>(rules: &'a Rules, found: &'a Explanation) -> Json<'a> {
    Json {
        rule: &found.rule,
        applies: found.matched,
        reasons: found.reasons.iter().map(|reason| reason.text.as_str()).collect(),
        steps: rules.get(&found.rule).map(steps).unwrap_or_default(),
    }
}
