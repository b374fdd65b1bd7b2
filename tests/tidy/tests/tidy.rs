//! What the docs and the layout say is what the code is. `UPDATE_DOCS=1` rewrites the pages that are made from it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: what they cannot do fails the test"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use hollowtrees_runtime::{config::Loader, exit::Code};
use serde_json::Value;

/// A file's code above this many lines, without its tests, is two files.
const LONGEST_FILE: usize = 450;
const LONGEST_MAIN: usize = 60;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// All Rust sources of the project's own, generated code apart, as (path from the root, text).
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![
        root().join("schemas"),
        root().join("workers"),
        root().join("tests"),
    ];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !["target", "gen", "node_modules"].contains(&name.as_str()) {
                open.push(path);
            } else if Path::new(&name)
                .extension()
                .is_some_and(|extension| extension == "rs")
            {
                let relative = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push((relative, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Compares a page that is made from the code, or rewrites it.
fn page_is(name: &str, expected: &str) {
    let path = root().join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, expected).unwrap();
        return;
    }
    let actual = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "docs/{name} is not what the code says; UPDATE_DOCS=1 cargo test -p hollowtrees-tidy"
    );
}

#[test]
fn the_configuration_page_is_true() {
    let mut page = "# Configuration\n\n\
        Made from the code by `UPDATE_DOCS=1 cargo test -p hollowtrees-tidy`; a test keeps it true.\n\n\
        Every worker reads, each beating the one before: its documented defaults (below), a TOML file (`--config FILE` or\n\
        `HT_CONFIG`), the environment. A key's variable is `HT_` and its path in capitals, with two underscores between\n\
        levels: `nats.url` is `HT_NATS__URL`. Lists are comma-separated. An unknown key is refused by name.\n\
        `--dump-config` shows what is in force and where each value came from, secrets redacted.\n"
        .to_owned();
    let workers = [
        ("router", hollowtrees_router::config::DEFAULTS),
        ("agent", hollowtrees_agent::DEFAULTS),
        ("drain", hollowtrees_drain::config::DEFAULTS),
        ("asg-swap", hollowtrees_asg_swap::config::DEFAULTS),
        ("lifecycle", hollowtrees_lifecycle::config::DEFAULTS),
        ("metrics", hollowtrees_metrics::config::DEFAULTS),
        ("gateway", hollowtrees_gateway::config::DEFAULTS),
        ("recommender", hollowtrees_recommender::config::DEFAULTS),
    ];
    for (worker, own) in workers {
        write!(page, "\n## {worker}\n\n```toml\n{}\n```\n", own.trim()).unwrap();
    }
    let shared = Loader::new("").documented();
    write!(
        page,
        "\n## Every worker\n\nThe agent listens on `{}` by default, as the original exporter did.\n\n```toml\n{}\n```\n",
        hollowtrees_agent::LISTEN,
        shared.trim()
    )
    .unwrap();
    page.push_str("\n## Exit codes\n\nOf the workers; those of the command are in [cli.md](cli.md).\n\n| code | meaning |\n|---|---|\n");
    for code in Code::ALL {
        writeln!(page, "| {} | {} |", code.number(), code.meaning()).unwrap();
    }
    page_is("configuration.md", &page);
}

#[test]
fn the_metrics_page_is_true() {
    let mut metrics = BTreeMap::new();
    for (path, text) in sources() {
        if !path.contains("/src/") || path.starts_with("tests/") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        for declared in code.split("Definition::new(").skip(1) {
            let mut quoted = declared.split('"');
            let (Some(_), Some(name), Some(_), Some(help)) =
                (quoted.next(), quoted.next(), quoted.next(), quoted.next())
            else {
                continue;
            };
            let help: Vec<_> = help.split_whitespace().filter(|word| *word != "\\").collect();
            if name.contains('_') {
                let crate_name = path.split("/src/").next().unwrap().to_owned();
                metrics.insert(name.to_owned(), (crate_name, help.join(" ")));
            }
        }
    }
    assert!(metrics.len() > 10, "the declarations were found: {metrics:?}");
    let mut page = "# Metrics\n\n\
        Made from the code by `UPDATE_DOCS=1 cargo test -p hollowtrees-tidy`; a test keeps it true. Every process serves them\n\
        under `/metrics`. Label values are bounded.\n\n| metric | what | made in |\n|---|---|---|\n"
        .to_owned();
    for (name, (made_in, help)) in metrics {
        writeln!(page, "| `{name}` | {help} | `{made_in}` |").unwrap();
    }
    page_is("metrics.md", &page);
}

#[test]
fn files_have_one_job() {
    let mut long = Vec::new();
    for (path, text) in sources() {
        let code = text
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .count();
        let of_tests = path.contains("/tests/") || path.ends_with("tests.rs");
        let most = if path.ends_with("/main.rs") && path.starts_with("workers/") {
            LONGEST_MAIN
        } else {
            LONGEST_FILE
        };
        if code > most && !of_tests {
            long.push(format!("{path}: {code} lines, at most {most}"));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// What each package of the workspace depends on, tests apart: directly, and through others.
struct Graph {
    ids: BTreeMap<String, String>,
    names: BTreeMap<String, String>,
    edges: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--offline"])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut graph = Self {
            ids: BTreeMap::new(),
            names: BTreeMap::new(),
            edges: BTreeMap::new(),
        };
        for package in metadata["packages"].as_array().unwrap() {
            graph.names.insert(text(&package["id"]), text(&package["name"]));
            graph.ids.insert(text(&package["name"]), text(&package["id"]));
        }
        for node in metadata["resolve"]["nodes"].as_array().unwrap() {
            let normal = node["deps"].as_array().unwrap().iter().filter(|dependency| {
                dependency["dep_kinds"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|kind| kind["kind"].is_null())
            });
            graph.edges.insert(
                text(&node["id"]),
                normal.map(|dependency| text(&dependency["pkg"])).collect(),
            );
        }
        graph
    }

    fn direct(&self, package: &str) -> BTreeSet<&str> {
        self.edges[&self.ids[package]]
            .iter()
            .map(|id| self.names[id].as_str())
            .collect()
    }

    fn all(&self, package: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open = vec![&self.ids[package]];
        while let Some(id) = open.pop() {
            for next in &self.edges[id] {
                if found.insert(self.names[next].as_str()) {
                    open.push(next);
                }
            }
        }
        found
    }

    fn ours(&self) -> impl Iterator<Item = &str> {
        self.ids
            .keys()
            .filter(|name| name.starts_with("hollowtrees-"))
            .map(String::as_str)
    }
}

#[test]
fn the_arrows_point_one_way() {
    let graph = Graph::read();
    for pure in ["hollowtrees-schemas", "hollowtrees-domain"] {
        let all = graph.all(pure);
        for outside in ["tokio", "async-nats", "hyper", "kube", "reqwest", "mio"] {
            assert!(!all.contains(outside), "{pure} reaches {outside}");
        }
    }
    let one_namer = [
        ("async-nats", "hollowtrees-bus"),
        ("kube", "hollowtrees-cluster"),
        ("aws-config", "hollowtrees-aws"),
        ("aws-sdk-autoscaling", "hollowtrees-aws"),
        ("aws-sdk-ec2", "hollowtrees-aws"),
        ("aws-sdk-sqs", "hollowtrees-aws"),
    ];
    for package in graph.ours().filter(|package| *package != "hollowtrees-bench") {
        let direct = graph.direct(package);
        for (outside, namer) in one_namer {
            assert!(
                package == namer || !direct.contains(outside),
                "{package} names {outside}; only {namer} may"
            );
        }
    }
    let workers = [
        "hollowtrees-router",
        "hollowtrees-agent",
        "hollowtrees-drain",
        "hollowtrees-asg-swap",
        "hollowtrees-lifecycle",
        "hollowtrees-metrics",
        "hollowtrees-gateway",
        "hollowtrees-recommender",
        "hollowtrees-cli",
    ];
    for worker in workers
        .into_iter()
        .filter(|worker| graph.ids.contains_key(*worker))
    {
        let direct = graph.direct(worker);
        assert!(
            workers.iter().all(|other| !direct.contains(other)),
            "{worker} depends on a worker"
        );
    }
    let aws = graph.all("hollowtrees-aws");
    let ours: Vec<_> = graph.ours().filter(|package| aws.contains(package)).collect();
    assert_eq!(
        ours,
        ["hollowtrees-domain", "hollowtrees-schemas"],
        "hollowtrees-aws is a leaf"
    );
    let agent = graph.all("hollowtrees-agent");
    assert!(
        !agent.contains("kube") && !agent.contains("aws-config"),
        "the agent stays small"
    );
}
