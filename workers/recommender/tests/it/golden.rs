//! Whole answers of Telescopes' endpoints, written down by its documented shapes: names, kinds of numbers (whole ones for nodes,
//! fractions for all else), node pools in order.
//!
//! By its rules: nodes on demand are of the type that is cheapest by what there is more need of, as few as make up their share; of
//! spot pools half as many again as are filled are listed. Pools are in our order, by cost with interruptions (docs/recommender.md).

use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::world::{Ground, R};

/// Numbers as they are written down: sums of prices are not exact.
fn rounded(of: &Value) -> Value {
    match of {
        Value::Number(number) if number.is_f64() => {
            json!((number.as_f64().unwrap() * 1e6).round() / 1e6)
        }
        Value::Array(all) => all.iter().map(rounded).collect(),
        Value::Object(all) => {
            let all = all.iter().map(|(name, of)| (name.clone(), rounded(of)));
            Value::Object(all.collect())
        }
        other => other.clone(),
    }
}

fn path() -> String {
    format!("/api/v1/recommender/provider/amazon/service/eks/region/{R}/cluster")
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_and_scale_outs_are_answered_as_is_written_down() {
    let ground = Ground::steady().await;
    let process = ground.recommender(&[]).await;
    for (method, text) in [
        (Method::POST, include_str!("golden/cluster.json")),
        (Method::POST, include_str!("golden/cluster-in-a-zone.json")),
        (Method::PUT, include_str!("golden/scale-out.json")),
    ] {
        let golden: Value = serde_json::from_str(text).unwrap();
        let asked = golden["asked"].to_string();
        let answer = process.send(method, &path(), &[], asked.clone()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{asked}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(rounded(&body), golden["answer"], "{asked}");
    }
}

/// Telescopes answered 400 where the request was not valid, and where nothing could be recommended. `field` and `message` are more
/// than it said.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_a_problem_document() {
    let ground = Ground::steady().await;
    let process = ground.recommender(&[]).await;
    let layout = json!([{"instanceType": "m5.xlarge", "vmClass": "spot", "sumNodes": 1}]);
    for (method, asked, field, detail) in [
        (
            Method::POST,
            json!({"sumCpu": 0, "sumMem": 100, "minNodes": 4, "maxNodes": 10}),
            "sumCpu",
            "`sumCpu` has to be a number from 1 to 10000000",
        ),
        (
            Method::POST,
            json!({"sumCpu": 32, "sumMem": 100, "minNodes": 4, "maxNodes": 10, "onDemandPct": 101}),
            "onDemandPct",
            "`onDemandPct` has to be a whole number from 0 to 100",
        ),
        (
            Method::POST,
            json!({"sumCpu": 32, "sumMem": 100, "minNodes": 4, "maxNodes": 3}),
            "maxNodes",
            "`maxNodes` is 3, less than `minNodes`, 4; raise it",
        ),
        (
            Method::PUT,
            json!({"desiredCpu": 1, "desiredMem": 1, "actualLayout": layout}),
            "desiredCpu",
            "the cluster has as much already; ask for more than its layout holds",
        ),
        (
            Method::PUT,
            json!({"desiredCpu": 40, "desiredMem": 100, "actualLayout": []}),
            "actualLayout",
            "`actualLayout` is empty; list the node pools there are, for only they can grow",
        ),
    ] {
        let answer = process.send(method, &path(), &[], asked.to_string()).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{asked}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        let golden = json!({
            "type": "about:blank", "title": "Bad Request", "status": 400, "detail": detail, "message": detail, "field": field,
        });
        assert_eq!(body, golden, "{asked}");
    }
}
