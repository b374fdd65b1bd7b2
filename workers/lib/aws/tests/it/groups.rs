//! Auto-scaling groups.

use hollowtrees_aws::{Membership, Refusal};
use hollowtrees_domain::swap::world::{Member, Override, Sizes, Source, Standing, Tag, TemplateRef, Types};
use hollowtrees_harness::aws::{Delays, NewGroup};
use std::time::Duration;

use crate::{A, B, Stage};

#[tokio::test]
async fn a_group_is_seen_whole() {
    let stage = Stage::new().await;
    let region = &stage.region;
    assert_eq!(region.group("none").await, Ok(None));
    let plain = NewGroup::new("plain")
        .zones(&[B, A])
        .sizes(1, 2, 3)
        .capacity_rebalance()
        .tag("team", "blue", true);
    let made = stage.cloud.create(&plain).await.unwrap();
    let group = region.group("plain").await.unwrap().unwrap();
    assert_eq!(group.name, "plain");
    assert_eq!(
        group.sizes,
        Sizes {
            min: 1,
            desired: 2,
            max: 3
        }
    );
    let instances = stage.cloud.instances().await.unwrap();
    let zone_of = |id: &str| {
        instances
            .iter()
            .find(|found| found.id == id)
            .unwrap()
            .zone
            .clone()
    };
    let expected: Vec<_> = made
        .members
        .iter()
        .map(|(id, _)| Member {
            instance: id.clone(),
            standing: Standing::InService,
            weight: 1,
            zone: zone_of(id),
            protected: false,
        })
        .collect();
    assert_eq!(group.members, expected);
    let mut zones: Vec<_> = group.subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    zones.sort_unstable();
    assert_eq!(zones, [A, B]);
    assert!(
        group
            .subnets
            .iter()
            .all(|subnet| subnet.id.starts_with("subnet-"))
    );
    assert!(group.capacity_rebalance);
    assert!(group.suspended.is_empty());
    let tag = |key: &str, value: &str, propagate| Tag {
        key: key.to_owned(),
        value: value.to_owned(),
        propagate,
    };
    assert_eq!(
        group.tags,
        [
            tag("hollowtrees.io/managed", "true", false),
            tag("team", "blue", true)
        ]
    );
    let Source::Template(TemplateRef { id, version }) = &group.source else {
        panic!("{:?}", group.source)
    };
    assert!(id.starts_with("lt-"), "{id}");
    assert_eq!(version, "$Latest");
    // The zones of subnets are asked for once.
    region.group("plain").await.unwrap().unwrap();
    assert_eq!(stage.cloud.count("DescribeSubnets"), 1);
}

#[tokio::test]
async fn what_groups_launch_from() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    cloud.create(&NewGroup::new("arm").sizes(0, 0, 1)).await.unwrap();
    let Source::Template(arm) = region.group("arm").await.unwrap().unwrap().source else {
        panic!()
    };
    let mixed = NewGroup::new("mixed")
        .sizes(0, 0, 4)
        .weighted("m5.large", 2)
        .type_from("m6g.large", &arm.id)
        .max_price("0.07");
    cloud.create(&mixed).await.unwrap();
    let Source::Mixed {
        overrides, max_price, ..
    } = region.group("mixed").await.unwrap().unwrap().source
    else {
        panic!()
    };
    assert_eq!(max_price.as_deref(), Some("0.07"));
    assert_eq!(
        overrides,
        [
            Override {
                types: Types::Named("m5.large".to_owned()),
                weight: 2,
                template: None,
                image: None,
            },
            Override {
                types: Types::Named("m6g.large".to_owned()),
                weight: 1,
                template: Some(TemplateRef {
                    id: arm.id.clone(),
                    version: "$Default".to_owned()
                }),
                image: None,
            },
        ]
    );
    let asked = [("VCpuCount.Min", "2"), ("MemoryMiB.Min", "4096")];
    let by_requirements = NewGroup::new("by-requirements").by_requirements(&asked);
    cloud.create(&by_requirements.sizes(0, 0, 1)).await.unwrap();
    let Source::Mixed { overrides, .. } = region.group("by-requirements").await.unwrap().unwrap().source
    else {
        panic!()
    };
    let Types::Required(required) = &overrides[0].types else {
        panic!("{overrides:?}")
    };
    assert_eq!(
        required.attributes,
        asked
            .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
            .into()
    );
    let configured = NewGroup::new("by-configuration").from_configuration();
    cloud.create(&configured.sizes(0, 0, 1)).await.unwrap();
    assert_eq!(
        region.group("by-configuration").await.unwrap().unwrap().source,
        Source::Configuration("by-configuration".to_owned())
    );
}

#[tokio::test]
async fn a_member_comes_and_another_goes() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    let made = cloud
        .create(&NewGroup::new("group").sizes(1, 1, 1))
        .await
        .unwrap();
    let old = made.members[0].0.clone();
    assert_eq!(
        region.membership(&old).await,
        Ok(Some(Membership {
            group: "group".to_owned(),
            standing: Standing::InService,
            state: "InService".to_owned(),
        }))
    );
    let new = region
        .launch(&stage.launch_from("group", "t").await)
        .await
        .unwrap()
        .id;
    assert_eq!(region.membership(&new).await, Ok(None));

    // No room: a definite no, and the group is as it was.
    let refused = region
        .attach("group", std::slice::from_ref(&new))
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, Refusal::Rejected { code, message } if code == "ValidationError" && message.contains("max-size=1")),
        "{refused:?}"
    );
    assert!(refused.is_definite());
    region.set_max("group", 2).await.unwrap();
    cloud.set_delays(Delays {
        in_service: Duration::from_secs(3_600),
        ..Delays::default()
    });
    region.attach("group", std::slice::from_ref(&new)).await.unwrap();
    // Again, it is what was asked for; of another group it is not.
    region.attach("group", std::slice::from_ref(&new)).await.unwrap();
    cloud
        .create(&NewGroup::new("other").sizes(0, 0, 1))
        .await
        .unwrap();
    let refused = region
        .attach("other", std::slice::from_ref(&new))
        .await
        .unwrap_err();
    assert!(refused.is_definite(), "{refused:?}");
    assert_eq!(
        region.membership(&new).await.unwrap().unwrap().standing,
        Standing::Joining
    );
    cloud.set_member_state(&new, Some("InService")).await.unwrap();
    assert_eq!(
        region.membership(&new).await.unwrap().unwrap().standing,
        Standing::InService
    );
    let sizes = cloud.group("group").await.unwrap().sizes;
    assert_eq!(
        (sizes.desired, sizes.max),
        (2, 2),
        "desired was raised by attaching"
    );

    region
        .detach("group", std::slice::from_ref(&old), true)
        .await
        .unwrap();
    assert_eq!(region.membership(&old).await, Ok(None));
    assert!(
        cloud
            .instances()
            .await
            .unwrap()
            .iter()
            .any(|found| found.id == old && found.state == "running")
    );
    let again = region
        .detach("group", std::slice::from_ref(&old), true)
        .await
        .unwrap_err();
    assert!(matches!(again, Refusal::Rejected { .. }), "{again:?}");
    region.set_max("group", 1).await.unwrap();
    let now = region.group("group").await.unwrap().unwrap();
    assert_eq!(
        now.sizes,
        Sizes {
            min: 1,
            desired: 1,
            max: 1
        }
    );
    assert_eq!(now.members.len(), 1);
    region.terminate(std::slice::from_ref(&old)).await.unwrap();
}

#[tokio::test]
async fn a_member_ends_with_or_without_a_successor() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    let made = cloud
        .create(&NewGroup::new("group").sizes(1, 2, 3))
        .await
        .unwrap();
    let [first, second] = [0, 1].map(|i| made.members[i].0.clone());
    cloud
        .set_member_state(&first, Some("Terminating:Wait"))
        .await
        .unwrap();
    let seen = region.membership(&first).await.unwrap().unwrap();
    assert_eq!(seen.standing, Standing::Leaving);
    region.terminate_member(&first, true).await.unwrap();
    let now = region.group("group").await.unwrap().unwrap();
    assert_eq!((now.sizes.desired, now.members.len()), (1, 1));
    region.terminate_member(&second, false).await.unwrap();
    let now = region.group("group").await.unwrap().unwrap();
    assert_eq!((now.sizes.desired, now.members.len()), (1, 1), "it was replaced");
    assert_ne!(now.members[0].instance, second);
    let gone = region.terminate_member(&second, true).await.unwrap_err();
    assert!(matches!(gone, Refusal::Missing { .. }), "{gone:?}");

    region.set_desired("group", 2).await.unwrap();
    assert_eq!(cloud.group("group").await.unwrap().members.len(), 2);
    let refused = region.set_desired("group", 9).await.unwrap_err();
    assert!(matches!(refused, Refusal::Rejected { .. }), "{refused:?}");
    let missing = region.set_desired("none", 1).await.unwrap_err();
    assert!(matches!(missing, Refusal::Missing { .. }), "{missing:?}");
}

#[tokio::test]
async fn one_process_is_suspended_and_resumed() {
    let stage = Stage::new().await;
    let region = &stage.region;
    stage.cloud.create(&NewGroup::new("group")).await.unwrap();
    let suspended = async || region.group("group").await.unwrap().unwrap().suspended;
    for _ in 0..2 {
        region.suspend("group", "AZRebalance", true).await.unwrap();
        assert_eq!(suspended().await, ["AZRebalance"]);
    }
    for _ in 0..2 {
        region.suspend("group", "AZRebalance", false).await.unwrap();
        assert!(suspended().await.is_empty());
    }
    let missing = region.suspend("none", "AZRebalance", true).await.unwrap_err();
    assert!(missing.is_definite(), "{missing:?}");
}
