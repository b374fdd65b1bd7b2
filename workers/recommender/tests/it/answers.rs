//! Pools for wishes.

use http::{Method, StatusCode};
use serde_json::json;

use crate::world::{Ground, R, order, pool, reasons};

#[tokio::test(flavor = "multi_thread")]
async fn pools_come_in_order_with_their_figures_and_reasons() {
    let ground = Ground::new().await;
    let process = ground.recommender(&[]).await;
    let body = process
        .pools("like=m5.xlarge&count=5&zones=us-east-1a,us-east-1b&on_demand_count=1")
        .await;
    assert_eq!(body["stale"], false);
    assert_eq!(body["sources"]["prices"]["failures"], 0);
    assert_eq!(body["sources"]["on_demand"]["types"], 6);
    let pools = body["pools"].as_array().unwrap();
    let counted: u64 = pools.iter().map(|one| one["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, 5);
    let of = pool(&body, "m5.xlarge", "us-east-1a");
    let price = &of["spot_price"];
    // 168 hours: 108 at 0.07, 48 at 0.084, 12 at 0.07.
    let mean = (0.07 * 120.0 + 0.084 * 48.0) / 168.0;
    assert!((price["mean"].as_f64().unwrap() - mean).abs() < 1e-4, "{of}");
    assert_eq!((&price["now"], &price["changes"]), (&json!(0.07), &json!(2)));
    assert_eq!(of["on_demand_price"], 0.192);
    let why = reasons(of);
    assert!(
        why.contains("36 % of on-demand now") && why.contains("< 5 % of such instances"),
        "{why}"
    );
    // m5a.xlarge is cheaper, and often interrupted.
    let order = order(&body);
    let place = |name: &str| order.iter().position(|one| one == name).unwrap();
    assert!(
        place("m5.xlarge us-east-1a") < place("m5a.xlarge us-east-1a"),
        "{order:?}"
    );
    // The on-demand one is of the cheapest type that fits.
    let on_demand = pools
        .iter()
        .find(|one| one["market"] == "on-demand" && one["count"] == 1)
        .unwrap();
    assert_eq!(on_demand["instance_type"], "m5a.xlarge");
    // Of what is offered and has no price it is said.
    let unpriced = process.pools("like=m5.xlarge&zones=us-east-1c").await;
    let why = reasons(&unpriced["pools"][0]);
    assert!(why.contains("no spot price is known"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_wish_is_said_by_its_field() {
    let ground = Ground::new().await;
    let process = ground.recommender(&[]).await;
    let check = async |path: &str, expected: StatusCode, field: Option<&str>, words: &str| {
        let (status, body) = process.get(path).await;
        assert_eq!(
            (status, body["field"].as_str()),
            (expected, field),
            "{path}: {body}"
        );
        assert!(body["detail"].as_str().unwrap().contains(words), "{path}: {body}");
        assert_eq!(body["status"], expected.as_u16());
    };
    let bad = StatusCode::BAD_REQUEST;
    let pools = |query: &str| format!("/api/v1/pools/{R}?{query}");
    check(&pools(""), bad, Some("like"), "give vCPUs, memory or GPUs").await;
    check(
        &pools("like=m9.huge"),
        bad,
        Some("like"),
        "not offered in us-east-1",
    )
    .await;
    check(&pools("vcpus=many"), bad, Some("vcpus"), "whole number").await;
    check(
        &pools("vcpus=8&most_vcpus=4"),
        bad,
        Some("most_vcpus"),
        "raise the latter",
    )
    .await;
    check(&pools("vcpus=4&count=0"), bad, Some("count"), "1 to 10000").await;
    check(
        &pools("vcpus=4&zones=eu-west-1a"),
        bad,
        Some("zones"),
        "leave it out",
    )
    .await;
    check(
        &pools("vcpus=4&architectures=vax"),
        bad,
        Some("architectures"),
        "use x86_64 or arm64",
    )
    .await;
    check(
        &pools("vcpus=4&on_demand_percent=101"),
        bad,
        Some("on_demand_percent"),
        "0 to 100",
    )
    .await;
    check(
        &pools("vcpus=4&denied=M5"),
        bad,
        Some("allowed, denied"),
        "expected an instance type",
    )
    .await;
    check(&pools("cpus=4"), bad, Some("cpus"), "no parameter here").await;
    check(&pools("vcpus=4&denied=*"), bad, None, "denied").await;
    check(
        "/api/v1/pools/eu-west-1?vcpus=4",
        StatusCode::NOT_FOUND,
        Some("region"),
        "ask for us-east-1",
    )
    .await;
    check("/nowhere", StatusCode::NOT_FOUND, None, "/openapi.yaml").await;
    let answer = process.send(Method::DELETE, &pools("vcpus=4"), &[], "").await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.headers()["allow"], "GET");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_where_there_is_one() {
    let ground = Ground::new().await;
    let token = "0123456789abcdef";
    let process = ground.recommender(&[("HT_HTTP__TOKEN", token)]).await;
    let path = format!("/api/v1/pools/{R}?like=m5.xlarge");
    for (shown, expected) in [
        (None, StatusCode::UNAUTHORIZED),
        (Some("Bearer 0123456789abcdeg"), StatusCode::UNAUTHORIZED),
        (Some("Bearer 0123456789abcdef"), StatusCode::OK),
    ] {
        let headers: Vec<_> = shown.map(|shown| ("authorization", shown)).into_iter().collect();
        let answer = process.send(Method::GET, &path, &headers, "").await;
        assert_eq!(answer.status(), expected, "{shown:?}");
    }
    let (status, _) = process.get("/status").await;
    assert_eq!(status, StatusCode::OK);
    let status = process.worker.terminate(crate::world::BOUND).await.unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_prices_come_into_force_without_a_restart() {
    let ground = Ground::new().await;
    let process = ground.recommender(&[]).await;
    let query = "like=m5.xlarge&zones=us-east-1a";
    ground.aws.set_spot_price("m5.xlarge", "us-east-1a", 0.111);
    process
        .until("the new price", query, |body| {
            pool(body, "m5.xlarge", "us-east-1a")["spot_price"]["now"] == 0.111
        })
        .await;
    ground.write("on-demand.json", r#"{"us-east-1": {"m5.xlarge": 0.2}}"#);
    let body = process
        .until("the new file", query, |body| {
            pool(body, "m5.xlarge", "us-east-1a")["on_demand_price"] == 0.2
        })
        .await;
    let why = reasons(pool(&body, "m5a.xlarge", "us-east-1a"));
    assert!(why.contains("on-demand price unknown"), "{why}");
    // What cannot be read takes nothing away.
    ground.write("on-demand.json", "{");
    let refused = r#"hollowtrees_recommender_file_reads_total{file="on-demand",read="refused"}"#;
    hollowtrees_harness::eventually(
        "the file to be refused",
        crate::world::BOUND,
        async || match process.value(refused).await {
            Some(1.0) => Ok(()),
            found => Err(format!("{found:?}")),
        },
    )
    .await;
    let body = process.pools(query).await;
    assert_eq!(pool(&body, "m5.xlarge", "us-east-1a")["on_demand_price"], 0.2);
}
