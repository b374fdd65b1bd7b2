//! What an action says of its hook, in its `params`.

use hollowtrees_aws::Answer;
use hollowtrees_domain::duration;
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::proto;
use jiff::SignedDuration;
use pbjson_types::value::Kind;

const HOOK: &str = "hook";
const RESULT: &str = "result";
const ON_FAILURE: &str = "on_failure";
const EXTEND: &str = "extend";

/// What becomes of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// It is answered.
    Answer(Answer),
    /// It is left to time out: its own default result counts.
    Leave,
}

/// Parameters of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Params {
    /// Its name; none: the only one of the group.
    pub(crate) hook: Option<String>,
    /// Where the work ended as asked.
    pub(crate) result: Policy,
    /// Where it did not, or not in time.
    pub(crate) on_failure: Policy,
    /// How much later than at first the incident's deadline may become by heartbeats.
    pub(crate) extend: SignedDuration,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            hook: None,
            result: Policy::Answer(Answer::Continue),
            on_failure: Policy::Answer(Answer::Abandon),
            extend: SignedDuration::ZERO,
        }
    }
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
                HOOK => {
                    let named = text.filter(|text| !text.is_empty());
                    let named = named.ok_or_else(|| bad(HOOK, "it must be the name of a lifecycle hook"))?;
                    params.hook = Some(named.to_owned());
                }
                RESULT => params.result = policy(RESULT, text)?,
                ON_FAILURE => params.on_failure = policy(ON_FAILURE, text)?,
                EXTEND => {
                    let extend = text.and_then(|text| duration::parse(text).ok());
                    params.extend =
                        extend.ok_or_else(|| bad(EXTEND, "it must be a duration, such as `30m`"))?;
                }
                _ => {
                    return Err(Failure::rejected(
                        "unknown-param",
                        format!(
                            "hook has no parameter `{name}`, only `{HOOK}`, `{RESULT}`, `{ON_FAILURE}` and `{EXTEND}`; \
                             correct the rule and redrive this"
                        ),
                    ));
                }
            }
        }
        Ok(params)
    }
}

fn policy(name: &str, text: Option<&str>) -> Result<Policy, Failure> {
    match text {
        Some("continue") => Ok(Policy::Answer(Answer::Continue)),
        Some("abandon") => Ok(Policy::Answer(Answer::Abandon)),
        Some("leave") => Ok(Policy::Leave),
        _ => Err(bad(name, "it must be continue, abandon or leave")),
    }
}

/// The rule is where it can be mended.
pub(crate) fn bad(name: &str, why: &str) -> Failure {
    Failure::rejected(
        "bad-params",
        format!("the action's parameter `{name}`: {why}; correct the rule and redrive this"),
    )
}

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
            json!({"hook": "drain", "result": "abandon", "on_failure": "leave", "extend": "1h30m"}),
            Ok(Params {
                hook: Some("drain".to_owned()),
                result: Policy::Answer(Answer::Abandon),
                on_failure: Policy::Leave,
                extend: SignedDuration::from_mins(90),
            }),
        );
        check(json!({"hook": ""}), Err("`hook`: it must be the name"));
        check(
            json!({"result": "CONTINUE"}),
            Err("`result`: it must be continue"),
        );
        check(json!({"on_failure": true}), Err("`on_failure`: it must be"));
        check(json!({"extend": 30}), Err("`extend`: it must be a duration"));
        check(json!({"results": "abandon"}), Err("no parameter `results`, only"));
    }
}
