//! The files of configuration are such as the programs read them: no unknown key, the values that were given.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    time::Duration,
};

use hollowtrees_harness::Worker;
use hollowtrees_runtime::config::{Config, Loader, Settings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::documents::{SETS, find, rendered, with, workloads};

/// A worker that these tests do not link: its keys are compared with those it documents.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Any {
    #[serde(flatten)]
    keys: BTreeMap<String, Value>,
}

impl Settings for Any {}

const LIFECYCLE: &str = include_str!("../../../../workers/lifecycle/lifecycle.toml");
const ASG_SWAP: &str = include_str!("../../../../workers/asg-swap/asg-swap.toml");
const METRICS: &str = include_str!("../../../../workers/metrics/metrics.toml");

/// Section and key of all own settings.
fn keys(any: &Any) -> BTreeSet<(String, String)> {
    let section = |(section, keys): (&String, &Value)| {
        let keys = keys.as_object().unwrap().keys();
        keys.map(|key| (section.clone(), key.clone())).collect::<Vec<_>>()
    };
    any.keys.iter().flat_map(section).collect()
}

/// What the program of this worker makes of its file and its environment; secrets are written `secret`.
fn load<T: Settings>(
    objects: &[Value],
    worker: &str,
    defaults: &'static str,
    directory: &Path,
) -> Option<Config<T>> {
    let (_, template) = workloads(objects).into_iter().find(|(name, _)| *name == worker)?;
    let pod = &template["spec"];
    let volumes = pod["volumes"].as_array().unwrap();
    let named = &volumes.iter().find(|volume| volume["name"] == "config").unwrap()["configMap"]["name"];
    let text = &find(objects, "ConfigMap", named.as_str().unwrap())["data"]["config.toml"];
    let file = directory.join(format!("{worker}.toml"));
    std::fs::write(&file, text.as_str().unwrap()).unwrap();
    let env: HashMap<String, String> = pod["containers"][0]["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let name = one["name"].as_str().unwrap();
            // A token that can be guessed is refused.
            let secret = match name {
                "HT_AUTH__TOKEN" | "HT_HTTP__TOKEN" => "secret that is long enough",
                _ => "secret",
            };
            let value = one["value"].as_str().unwrap_or(secret);
            (name.to_owned(), value.to_owned())
        })
        .filter(|(name, _)| name != "HT_CONFIG")
        // Every pod has it.
        .chain([("KUBERNETES_SERVICE_HOST".to_owned(), "10.96.0.1".to_owned())])
        .collect();
    let env = match worker {
        "agent" => hollowtrees_agent::cordon::in_cluster(env),
        _ => env,
    };
    let loader = Loader::new(defaults).file(Some(file)).env(env);
    Some(
        loader
            .load::<T>()
            .unwrap_or_else(|refused| panic!("{worker}: {refused}")),
    )
}

#[tokio::test]
async fn every_program_reads_its_file() {
    let directory = tempfile::tempdir().unwrap();
    for set in SETS {
        let objects = rendered(&with(set)).await;
        let at = directory.path();
        let agent =
            load::<hollowtrees_agent::settings::Settings>(&objects, "agent", hollowtrees_agent::DEFAULTS, at);
        let agent = agent.unwrap();
        let router = load::<hollowtrees_router::config::Settings>(
            &objects,
            "router",
            hollowtrees_router::config::DEFAULTS,
            at,
        );
        let drain = load::<hollowtrees_drain::config::Settings>(
            &objects,
            "drain",
            hollowtrees_drain::config::DEFAULTS,
            at,
        );
        let drain = drain.unwrap();
        let gateway = load::<hollowtrees_gateway::config::Settings>(
            &objects,
            "gateway",
            hollowtrees_gateway::config::DEFAULTS,
            at,
        );
        assert_eq!(gateway.is_some(), *set == *"full");
        let recommender = load::<hollowtrees_recommender::config::Settings>(
            &objects,
            "recommender",
            hollowtrees_recommender::config::DEFAULTS,
            at,
        );
        assert_eq!(recommender.is_some(), *set == *"full");
        load::<Any>(&objects, "bus-apply", "", at);
        for (worker, defaults) in [
            ("asg-swap", ASG_SWAP),
            ("lifecycle", LIFECYCLE),
            ("metrics", METRICS),
        ] {
            let documented = Loader::new(defaults).load::<Any>().unwrap();
            if let Some(config) = load::<Any>(&objects, worker, defaults, at) {
                assert_eq!(keys(&config.own), keys(&documented.own), "{worker} of {set}");
                // Whoever waits for nodes is told whose: this cluster's.
                if worker == "asg-swap" {
                    assert_eq!(config.own.keys["cluster"]["name"], "prod.eu", "{set}");
                }
            }
        }
        match set {
            "minimal" => {
                assert_eq!(
                    (agent.own.cluster.as_str(), drain.own.cluster.name.as_str()),
                    ("prod", "prod")
                );
                assert_eq!(agent.own.node, "secret", "the downward API fills it");
                assert!(agent.own.cordon.when_cut_off.is_zero() && agent.own.spool.directory.is_empty());
                assert_eq!(agent.nats.url, ["nats://nats.nats.svc:4222"]);
                assert_eq!(agent.health.listen.port(), 9189);
                assert_eq!(router.unwrap().own.rules.file, Path::new(""));
            }
            "full" => {
                assert_eq!((agent.own.spool.notices, agent.health.listen.port()), (128, 9289));
                assert_eq!(agent.own.metadata.timeout, Duration::from_millis(500));
                assert_eq!(agent.own.cordon.when_cut_off, Duration::from_secs(10));
                assert_eq!(agent.own.spool.directory, "/var/lib/hollowtrees");
                assert_eq!(agent.nats.user.as_deref(), Some("secret"));
                assert_eq!(agent.nats.inbox_prefix.as_deref(), Some("_INBOX_agent"));
                assert_eq!(drain.own.pods.opt_out[1], "example.com/pinned=\"yes, really\"");
                assert!(!drain.own.pods.empty_dir);
                assert_eq!(drain.shutdown.grace, Duration::from_secs(55));
                assert!(drain.nats.nkey.is_some() && drain.nats.tls.required);
                let gateway = gateway.unwrap();
                assert_eq!(gateway.own.cluster, "prod.eu");
                assert_eq!(gateway.own.http.listen.port(), 9191);
                assert_eq!(gateway.own.alerts.names, ["SpotTerminationNotice"]);
                assert!(gateway.own.http.tls.identifies() && gateway.own.auth.is_set());
                assert_eq!(
                    gateway.own.auth.clients.as_deref(),
                    Some(Path::new("/var/run/secrets/hollowtrees/clients/clients.yaml"))
                );
                assert_eq!(
                    gateway.own.auth.token.unwrap().expose(),
                    "secret that is long enough"
                );
                let recommender = recommender.unwrap().own;
                assert_eq!(recommender.regions, ["eu-west-1"]);
                assert_eq!(recommender.http.listen.port(), 9192);
                assert!(recommender.http.tls.identifies() && recommender.http.token.is_some());
                let sources = &recommender.sources;
                assert_eq!(sources.types, ["m5*.*"]);
                assert_eq!(
                    [sources.on_demand.as_deref(), sources.advisor.as_deref()],
                    ["on-demand.json", "advisor.json"]
                        .map(|name| Path::new("/etc/hollowtrees/recommender").join(name))
                        .each_ref()
                        .map(|path| Some(path.as_path()))
                );
                let router = router.unwrap();
                assert_eq!((router.own.router.accepted, router.nats.url.len()), (512, 3));
                assert_eq!(
                    router.own.rules.file,
                    Path::new("/etc/hollowtrees/rules/rules.yaml")
                );
            }
            _ => {
                assert!(router.is_none());
                assert_eq!(drain.nats.inbox_prefix.as_deref(), Some("_INBOX_tenant-a_drain"));
                assert_eq!(
                    drain.nats.credentials.as_deref(),
                    Some(Path::new("/var/run/secrets/hollowtrees/nats/nats.creds"))
                );
            }
        }
    }
}

/// Numbers come through Helm as floating point: whole ones have to stay whole, however large.
#[tokio::test]
async fn values_keep_their_types() {
    let directory = tempfile::tempdir().unwrap();
    let render = with("minimal")
        .set("drain.config", r#"{"pods": {"bare": false, "opt_out": []}}"#)
        .set("agent.config", r#"{"spool": {"notices": 1000000000}}"#)
        .set("cluster.name", r#""a \"quoted\" \\ name ü""#);
    let objects = rendered(&render).await;
    let defaults = hollowtrees_drain::config::DEFAULTS;
    let drain =
        load::<hollowtrees_drain::config::Settings>(&objects, "drain", defaults, directory.path()).unwrap();
    let defaults = hollowtrees_agent::DEFAULTS;
    let agent =
        load::<hollowtrees_agent::settings::Settings>(&objects, "agent", defaults, directory.path()).unwrap();
    assert_eq!(agent.own.spool.notices, 1_000_000_000);
    assert_eq!(drain.own.cluster.name, "a \"quoted\" \\ name ü");
    assert!(!drain.own.pods.bare && drain.own.pods.opt_out.is_empty());
}

#[tokio::test]
async fn the_router_can_use_the_rules() {
    let objects = rendered(&with("full")).await;
    let rules = &find(&objects, "ConfigMap", "ht-router-rules")["data"]["rules.yaml"];
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rules.yaml");
    std::fs::write(&file, rules.as_str().unwrap()).unwrap();
    let check = Worker::builder("rules check", env!("CARGO_BIN_EXE_chart-program"))
        .env("HOLLOWTREES_PROGRAM", "hollowtrees")
        .args(["rules", "check"])
        .arg(&file)
        .start()
        .unwrap();
    let status = check.exited(Duration::from_secs(20)).await.unwrap();
    assert!(status.success(), "{}", check.log().unwrap());
}
