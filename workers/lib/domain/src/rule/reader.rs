//! Walks the tree of a file and collects what is wrong with it.

use serde_saphyr::Spanned;

use super::error::{RuleError, RuleErrors};
use super::tree::{Node, Value};

/// Mistakes after which a file is not read further: the first ones cause the rest.
const ERRORS_MAX: usize = 50;

/// The mistakes so far.
pub(super) struct Reader<'f> {
    file: &'f str,
    errors: Vec<RuleError>,
}

/// A mapping whose keys are all known.
pub(super) struct Map<'n> {
    /// Where it is, like `rules[2].steps[0]`.
    pub(super) key: String,
    /// Its line.
    pub(super) line: u64,
    entries: &'n [(Spanned<String>, Node)],
}

impl<'n> Map<'n> {
    /// The value of a key, with its full name.
    pub(super) fn get(&self, name: &str) -> Option<(&'n Node, String)> {
        let (_, node) = self.entries.iter().find(|(key, _)| key.value == name)?;
        (!matches!(node.value, Value::Null)).then(|| (node, self.name(name)))
    }

    /// Every entry in order, with its full name.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'n Spanned<String>, &'n Node, String)> {
        self.entries
            .iter()
            .map(|(key, node)| (key, node, self.name(&key.value)))
    }

    fn name(&self, name: &str) -> String {
        if self.key.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.key)
        }
    }
}

impl<'f> Reader<'f> {
    pub(super) fn new(file: &'f str) -> Self {
        Self {
            file,
            errors: Vec::new(),
        }
    }

    /// The mistakes in the order of the file; `value` where there is none.
    pub(super) fn finish<T>(mut self, value: T) -> Result<T, RuleErrors> {
        if self.errors.is_empty() {
            return Ok(value);
        }
        self.errors.sort_by_key(|error| error.line);
        Err(RuleErrors(self.errors))
    }

    pub(super) fn error(&mut self, line: u64, key: &str, problem: impl Into<String>) {
        if self.errors.len() < ERRORS_MAX {
            let (file, key) = (self.file.to_owned(), key.to_owned());
            self.errors.push(RuleError {
                file,
                line,
                key,
                problem: problem.into(),
            });
        }
    }

    pub(super) fn expected(&mut self, node: &Node, key: &str, expected: &str) {
        let found = node.value.describe();
        self.error(line(node), key, format!("expected {expected}, found {found}"));
    }

    /// A mapping; keys beyond `known` are mistakes (all are fine where it is empty).
    pub(super) fn map<'n>(
        &mut self,
        node: &'n Node,
        key: &str,
        expected: &str,
        known: &[&str],
    ) -> Option<Map<'n>> {
        let Value::Map(entries) = &node.value else {
            self.expected(node, key, expected);
            return None;
        };
        let map = Map {
            key: key.to_owned(),
            line: line(node),
            entries,
        };
        for (name, _) in entries {
            if !known.is_empty() && !known.contains(&name.value.as_str()) {
                let problem = format!(
                    "expected one of the keys {}, found `{}`",
                    known.join(", "),
                    name.value
                );
                self.error(name.referenced.line(), &map.name(&name.value), problem);
            }
        }
        Some(map)
    }

    pub(super) fn list<'n>(&mut self, node: &'n Node, key: &str, expected: &str) -> Option<&'n [Node]> {
        let Value::List(list) = &node.value else {
            self.expected(node, key, expected);
            return None;
        };
        Some(list)
    }

    /// A text of at least one character.
    pub(super) fn text<'n>(&mut self, node: &'n Node, key: &str, expected: &str) -> Option<&'n str> {
        match &node.value {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => {
                self.expected(node, key, expected);
                None
            }
        }
    }

    /// An optional text that is read further; `None` where it is absent or wrong.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        map: &Map<'_>,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let (node, key) = map.get(name)?;
        let text = self.text(node, &key, expected)?;
        parse(text)
            .map_err(|error| self.error(line(node), &key, error.to_string()))
            .ok()
    }
}

/// The line a node is on.
pub(super) fn line(node: &Node) -> u64 {
    node.referenced.line()
}
