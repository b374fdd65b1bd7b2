//! The examples of `docs/sources.md` work as they stand.

use std::{collections::BTreeSet, path::Path, process::Command};

use hollowtrees_harness::{
    aws::{Call, Policy, Service},
    eventually,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    process::Process,
    sqs::ground::{Ground, LONG, R, body, changed, spot},
    world::World,
};

const PAGE: &str = include_str!("../../../../docs/sources.md");
const ADDRESS: &str = "http://127.0.0.1:9191";

/// The `curl` commands of the page's part about the gateway.
fn commands() -> Vec<String> {
    let part = PAGE
        .split("\n## ")
        .find(|part| part.starts_with("Gateway\n"))
        .unwrap();
    let blocks = part.split("\n\n").filter(|block| block.starts_with("    curl "));
    blocks.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_curl_command_of_the_page_is_taken() {
    let commands = commands();
    assert_eq!(commands.len(), 3, "{commands:?}");
    if Command::new("curl").arg("--version").output().is_err() {
        hollowtrees_harness::Missing::Curl.skip("curl is missing; install the package `curl`");
        return;
    }
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    for command in commands {
        assert!(command.contains(ADDRESS), "{command}");
        let here = command.replace(ADDRESS, &process.url(""));
        let said = Command::new("sh")
            .args([
                "-c",
                &format!("{} --silent --show-error --fail-with-body", here.trim()),
            ])
            .output()
            .unwrap();
        assert!(said.status.success(), "{command}: {said:?}");
    }
    let kinds: Vec<_> = world
        .notices()
        .await
        .into_iter()
        .map(|notice| notice.data.kind)
        .collect();
    assert_eq!(
        kinds,
        ["alert", "spot-interruption"],
        "the last is the second in another mode"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_of_the_page_are_read() {
    let world = World::new().await;
    let yaml = PAGE
        .split("```yaml\n")
        .find(|block| block.starts_with("version: 1\nclients:"))
        .unwrap();
    let yaml = yaml.split("```").next().unwrap().replace("\"...\"", "a-password");
    let directory = hollowtrees_harness::scratch::directory("clients").unwrap();
    let clients = directory.path().join("clients.yaml");
    std::fs::write(&clients, yaml).unwrap();
    let process = Process::start(&world, &[("HT_AUTH__CLIENTS", clients.to_str().unwrap())]).await;
    let headers = [("authorization", "Bearer 8f14e45fceea167a5a36dedd4bea2543")];
    assert_eq!(process.post("/api/v2/alerts", &headers, "[]").await.0, 200);
    assert_eq!(process.post("/events", &headers, "[]").await.0, 403);
}

/// What the page has in `alertmanager.yml`: keys of Alertmanager's documentation ("Configuration", `receiver`, `webhook_config`,
/// `http_config`), and no others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Alertmanager {
    receivers: Vec<Receiver>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Receiver {
    name: String,
    webhook_configs: Vec<Webhook>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Webhook {
    url: String,
    /// 0: all.
    #[serde(default)]
    max_alerts: usize,
    #[serde(default = "yes")]
    send_resolved: bool,
    http_config: HttpConfig,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpConfig {
    authorization: Authorization,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorization {
    #[serde(rename = "type", default = "bearer")]
    scheme: String,
    credentials_file: String,
}

fn yes() -> bool {
    true
}

fn bearer() -> String {
    "Bearer".to_owned()
}

impl Alertmanager {
    fn of_the_page() -> Self {
        let mut blocks = PAGE
            .split("```yaml\n")
            .filter(|block| block.starts_with("receivers:"));
        let block = blocks.next().expect("the page has it");
        assert_eq!(blocks.next(), None, "there are two");
        serde_saphyr::from_str(block.split("```").next().unwrap()).unwrap()
    }
}

impl Webhook {
    /// What Alertmanager posts of these alerts of one group: nothing where all are over and it tells of none that are.
    fn body(&self, receiver: &str, alerts: &[Value]) -> Option<Value> {
        let is_over = |alert: &&Value| alert["status"] == "resolved";
        if !self.send_resolved && alerts.iter().all(|alert| is_over(&alert)) {
            return None;
        }
        let told: Vec<&Value> = alerts
            .iter()
            .filter(|alert| self.send_resolved || !is_over(alert))
            .collect();
        let most = match self.max_alerts {
            0 => told.len(),
            most => most.min(told.len()),
        };
        let status = if told.iter().all(is_over) {
            "resolved"
        } else {
            "firing"
        };
        Some(json!({
            "version": "4", "groupKey": "{}:{}", "truncatedAlerts": told.len() - most, "status": status,
            "receiver": receiver, "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
            "externalURL": "http://alertmanager:9093", "alerts": told[..most],
        }))
    }
}

/// There is no Alertmanager here: its part is played by what the page configures of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_page_configures_of_alertmanager_brings_alerts_and_their_end() {
    const TOKEN: &str = "a-token-of-alertmanager-alone";
    let configured = Alertmanager::of_the_page();
    assert_eq!(configured.receivers.len(), 1);
    let receiver = &configured.receivers[0];
    let [webhook] = receiver.webhook_configs.as_slice() else {
        panic!("{receiver:?}");
    };
    let world = World::new().await;
    let process = Process::start(&world, &[("HT_AUTH__TOKEN", TOKEN)]).await;
    let path = webhook
        .url
        .strip_prefix("http://hollowtrees-gateway:9191")
        .expect("the gateway as the page names it");
    // The file of the page, here; Alertmanager takes the space around what it holds away.
    let directory = hollowtrees_harness::scratch::directory("alertmanager").unwrap();
    let shown = Path::new(&webhook.http_config.authorization.credentials_file);
    assert!(shown.starts_with("/etc/alertmanager"), "{shown:?}");
    let credentials = directory.path().join(shown.file_name().unwrap());
    std::fs::write(&credentials, format!("{TOKEN}\n")).unwrap();
    let secret = std::fs::read_to_string(&credentials).unwrap();
    let authorization = format!("{} {}", webhook.http_config.authorization.scheme, secret.trim());

    let alerts = |status: &str| -> Vec<Value> {
        let alert = |instance: &str| {
            let mut alert = crate::alerts::firing(instance);
            alert["status"] = status.into();
            alert["endsAt"] = "0001-01-01T00:00:00Z".into();
            alert["fingerprint"] = instance.into();
            alert
        };
        ["i-1", "i-2", "i-3"].map(alert).into()
    };
    let post = async |status: &str, authorization: &str| {
        let body = webhook.body(&receiver.name, &alerts(status)).expect("it is told");
        let headers = [
            ("content-type", "application/json"),
            ("authorization", authorization),
        ];
        process.post(path, &headers, body.to_string()).await
    };
    let (status, _) = post("firing", "Bearer somebody-else-altogether").await;
    assert_eq!(status, 401);
    for state in ["firing", "resolved"] {
        let (status, body) = post(state, &authorization).await;
        assert_eq!((status.as_u16(), &body["stored"]), (200, &json!(3)), "{body}");
    }
    let notices = world.notices().await.into_iter();
    let mut told: Vec<_> = notices
        .map(|notice| format!("{} {}", notice.data.state, notice.data.instance))
        .collect();
    // Of one request they may come in any order.
    told.sort();
    let expected =
        ["active", "resolved"].map(|state| ["i-1", "i-2", "i-3"].map(|id| format!("{state} {id}")));
    assert_eq!(told, expected.concat());
    assert!(world.letters().await.is_empty());
}

/// The account of the page's examples, which is moto's own.
const ACCOUNT: &str = "123456789012";

/// The blocks of the page's part about queues that call `aws`.
fn blocks() -> Vec<String> {
    let part = PAGE
        .split("\n### ")
        .find(|part| part.starts_with("SQS and EventBridge\n"))
        .unwrap();
    let blocks = part
        .split("\n\n")
        .filter(|block| block.lines().all(|line| line.starts_with("    ")) && block.contains("    aws "));
    let shown = |block: &str| -> String {
        block
            .lines()
            .map(|line| format!("{}\n", line.strip_prefix("    ").unwrap()))
            .collect()
    };
    blocks.map(shown).collect()
}

/// Runs lines of the shell with the AWS CLI against moto.
fn run(ground: &Ground, directory: &Path, lines: &str) -> String {
    let endpoint = ground.aws.url();
    let said = Command::new("sh")
        .args([
            "-ec",
            &format!("aws() {{ command aws --endpoint-url {endpoint} \"$@\"; }}\n{lines}"),
        ])
        .current_dir(directory)
        .env("AWS_DEFAULT_REGION", R)
        .env("AWS_ACCESS_KEY_ID", "testbed")
        .env("AWS_SECRET_ACCESS_KEY", "testbed")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_PAGER", "")
        .output()
        .unwrap();
    assert!(said.status.success(), "{lines}: {said:?}");
    String::from_utf8(said.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_aws_commands_of_the_page_set_up_brings_events_to_the_gateway() {
    let blocks = blocks();
    assert_eq!(blocks.len(), 4, "{blocks:?}");
    if Command::new("aws").arg("--version").output().is_err() {
        println!("SKIPPED: the AWS CLI is missing; install the package `awscli`");
        return;
    }
    let ground = Ground::new().await;
    let directory = hollowtrees_harness::scratch::directory("page").unwrap();
    let run = |lines: &str| run(&ground, directory.path(), lines);
    // One after the other, as a reader has them: the first says where.
    let all = blocks.join("\n");
    let there = format!("REGION=eu-west-1 ACCOUNT={ACCOUNT}");
    assert!(all.contains(&there), "{all}");
    run(&all.replace(&there, &format!("REGION={R} ACCOUNT={ACCOUNT}")));

    let queue = format!("{}/{ACCOUNT}/hollowtrees", ground.aws.url());
    let _gateway = ground.gateway(&[("HT_SQS__QUEUES", &queue)]).await;
    let ids = ground
        .aws
        .launch(R, 3, &[("hollowtrees.io/cluster", "blue")])
        .await
        .unwrap();
    let [by_rule, raw, wrapped] = [&ids[0], &ids[1], &ids[2]];
    let entries = json!([{
        "Source": "aws.ec2", "DetailType": "EC2 Spot Instance Interruption Warning",
        "Detail": json!({"instance-id": by_rule, "instance-action": "terminate"}).to_string(),
    }]);
    std::fs::write(directory.path().join("entries.json"), entries.to_string()).unwrap();
    run("aws events put-events --entries file://entries.json");
    let topic = format!("arn:aws:sns:{R}:{ACCOUNT}:hollowtrees");
    let publish = |id: &str| {
        std::fs::write(directory.path().join("message.json"), spot(id)).unwrap();
        run(&format!(
            "aws sns publish --topic-arn {topic} --message file://message.json"
        ));
    };
    publish(raw);
    run(&format!(
        "subscription=$(aws sns list-subscriptions-by-topic --topic-arn {topic} --output text \
         --query 'Subscriptions[0].SubscriptionArn')\n\
         aws sns set-subscription-attributes --subscription-arn $subscription --attribute-name RawMessageDelivery \
         --attribute-value false"
    ));
    publish(wrapped);
    ground.empty_of(&queue).await;
    let notices = ground.notices().await;
    for id in [by_rule, raw, wrapped] {
        let notice = notices.get(id).unwrap_or_else(|| panic!("{id}: {notices:?}"));
        assert_eq!(
            (notice.data.kind.as_str(), notice.data.cluster.as_str()),
            ("spot-interruption", "blue")
        );
    }
    assert!(ground.world.letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_of_the_page_is_what_is_called_of_that_queue_alone() {
    let text = PAGE
        .split("\n\n")
        .find(|block| block.contains("\"sqs:ReceiveMessage\""))
        .unwrap();
    let of_page = format!("arn:aws:sqs:eu-west-1:{ACCOUNT}:hollowtrees");
    assert!(text.contains(&of_page), "{text}");
    let policy = |queue: &str| {
        let ours = format!("arn:aws:sqs:{R}:{ACCOUNT}:{queue}");
        Policy::parse(&text.replace(&of_page, &ours)).unwrap()
    };
    let ground = Ground::new().await;
    let aws = &ground.aws;
    let tags = [("hollowtrees.io/cluster", "blue")];
    let ids = aws.launch(R, 2, &tags).await.unwrap();
    aws.put_hook("workers-blue", "drain", LONG);
    let hook = [("/detail/EC2InstanceId", ids[1].as_str()), ("/region", R)];
    // What cannot be looked up is given back.
    let denied = Service::Ec2.fault("UnauthorizedOperation", 403);
    aws.inject(denied.containing("DescribeInstances"));
    ground
        .send(&[spot(&ids[0]), changed(&body("hook-terminate"), &hook)])
        .await;
    let _gateway = ground.gateway(&[]).await;
    let gives_back = |call: &Call| call.action.starts_with("ChangeMessageVisibility");
    eventually("a message to be given back", LONG, async || {
        aws.calls().iter().any(gives_back)
    })
    .await;
    aws.heal();
    ground.empty().await;
    let mut called = BTreeSet::new();
    for call in aws.calls() {
        let checks = aws.checks(&call).await.unwrap();
        // Of another queue nothing is allowed.
        let other = policy("others").denied(&checks).is_some();
        assert_eq!(other, call.signed_for == "sqs", "{call:?}");
        called.extend(checks.into_iter().map(|check| check.action));
    }
    aws.judge(&policy("events")).await.unwrap();
    let said: Value = serde_json::from_str(text).unwrap();
    let statements = said["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|one| one["Action"].as_array().unwrap());
    let allowed: BTreeSet<_> = actions
        .map(|action| action.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(called, allowed);
}
