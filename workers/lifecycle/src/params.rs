//! What an action says of its hook, in its `params`.

use hollowtrees_aws::Answer;
use hollowtrees_domain::{
    duration,
    hook::{Awaited, Work},
};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::proto;
use jiff::SignedDuration;
use pbjson_types::value::Kind;

const HOOK: &str = "hook";
const RESULT: &str = "result";
const ON_FAILURE: &str = "on_failure";
const NO_NODE: &str = "no_node";
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
    /// Where the instance has no node that is known here; none: as if that were nothing special, and a launch in a cluster
    /// whose nodes are not seen is left.
    pub(crate) no_node: Option<Policy>,
    /// How much later than at first the incident's deadline may become by heartbeats.
    pub(crate) extend: SignedDuration,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            hook: None,
            result: Policy::Answer(Answer::Continue),
            on_failure: Policy::Answer(Answer::Abandon),
            no_node: None,
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
                NO_NODE => params.no_node = Some(policy(NO_NODE, text)?),
                EXTEND => {
                    let extend = text.and_then(|text| duration::parse(text).ok());
                    params.extend =
                        extend.ok_or_else(|| bad(EXTEND, "it must be a duration, such as `30m`"))?;
                }
                _ => {
                    return Err(Failure::rejected(
                        "unknown-param",
                        format!(
                            "hook has no parameter `{name}`, only `{HOOK}`, `{RESULT}`, `{ON_FAILURE}`, `{NO_NODE}` and \
                             `{EXTEND}`; correct the rule and redrive this"
                        ),
                    ));
                }
            }
        }
        Ok(params)
    }

    /// What becomes of the hook after a work that ended so, and whether that is because there is no node.
    pub(crate) fn after(&self, work: Work, waited: &[Awaited]) -> (Policy, bool) {
        let otherwise = match work {
            Work::Done => self.result,
            Work::Amiss | Work::UnderWay => self.on_failure,
        };
        match self.no_node {
            Some(policy) if work != Work::Amiss && waited.iter().any(crate::work::is_without_node) => {
                (policy, true)
            }
            _ => (otherwise, false),
        }
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
            json!({
                "hook": "drain", "result": "abandon", "on_failure": "leave", "no_node": "continue", "extend": "1h30m",
            }),
            Ok(Params {
                hook: Some("drain".to_owned()),
                result: Policy::Answer(Answer::Abandon),
                on_failure: Policy::Leave,
                no_node: Some(Policy::Answer(Answer::Continue)),
                extend: SignedDuration::from_mins(90),
            }),
        );
        check(json!({"hook": ""}), Err("`hook`: it must be the name"));
        check(
            json!({"result": "CONTINUE"}),
            Err("`result`: it must be continue"),
        );
        check(json!({"on_failure": true}), Err("`on_failure`: it must be"));
        check(json!({"no_node": "skip"}), Err("`no_node`: it must be continue"));
        check(json!({"extend": 30}), Err("`extend`: it must be a duration"));
        check(json!({"results": "abandon"}), Err("no parameter `results`, only"));
    }

    #[test]
    fn what_becomes_of_a_hook() {
        let of = |kind: &str, result: &str, reason: &str| Awaited {
            kind: kind.to_owned(),
            result: result.to_owned(),
            reason: reason.to_owned(),
        };
        let [proceed, abandon] = [Answer::Continue, Answer::Abandon].map(Policy::Answer);
        let check = |no_node: Option<Policy>, work, waited: &[Awaited], expected| {
            let params = Params {
                no_node,
                ..Params::default()
            };
            assert_eq!(
                params.after(work, waited),
                expected,
                "{no_node:?} {work:?} {waited:?}"
            );
        };
        let unknown = [of("drain", "skipped", "node-not-found")];
        let absent = [of("node-ready", "", "no-node")];
        check(None, Work::Done, &unknown, (proceed, false));
        check(None, Work::UnderWay, &absent, (abandon, false));
        for policy in [proceed, abandon, Policy::Leave] {
            check(Some(policy), Work::Done, &unknown, (policy, true));
            check(Some(policy), Work::UnderWay, &absent, (policy, true));
        }
        // There is a node, or something went wrong besides.
        let other = Some(Policy::Leave);
        check(
            other,
            Work::Done,
            &[of("drain", "skipped", "opted-out")],
            (proceed, false),
        );
        check(
            other,
            Work::Done,
            &[of("asg-swap", "skipped", "node-not-found")],
            (proceed, false),
        );
        check(
            other,
            Work::UnderWay,
            &[of("node-ready", "", "not-ready")],
            (abandon, false),
        );
        let amiss = [of("deregister", "failed", "refused"), unknown[0].clone()];
        check(other, Work::Amiss, &amiss, (abandon, false));
    }
}
