//! AWS throttles, breaks, is gone.

use hollowtrees_harness::{aws::Service, eventually, proxy::Fault};
use http::StatusCode;

use crate::world::{BOUND, Ground, R, pool, reasons};

const QUERY: &str = "like=m5.xlarge&zones=us-east-1a,us-east-1b&count=4";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_stays_when_aws_is_gone_and_is_marked_once_it_is_old() {
    let ground = Ground::new().await;
    let process = ground.recommender(&[("HT_RANKING__STALE_AFTER", "1m")]).await;
    let before = process.pools(QUERY).await;
    assert_eq!(before["stale"], false);
    ground.aws.inject(Service::Ec2.fault("InternalError", 500));
    let body = process
        .until("a read to fail", QUERY, |body| {
            body["sources"]["prices"]["failures"].as_u64() > Some(0)
        })
        .await;
    // The same pools in the same order, from the same prices.
    assert_eq!(crate::world::order(&body), crate::world::order(&before));
    let told = body["sources"]["prices"]["error"].as_str().unwrap();
    assert!(told.contains("InternalError"), "{told}");
    let body = process
        .until("the prices to be stale", QUERY, |body| body["stale"] == true)
        .await;
    let prices = &body["sources"]["prices"];
    assert!(
        prices["stale"] == true && prices["age_seconds"].as_u64() >= Some(60),
        "{prices}"
    );
    assert!(reasons(&body["pools"][0]).contains("prices are stale"), "{body}");
    assert_eq!(crate::world::order(&body), crate::world::order(&before));
    let age = r#"hollowtrees_recommender_data_age_seconds{region="us-east-1",source="prices"}"#;
    assert!(process.value(age).await >= Some(60.0));
    // Ready all the same, and told.
    eventually("it to be told", BOUND, async || {
        let ready = process.told("/readyz").await;
        if ready.starts_with("ready\n") && ready.contains("prices of us-east-1 are stale") {
            Ok(())
        } else {
            Err(ready)
        }
    })
    .await;
    ground.aws.heal();
    process
        .until("fresh prices", QUERY, |body| body["stale"] == false)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_read_nothing_yet_says_so_and_begins_when_aws_answers() {
    let ground = Ground::new().await;
    ground.aws.inject(
        Service::Ec2
            .fault("RequestLimitExceeded", 503)
            .containing("Action=DescribeSpotPriceHistory&"),
    );
    let process = ground.begun(&[]);
    let path = format!("/api/v1/pools/{R}?{QUERY}");
    eventually("it to say why it knows nothing", BOUND, async || {
        let ready = process.told("/readyz").await;
        if ready.contains("RequestLimitExceeded") {
            Ok(())
        } else {
            Err(ready)
        }
    })
    .await;
    let (status, body) = process.get(&path).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("ask again"), "{body}");
    let throttled =
        r#"hollowtrees_recommender_aws_calls_total{answer="throttled",call="describe-spot-price-history"}"#;
    assert!(process.value(throttled).await > Some(0.0));
    ground.aws.heal();
    process.ready().await;
    process.pools(QUERY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_of_placement_are_used_and_done_without() {
    let ground = Ground::new().await;
    let zones = ground
        .aws
        .call(Service::Ec2, "DescribeAvailabilityZones", &[])
        .await
        .unwrap();
    // The id of the zone that is named second.
    let after = zones.split("<zoneName>us-east-1a</zoneName>").nth(1).unwrap();
    let id = after
        .split("<zoneId>")
        .nth(1)
        .unwrap()
        .split("</zoneId>")
        .next()
        .unwrap();
    ground.aws.set_placement_score(id, 9);
    let env = [
        ("HT_SOURCES__PLACEMENT_TYPES", "m5.large,m5.xlarge,c5.xlarge"),
        ("HT_SOURCES__PLACEMENT_EVERY", "1s"),
    ];
    let denied = Service::Ec2
        .fault("UnauthorizedOperation", 403)
        .containing("Action=GetSpotPlacementScores&");
    ground.aws.inject(denied);
    let process = ground.recommender(&env).await;
    let refused =
        r#"hollowtrees_recommender_aws_calls_total{answer="denied",call="get-spot-placement-scores"}"#;
    eventually("the refusal to be counted", BOUND, async || {
        match process.value(refused).await {
            Some(count) if count > 0.0 => Ok(()),
            found => Err(format!("{found:?}")),
        }
    })
    .await;
    let body = process.pools(QUERY).await;
    assert!(!reasons(pool(&body, "m5.xlarge", "us-east-1a")).contains("placement score"));
    ground.aws.heal();
    let body = process
        .until("the score", QUERY, |body| {
            reasons(pool(body, "m5.xlarge", "us-east-1a")).contains("placement score 9 of 10")
        })
        .await;
    assert!(!reasons(pool(&body, "m5.xlarge", "us-east-1b")).contains("placement score"));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_from_aws_is_one_more_failed_read() {
    let ground = Ground::new().await;
    let process = ground.recommender(&[]).await;
    ground
        .aws
        .inject(Fault::garbage().containing("Action=DescribeSpotPriceHistory&"));
    let body = process
        .until("a read to fail", QUERY, |body| {
            body["sources"]["prices"]["failures"].as_u64() > Some(0)
        })
        .await;
    assert!(!body["pools"].as_array().unwrap().is_empty());
    ground.aws.heal();
    process
        .until("a good read", QUERY, |body| {
            body["sources"]["prices"]["failures"] == 0
        })
        .await;
}
