//! Load balancers: what is registered, taken out, put back.

use std::time::Duration;

use hollowtrees_aws::{Refusal, Standing, Target, TargetKind};

use crate::Stage;

const LONG: Duration = Duration::from_secs(300);

fn target(id: &str) -> Target {
    Target {
        id: id.to_owned(),
        port: Some(80),
        zone: None,
    }
}

#[tokio::test]
async fn a_target_leaves_and_comes_back() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    let instances = cloud.launch("us-east-1", 2, &[]).await.unwrap();
    cloud.set_draining(LONG);
    let arn = cloud.create_target_group("web", "instance").await.unwrap();
    cloud.register(&arn, &instances).await.unwrap();
    cloud.create_target_group("by-address", "ip").await.unwrap();
    let groups = region.target_groups().await.unwrap();
    let mut found: Vec<_> = groups
        .iter()
        .map(|group| (group.name.as_str(), group.kind))
        .collect();
    found.sort_by_key(|(name, _)| *name);
    assert_eq!(
        found,
        [("by-address", TargetKind::Ip), ("web", TargetKind::Instance)]
    );
    let machine = region.machines(&instances[..1]).await.unwrap().remove(0);
    assert_eq!(machine.network, groups[0].network);
    let own = cloud.address(&instances[0]).await.unwrap();
    assert_eq!(machine.addresses, [own.parse().unwrap()].into());

    let [goes, stays] = [&instances[0], &instances[1]].map(|id| target(id));
    region
        .deregister_targets(&arn, std::slice::from_ref(&goes))
        .await
        .unwrap();
    let mut seen = region.targets(&arn).await.unwrap();
    seen.sort_by_key(|(_, standing)| *standing == Standing::Draining);
    let expected = [(stays, Standing::Registered), (goes.clone(), Standing::Draining)];
    assert_eq!(seen, expected);
    // What is out is taken out again without a word.
    region
        .deregister_targets(&arn, std::slice::from_ref(&goes))
        .await
        .unwrap();
    region
        .register_targets(&arn, std::slice::from_ref(&goes))
        .await
        .unwrap();
    let seen = region.targets(&arn).await.unwrap();
    assert!(
        seen.iter().all(|(_, standing)| *standing == Standing::Registered),
        "{seen:?}"
    );
    assert_eq!(seen.len(), 2);

    cloud.interrupt(&instances[1]).await.unwrap();
    let refused = region
        .register_targets(&arn, &[target(&instances[1])])
        .await
        .unwrap_err();
    assert!(refused.is_of_a_target(), "{refused}");
    cloud.delete_target_group(&arn).await.unwrap();
    for refused in [
        region.targets(&arn).await.map(drop),
        region.deregister_targets(&arn, &[goes]).await,
    ] {
        assert!(matches!(refused, Err(Refusal::Missing { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn an_instance_leaves_a_classic_balancer_and_comes_back() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    let instances = cloud.launch("us-east-1", 3, &[]).await.unwrap();
    cloud.set_draining(LONG);
    cloud.create_classic_balancer("old").await.unwrap();
    cloud.register_classic("old", &instances[..2]).await.unwrap();
    let balancers = region.classic_balancers().await.unwrap();
    assert_eq!(balancers[0].name, "old");
    assert!(
        balancers[0].instances.iter().eq({
            let mut expected = instances[..2].to_vec();
            expected.sort();
            expected
        }
        .iter())
    );
    region.deregister_instances("old", &instances[..1]).await.unwrap();
    let seen = region.classic_standing("old", &instances).await.unwrap();
    let expected = [
        (instances[0].clone(), Standing::Draining),
        (instances[1].clone(), Standing::Registered),
    ];
    assert_eq!(seen, expected, "the third was never there");
    // One that is no more does not hide how the others stand.
    cloud.interrupt(&instances[2]).await.unwrap();
    let mut seen = region.classic_standing("old", &instances).await.unwrap();
    seen.sort_by_key(|(_, standing)| *standing == Standing::Registered);
    assert_eq!(seen, expected);
    region.register_instances("old", &instances[..1]).await.unwrap();
    let seen = region.classic_standing("old", &instances[..1]).await.unwrap();
    assert_eq!(seen, [(instances[0].clone(), Standing::Registered)]);
    let refused = region.classic_standing("none", &instances[..1]).await;
    assert!(matches!(refused, Err(Refusal::Missing { .. })), "{refused:?}");
}
