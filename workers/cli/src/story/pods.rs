//! What became of each pod of a node, and which volumes stayed, from an outcome's detail.

use std::collections::BTreeMap;

use hollowtrees_schemas::{
    names::{kind, result},
    proto,
};
use serde::Serialize;
use serde_json::Value;

use super::Episode;
use crate::event::Said;

/// Lists of the detail, trouble first. A pod in several is told by the first, with what the others add.
const LISTS: [&str; 9] = [
    "left",
    "forced",
    "finalizing",
    SHORTENED,
    "skipped",
    "others",
    "deleted",
    "evicted",
    "would_evict",
];
/// Says how a pod went, and not that it did.
const SHORTENED: &str = "shortened";

/// What became of the pods of one drain, or of a node that was removed.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pods {
    action_id: String,
    /// Trouble first.
    pods: Vec<Fate>,
    /// Volumes that were attached to the node at the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attached: Vec<String>,
    /// Entries that the outcome counts and does not name, by list.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    unnamed: BTreeMap<String, u64>,
}

/// What became of one.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fate {
    /// `namespace/name`
    pod: String,
    /// The list of the detail that says most.
    result: &'static str,
    /// Refusals, budgets, reasons; may be empty.
    why: String,
    #[serde(skip)]
    rank: usize,
}

impl Pods {
    /// Those of an action; `None` where it is no drain, or has not said.
    pub fn of(episode: &Episode, action_id: &str) -> Option<Self> {
        let mut outcomes = episode.events.iter().rev().filter_map(|event| match &event.said {
            Said::Outcome(outcome) => Some(outcome.as_ref()),
            _ => None,
        });
        // A redrive ends once more; the newest counts.
        let newest = outcomes.find(|outcome| outcome.action_id == action_id && tells(outcome))?;
        let detail = newest.detail.as_ref()?;
        let mut pods = Self::read(&serde_json::to_value(detail).ok()?)?;
        action_id.clone_into(&mut pods.action_id);
        Some(pods)
    }

    fn read(detail: &Value) -> Option<Self> {
        let mut found: BTreeMap<&str, Fate> = BTreeMap::new();
        let mut unnamed = BTreeMap::new();
        let mut has_any = false;
        for (rank, list) in LISTS.into_iter().enumerate() {
            let Some(entries) = detail.get(list).and_then(Value::as_array) else {
                continue;
            };
            has_any = true;
            for entry in entries {
                let Some(pod) = entry.as_str().or_else(|| entry.get("pod")?.as_str()) else {
                    continue;
                };
                let fate = found.entry(pod).or_insert_with(|| Fate {
                    pod: pod.to_owned(),
                    result: list,
                    why: String::new(),
                    rank,
                });
                if fate.result == SHORTENED {
                    fate.result = list;
                }
                fate.add(&why(list, entry));
            }
            let counted = detail.get("counts").and_then(|counts| counts.get(list)?.as_f64());
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count, as JSON has it"
            )]
            let counted = counted.map_or(0, |count| count as u64);
            let named = u64::try_from(entries.len()).unwrap_or(u64::MAX);
            if counted > named {
                unnamed.insert(list.to_owned(), counted - named);
            }
        }
        let attached = detail
            .get("attached")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let attached = attached.filter_map(Value::as_str).map(str::to_owned).collect();
        let mut pods: Vec<Fate> = found.into_values().collect();
        pods.sort_by_key(|fate| fate.rank);
        has_any.then(|| Self {
            action_id: String::new(),
            pods,
            attached,
            unnamed,
        })
    }

    /// One row a pod: which, what became of it, why. Before them one a volume.
    pub(super) fn rows(&self) -> Vec<[String; 3]> {
        let row = |fate: &Fate| [fate.pod.clone(), fate.result.replace('_', " "), fate.why.clone()];
        let volume = |name: &String| [name.clone(), "attached".to_owned(), "a volume".to_owned()];
        let volumes = self.attached.iter().map(volume);
        volumes.chain(self.pods.iter().map(row)).collect()
    }

    /// How many the outcome does not name, in words; empty where it names all.
    pub(super) fn unnamed(&self) -> String {
        let counts = self.unnamed.iter();
        let counts: Vec<_> = counts
            .map(|(list, count)| format!("{count} {}", list.replace('_', " ")))
            .collect();
        counts.join(", ")
    }
}

impl Fate {
    fn add(&mut self, why: &str) {
        if !why.is_empty() {
            let between = if self.why.is_empty() { "" } else { "; " };
            self.why.push_str(&format!("{between}{why}"));
        }
    }
}

fn tells(outcome: &proto::Outcome) -> bool {
    [kind::DRAIN, kind::REMOVE_NODE].contains(&outcome.kind.as_str())
        && result::is_final(&outcome.result)
        && !outcome.late
        && outcome.detail.is_some()
}

fn why(list: &str, entry: &Value) -> String {
    let text = |key: &str| {
        entry
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let joined = |key: &str| {
        let all = entry.get(key).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
    };
    match list {
        "left" | "skipped" => text("reason"),
        "forced" => {
            let budgets = joined("budgets");
            let mut why = match budgets.as_str() {
                "" => "deleted past no budget".to_owned(),
                budgets => format!("deleted past {budgets}"),
            };
            if let Some(grace) = entry.get("grace_seconds").and_then(Value::as_f64) {
                why = format!("{why} with {grace} s of grace");
            }
            match text("refusal").as_str() {
                "" => why,
                refusal => format!("{why}: {refusal}"),
            }
        }
        "finalizing" => format!("held by {}", joined("finalizers")),
        SHORTENED => "with less grace than its own".to_owned(),
        "others" => "by somebody else's doing".to_owned(),
        "deleted" => "no budget covers it".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn trouble_comes_first_and_each_pod_once() {
        let detail = json!({
            "node": "n",
            "counts": {"evicted": 302.0, "left": 1.0, "forced": 1.0},
            "evicted": ["s/a", "s/b", "s/x"],
            "deleted": ["s/d"],
            "forced": [{"pod": "s/db", "budgets": ["b", "c"], "refusal": "No.", "grace_seconds": 12.0}],
            "shortened": ["s/b", "s/db"],
            "others": ["s/o"],
            "skipped": [{"pod": "s/ds", "reason": "daemon-set"}],
            "finalizing": [{"pod": "s/a", "finalizers": ["f/g"]}],
            "left": [{"pod": "s/x", "reason": "still ending"}],
            "attached": ["pv-1"],
        });
        let pods = Pods::read(&detail).unwrap();
        let rows: Vec<_> = pods.rows().iter().map(|row| row.join(" | ")).collect();
        assert_eq!(
            rows,
            [
                "pv-1 | attached | a volume",
                "s/x | left | still ending",
                "s/db | forced | deleted past b, c with 12 s of grace: No.; with less grace than its own",
                "s/a | finalizing | held by f/g",
                "s/b | evicted | with less grace than its own",
                "s/ds | skipped | daemon-set",
                "s/o | others | by somebody else's doing",
                "s/d | deleted | no budget covers it",
            ]
        );
        assert_eq!(pods.unnamed(), "299 evicted");
    }

    #[test]
    fn a_rehearsal_tells_too_and_another_detail_nothing() {
        let pods = Pods::read(&json!({"node": "n", "would_evict": ["s/a"], "skipped": []})).unwrap();
        assert_eq!(pods.rows(), [["s/a", "would evict", ""].map(str::to_owned)]);
        assert_eq!(Pods::read(&json!({"node": "n"})), None);
    }
}
