//! The README, the schema and the copies in the chart say what the chart is.

use std::collections::BTreeSet;

use hollowtrees_harness::helm;
use serde_json::Value;

use crate::documents::{find, rendered, root, with};

const WORKERS: [&str; 8] = [
    "agent",
    "router",
    "drain",
    "asgSwap",
    "lifecycle",
    "metrics",
    "gateway",
    "recommender",
];
/// Values that a person fills as Kubernetes or the programs have them: nothing below them is ours to name.
const OPEN: [&str; 9] = [
    "config",
    "rules",
    "env",
    "resources",
    "nodeSelector",
    "tolerations",
    "affinity",
    "updateStrategy",
    "podAnnotations",
];

/// The paths of all values that can be set, `.`-separated.
fn paths(values: &Value, path: &str, found: &mut BTreeSet<String>) {
    let last = path.rsplit('.').next().unwrap();
    match values.as_object() {
        Some(map) if !map.is_empty() && !OPEN.contains(&last) => {
            for (key, value) in map {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                paths(value, &path, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

fn values() -> BTreeSet<String> {
    let text = std::fs::read_to_string(helm::chart().join("values.yaml")).unwrap();
    let mut found = BTreeSet::new();
    paths(&serde_saphyr::from_str(&text).unwrap(), "", &mut found);
    assert!(found.len() > 80, "{found:?}");
    found
}

#[test]
fn the_table_of_values_is_complete_and_true() {
    let readme = std::fs::read_to_string(helm::chart().join("README.md")).unwrap();
    let told: BTreeSet<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect();
    // One row for what all workers have.
    let general = |path: &str| match path.split_once('.') {
        Some((worker, rest)) if WORKERS.contains(&worker) => format!("WORKER.{rest}"),
        _ => path.to_owned(),
    };
    let values = values();
    let missing: Vec<_> = values
        .iter()
        .filter(|path| !told.contains(*path) && !told.contains(&general(path)))
        .collect();
    assert!(missing.is_empty(), "not in README.md: {missing:?}");
    let known: BTreeSet<_> = values
        .iter()
        .flat_map(|path| [path.clone(), general(path)])
        .collect();
    let unknown: Vec<_> = told.iter().filter(|path| !known.contains(*path)).collect();
    assert!(unknown.is_empty(), "in README.md, but no value: {unknown:?}");
}

/// `helm lint` refuses a value that the schema does not know; this is the other way round.
#[test]
fn the_schema_knows_nothing_else() {
    fn allowed(schema: &Value, all: &Value, path: &str, found: &mut BTreeSet<String>) {
        if let Some(name) = schema["$ref"].as_str() {
            // A worker's own `nats` is empty unless it differs.
            if path == "nats" {
                allowed(
                    &all["definitions"][name.rsplit('/').next().unwrap()],
                    all,
                    path,
                    found,
                );
            } else {
                found.insert(path.to_owned());
            }
            return;
        }
        match schema["properties"].as_object() {
            Some(map) => {
                for (key, inner) in map {
                    let path = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    allowed(inner, all, &path, found);
                }
            }
            None => {
                found.insert(path.to_owned());
            }
        }
    }
    let text = std::fs::read_to_string(helm::chart().join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let mut known = BTreeSet::new();
    allowed(&schema, &schema, "", &mut known);
    // What every chart has.
    known.remove("global");
    assert_eq!(known, values());
}

/// `UPDATE_DOCS=1` makes the copy anew.
#[tokio::test]
async fn the_alerts_are_the_projects_own() {
    let own = std::fs::read_to_string(root().join("deploy/prometheus/alerts.yml")).unwrap();
    let copy = helm::chart().join("files/alerts.yml");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&copy, &own).unwrap();
    }
    assert!(
        std::fs::read_to_string(&copy).unwrap() == own,
        "deploy/helm/hollowtrees/files/alerts.yml is not deploy/prometheus/alerts.yml; UPDATE_DOCS=1 cargo test -p \
         hollowtrees-chart"
    );
    let objects = rendered(&with("full")).await;
    let rule = find(&objects, "PrometheusRule", "ht");
    let own: Value = serde_saphyr::from_str(&own).unwrap();
    assert_eq!(rule["spec"], own);
    assert!(!own["groups"].as_array().unwrap().is_empty());
}
