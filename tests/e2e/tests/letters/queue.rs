//! Messages of queues.

use hollowtrees_harness::{Aws, eventually};
use serde_json::{Value, json};

use crate::world::{BOUND, World};

const R: &str = "us-east-1";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_queue_is_redriven_to_the_gateway_that_reads_it() {
    let world = World::new().await;
    let aws = Aws::start().await.unwrap();
    let queue = aws.create_queue(R, "events").await.unwrap();
    let of_aws = aws.env(R);
    let of_aws = of_aws.each_ref().map(|(name, value)| (*name, value.as_str()));
    let clients = world.file(
        "clients.yaml",
        "version: 1\nclients:\n- {name: ops, token: token-of-ops, clusters: [prod]}\n",
    );
    let too_long = format!("111122223333={}", "long".repeat(100));
    let env = |accounts| {
        let own = [
            ("HT_SQS__QUEUES", queue.as_str()),
            ("HT_SQS__WAIT", "1s"),
            ("HT_AUTH__CLIENTS", clients.as_str()),
            ("HT_SQS__ACCOUNTS", accounts),
        ];
        [&of_aws[..], &own].concat()
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

/// A warning about an instance.
fn warning(instance: &str) -> Value {
    json!({
        "version": "0", "id": format!("of-{instance}"), "detail-type": "EC2 Spot Instance Interruption Warning",
        "source": "aws.ec2", "account": "123456789012", "time": "2026-03-02T08:20:00Z", "region": R,
        "detail": {"instance-id": instance, "instance-action": "terminate"},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_another_cluster_and_of_none_wait_as_letters_until_somebody_speaks_for_them() {
    let world = World::new().await;
    let aws = Aws::start().await.unwrap();
    let queue = aws.create_queue(R, "events").await.unwrap();
    let of_aws = aws.env(R);
    let of_aws = of_aws.each_ref().map(|(name, value)| (*name, value.as_str()));
    let env = |clusters| {
        let own = [
            ("HT_SQS__QUEUES", queue.as_str()),
            ("HT_SQS__WAIT", "1s"),
            ("HT_SQS__CLUSTERS", clusters),
        ];
        [&of_aws[..], &own].concat()
    };
    let other = [("hollowtrees.io/cluster", "other")];
    let foreign = aws.launch(R, 1, &other).await.unwrap().remove(0);
    let bare = aws.launch(R, 1, &[]).await.unwrap().remove(0);
    let bodies = [&foreign, &bare].map(|id| warning(id).to_string());
    let gateway = world.gateway(&env("prod")).await;
    for (sent, body) in (1..).zip(&bodies) {
        aws.send(R, &queue, std::slice::from_ref(body)).await.unwrap();
        eventually("the message to be a dead letter", BOUND, async || {
            match world.letters().await.len() {
                found if found == sent => Ok(()),
                found => Err(found),
            }
        })
        .await;
    }
    let sent = || aws.count("SendMessage") + aws.count("SendMessageBatch");
    let before = sent();
    // Before the remedy each goes through once, and is the letter that it was.
    let line = format!("redrive 1 2 --gateway {}", gateway.url());
    world
        .dead(&line, &[])
        .ended(1)
        .says("`other`")
        .says("HT_SQS__CLUSTERS")
        .says("hollowtrees.io/cluster");
    let letters = world.letters().await;
    let found: Vec<_> = letters.iter().map(|letter| letter.body.clone()).collect();
    assert_eq!(found, bodies.map(String::into_bytes));
    assert!(world.notices().await.is_empty());
    gateway.ends().await;

    // The one cluster is listed, and what nothing else names has one.
    let listed = [&env("prod,other")[..], &[("HT_CLUSTER", "prod")]].concat();
    let gateway = world.gateway(&listed).await;
    let line = format!("redrive 1 2 --gateway {}", gateway.url());
    world.dead(&line, &[]).ended(0);
    let mut told: Vec<_> = world.notices().await;
    told.sort_by_key(|notice| notice.cluster.clone());
    let found: Vec<_> = told
        .iter()
        .map(|notice| (notice.cluster.as_str(), notice.instance.as_str()))
        .collect();
    assert_eq!(found, [("other", foreign.as_str()), ("prod", &bare)]);
    assert!(world.letters().await.is_empty());
    assert_eq!(sent(), before, "nothing goes back to a queue");
    let depth = aws.queue_depth(R, &queue).await.unwrap();
    assert_eq!((depth.waiting, depth.taken), (0, 0));
}
