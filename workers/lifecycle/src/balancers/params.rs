//! What an action says of it, in its `params`.

use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::proto;
use pbjson_types::value::Kind;

use crate::params::bad;

const BALANCERS: &str = "balancers";
const WAIT: &str = "wait";
const PODS: &str = "pods";

/// How the end of draining is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// As long as there is time: what drains still at the deadline gets no new requests, and is well.
    WhileThereIsTime,
    /// Until it has come: without it the action has failed.
    Whole,
    /// Not at all.
    No,
}

/// Parameters of a deregistration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Params {
    /// Names of target groups and classic balancers; none: all.
    pub(crate) balancers: Vec<String>,
    /// How the end of draining is waited for.
    pub(crate) wait: Wait,
    /// Targets that are addresses of its pods are taken out too.
    pub(crate) pods: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            balancers: Vec::new(),
            wait: Wait::WhileThereIsTime,
            pods: false,
        }
    }
}

impl Params {
    pub(crate) fn of(action: &proto::Action) -> Result<Self, Failure> {
        let mut params = Self::default();
        for (name, value) in action.params.iter().flat_map(|params| &params.fields) {
            match (name.as_str(), &value.kind) {
                (BALANCERS, Some(Kind::ListValue(list))) if !list.values.is_empty() => {
                    let named = list.values.iter().map(|value| match &value.kind {
                        Some(Kind::StringValue(name)) if !name.is_empty() => Some(name.clone()),
                        _ => None,
                    });
                    params.balancers = named
                        .collect::<Option<_>>()
                        .ok_or_else(|| bad(BALANCERS, NAMES))?;
                }
                (BALANCERS, _) => return Err(bad(BALANCERS, NAMES)),
                (WAIT, Some(Kind::BoolValue(wait))) => {
                    params.wait = if *wait { Wait::Whole } else { Wait::No };
                }
                (PODS, Some(Kind::BoolValue(pods))) => params.pods = *pods,
                (PODS, _) => return Err(bad(PODS, "it must be true or false")),
                (WAIT, _) => return Err(bad(WAIT, "it must be true or false")),
                _ => {
                    return Err(Failure::rejected(
                        "unknown-param",
                        format!(
                            "deregister has no parameter `{name}`, only `{BALANCERS}`, `{WAIT}` and `{PODS}`; correct the \
                             rule and redrive this"
                        ),
                    ));
                }
            }
        }
        Ok(params)
    }
}

const NAMES: &str = "it must be a list of names of target groups and classic load balancers";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_an_action_may_say() {
        let check = |params: Value, expected: Result<Params, &str>| {
            let action = proto::Action {
                params: serde_json::from_value(params).unwrap(),
                ..proto::Action::default()
            };
            match (Params::of(&action), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(Failure::Rejected { cause, .. }), Err(expected)) => {
                    assert!(cause.contains(expected), "{cause}");
                }
                (found, expected) => panic!("{found:?}, expected {expected:?}"),
            }
        };
        check(json!(null), Ok(Params::default()));
        check(
            json!({"balancers": ["web", "api"], "wait": false, "pods": true}),
            Ok(Params {
                balancers: vec!["web".to_owned(), "api".to_owned()],
                wait: Wait::No,
                pods: true,
            }),
        );
        check(
            json!({"wait": true}),
            Ok(Params {
                wait: Wait::Whole,
                ..Params::default()
            }),
        );
        check(json!({"balancers": "web"}), Err("`balancers`: it must be a list"));
        check(json!({"balancers": []}), Err("`balancers`: it must be a list"));
        check(json!({"balancers": [1]}), Err("`balancers`: it must be a list"));
        check(json!({"wait": "no"}), Err("`wait`: it must be true or false"));
        check(json!({"pods": "all"}), Err("`pods`: it must be true or false"));
        check(json!({"waits": true}), Err("no parameter `waits`, only"));
    }
}
