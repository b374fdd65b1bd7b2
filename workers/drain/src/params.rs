//! What an action says of its drain, in its `params`.

use hollowtrees_domain::{
    drain::{Force, Terms},
    duration,
};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::proto;
use jiff::SignedDuration;
use serde_json::{Map, Value};

/// Reason of an outcome whose action has parameters that mean nothing.
pub const BAD_PARAMS: &str = "bad-params";

const KEYS: [&str; 6] = ["bare", "empty_dir", "daemons", "grace", "grace_cap", "force"];

/// Parameters of a drain. What is not said is as the worker's configuration and the incident's certainty have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Params {
    /// Which pods, and with how much grace.
    pub(crate) terms: Terms,
    /// The most force there may be, whatever the certainty allows.
    pub(crate) force: Force,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            terms: Terms::default(),
            force: Force::Always,
        }
    }
}

impl Params {
    /// Those of a drain.
    pub(crate) fn of_drain(action: &proto::Action) -> Result<Self, Failure> {
        let mut params = Self::default();
        for (key, value) in given(action)? {
            let terms = &mut params.terms;
            let read = match key.as_str() {
                "bare" => flag(&value).map(|flag| terms.bare = Some(flag)),
                "empty_dir" => flag(&value).map(|flag| terms.empty_dir = Some(flag)),
                "daemons" => flag(&value).map(|flag| terms.daemons = Some(flag)),
                "grace" => seconds(&value).map(|seconds| terms.grace_seconds = Some(seconds)),
                "grace_cap" => seconds(&value).map(|seconds| terms.grace_cap_seconds = Some(seconds)),
                "force" => force(&value).map(|force| params.force = force),
                _ => {
                    let known = KEYS.join(", ");
                    return Err(bad(
                        action,
                        format!("has a parameter `{key}` that nobody knows; known are {known}"),
                    ));
                }
            };
            read.map_err(|expected| bad(action, format!("has params.{key} = {value}; expected {expected}")))?;
        }
        Ok(params)
    }

    /// There are none for this kind.
    pub(crate) fn none(action: &proto::Action) -> Result<(), Failure> {
        match given(action)?.keys().next() {
            None => Ok(()),
            Some(key) => Err(bad(
                action,
                format!("has a parameter `{key}`, but this kind takes none; take it out"),
            )),
        }
    }
}

fn given(action: &proto::Action) -> Result<Map<String, Value>, Failure> {
    let Some(params) = &action.params else {
        return Ok(Map::new());
    };
    match serde_json::to_value(params) {
        Ok(Value::Object(params)) => Ok(params),
        Ok(other) => Err(bad(action, format!("has params = {other}; expected a mapping"))),
        Err(error) => Err(bad(action, format!("has params that cannot be read: {error}"))),
    }
}

/// The rule is where it can be mended.
fn bad(action: &proto::Action, what: impl std::fmt::Display) -> Failure {
    let rule = if action.rule.is_empty() {
        String::new()
    } else {
        format!("; see rule `{}`", action.rule)
    };
    Failure::rejected(
        BAD_PARAMS,
        format!("the {} of {} {what}{rule}", action.kind, action.instance),
    )
}

fn flag(value: &Value) -> Result<bool, &'static str> {
    value.as_bool().ok_or("`true` or `false`")
}

/// Whole seconds: the API server counts in them. None at all would remove a pod while its containers run.
fn seconds(value: &Value) -> Result<u32, &'static str> {
    let expected = "a duration of whole seconds, at least `1s`, such as `30s`";
    let cap = value
        .as_str()
        .and_then(|text| duration::parse(text).ok())
        .filter(|cap| cap.subsec_millis() == 0);
    cap.and_then(|cap| u32::try_from(cap.as_secs()).ok())
        .filter(|seconds| *seconds > 0)
        .ok_or(expected)
}

fn force(value: &Value) -> Result<Force, &'static str> {
    let expected = "`never`, `allowed`, or how long before the deadline it may begin, such as `30s`";
    match value.as_str() {
        Some("never") => Ok(Force::Never),
        Some("allowed") => Ok(Force::Always),
        Some(text) => match duration::parse(text) {
            Ok(within) if within > SignedDuration::ZERO => Ok(Force::Within(within)),
            _ => Err(expected),
        },
        None => Err(expected),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn action(params: Value) -> proto::Action {
        proto::Action {
            kind: "drain".to_owned(),
            instance: "i-0abc".to_owned(),
            rule: "spot".to_owned(),
            params: Some(serde_json::from_value(params).unwrap()),
            ..proto::Action::default()
        }
    }

    #[test]
    fn parameters_are_read_once_into_what_they_mean() {
        let check = |params: Value, expected: Params| {
            assert_eq!(
                Params::of_drain(&action(params.clone())).unwrap(),
                expected,
                "{params}"
            );
        };
        let none = Params::default();
        assert_eq!(Params::of_drain(&proto::Action::default()).unwrap(), none);
        check(json!({}), none);
        check(
            json!({"bare": false, "empty_dir": true, "daemons": true, "grace": "2m", "grace_cap": "1m30s", "force": "never"}),
            Params {
                terms: Terms {
                    bare: Some(false),
                    empty_dir: Some(true),
                    daemons: Some(true),
                    grace_seconds: Some(120),
                    grace_cap_seconds: Some(90),
                },
                force: Force::Never,
            },
        );
        check(json!({"force": "allowed"}), none);
        let within = Force::Within(SignedDuration::from_secs(20));
        check(
            json!({"force": "20s"}),
            Params {
                force: within,
                ..none
            },
        );
    }

    #[test]
    fn what_means_nothing_is_refused_with_key_value_and_remedy() {
        let check = |params: Value, expected: &[&str]| {
            let refused = Params::of_drain(&action(params)).unwrap_err();
            assert!(
                matches!(&refused, Failure::Rejected { reason, .. } if reason == BAD_PARAMS),
                "{refused:?}"
            );
            let text = refused.to_string();
            for word in expected.iter().chain(&["drain of i-0abc", "rule `spot`"]) {
                assert!(text.contains(word), "{word} is not in: {text}");
            }
        };
        check(
            json!({"bear": true}),
            &["`bear`", "bare, empty_dir, daemons, grace, grace_cap, force"],
        );
        check(
            json!({"bare": "yes"}),
            &["params.bare = \"yes\"", "`true` or `false`"],
        );
        check(
            json!({"empty_dir": 1}),
            &["params.empty_dir = 1", "`true` or `false`"],
        );
        check(json!({"daemons": null}), &["params.daemons = null"]);
        for cap in [
            json!("0s"),
            json!("1500ms"),
            json!(30),
            json!("soon"),
            json!("-1s"),
        ] {
            check(json!({"grace_cap": cap}), &["params.grace_cap", "at least `1s`"]);
        }
        for force in [json!("always"), json!("0s"), json!(true), json!("")] {
            check(json!({"force": force}), &["params.force", "`never`, `allowed`"]);
        }
        let uncordon = proto::Action {
            kind: "uncordon".to_owned(),
            ..action(json!({"force": "never"}))
        };
        let refused = Params::none(&uncordon).unwrap_err().to_string();
        assert!(
            refused.contains("takes none") && refused.contains("`force`"),
            "{refused}"
        );
        assert!(Params::none(&proto::Action::default()).is_ok());
    }
}
