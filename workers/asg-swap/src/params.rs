//! What an action says of its swap, in its `params`.

use std::time::Duration;

use hollowtrees_domain::{
    duration,
    swap::{
        Policy, Strategy,
        policy::{self, BadPolicy},
    },
};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::proto;
use pbjson_types::value::Kind;

const STRATEGY: &str = "strategy";
const WAIT_FOR_NODE: &str = "wait_for_node";
const WAIT_FOR_TARGETS: &str = "wait_for_targets";
const ALLOWED_TYPES: &str = "allowed_types";
const DENIED_TYPES: &str = "denied_types";
const PRICE_CEILING: &str = "price_ceiling";
const MAX_OPEN: &str = "max_open";
const COOLDOWN: &str = "cooldown";
const ON_DEMAND: &str = "on_demand";
const FALLBACK: &str = "fallback";

/// The word of `strategy` that is of a rule alone.
const END: &str = "end";

/// Parameters of a swap. What is not said is as the group's tag and the worker's configuration have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params {
    /// The way.
    pub(crate) strategy: Option<Strategy>,
    /// Not a swap, but what one leaves for later: the old instance is ended.
    pub(crate) end: bool,
    /// How long the replacement's node is waited for.
    pub(crate) wait_for_node: Option<Duration>,
    /// How long its health at load balancers is waited for.
    pub(crate) wait_for_targets: Option<Duration>,
    /// What is allowed.
    pub(crate) policy: Policy,
}

impl Params {
    pub(crate) fn of(action: &proto::Action) -> Result<Self, Failure> {
        let mut params = Self::default();
        for (name, value) in action.params.iter().flat_map(|params| &params.fields) {
            let text = match &value.kind {
                Some(Kind::StringValue(text)) => Some(text.as_str()),
                _ => None,
            };
            match name.as_str() {
                STRATEGY if text == Some(END) => params.end = true,
                STRATEGY => params.strategy = Some(strategy(text)?),
                WAIT_FOR_NODE => params.wait_for_node = Some(wait(name, text)?),
                WAIT_FOR_TARGETS => params.wait_for_targets = Some(wait(name, text)?),
                ALLOWED_TYPES => params.policy.allowed = Some(of_policy(name, value, policy::patterns)?),
                DENIED_TYPES => params.policy.denied = Some(of_policy(name, value, policy::patterns)?),
                PRICE_CEILING => {
                    params.policy.price_ceiling = Some(of_policy(name, value, policy::price_ceiling)?);
                }
                MAX_OPEN => params.policy.max_open = Some(of_policy(name, value, policy::max_open)?),
                COOLDOWN => params.policy.cooldown = Some(of_policy(name, value, policy::cooldown)?),
                ON_DEMAND => params.policy.on_demand = Some(of_policy(name, value, policy::share)?),
                FALLBACK => params.policy.fallback = Some(of_policy(name, value, policy::fallback)?),
                _ => {
                    return Err(Failure::rejected(
                        "unknown-param",
                        format!(
                            "asg-swap has no parameter `{name}`, only `{STRATEGY}`, `{WAIT_FOR_NODE}`, `{WAIT_FOR_TARGETS}`, `{ALLOWED_TYPES}`, \
                             `{DENIED_TYPES}`, `{PRICE_CEILING}`, `{MAX_OPEN}`, `{COOLDOWN}`, `{ON_DEMAND}` and `{FALLBACK}`; correct the rule and redrive this"
                        ),
                    ));
                }
            }
        }
        Ok(params)
    }
}

fn strategy(text: Option<&str>) -> Result<Strategy, Failure> {
    let bad = |why: &str| bad("unknown-strategy", STRATEGY, why);
    let word = text.ok_or_else(|| bad("it must be a text: swap, detach, terminate, end or none"))?;
    word.parse().map_err(|error| bad(&format!("{error}")))
}

fn wait(name: &str, text: Option<&str>) -> Result<Duration, Failure> {
    let bad = |why: &str| bad("bad-params", name, why);
    let text = text.ok_or_else(|| bad("it must be a text: a duration such as 90s, or 0s for no wait"))?;
    let wait = duration::parse(text).map_err(|error| bad(&error.to_string()))?;
    Duration::try_from(wait).map_err(|error| bad(&error.to_string()))
}

/// A text, a number or a list of texts, as the group's tag would have it.
fn of_policy<T>(
    name: &str,
    value: &pbjson_types::Value,
    read: impl Fn(&str) -> Result<T, BadPolicy>,
) -> Result<T, Failure> {
    read(&words(value)).map_err(|error| bad("bad-params", name, &error.to_string()))
}

fn words(value: &pbjson_types::Value) -> String {
    match &value.kind {
        Some(Kind::StringValue(text)) => text.clone(),
        Some(Kind::NumberValue(number)) => number.to_string(),
        Some(Kind::ListValue(list)) => {
            let each: Vec<String> = list.values.iter().map(words).collect();
            each.join(",")
        }
        Some(Kind::BoolValue(_) | Kind::NullValue(_) | Kind::StructValue(_)) | None => String::new(),
    }
}

/// The rule is where it can be mended.
fn bad(reason: &str, name: &str, why: &str) -> Failure {
    Failure::rejected(
        reason,
        format!("the action's parameter `{name}`: {why}; correct the rule and redrive this"),
    )
}

#[cfg(test)]
mod tests {
    use hollowtrees_domain::swap::policy::{Fallback, Share};
    use jiff::SignedDuration;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_an_action_may_allow() {
        let read = |params: Value| {
            Params::of(&proto::Action {
                params: serde_json::from_value(params).unwrap(),
                ..proto::Action::default()
            })
        };
        let expected = Policy {
            allowed: Some(policy::patterns("m5*.*,c5.large").unwrap()),
            denied: Some(policy::patterns("*.metal").unwrap()),
            price_ceiling: Some(80),
            max_open: Some(3),
            cooldown: Some(SignedDuration::from_mins(5)),
            on_demand: Some(Share {
                count: 2,
                percent: 30,
            }),
            fallback: Some(Fallback::OnDemand),
        };
        for params in [
            json!({"allowed_types": ["m5*.*", "c5.large"], "denied_types": "*.metal", "price_ceiling": 80, "max_open": 3,
                "cooldown": "5m", "on_demand": [2, "30%"], "fallback": "on-demand"}),
            json!({"allowed_types": "m5*.*, c5.large", "denied_types": ["*.metal"], "price_ceiling": "80%", "max_open": "3",
                "cooldown": "300s", "on_demand": "2, 30%", "fallback": "on-demand"}),
        ] {
            assert_eq!(read(params).unwrap().policy, expected);
        }
        for (params, expected) in [
            (
                json!({"allowed_types": []}),
                "`allowed_types`: 0 patterns are no list of types",
            ),
            (
                json!({"denied_types": ["M5"]}),
                "`denied_types`: expected an instance type like `m5.large`",
            ),
            (json!({"denied_types": true}), "`denied_types`: 0 patterns"),
            (
                json!({"price_ceiling": 0}),
                "`price_ceiling`: `0` is no share of the on-demand price",
            ),
            (
                json!({"price_ceiling": 80.5}),
                "`price_ceiling`: `80.5` is no share",
            ),
            (
                json!({"max_open": -1}),
                "`max_open`: `-1` is no number of swaps at once",
            ),
            (json!({"max_open": null}), "`max_open`: `` is no number"),
        ] {
            let refused = read(params).unwrap_err().to_string();
            assert!(
                refused.contains(expected) && refused.contains("correct the rule"),
                "{refused}"
            );
        }
    }

    #[test]
    fn what_an_action_may_say() {
        let check = |params: Value, expected: Result<(Option<Strategy>, Option<u64>), &str>| {
            let action = proto::Action {
                params: serde_json::from_value(params).unwrap(),
                ..proto::Action::default()
            };
            match (Params::of(&action), expected) {
                (Ok(found), Ok((strategy, wait))) => {
                    assert_eq!(
                        (found.strategy, found.wait_for_node, found.end),
                        (strategy, wait.map(Duration::from_secs), false)
                    );
                }
                (Err(Failure::Rejected { cause, .. }), Err(expected)) => {
                    assert!(cause.contains(expected), "{cause}");
                }
                (found, expected) => panic!("{found:?}, expected {expected:?}"),
            }
        };
        let end = proto::Action {
            params: serde_json::from_value(json!({"strategy": "end"})).unwrap(),
            ..proto::Action::default()
        };
        assert!(Params::of(&end).unwrap().end);
        check(json!(null), Ok((None, None)));
        check(json!({}), Ok((None, None)));
        check(json!({"strategy": "detach"}), Ok((Some(Strategy::Detach), None)));
        check(
            json!({"strategy": "swop"}),
            Err("`swop` is no strategy; give swap"),
        );
        check(json!({"strategy": 1}), Err("must be a text"));
        check(
            json!({"stratagy": "swap"}),
            Err(
                "no parameter `stratagy`, only `strategy`, `wait_for_node`, `wait_for_targets`, `allowed_types`",
            ),
        );
        check(
            json!({"wait_for_node": "1m30s", "strategy": "swap"}),
            Ok((Some(Strategy::Swap), Some(90))),
        );
        check(json!({"wait_for_node": "0s"}), Ok((None, Some(0))));
        let targets = proto::Action {
            params: serde_json::from_value(json!({"wait_for_targets": "45s"})).unwrap(),
            ..proto::Action::default()
        };
        let found = Params::of(&targets).unwrap().wait_for_targets;
        assert_eq!(found, Some(Duration::from_secs(45)));
        check(
            json!({"wait_for_targets": "soon"}),
            Err("`wait_for_targets`: expected a duration like `30s`"),
        );
        for wait in [json!(90), json!(true), json!(null)] {
            check(
                json!({"wait_for_node": wait}),
                Err("`wait_for_node`: it must be a text: a duration such as 90s"),
            );
        }
        for wait in ["soon", "90", "-1s", ""] {
            check(
                json!({"wait_for_node": wait}),
                Err("`wait_for_node`: expected a duration like `30s`"),
            );
        }
    }
}
