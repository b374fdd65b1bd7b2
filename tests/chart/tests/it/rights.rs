//! The drain worker under the roles the chart renders and the permissions of `docs/nats-permissions.md`, and nothing else:
//! it can do all it has to, is refused nothing, and uses all the roles give.

use std::{collections::BTreeSet, time::Duration};

use hollowtrees_bus::{Bus, Deliveries, topology::Consumer};
use hollowtrees_harness::{
    ControlPlane, Error, Worker,
    control_plane::{Client, fixtures},
    eventually,
    helm::Render,
    ports::Port,
};
use hollowtrees_schemas::{
    envelope::{self, DataFormat, Envelope},
    filter,
    id::{ActionId, IncidentKey},
    names::{Stream, result},
    outgoing,
    proto::{self, time::to_proto},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    api_server, bus,
    documents::{find, kind, name, rendered, with, workloads},
};

const BOUND: Duration = Duration::from_secs(60);
const CLUSTER: &str = "rights";

fn program(named: &str, of: &str) -> hollowtrees_harness::process::Builder {
    Worker::builder(named, env!("CARGO_BIN_EXE_chart-program")).env("HOLLOWTREES_PROGRAM", of)
}

/// What a pod of this workload runs, with its arguments and its file of configuration.
fn started(
    objects: &[Value],
    worker: &str,
    directory: &std::path::Path,
) -> hollowtrees_harness::process::Builder {
    let (_, template) = workloads(objects)
        .into_iter()
        .find(|(name, _)| *name == worker)
        .unwrap();
    let pod = &template["spec"];
    let container = &pod["containers"][0];
    let image = match worker {
        "bus-apply" => "hollowtrees".to_owned(),
        worker => format!("hollowtrees-{worker}"),
    };
    let volumes = pod["volumes"].as_array().unwrap();
    let config = volumes.iter().find(|volume| volume["name"] == "config").unwrap();
    let config = find(
        objects,
        "ConfigMap",
        config["configMap"]["name"].as_str().unwrap(),
    );
    let file = directory.join(format!("{worker}.toml"));
    std::fs::write(&file, config["data"]["config.toml"].as_str().unwrap()).unwrap();
    let args = container["args"].as_array();
    program(worker, &image)
        .args(args.into_iter().flatten().map(|arg| arg.as_str().unwrap()))
        .env("HT_CONFIG", &file)
}

struct World {
    admin: Client,
    bus: Bus,
    outcomes: Deliveries,
}

impl World {
    /// An action about a node, as the router makes it.
    async fn send(&self, kind: &str, node: usize, generation: u64, seconds: i64) {
        let instance = fixtures::instance_id(CLUSTER, node);
        let incident = IncidentKey::new(CLUSTER, &instance, "live");
        let now = Timestamp::now();
        let action = proto::Action {
            id: ActionId::per_instance(&incident, generation, kind, "certain").to_string(),
            cluster: CLUSTER.to_owned(),
            kind: kind.to_owned(),
            instance,
            generation,
            certainty: "certain".to_owned(),
            mode: "live".to_owned(),
            noticed_at: Some(to_proto(now)),
            deadline: Some(to_proto(now + SignedDuration::from_secs(seconds))),
            close_at: Some(to_proto(now + SignedDuration::from_secs(seconds + 300))),
            ..proto::Action::default()
        };
        let envelope = envelope::action(action, "/hollowtrees/test/router");
        let outgoing = outgoing::action(&envelope, DataFormat::Json).unwrap();
        self.bus.publish(&outgoing, None).await.unwrap();
    }

    /// The next final outcome.
    async fn end(&mut self) -> proto::Outcome {
        loop {
            let delivery = tokio::time::timeout(BOUND, self.outcomes.next())
                .await
                .expect("an outcome comes");
            let outcome = Envelope::<proto::Outcome>::decode(&delivery.wire).unwrap().data;
            delivery.ack().await;
            if result::is_final(&outcome.result) {
                return outcome;
            }
        }
    }

    async fn node(&self, i: usize) -> Value {
        self.admin
            .get(&format!("/api/v1/nodes/{CLUSTER}-{i}"))
            .await
            .unwrap()
    }

    async fn pods(&self) -> Vec<Value> {
        self.admin
            .list(&format!("/api/v1/namespaces/{CLUSTER}/pods"))
            .await
            .unwrap()
    }

    /// A running pod on a node.
    async fn pod(&self, named: &str, node: usize) {
        let pod = fixtures::pod(named, named, &format!("{CLUSTER}-{node}"));
        let path = format!("/api/v1/namespaces/{CLUSTER}/pods");
        self.admin.post(&path, &pod).await.unwrap();
        eventually(format!("{named} to run"), BOUND, async || {
            let pod = self.admin.get(&format!("{path}/{named}")).await?;
            match pod["status"]["phase"].as_str() {
                Some("Running") => Ok(()),
                _ => Err(Error::new(pod["status"].to_string())),
            }
        })
        .await;
    }
}

/// Verb and resource of every permission in the roles.
fn granted(objects: &[Value]) -> BTreeSet<(String, String)> {
    let texts = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap();
        list.iter()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()
    };
    let mut all = BTreeSet::new();
    for object in objects {
        if !["ClusterRole", "Role"].contains(&kind(object)) {
            continue;
        }
        for rule in object["rules"].as_array().unwrap() {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    assert!(resource != "*" && verb != "*", "{rule}");
                    all.insert((verb, resource.clone()));
                }
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roles_of_drain_are_enough_and_not_too_much() {
    let (plane, nats) = tokio::join!(ControlPlane::shared(), bus::server(&[CLUSTER]));
    let plane = plane.unwrap();
    let admin = plane.client().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let namespace = "rights-release";
    admin.namespace(namespace).await.unwrap();
    admin.namespace(CLUSTER).await.unwrap();
    let render: Render = with("minimal")
        .namespace(namespace)
        .release("rights")
        .set("cluster.name", &format!("{CLUSTER:?}"))
        .set("nats.url", &format!("{:?}", nats.url()))
        .set("drain.config", r#"{"drain": {"node_wait": "1s"}}"#);
    let objects = rendered(&render).await;

    // The Job, run as its pod would be.
    let job = started(&objects, "bus-apply", directory.path());
    let job = bus::as_user(job, &nats, "bus-apply").start().unwrap();
    let status = job.exited(BOUND).await.unwrap();
    assert!(status.success(), "{}", job.log().unwrap());

    let roles: Vec<Value> = objects
        .iter()
        .filter(|object| kind(object).contains("Role") || kind(object) == "ServiceAccount")
        .cloned()
        .collect();
    api_server::install(&admin, &roles).await;
    let account = roles
        .iter()
        .find(|object| kind(object) == "ServiceAccount" && name(object).ends_with("-drain"))
        .unwrap();
    let account = name(account);
    let kubeconfig = plane
        .kubeconfig_for_service_account(namespace, account)
        .await
        .unwrap();
    let user = format!("system:serviceaccount:{namespace}:{account}");
    let audit = plane.audit().from_now().unwrap();

    admin
        .post_all("/api/v1/nodes", fixtures::nodes(CLUSTER, 2))
        .await
        .unwrap();
    let bus = bus::connected(&nats, "operator").await;
    let reader = Consumer {
        name: "test-outcomes".to_owned(),
        stream: Stream::Outcomes,
        filters: vec![filter::outcomes(None, None, None)],
        description: "test".to_owned(),
    };
    hollowtrees_bus::apply::apply_consumer(&bus, &reader, hollowtrees_bus::topology::Profile::LOCAL)
        .await
        .unwrap();
    let outcomes = bus.consume(&reader, 64).await.unwrap();
    let mut world = World { admin, bus, outcomes };

    let port = Port::reserve().unwrap();
    let process = bus::as_user(
        started(&objects, "drain", directory.path()),
        &nats,
        "drain-rights",
    )
    .env("HT_CLUSTER__KUBECONFIG", &kubeconfig)
    .env("HT_HEALTH__LISTEN", port.addr().to_string())
    .start()
    .unwrap();
    let readyz = format!("http://{}/readyz", port.addr());
    process.ready(&readyz, BOUND).await.unwrap();

    // Cordon, drain, uncordon; and an uncordon of what nobody holds.
    world.pod("goes", 0).await;
    for (action, generation) in [("cordon", 1), ("drain", 1), ("uncordon", 1), ("uncordon", 2)] {
        world.send(action, 0, generation, 120).await;
        let outcome = world.end().await;
        let expected = if generation == 1 { "succeeded" } else { "skipped" };
        assert_eq!(outcome.result, expected, "{action} {generation}: {outcome:?}");
        let unschedulable = world.node(0).await["spec"]["unschedulable"] == true;
        assert_eq!(unschedulable, action != "uncordon", "{action}");
    }
    assert!(world.pods().await.is_empty());

    // A budget allows nothing: the pod is deleted when the deadline comes.
    world.pod("guarded", 1).await;
    let budgets = format!("/apis/policy/v1/namespaces/{CLUSTER}/poddisruptionbudgets");
    let budget = fixtures::budget("guarded", 1);
    world.admin.post(&budgets, &budget).await.unwrap();
    eventually("the budget to be counted", BOUND, async || {
        let budget = world.admin.get(&format!("{budgets}/guarded")).await?;
        match budget["status"]["expectedPods"].as_u64() {
            Some(1) => Ok(()),
            _ => Err(Error::new(budget["status"].to_string())),
        }
    })
    .await;
    world.send("drain", 1, 1, 33).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert!(world.pods().await.is_empty());
    eventually("both events of the second node", BOUND, async || {
        let path = "/api/v1/namespaces/default/events?fieldSelector=source%3Dhollowtrees-drain";
        let about = format!("{CLUSTER}-1");
        let events = world.admin.list(path).await?;
        let reasons: Vec<_> = events
            .iter()
            .filter(|event| event["involvedObject"]["name"] == about.as_str())
            .map(|event| event["reason"].as_str().unwrap_or_default().to_owned())
            .collect();
        if reasons.len() == 2 {
            Ok(())
        } else {
            Err(Error::new(format!("{reasons:?}")))
        }
    })
    .await;

    // What nobody can read: no action, no instance in the subject, and headers that end the connection of who is handed them.
    let mut raw = bus::Raw::connect(&nats, "operator").await;
    assert!(raw.publish("ht.action.v1.rights.drain.i-1", "", "garbage").await);
    assert!(
        raw.publish("ht.action.v1.rights.drain.not%escaped", "", "garbage")
            .await
    );
    let broken = [("X bad".to_owned(), "1".to_owned())];
    assert!(
        raw.publish_with("ht.action.v1.rights.drain.i-2", &broken, b"{}")
            .await
    );
    eventually("three dead letters", BOUND, async || {
        match world.bus.dead_range().await.unwrap() {
            Some((first, last)) if last - first == 2 => Ok(()),
            other => Err(Error::new(format!("{other:?}"))),
        }
    })
    .await;

    let entries: Vec<_> = audit
        .entries()
        .unwrap()
        .into_iter()
        .filter(|entry| entry.user == user)
        .collect();
    let refused: Vec<_> = entries.iter().filter(|entry| entry.code == 403).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let used: BTreeSet<_> = entries
        .iter()
        .map(|entry| (entry.verb.clone(), entry.resource.clone()))
        .collect();
    assert_eq!(used, granted(&objects), "used, and granted by the chart");
    // The Role reaches no further than its namespace.
    let elsewhere = entries
        .iter()
        .filter(|entry| entry.resource == "events" && entry.namespace != "default");
    assert_eq!(elsewhere.count(), 0);

    process.terminate(BOUND).await.unwrap();
    assert_eq!(bus::violations(&nats), Vec::<String>::new());
}
