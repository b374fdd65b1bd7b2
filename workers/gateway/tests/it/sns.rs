//! Topics of SNS that post to the gateway, with a stand-in for the host that shows the certificate and takes confirmations.
//!
//! The two files `tests/data/sns-version-*.json` were signed by OpenSSL over the text that SNS's guide describes.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use aws_lc_rs::{rand::SystemRandom, rsa, signature::RSA_PKCS1_SHA256};
use data_encoding::BASE64;
use futures::FutureExt;
use hollowtrees_bus::dead::Class;
use hollowtrees_harness::{Aws, http_server};
use http::{Method, StatusCode};
use rcgen::{CertificateParams, PKCS_RSA_SHA256};
use serde_json::{Value, json};

use crate::{
    process::{Answered, Process},
    sqs::ground::{R, body, changed, spot},
    world::World,
};

pub(crate) const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:spot";
const CERTIFICATE: &str = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-of-a-test.pem";
const CONFIRM: &str = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t";

/// A key, and its certificate in PEM.
struct Signer {
    key: rsa::KeyPair,
    certificate: String,
}

impl Signer {
    /// With a certificate that counts until then.
    fn until(year: i32) -> Self {
        let pair = rcgen::KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let mut params = CertificateParams::new(vec!["sns.amazonaws.com".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        Self {
            certificate: params.self_signed(&pair).unwrap().pem(),
            key: rsa::KeyPair::from_pkcs8(pair.serialized_der()).unwrap(),
        }
    }

    /// The message with its signature.
    fn signed(&self, mut message: Value) -> String {
        let names = match message["Type"].as_str().unwrap() {
            "Notification" => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"][..],
            _ => &[
                "Message",
                "MessageId",
                "SubscribeURL",
                "Timestamp",
                "Token",
                "TopicArn",
                "Type",
            ],
        };
        let lines = names
            .iter()
            .filter_map(|name| Some(format!("{name}\n{}\n", message[*name].as_str()?)));
        let text: String = lines.collect();
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .unwrap();
        message["Signature"] = json!(BASE64.encode(&signature));
        message.to_string()
    }
}

fn notification(id: &str, text: &str) -> Value {
    json!({
        "Type": "Notification", "MessageId": id, "TopicArn": TOPIC, "Message": text,
        "Timestamp": "2026-03-02T08:20:01.000Z", "SignatureVersion": "2", "SigningCertURL": CERTIFICATE,
    })
}

fn confirmation(address: &str) -> Value {
    let mut message = notification("c-1", "You have chosen to subscribe.");
    message["Type"] = json!("SubscriptionConfirmation");
    message["Token"] = json!("t");
    message["SubscribeURL"] = json!(address);
    message
}

/// What is asked of SNS's own host.
pub(crate) struct Host {
    server: http_server::Server,
    asked: Arc<Mutex<Vec<String>>>,
    is_away: Arc<AtomicBool>,
}

impl Host {
    pub(crate) async fn showing(certificate: &str) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let is_away = Arc::new(AtomicBool::new(false));
        let (seen, away, certificate) = (Arc::clone(&asked), Arc::clone(&is_away), certificate.to_owned());
        let server = http_server::Server::start("127.0.0.1:0".parse().unwrap(), None, move |request| {
            assert_eq!(request.method(), Method::GET);
            let path = request.uri().path_and_query().unwrap().to_string();
            seen.lock().unwrap().push(path.clone());
            let answer = if away.load(Ordering::Relaxed) {
                http_server::text(StatusCode::SERVICE_UNAVAILABLE, "")
            } else if path.ends_with(".pem") {
                http_server::text(StatusCode::OK, certificate.clone())
            } else {
                http_server::text(StatusCode::OK, "<ConfirmSubscriptionResponse/>")
            };
            async move { Some(answer) }.boxed()
        });
        Self {
            server: server.await.unwrap(),
            asked,
            is_away,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.addr())
    }

    fn asked(&self, part: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|path| path.contains(part))
            .count()
    }
}

struct Setting {
    world: World,
    aws: Aws,
    host: Host,
    process: Process,
}

impl Setting {
    async fn new(certificate: &str, env: &[(&str, &str)]) -> Self {
        let (world, aws) = (World::new().await, Aws::start().await.unwrap());
        let host = Host::showing(certificate).await;
        let (of_aws, stand_in) = (aws.env(R), host.url());
        let of_aws = of_aws.each_ref().map(|(name, value)| (*name, value.as_str()));
        let all = [("HT_SNS__TOPICS", TOPIC), ("HT_SNS__ENDPOINT", &stand_in)];
        let process = Process::start(&world, &[&of_aws, &all[..], env].concat()).await;
        Self {
            world,
            aws,
            host,
            process,
        }
    }

    async fn post(&self, message: impl Into<bytes::Bytes>) -> Answered {
        let headers = [
            ("content-type", "text/plain; charset=UTF-8"),
            ("x-amz-sns-message-type", "Notification"),
        ];
        self.process.post("/aws/sns", &headers, message).await
    }
}

pub(crate) fn data(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sns_signed_in_either_version_is_told_and_nothing_else() {
    let setting = Setting::new(&data("sns.pem"), &[]).await;
    let (status, body) = setting.post(data("sns-version-1.json")).await;
    assert_eq!((status, &body["stored"]), (StatusCode::OK, &json!(1)), "{body}");
    let (status, body) = setting.post(data("sns-version-2.json")).await;
    assert_eq!((status, &body["repeated"]), (StatusCode::OK, &json!(1)), "{body}");
    assert_eq!(setting.host.asked(".pem"), 1, "a certificate is kept");
    let notices = setting.world.notices().await;
    let notice = &notices[0];
    assert_eq!(
        (notices.len(), notice.data.kind.as_str()),
        (1, "spot-interruption")
    );
    assert_eq!(notice.source, "/aws/111122223333/eu-west-1/sns");

    let whole: Value = serde_json::from_str(&data("sns-version-2.json")).unwrap();
    let with = |key: &str, value: Value| {
        let mut message = whole.clone();
        message[key] = value;
        message.to_string()
    };
    let text = whole["Message"].as_str().unwrap().replace("i-0b662", "i-0b663");
    for (message, expected) in [
        (with("Message", json!(text)), "signature"),
        (with("SignatureVersion", json!("1")), "signature"),
        (with("Signature", json!("no base64")), "signature"),
        (with("SignatureVersion", json!("3")), "SignatureVersion"),
        (with("Type", json!("Another")), "Type"),
        (
            with("TopicArn", json!("arn:aws:sns:us-east-1:1:other")),
            "sns.topics",
        ),
        (
            with("SigningCertURL", json!("https://sns.example.com/a.pem")),
            "SigningCertURL",
        ),
        (
            with(
                "SigningCertURL",
                json!("https://sns.us-east-1.amazonaws.com/?a.pem"),
            ),
            "SigningCertURL",
        ),
    ] {
        let (status, body) = setting.post(message.clone()).await;
        let said = body["error"].as_str().unwrap_or_default();
        assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
        assert!(said.contains(expected), "{said}: {expected}");
    }
    let (status, _) = setting.post("no JSON").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let raw = [("x-amz-sns-rawdelivery", "true")];
    let (status, body) = setting
        .process
        .post("/aws/sns", &raw, crate::sqs::ground::body("spot"))
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(
        body["error"].as_str().unwrap().contains("raw message delivery"),
        "{body}"
    );
    // It is not posted again, so it is kept.
    let letters = setting.world.letters().await;
    assert_eq!(letters.len(), 10);
    assert_eq!(setting.world.notices().await.len(), 1);
    assert_eq!(setting.host.asked(""), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_none_or_does_not_count_proves_nothing() {
    for certificate in [Signer::until(2024).certificate, "no certificate".to_owned()] {
        let setting = Setting::new(&certificate, &[]).await;
        let (status, body) = setting.post(data("sns-version-2.json")).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
        assert!(body["error"].as_str().unwrap().contains("certificate"), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_sns_shows_no_certificate_the_topic_is_told_to_post_again() {
    let setting = Setting::new(&data("sns.pem"), &[]).await;
    setting.host.is_away.store(true, Ordering::Relaxed);
    let answer = setting
        .process
        .send(Method::POST, "/aws/sns", &[], data("sns-version-2.json"))
        .await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(setting.world.letters().await.is_empty());
    setting.host.is_away.store(false, Ordering::Relaxed);
    let (status, body) = setting.post(data("sns-version-2.json")).await;
    assert_eq!((status, &body["stored"]), (StatusCode::OK, &json!(1)), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_topic_is_let_post() {
    let signer = Signer::until(2100);
    let setting = Setting::new(&signer.certificate, &[]).await;
    let (status, body) = setting.post(signer.signed(confirmation(CONFIRM))).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(setting.host.asked("Action=ConfirmSubscription&Token=t"), 1);
    // Signed, but it sends us elsewhere.
    let (status, _) = setting
        .post(signer.signed(confirmation("https://example.com/?Token=t")))
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let mut forged = serde_json::from_str::<Value>(&signer.signed(confirmation(CONFIRM))).unwrap();
    forged["Token"] = json!("other");
    assert_eq!(setting.post(forged.to_string()).await.0, StatusCode::FORBIDDEN);
    assert_eq!(setting.host.asked("Action="), 1);
    let mut goodbye = confirmation(CONFIRM);
    goodbye["Type"] = json!("UnsubscribeConfirmation");
    assert_eq!(setting.post(signer.signed(goodbye)).await.0, StatusCode::OK);
    assert_eq!(
        setting.host.asked("Action="),
        1,
        "who says goodbye is not subscribed again"
    );
    setting.host.is_away.store(true, Ordering::Relaxed);
    let (status, _) = setting.post(signer.signed(confirmation(CONFIRM))).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_to_whose_they_are_and_what_is_none_is_kept() {
    let signer = Signer::until(2100);
    let setting = Setting::new(&signer.certificate, &[]).await;
    let tags = [("kubernetes.io/cluster/blue", "owned")];
    let ids = setting.aws.launch(R, 2, &tags).await.unwrap();
    let recommended = changed(
        &body("rebalance"),
        &[("/detail/instance-id", &ids[1]), ("/region", R)],
    );
    let both = format!("[{}, {recommended}, {}]", spot(&ids[0]), body("hook-launch"));
    let (status, said) = setting.post(signer.signed(notification("m-1", &both))).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    assert_eq!(
        (&said["stored"], &said["ignored"]),
        (&json!(2), &json!(1)),
        "{said}"
    );
    let notices = setting.world.notices().await;
    assert!(
        notices.iter().all(|notice| notice.data.cluster == "blue"),
        "{notices:?}"
    );

    let (status, said) = setting
        .post(signer.signed(notification("m-2", "some text")))
        .await;
    assert_eq!(status, StatusCode::OK, "{said}");
    let letters = setting.world.letters().await;
    assert_eq!(
        (letters.len(), letters[0].error_class.as_str()),
        (1, Class::Undecodable.as_str())
    );
    assert_eq!(letters[0].stream, "sns/anyone");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_speak_for_a_cluster_does_not_by_way_of_a_topic() {
    let signer = Signer::until(2100);
    let directory = hollowtrees_harness::scratch::directory("clients").unwrap();
    let clients = directory.path().join("clients.yaml");
    let text = "version: 1\nclients:\n- {name: sns, user: sns, password: of-the-topic, clusters: [green], sources: [sns]}\n";
    std::fs::write(&clients, text).unwrap();
    let setting = Setting::new(
        &signer.certificate,
        &[("HT_AUTH__CLIENTS", clients.to_str().unwrap())],
    )
    .await;
    let blue = setting
        .aws
        .launch(R, 1, &[("kubernetes.io/cluster/blue", "owned")])
        .await
        .unwrap();
    let green = setting
        .aws
        .launch(R, 1, &[("kubernetes.io/cluster/green", "owned")])
        .await
        .unwrap();
    let message = |id: &str, instance: &str| signer.signed(notification(id, &spot(instance)));
    assert_eq!(
        setting.post(message("m-1", &green[0])).await.0,
        StatusCode::UNAUTHORIZED
    );
    let authorization = format!("Basic {}", BASE64.encode(b"sns:of-the-topic"));
    let headers = [("authorization", authorization.as_str())];
    let (status, body) = setting
        .process
        .post("/aws/sns", &headers, message("m-1", &green[0]))
        .await;
    assert_eq!((status, &body["stored"]), (StatusCode::OK, &json!(1)), "{body}");
    let (_, body) = setting
        .process
        .post("/aws/sns", &headers, message("m-2", &blue[0]))
        .await;
    assert_eq!(
        (&body["stored"], &body["refused"][0]["field"]),
        (&json!(0), &json!("cluster")),
        "{body}"
    );
    // Of an instance that nothing says the cluster of, and by an address whose cluster is another's.
    let (_, body) = setting
        .process
        .post(
            "/aws/sns?cluster=blue",
            &headers,
            message("m-3", "i-0123456789abcdef0"),
        )
        .await;
    assert_eq!(
        (&body["ignored"], &body["refused"][0]["field"]),
        (&json!(0), &json!("cluster")),
        "{body}"
    );
    assert_eq!(setting.world.notices().await.len(), 1);
    assert_eq!(setting.world.letters().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_topic_that_is_listed_nothing_is_taken() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let (status, body) = process.post("/aws/sns", &[], data("sns-version-2.json")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body["error"].as_str().unwrap().contains("sns.topics"), "{body}");
}
