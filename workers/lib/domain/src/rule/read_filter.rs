//! The `match` of a rule.

use super::filter::{Filter, Test};
use super::path::Path;
use super::reader::{Reader, line};
use super::tree::{Node, Value};

const DIALECTS: [&str; 6] = ["exact", "prefix", "suffix", "all", "any", "not"];

/// Filters within filters; what a person writes has three.
const DEPTH_MAX: usize = 16;

/// Reads a filter: a mapping with one dialect, or a list of them that all have
/// to hold, as `filters` in the Subscriptions API.
pub(super) fn filter(reader: &mut Reader<'_>, node: &Node, key: &str) -> Option<Filter> {
    nested(reader, node, key, 0)
}

fn nested(reader: &mut Reader<'_>, node: &Node, key: &str, depth: usize) -> Option<Filter> {
    if depth > DEPTH_MAX {
        reader.error(
            line(node),
            key,
            format!("expected at most {DEPTH_MAX} filters within each other"),
        );
        return None;
    }
    if matches!(node.value, Value::List(_)) {
        return list(reader, node, key, depth).map(Filter::All);
    }
    let one = "one filter: exact, prefix, suffix, all, any or not";
    let map = reader.map(node, key, one, &DIALECTS)?;
    let mut entries = map.entries();
    let Some((name, node, key)) = entries.next() else {
        reader.expected(node, key, one);
        return None;
    };
    if let Some((second, _, key)) = entries.next() {
        let problem = format!(
            "expected one filter in a mapping, found `{}` beside `{}`; join them with `all`",
            second.value, name.value
        );
        reader.error(second.referenced.line(), &key, problem);
        return None;
    }
    match name.value.as_str() {
        "exact" => compare(reader, node, &key, Test::Exact),
        "prefix" => compare(reader, node, &key, Test::Prefix),
        "suffix" => compare(reader, node, &key, Test::Suffix),
        "all" => list(reader, node, &key, depth).map(Filter::All),
        "any" => {
            let filters = list(reader, node, &key, depth)?;
            if filters.is_empty() {
                reader.error(
                    line(node),
                    &key,
                    "expected at least one filter, found `[]`, which never matches",
                );
                return None;
            }
            Some(Filter::Any(filters))
        }
        "not" => nested(reader, node, &key, depth + 1).map(|filter| Filter::Not(Box::new(filter))),
        // Told by `map` above.
        _ => None,
    }
}

fn list(reader: &mut Reader<'_>, node: &Node, key: &str, depth: usize) -> Option<Vec<Filter>> {
    let nodes = reader.list(node, key, "a list of filters")?;
    let mut filters = Vec::with_capacity(nodes.len());
    let mut complete = true;
    for (at, node) in nodes.iter().enumerate() {
        match nested(reader, node, &format!("{key}[{at}]"), depth + 1) {
            Some(filter) => filters.push(filter),
            None => complete = false,
        }
    }
    complete.then_some(filters)
}

fn compare(reader: &mut Reader<'_>, node: &Node, key: &str, test: Test) -> Option<Filter> {
    let map = reader.map(node, key, "a mapping of names to texts", &[])?;
    let mut entries = Vec::new();
    let mut complete = true;
    for (name, node, key) in map.entries() {
        let path =
            Path::parse(&name.value).map_err(|problem| reader.error(name.referenced.line(), &key, problem));
        let text = match &node.value {
            Value::Text(text) if !text.is_empty() => Some(text.clone()),
            // As the canonical text of the attribute or field has them.
            Value::Number(_, text) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            _ => {
                reader.expected(node, &key, "a text of at least one character");
                None
            }
        };
        match path.ok().zip(text) {
            Some(entry) => entries.push(entry),
            None => complete = false,
        }
    }
    if complete && entries.is_empty() {
        reader.error(
            map.line,
            key,
            "expected at least one name, found an empty mapping",
        );
        return None;
    }
    complete.then_some(Filter::Compare(test, entries))
}
