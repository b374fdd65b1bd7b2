//! What the gateway hears of one instance by several sources, as the router and `hollowtrees runs show` have it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::{collections::BTreeMap, process::Command, time::Duration};

use hollowtrees_bus::{
    Bus, Options, apply,
    topology::{self, Profile},
};
use hollowtrees_e2e::stream::held;
use hollowtrees_harness::{Aws, Nats, Worker, eventually, http_get, ports::Port, scratch};
use hollowtrees_schemas::{
    envelope::Envelope,
    id::IncidentKey,
    key,
    names::{Stream, mode},
    proto,
};
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const BOUND: Duration = Duration::from_secs(180);
const R: &str = "us-east-1";
const PROGRAM: &str = env!("CARGO_BIN_EXE_program");
const RULES: &str = "
version: 1
rules:
  - name: interruption
    match: { exact: { data.kind: spot-interruption } }
    steps: [{ actions: [page] }]
";
/// Between two sources that tell of one interruption.
const APART: Duration = Duration::from_millis(2_500);

/// A bus, a queue, a gateway that reads it, and a router.
struct World {
    bus: Bus,
    nats: Nats,
    aws: Aws,
    queue: String,
    gateway: Port,
    _workers: Vec<(Worker, Port)>,
    _rules: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let nats = Nats::start().await.unwrap();
        let bus = Bus::connect(&Options::new(nats.url())).await.unwrap();
        apply::apply(&bus, Profile::LOCAL, &topology::consumers())
            .await
            .unwrap();
        let aws = Aws::start().await.unwrap();
        let queue = aws.create_queue(R, "events").await.unwrap();
        let directory = scratch::directory("sources").unwrap();
        let rules = directory.path().join("rules.yaml");
        std::fs::write(&rules, RULES).unwrap();
        let gateway = Port::reserve().unwrap();
        let listen = gateway.addr().to_string();
        let of_aws = aws.env(R);
        let of_aws = of_aws.each_ref().map(|(name, value)| (*name, value.as_str()));
        let own = [
            ("HT_HTTP__LISTEN", listen.as_str()),
            ("HT_SQS__QUEUES", queue.as_str()),
            ("HT_SQS__WAIT", "1s"),
        ];
        let workers = vec![
            started("router", &nats, &[("HT_RULES__FILE", rules.to_str().unwrap())]).await,
            started("gateway", &nats, &[&of_aws[..], &own].concat()).await,
        ];
        Self {
            bus,
            nats,
            aws,
            queue,
            gateway,
            _workers: workers,
            _rules: directory,
        }
    }

    /// A spot warning, by the queue.
    async fn queued(&self, instance: &str) {
        let event = json!({
            "version": "0", "id": format!("event-of-{instance}"), "source": "aws.ec2", "region": R,
            "detail-type": "EC2 Spot Instance Interruption Warning", "account": "123456789012",
            "time": Timestamp::now().to_string(),
            "detail": {"instance-id": instance, "instance-action": "terminate"},
        });
        self.aws.send(R, &self.queue, &[event.to_string()]).await.unwrap();
    }

    /// A firing alert, by HTTP.
    async fn alerted(&self, instance: &str, cluster: &str) {
        let alert = json!([{
            "labels": {
                "alertname": "SpotTerminationNotice", "instance_id": instance, "cluster_name": cluster,
            },
            // It fires since long before anybody told of it: what counts is when the bus had it.
            "startsAt": (Timestamp::now() - SignedDuration::from_mins(5)).to_string(),
        }]);
        let url = format!("http://{}/api/v2/alerts", self.gateway.addr());
        let headers = [("content-type", "application/json")];
        let (status, body) = http_get::send(Method::POST, &url, &headers, alert.to_string().into())
            .await
            .unwrap();
        assert_eq!(status, StatusCode::OK, "{body:?}");
    }

    /// Waits until the incident of an instance in a cluster knows so many facts.
    async fn incident(&self, cluster: &str, instance: &str, facts: usize) -> proto::Incident {
        let key = key::incident(&IncidentKey::new(cluster, instance, mode::LIVE));
        eventually(
            format!("{facts} facts of {instance} in {cluster}"),
            BOUND,
            async || {
                let incident = self.bus.incidents().get(&key).await.unwrap();
                match incident.map(|found| found.value) {
                    Some(found) if found.facts.len() >= facts && !found.runs.is_empty() => Ok(found),
                    other => Err(format!("{other:?}")),
                }
            },
        )
        .await
    }

    /// What `hollowtrees runs show` says.
    fn shown(&self, line: &str) -> String {
        let output = Command::new(PROGRAM)
            .args(["runs", "show"])
            .args(line.split_whitespace())
            .env("HOLLOWTREES_PROGRAM", "cli")
            .env("HT_NATS__URL", self.nats.url())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

async fn started(program: &str, nats: &Nats, env: &[(&str, &str)]) -> (Worker, Port) {
    let health = Port::reserve().unwrap();
    let mut builder = Worker::builder(program, PROGRAM)
        .env("HOLLOWTREES_PROGRAM", program)
        .env("HT_NATS__URL", nats.url())
        .env("HT_HEALTH__LISTEN", health.addr().to_string());
    for (name, value) in env {
        builder = builder.env(name, value);
    }
    let worker = builder.start().unwrap();
    let ready = format!("http://{}/readyz", health.addr());
    worker.ready(&ready, BOUND).await.unwrap();
    (worker, health)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_two_clusters_claim_is_two_incidents() {
    let world = World::new().await;
    let tags = [
        ("kubernetes.io/cluster/blue", "shared"),
        ("kubernetes.io/cluster/green", "shared"),
    ];
    let instance = world.aws.launch(R, 1, &tags).await.unwrap().remove(0);
    world.queued(&instance).await;
    world.incident("blue", &instance, 1).await;
    world.incident("green", &instance, 1).await;
    // What is said of the one is no fact of the other.
    world.alerted(&instance, "blue").await;
    let blue = world.incident("blue", &instance, 2).await;
    let green = world.incident("green", &instance, 1).await;
    assert_eq!(
        (blue.cluster.as_str(), blue.facts.len(), blue.generation),
        ("blue", 2, 1)
    );
    assert_eq!(
        (green.cluster.as_str(), green.facts.len(), green.generation),
        ("green", 1, 1)
    );
    assert_eq!(blue.deadline, green.deadline);
    // Each has its run, and each run an action of its own.
    assert_eq!((blue.runs.len(), green.runs.len()), (1, 1));
    let actions = eventually("an action in each cluster", BOUND, async || {
        let actions = held(&world.bus, Stream::Actions).await;
        let found: BTreeMap<String, String> = actions
            .iter()
            .map(|message| Envelope::<proto::Action>::decode(&message.wire).unwrap().data)
            .map(|action| (action.cluster, action.id))
            .collect();
        if found.len() == 2 && actions.len() == 2 {
            Ok(found)
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
    assert_ne!(actions["blue"], actions["green"]);
    // `runs show` tells them apart.
    let story: Value = serde_json::from_str(&world.shown(&format!("{instance} --output json"))).unwrap();
    let clusters: Vec<_> = story["episodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|episode| episode["cluster"].as_str().unwrap())
        .collect();
    assert_eq!(clusters.len(), 2, "{story}");
    assert!(
        clusters.contains(&"blue") && clusters.contains(&"green"),
        "{story}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_notice_is_shown_with_its_delay_behind_the_first() {
    let world = World::new().await;
    let tags = [("hollowtrees.io/cluster", "blue")];
    let instance = world.aws.launch(R, 1, &tags).await.unwrap().remove(0);
    world.queued(&instance).await;
    world.incident("blue", &instance, 1).await;
    tokio::time::sleep(APART).await;
    world.alerted(&instance, "blue").await;
    world.incident("blue", &instance, 2).await;

    // As the bus had them, which nothing of the command line is asked for.
    let stored: Vec<_> = held(&world.bus, Stream::Notices)
        .await
        .into_iter()
        .map(|message| {
            let notice = Envelope::<proto::Notice>::decode(&message.wire).unwrap();
            (notice.data.kind, notice.source, message.stored_at)
        })
        .collect();
    assert_eq!(stored.len(), 2, "{stored:?}");
    let delay = stored[1].2.duration_since(stored[0].2).as_secs_f64();
    assert!(delay >= APART.as_secs_f64(), "{delay}");

    let story: Value = serde_json::from_str(&world.shown(&format!("{instance} --output json"))).unwrap();
    let episodes = story["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), 1, "{story}");
    let events = episodes[0]["events"].as_array().unwrap();
    let notices: Vec<_> = events.iter().filter(|event| event["event"] == "notice").collect();
    assert_eq!(notices.len(), 2, "{story}");
    for ((shown, (kind, ..)), expected) in notices.iter().zip(&stored).zip([0.0, delay]) {
        assert_eq!(shown["data"]["kind"], kind.as_str());
        let after = shown["afterSeconds"].as_f64().unwrap();
        assert!(
            (after - expected).abs() < 0.002,
            "{after} for {expected}: {story}"
        );
    }

    let text = world.shown(&instance);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.split_whitespace().nth(1) == Some("notice") && line.contains(" from "))
        .collect();
    assert_eq!(lines.len(), 2, "{text}");
    for ((line, (kind, ..)), expected) in lines.iter().zip(&stored).zip([0.0, delay]) {
        assert!(line.contains(&format!("{kind} active")), "{kind}: {text}");
        let shown = line.split_whitespace().next().unwrap();
        let after: f64 = shown.trim_matches(['+', 's']).parse().unwrap();
        assert!((after - expected).abs() < 0.002, "{shown} for {expected}: {text}");
    }
    for (_, source, _) in &stored {
        assert!(text.contains(&format!("from {source}")), "{source}: {text}");
    }
}
