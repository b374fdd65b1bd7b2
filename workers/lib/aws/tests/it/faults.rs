//! What goes wrong.

use std::time::{Duration, Instant};

use hollowtrees_aws::{Aws, ConnectError, Keys, Options, Refusal};
use hollowtrees_harness::aws::{NewGroup, Service};
use hollowtrees_harness::proxy::Fault;

use crate::{A, Stage};

#[tokio::test]
async fn throttled_then_well() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    cloud
        .create(&NewGroup::new("group").sizes(0, 0, 1))
        .await
        .unwrap();
    let launch = stage.launch_from("group", "t").await;
    for (service, code, status, action) in [
        (
            Service::AutoScaling,
            "Throttling",
            400,
            "DescribeAutoScalingGroups",
        ),
        (Service::Ec2, "RequestLimitExceeded", 503, "RunInstances"),
    ] {
        cloud.inject(
            service
                .fault(code, status)
                .containing(format!("Action={action}&"))
                .times(1),
        );
    }
    assert!(region.group("group").await.unwrap().is_some());
    // Whose launch is next is for who launches to say.
    let refused = region.launch(&launch).await.unwrap_err();
    assert!(matches!(refused, Refusal::Throttled { .. }), "{refused:?}");
    region.launch(&launch).await.unwrap();
    assert_eq!(stage.alive().await, 1);
}

#[tokio::test]
async fn throttled_on_and_on() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    cloud
        .create(&NewGroup::new("group").sizes(0, 0, 1))
        .await
        .unwrap();
    let throttled = |action: &str| {
        Service::AutoScaling
            .fault("Throttling", 400)
            .header("retry-after", "3")
            .containing(format!("Action={action}&"))
    };
    cloud.inject(throttled("DescribeAutoScalingGroups"));
    cloud.inject(throttled("UpdateAutoScalingGroup").times(1));
    let refused = region.group("group").await.unwrap_err();
    assert!(
        matches!(&refused, Refusal::Throttled { after, .. } if *after == Duration::from_secs(3)),
        "{refused:?}"
    );
    assert!(!refused.is_definite());
    // What writes is asked once, so the next one, which would pass, is not made by itself.
    let refused = region.set_max("group", 2).await.unwrap_err();
    assert!(matches!(refused, Refusal::Throttled { .. }), "{refused:?}");
    assert_eq!(cloud.group("group").await.unwrap().sizes.max, 1);
    region.set_max("group", 2).await.unwrap();
}

#[tokio::test]
async fn a_lost_reply_of_a_launch_makes_no_second_instance() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    cloud
        .create(&NewGroup::new("group").sizes(0, 0, 1))
        .await
        .unwrap();
    let launch = stage.launch_from("group", "t").await;
    cloud.inject(Fault::lost_reply().containing("Action=RunInstances&").times(1));
    let instance = region.launch(&launch).await.unwrap();
    assert_eq!(cloud.count("RunInstances"), 2, "the SDK asked again");
    assert_eq!(stage.alive().await, 1);

    // All replies lost: unclear, and the same call later finds the instance.
    cloud.heal();
    let launch = stage.launch_from("group", "t-2").await;
    cloud.inject(Fault::lost_reply().containing("Action=RunInstances&"));
    let unclear = region.launch(&launch).await.unwrap_err();
    assert!(matches!(unclear, Refusal::Unclear { .. }), "{unclear:?}");
    assert!(unclear.may_have_happened());
    assert_eq!(stage.alive().await, 2);
    cloud.heal();
    let second = region.launch(&launch).await.unwrap();
    assert_ne!(second.id, instance.id);
    assert_eq!(stage.alive().await, 2);
}

#[tokio::test]
async fn a_lost_reply_of_a_write_is_asked_once() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    let made = cloud
        .create(&NewGroup::new("group").sizes(0, 2, 2))
        .await
        .unwrap();
    cloud.inject(
        Fault::lost_reply()
            .containing("Action=TerminateInstanceInAutoScalingGroup&")
            .times(1),
    );
    let unclear = region
        .terminate_member(&made.members[0].0, true)
        .await
        .unwrap_err();
    assert!(unclear.may_have_happened(), "{unclear:?}");
    assert_eq!(cloud.count("TerminateInstanceInAutoScalingGroup"), 1);
    assert_eq!(cloud.group("group").await.unwrap().sizes.desired, 1);
}

#[tokio::test]
async fn a_pool_without_capacity_is_told_at_once() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    cloud
        .create(&NewGroup::new("group").sizes(0, 0, 1))
        .await
        .unwrap();
    cloud.set_capacity("m5.large", A, false);
    let mut launch = stage.launch_from("group", "t").await;
    let refused = region.launch(&launch).await.unwrap_err();
    assert!(
        matches!(&refused, Refusal::Capacity { code, .. } if code == "InsufficientInstanceCapacity"),
        "{refused:?}"
    );
    assert_eq!(
        cloud.count("RunInstances"),
        1,
        "definite, though its status is 500"
    );
    launch.instance_type = "c5.large".to_owned();
    launch.token = "t-2".to_owned();
    region.launch(&launch).await.unwrap();
}

#[tokio::test]
async fn no_clear_answer() {
    let stage = Stage::with(|options| {
        options.attempts = 2;
        options.attempt_timeout = Duration::from_millis(500);
        options.operation_timeout = Duration::from_secs(4);
    })
    .await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    cloud
        .create(&NewGroup::new("group").sizes(0, 0, 1))
        .await
        .unwrap();
    for (what, fault) in [
        ("503", Service::AutoScaling.fault("ServiceUnavailable", 503)),
        ("no answer", Fault::no_answer()),
        ("garbage", Fault::garbage()),
        ("slow", Fault::slow(Duration::from_secs(30))),
    ] {
        cloud.inject(fault.containing("Action=DescribeAutoScalingGroups&"));
        let start = Instant::now();
        let unclear = region.group("group").await.unwrap_err();
        assert!(matches!(unclear, Refusal::Unclear { .. }), "{what}: {unclear:?}");
        // 4 s for the call, and what a busy machine takes.
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{what}: {:?}",
            start.elapsed()
        );
        cloud.heal();
    }
    // One bad answer among good ones is not seen.
    cloud.inject(
        Fault::slow(Duration::from_secs(30))
            .containing("Action=DescribeAutoScalingGroups&")
            .times(1),
    );
    assert!(region.group("group").await.unwrap().is_some());
}

#[tokio::test]
async fn nobody_there() {
    // A port that nobody listens on: it was ours, and is closed again.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let aws = Aws::connect(&Options {
        region: Some("us-east-1".to_owned()),
        endpoint: Some(endpoint),
        keys: Some(Keys::new("testbed", "testbed")),
        attempts: 1,
        ..Options::default()
    })
    .await
    .unwrap();
    let unclear = aws.region("eu-west-1").membership("i-1").await.unwrap_err();
    assert!(matches!(unclear, Refusal::Unclear { .. }), "{unclear:?}");
    assert!(aws.region("eu-west-1").name() == "eu-west-1" && aws.default_region() == Some("us-east-1"));
}

#[tokio::test]
async fn denied() {
    let stage = Stage::new().await;
    stage
        .cloud
        .inject(Service::Ec2.fault("UnauthorizedOperation", 403));
    let denied = stage.region.instance("i-0123456789abcdef0").await.unwrap_err();
    assert!(
        matches!(denied, Refusal::Denied { .. }) && denied.is_definite(),
        "{denied:?}"
    );
}

#[tokio::test]
async fn options_that_cannot_be() {
    let error = |options: Options| async move { Aws::connect(&options).await.unwrap_err() };
    let bad = Options {
        endpoint: Some("localhost:5000".to_owned()),
        region: Some("us-east-1".to_owned()),
        ..Options::default()
    };
    assert!(matches!(error(bad).await, ConnectError::Endpoint(_)));
    for bad in [
        Options {
            attempts: 0,
            ..Options::default()
        },
        Options {
            attempt_timeout: Duration::ZERO,
            ..Options::default()
        },
        Options {
            operation_timeout: Duration::ZERO,
            ..Options::default()
        },
    ] {
        assert!(matches!(error(bad).await, ConnectError::Zero(_)));
    }
    let shown = format!("{:?}", Keys::new("id", "very secret"));
    assert!(!shown.contains("secret"), "{shown}");
}
