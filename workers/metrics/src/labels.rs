//! Label values from messages, bounded in number. Two replicas that meet more values than the bound may keep different
//! ones; sums over all values stay right.

use hollowtrees_runtime::metrics::bounded::{FirstSeen, OTHER, among};
use hollowtrees_schemas::names::{certainty, error_class, mode, result, state};

/// Stands for a field that is empty.
pub(crate) const NONE: &str = "none";
/// Clouds told apart, own ones included.
const PROVIDERS: usize = 16;

/// What was seen of each label.
pub(crate) struct Labels {
    clusters: FirstSeen,
    providers: FirstSeen,
    notices: FirstSeen,
    actions: FirstSeen,
    reasons: FirstSeen,
    rules: FirstSeen,
    consumers: FirstSeen,
    durables: FirstSeen,
}

impl Labels {
    pub(crate) fn new(clusters: usize, kinds: usize) -> Self {
        Self {
            clusters: FirstSeen::new(clusters),
            providers: FirstSeen::new(PROVIDERS),
            notices: FirstSeen::new(kinds),
            actions: FirstSeen::new(kinds),
            reasons: FirstSeen::new(kinds),
            rules: FirstSeen::new(kinds),
            consumers: FirstSeen::new(kinds),
            durables: FirstSeen::new(kinds),
        }
    }

    pub(crate) fn cluster<'v>(&self, value: &'v str) -> &'v str {
        seen(&self.clusters, value)
    }

    pub(crate) fn provider<'v>(&self, value: &'v str) -> &'v str {
        seen(&self.providers, value)
    }

    pub(crate) fn notice<'v>(&self, kind: &'v str) -> &'v str {
        seen(&self.notices, kind)
    }

    pub(crate) fn action<'v>(&self, kind: &'v str) -> &'v str {
        seen(&self.actions, kind)
    }

    pub(crate) fn reason<'v>(&self, value: &'v str) -> &'v str {
        seen(&self.reasons, value)
    }

    pub(crate) fn rule<'v>(&self, value: &'v str) -> &'v str {
        seen(&self.rules, value)
    }

    /// A consumer as a dead letter names it.
    pub(crate) fn consumer<'v>(&self, value: &'v str) -> &'v str {
        seen(&self.consumers, value)
    }

    /// A consumer the server has; whether it is shown.
    pub(crate) fn has_durable(&self, name: &str) -> bool {
        seen(&self.durables, name) != OTHER
    }
}

fn seen<'v>(values: &FirstSeen, value: &'v str) -> &'v str {
    match value {
        "" => NONE,
        NONE | OTHER => value,
        _ => values.label(value),
    }
}

pub(crate) fn state_of(value: &str) -> &'static str {
    among(&state::ALL, state::or_active(value))
}

pub(crate) fn mode_of(value: &str) -> &'static str {
    among(&mode::ALL, mode::or_live(value))
}

pub(crate) fn certainty_of(value: &str) -> &'static str {
    of(&certainty::ALL, value)
}

pub(crate) fn result_of(value: &str) -> &'static str {
    of(&result::ALL, value)
}

pub(crate) fn class_of(value: &str) -> &'static str {
    of(&error_class::ALL, value)
}

fn of(known: &[&'static str], value: &str) -> &'static str {
    if value.is_empty() {
        NONE
    } else {
        among(known, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bounded_and_the_empty_one_has_a_name() {
        let labels = Labels::new(1, 16);
        let found = ["", "a", "b", "a", "other", "none"].map(|cluster| labels.cluster(cluster));
        assert_eq!(found, ["none", "a", "other", "a", "other", "none"]);
        assert_eq!(Labels::new(0, 16).cluster("a"), "other");
        assert_eq!((state_of(""), state_of("odd")), ("active", "other"));
        assert_eq!((mode_of(""), certainty_of("")), ("live", "none"));
        assert_eq!((result_of("failed"), class_of("x")), ("failed", "other"));
    }
}
