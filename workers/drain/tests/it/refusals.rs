//! An API server that will not: by priority and fairness, by a webhook, by chance. The real thing where there is one.

use std::time::{Duration, Instant};

use hollowtrees_harness::{
    Error,
    control_plane::{Answer, fixtures},
    eventually,
    http_server::Server,
    ports::Port,
    proxy::Fault,
};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    burst::{Burst, assert_succeeded, two_tiers},
    support::BOUND,
    world::{World, detail},
};

/// For how long the API server turns everything of ours away.
const TURNED_AWAY: Duration = Duration::from_secs(20);

/// Three in ten of all requests, watches and lists among them.
#[tokio::test(flavor = "multi_thread")]
async fn three_in_ten_requests_that_fail_lose_and_repeat_nothing() {
    const NODES: usize = 8;
    const SEED: u64 = 2_026;
    let mut world = World::new("unlucky", NODES).await;
    let burst = Burst::of(&world.ground, two_tiers(&world.ground, 0..NODES, 4)).await;
    let proxy = world.ground.plane.http_proxy().await.unwrap();
    println!("seed {SEED}");
    proxy.inject(Fault::status(500).percent(30, SEED));
    let worker = world.worker_through(&proxy).await;
    world.drain_all(0..NODES, 240).await;
    let ends = world.ends(NODES).await;
    assert_succeeded(&ends);
    burst.assert_each_went_once();
    let seen = proxy.seen();
    let struck = seen.iter().filter(|seen| seen.faulty).count();
    println!("{struck} of {} requests failed", seen.len());
    assert!(
        (20..=40).contains(&(100 * struck / seen.len())),
        "{struck} of {}",
        seen.len()
    );
    for outcome in ends.values() {
        let told = detail(outcome);
        assert_eq!(
            (&told["forced"], &told["left"]),
            (&json!([]), &json!([])),
            "{told}"
        );
    }
    worker.stop().await;
}

/// A priority level without a seat for anybody, by the API server's own means.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_seconds_without_a_seat_cost_time_and_nothing_else() {
    const NODES: usize = 8;
    const EACH: usize = 4;
    let mut world = World::new("seatless", NODES).await;
    let burst = Burst::of(&world.ground, two_tiers(&world.ground, 0..NODES, EACH)).await;
    let worker = world.worker().await;
    let group = "/apis/flowcontrol.apiserver.k8s.io/v1";
    let (levels, schemas) = (
        format!("{group}/prioritylevelconfigurations"),
        format!("{group}/flowschemas"),
    );
    let admin = world.ground.admin.clone();
    let level = json!({
        "metadata": {"name": "seatless"},
        "spec": {"type": "Limited", "limited": {
            "nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Reject"},
        }},
    });
    admin.post(&levels, &level).await.unwrap();
    let schema = json!({
        "metadata": {"name": "seatless"},
        "spec": {
            "priorityLevelConfiguration": {"name": "seatless"},
            "matchingPrecedence": 10,
            "rules": [{
                "subjects": [{"kind": "ServiceAccount", "serviceAccount": {"name": "drain", "namespace": "seatless"}}],
                "resourceRules": [{
                    "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": true, "namespaces": ["*"],
                }],
            }],
        },
    });
    admin.post(&schemas, &schema).await.unwrap();
    is_turned_away(&world).await;
    let began = Instant::now();
    world.drain_all(0..NODES, 240).await;
    tokio::time::sleep(TURNED_AWAY.saturating_sub(began.elapsed())).await;
    let (away, through): (Vec<_>, Vec<_>) = burst.writes().into_iter().partition(|entry| entry.code == 429);
    println!("{} turned away, {} let through", away.len(), through.len());
    assert!(burst.granted().len() < burst.pods(), "it was in mid-burst");
    // Cordons of eight nodes once a second, evictions one at a time.
    assert!(
        away.len() < NODES * 20 + 64,
        "{} requests for nothing",
        away.len()
    );
    admin
        .delete(&format!("{schemas}/seatless"), &json!({}))
        .await
        .unwrap();
    let released = Instant::now();
    let ends = world.ends(NODES).await;
    let took = released.elapsed();
    println!("all drained {took:.1?} after that");
    admin
        .delete(&format!("{levels}/seatless"), &json!({}))
        .await
        .unwrap();
    assert_succeeded(&ends);
    burst.assert_each_went_once();
    assert!(took < Duration::from_secs(15), "{took:?}");
    worker.stop().await;
}

/// Waits until the server turns the worker's account away, and looks at how it says so. It lets one through at a time.
async fn is_turned_away(world: &World) {
    let plane = &world.ground.plane;
    let token = plane.service_account_token("seatless", "drain").await.unwrap();
    let worker = plane.client_with_token(&token).unwrap();
    let answer = eventually("a request to be turned away", BOUND, async || {
        let asked = (0..16).map(|_| worker.request(Method::GET, "/api/v1/nodes", None));
        let answers = futures::future::try_join_all(asked).await?;
        let away = answers
            .into_iter()
            .find(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS);
        away.ok_or_else(|| Error::new("all were let through"))
    })
    .await;
    println!("{} {:?}", answer.body, answer.headers.get("retry-after"));
    assert!(answer.body.is_string(), "{answer:?}");
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
}

/// Calls a webhook for evictions of a namespace, which never answers.
async fn hang(world: &World, timeout_seconds: u32) -> (Server, Port) {
    let authority = world.ground.plane.authority();
    let identity = authority.server(&["127.0.0.1"]).unwrap();
    let port = Port::reserve().unwrap();
    let server = Server::start(port.addr(), Some(&identity), |_| Box::pin(std::future::pending()))
        .await
        .unwrap();
    let webhook = json!({
        "metadata": {"name": world.ground.name},
        "webhooks": [{
            "name": "evictions.testbed.hollowtrees.io",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "timeoutSeconds": timeout_seconds,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.ground.name}},
            "rules": [{
                "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/eviction"],
            }],
            "clientConfig": {"url": format!("https://{}/", port.addr()), "caBundle": base64(authority.pem())},
        }],
    });
    let admin = &world.ground.admin;
    admin.post(WEBHOOKS, &webhook).await.unwrap();
    (server, port)
}

const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let value = usize::try_from(bits >> (18 - 6 * digit) & 63).unwrap();
            encoded.push(if digit <= chunk.len() {
                char::from(DIGITS[value])
            } else {
                '='
            });
        }
    }
    encoded
}

fn with_grace(mut pod: Value, seconds: u32) -> Value {
    pod["spec"]["terminationGracePeriodSeconds"] = seconds.into();
    pod
}

/// What the server says once it asks the webhook, about a pod of another node.
async fn refused(world: &World) -> Answer {
    let admin = &world.ground.admin;
    let probe = fixtures::pod("probe", "x", "nowhere");
    let path = world.ground.pods_path();
    eventually("the webhook to be asked", BOUND, async || {
        // It is there already, unless it was evicted before the server knew of the webhook.
        admin.request(Method::POST, &path, Some(&probe)).await?;
        let answer = admin.evict(&world.ground.name, "probe").await?;
        if answer.status.is_server_error() {
            Ok(answer)
        } else {
            Err(Error::new(answer.to_string()))
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_never_answers_is_waited_for_and_overridden_in_time() {
    let mut world = World::new("hanging", 2).await;
    let pods = (0..2).flat_map(|n| {
        (0..4).map(move |i| {
            with_grace(
                fixtures::pod(&format!("p-{n}-{i}"), "x", &format!("hanging-{n}")),
                3,
            )
        })
    });
    let burst = Burst::of(&world.ground, pods.collect()).await;
    let worker = world.worker().await;
    let (_server, _port) = hang(&world, 1).await;
    let refusal = refused(&world).await;
    println!("{refusal}\n{}", refusal.body);
    assert_eq!(refusal.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(refusal.body["reason"], "InternalError");
    // Node 0 has to be empty soon, node 1 has all the time there is.
    world.send(&world.action_on(0, "drain", 10)).await;
    world.send(&world.action_on(1, "drain", 240)).await;
    let forced = world.end().await;
    assert_eq!(forced.result, "succeeded", "{forced:?}");
    let told = detail(&forced);
    assert_eq!(told["forced"].as_array().unwrap().len(), 4, "{told}");
    let refusal = told["forced"][0]["refusal"].as_str().unwrap();
    assert!(refusal.contains("failed calling webhook"), "{told}");
    assert!(burst.granted().is_empty());
    let path = format!("{WEBHOOKS}/{}", world.ground.name);
    world.ground.admin.delete(&path, &json!({})).await.unwrap();
    let patient = world.end().await;
    assert_eq!(patient.result, "succeeded", "{patient:?}");
    let told = detail(&patient);
    assert_eq!(told["evicted"].as_array().unwrap().len(), 4, "{told}");
    worker.stop().await;
}

/// With the time a webhook has if nothing is said, ten seconds, one request lasts longer than a pod's whole last moment.
#[tokio::test(flavor = "multi_thread")]
async fn an_eviction_that_hangs_over_the_last_moment_does_not_keep_the_pod_from_being_forced() {
    let mut world = World::new("overdue", 2).await;
    let pods = vec![
        with_grace(fixtures::pod("brief", "x", "overdue-0"), 3),
        // More grace than there is time: its last moment is now.
        with_grace(fixtures::pod("long", "x", "overdue-1"), 600),
    ];
    let burst = Burst::of(&world.ground, pods).await;
    let worker = world.worker().await;
    let (_server, _port) = hang(&world, 10).await;
    refused(&world).await;
    let sent = Timestamp::now();
    // The third try would be under way when its last moment comes, and when its deadline has passed.
    world.send(&world.action_on(0, "drain", 25)).await;
    world.send(&world.action_on(1, "drain", 25)).await;
    let ends = world.ends(2).await;
    let deleted = burst.deleted();
    let after: Vec<_> = deleted
        .iter()
        .map(|entry| (&entry.name, entry.at.duration_since(sent).as_secs_f64()))
        .collect();
    println!("deleted after {after:?}");
    assert_succeeded(&ends);
    assert_eq!(after.len(), 2, "{after:?}");
    for (name, after) in after {
        let last = if name == "brief" { 21.5..23.0 } else { 5.5..8.0 };
        assert!(last.contains(&after), "{name}: {after}");
    }
    world
        .ground
        .admin
        .delete(&format!("{WEBHOOKS}/{}", world.ground.name), &json!({}))
        .await
        .unwrap();
    worker.stop().await;
}

/// With all controllers at work its pods are gone by their doing, and the drain sees it.
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_deleted_in_mid_drain_takes_its_pods_along_and_the_drain_ends() {
    let mut world = World::new("leaving", 1).await;
    let admin = world.ground.admin.clone();
    admin.namespace("left").await.unwrap();
    let pods = "/api/v1/namespaces/left/pods";
    let budgets = "/apis/policy/v1/namespaces/left/poddisruptionbudgets";
    for i in 0..4 {
        let pod = fixtures::pod(&format!("p-{i}"), "kept", "leaving-0");
        let pod = fixtures::annotated(pod, fixtures::EXIT_AFTER, "1s");
        admin.post(pods, &pod).await.unwrap();
    }
    admin.post(budgets, &fixtures::budget("kept", 4)).await.unwrap();
    let worker = world.worker().await;
    let burst = Burst::of(&world.ground, vec![fixtures::pod("free", "x", "leaving-0")]).await;
    world.send(&world.action("drain", 240)).await;
    burst.has_granted(1).await;
    admin.delete("/api/v1/namespaces/left", &json!({})).await.unwrap();
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let told = detail(&outcome);
    assert_eq!(told["others"].as_array().unwrap().len(), 4, "{told}");
    assert_eq!(
        (&told["forced"], &told["left"]),
        (&json!([]), &json!([])),
        "{told}"
    );
    worker.stop().await;
}
