//! What an action says in its `params`.

use hollowtrees_cluster::cordon::Extent;
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

const OF_DRAIN: [&str; 6] = ["bare", "empty_dir", "daemons", "grace", "grace_cap", "force"];
const OF_CORDON: [&str; 1] = ["taint_only"];
const OF_UNCORDON: [&str; 1] = ["after"];
const OF_REMOVAL: [&str; 2] = ["out_of_service", "delete"];

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
        let terms = &mut params.terms;
        each(action, &OF_DRAIN, |key, value| match key {
            "bare" => flag(value).map(|flag| terms.bare = Some(flag)),
            "empty_dir" => flag(value).map(|flag| terms.empty_dir = Some(flag)),
            "daemons" => flag(value).map(|flag| terms.daemons = Some(flag)),
            "grace" => seconds(value).map(|seconds| terms.grace_seconds = Some(seconds)),
            "grace_cap" => seconds(value).map(|seconds| terms.grace_cap_seconds = Some(seconds)),
            _ => force(value).map(|force| params.force = force),
        })?;
        Ok(params)
    }
}

/// Those of a cordon: how much of it.
pub(crate) fn of_cordon(action: &proto::Action) -> Result<Extent, Failure> {
    let mut extent = Extent::default();
    each(action, &OF_CORDON, |_, value| {
        let taint_only = flag(value)?;
        extent = if taint_only { Extent::Taint } else { Extent::Whole };
        Ok(())
    })?;
    Ok(extent)
}

/// When a cordon is let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LetGo {
    /// At once.
    #[default]
    Now,
    /// Once the machine was started anew.
    AfterReboot,
}

/// Those of an uncordon.
pub(crate) fn of_uncordon(action: &proto::Action) -> Result<LetGo, Failure> {
    let mut when = LetGo::default();
    each(action, &OF_UNCORDON, |_, value| {
        if value != "reboot" {
            return Err("`reboot`");
        }
        when = LetGo::AfterReboot;
        Ok(())
    })?;
    Ok(when)
}

/// What is done about a node whose instance is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Removal {
    /// It is marked out of service, so that its pods and volumes are let go.
    pub(crate) out_of_service: bool,
    /// The object is deleted.
    pub(crate) delete: bool,
}

/// Those of a node's removal.
pub(crate) fn of_removal(action: &proto::Action) -> Result<Removal, Failure> {
    let mut removal = Removal {
        out_of_service: true,
        delete: true,
    };
    each(action, &OF_REMOVAL, |key, value| match key {
        "delete" => flag(value).map(|flag| removal.delete = flag),
        _ => flag(value).map(|flag| removal.out_of_service = flag),
    })?;
    if !removal.out_of_service && !removal.delete {
        return Err(bad(action, "has both params false, which leaves nothing to do"));
    }
    Ok(removal)
}

/// Hands each parameter to `read`, which is asked for known ones only and says what it expected.
fn each(
    action: &proto::Action,
    known: &[&str],
    mut read: impl FnMut(&str, &Value) -> Result<(), &'static str>,
) -> Result<(), Failure> {
    for (key, value) in given(action)? {
        if !known.contains(&key.as_str()) {
            let known = known.join(", ");
            return Err(bad(
                action,
                format!("has a parameter `{key}` that nobody knows; known are {known}"),
            ));
        }
        read(&key, &value)
            .map_err(|expected| bad(action, format!("has params.{key} = {value}; expected {expected}")))?;
    }
    Ok(())
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
        let refused = of_uncordon(&uncordon).unwrap_err().to_string();
        assert!(
            refused.contains("known are after") && refused.contains("`force`"),
            "{refused}"
        );
    }

    #[test]
    fn the_other_kinds_have_few() {
        assert_eq!(of_cordon(&action(json!({}))).unwrap(), Extent::Whole);
        assert_eq!(
            of_cordon(&action(json!({"taint_only": false}))).unwrap(),
            Extent::Whole
        );
        assert_eq!(
            of_cordon(&action(json!({"taint_only": true}))).unwrap(),
            Extent::Taint
        );
        assert_eq!(of_uncordon(&action(json!({}))).unwrap(), LetGo::Now);
        let rebooted = of_uncordon(&action(json!({"after": "reboot"}))).unwrap();
        assert_eq!(rebooted, LetGo::AfterReboot);
        let removal = |params: Value| of_removal(&action(params)).unwrap();
        let (out_of_service, delete) = (true, true);
        assert_eq!(
            removal(json!({})),
            Removal {
                out_of_service,
                delete
            }
        );
        assert_eq!(
            removal(json!({"delete": false})),
            Removal {
                out_of_service,
                delete: false
            }
        );
        assert_eq!(
            removal(json!({"out_of_service": false})),
            Removal {
                out_of_service: false,
                delete
            }
        );
        for (refused, expected) in [
            (
                of_cordon(&action(json!({"taint_only": 1}))).map(drop),
                "`true` or `false`",
            ),
            (
                of_uncordon(&action(json!({"after": "lunch"}))).map(drop),
                "`reboot`",
            ),
            (
                of_removal(&action(json!({"taint": true}))).map(drop),
                "out_of_service, delete",
            ),
        ] {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
