//! The patch that cordons a node or lets it go, made from what the node looks like.

use serde_json::{Value, json};

use super::{
    EFFECT, EXCLUSION_LABEL, HOLDERS_ANNOTATION, TAINT,
    holders::{Before, Holders},
};

/// What of a node a cordon is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) unschedulable: bool,
    /// `spec.taints` as it is, since it can only be replaced as a whole.
    pub(crate) taints: Option<Value>,
    pub(crate) has_labels: bool,
    /// Value of [`EXCLUSION_LABEL`].
    pub(crate) exclusion: Option<String>,
    pub(crate) has_annotations: bool,
    /// Value of [`HOLDERS_ANNOTATION`].
    pub(crate) holders: Option<String>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plan {
    /// It is as it should be. `others`: who else holds it.
    Nothing { others: usize },
    /// A JSON Patch. `others`: who else holds it then.
    Patch { operations: Value, others: usize },
}

const TAINTS: &str = "/spec/taints";
const UNSCHEDULABLE: &str = "/spec/unschedulable";

pub(super) fn cordon(uid: &str, seen: &Seen, holder: &str) -> Plan {
    let mut held = seen.held().unwrap_or_else(|| Holders {
        before: Before {
            unschedulable: seen.unschedulable,
            excluded: seen.exclusion.is_some(),
        },
        ..Holders::default()
    });
    let new = held.holders.insert(holder.to_owned());
    let others = held.holders.len().saturating_sub(1);
    let tainted = seen.taints().iter().any(is_ours);
    if !new && tainted && seen.unschedulable && seen.exclusion.is_some() {
        return Plan::Nothing { others };
    }
    let mut patch = Patch::of(uid, seen);
    if !tainted {
        let ours = json!({"key": TAINT, "effect": EFFECT});
        let all: Vec<&Value> = seen.taints().iter().chain([&ours]).collect();
        patch.push(json!({"op": "add", "path": TAINTS, "value": all}));
    }
    if !seen.unschedulable {
        patch.push(json!({"op": "add", "path": UNSCHEDULABLE, "value": true}));
    }
    if seen.exclusion.is_none() {
        patch.add_to("/metadata/labels", seen.has_labels, EXCLUSION_LABEL, "true");
    }
    if new {
        patch.add_to(
            "/metadata/annotations",
            seen.has_annotations,
            HOLDERS_ANNOTATION,
            &held.write(),
        );
    }
    Plan::Patch {
        operations: patch.into(),
        others,
    }
}

pub(super) fn uncordon(uid: &str, seen: &Seen, holder: &str) -> Plan {
    let mut held = seen.held().unwrap_or_default();
    if !held.holders.remove(holder) {
        return Plan::Nothing {
            others: held.holders.len(),
        };
    }
    let others = held.holders.len();
    let mut patch = Patch::of(uid, seen);
    let annotation = pointer("/metadata/annotations", HOLDERS_ANNOTATION);
    if others > 0 {
        patch.push(json!({"op": "replace", "path": annotation, "value": held.write()}));
        return Plan::Patch {
            operations: patch.into(),
            others,
        };
    }
    patch.push(json!({"op": "remove", "path": annotation}));
    let foreign: Vec<&Value> = seen.taints().iter().filter(|taint| !is_ours(taint)).collect();
    if foreign.len() < seen.taints().len() {
        patch.push(if foreign.is_empty() {
            json!({"op": "remove", "path": TAINTS})
        } else {
            json!({"op": "replace", "path": TAINTS, "value": foreign})
        });
    }
    if seen.unschedulable && !held.before.unschedulable {
        patch.push(json!({"op": "remove", "path": UNSCHEDULABLE}));
    }
    if seen.exclusion.is_some() && !held.before.excluded {
        patch.push(json!({"op": "remove", "path": pointer("/metadata/labels", EXCLUSION_LABEL)}));
    }
    Plan::Patch {
        operations: patch.into(),
        others,
    }
}

impl Seen {
    fn taints(&self) -> &[Value] {
        self.taints
            .as_ref()
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    fn held(&self) -> Option<Holders> {
        self.holders.as_deref().and_then(Holders::read)
    }
}

fn is_ours(taint: &Value) -> bool {
    taint.get("key").and_then(Value::as_str) == Some(TAINT)
        && taint.get("effect").and_then(Value::as_str) == Some(EFFECT)
}

/// Operations under tests: nothing happens unless all of them hold. A test for null holds where nothing is.
struct Patch(Vec<Value>);

impl Patch {
    fn of(uid: &str, seen: &Seen) -> Self {
        let mut patch = Self(Vec::new());
        patch.test("/metadata/uid", &json!(uid));
        patch.test(TAINTS, &json!(seen.taints));
        patch.test(UNSCHEDULABLE, &json!(seen.unschedulable.then_some(true)));
        if seen.has_annotations {
            patch.test(
                &pointer("/metadata/annotations", HOLDERS_ANNOTATION),
                &json!(seen.holders),
            );
        }
        if seen.has_labels {
            patch.test(
                &pointer("/metadata/labels", EXCLUSION_LABEL),
                &json!(seen.exclusion),
            );
        }
        patch
    }

    fn test(&mut self, path: &str, value: &Value) {
        self.push(json!({"op": "test", "path": path, "value": value}));
    }

    /// Adds to a map that may not be there.
    fn add_to(&mut self, map: &str, is_there: bool, key: &str, value: &str) {
        if is_there {
            self.push(json!({"op": "add", "path": pointer(map, key), "value": value}));
        } else {
            self.test(map, &Value::Null);
            self.push(json!({"op": "add", "path": map, "value": {key: value}}));
        }
    }

    fn push(&mut self, operation: Value) {
        self.0.push(operation);
    }
}

impl From<Patch> for Value {
    fn from(patch: Patch) -> Self {
        Self::Array(patch.0)
    }
}

/// RFC 6901: `/` in a key is `~1`, `~` is `~0`.
fn pointer(map: &str, key: &str) -> String {
    format!("{map}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The node after a patch, by the few rules of RFC 6902 that are used here.
    fn patched(seen: &Seen, plan: &Plan) -> Seen {
        let Plan::Patch { operations, .. } = plan else {
            panic!("{plan:?}")
        };
        let mut after = seen.clone();
        for operation in operations.as_array().unwrap() {
            let op = operation["op"].as_str().unwrap();
            let value = operation["value"].clone();
            let text = || Some(value.as_str().unwrap().to_owned());
            match (op, operation["path"].as_str().unwrap()) {
                ("test", _) => {}
                ("remove", TAINTS) => after.taints = None,
                (_, TAINTS) => after.taints = Some(value),
                (op, UNSCHEDULABLE) => after.unschedulable = op == "add",
                ("add", "/metadata/labels") => {
                    (after.has_labels, after.exclusion) = (true, Some("true".to_owned()));
                }
                ("add", "/metadata/annotations") => {
                    after.has_annotations = true;
                    after.holders = Some(value[HOLDERS_ANNOTATION].as_str().unwrap().to_owned());
                }
                ("remove", path) if path.starts_with("/metadata/labels/") => after.exclusion = None,
                (_, path) if path.starts_with("/metadata/labels/") => after.exclusion = text(),
                ("remove", path) if path.starts_with("/metadata/annotations/") => after.holders = None,
                (_, path) if path.starts_with("/metadata/annotations/") => after.holders = text(),
                other => panic!("{other:?}"),
            }
        }
        after
    }

    fn plain() -> Seen {
        Seen {
            has_labels: true,
            has_annotations: true,
            ..Seen::default()
        }
    }

    #[test]
    fn the_last_to_let_go_restores_what_was_before_the_first() {
        let foreign_taint = json!([{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]);
        for before in [
            plain(),
            Seen {
                taints: Some(foreign_taint.clone()),
                ..plain()
            },
            Seen {
                unschedulable: true,
                ..plain()
            },
            Seen {
                exclusion: Some(String::new()),
                ..plain()
            },
            Seen {
                unschedulable: true,
                exclusion: Some("x".to_owned()),
                taints: Some(foreign_taint),
                ..plain()
            },
        ] {
            let one = patched(&before, &cordon("u", &before, "i-1/1"));
            assert!(
                one.unschedulable && one.exclusion.is_some() && one.taints().iter().any(is_ours),
                "{one:?}"
            );
            assert_eq!(cordon("u", &one, "i-1/1"), Plan::Nothing { others: 0 });
            let two = patched(&one, &cordon("u", &one, "i-1/2"));
            let still = uncordon("u", &two, "i-1/1");
            assert!(matches!(still, Plan::Patch { others: 1, .. }));
            let still = patched(&two, &still);
            assert!(still.unschedulable);
            assert_eq!(uncordon("u", &still, "i-1/1"), Plan::Nothing { others: 1 });
            let last = uncordon("u", &still, "i-1/2");
            assert!(matches!(last, Plan::Patch { others: 0, .. }));
            assert_eq!(patched(&still, &last), before);
        }
    }

    #[test]
    fn everything_it_was_planned_on_is_tested() {
        let Plan::Patch { operations, .. } = cordon("u", &Seen::default(), "i-1/1") else {
            panic!()
        };
        assert_eq!(
            operations,
            json!([
                {"op": "test", "path": "/metadata/uid", "value": "u"},
                {"op": "test", "path": "/spec/taints", "value": null},
                {"op": "test", "path": "/spec/unschedulable", "value": null},
                {"op": "add", "path": "/spec/taints", "value": [{"key": TAINT, "effect": "NoSchedule"}]},
                {"op": "add", "path": "/spec/unschedulable", "value": true},
                {"op": "test", "path": "/metadata/labels", "value": null},
                {"op": "add", "path": "/metadata/labels", "value": {EXCLUSION_LABEL: "true"}},
                {"op": "test", "path": "/metadata/annotations", "value": null},
                {"op": "add", "path": "/metadata/annotations", "value": {
                    HOLDERS_ANNOTATION: "{\"holders\":[\"i-1/1\"],\"before\":{\"unschedulable\":false,\"excluded\":false}}",
                }},
            ])
        );
    }

    #[test]
    fn somebody_elses_uncordon_is_undone_by_the_next_cordon() {
        let held = patched(&plain(), &cordon("u", &plain(), "i-1/1"));
        let opened = Seen {
            unschedulable: false,
            ..held.clone()
        };
        assert_eq!(patched(&opened, &cordon("u", &opened, "i-1/1")), held);
        // Words nobody can read hold nothing.
        let garbage = Seen {
            holders: Some("yes".to_owned()),
            ..plain()
        };
        assert_eq!(uncordon("u", &garbage, "i-1/1"), Plan::Nothing { others: 0 });
        assert!(
            patched(&garbage, &cordon("u", &garbage, "i-1/1"))
                .holders
                .unwrap()
                .contains("i-1/1")
        );
    }
}
