//! The binary itself.

use std::time::Duration;

use hollowtrees_harness::{
    Error, Worker,
    aws::NewGroup,
    eventually, http_get,
    ports::Port,
    proxy::{Fault, Http},
    supervise::Signal,
};

use crate::world::{BOUND, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_process_gets_ready_swaps_counts_and_goes() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("g")).await.remove(0);
    let port = Port::reserve().unwrap();
    let process = world.process(&port).start().unwrap();
    let url = |path: &str| format!("http://{}{path}", port.addr());
    process.ready(&url("/readyz"), BOUND).await.unwrap();
    // Its region comes from the environment.
    let mut action = world.action(&old, "certain");
    action.target.as_mut().unwrap().region = String::new();
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let (_, metrics) = http_get::get(&url("/metrics")).await.unwrap();
    let metrics = String::from_utf8_lossy(&metrics);
    for line in [
        "hollowtrees_asg_swap_requests_total{answer=\"ok\",call=\"launch\"} 1",
        "hollowtrees_asg_swap_steps_total{answer=\"done\",step=\"attach\"} 1",
        "hollowtrees_asg_swap_in_service_seconds_count{asg_name=\"g\",region=\"us-east-1\"} 1",
        "hollowtrees_asg_swap_open 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} is not in\n{metrics}"
        );
    }
    process.signal(Signal::TERM).unwrap();
    let status = process.exited(Duration::from_secs(20)).await.unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_denied_by_aws_is_not_ready_and_says_so() {
    let world = World::new().await;
    let proxy = Http::start(&world.aws.url()).await.unwrap();
    let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>\
        <Message>The security token included in the request is invalid.</Message></Error></ErrorResponse>";
    proxy.inject(Fault::status(403).body(denied));
    let port = Port::reserve().unwrap();
    let process = Worker::builder("asg-swap", env!("CARGO_BIN_EXE_hollowtrees-asg-swap"))
        .env("AWS_ENDPOINT_URL", proxy.url())
        .env("AWS_ACCESS_KEY_ID", "nobody")
        .env("AWS_SECRET_ACCESS_KEY", "testbed")
        .env("AWS_REGION", "us-east-1")
        .env("HT_NATS__URL", world.nats.url())
        .env("HT_HEALTH__LISTEN", port.addr().to_string())
        .start()
        .unwrap();
    let url = format!("http://{}/readyz", port.addr());
    eventually(
        "it to miss AWS alone, and to say what AWS says",
        BOUND,
        async || {
            let (_, body) = http_get::get(&url).await?;
            let body = String::from_utf8_lossy(&body).into_owned();
            if body.starts_with("aws: ") && body.contains("InvalidClientTokenId") && body.lines().count() == 1
            {
                Ok(())
            } else {
                Err(Error::new(body))
            }
        },
    )
    .await;
    proxy.heal();
    process.ready(&url, BOUND).await.unwrap();
}
