//! Rules: which notices start which plan.
//!
//! A file of rules is YAML (see `docs/rules.md`). All rules that match a
//! notice apply; a rule that matches a withdrawal starts nothing.

mod defaults;
mod error;
mod explain;
mod filter;
mod path;
mod read;
mod read_filter;
mod read_step;
mod reader;
mod tree;

pub use error::{RuleError, RuleErrors};
pub use explain::{Explanation, Reason};
pub use filter::{Filter, Test};
pub use path::{Attributes, Candidate, Path};

use hollowtrees_schemas::names::kind;

use crate::notice::is_only_if_asked_for;
use crate::run::{PlannedAction, PlannedStep};
use crate::words::Effect;

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Unique in its file: 1 to 63 of `[A-Za-z0-9_-]`.
    pub name: String,
    /// For people.
    pub description: String,
    /// Which notices it is for.
    pub filter: Filter,
    /// What it does, in order; empty where it only records.
    pub steps: Vec<PlannedStep>,
    /// What it does when the incident is withdrawn.
    pub on_cancel: Vec<PlannedAction>,
    /// Hash of all the above but the description.
    pub version: String,
}

impl Rule {
    /// Whether a notice that its filter matches is what it is written for. That an instance comes, or may go back to spot, is for
    /// rules about just that: one that would match a kind of those that go as well, or none, is about instances that go.
    fn is_meant(&self, candidate: &Candidate<'_>) -> bool {
        if !is_only_if_asked_for(&candidate.notice.message.kind) {
            return true;
        }
        let mut notice = candidate.notice.clone();
        let others = kind::ALL.into_iter().filter(|kind| !is_only_if_asked_for(kind));
        others.chain([""]).all(|other| {
            other.clone_into(&mut notice.message.kind);
            !self.filter.matches(&Candidate {
                attributes: candidate.attributes,
                notice: &notice,
            })
        })
    }
}

/// The rules of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    rules: Vec<Rule>,
}

impl Rules {
    /// Reads a file of rules. `file` is only named in errors.
    ///
    /// # Errors
    /// Every mistake found, each with line, key and what was expected there.
    pub fn parse(text: &str, file: &str) -> Result<Self, RuleErrors> {
        read::rules(text, file).map(|rules| Self { rules })
    }

    /// The rules of a router that is given none: [`Rules::default_text`].
    /// Empty if that were wrong; a test reads it.
    #[must_use]
    pub fn default_rules() -> Self {
        Self::parse(defaults::TEXT, "default-rules.yaml").unwrap_or_else(|_| Self { rules: Vec::new() })
    }

    /// The default rules as documented YAML, to be copied and changed.
    #[must_use]
    pub const fn default_text() -> &'static str {
        defaults::TEXT
    }

    /// Every rule, as in the file.
    #[must_use]
    pub fn as_slice(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// The rules that match and do something; none for a withdrawal.
    pub fn matching<'a>(&'a self, candidate: &'a Candidate<'a>) -> impl Iterator<Item = &'a Rule> {
        let active = !candidate.notice.state.withdraws();
        self.rules
            .iter()
            .filter(move |rule| active && rule.filter.matches(candidate) && rule.is_meant(candidate))
    }

    /// Why each rule applies to a notice or does not.
    #[must_use]
    pub fn explain(&self, candidate: &Candidate<'_>) -> Vec<Explanation> {
        self.rules
            .iter()
            .map(|rule| Explanation::of(rule, candidate))
            .collect()
    }
}

/// How often a kind of action exists where the rule does not say: telling
/// people once each time it is asked for, everything else once an instance.
#[must_use]
pub fn default_effect(of: &str) -> Effect {
    match of {
        kind::NOTIFY => Effect::PerAction,
        _ => Effect::PerInstance,
    }
}

#[cfg(test)]
mod tests;
