//! Why a rule applies to a notice, or does not.

use super::Rule;
use super::filter::Filter;
use super::path::Candidate;

/// One comparison, and what it met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// A sentence, like `data.kind is not "preempted": it is "alert"`.
    pub text: String,
}

/// What a rule makes of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Name of the rule.
    pub rule: String,
    /// Whether it applies.
    pub matched: bool,
    /// Where it does not: every condition that kept it from it.
    pub reasons: Vec<Reason>,
}

impl Explanation {
    pub(super) fn of(rule: &Rule, candidate: &Candidate<'_>) -> Self {
        let mut reasons = Vec::new();
        if candidate.notice.state.withdraws() {
            let state = candidate.notice.state;
            reasons.push(Reason {
                text: format!("the notice is {state}: it withdraws, and starts nothing"),
            });
        }
        why(&rule.filter, true, candidate, &mut reasons);
        if reasons.is_empty() && !rule.is_meant(candidate) {
            let kind = &candidate.notice.message.kind;
            reasons.push(Reason {
                text: format!(
                    "nothing takes the instance away: only a rule for data.kind \"{kind}\" and no other kind applies"
                ),
            });
        }
        let matched = reasons.is_empty();
        if matched && rule.steps.is_empty() {
            reasons.push(Reason {
                text: "it applies, and has no steps: the notice is recorded only".to_owned(),
            });
        }
        Self {
            rule: rule.name.clone(),
            matched,
            reasons,
        }
    }
}

/// Collects what keeps a filter from being `wanted`.
fn why(filter: &Filter, wanted: bool, candidate: &Candidate<'_>, reasons: &mut Vec<Reason>) {
    if filter.matches(candidate) == wanted {
        return;
    }
    match filter {
        Filter::Compare(test, entries) => {
            for (path, text) in entries {
                let value = path.value(candidate);
                if value.as_deref().is_some_and(|value| test.holds(value, text)) == wanted {
                    continue;
                }
                let name = path.as_str();
                let test = test.as_str();
                let found =
                    value.map_or_else(|| "it is absent".to_owned(), |value| format!("it is \"{value}\""));
                let not = if wanted { "" } else { " not" };
                reasons.push(Reason {
                    text: format!("{name} must{not} have {test} \"{text}\": {found}"),
                });
            }
        }
        Filter::All(filters) | Filter::Any(filters) => {
            for filter in filters {
                why(filter, wanted, candidate, reasons);
            }
        }
        Filter::Not(filter) => why(filter, !wanted, candidate, reasons),
    }
}
