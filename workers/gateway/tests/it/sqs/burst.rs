//! A thousand at once.

use std::time::Instant;

use super::ground::{Ground, R, spot};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_are_told_once_each_with_few_calls() {
    let ground = Ground::new().await;
    let ids = ground
        .aws
        .launch(R, 1000, &[("kubernetes.io/cluster/blue", "owned")])
        .await
        .unwrap();
    let bodies: Vec<_> = ids.iter().map(|id| spot(id)).collect();
    ground.send(&bodies).await;
    ground.aws.forget_calls();
    let began = Instant::now();
    let _gateway = ground.gateway(&[("HT_SQS__HIDDEN", "20s")]).await;
    ground.stored_at_least(ids.len()).await;
    let took = began.elapsed();
    ground.empty().await;
    let notices = ground.notices().await;
    assert_eq!(notices.len(), ids.len());
    assert!(notices.values().all(|notice| notice.data.cluster == "blue"));
    // Twenty. Where moto hands a thousand out over minutes, for the machine is busy, it is no burst, and there is one more
    // every five seconds.
    let allowed = 20.max(12 + took.as_secs() / 5);
    let described = ground.aws.count("DescribeInstances") as u64;
    assert!(
        described <= allowed,
        "{described} DescribeInstances calls in {took:?}"
    );
    println!("{described} DescribeInstances calls, {took:?}");
}
