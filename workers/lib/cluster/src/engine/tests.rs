//! Answers a real API server gives too seldom, from one that is scripted.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hollowtrees_domain::drain::{Force, Options, Wish};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower_test::mock::{self, SendResponse};

use super::*;
use crate::{Cluster, Settings};

const BOUND: Duration = Duration::from_secs(30);

/// What was asked about pods, and when; and how many watches were.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(String, Value, Timestamp)>>>, Arc<AtomicUsize>);

impl Seen {
    fn requests(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|(request, ..)| request.clone())
            .collect()
    }

    fn pauses(&self) -> Vec<Duration> {
        let times: Vec<Timestamp> = self.0.lock().unwrap().iter().map(|(_, _, at)| *at).collect();
        times
            .windows(2)
            .map(|pair| Duration::try_from(pair[1].duration_since(pair[0])).unwrap())
            .collect()
    }

    fn body(&self, index: usize) -> Value {
        self.0.lock().unwrap()[index].1.clone()
    }
}

struct Scripted {
    status: u16,
    retry_after: Option<&'static str>,
    body: Value,
}

fn answer(status: u16, body: Value) -> Scripted {
    Scripted {
        status,
        retry_after: None,
        body,
    }
}

fn budget() -> Scripted {
    let causes =
        json!([{"reason": "DisruptionBudget", "message": "The disruption budget db needs 1 healthy pods"}]);
    answer(
        429,
        json!({"message": "Cannot evict pod", "code": 429, "details": {"causes": causes}}),
    )
}

fn respond(send: SendResponse<Response<Body>>, status: u16, retry_after: Option<&str>, body: &Value) {
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    send.send_response(
        response
            .body(Body::from(serde_json::to_vec(body).unwrap()))
            .unwrap(),
    );
}

/// A cluster of node `n` with these pods on it, which never go. Requests that write get the scripted answers in turn,
/// then 404.
async fn cluster(pods: &[&str], script: Vec<Scripted>) -> (Cluster, Arc<Node>, Seen) {
    let (service, handle) = mock::pair::<Request<Body>, Response<Body>>();
    let seen = Seen::default();
    let items: Vec<Value> = pods
        .iter()
        .map(|name| {
            json!({
                "metadata": {"name": name, "namespace": "s", "uid": format!("uid-{name}"), "resourceVersion": "1"},
                "spec": {"nodeName": "n", "terminationGracePeriodSeconds": 2},
                "status": {"phase": "Running"},
            })
        })
        .collect();
    tokio::spawn(serve(handle, seen.clone(), items, script));
    let cluster = Cluster::start(
        &Client::new(service, "default"),
        Settings {
            options: Options::default(),
            request_timeout: Duration::from_millis(700),
            ..Settings::default()
        },
        Arc::new(Unobserved),
        CancellationToken::new(),
    );
    timeout(BOUND, cluster.health().wait_for(crate::Health::is_synced))
        .await
        .unwrap()
        .unwrap();
    let node = cluster.node("n").unwrap();
    (cluster, node, seen)
}

async fn serve(
    mut handle: mock::Handle<Request<Body>, Response<Body>>,
    seen: Seen,
    pods: Vec<Value>,
    script: Vec<Scripted>,
) {
    let mut script = script.into_iter();
    let mut watches = Vec::new();
    while let Some((request, send)) = handle.next_request().await {
        let (head, body) = request.into_parts();
        let (path, query) = (
            head.uri.path().to_owned(),
            head.uri.query().unwrap_or_default().to_owned(),
        );
        if query.contains("watch=") {
            // Nothing ever happens: the response is never sent.
            seen.1.fetch_add(1, Ordering::Relaxed);
            watches.push(send);
            continue;
        }
        if head.method == Method::GET {
            let node = json!({"metadata": {"name": "n", "uid": "u", "resourceVersion": "1"}});
            let items = match path.as_str() {
                "/api/v1/nodes" => json!([node]),
                "/api/v1/nodes/n" => {
                    respond(send, 200, None, &node);
                    continue;
                }
                "/api/v1/pods" => json!(pods),
                _ => json!([]),
            };
            respond(
                send,
                200,
                None,
                &json!({"metadata": {"resourceVersion": "1"}, "items": items}),
            );
            continue;
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        seen.0
            .lock()
            .unwrap()
            .push((format!("{} {path}", head.method), body, Timestamp::now()));
        match script.next() {
            Some(Scripted { status: 0, .. }) => watches.push(send),
            Some(scripted) => respond(send, scripted.status, scripted.retry_after, &scripted.body),
            None => respond(send, 404, None, &json!({"message": "not found"})),
        }
    }
}

fn in_seconds(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::now() + SignedDuration::from_secs(seconds))
}

/// Drains until the script is played, and says what was asked: after a script that does not end well, once more.
async fn play(script: Vec<Scripted>, wish: Wish) -> (Seen, Summary) {
    play_by(script, wish, SignedDuration::ZERO).await
}

/// The same on a machine whose clock is so far behind the right time.
async fn play_by(script: Vec<Scripted>, wish: Wish, behind: SignedDuration) -> (Seen, Summary) {
    let is_granted = script.last().is_some_and(|last| last.status == 200);
    let expected = script.len() + usize::from(!is_granted);
    let (cluster, node, seen) = cluster(&["p"], script).await;
    cluster.clock().correct(Timestamp::now() + behind);
    let ticket = cluster.drain(&node, wish, None);
    timeout(BOUND, async {
        while seen.requests().len() < expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the script to be played");
    tokio::time::sleep(Duration::from_millis(300)).await;
    (seen, ticket.leave().unwrap())
}

const EVICT: &str = "POST /api/v1/namespaces/s/pods/p/eviction";
const DELETE: &str = "DELETE /api/v1/namespaces/s/pods/p";

#[tokio::test]
async fn an_eviction_names_the_very_pod_and_is_asked_again_with_growing_pauses() {
    let script = vec![
        budget(),
        budget(),
        answer(500, json!({"message": "boom"})),
        answer(409, json!({"message": "busy"})),
    ];
    let (seen, summary) = play(script, Wish::PATIENT).await;
    assert_eq!(seen.requests(), [EVICT; 5]);
    assert_eq!(
        seen.body(0),
        json!({
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p", "namespace": "s"},
            "deleteOptions": {"preconditions": {"uid": "uid-p"}},
        })
    );
    let pauses = seen.pauses();
    assert!(
        pauses[0] >= Duration::from_millis(50) && pauses[0] < Duration::from_millis(400),
        "{pauses:?}"
    );
    assert!(pauses[1] >= Duration::from_millis(100), "{pauses:?}");
    assert_eq!(summary.requests, 5);
    assert!(
        summary.evicted.is_empty() && summary.left["s/p"] == "not found",
        "{summary:?}"
    );
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let patient = Scripted {
        retry_after: Some("1"),
        ..budget()
    };
    let (seen, _) = play(vec![patient], Wish::PATIENT).await;
    assert!(seen.pauses()[0] >= Duration::from_secs(1), "{:?}", seen.pauses());
}

#[tokio::test]
async fn what_is_not_answered_in_time_is_asked_again() {
    let (seen, _) = play(vec![answer(0, Value::Null)], Wish::PATIENT).await;
    let pause = seen.pauses()[0];
    assert!(
        pause >= Duration::from_millis(700) && pause < Duration::from_secs(2),
        "{pause:?}"
    );
}

#[tokio::test]
async fn a_refused_pod_is_deleted_at_its_last_moment_only_if_it_may_be() {
    // Its grace is 2 s: the last moment is now.
    let certain = Wish {
        deadline: in_seconds(2),
        force: Force::Always,
    };
    let (seen, summary) = play(vec![budget(), answer(200, json!({}))], certain).await;
    // The watch never shows it, and still nothing is asked again.
    assert_eq!(seen.requests(), [EVICT, DELETE]);
    let grace = seen.body(1)["gracePeriodSeconds"].clone();
    assert_eq!(
        seen.body(1),
        json!({"gracePeriodSeconds": grace, "preconditions": {"uid": "uid-p"}})
    );
    assert!(grace == 1 || grace == 2, "{grace}");
    assert_eq!(summary.forced["s/p"].refusal, "Cannot evict pod");

    let advisory = Wish {
        deadline: in_seconds(3),
        force: Force::Never,
    };
    let (seen, summary) = play(vec![budget(), budget(), budget()], advisory).await;
    assert_eq!(seen.requests(), [EVICT; 4]);
    assert!(summary.forced.is_empty());
}

#[tokio::test]
async fn a_pod_that_is_shown_is_deleted_at_its_last_moment_though_its_eviction_says_it_is_missing() {
    let missing = || answer(404, json!({"message": "not found"}));
    // Its grace is 2 s: there is one second to believe it.
    let certain = Wish {
        deadline: in_seconds(3),
        force: Force::Always,
    };
    let (seen, summary) = play(vec![missing(), answer(200, json!({}))], certain).await;
    assert_eq!(seen.requests(), [EVICT, DELETE]);
    let pause = seen.pauses()[0];
    assert!(pause >= Duration::from_millis(500), "not before: {pause:?}");
    assert_eq!(summary.forced["s/p"].refusal, "not found");
    // Where nothing may be forced it is asked again, and no sooner than after ten seconds.
    let (seen, summary) = play(vec![missing()], Wish::PATIENT).await;
    assert_eq!(seen.requests(), [EVICT; 2]);
    assert!(seen.pauses()[0] >= Duration::from_secs(9), "{:?}", seen.pauses());
    assert_eq!(summary.left["s/p"], "not found");
}

#[tokio::test]
async fn the_last_moment_comes_by_the_right_time_whatever_this_machines_clock_says() {
    for behind in [SignedDuration::from_hours(1), SignedDuration::from_hours(-1)] {
        // By this machine's clock alone it would be an hour too late, or an hour too early.
        let certain = Wish {
            deadline: Some(Timestamp::now() + behind + SignedDuration::from_secs(2)),
            force: Force::Always,
        };
        let (seen, summary) = play_by(vec![budget(), answer(200, json!({}))], certain, behind).await;
        assert_eq!(seen.requests(), [EVICT, DELETE], "{behind}");
        let grace = seen.body(1)["gracePeriodSeconds"].clone();
        assert!(grace == 1 || grace == 2, "{grace} {behind}");
        assert!(summary.forced.contains_key("s/p"), "{summary:?}");
    }
}

#[tokio::test]
async fn what_waits_is_asked_again_soon_though_the_clock_is_set_back() {
    let (cluster, node, seen) = cluster(&["p"], (0..3).map(|_| budget()).collect()).await;
    let _ticket = cluster.drain(&node, Wish::PATIENT, None);
    let asked = async |count: usize| {
        timeout(BOUND, async {
            while seen.requests().len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("it to be asked again");
    };
    asked(1).await;
    cluster
        .clock()
        .correct(Timestamp::now() - SignedDuration::from_hours(1));
    asked(3).await;
}

#[tokio::test]
async fn a_watch_that_is_never_answered_is_asked_again() {
    let (_cluster, _, seen) = cluster(&[], Vec::new()).await;
    timeout(BOUND, async {
        while seen.1.load(Ordering::Relaxed) < 3 * 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("each of the three watches to be asked three times");
}

#[tokio::test]
async fn a_server_that_has_enough_is_left_alone_by_all() {
    let throttled = || Scripted {
        status: 429,
        retry_after: Some("1"),
        body: json!("Too many requests"),
    };
    let script: Vec<Scripted> = (0..3).map(|_| throttled()).collect();
    let (cluster, node, seen) = cluster(&["a", "b", "c"], script).await;
    let _ticket = cluster.drain(&node, Wish::PATIENT, None);
    timeout(BOUND, async {
        while seen.requests().len() < 6 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    let pauses = seen.pauses();
    assert!(
        pauses[2] >= Duration::from_millis(900),
        "all three waited: {pauses:?}"
    );
}

#[tokio::test]
async fn a_cordon_looks_again_when_somebody_was_faster_and_gives_way_to_what_is_gone() {
    let changed = || {
        answer(
            422,
            json!({"message": "the server rejected our request", "reason": "Invalid"}),
        )
    };
    let (cluster, node, seen) = cluster(&[], vec![changed(), changed(), answer(200, json!({}))]).await;
    assert_eq!(
        cluster.cordon(&node, "i/1").await.unwrap(),
        crate::cordon::Cordoned::Now
    );
    assert_eq!(seen.requests(), ["PATCH /api/v1/nodes/n"; 3]);
    assert_eq!(
        cluster.cordon(&node, "i/1").await.unwrap(),
        crate::cordon::Cordoned::NodeGone
    );
}

#[tokio::test]
async fn a_cordon_that_is_not_allowed_says_so() {
    let denied = answer(403, json!({"message": "nodes \"n\" is forbidden"}));
    let (cluster, node, _) = cluster(&[], vec![denied]).await;
    let refusal = cluster.cordon(&node, "i/1").await.unwrap_err();
    assert_eq!(refusal.to_string(), "nodes \"n\" is forbidden");
}
