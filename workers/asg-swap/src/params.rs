//! What an action says of its swap, in its `params`.

use std::time::Duration;

use hollowtrees_domain::{duration, swap::Strategy};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::proto;
use pbjson_types::value::Kind;

const STRATEGY: &str = "strategy";
const WAIT_FOR_NODE: &str = "wait_for_node";

/// The word of `strategy` that is of a rule alone.
const END: &str = "end";

/// Parameters of a swap. What is not said is as the group's tag and the worker's configuration have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params {
    /// The way.
    pub(crate) strategy: Option<Strategy>,
    /// Not a swap, but what one leaves for later: the old instance is ended.
    pub(crate) end: bool,
    /// How long the replacement's node is waited for.
    pub(crate) wait_for_node: Option<Duration>,
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
                WAIT_FOR_NODE => params.wait_for_node = Some(wait(text)?),
                _ => {
                    return Err(Failure::rejected(
                        "unknown-param",
                        format!(
                            "asg-swap has no parameter `{name}`, only `{STRATEGY}` and `{WAIT_FOR_NODE}`; correct the rule and \
                             redrive this"
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

fn wait(text: Option<&str>) -> Result<Duration, Failure> {
    let bad = |why: &str| bad("bad-params", WAIT_FOR_NODE, why);
    let text = text.ok_or_else(|| bad("it must be a text: a duration such as 90s, or 0s for no wait"))?;
    let wait = duration::parse(text).map_err(|error| bad(&error.to_string()))?;
    Duration::try_from(wait).map_err(|error| bad(&error.to_string()))
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
    use serde_json::{Value, json};

    use super::*;

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
            Err("no parameter `stratagy`, only `strategy` and `wait_for_node`"),
        );
        check(
            json!({"wait_for_node": "1m30s", "strategy": "swap"}),
            Ok((Some(Strategy::Swap), Some(90))),
        );
        check(json!({"wait_for_node": "0s"}), Ok((None, Some(0))));
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
