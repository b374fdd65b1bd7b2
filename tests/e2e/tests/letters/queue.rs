//! Messages of queues.

use hollowtrees_harness::{Aws, eventually};
use serde_json::json;

use crate::world::{BOUND, World};

const R: &str = "us-east-1";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_queue_is_redriven_to_the_gateway_that_reads_it() {
    let world = World::new().await;
    let aws = Aws::start().await.unwrap();
    let queue = aws.create_queue(R, "events").await.unwrap();
    let endpoint = aws.url();
    let clients = world.file(
        "clients.yaml",
        "version: 1\nclients:\n- {name: ops, token: token-of-ops, clusters: [prod]}\n",
    );
    let too_long = format!("111122223333={}", "long".repeat(100));
    let env = |accounts| {
        [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_REGION", R),
            ("AWS_ACCESS_KEY_ID", "testbed"),
            ("AWS_SECRET_ACCESS_KEY", "testbed"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("HT_SQS__QUEUES", queue.as_str()),
            ("HT_SQS__WAIT", "1s"),
            ("HT_AUTH__CLIENTS", clients.as_str()),
            ("HT_SQS__ACCOUNTS", accounts),
        ]
    };
    let gateway = world.gateway(&env(&too_long)).await;
    // By the hook's own notification, which names no region and no time.
    let message = json!({
        "LifecycleHookName": "drain", "AccountId": "111122223333", "AutoScalingGroupName": "workers",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "EC2InstanceId": "i-0633ac2b0d9769723",
        "LifecycleActionToken": "87654321-4321-4321-4321-210987654321",
    });
    aws.send(R, &queue, &[message.to_string()]).await.unwrap();
    let letter = eventually("the message to be a dead letter", BOUND, async || {
        let letters = world.letters().await;
        letters.into_iter().next().ok_or("none yet")
    })
    .await;
    assert_eq!(
        (letter.stream.as_str(), letter.subject.as_str()),
        ("sqs/events", queue.as_str())
    );
    let token = [("HOLLOWTREES_GATEWAY_TOKEN", "token-of-ops")];
    let line = format!("redrive 1 --gateway {}", gateway.url());
    world.dead(&line, &token).ended(1).says("is not taken");
    gateway.ends().await;

    // Mended, but of a cluster that is not the client's.
    let gateway = world.gateway(&env("111122223333=stage")).await;
    let line = format!("redrive 1 --gateway {}", gateway.url());
    world.dead(&line, &token).ended(1).says("(403)").says("`ops`");
    gateway.ends().await;

    let gateway = world.gateway(&env("111122223333=prod")).await;
    let line = format!("redrive 1 --gateway {}", gateway.url());
    world.dead(&line, &token).ended(0).says("(1 stored), and gone");
    let notices = world.notices().await;
    let notice = &notices[0];
    assert_eq!(
        (
            notices.len(),
            notice.cluster.as_str(),
            notice.region.as_str(),
            notice.kind.as_str()
        ),
        (1, "prod", R, "asg-terminating")
    );
    // When the queue had it, not when it was redriven.
    let sent_at = letter.headers.iter().find(|header| header.name == "sqs-sent-at");
    let sent_at: jiff::Timestamp = sent_at.unwrap().value.parse().unwrap();
    let noticed_at = notice.noticed_at.as_ref().unwrap();
    assert_eq!(noticed_at.seconds, sent_at.as_second());
    assert!(world.letters().await.is_empty());
}
