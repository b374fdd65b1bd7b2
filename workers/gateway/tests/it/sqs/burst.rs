//! A thousand at once.

use futures::future::join_all;

use super::ground::{Ground, R, spot};

/// `DescribeInstances` calls that a thousand messages may make.
const CALLS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_are_told_once_each_with_few_calls() {
    let ground = Ground::new().await;
    told_with_few_calls(&ground, std::slice::from_ref(&ground.queue)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_of_ten_queues_are_looked_up_together() {
    let ground = Ground::new().await;
    let names: Vec<_> = (0..10).map(|number| format!("events-{number}")).collect();
    let queues = names.iter().map(|name| ground.aws.create_queue(R, name));
    let queues: Vec<_> = join_all(queues).await.into_iter().map(Result::unwrap).collect();
    told_with_few_calls(&ground, &queues).await;
}

async fn told_with_few_calls(ground: &Ground, queues: &[String]) {
    let ids = ground
        .aws
        .launch(R, 1000, &[("kubernetes.io/cluster/blue", "owned")])
        .await
        .unwrap();
    for (queue, ids) in queues.iter().zip(ids.chunks(ids.len() / queues.len())) {
        let bodies: Vec<_> = ids.iter().map(|id| spot(id)).collect();
        ground.aws.send(R, queue, &bodies).await.unwrap();
    }
    ground.aws.forget_calls();
    let all = queues.join(",");
    let _gateway = ground
        .gateway(&[("HT_SQS__HIDDEN", "20s"), ("HT_SQS__QUEUES", &all)])
        .await;
    ground.stored_at_least(ids.len()).await;
    for queue in queues {
        ground.empty_of(queue).await;
    }
    let notices = ground.notices().await;
    assert_eq!(notices.len(), ids.len());
    assert!(notices.values().all(|notice| notice.data.cluster == "blue"));
    let described = ground.aws.count("DescribeInstances");
    assert!(described <= CALLS, "{described} DescribeInstances calls");
    println!("{described} DescribeInstances calls");
}
