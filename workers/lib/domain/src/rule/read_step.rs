//! The steps of a rule and their actions.

use jiff::SignedDuration;
use pbjson_types::value::Kind;
use pbjson_types::{ListValue, Struct};

use super::default_effect;
use super::read::token;
use super::reader::{Map, Reader, line};
use super::tree::{Node, Value};
use crate::duration;
use crate::limits::STEPS_MAX;
use crate::run::{PlannedAction, PlannedStep};
use crate::words::{OnFailure, WhenExpired};

const STEP_KEYS: [&str; 8] = [
    "name",
    "actions",
    "before_deadline",
    "on_failure",
    "on_skipped",
    "expired",
    "deadline_reserve",
    "timeout",
];
const ACTION_KEYS: [&str; 6] = [
    "kind",
    "params",
    "effect",
    "expired",
    "deadline_reserve",
    "timeout",
];

/// What an action takes from its step where it does not say itself.
#[derive(Clone, Copy, Default)]
struct Inherited {
    expired: Option<WhenExpired>,
    deadline_reserve: Option<SignedDuration>,
    timeout: Option<SignedDuration>,
}

impl Inherited {
    fn read(reader: &mut Reader<'_>, map: &Map<'_>, from: Self) -> Self {
        Self {
            expired: reader
                .parsed(map, "expired", "`skip` or `run`", str::parse)
                .or(from.expired),
            deadline_reserve: read_duration(reader, map, "deadline_reserve").or(from.deadline_reserve),
            timeout: read_duration(reader, map, "timeout").or(from.timeout),
        }
    }
}

/// The `steps` of a rule; none where it has none.
pub(super) fn steps(reader: &mut Reader<'_>, rule: &Map<'_>) -> Vec<PlannedStep> {
    let Some((node, key)) = rule.get("steps") else {
        return Vec::new();
    };
    let Some(list) = reader.list(node, &key, "a list of steps") else {
        return Vec::new();
    };
    if list.len() > STEPS_MAX {
        reader.error(
            line(node),
            &key,
            format!("expected at most {STEPS_MAX} steps, found {}", list.len()),
        );
        return Vec::new();
    }
    list.iter()
        .enumerate()
        .filter_map(|(at, node)| step(reader, node, &format!("{key}[{at}]")))
        .collect()
}

/// The `on_cancel` of a rule; none where it has none.
pub(super) fn on_cancel(reader: &mut Reader<'_>, rule: &Map<'_>) -> Vec<PlannedAction> {
    let Some((node, key)) = rule.get("on_cancel") else {
        return Vec::new();
    };
    actions(reader, node, &key, Inherited::default())
}

fn step(reader: &mut Reader<'_>, node: &Node, key: &str) -> Option<PlannedStep> {
    let map = reader.map(node, key, "a step: a mapping with `actions`", &STEP_KEYS)?;
    let name = reader
        .parsed(&map, "name", "a name", |text| token(text, "a name"))
        .unwrap_or_default();
    let before_deadline = read_duration(reader, &map, "before_deadline");
    let on_failure = reader.parsed(&map, "on_failure", "`continue` or `stop`", str::parse);
    let on_skipped = reader.parsed(&map, "on_skipped", "`continue` or `stop`", str::parse);
    let inherited = Inherited::read(reader, &map, Inherited::default());
    let Some((node, key)) = map.get("actions") else {
        reader.error(
            map.line,
            &format!("{key}.actions"),
            "expected a list of actions, found nothing",
        );
        return None;
    };
    let actions = actions(reader, node, &key, inherited);
    Some(PlannedStep {
        name,
        actions,
        before_deadline,
        on_failure: on_failure.unwrap_or(OnFailure::Stop),
        on_skipped: on_skipped.unwrap_or(OnFailure::Continue),
    })
}

fn actions(reader: &mut Reader<'_>, node: &Node, key: &str, inherited: Inherited) -> Vec<PlannedAction> {
    let Some(list) = reader.list(node, key, "a list of actions") else {
        return Vec::new();
    };
    if list.is_empty() {
        reader.error(line(node), key, "expected at least one action, found `[]`");
    }
    let read = |(at, node)| action(reader, node, &format!("{key}[{at}]"), inherited);
    list.iter().enumerate().filter_map(read).collect()
}

/// An action: a mapping, or its kind alone.
fn action(reader: &mut Reader<'_>, node: &Node, key: &str, inherited: Inherited) -> Option<PlannedAction> {
    if let Value::Text(text) = &node.value {
        let kind = token(text, "a kind")
            .map_err(|problem| reader.error(line(node), key, problem))
            .ok()?;
        return Some(planned(kind, Struct::default(), None, inherited));
    }
    let map = reader.map(
        node,
        key,
        "an action: its kind, or a mapping with `kind`",
        &ACTION_KEYS,
    )?;
    if map.get("kind").is_none() {
        reader.error(
            map.line,
            &format!("{key}.kind"),
            "expected a kind like `drain`, found nothing",
        );
    }
    let kind = reader.parsed(&map, "kind", "a kind", |text| token(text, "a kind"));
    let effect = reader.parsed(&map, "effect", "`per-instance` or `per-action`", str::parse);
    let inherited = Inherited::read(reader, &map, inherited);
    let params = match map.get("params") {
        Some((node, key)) => params(reader, node, &key),
        None => Struct::default(),
    };
    Some(planned(kind?, params, effect, inherited))
}

fn planned(
    kind: String,
    params: Struct,
    effect: Option<crate::words::Effect>,
    inherited: Inherited,
) -> PlannedAction {
    PlannedAction {
        effect: effect.unwrap_or_else(|| default_effect(&kind)),
        kind,
        params,
        deadline_reserve: inherited.deadline_reserve.unwrap_or_default(),
        when_expired: inherited.expired.unwrap_or(WhenExpired::Skip),
        timeout: inherited.timeout,
    }
}

fn read_duration(reader: &mut Reader<'_>, map: &Map<'_>, name: &str) -> Option<SignedDuration> {
    reader.parsed(map, name, "a duration like `30s` or `1h30m`", duration::parse)
}

fn params(reader: &mut Reader<'_>, node: &Node, key: &str) -> Struct {
    let Some(map) = reader.map(node, key, "a mapping of parameters", &[]) else {
        return Struct::default();
    };
    map.entries()
        .map(|(name, node, key)| (name.value.clone(), param(reader, node, &key)))
        .collect()
}

fn param(reader: &mut Reader<'_>, node: &Node, key: &str) -> pbjson_types::Value {
    let kind = match &node.value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(value, _) => {
            if !value.is_finite() {
                reader.expected(node, key, "a finite number");
            }
            Kind::NumberValue(*value)
        }
        Value::Text(text) => Kind::StringValue(text.clone()),
        Value::List(list) => {
            let values = list
                .iter()
                .enumerate()
                .map(|(at, node)| param(reader, node, &format!("{key}[{at}]")))
                .collect();
            Kind::ListValue(ListValue { values })
        }
        Value::Map(_) => Kind::StructValue(params(reader, node, key)),
    };
    pbjson_types::Value { kind: Some(kind) }
}
