//! Several regions in one process: each is answered for by what is known of it alone.

use std::collections::BTreeSet;

use hollowtrees_harness::eventually;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{BOUND, Ground, Process, R};

const OTHER: &str = "eu-west-1";
/// The order by price is another one than in the first region, and what is there is too.
const THERE: [(&str, f64); 3] = [("m5.xlarge", 0.11), ("m5a.xlarge", 0.15), ("m4.xlarge", 0.03)];
const ON_DEMAND: &str = r#"{"us-east-1": {"m5.xlarge": 0.192, "m5a.xlarge": 0.172, "r5.xlarge": 0.252, "c5.xlarge": 0.17},
    "eu-west-1": {"m5.xlarge": 0.214, "m5a.xlarge": 0.232, "m4.xlarge": 0.222}}"#;

async fn both() -> (Ground, Process) {
    let ground = Ground::new().await;
    for (name, dollars) in THERE {
        ground.aws.set_spot_price(name, "eu-west-1a", dollars);
        ground.aws.set_spot_price(name, "eu-west-1b", dollars * 1.1);
    }
    ground.write("on-demand.json", ON_DEMAND);
    let env = [
        ("HT_REGIONS", "us-east-1,eu-west-1"),
        (
            "HT_SOURCES__TYPES",
            "m4.xlarge,m5.xlarge,m5a.xlarge,c5.xlarge,r5.xlarge",
        ),
    ];
    let process = ground.recommender(&env).await;
    // It is ready with one of them.
    for region in [R, OTHER] {
        eventually(format!("an answer for {region}"), BOUND, async || {
            let (status, body) = process
                .get(&format!("/api/v1/pools/{region}?like=m5.xlarge"))
                .await;
            if status == StatusCode::OK {
                Ok(())
            } else {
                Err(body.to_string())
            }
        })
        .await;
    }
    (ground, process)
}

/// What spot-recommender's clients are told of a type in the first zone; null where they are not.
async fn told(process: &Process, region: &str, name: &str) -> Value {
    let path = format!("/api/v1/recommender/{region}?baseInstanceType=m5.xlarge");
    let (status, body) = process.get(&path).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let zones: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(zones, [&format!("{region}a"), &format!("{region}b")]);
    let types = body[format!("{region}a")].as_array().unwrap();
    let found = types.iter().find(|one| one["InstanceTypeName"] == name);
    found.cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn types_and_prices_are_those_of_the_region_that_is_asked_for() {
    let (ground, process) = both().await;
    for (region, now, on_demand) in [(R, "0.070000", "0.192000"), (OTHER, "0.110000", "0.214000")] {
        let m5 = told(&process, region, "m5.xlarge").await;
        assert_eq!(
            (&m5["CurrentPrice"], &m5["OnDemandPrice"]),
            (&json!(now), &json!(on_demand)),
            "{region}"
        );
    }
    // Priced in one of the two only.
    for (name, here, there) in [("r5.xlarge", true, false), ("m4.xlarge", false, true)] {
        assert_eq!(told(&process, R, name).await.is_object(), here, "{name}");
        assert_eq!(told(&process, OTHER, name).await.is_object(), there, "{name}");
    }
    // What is told to be the best differs.
    for (region, best) in [(R, "m5.xlarge"), (OTHER, "m4.xlarge")] {
        let m5 = told(&process, region, best).await;
        assert_eq!(m5["CostScore"], "1.000000", "{best} in {region}");
    }
    let (status, body) = process
        .get("/api/v1/recommender/eu-central-1?baseInstanceType=m5.xlarge")
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{body}");
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("ask for eu-west-1, us-east-1"),
        "{body}"
    );
    // Each was asked itself.
    for action in [
        "DescribeSpotPriceHistory",
        "DescribeInstanceTypes",
        "DescribeInstanceTypeOfferings",
    ] {
        let calls = ground.aws.calls().into_iter();
        let asked: BTreeSet<_> = calls
            .filter(|call| call.action == action)
            .map(|call| call.region)
            .collect();
        assert_eq!(asked, [R.to_owned(), OTHER.to_owned()].into(), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_pools_are_those_of_the_region_that_is_asked_for() {
    let (_ground, process) = both().await;
    let asked = json!({
        "sumCpu": 16, "sumMem": 64, "minNodes": 4, "maxNodes": 4, "onDemandPct": 100, "allowOlderGen": true,
    });
    let layout = json!({
        "desiredCpu": 32, "desiredMem": 128,
        "actualLayout": [{"instanceType": "m5.xlarge", "vmClass": "spot", "sumNodes": 4}],
    });
    for (region, cheapest, on_demand, spot) in
        [(R, "m5a.xlarge", 0.172, 0.07), (OTHER, "m5.xlarge", 0.214, 0.11)]
    {
        let path = format!("/api/v1/recommender/provider/amazon/service/eks/region/{region}/cluster");
        let (status, body) = process.json(Method::POST, &path, &asked).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(body["region"], region);
        let vm = &body["nodePools"][0]["vm"];
        assert_eq!(
            (&vm["type"], &vm["onDemandPrice"]),
            (&json!(cheapest), &json!(on_demand))
        );
        let (status, body) = process.json(Method::PUT, &path, &layout).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let vm = &body["nodePools"][0]["vm"];
        let zones: Vec<_> = vm["zones"].as_array().unwrap().iter().collect();
        assert!(
            !zones.is_empty()
                && zones
                    .iter()
                    .all(|zone| zone.as_str().unwrap().starts_with(region)),
            "{vm}"
        );
        // The mean over two zones, the second dearer by a tenth, and over the week.
        let average = vm["avgPrice"].as_f64().unwrap();
        assert!((spot..spot * 1.2).contains(&average), "{region}: {vm}");
    }
}
