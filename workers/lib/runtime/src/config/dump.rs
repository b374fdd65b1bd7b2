//! Writes an effective configuration as TOML.

use serde_json::{Map, Value};

use super::origin::Origin;

/// `value` (an object) as TOML: plain keys first, then sections; each with its origin as a comment.
pub(crate) fn toml(value: &Value, origin: &dyn Fn(&str) -> Option<Origin>) -> String {
    let mut out = String::new();
    if let Value::Object(table) = value {
        section(table, "", origin, &mut out);
    }
    out
}

fn section(
    table: &Map<String, Value>,
    path: &str,
    origin: &dyn Fn(&str) -> Option<Origin>,
    out: &mut String,
) {
    let key_of = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    for (name, value) in table {
        let key = key_of(name);
        match value {
            Value::Object(_) => {}
            Value::Null => line(out, format_args!("# {name} is not set")),
            _ => match origin(&key) {
                Some(Origin::Environment) => {
                    line(
                        out,
                        format_args!("{name} = {} # {}", inline(value), super::variable(&key)),
                    );
                }
                Some(origin) => line(out, format_args!("{name} = {} # {origin}", inline(value))),
                None => line(out, format_args!("{name} = {}", inline(value))),
            },
        }
    }
    for (name, value) in table {
        if let Value::Object(inner) = value {
            let key = key_of(name);
            line(out, format_args!("\n[{key}]"));
            section(inner, &key, origin, out);
        }
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.push_str(&text.to_string());
    out.push('\n');
}

/// JSON's texts, numbers, truth values and lists are TOML's; tables in lists are not.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let entries = table.iter().filter(|(_, value)| !value.is_null());
            let entries = entries.map(|(name, value)| format!("{name} = {}", inline(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
