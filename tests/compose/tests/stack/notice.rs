//! The stack comes up, the cloud takes an instance back, and what becomes of it is found true on each server.

use std::{collections::BTreeSet, time::Duration};

use hollowtrees_harness::{Missing, control_plane::Client, eventually, http_get};
use hollowtrees_local_cloud::{
    aws::{Aws, Member},
    nodes::{self, NAMESPACE},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    docker::{Docker, succeed, told},
    images,
    stack::Stack,
};

/// A container more than a laptop starts in a minute: all of them at once, on two processors.
const START: Duration = Duration::from_secs(240);
/// The instance goes two minutes after its notice.
const NOTICE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_ends_in_an_empty_node_and_a_replacement() {
    let Some(docker) = Docker::find() else {
        return;
    };
    let name = format!("hollowtrees-test-{}", std::process::id());
    let images = images::build(&docker, &name);
    let prometheus = images
        .variables
        .iter()
        .any(|(name, _)| *name == "PROMETHEUS_IMAGE");
    let mut services = vec![
        "router",
        "drain",
        "asg-swap",
        "gateway",
        "lifecycle",
        "metrics",
        "agent",
    ];
    if prometheus {
        services.push("prometheus");
    } else {
        Missing::Prometheus
            .skip("Prometheus in the test of the local stack: there is no `prometheus` on the PATH");
    }
    let stack = Stack::up(&docker, &name, images, &services);
    let mut expected: BTreeSet<&str> = services.into_iter().collect();
    expected.extend(["nats", "kubernetes", "aws", "cloud"]);
    eventually("every service to be healthy", START, async || {
        let services = stack.services();
        let well: BTreeSet<&str> = services
            .iter()
            .filter(|(_, status)| status.contains("(healthy)"))
            .map(|(service, _)| service.as_str())
            .collect();
        if well == expected {
            Ok(())
        } else {
            Err(format!("{services:?}"))
        }
    })
    .await;
    images_hold_a_program_and_no_privileges(&docker, &name);
    a_health_check_can_fail(&stack);
    a_static_program_resolves_names(&docker, &name);

    let kubernetes = Client::new(&stack.url("KUBERNETES_PORT"), "", None).unwrap();
    let aws = Aws::new(&stack.url("AWS_PORT")).unwrap();
    let before = aws.members().await.unwrap().unwrap();
    eventually("the pods to run", START, async || pods_run(&kubernetes).await).await;

    let said = stack.exec(&["cloud", "/hollowtrees", "interrupt"]);
    assert!(said.status.success(), "{}", told(&said));
    let said = String::from_utf8(said.stdout).unwrap();
    let instance = said.split_whitespace().next().unwrap().to_owned();
    assert!(
        before.iter().any(|member| member.id == instance),
        "{said} of {before:?}"
    );
    let run = eventually("the run to finish", NOTICE, async || {
        let story = stack.cli(&["runs", "show", &instance, "--output", "json"]);
        let told = told(&story);
        finished(&story.stdout).ok_or(told)
    })
    .await;
    let mut results: Vec<_> = run["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| (text(&action["kind"]), text(&action["result"])))
        .collect();
    results.sort_unstable();
    assert_eq!(
        results,
        [("asg-swap", "succeeded"), ("drain", "succeeded")],
        "{run:#}"
    );

    let node = kubernetes
        .get(&format!("/api/v1/nodes/{}", nodes::name(&instance)))
        .await
        .unwrap();
    assert_eq!(node["spec"]["unschedulable"], true, "{node:#}");
    let node = nodes::name(&instance);
    let left: Vec<_> = pods(&kubernetes)
        .await
        .into_iter()
        .filter(|pod| pod["spec"]["nodeName"] == node.as_str())
        .collect();
    assert!(left.is_empty(), "{left:#?}");

    let members = aws.members().await.unwrap().unwrap();
    let in_service = |members: &[Member]| -> Vec<String> {
        members
            .iter()
            .filter(|member| member.lifecycle_state == "InService")
            .map(|member| member.id.clone())
            .collect()
    };
    let (stayed, came): (Vec<_>, Vec<_>) = in_service(&members)
        .into_iter()
        .partition(|id| before.iter().any(|member| member.id == *id));
    assert_eq!(
        (stayed.len(), came.len()),
        (before.len() - 1, 1),
        "{before:?} became {members:?}"
    );
    assert!(!stayed.contains(&instance), "{members:?}");

    let story = stack.cli(&["runs", "show", &instance]);
    let story = told(&story);
    for told in ["spot-interruption", "drain", "asg-swap", "succeeded"] {
        assert!(story.contains(told), "{told} in\n{story}");
    }
    println!("{story}");

    a_notice_by_hand_touches_nothing(&stack);
    an_alert_is_a_notice(&stack).await;
    if prometheus {
        prometheus_sees_every_worker(&stack).await;
        prometheus_has_the_alert_rules(&stack).await;
        prometheus_counts_what_happened(&stack).await;
    }
}

/// `docker compose run --rm cli notice send`, as the operating page has it.
fn a_notice_by_hand_touches_nothing(stack: &Stack<'_>) {
    let arguments = "notice send --cluster local --instance i-0123456789abcdef0 --wait 60s";
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let story = stack.cli(&arguments);
    let said = told(&story);
    assert!(story.status.success() && said.contains("drain"), "{said}");
}

/// As Prometheus posts it to an Alertmanager. No rule of the stack is about alerts.
async fn an_alert_is_a_notice(stack: &Stack<'_>) {
    let instance = "i-0a1b2c3d4e5f60718";
    let labels =
        json!({"alertname": "SpotTerminationNotice", "instance_id": instance, "cluster_name": "local"});
    let alert = json!([{"labels": labels, "startsAt": "2026-11-01T12:00:00Z"}]).to_string();
    let url = format!("{}/api/v2/alerts", stack.url("GATEWAY_PORT"));
    let post = async |token: &str| {
        let headers = [("authorization", token), ("content-type", "application/json")];
        http_get::send(Method::POST, &url, &headers, alert.clone().into())
            .await
            .unwrap()
            .0
    };
    assert_eq!(post("Bearer other").await, StatusCode::UNAUTHORIZED);
    assert_eq!(post("Bearer of-the-local-stack").await, StatusCode::OK);
    eventually("the alert's incident", START, async || {
        let story = told(&stack.cli(&["runs", "show", instance]));
        if story.contains("alert") {
            Ok(())
        } else {
            Err(story)
        }
    })
    .await;
}

fn images_hold_a_program_and_no_privileges(docker: &Docker, name: &str) {
    for image in [
        "agent",
        "asg-swap",
        "cli",
        "drain",
        "gateway",
        "lifecycle",
        "local-cloud",
        "metrics",
        "router",
    ] {
        let image = format!("{name}/{image}:test");
        let format = "{{.Config.User}} {{.Config.Entrypoint}}";
        let found = succeed(&mut docker.command(&["image", "inspect", "--format", format, &image]));
        assert_eq!(found.trim(), "65532:65532 [/hollowtrees]", "{image}");
    }
}

/// The images of the Dockerfile's own stage hold static programs; those of this test mostly do not.
fn a_static_program_resolves_names(docker: &Docker, name: &str) {
    let network = format!("{name}_default");
    let image = format!("{name}/{}:test", images::NAMES);
    let found = succeed(&mut docker.command(&["run", "--rm", "--network", &network, &image, "nats:4222"]));
    assert!(found.trim().ends_with(":4222"), "{found}");
}

fn a_health_check_can_fail(stack: &Stack<'_>) {
    let well = stack.exec(&["router", "/hollowtrees", "--healthy"]);
    assert!(well.status.success(), "{}", told(&well));
    let nobody = [
        "-e",
        "HT_HEALTH__LISTEN=127.0.0.1:1",
        "router",
        "/hollowtrees",
        "--healthy",
    ];
    let ill = stack.exec(&nobody);
    assert_eq!(ill.status.code(), Some(1), "{}", told(&ill));
}

async fn prometheus_sees_every_worker(stack: &Stack<'_>) {
    eventually("Prometheus to have scraped every worker", START, async || {
        let answer = prometheus(stack, "targets?state=active").await?;
        let targets = answer["activeTargets"].as_array().ok_or("no targets")?;
        let ill: Vec<_> = targets.iter().filter(|target| target["health"] != "up").collect();
        if ill.is_empty() && targets.len() == 7 {
            Ok(())
        } else {
            Err(format!("of {} targets: {ill:#?}", targets.len()))
        }
    })
    .await;
}

async fn prometheus_has_the_alert_rules(stack: &Stack<'_>) {
    let answer = prometheus(stack, "rules").await.unwrap();
    let groups = answer["groups"].as_array().unwrap();
    let rules: usize = groups
        .iter()
        .map(|group| group["rules"].as_array().map_or(0, Vec::len))
        .sum();
    assert!(rules > 0, "{answer:#}");
}

/// The live outcomes of the one incident, as the metrics worker counts them.
async fn prometheus_counts_what_happened(stack: &Stack<'_>) {
    let query = "query?query=sum%20by%20(action)%20(hollowtrees_outcomes_total%7Bmode%3D%22live%22%2Cresult%3D%22succeeded%22%7D)";
    eventually("one drain and one swap to be counted", START, async || {
        let answer = prometheus(stack, query).await?;
        let mut counted: Vec<_> = answer["result"]
            .as_array()
            .ok_or("no result")?
            .iter()
            .map(|series| (text(&series["metric"]["action"]), text(&series["value"][1])))
            .collect();
        counted.sort_unstable();
        if counted == [("asg-swap", "1"), ("drain", "1")] {
            Ok(())
        } else {
            Err(answer.to_string())
        }
    })
    .await;
}

/// The data of an answer of Prometheus' API.
async fn prometheus(stack: &Stack<'_>, path: &str) -> Result<Value, String> {
    let url = format!("{}/api/v1/{path}", stack.url("PROMETHEUS_PORT"));
    let (_, body) = http_get::get(&url).await.map_err(|error| error.to_string())?;
    let mut answer: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    Ok(answer["data"].take())
}

async fn pods(kubernetes: &Client) -> Vec<Value> {
    kubernetes
        .list(&format!("/api/v1/namespaces/{NAMESPACE}/pods"))
        .await
        .unwrap()
}

async fn pods_run(kubernetes: &Client) -> Result<(), String> {
    let pods = pods(kubernetes).await;
    let running = pods
        .iter()
        .filter(|pod| pod["status"]["phase"] == "Running")
        .count();
    if running > 0 && running == pods.len() {
        Ok(())
    } else {
        Err(format!("{running} of {}", pods.len()))
    }
}

/// The one run of a story, once it has finished.
fn finished(story: &[u8]) -> Option<Value> {
    let story: Value = serde_json::from_slice(story).ok()?;
    let run = story["episodes"][0]["runs"][0].clone();
    (run["phase"] == "finished").then_some(run)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
