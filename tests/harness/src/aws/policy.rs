//! Identity-based policies of IAM, judged as AWS does: what is not allowed is denied, and what is denied stays so.
//!
//! Sources: IAM user guide, "Policy evaluation logic", "IAM JSON policy elements: Action", "Resource", "Condition operators", "Set
//! operators for multivalued context keys". Known are the elements, operators and keys that a page of ours may use; what else a
//! policy says is an error, so that nothing of it is passed over in silence. What a call asks of a policy: [`super::Aws::checks`].

#[cfg(test)]
mod tests;

use super::Check;
use crate::{Context, Error, Result};
use serde_json::Value;
use std::fmt;

/// A policy.
#[derive(Clone, Debug)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
struct Statement {
    allows: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

/// An operator with one key and its values.
#[derive(Clone, Debug)]
struct Condition {
    of: Option<Set>,
    operator: Operator,
    /// It holds too where the key is missing.
    if_exists: bool,
    key: String,
    values: Vec<String>,
}

/// What is said of a key of many values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    All,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    StringEquals,
    StringNotEquals,
    StringLike,
    StringNotLike,
    Bool,
    Null,
}

/// Keys that [`super::Aws::checks`] tells, small; what ends with a slash goes on with the key of a tag.
const KEYS: [&str; 10] = [
    "aws:resourcetag/",
    "ec2:resourcetag/",
    "autoscaling:resourcetag/",
    "aws:requesttag/",
    "aws:tagkeys",
    "aws:requestedregion",
    "ec2:createaction",
    "ec2:instancetype",
    "ec2:launchtemplate",
    "iam:passedtoservice",
];
/// Of these the ones with many values.
const OF_MANY: [&str; 1] = ["aws:tagkeys"];

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// If it is no policy, or says what is not known here.
    pub fn parse(text: &str) -> Result<Self> {
        let policy: Value = serde_json::from_str(text).context(|| "a policy that is no JSON")?;
        known(&policy, &["Version", "Id", "Statement"])?;
        if policy.get("Version").and_then(Value::as_str) != Some("2012-10-17") {
            return Err(Error::new("a policy of another version of the language"));
        }
        let statements = match policy.get("Statement") {
            Some(Value::Array(statements)) => {
                statements.iter().map(Statement::read).collect::<Result<_>>()?
            }
            Some(one) => vec![Statement::read(one)?],
            None => return Err(Error::new("a policy without statements")),
        };
        Ok(Self { statements })
    }

    /// Whether it allows this: a statement does, and none denies it.
    pub fn allows(&self, check: &Check) -> bool {
        let mut apply = self
            .statements
            .iter()
            .filter(|said| said.applies(check))
            .peekable();
        apply.peek().is_some() && apply.all(|said| said.allows)
    }

    /// The first of these that it does not allow.
    pub fn denied<'a>(&self, checks: &'a [Check]) -> Option<&'a Check> {
        checks.iter().find(|check| !self.allows(check))
    }

    /// It, one statement less for each: the statement, and what is left.
    pub fn without_each_statement(&self) -> Vec<(String, Self)> {
        let less = |place| {
            let mut left = self.clone();
            let gone = left.statements.remove(place);
            (gone.to_string(), left)
        };
        (0..self.statements.len()).map(less).collect()
    }

    /// It, one condition less for each: the condition with its statement, and what is left.
    pub fn without_each_condition(&self) -> Vec<(String, Self)> {
        let mut all = Vec::new();
        for (place, said) in self.statements.iter().enumerate() {
            for at in 0..said.conditions.len() {
                let mut left = self.clone();
                let gone = left
                    .statements
                    .get_mut(place)
                    .map(|said| said.conditions.remove(at));
                all.extend(gone.map(|gone| (format!("{said} if {gone}"), left)));
            }
        }
        all
    }

    /// It with these statements in place of those that name an action of theirs.
    #[must_use]
    pub fn narrowed_by(&self, narrower: &Self) -> Self {
        let named = |action: &String| {
            narrower
                .statements
                .iter()
                .any(|said| said.actions.contains(action))
        };
        let kept = self
            .statements
            .iter()
            .filter(|said| !said.actions.iter().any(named));
        Self {
            statements: kept.chain(&narrower.statements).cloned().collect(),
        }
    }
}

impl Statement {
    fn read(from: &Value) -> Result<Self> {
        known(from, &["Sid", "Effect", "Action", "Resource", "Condition"])?;
        let allows = match from.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            other => return Err(Error::new(format!("{other:?} is no effect"))),
        };
        Ok(Self {
            allows,
            actions: texts(from, "Action")?,
            resources: texts(from, "Resource")?,
            conditions: conditions(from.get("Condition"))?,
        })
    }

    fn applies(&self, check: &Check) -> bool {
        // Actions are not case-sensitive, ARNs are.
        let action = check.action.to_lowercase();
        self.actions
            .iter()
            .any(|pattern| like(&pattern.to_lowercase(), &action))
            && self
                .resources
                .iter()
                .any(|pattern| like(pattern, &check.resource))
            && self.conditions.iter().all(|condition| condition.holds(check))
    }
}

impl Condition {
    /// From `ForAllValues:StringLikeIfExists`, a key and its values.
    fn read(name: &str, key: &str, values: Vec<String>) -> Result<Self> {
        let (of, rest) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Set::All), rest),
            Some(("ForAnyValue", rest)) => (Some(Set::Any), rest),
            Some(_) => {
                return Err(Error::new(format!(
                    "the condition operator {name} is not known here"
                )));
            }
            None => (None, name),
        };
        let (rest, if_exists) = rest
            .strip_suffix("IfExists")
            .map_or((rest, false), |rest| (rest, true));
        let operator = match rest {
            "StringEquals" => Operator::StringEquals,
            "StringNotEquals" => Operator::StringNotEquals,
            "StringLike" => Operator::StringLike,
            "StringNotLike" => Operator::StringNotLike,
            "Bool" => Operator::Bool,
            "Null" if !if_exists && of.is_none() => Operator::Null,
            _ => {
                return Err(Error::new(format!(
                    "the condition operator {name} is not known here"
                )));
            }
        };
        let small = key.to_lowercase();
        let is_known = |known: &str| small == known || (known.ends_with('/') && small.starts_with(known));
        if !KEYS.into_iter().any(is_known) {
            return Err(Error::new(format!("the condition key {key} is not known here")));
        }
        if operator != Operator::Null && of.is_some() != OF_MANY.contains(&small.as_str()) {
            return Err(Error::new(format!(
                "{name} does not fit the number of values of {key}"
            )));
        }
        let words = matches!(operator, Operator::Bool | Operator::Null);
        if words
            && values
                .iter()
                .any(|value| !["true", "false"].contains(&value.as_str()))
        {
            return Err(Error::new(format!("{name} of {key} is true or false")));
        }
        Ok(Self {
            of,
            operator,
            if_exists,
            key: small,
            values,
        })
    }

    fn holds(&self, check: &Check) -> bool {
        let found = check.values(&self.key);
        if self.operator == Operator::Null {
            return self.values.contains(&found.is_empty().to_string());
        }
        if found.is_empty() {
            let negative = matches!(self.operator, Operator::StringNotEquals | Operator::StringNotLike);
            return self.if_exists || self.of == Some(Set::All) || (negative && self.of.is_none());
        }
        match self.of {
            Some(Set::All) => found.iter().all(|value| self.fits(value)),
            Some(Set::Any) | None => found.iter().any(|value| self.fits(value)),
        }
    }

    /// One of the values of a positive operator, and none of a negative one's.
    fn fits(&self, found: &str) -> bool {
        let equal = || self.values.iter().any(|value| value == found);
        let alike = || self.values.iter().any(|value| like(value, found));
        match self.operator {
            Operator::StringEquals | Operator::Bool | Operator::Null => equal(),
            Operator::StringNotEquals => !equal(),
            Operator::StringLike => alike(),
            Operator::StringNotLike => !alike(),
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = if self.allows { "allow" } else { "deny" };
        write!(
            f,
            "{effect} {} on {}",
            self.actions.join(" "),
            self.resources.join(" ")
        )
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.key, self.operator, self.values.join(" "))
    }
}

fn conditions(from: Option<&Value>) -> Result<Vec<Condition>> {
    let mut all = Vec::new();
    let Some(from) = from else { return Ok(all) };
    for (operator, keys) in object(from)? {
        for key in object(keys)?.keys() {
            all.push(Condition::read(operator, key, texts(keys, key)?)?);
        }
    }
    Ok(all)
}

fn object(from: &Value) -> Result<&serde_json::Map<String, Value>> {
    from.as_object()
        .ok_or_else(|| Error::new(format!("{from} is no object")))
}

fn known(of: &Value, elements: &[&str]) -> Result<()> {
    match object(of)?.keys().find(|key| !elements.contains(&key.as_str())) {
        Some(other) => Err(Error::new(format!("the element {other} is not known here"))),
        None => Ok(()),
    }
}

/// One text or several.
fn texts(of: &Value, name: &str) -> Result<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) if text.contains("${") => {
            Err(Error::new(format!("variables, as in {text}, are not known here")))
        }
        Value::String(text) => Ok(text.clone()),
        Value::Bool(is) => Ok(is.to_string()),
        other => Err(Error::new(format!("{other} of {name} is no text"))),
    };
    match of.get(name) {
        Some(Value::Array(several)) if !several.is_empty() => several.iter().map(text).collect(),
        Some(one) => Ok(vec![text(one)?]),
        None => Err(Error::new(format!("{name} is missing in {of}"))),
    }
}

/// Whether a text is of this pattern: `*` is any text, colons and slashes too, `?` any one character.
fn like(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut rest) = (pattern.chars(), text.chars());
    match pattern.next() {
        None => text.is_empty(),
        Some('*') => {
            let pattern = pattern.as_str();
            text.char_indices()
                .any(|(at, _)| text.get(at..).is_some_and(|rest| like(pattern, rest)))
                || like(pattern, "")
        }
        Some('?') => rest.next().is_some() && like(pattern.as_str(), rest.as_str()),
        Some(other) => rest.next() == Some(other) && like(pattern.as_str(), rest.as_str()),
    }
}
