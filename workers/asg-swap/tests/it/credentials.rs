//! Where a process finds its credentials and the names of AWS's endpoints, from its surroundings alone.

use std::{collections::BTreeSet, path::Path};

use hollowtrees_harness::{
    Worker,
    aws::{Credentials, NewGroup},
    ports::Port,
};

use crate::world::{ACCOUNT, BOUND, World};

/// A swap by the process that has nothing but these of its surroundings, and the keys that its calls were signed with.
async fn keys(more: &[(&str, String)]) -> BTreeSet<String> {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("g")).await.remove(0);
    world.aws.forget_calls();
    let port = Port::reserve().unwrap();
    let process = Worker::builder("asg-swap", env!("CARGO_BIN_EXE_hollowtrees-asg-swap"))
        .env("AWS_ENDPOINT_URL", world.aws.url())
        .env("AWS_REGION", "us-east-1")
        .env("HT_SWAP__POLL", "200ms")
        .env("HT_NATS__URL", world.nats.url())
        .env("HT_HEALTH__LISTEN", port.addr().to_string());
    let process = more
        .iter()
        .fold(process, |process, (name, value)| process.env(name, value));
    let process = process.start().unwrap();
    let ready = format!("http://{}/readyz", port.addr());
    process.ready(&ready, BOUND).await.unwrap();
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let calls = world.aws.calls();
    let signed = calls
        .iter()
        .filter(|call| call.action != "AssumeRoleWithWebIdentity");
    signed.map(|call| call.key.clone()).collect()
}

fn written(directory: &Path, text: &str) -> String {
    let file = directory.join("token");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn those_of_the_instance() {
    let source = Credentials::start().await.unwrap();
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", source.metadata())];
    let keys = keys(&variables).await;
    assert_eq!(keys, [Credentials::OF_INSTANCE.to_owned()].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn those_of_a_pod_by_pod_identity() {
    let source = Credentials::start().await.unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", source.container()),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            written(scratch.path(), source.authorization()),
        ),
    ];
    let keys = keys(&variables).await;
    assert_eq!(keys, [Credentials::OF_CONTAINER.to_owned()].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn those_of_a_service_account_by_web_identity() {
    let scratch = tempfile::tempdir().unwrap();
    let variables = [
        ("AWS_ROLE_ARN", format!("arn:aws:iam::{ACCOUNT}:role/swap")),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", written(scratch.path(), "a.b.c")),
    ];
    let keys = keys(&variables).await;
    // Those that STS gave for the token: temporary ones.
    assert!(
        keys.len() == 1 && keys.iter().all(|key| key.starts_with("ASIA")),
        "{keys:?}"
    );
}
