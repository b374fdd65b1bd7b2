//! What the chart renders.

use std::path::{Path, PathBuf};

use hollowtrees_harness::helm::{self, Helm, Render};
use serde_json::Value;

/// The sets of values the chart is tried with, as files of `ci/`.
pub(crate) const SETS: [&str; 3] = ["minimal", "full", "tenant"];
/// Kinds that an API server knows only where the Prometheus operator is.
pub(crate) const CUSTOM: [&str; 2] = ["PodMonitor", "PrometheusRule"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn with(set: &str) -> Render {
    Render::new(helm::chart()).values(helm::chart().join(format!("ci/{set}-values.yaml")))
}

/// The objects of a stream of YAML.
pub(crate) fn objects(yaml: &str) -> Vec<Value> {
    format!("\n{yaml}")
        .split("\n---")
        .map(|document| serde_saphyr::from_str::<Value>(document).unwrap())
        .filter(|object| !object.is_null())
        .collect()
}

pub(crate) async fn rendered(render: &Render) -> Vec<Value> {
    objects(&Helm::get().await.unwrap().template(render).unwrap())
}

pub(crate) fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap()
}

pub(crate) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

/// The one object of this kind and name.
pub(crate) fn find<'a>(objects: &'a [Value], of_kind: &str, named: &str) -> &'a Value {
    objects
        .iter()
        .find(|object| kind(object) == of_kind && name(object) == named)
        .unwrap_or_else(|| panic!("no {of_kind} {named}"))
}

/// What starts pods, with the name of its worker and the pods' template.
pub(crate) fn workloads(objects: &[Value]) -> Vec<(&str, &Value)> {
    objects
        .iter()
        .filter(|object| ["DaemonSet", "Deployment", "Job"].contains(&kind(object)))
        .map(|object| {
            let labels = &object["metadata"]["labels"];
            let worker = labels["app.kubernetes.io/component"].as_str().unwrap();
            (worker, &object["spec"]["template"])
        })
        .collect()
}

#[tokio::test]
async fn the_chart_is_without_a_flaw_for_lint() {
    let helm = Helm::get().await.unwrap();
    for set in SETS {
        helm.lint(&with(set)).unwrap();
    }
}

#[tokio::test]
async fn what_is_missing_or_misspelt_is_said() {
    let helm = Helm::get().await.unwrap();
    let check = |render: Render, said: &str| {
        let error = helm.template(&render).expect_err(said).to_string();
        assert!(error.contains(said), "{said}: {error}");
    };
    let chart = || Render::new(helm::chart());
    check(
        chart().set("nats.url", r#""nats://n:4222""#),
        "cluster.name is empty",
    );
    check(chart().set("cluster.name", r#""c""#), "nats.url is empty");
    let minimal = || with("minimal");
    check(minimal().set("agent.prot", "1"), "prot");
    check(minimal().set("nats.url", r#""http://n:4222""#), "nats/url");
    // A password in an address would be shown in logs.
    check(minimal().set("nats.url", r#""nats://u:p@n:4222""#), "nats/url");
    check(minimal().set("nats.auth.kind", r#""kerberos""#), "nats/auth/kind");
    check(minimal().set("busApply.replicas", "2"), "busApply/replicas");
    // Anybody in the cluster could speak for any instance.
    check(
        minimal().set("gateway.enabled", "true"),
        "gateway.auth.existingSecret is empty",
    );
}

#[tokio::test]
async fn the_notes_say_what_to_do_next() {
    let helm = Helm::get().await.unwrap();
    let check = |set: &str, with_these: &[&str], without: &[&str]| {
        let notes = helm.notes(&with(set)).unwrap();
        for text in with_these {
            assert!(notes.contains(text), "{set}: {text} is not in\n{notes}");
        }
        for text in without {
            assert!(!notes.contains(text), "{set}: {text} is in\n{notes}");
        }
    };
    check(
        "minimal",
        &[
            "kubectl -n hollowtrees wait",
            "notice send --cluster prod",
            "asgSwap.enabled is false",
        ],
        &["busApply.enabled is false"],
    );
    check(
        "full",
        &["asg-swap", "tls://nats-1.nats.svc:4222"],
        &["asgSwap.enabled is false"],
    );
    check(
        "tenant",
        &[
            "hollowtrees bus apply --cluster tenant-a",
            "busApply.enabled is false",
        ],
        &["kubectl -n hollowtrees wait"],
    );
}

#[tokio::test]
async fn each_set_brings_what_it_says() {
    let check = |objects: &[Value], expected: &[&str]| {
        let mut found: Vec<_> = workloads(objects).into_iter().map(|(worker, _)| worker).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    };
    let minimal = rendered(&with("minimal")).await;
    check(&minimal, &["agent", "bus-apply", "drain", "metrics", "router"]);
    assert!(
        !minimal.iter().any(|object| CUSTOM.contains(&kind(object))),
        "off unless asked for"
    );
    let full = rendered(&with("full")).await;
    check(
        &full,
        &[
            "agent",
            "asg-swap",
            "bus-apply",
            "drain",
            "gateway",
            "lifecycle",
            "metrics",
            "recommender",
            "router",
        ],
    );
    let tenant = rendered(&with("tenant")).await;
    check(&tenant, &["agent", "drain"]);

    // One pod at a time where there are several, and none that could never go.
    let budgets = |objects: &[Value]| -> Vec<String> {
        let budgets = objects
            .iter()
            .filter(|object| kind(object) == "PodDisruptionBudget");
        budgets.map(|budget| name(budget).to_owned()).collect()
    };
    let mut of_full = budgets(&full);
    of_full.sort();
    assert_eq!(
        of_full,
        [
            "ht-asg-swap",
            "ht-drain",
            "ht-gateway",
            "ht-lifecycle",
            "ht-metrics",
            "ht-recommender",
            "ht-router"
        ]
    );
    assert!(budgets(&tenant).is_empty());
}

#[tokio::test]
async fn a_job_is_a_new_one_when_it_does_something_else() {
    let job = async |render: Render| {
        let objects = rendered(&render).await;
        let job = objects.iter().find(|object| kind(object) == "Job").unwrap();
        name(job).to_owned()
    };
    let minimal = job(with("minimal")).await;
    assert_eq!(job(with("minimal")).await, minimal);
    assert_eq!(job(with("minimal").set("router.replicas", "5")).await, minimal);
    assert_ne!(job(with("minimal").set("busApply.replicas", "3")).await, minimal);
    assert_ne!(
        job(with("minimal").set("nats.url", r#""nats://other:4222""#)).await,
        minimal
    );
}

#[tokio::test]
async fn each_worker_has_its_image() {
    let images = async |set: &str| {
        let objects = rendered(&with(set)).await;
        let mut images: Vec<_> = workloads(&objects)
            .into_iter()
            .map(|(_, template)| {
                template["spec"]["containers"][0]["image"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        images.sort();
        images
    };
    let version = env!("CARGO_PKG_VERSION");
    let of = |name: &str| format!("hollowtrees/{name}:{version}");
    assert_eq!(
        images("minimal").await,
        [of("agent"), of("cli"), of("drain"), of("metrics"), of("router")]
    );
    let full = images("full").await;
    assert!(
        full[0].starts_with("registry.example.com/platform/agent@sha256:"),
        "{full:?}"
    );
    assert_eq!(
        full[1],
        "registry.example.com/platform/hollowtrees/asg-swap:2026.11"
    );
}

/// The README's chart of both, with a stand-in for what it would fetch.
#[tokio::test]
async fn one_release_may_bring_nats_with_it() {
    let readme = std::fs::read_to_string(helm::chart().join("README.md")).unwrap();
    let chart = readme
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("Chart.yaml", chart);
    write(
        "values.yaml",
        "hollowtrees: {cluster: {name: c}, nats: {url: nats://both-nats:4222}}\n",
    );
    write(
        "charts/nats/Chart.yaml",
        "apiVersion: v2\nname: nats\nversion: 2.12.0\n",
    );
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: '{{ .Release.Name }}-nats'}\n";
    write("charts/nats/templates/service.yaml", service);
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(helm::chart())
        .arg(directory.path().join("charts/hollowtrees"))
        .status()
        .unwrap();
    assert!(copied.success());
    for (enabled, services) in [("true", 1), ("false", 0)] {
        let render = Render::new(directory.path())
            .release("both")
            .set("nats.enabled", enabled);
        let objects = rendered(&render).await;
        let found = objects.iter().filter(|object| kind(object) == "Service").count();
        assert_eq!(found, services, "nats.enabled={enabled}");
        assert_eq!(workloads(&objects).len(), 5);
        find(&objects, "Deployment", "both-hollowtrees-router");
    }
}
