//! The old endpoints, and the defects of the original.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{Ground, R};

fn number(of: &Value, name: &str) -> f64 {
    // All values are texts.
    of[name].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn types_by_zone_as_the_first_recommender_answered() {
    let ground = Ground::new().await;
    let process = ground.recommender(&[]).await;
    let path = format!("/api/v1/recommender/{R}?baseInstanceType=m5.xlarge");
    let (status, all) = process.get(&path).await;
    assert_eq!(status, StatusCode::OK);
    let zones: Vec<_> = all.as_object().unwrap().keys().collect();
    assert_eq!(zones, ["us-east-1a", "us-east-1b"]);
    let types = all["us-east-1a"].as_array().unwrap();
    let m5 = types
        .iter()
        .find(|one| one["InstanceTypeName"] == "m5.xlarge")
        .unwrap();
    assert_eq!(m5["CurrentPrice"], "0.070000");
    assert_eq!(
        (&m5["OnDemandPrice"], &m5["SuggestedBidPrice"]),
        (&json!("0.192000"), &json!("0.192000"))
    );
    // 12 h at 0.084, 12 h at 0.07.
    assert!((number(m5, "AvgPriceFor24Hours") - 0.077).abs() < 1e-4, "{m5}");
    let scores: Vec<_> = types.iter().map(|one| number(one, "CostScore")).collect();
    assert_eq!((scores[0], *scores.last().unwrap()), (1.0, 0.0));
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    assert!(
        types
            .iter()
            .all(|one| (0.0..=1.0).contains(&number(one, "StabilityScore")))
    );
    // An answer for one zone is not given to who asks for all.
    let (_, one) = process.get(&format!("{path}&availabilityZones=us-east-1b")).await;
    assert_eq!(
        one.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["us-east-1b"]
    );
    let (_, again) = process.get(&path).await;
    assert_eq!(again, all);
    // One price in a zone: a number.
    ground.aws.set_spot_price("m5.xlarge", "us-east-1c", 0.09);
    hollowtrees_harness::eventually("the third zone", crate::world::BOUND, async || {
        let (_, body) = process.get(&format!("{path}&availabilityZones=us-east-1c")).await;
        match body["us-east-1c"].as_array() {
            Some(types) if types.len() == 1 => {
                assert_eq!(types[0]["CostScore"], "1.000000");
                Ok(())
            }
            _ => Err(body.to_string()),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_originals_defects_are_answers_that_help() {
    let ground = Ground::new().await;
    let process = ground.recommender(&[]).await;
    for (path, expected, words) in [
        // It answered for its own region.
        (
            "/api/v1/recommender/eu-west-1?baseInstanceType=m5.xlarge".to_owned(),
            StatusCode::NOT_FOUND,
            "ask for us-east-1",
        ),
        // It panicked.
        (
            format!("/api/v1/recommender/{R}?baseInstanceType=m9.mega"),
            StatusCode::BAD_REQUEST,
            "m9.mega is not offered in us-east-1",
        ),
        (
            format!("/api/v1/recommender/{R}"),
            StatusCode::BAD_REQUEST,
            "`baseInstanceType` is missing",
        ),
        (
            format!("/api/v1/recommender/{R}?baseInstanceType=m5.xlarge&availabilityZones=us-east-9z"),
            StatusCode::BAD_REQUEST,
            "nothing is offered in zone us-east-9z",
        ),
    ] {
        let (status, body) = process.get(&path).await;
        assert_eq!(status, expected, "{body}");
        // Its clients look at `message`.
        assert!(body["message"].as_str().unwrap().contains(words), "{body}");
    }
    assert!(process.worker.exit_status().is_none());
}

fn nodes(body: &Value, class: &str) -> u64 {
    let pools = body["nodePools"].as_array().unwrap().iter();
    pools
        .filter(|pool| pool["vmClass"] == class)
        .map(|pool| pool["sumNodes"].as_u64().unwrap())
        .sum()
}

fn sum(body: &Value, what: &str) -> f64 {
    let pools = body["nodePools"].as_array().unwrap().iter();
    pools
        .map(|pool| pool["vm"][what].as_f64().unwrap() * pool["sumNodes"].as_f64().unwrap())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn node_pools_as_telescopes_answered() {
    let ground = Ground::new().await;
    let process = ground.recommender(&[]).await;
    let path = format!("/api/v1/recommender/provider/amazon/service/eks/region/{R}/cluster");
    // The simulated AWS calls m5 an older generation.
    let asked = json!({
        "sumCpu": 32, "sumMem": 100, "minNodes": 4, "maxNodes": 10, "onDemandPct": 25, "allowOlderGen": true,
    });
    let (status, body) = process.json(Method::POST, &path, &asked).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(
        (&body["provider"], &body["service"]),
        (&json!("amazon"), &json!("eks"))
    );
    assert!(
        sum(&body, "cpusPerVm") >= 32.0 && sum(&body, "memPerVm") >= 100.0,
        "{body}"
    );
    assert_eq!(
        (nodes(&body, "regular"), body["accuracy"]["regularNodes"].as_u64()),
        (2, Some(2))
    );
    assert_eq!(body["accuracy"]["cpu"].as_f64(), Some(sum(&body, "cpusPerVm")));
    let vm = &body["nodePools"][0]["vm"];
    assert_eq!(vm["onDemandPrice"], 0.172, "the cheapest on demand: {vm}");
    assert!(body["accuracy"]["totalPrice"].as_f64().unwrap() > 0.0);
    // Only what is included, and never what is excluded.
    let mut only = asked.clone();
    only["includes"] = json!(["m5.xlarge"]);
    let (status, body) = process.json(Method::POST, &path, &only).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let pools = body["nodePools"].as_array().unwrap();
    assert!(
        pools.iter().all(|pool| pool["vm"]["type"] == "m5.xlarge"),
        "{body}"
    );
    only["excludes"] = json!(["m5.xlarge"]);
    let (status, body) = process.json(Method::POST, &path, &only).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body["detail"].as_str().unwrap().contains("denied"), "{body}");
    let elsewhere = path.replace("amazon", "google");
    let (status, body) = process.json(Method::POST, &elsewhere, &asked).await;
    assert_eq!(
        (status, body["field"].as_str()),
        (StatusCode::NOT_FOUND, Some("provider"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_grows_by_the_types_it_has() {
    let ground = Ground::new().await;
    let process = ground.recommender(&[]).await;
    let path = format!("/api/v1/recommender/provider/amazon/service/eks/region/{R}/cluster");
    let layout = json!([
        {"instanceType": "m5.xlarge", "vmClass": "regular", "sumNodes": 1},
        {"instanceType": "m5.xlarge", "vmClass": "spot", "sumNodes": 3},
        {"instanceType": "r5.xlarge", "vmClass": "spot", "sumNodes": 1},
    ]);
    let asked = json!({"desiredCpu": 40, "desiredMem": 200, "onDemandPct": 25, "actualLayout": layout});
    let (status, body) = process.json(Method::PUT, &path, &asked).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    // There are 20 vCPUs and 96 GiB, 4 of them on demand; 10 are to be.
    assert!(
        sum(&body, "cpusPerVm") >= 20.0 && sum(&body, "memPerVm") >= 104.0,
        "{body}"
    );
    assert_eq!(nodes(&body, "regular"), 2, "{body}");
    let pools = body["nodePools"].as_array().unwrap();
    let has = |pool: &Value| {
        ["m5.xlarge", "r5.xlarge"]
            .map(Value::from)
            .contains(&pool["vm"]["type"])
    };
    assert!(pools.iter().all(has), "{body}");
    let enough = json!({"desiredCpu": 20, "desiredMem": 96, "actualLayout": layout});
    let (status, body) = process.json(Method::PUT, &path, &enough).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        body["detail"].as_str().unwrap().contains("as much already"),
        "{body}"
    );
}

/// A cluster with vCPUs and memory enough may lack GPUs alone: they are made up by the types that have some.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_lacks_only_gpus_gets_nodes_with_gpus() {
    let ground = Ground::new().await;
    for zone in ["us-east-1a", "us-east-1b"] {
        ground.aws.set_spot_price("g4dn.xlarge", zone, 0.2);
    }
    let process = ground
        .recommender(&[("HT_SOURCES__TYPES", "m5.*,g4dn.xlarge")])
        .await;
    let path = format!("/api/v1/recommender/provider/amazon/service/eks/region/{R}/cluster");
    // 44 vCPUs, 176 GiB and one GPU: the second wish lacks a vCPU too, and fewer of them than three nodes bring.
    let layout = json!([
        {"instanceType": "m5.xlarge", "vmClass": "spot", "sumNodes": 10},
        {"instanceType": "g4dn.xlarge", "vmClass": "spot", "sumNodes": 1},
    ]);
    for (vcpus, share, (regular, spot)) in [(40, 0, (0, 3)), (45, 0, (0, 3)), (40, 50, (2, 1))] {
        let asked = json!({
            "desiredCpu": vcpus, "desiredMem": 160, "desiredGpu": 4, "onDemandPct": share, "actualLayout": layout,
        });
        let (status, body) = process.json(Method::PUT, &path, &asked).await;
        assert_eq!(status, StatusCode::OK, "{asked}: {body}");
        assert_eq!(
            (nodes(&body, "regular"), nodes(&body, "spot")),
            (regular, spot),
            "{asked}: {body}"
        );
        assert!(sum(&body, "gpusPerVm") >= 3.0, "{asked}: {body}");
        let pools = body["nodePools"].as_array().unwrap();
        assert!(
            pools.iter().all(|pool| pool["vm"]["type"] == "g4dn.xlarge"),
            "{body}"
        );
    }
    // It has the one; and of the types of the last one none has any.
    let asked = json!({"desiredCpu": 40, "desiredMem": 160, "desiredGpu": 1, "actualLayout": layout});
    let (status, body) = process.json(Method::PUT, &path, &asked).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    let asked = json!({"desiredCpu": 8, "desiredMem": 8, "desiredGpu": 2, "actualLayout": [layout[0]]});
    let (status, body) = process.json(Method::PUT, &path, &asked).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        body["detail"].as_str().unwrap().contains("too few GPUs"),
        "{body}"
    );
}
