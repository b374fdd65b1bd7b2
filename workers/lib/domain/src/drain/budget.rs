//! Disruption budgets, as far as a drain looks at them. The API server counts; what is known here keeps from asking in
//! vain ([`super::spending`]).

use super::{Labels, Pod};

/// A `PodDisruptionBudget`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Budget {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The pods it is about; `None` for none.
    pub selector: Option<Selector>,
    /// `status.disruptionsAllowed`
    pub allowed: u32,
    /// `status.currentHealthy`
    pub healthy: u32,
    /// `status.desiredHealthy`
    pub desired: u32,
    /// Its controller has looked at its newest `spec`; until then every eviction under it is refused.
    pub observed: bool,
    /// `spec.unhealthyPodEvictionPolicy` is `AlwaysAllow`.
    pub spares_unready: bool,
}

/// What stands before the eviction of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold<'a> {
    /// Nothing.
    None,
    /// It is counted against this one.
    One(&'a Budget),
    /// More than one covers it, and the API server evicts nothing under two.
    Several(Vec<&'a Budget>),
}

/// A label selector. An empty one selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    /// `matchLabels`
    pub labels: Labels,
    /// `matchExpressions`
    pub requirements: Vec<Requirement>,
}

/// One of `matchExpressions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`; any other selects nothing.
    pub operator: String,
    /// For `In` and `NotIn`.
    pub values: Vec<String>,
}

impl Budget {
    /// Whether it is about this pod.
    #[must_use]
    pub fn covers(&self, pod: &Pod) -> bool {
        self.namespace == pod.namespace
            && self
                .selector
                .as_ref()
                .is_some_and(|selector| selector.selects(&pod.labels))
    }

    /// `namespace/name`, for people.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether the API server evicts a pod that is not ready without counting it.
    #[must_use]
    pub fn ignores_unready(&self) -> bool {
        self.spares_unready || (self.desired > 0 && self.healthy >= self.desired)
    }

    /// Why it allows nothing, for people.
    #[must_use]
    pub fn refusal(&self) -> String {
        let name = &self.name;
        if !self.observed {
            return format!("The disruption budget {name} is still being processed by its controller.");
        }
        let (desired, healthy) = (self.desired, self.healthy);
        format!("The disruption budget {name} needs {desired} healthy pods and has {healthy}.")
    }
}

impl<'a> Hold<'a> {
    /// What stands before a pod, given the budgets that cover it.
    ///
    /// As the API server has it (`pkg/registry/core/pod/storage/eviction.go`): pods that have not started, have ended
    /// or are being deleted go whatever their budgets say; several budgets are refused before any of them is looked at;
    /// one that is not ready goes uncounted where its budget says so, or has all the healthy pods it wants.
    #[must_use]
    pub fn of(pod: &Pod, budgets: impl IntoIterator<Item = &'a Budget>) -> Self {
        if pod.pending || pod.finished || pod.deletion.is_some() {
            return Self::None;
        }
        let mut budgets: Vec<&Budget> = budgets.into_iter().collect();
        match (budgets.pop(), budgets.is_empty()) {
            (None, _) => Self::None,
            (Some(only), true) if !pod.ready && only.ignores_unready() => Self::None,
            (Some(only), true) => Self::One(only),
            (Some(last), false) => {
                budgets.push(last);
                Self::Several(budgets)
            }
        }
    }
}

impl Selector {
    /// Whether it selects something with these labels.
    #[must_use]
    pub fn selects(&self, labels: &Labels) -> bool {
        self.labels
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
            && self.requirements.iter().all(|required| required.holds(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            "NotIn" => value.is_none_or(|value| !self.values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Deletion, *};

    #[test]
    fn what_stands_before_a_pod_is_as_the_api_server_has_it() {
        let kept = Budget {
            name: "kept".to_owned(),
            healthy: 1,
            desired: 2,
            ..Budget::default()
        };
        let whole = Budget {
            healthy: 2,
            ..kept.clone()
        };
        let lenient = Budget {
            spares_unready: true,
            ..kept.clone()
        };
        let empty = Budget {
            desired: 0,
            ..whole.clone()
        };
        let ready = Pod {
            ready: true,
            ..Pod::default()
        };
        let unready = Pod::default();
        let check = |pod: &Pod, budgets: &[&Budget], expected: Hold<'_>| {
            assert_eq!(
                Hold::of(pod, budgets.iter().copied()),
                expected,
                "{pod:?}, {budgets:?}"
            );
        };
        check(&ready, &[], Hold::None);
        check(&ready, &[&kept], Hold::One(&kept));
        check(&ready, &[&lenient], Hold::One(&lenient));
        check(&unready, &[&kept], Hold::One(&kept));
        check(&unready, &[&empty], Hold::One(&empty));
        check(&unready, &[&whole], Hold::None);
        check(&unready, &[&lenient], Hold::None);
        // Two are refused before either of them is looked at.
        check(
            &unready,
            &[&lenient, &whole],
            Hold::Several(vec![&lenient, &whole]),
        );
        for going in [
            Pod {
                pending: true,
                ..Pod::default()
            },
            Pod {
                finished: true,
                ..Pod::default()
            },
            Pod {
                deletion: Some(Deletion {
                    ends_at: jiff::Timestamp::UNIX_EPOCH,
                    grace_seconds: 1,
                }),
                ..Pod::default()
            },
        ] {
            check(&going, &[&kept, &lenient], Hold::None);
        }
    }
}
