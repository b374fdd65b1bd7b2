//! The way of the original, with what is real: a metadata service says that the instance goes, the agent shows it as the
//! original exporter did, Prometheus scrapes it, the original's alert rule fires, Prometheus posts to the gateway as its
//! Alertmanager, and the node is drained.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

use std::time::Duration;

use hollowtrees_bus::{
    Bus, Options, apply,
    topology::{self, Profile},
};
use hollowtrees_e2e::stream::notices;
use hollowtrees_harness::{
    ControlPlane, Error, Metadata, Nats, Worker, control_plane::fixtures, eventually, http_get,
    metadata::Instance, ports::Port, prometheus::Prometheus, scratch,
};
use hollowtrees_schemas::{
    id::IncidentKey,
    key,
    names::{kind, state},
    proto,
};

const BOUND: Duration = Duration::from_secs(180);
const CLUSTER: &str = "alerted";
const TOKEN: &str = "a-token-of-prometheus-alone";

/// What it shows is what runs here.
const PAGE: &str = include_str!("../../../../docs/sources.md");

/// A block of YAML of the page, by how it begins.
fn of_the_page(start: &str) -> &'static str {
    let mut blocks = PAGE
        .split("```yaml\n")
        .skip(1)
        .filter(|block| block.starts_with(start));
    let block = blocks
        .next()
        .unwrap_or_else(|| panic!("docs/sources.md has no YAML that starts with {start}"));
    assert_eq!(blocks.next(), None, "there are two of {start}");
    block.split("```").next().unwrap()
}

/// Of all notices the alert alone does something here.
const ROUTES: &str = "
version: 1
rules:
  - name: alert
    match: { exact: { data.kind: alert, data.labels.alertname: SpotTerminationNotice } }
    steps: [{ actions: [drain] }]
";

struct Process {
    worker: Worker,
    health: Port,
}

impl Process {
    async fn start(program: &str, nats: &Nats, env: &[(&str, &str)]) -> Self {
        let health = Port::reserve().unwrap();
        let builder = Worker::builder(program, env!("CARGO_BIN_EXE_program"))
            .env("HOLLOWTREES_PROGRAM", program)
            .env("HT_NATS__URL", nats.url())
            .env("HT_HEALTH__LISTEN", health.addr().to_string());
        let builder = env
            .iter()
            .fold(builder, |builder, (name, value)| builder.env(name, value));
        let process = Self {
            worker: builder.start().unwrap(),
            health,
        };
        process
            .worker
            .ready(&process.url("/readyz"), BOUND)
            .await
            .unwrap();
        process
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.health.addr())
    }

    /// Sum of all series of a metric that have these labels.
    async fn sum(&self, name: &str, labels: &str) -> f64 {
        let (_, body) = http_get::get(&self.url("/metrics")).await.unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        let lines = text
            .lines()
            .filter(|line| line.starts_with(name) && line.contains(labels));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

/// Waits for an alert's notice of this state; all notices of alerts then.
async fn alert_notices(bus: &Bus, awaited: &str, prometheus: &Prometheus) -> Vec<proto::Notice> {
    eventually(
        format!("a notice of an alert that is {awaited}"),
        BOUND,
        async || {
            let found = notices(bus)
                .await
                .into_iter()
                .filter(|notice| notice.kind == kind::ALERT);
            let found: Vec<_> = found.collect();
            if found.iter().any(|notice| notice.state == awaited) {
                Ok(found)
            } else {
                Err(Error::new(format!("{found:?}; {}", prometheus.log()?)))
            }
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_of_a_real_prometheus_drains_the_node_and_its_end_withdraws_it() {
    let Some(program) = Prometheus::find() else {
        return;
    };
    let nats = Nats::start().await.unwrap();
    let bus = Bus::connect(&Options::new(nats.url())).await.unwrap();
    let consumers = topology::consumers()
        .into_iter()
        .chain(topology::of_cluster(CLUSTER));
    apply::apply(&bus, Profile::LOCAL, &consumers.collect::<Vec<_>>())
        .await
        .unwrap();
    let plane = ControlPlane::start().await.unwrap();
    let kubernetes = plane.client().unwrap();
    kubernetes
        .post_all("/api/v1/nodes", fixtures::nodes(CLUSTER, 3))
        .await
        .unwrap();
    kubernetes.namespace(CLUSTER).await.unwrap();
    let node = format!("{CLUSTER}-0");
    let pods = format!("/api/v1/namespaces/{CLUSTER}/pods");
    for name in ["a", "b"] {
        kubernetes
            .post(&pods, &fixtures::pod(name, "app", &node))
            .await
            .unwrap();
    }
    let instance = fixtures::instance_id(CLUSTER, 0);
    let metadata = Metadata::start(Instance::new(&instance, "us-east-1a"))
        .await
        .unwrap();

    let directory = scratch::directory("rules").unwrap();
    let routes = directory.path().join("rules.yaml");
    std::fs::write(&routes, ROUTES).unwrap();
    let kubeconfig = plane.kubeconfig().to_str().unwrap();
    let _router = Process::start("router", &nats, &[("HT_RULES__FILE", routes.to_str().unwrap())]).await;
    let _drain = Process::start(
        "drain",
        &nats,
        &[
            ("HT_CLUSTER__NAME", CLUSTER),
            ("HT_CLUSTER__KUBECONFIG", kubeconfig),
        ],
    )
    .await;
    let agent = Process::start(
        "agent",
        &nats,
        &[
            ("HT_CLUSTER", CLUSTER),
            ("HT_METADATA__URL", &metadata.url()),
            ("HT_POLL__INTERVAL", "100ms"),
        ],
    )
    .await;
    let port = Port::reserve().unwrap();
    let listen = port.addr().to_string();
    let gateway = Process::start(
        "gateway",
        &nats,
        &[("HT_HTTP__LISTEN", &listen), ("HT_AUTH__TOKEN", TOKEN)],
    )
    .await;
    // By today's API, as the page has it, and by the original's: one notice all the same.
    let credentials = directory.path().join("token");
    std::fs::write(&credentials, TOKEN).unwrap();
    let mut alerting = of_the_page("alerting:\n").to_owned();
    for (shown, here) in [
        ("hollowtrees-gateway:9191", listen.as_str()),
        ("/etc/prometheus/hollowtrees-token", credentials.to_str().unwrap()),
    ] {
        assert!(alerting.contains(shown), "{alerting}");
        alerting = alerting.replace(shown, here);
    }
    let config = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{ cluster_name: {CLUSTER} }} }}\n\
         rule_files: [rules.yml]\n\
         scrape_configs:\n  - job_name: spot-termination-exporter\n    static_configs: [{{ targets: [\"{}\"] }}]\n\
         {alerting}\n    - api_version: v1\n      authorization: {{ credentials: {TOKEN} }}\n      static_configs: \
         [{{ targets: [\"{listen}\"] }}]\n",
        agent.health.addr(),
    );
    let rules = of_the_page("groups:\n");
    let prometheus = Prometheus::start(program, &config, rules).await.unwrap();

    metadata.interrupt("terminate", Duration::from_secs(120));
    let alerts = alert_notices(&bus, state::ACTIVE, &prometheus).await;
    let alert = &alerts[0];
    assert_eq!(
        [
            &alert.cluster,
            &alert.instance,
            &alert.provider,
            &alert.provider_action
        ],
        [CLUSTER, &instance, "aws", "SpotTerminationNotice"]
    );
    assert_eq!(alert.labels["instance_action"], "terminate");
    eventually("the node to be cordoned and empty", BOUND, async || {
        let found = kubernetes.get(&format!("/api/v1/nodes/{node}")).await?;
        let left = kubernetes.list(&pods).await?;
        let cordoned = found["spec"]["unschedulable"] == true;
        if cordoned && left.is_empty() {
            Ok(())
        } else {
            Err(Error::new(format!("cordoned: {cordoned}, pods: {}", left.len())))
        }
    })
    .await;
    // What the agent said itself and what the alert said is one incident.
    let key = key::incident(&IncidentKey::new(CLUSTER, &instance, "live"));
    let incident = bus.incidents().get(&key).await.unwrap().unwrap().value;
    assert_eq!(
        (incident.generation, incident.facts.len()),
        (1, 2),
        "{incident:?}"
    );
    // It is sent again and again, over both APIs, and is one notice.
    eventually("the alert to be sent again", BOUND, async || {
        let repeated = gateway
            .sum("hollowtrees_gateway_notices_repeated_total", "alertmanager")
            .await;
        if repeated >= 4.0 { Ok(()) } else { Err(repeated) }
    })
    .await;
    for path in ["alerts-v1", "alerts-v2"] {
        let labels = format!("path=\"{path}\",status=\"200\"");
        assert!(
            gateway.sum("hollowtrees_gateway_requests_total", &labels).await >= 1.0,
            "{path}"
        );
    }
    assert_eq!(alert_notices(&bus, state::ACTIVE, &prometheus).await.len(), 1);
    // The provider takes it back: the alert is over, and says so.
    metadata.withdraw();
    let alerts = alert_notices(&bus, state::RESOLVED, &prometheus).await;
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    assert_eq!(alerts[0].event_id, alerts[1].event_id);
    assert!(!gateway.worker.log().unwrap().contains(TOKEN));
}
