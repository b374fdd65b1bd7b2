//! The patch that cordons a node or lets it go, made from what the node looks like.

use serde_json::{Value, json};

use crate::removal::{MARK_ANNOTATION, OUT_OF_SERVICE};

use super::{
    EFFECT, EXCLUSION_LABEL, Extent, HOLDERS_ANNOTATION, TAINT,
    holders::{Before, Holders},
    patch::{Patch, TAINTS, pointer},
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
    /// `status.nodeInfo.bootID`; empty where no kubelet has said it.
    pub(crate) boot_id: String,
    /// Whether [`MARK_ANNOTATION`] is there: its out-of-service taint is ours.
    pub(crate) is_marked: bool,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plan {
    /// It is as it should be. `others`: who else holds it.
    Nothing { others: usize },
    /// A JSON Patch. `others`: who else holds it then.
    Patch { operations: Value, others: usize },
}

const UNSCHEDULABLE: &str = "/spec/unschedulable";

pub(super) fn cordon(uid: &str, seen: &Seen, holder: &str, extent: Extent) -> Plan {
    let whole = extent == Extent::Whole;
    let mut held = seen.held().unwrap_or_else(|| Holders {
        taint_only: true,
        ..Holders::default()
    });
    // An agent that was cut off from the bus had it closed: what was there before that is as it says, the rest as it is.
    let by_agent = held.is_of_nobody();
    let first_whole = (whole && held.taint_only) || by_agent;
    if first_whole {
        held.taint_only = false;
        held.before = Before {
            unschedulable: seen.unschedulable && !by_agent,
            excluded: seen.exclusion.is_some(),
        };
    }
    let new = held.holders.insert(holder.to_owned());
    if new && !seen.boot_id.is_empty() {
        held.boots.insert(holder.to_owned(), seen.boot_id.clone());
    }
    let others = held.holders.len().saturating_sub(1);
    let tainted = seen.is_tainted();
    let closed = seen.unschedulable && seen.exclusion.is_some();
    if !new && !first_whole && tainted && (closed || !whole) {
        return Plan::Nothing { others };
    }
    let mut patch = unchanged(uid, seen);
    if !tainted {
        let ours = json!({"key": TAINT, "effect": EFFECT});
        let all: Vec<&Value> = seen.taints().iter().chain([&ours]).collect();
        patch.push(json!({"op": "add", "path": TAINTS, "value": all}));
    }
    if whole && !seen.unschedulable {
        patch.push(json!({"op": "add", "path": UNSCHEDULABLE, "value": true}));
    }
    if whole && seen.exclusion.is_none() {
        patch.add_to("/metadata/labels", seen.has_labels, EXCLUSION_LABEL, "true");
    }
    if new || first_whole {
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
    let mut held = seen.held().unwrap_or_else(|| Holders {
        taint_only: true,
        ..Holders::default()
    });
    let by_agent = held.is_of_nobody();
    if !held.holders.remove(holder) && !by_agent {
        return Plan::Nothing {
            others: held.holders.len(),
        };
    }
    held.boots.remove(holder);
    let others = held.holders.len();
    let mut patch = unchanged(uid, seen);
    let annotation = pointer("/metadata/annotations", HOLDERS_ANNOTATION);
    if others > 0 {
        patch.push(json!({"op": "replace", "path": annotation, "value": held.write()}));
        return Plan::Patch {
            operations: patch.into(),
            others,
        };
    }
    patch.push(json!({"op": "remove", "path": annotation}));
    if seen.is_marked {
        let mark = pointer("/metadata/annotations", MARK_ANNOTATION);
        patch.push(json!({"op": "remove", "path": mark}));
    }
    let is_mark =
        |taint: &Value| seen.is_marked && taint.get("key").and_then(Value::as_str) == Some(OUT_OF_SERVICE);
    let foreign: Vec<&Value> = seen
        .taints()
        .iter()
        .filter(|taint| !is_ours(taint) && !is_mark(taint))
        .collect();
    if foreign.len() < seen.taints().len() {
        patch.push(if foreign.is_empty() {
            json!({"op": "remove", "path": TAINTS})
        } else {
            json!({"op": "replace", "path": TAINTS, "value": foreign})
        });
    }
    let closed = !held.taint_only;
    if closed && seen.unschedulable && !held.before.unschedulable {
        patch.push(json!({"op": "remove", "path": UNSCHEDULABLE}));
    }
    if closed && seen.exclusion.is_some() && !held.before.excluded && !by_agent {
        patch.push(json!({"op": "remove", "path": pointer("/metadata/labels", EXCLUSION_LABEL)}));
    }
    Plan::Patch {
        operations: patch.into(),
        others,
    }
}

/// A patch of the node while it is as it was seen.
fn unchanged(uid: &str, seen: &Seen) -> Patch {
    let mut patch = Patch::of(uid);
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

impl Seen {
    pub(crate) fn taints(&self) -> &[Value] {
        self.taints
            .as_ref()
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    fn held(&self) -> Option<Holders> {
        self.holders.as_deref().and_then(Holders::read)
    }

    /// Whether our taint is on it.
    pub(crate) fn is_tainted(&self) -> bool {
        self.taints().iter().any(is_ours)
    }

    /// Whether the machine was started anew since this holder came; not where that was not written down.
    pub(crate) fn was_rebooted_under(&self, holder: &str) -> bool {
        let held = self.held().unwrap_or_default();
        let boot = held.boots.get(holder);
        boot.is_some_and(|boot| !self.boot_id.is_empty() && *boot != self.boot_id)
    }
}

fn is_ours(taint: &Value) -> bool {
    taint.get("key").and_then(Value::as_str) == Some(TAINT)
        && taint.get("effect").and_then(Value::as_str) == Some(EFFECT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole of it.
    fn cordon(uid: &str, seen: &Seen, holder: &str) -> Plan {
        super::cordon(uid, seen, holder, Extent::Whole)
    }

    fn taint(uid: &str, seen: &Seen, holder: &str) -> Plan {
        super::cordon(uid, seen, holder, Extent::Taint)
    }

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
    fn a_taint_alone_leaves_the_rest_to_others() {
        let one = patched(&plain(), &taint("u", &plain(), "i-1/1"));
        assert!(
            one.is_tainted() && !one.unschedulable && one.exclusion.is_none(),
            "{one:?}"
        );
        assert_eq!(taint("u", &one, "i-1/1"), Plan::Nothing { others: 0 });
        assert_eq!(patched(&one, &uncordon("u", &one, "i-1/1")), plain());
        // Somebody cordons it meanwhile: that is none of ours.
        let closed = Seen {
            unschedulable: true,
            exclusion: Some("x".to_owned()),
            ..one.clone()
        };
        let after = patched(&closed, &uncordon("u", &closed, "i-1/1"));
        assert!(after.unschedulable && after.exclusion.is_some() && !after.is_tainted());
        // The whole of it comes later, by the same incident or another one, and finds what there is by then.
        for holder in ["i-1/1", "i-1/2"] {
            let whole = patched(&one, &cordon("u", &one, holder));
            assert!(whole.unschedulable && whole.exclusion.is_some());
            assert!(matches!(taint("u", &whole, holder), Plan::Nothing { .. }));
            let rest = match uncordon("u", &whole, "i-1/2") {
                Plan::Nothing { .. } => whole,
                patch @ Plan::Patch { .. } => patched(&whole, &patch),
            };
            assert_eq!(patched(&rest, &uncordon("u", &rest, "i-1/1")), plain());
            let whole = patched(&closed, &cordon("u", &closed, holder));
            let rest = patched(&whole, &uncordon("u", &whole, holder));
            assert!(rest.unschedulable && rest.exclusion.is_some());
        }
    }

    /// As `workers/agent/src/cordon/api.rs` leaves it.
    #[test]
    fn a_cordon_of_the_nodes_own_agent_is_one_of_ours() {
        for exclusion in [None, Some("x".to_owned())] {
            let before = Seen { exclusion, ..plain() };
            let by_agent = Seen {
                unschedulable: true,
                holders: Some("{\"holders\":[]}".to_owned()),
                ..before.clone()
            };
            for extent in [Extent::Whole, Extent::Taint] {
                let held = patched(&by_agent, &super::cordon("u", &by_agent, "i-1/1", extent));
                assert!(held.unschedulable && held.is_tainted());
                assert_eq!(
                    super::cordon("u", &held, "i-1/1", extent),
                    Plan::Nothing { others: 0 }
                );
                assert_eq!(patched(&held, &uncordon("u", &held, "i-1/1")), before);
            }
            // Taken back before anybody held it.
            assert_eq!(patched(&by_agent, &uncordon("u", &by_agent, "i-1/1")), before);
        }
    }

    #[test]
    fn a_machine_that_was_started_anew_is_known_by_its_boot_id() {
        let booted = |id: &str, seen: &Seen| Seen {
            boot_id: id.to_owned(),
            ..seen.clone()
        };
        let first = booted("b-1", &plain());
        let one = patched(&first, &cordon("u", &first, "i-1/1"));
        assert!(!one.was_rebooted_under("i-1/1"));
        assert!(!booted("", &one).was_rebooted_under("i-1/1"), "nobody says it");
        let anew = booted("b-2", &one);
        assert!(anew.was_rebooted_under("i-1/1"));
        // Who came after that holds the machine as it runs now.
        let two = patched(&anew, &cordon("u", &anew, "i-1/2"));
        assert!(two.was_rebooted_under("i-1/1") && !two.was_rebooted_under("i-1/2"));
        assert!(!two.was_rebooted_under("i-1/3"), "who does not hold it");
        let left = patched(&two, &uncordon("u", &two, "i-1/1"));
        assert!(!left.was_rebooted_under("i-1/1"));
        // Not written down: as by an earlier version.
        let unknown = booted("b-2", &patched(&plain(), &cordon("u", &plain(), "i-1/1")));
        assert!(!unknown.was_rebooted_under("i-1/1"));
    }

    #[test]
    fn the_last_to_let_go_takes_our_mark_off_and_no_other() {
        let mark = json!({"key": OUT_OF_SERVICE, "value": "nodeshutdown", "effect": "NoExecute"});
        let held = patched(&plain(), &cordon("u", &plain(), "i-1/1"));
        let all: Vec<Value> = held.taints().iter().cloned().chain([mark.clone()]).collect();
        let marked = |is_marked| Seen {
            taints: Some(all.clone().into()),
            is_marked,
            ..held.clone()
        };
        let left = |is_marked| {
            let seen = marked(is_marked);
            patched(&seen, &uncordon("u", &seen, "i-1/1")).taints
        };
        assert_eq!(left(true), None);
        assert_eq!(left(false), Some(json!([mark])));
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
