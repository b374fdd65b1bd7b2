//! Bodies of requests.

use data_encoding::BASE64;
use hollowtrees_harness::tls::Authority;
use http::StatusCode;
use serde_json::{Value, json};

use crate::world::World;

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const BATCH: [(&str, &str); 1] = [("content-type", "application/cloudevents-batch+json")];

/// An alert that names no cluster.
fn alert(instance: &str) -> Value {
    json!({
        "labels": { "alertname": "SpotTerminationNotice", "instance_id": instance },
        "startsAt": "2026-10-01T12:00:00Z", "generatorURL": "http://prometheus:9090/graph",
    })
}

fn event(id: &str, cluster: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/my/monitor", "type": "io.hollowtrees.notice.v1",
        "time": "2026-10-01T12:00:00Z",
        "data": { "cluster": cluster, "provider": "mine", "instance": format!("i-{id}"), "kind": "spot-interruption" },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_by_each_way_is_taken_once_the_configuration_is_mended() {
    let world = World::new().await;
    let gateway = world.gateway(&[]).await;
    let (status, _) = gateway
        .post("/api/v2/alerts", &JSON, &json!([alert("i-1"), alert("i-2")]))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let webhook = json!({
        "version": "4", "receiver": "a \"quoted\" one", "externalURL": "http://alertmanager:9093",
        "alerts": [alert("i-3")],
    });
    gateway.post("/alertmanager/webhook", &JSON, &webhook).await;
    gateway
        .post("/events", &BATCH, &json!([event("4", ""), event("5", "prod")]))
        .await;
    let binary = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "6"),
        ("ce-source", "/my/monitor"),
        ("ce-type", "io.hollowtrees.notice.v1"),
    ];
    let mut notice = event("6", "")["data"].clone();
    gateway.post("/events", &binary, &notice).await;
    notice["instance"] = json!("i-7");
    // Who sends this again for days is told that it is taken; it is a dead letter all the same.
    let inside = BASE64.encode(event("7", "")["data"].to_string().as_bytes());
    let push = json!({ "subscription": "s", "message": { "messageId": "m-7", "data": inside, "attributes": {
        "ce-specversion": "1.0", "ce-id": "7", "ce-source": "/my/monitor", "ce-type": "io.hollowtrees.notice.v1",
        "content-type": "application/json" } } });
    let (status, _) = gateway.post("/gcp/pubsub", &JSON, &push).await;
    assert_eq!(status, StatusCode::OK);
    let letters = world.letters().await;
    assert_eq!(letters.len(), 6, "{letters:?}");
    assert_eq!(world.notices().await.len(), 1);

    // Without the gateway's address nothing is sent, and it is asked for.
    world.dead("redrive 1", &[]).ended(2).complains("--gateway URL");
    // Nothing is mended yet: each stays, the command says why, and there is no second letter of any.
    let url = gateway.url();
    let line = format!("redrive 1 2 3 4 5 6 --gateway {url}");
    let said = world
        .dead(&line, &[])
        .ended(1)
        .says("dead letter 1 is not taken, and stays (400): ");
    assert_eq!(said.out.matches("is not taken").count(), 6, "{said:?}");
    assert_eq!(said.out.matches("HT_CLUSTER").count(), 6, "{said:?}");
    assert_eq!(world.letters().await.len(), letters.len());
    // Nobody there.
    world
        .dead("redrive 1 --gateway http://127.0.0.1:1", &[])
        .ended(69)
        .complains("does not answer");
    world
        .dead(&format!("redrive 1 --in 2m --gateway {url}"), &[])
        .ended(2)
        .complains("no deadline");

    gateway.ends().await;
    let mended = world.gateway(&[("HT_CLUSTER", "home")]).await;
    let line = format!("redrive 1 2 3 4 5 --gateway {}/", mended.url());
    let said = world.dead(&line, &[]).ended(0);
    assert_eq!(said.out.matches("is taken by the gateway").count(), 5, "{said:?}");
    let said = world
        .dead(
            &format!("redrive 6 --output json --gateway {}", mended.url()),
            &[],
        )
        .ended(0);
    let object: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&object["number"], &object["taken"], &object["answer"]["stored"]),
        (&json!(6), &json!(true), &json!(1)),
        "{object}"
    );
    assert!(world.letters().await.is_empty());
    let mut told: Vec<_> = world.notices().await;
    told.sort_by(|a, b| a.instance.cmp(&b.instance));
    let found: Vec<_> = told
        .iter()
        .map(|notice| (notice.instance.as_str(), notice.cluster.as_str()))
        .collect();
    let home = |instance| (instance, "home");
    assert_eq!(
        found,
        [
            home("i-1"),
            home("i-2"),
            home("i-3"),
            home("i-4"),
            ("i-5", "prod"),
            home("i-6"),
            home("i-7")
        ]
    );
    let detail = serde_json::to_value(told[2].detail.clone().unwrap()).unwrap();
    assert_eq!(detail["receiver"], "a \"quoted\" one", "{detail}");
    world
        .dead("redrive 1", &[])
        .ended(1)
        .complains("no dead letter has the number 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_redrives_is_a_client_and_its_rules_hold() {
    let world = World::new().await;
    let clients = world.file(
        "clients.yaml",
        "version: 1\nclients:\n\
         - {name: green, token: token-of-green, clusters: [green]}\n\
         - {name: ops, user: ops, password: password-of-ops, clusters: ['*']}\n",
    );
    let gateway = world.gateway(&[("HT_AUTH__CLIENTS", &clients)]).await;
    let green = [JSON[0], ("authorization", "Bearer token-of-green")];
    let (status, _) = gateway
        .post("/events?cluster=blue", &green, &event("1", ""))
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let line = format!("redrive 1 --gateway {}", gateway.url());
    world.dead(&line, &[]).ended(2).complains("does not know us");
    let token = |token| [("HOLLOWTREES_GATEWAY_TOKEN", token)];
    world
        .dead(&line, &token("token-of-nobody"))
        .ended(2)
        .complains("nobody's");
    world
        .dead(&line, &token("token-of-green"))
        .ended(1)
        .says("(403)")
        .says("`green`");
    world
        .dead(&format!("{line} --user ops"), &[])
        .ended(2)
        .complains("no password");
    let empty = world.file("empty", "\n");
    world
        .dead(&format!("{line} --token-file {empty}"), &[])
        .ended(2)
        .complains("is empty");
    assert_eq!((world.letters().await.len(), world.notices().await.len()), (1, 0));
    // The cluster that the address named is that of the letter.
    let password = world.file("password", "password-of-ops\n");
    world
        .dead(&format!("{line} --user ops --password-file {password}"), &[])
        .ended(0)
        .says("dead letter 1 is taken by the gateway (1 stored), and gone");
    assert_eq!(world.notices().await[0].cluster, "blue");
    assert!(world.letters().await.is_empty());
    assert!(!gateway.log().contains("password-of-ops") && !gateway.log().contains("token-of-green"));
    // A secret on the command line is refused before anything is asked.
    let said = world
        .dead("redrive 1 --gateway http://ops:secret@127.0.0.1:1", &[])
        .ended(2);
    assert!(said.err.contains("--token-file"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_behind_tls_is_asked_for_its_certificate_and_shown_ours() {
    let world = World::new().await;
    let authority = Authority::new("ours").unwrap();
    let server = authority.server(&["127.0.0.1"]).unwrap();
    let server = server.write(world.directory.path(), "server").unwrap();
    let own = authority.client("ops", None).unwrap();
    let own = own.write(world.directory.path(), "ops").unwrap();
    let ca = world.file("ca.crt", authority.pem());
    let other = world.file("other.crt", Authority::new("strangers").unwrap().pem());
    let plain = world.gateway(&[]).await;
    plain.post("/api/v2/alerts", &JSON, &json!([alert("i-1")])).await;
    plain.ends().await;
    let gateway = world
        .gateway(&[
            ("HT_CLUSTER", "home"),
            ("HT_HTTP__TLS__CERT", server.certificate.to_str().unwrap()),
            ("HT_HTTP__TLS__KEY", server.key.to_str().unwrap()),
            ("HT_HTTP__TLS__CLIENT_CA", &ca),
            ("HT_HTTP__TLS__CLIENT_REQUIRED", "true"),
        ])
        .await;
    let line = format!("redrive 1 --gateway {}", gateway.url().replace("http:", "https:"));
    let identity = format!(
        "--certificate {} --key {}",
        own.certificate.display(),
        own.key.display()
    );
    for refused in [
        format!("{line} --ca {ca}"),
        format!("{line} {identity}"),
        format!("{line} {identity} --ca {other}"),
    ] {
        let said = world.dead(&refused, &[]);
        assert_eq!(said.code, 69, "{refused}: {said:?}");
    }
    for (unusable, expected) in [
        (
            format!("{line} --ca {}", own.key.display()),
            "no certificate in it",
        ),
        (format!("{line} --ca /nowhere.pem"), "/nowhere.pem"),
        (format!("{line} --certificate {ca}"), "--key"),
    ] {
        let said = world.dead(&unusable, &[]).ended(2);
        assert!(said.err.contains(expected), "{expected}: {said:?}");
    }
    world
        .dead(&format!("{line} {identity} --ca {ca}"), &[])
        .ended(0)
        .says("is taken by the gateway");
    assert_eq!(world.notices().await.len(), 1);
}
