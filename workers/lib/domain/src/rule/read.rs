//! A file of rules from its tree.

use hollowtrees_schemas::id::Hash;
use hollowtrees_schemas::proto;

use super::error::{RuleError, RuleErrors};
use super::reader::{Map, Reader, line};
use super::tree::Node;
use super::{Rule, read_filter, read_step, tree};
use crate::limits::{ACTIONS_MAX, NAME_BYTES_MAX, PLAN_BYTES_MAX, RULES_MAX};
use crate::run::{PlannedAction, PlannedStep};
use crate::words::Effect;

/// Reads all rules, or tells all mistakes.
pub(super) fn rules(text: &str, file: &str) -> Result<Vec<Rule>, RuleErrors> {
    let root = tree::parse(text).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        let problem = format!(
            "expected YAML: {}",
            crate::record::cut(&error.without_snippet().to_string(), 300)
        );
        RuleErrors(vec![RuleError {
            file: file.to_owned(),
            line,
            key: String::new(),
            problem,
        }])
    })?;
    let mut reader = Reader::new(file);
    let rules = read_root(&mut reader, &root).unwrap_or_default();
    reader.finish(rules)
}

fn read_root(reader: &mut Reader<'_>, root: &Node) -> Option<Vec<Rule>> {
    let root = reader.map(
        root,
        "",
        "a mapping with `version: 1` and `rules`",
        &["version", "rules"],
    )?;
    match root.get("version") {
        Some((node, _)) if matches!(node.value, tree::Value::Number(version, _) if version == 1.0) => {}
        Some((node, key)) => reader.expected(node, &key, "1"),
        None => reader.error(root.line, "version", "expected `version: 1`, found nothing"),
    }
    let Some((node, key)) = root.get("rules") else {
        reader.error(
            root.line,
            "rules",
            "expected a list of rules (`[]` for none), found nothing",
        );
        return None;
    };
    let list = reader.list(node, &key, "a list of rules")?;
    if list.len() > RULES_MAX {
        reader.error(
            line(node),
            &key,
            format!("expected at most {RULES_MAX} rules, found {}", list.len()),
        );
        return None;
    }
    let mut rules: Vec<Rule> = Vec::with_capacity(list.len());
    for (at, node) in list.iter().enumerate() {
        let key = format!("{key}[{at}]");
        if let Some(rule) = read_rule(reader, node, &key) {
            if rules.iter().any(|other| other.name == rule.name) {
                let problem = format!("expected a name of its own, found a second `{}`", rule.name);
                reader.error(line(node), &format!("{key}.name"), problem);
            }
            rules.push(rule);
        }
    }
    Some(rules)
}

fn read_rule(reader: &mut Reader<'_>, node: &Node, key: &str) -> Option<Rule> {
    const KEYS: [&str; 5] = ["name", "description", "match", "steps", "on_cancel"];
    let map = reader.map(node, key, "a rule: a mapping with name, match and steps", &KEYS)?;
    if map.get("name").is_none() {
        reader.error(map.line, &format!("{key}.name"), "expected a name, found nothing");
    }
    let name = reader.parsed(&map, "name", "a name", |text| token(text, "a name"));
    let description = reader
        .parsed(&map, "description", "a text", |text| {
            Ok::<_, String>(text.to_owned())
        })
        .unwrap_or_default();
    let filter = match map.get("match") {
        Some((node, key)) => read_filter::filter(reader, node, &key),
        None => {
            let problem = "expected a filter, found nothing; `match: { all: [] }` matches every notice";
            reader.error(map.line, &format!("{key}.match"), problem);
            None
        }
    };
    let steps = read_step::steps(reader, &map);
    let on_cancel = read_step::on_cancel(reader, &map);
    check_plan(reader, &map, &steps, &on_cancel);
    let (name, filter) = (name?, filter?);
    let version = version(&name, &filter.to_string(), &steps, &on_cancel);
    Some(Rule {
        name,
        description,
        filter,
        steps,
        on_cancel,
        version,
    })
}

/// A name that goes into subjects, keys and metric labels as it is.
pub(super) fn token(text: &str, what: &str) -> Result<String, String> {
    let good = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if good && (1..=NAME_BYTES_MAX).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "expected {what} of 1 to {NAME_BYTES_MAX} letters, digits, `-` and `_`, found `{text}`"
    ))
}

/// Refuses plans whose run could outgrow its record, and those that ask twice
/// for what exists once.
fn check_plan(reader: &mut Reader<'_>, map: &Map<'_>, steps: &[PlannedStep], on_cancel: &[PlannedAction]) {
    let actions: Vec<_> = steps
        .iter()
        .flat_map(|step| &step.actions)
        .chain(on_cancel)
        .collect();
    if actions.len() > ACTIONS_MAX {
        let problem = format!(
            "expected at most {ACTIONS_MAX} actions in all steps, found {}",
            actions.len()
        );
        reader.error(map.line, &map.key, problem);
    }
    for (at, action) in actions.iter().enumerate() {
        let twice = actions.iter().take(at).any(|earlier| earlier.kind == action.kind);
        if twice && action.effect == Effect::PerInstance {
            let kind = &action.kind;
            let problem = format!(
                "expected `{kind}` once: it exists once an instance; `effect: per-action` makes each place its own"
            );
            reader.error(map.line, &map.key, problem);
        }
    }
    let size = plan_text(steps, on_cancel).len();
    if size > PLAN_BYTES_MAX {
        let problem =
            format!("expected a plan of at most {PLAN_BYTES_MAX} bytes with its params, found {size}");
        reader.error(map.line, &map.key, problem);
    }
}

/// The plan as proto3-JSON, keys sorted: the same plan gives the same text.
fn plan_text(steps: &[PlannedStep], on_cancel: &[PlannedAction]) -> String {
    let steps: Vec<proto::PlannedStep> = steps.iter().map(Into::into).collect();
    let on_cancel: Vec<proto::PlannedAction> = on_cancel.iter().map(Into::into).collect();
    // The messages have no map with keys that are no text, so it cannot fail.
    serde_json::to_string(&(steps, on_cancel)).unwrap_or_default()
}

fn version(name: &str, filter: &str, steps: &[PlannedStep], on_cancel: &[PlannedAction]) -> String {
    Hash::new("rule")
        .field(name)
        .field(filter)
        .field(plan_text(steps, on_cancel))
        .finish()
}
