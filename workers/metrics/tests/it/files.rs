//! The alert rules and the dashboard beside this project: sound, and about metrics that exist.

use std::{collections::BTreeSet, fs, path::PathBuf};

use hollowtrees_harness::promtool::Promtool;

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(path)
}

/// Names of all metrics the workers declare.
fn known() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let declared = text.split("Definition::new(").skip(1);
                found.extend(declared.filter_map(|rest| Some(rest.split('"').nth(1)?.to_owned())));
            }
        }
    }
    found
}

/// Every metric of ours that a text speaks of exists.
fn speaks_of_what_exists(text: &str) {
    let known = known();
    let words = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("hollowtrees_"));
    let mut found = 0;
    for word in words {
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| word.strip_suffix(suffix))
            .filter(|base| known.contains(*base));
        assert!(base.is_some() || known.contains(word), "{word} is no metric");
        found += 1;
    }
    assert!(found > 10, "{found}");
}

#[test]
fn the_alert_rules_do_what_their_tests_say() {
    let rules = file("prometheus/alerts.yml");
    speaks_of_what_exists(&fs::read_to_string(&rules).unwrap());
    let Some(promtool) = Promtool::find() else {
        return;
    };
    let (content, said) = promtool
        .run(["check".as_ref(), "rules".as_ref(), rules.as_os_str()], "")
        .unwrap();
    assert!(content, "{said}");
    let tests = file("prometheus/alerts_test.yml");
    let (content, said) = promtool
        .run(["test".as_ref(), "rules".as_ref(), tests.as_os_str()], "")
        .unwrap();
    assert!(content, "{said}");
}

#[test]
fn every_alert_is_tested() {
    let rules = fs::read_to_string(file("prometheus/alerts.yml")).unwrap();
    let tests = fs::read_to_string(file("prometheus/alerts_test.yml")).unwrap();
    let alerts: Vec<_> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(alerts.len() > 5, "{alerts:?}");
    for alert in alerts {
        assert!(
            tests.contains(&format!("alertname: {alert}\n")),
            "{alert} has no test"
        );
    }
}

#[test]
fn the_dashboard_is_sound() {
    let text = fs::read_to_string(file("grafana/hollowtrees.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let mut expressions = String::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            expressions.push_str(target["expr"].as_str().unwrap());
            expressions.push('\n');
        }
    }
    speaks_of_what_exists(&expressions);
    let Some(promtool) = Promtool::find() else {
        return;
    };
    // Each expression as a rule of its own, the dashboard's variables given a value.
    let expressions = expressions
        .replace("$__rate_interval", "5m")
        .replace("$__range", "1h")
        .replace("$cluster", ".*");
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (number, expression) in expressions.lines().enumerate() {
        rules.push_str(&format!("  - record: panel:{number}\n    expr: {expression:?}\n"));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dashboard.yml");
    fs::write(&path, rules).unwrap();
    let (content, said) = promtool
        .run(["check".as_ref(), "rules".as_ref(), path.as_os_str()], "")
        .unwrap();
    assert!(content, "{said}");
}
