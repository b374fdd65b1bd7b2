//! EC2 instances, templates, prices.

use std::time::Duration;

use hollowtrees_aws::{Most, Refusal};
use hollowtrees_domain::swap::world::{Life, TemplateRef};
use hollowtrees_harness::aws::{Delays, NewGroup, Service};
use hollowtrees_harness::eventually;
use jiff::{SignedDuration, Timestamp};

use crate::{A, B, Stage};

#[tokio::test]
async fn an_instance_in_its_life() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    assert_eq!(region.instance("i-0123456789abcdef0").await, Ok(None));
    cloud.create(&NewGroup::new("group").zones(&[B])).await.unwrap();
    cloud.set_delays(Delays {
        running: Duration::from_millis(300),
        ..Delays::default()
    });
    let launched = region
        .launch(&stage.launch_from("group", "t").await)
        .await
        .unwrap();
    assert_eq!(
        (launched.life, launched.zone.as_str(), launched.spot),
        (Life::Pending, B, true),
        "{launched:?}"
    );
    let running = eventually("the instance to run", Duration::from_secs(10), async || {
        let seen = region
            .instance(&launched.id)
            .await
            .unwrap()
            .expect("the instance");
        if seen.life == Life::Running {
            Ok(seen)
        } else {
            Err(format!("{seen:?}"))
        }
    })
    .await;
    assert_eq!((running.instance_type.as_str(), running.spot), ("m5.large", true));
    assert_eq!(running.subnet, launched.subnet);
    assert_eq!(running.tags["hollowtrees.io/action"], "t");
    cloud
        .call(Service::Ec2, "StopInstances", &[("InstanceId.1", &launched.id)])
        .await
        .unwrap();
    assert_eq!(
        region.instance(&launched.id).await.unwrap().unwrap().life,
        Life::Stopped
    );
    region
        .terminate(std::slice::from_ref(&launched.id))
        .await
        .unwrap();
    assert_eq!(
        region.instance(&launched.id).await.unwrap().unwrap().life,
        Life::Gone
    );
    // Again, and one that never was.
    region
        .terminate(std::slice::from_ref(&launched.id))
        .await
        .unwrap();
    let none = "i-0123456789abcdef0".to_owned();
    region.terminate(std::slice::from_ref(&none)).await.unwrap();
    // Of several, EC2 ends none where it does not know one.
    let refused = region.terminate(&[launched.id, none]).await.unwrap_err();
    assert!(
        matches!(refused, Refusal::Missing { .. } | Refusal::Rejected { .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn instances_by_tag_over_all_pages() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    cloud
        .create(&NewGroup::new("group").sizes(0, 0, 1))
        .await
        .unwrap();
    cloud.set_page_size(5);
    let mut launch = stage.launch_from("group", "").await;
    launch.tags = [("ours".to_owned(), "yes".to_owned())].into();
    let mut ids = Vec::new();
    for token in 0..12 {
        launch.token = format!("t-{token}");
        ids.push(region.launch(&launch).await.unwrap().id);
    }
    launch.tags = [("ours".to_owned(), "no".to_owned())].into();
    launch.token = "t-other".to_owned();
    region.launch(&launch).await.unwrap();
    // One that ended is told of no more.
    region.terminate(&[ids.pop().unwrap()]).await.unwrap();
    cloud.forget_calls();
    let mut found: Vec<_> = region
        .instances_tagged("ours", "yes")
        .await
        .unwrap()
        .into_iter()
        .map(|instance| instance.id)
        .collect();
    found.sort();
    ids.sort();
    assert_eq!(found, ids);
    assert_eq!(cloud.count("DescribeInstances"), 3, "11 in pages of 5");
}

#[tokio::test]
async fn a_template_is_resolved() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    cloud
        .create(&NewGroup::new("group").sizes(0, 0, 1))
        .await
        .unwrap();
    let resolved = Stage::version_of(&mut stage.launch_from("group", "").await).clone();
    assert_eq!(resolved.version, "1");
    let version = [
        ("LaunchTemplateId", resolved.id.as_str()),
        ("LaunchTemplateData.ImageId", "ami-12c6146b"),
    ];
    cloud
        .call(Service::Ec2, "CreateLaunchTemplateVersion", &version)
        .await
        .unwrap();
    for (asked, number, instance_type) in [
        ("$Latest", "2", None),
        ("$Default", "1", Some("m5.large")),
        ("1", "1", Some("m5.large")),
    ] {
        let template = TemplateRef {
            id: resolved.id.clone(),
            version: asked.to_owned(),
        };
        let found = region.template(&template).await.unwrap();
        assert_eq!(found.resolved.version, number, "{asked}");
        assert_eq!(found.instance_type.as_deref(), instance_type, "{asked}");
        assert_eq!(found.image.as_deref(), Some("ami-12c6146b"), "{asked}");
        assert!(!found.by_requirements, "{asked}");
    }
    let unknown = TemplateRef {
        id: "lt-0123456789abcdef0".to_owned(),
        version: "1".to_owned(),
    };
    let missing = region.template(&unknown).await.unwrap_err();
    assert!(matches!(missing, Refusal::Missing { .. }), "{missing:?}");
}

#[tokio::test]
async fn the_newest_prices_that_can_be_had() {
    let stage = Stage::new().await;
    let (cloud, region) = (&stage.cloud, &stage.region);
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let now = Timestamp::now();
    let ago = |hours: i64| now - SignedDuration::from_hours(hours);
    for (instance_type, zone, dollars, hours) in [
        ("m5.large", A, 0.09, 400),
        ("m5.large", A, 0.08, 200),
        ("m5.large", A, 0.04, 30),
        ("m5.large", B, 0.03, 20),
        ("c5.large", A, 0.05, 10),
        ("c5.large", B, 0.06, 5),
        ("r5.large", A, 0.01, 1),
        ("m5.large", "us-east-1c", 0.01, 1),
    ] {
        cloud.set_spot_price_since(instance_type, zone, dollars, ago(hours));
    }
    let types = names(&["m5.large", "c5.large", "t3.large"]);
    let asked = async |types: &[String], pages, time| {
        let most = Most { pages, time };
        let zones = names(&[B, A]);
        let found = region.recent_prices(types, &zones, ago(168), most).await;
        found.map(|found| {
            let told = found.iter().map(|(pool, point)| {
                (
                    pool.instance_type.clone(),
                    pool.zone.clone(),
                    point.price.dollars(),
                )
            });
            told.collect::<Vec<_>>()
        })
    };
    let priced = |list: &[(&str, &str, f64)]| {
        let owned = list
            .iter()
            .map(|(of, zone, dollars)| ((*of).to_owned(), (*zone).to_owned(), *dollars));
        owned.collect::<Vec<_>>()
    };
    let newest = [
        ("c5.large", B, 0.06),
        ("c5.large", A, 0.05),
        ("m5.large", B, 0.03),
    ];
    // The one in force a week ago is told, the one before it is not.
    let older = [("m5.large", A, 0.04), ("m5.large", A, 0.08)];
    let long = Duration::from_secs(30);
    assert_eq!(
        asked(&types, 9, long).await,
        Ok(priced(&[newest.as_slice(), older.as_slice()].concat()))
    );
    assert_eq!(cloud.count("DescribeSpotPriceHistory"), 2, "pages of 3");
    assert_eq!(asked(&types, 1, long).await, Ok(priced(&newest)));
    assert_eq!(cloud.count("DescribeSpotPriceHistory"), 3, "one page");
    assert_eq!(asked(&[], 9, long).await, Ok(Vec::new()));
    assert_eq!(cloud.count("DescribeSpotPriceHistory"), 3, "nothing to ask for");
    let late = asked(&types, 9, Duration::from_nanos(1)).await.unwrap_err();
    assert!(matches!(late, Refusal::Unclear { .. }), "{late:?}");
}
