//! Queues of SQS, and instances and hooks looked up.

use std::{collections::BTreeSet, time::Duration};

use hollowtrees_aws::{Refusal, queue::BATCH};
use hollowtrees_harness::{aws::Service, eventually, proxy::Fault};

use crate::Stage;

const MINUTE: Duration = Duration::from_secs(60);
const R: &str = "us-east-1";

#[tokio::test]
async fn what_is_taken_is_hidden_then_deleted() {
    let stage = Stage::new().await;
    let url = stage.cloud.create_queue(R, "events").await.unwrap();
    let queue = stage.region.queue(&url);
    let bodies: Vec<String> = (0..12).map(|number| format!("body {number}")).collect();
    stage.cloud.send(R, &url, &bodies).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().waiting, 12);

    let first = queue.take(Duration::ZERO, MINUTE).await.unwrap();
    let second = queue.take(Duration::ZERO, MINUTE).await.unwrap();
    assert_eq!((first.len(), second.len()), (BATCH, 2));
    let taken: BTreeSet<_> = first
        .iter()
        .chain(&second)
        .map(|taken| taken.body.clone())
        .collect();
    assert_eq!(taken, bodies.into_iter().collect());
    assert!(
        first
            .iter()
            .all(|taken| taken.receives == 1 && taken.sent_at.is_some())
    );
    assert_eq!(queue.take(Duration::ZERO, MINUTE).await.unwrap(), []);

    let receipts: Vec<_> = first.iter().map(|taken| taken.receipt.clone()).collect();
    assert_eq!(queue.delete(&receipts).await.unwrap(), []);
    // Given back: it comes again, the same message under another receipt.
    let given_back = [second[0].receipt.clone()];
    assert_eq!(queue.hide(&given_back, Duration::ZERO).await.unwrap(), []);
    let again = queue.take(Duration::from_secs(1), MINUTE).await.unwrap();
    assert_eq!((again.len(), again[0].receives), (1, 2));
    assert_eq!(again[0].id, second[0].id);
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.taken), (0, 2));
}

#[tokio::test]
async fn one_bad_receipt_of_a_batch_is_named() {
    let stage = Stage::new().await;
    let url = stage.cloud.create_queue(R, "events").await.unwrap();
    let queue = stage.region.queue(&url);
    stage.cloud.send(R, &url, &["body".to_owned()]).await.unwrap();
    let taken = queue.take(Duration::ZERO, MINUTE).await.unwrap();
    let left = queue
        .delete(&["of no message".to_owned(), taken[0].receipt.clone()])
        .await
        .unwrap();
    assert_eq!((left.len(), left[0].place), (1, 0));
    assert_eq!(queue.depth().await.unwrap().taken, 0);
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_missing() {
    let stage = Stage::new().await;
    let queue = stage
        .region
        .queue(&format!("{}/123456789012/none", stage.cloud.url()));
    for refusal in [
        queue.take(Duration::ZERO, MINUTE).await.unwrap_err(),
        queue.depth().await.unwrap_err(),
    ] {
        assert!(matches!(refusal, Refusal::Missing { .. }), "{refusal}");
    }
}

#[tokio::test]
async fn a_long_poll_outlives_the_limit_of_an_attempt_and_ends_with_the_first_message() {
    let stage = Stage::with(|options| options.attempt_timeout = Duration::from_millis(1500)).await;
    let url = stage.cloud.create_queue(R, "events").await.unwrap();
    let queue = stage.region.queue(&url);
    let poll = {
        let queue = queue.clone();
        tokio::spawn(async move { queue.take(Duration::from_secs(20), MINUTE).await })
    };
    eventually(
        "the poll to arrive",
        Duration::from_secs(10),
        async || match stage.cloud.count("ReceiveMessage") {
            1 => Ok(()),
            other => Err(format!("{other} calls")),
        },
    )
    .await;
    // Longer than an attempt of any other call may take: that is what is tested.
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.cloud.send(R, &url, &["late".to_owned()]).await.unwrap();
    let taken = poll.await.unwrap().unwrap();
    assert_eq!(taken[0].body, "late");
}

#[tokio::test]
async fn a_lost_answer_is_unclear_and_what_was_taken_comes_again() {
    let stage = Stage::new().await;
    let url = stage.cloud.create_queue(R, "events").await.unwrap();
    let queue = stage.region.queue(&url);
    stage.cloud.send(R, &url, &["body".to_owned()]).await.unwrap();
    stage
        .cloud
        .inject(Fault::lost_reply().containing("MaxNumberOfMessages").times(1));
    let refusal = queue
        .take(Duration::ZERO, Duration::from_secs(1))
        .await
        .unwrap_err();
    assert!(matches!(refusal, Refusal::Unclear { .. }), "{refusal}");
    let again = queue.take(Duration::from_secs(10), MINUTE).await.unwrap();
    assert_eq!((again[0].body.as_str(), again[0].receives), ("body", 2));
}

#[tokio::test]
async fn instances_are_looked_up_together_the_ended_too() {
    let stage = Stage::new().await;
    let ids = stage
        .cloud
        .launch(R, 3, &[("kubernetes.io/cluster/blue", "owned")])
        .await
        .unwrap();
    stage.cloud.interrupt(&ids[1]).await.unwrap();
    let mut asked = ids.clone();
    asked.push("i-0123456789abcdef0".to_owned());
    stage.cloud.forget_calls();
    let found = stage.region.machines(&asked).await.unwrap();
    assert_eq!(stage.cloud.count("DescribeInstances"), 1);
    let known: BTreeSet<_> = found.iter().map(|machine| machine.id.clone()).collect();
    assert_eq!(known, ids.iter().cloned().collect());
    for machine in &found {
        assert_eq!(machine.tags["kubernetes.io/cluster/blue"], "owned");
        assert_eq!((machine.account.len(), machine.zone.is_empty()), (12, false));
    }
    let running = found.iter().find(|machine| machine.id == ids[0]).unwrap();
    assert!(
        running.private_name.starts_with("ip-"),
        "{}",
        running.private_name
    );
    assert_eq!(stage.region.machines(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn a_hook_says_how_long_it_waits() {
    let stage = Stage::new().await;
    stage.cloud.put_hook("workers", "drain", Duration::from_secs(300));
    let region = &stage.region;
    assert_eq!(
        region.hook_timeout("workers", "drain").await,
        Ok(Some(Duration::from_secs(300)))
    );
    assert_eq!(region.hook_timeout("workers", "other").await, Ok(None));
    stage
        .cloud
        .inject(Service::AutoScaling.fault("AccessDenied", 403));
    let refusal = region.hook_timeout("workers", "drain").await.unwrap_err();
    assert!(matches!(refusal, Refusal::Denied { .. }), "{refusal}");
}

#[tokio::test]
async fn a_role_is_taken_on() {
    let stage = Stage::with(|options| {
        options.role = Some(hollowtrees_aws::Role {
            arn: "arn:aws:iam::123456789012:role/reader".to_owned(),
            external_id: Some("ours".to_owned()),
        });
    })
    .await;
    let url = stage.cloud.create_queue(R, "events").await.unwrap();
    assert_eq!(stage.region.queue(&url).depth().await.unwrap().waiting, 0);
    let calls = stage.cloud.calls();
    let assumed = calls
        .iter()
        .find(|call| call.action == "AssumeRole")
        .expect("the role");
    assert_eq!(
        assumed.get("RoleArn"),
        Some("arn:aws:iam::123456789012:role/reader")
    );
    assert_eq!(assumed.get("ExternalId"), Some("ours"));
}

#[tokio::test]
async fn an_account_is_reached_under_its_role() {
    let account = "210987654321";
    let arn = format!("arn:aws:iam::{account}:role/swap");
    let configured = [(account.to_owned(), arn.clone())].into();
    let stage = Stage::with(|options| options.accounts = hollowtrees_aws::roles(&configured).unwrap()).await;
    let (aws, cloud) = (&stage.aws, &stage.cloud);
    let (own, theirs) = (
        aws.account("333344445555").region(R),
        aws.account(account).region(R),
    );
    assert_eq!((own.account(), theirs.account()), ("", account));
    cloud.forget_calls();
    assert_eq!(own.crews().await.unwrap(), []);
    assert_eq!(theirs.crews().await.unwrap(), []);
    assert_eq!(theirs.crews().await.unwrap(), []);
    let calls = cloud.calls();
    let names: Vec<_> = calls.iter().map(|call| call.action.as_str()).collect();
    let read = "DescribeAutoScalingGroups";
    assert_eq!(names, [read, "AssumeRole", read, read]);
    assert_eq!(calls[1].get("RoleArn"), Some(arn.as_str()));
    assert_eq!((&calls[0].key, &calls[1].key), (&calls[1].key, &calls[0].key));
    assert!(calls[2].key != calls[0].key && calls[2].key == calls[3].key);
}

#[tokio::test]
async fn a_role_that_may_not_be_taken_on_is_said_to_be() {
    let account = "210987654321";
    let arn = format!("arn:aws:iam::{account}:role/swap");
    let configured = [(account.to_owned(), arn)].into();
    let stage = Stage::with(|options| options.accounts = hollowtrees_aws::roles(&configured).unwrap()).await;
    // In the form of STS.
    let fault = Service::AutoScaling.fault("AccessDenied", 403);
    stage.cloud.inject(fault.containing("Action=AssumeRole&"));
    let refusal = stage.aws.account(account).region(R).crews().await.unwrap_err();
    assert!(matches!(refusal, Refusal::Unclear { .. }), "{refusal:?}");
    let told = refusal.to_string();
    assert!(
        told.contains("loading credentials") && told.contains("AccessDenied"),
        "{told}"
    );
}
