//! Who comes in, and what nobody may do.

use std::{sync::Arc, time::Duration};

use hollowtrees_harness::{eventually, scratch, tls::Authority};
use http::{Method, StatusCode};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::{
    alerts::firing,
    process::Process,
    world::{BOUND, World, value},
};

const ALERTS: &str = "/api/v2/alerts";

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A token as Pipeline issued it.
fn original_token(key: &str, subject: &str) -> String {
    let key = data_encoding::BASE32.encode(key.as_bytes());
    let claims = json!({
        "iss": "https://banzaicloud.com/", "aud": "https://pipeline.banzaicloud.com", "jti": "a", "iat": 1,
        "sub": subject, "scope": "api:invoke",
    });
    let key = jsonwebtoken::EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_is_known_comes_in_and_for_its_own_clusters_and_sources() {
    let world = World::new().await;
    let directory = scratch::directory("clients").unwrap();
    let clients = directory.path().join("clients.yaml");
    std::fs::write(
        &clients,
        "version: 1\nclients:\n\
         - {name: prom, token: prom-token, clusters: [prod], sources: [alertmanager]}\n\
         - {name: ops, user: ops, password: ops-password, clusters: ['*']}\n",
    )
    .unwrap();
    let env = [
        ("HT_AUTH__CLIENTS", clients.to_str().unwrap()),
        ("HT_AUTH__JWT__KEY", "a signing key"),
    ];
    let process = Process::start(&world, &env).await;
    let alert = json!([firing("i-1")]).to_string();
    let status = async |path: &str, authorization: &str, body: String| {
        let headers = [("authorization", authorization)];
        process.post(path, &headers, body).await.0
    };
    for (path, authorization, expected) in [
        (ALERTS, bearer("prom-token"), StatusCode::OK),
        (
            "/api/v2/alerts?token=prom-token",
            String::new(),
            StatusCode::UNAUTHORIZED,
        ),
        (
            "/api/v1/alerts?access_token=prom-token",
            bearer("nobody"),
            StatusCode::UNAUTHORIZED,
        ),
        (ALERTS, bearer("prom-tokem"), StatusCode::UNAUTHORIZED),
        (
            ALERTS,
            "Basic b3BzOm9wcy1wYXNzd29yZA==".to_owned(),
            StatusCode::OK,
        ),
        (
            ALERTS,
            "Basic b3BzOm9wcy1wYXNzd29yZAo=".to_owned(),
            StatusCode::UNAUTHORIZED,
        ),
        ("/events", bearer("prom-token"), StatusCode::FORBIDDEN),
    ] {
        assert_eq!(
            status(path, &authorization, alert.clone()).await,
            expected,
            "{path} {authorization}"
        );
    }
    // A token in the address, where the original took one.
    let (answered, _) = process
        .post("/api/v1/alerts?access_token=prom-token", &[], alert.clone())
        .await;
    assert_eq!(answered, StatusCode::OK);
    let answer = process.send(Method::POST, ALERTS, &[], alert.clone()).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(
        answer.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .contains("Bearer")
    );
    // Another cluster than its own.
    let mut foreign = firing("i-2");
    foreign["labels"]["cluster_name"] = json!("dev");
    let foreign = json!([foreign]).to_string();
    assert_eq!(
        status(ALERTS, &bearer("prom-token"), foreign.clone()).await,
        StatusCode::FORBIDDEN
    );
    // The original's token: its labels, and nobody else's cluster.
    let token = bearer(&original_token("a signing key", "clusters/1/42"));
    let mut alert = firing("i-3");
    alert["labels"]["org_id"] = json!("1");
    alert["labels"]["cluster_id"] = json!("42");
    assert_eq!(
        status("/api/v1/alerts", &token, json!([alert]).to_string()).await,
        StatusCode::OK
    );
    alert["labels"]["cluster_id"] = json!("43");
    assert_eq!(
        status("/api/v1/alerts", &token, json!([alert]).to_string()).await,
        StatusCode::FORBIDDEN
    );
    for broken in ["clusters/x", "users/1"] {
        let token = bearer(&original_token("a signing key", broken));
        assert_eq!(
            status("/api/v1/alerts", &token, foreign.clone()).await,
            StatusCode::UNAUTHORIZED
        );
    }
    let clusters: Vec<_> = world
        .notices()
        .await
        .into_iter()
        .map(|notice| (notice.data.cluster, notice.data.instance))
        .collect();
    let expected = [("prod", "i-1"), ("42", "i-3")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(clusters, expected);
    // Tokens change without a restart.
    std::fs::write(
        &clients,
        "version: 1\nclients:\n- {name: new, token: new-token, clusters: [prod]}\n",
    )
    .unwrap();
    eventually("the clients to be read again", BOUND, || async {
        match process
            .post(ALERTS, &[("authorization", "Bearer new-token")], "[]")
            .await
            .0
        {
            StatusCode::OK => Ok(()),
            other => Err(other),
        }
    })
    .await;
    assert_eq!(
        status(ALERTS, &bearer("prom-token"), "[]".to_owned()).await,
        StatusCode::UNAUTHORIZED
    );
    let log = process.worker.log().unwrap();
    for secret in ["prom-token", "ops-password", "a signing key", "new-token"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_too_large_or_compressed_is_refused_before_it_is_read() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let (status, _) = process.post(ALERTS, &[], vec![b' '; 1024 * 1024 + 1]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, _) = process.post(ALERTS, &[("content-encoding", "gzip")], "x").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    // Without a length it is cut off as soon as it is too much.
    let mut stream = TcpStream::connect(process.port.addr()).await.unwrap();
    let head = format!("POST {ALERTS} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let sending = async {
        for _ in 0..64 {
            if stream.write_all(chunk.as_bytes()).await.is_err() {
                break;
            }
        }
        let mut answer = vec![0; 1024];
        let read = stream.read(&mut answer).await.unwrap_or(0);
        String::from_utf8_lossy(&answer[..read]).into_owned()
    };
    let answer = timeout(BOUND, sending).await.unwrap();
    // Or the connection was reset under what was still being sent.
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
    // It is none the worse for it.
    assert_eq!(process.post(ALERTS, &[], "[]").await.0, StatusCode::OK);
    assert!(world.letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dawdles_is_cut_off_and_keeps_nobody_out() {
    let world = World::new().await;
    let env = [("HT_HTTP__HEADER_TIME", "500ms"), ("HT_HTTP__BODY_TIME", "500ms")];
    let process = Process::start(&world, &env).await;
    let addr = process.port.addr();
    let dawdle = async |sent: &str| {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // Ends only when the other side closes.
        timeout(BOUND, stream.read_to_end(&mut answer))
            .await
            .unwrap()
            .unwrap_or(0);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let head = format!("POST {ALERTS} HTTP/1.1\r\nhost: x\r\n");
    let no_body = format!("{head}content-length: 10\r\n\r\n[");
    let (nothing, half_a_head, no_body) = tokio::join!(dawdle(""), dawdle(&head), dawdle(&no_body),);
    assert!(
        nothing.is_empty() || nothing.starts_with("HTTP/1.1 408"),
        "{nothing}"
    );
    assert!(
        half_a_head.is_empty() || half_a_head.starts_with("HTTP/1.1 408"),
        "{half_a_head}"
    );
    assert!(no_body.starts_with("HTTP/1.1 408"), "{no_body}");
    // So many slow ones at once keep a place each no longer than that.
    let env = [("HT_HTTP__HEADER_TIME", "500ms"), ("HT_HTTP__CONNECTIONS", "4")];
    let process = Process::start(&world, &env).await;
    let mut slow = Vec::new();
    for _ in 0..16 {
        slow.push(TcpStream::connect(process.port.addr()).await.unwrap());
    }
    let answered = timeout(BOUND, process.post(ALERTS, &[], "[]")).await.unwrap();
    assert_eq!(answered.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_too_eager_is_told_to_wait_and_others_are_not() {
    let world = World::new().await;
    let directory = scratch::directory("clients").unwrap();
    let clients = directory.path().join("clients.yaml");
    let two = "version: 1\nclients:\n- {name: a, token: token-of-a, clusters: ['*']}\n\
               - {name: b, token: token-of-b, clusters: ['*']}\n";
    std::fs::write(&clients, two).unwrap();
    let env = [
        ("HT_AUTH__CLIENTS", clients.to_str().unwrap()),
        ("HT_HTTP__RATE", "1"),
        ("HT_HTTP__BURST", "3"),
    ];
    let process = Process::start(&world, &env).await;
    let start = Instant::now();
    let mut refused = None;
    for _ in 0..200 {
        let headers = [("authorization", "Bearer token-of-a")];
        let answer = process.send(Method::POST, ALERTS, &headers, "[]").await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.status(), StatusCode::OK);
    }
    let refused =
        refused.unwrap_or_else(|| panic!("200 requests in {:?}, one a second allowed", start.elapsed()));
    let wait: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    let headers = [("authorization", "Bearer token-of-b")];
    assert_eq!(process.post(ALERTS, &headers, "[]").await.0, StatusCode::OK);
    let denied = value(
        &process.scrape().await,
        "hollowtrees_gateway_denied_total{reason=\"rate\"}",
    );
    assert!(denied >= Some(1.0), "{denied:?}");
}

/// A request over TLS with a client's certificate, by hand: the harness's client shows none. `Err` where the server does
/// not go on.
async fn shown(
    process: &Process,
    ca: &str,
    identity: Option<&hollowtrees_harness::tls::Identity>,
) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
            builder
                .with_client_auth_cert(chain.map(Result::unwrap).collect(), key)
                .unwrap()
        }
    };
    let stream = TcpStream::connect(process.port.addr()).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let text = |error: std::io::Error| error.to_string();
    let mut stream = connector.connect(name, stream).await.map_err(text)?;
    let body = json!([firing("i-1")]).to_string();
    let request = format!(
        "POST {ALERTS} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.map_err(text)?;
    let mut answer = Vec::new();
    let read = timeout(BOUND, stream.read_to_end(&mut answer)).await.unwrap();
    match read {
        Ok(_) => {}
        Err(_) if !answer.is_empty() => {}
        Err(error) => return Err(error.to_string()),
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_with_certificates_of_both_sides() {
    let world = World::new().await;
    let directory = scratch::directory("tls").unwrap();
    let authority = Authority::new("ours").unwrap();
    let server = authority.server(&["127.0.0.1"]).unwrap();
    let files = server.write(directory.path(), "server").unwrap();
    let ca = directory.path().join("ca.crt");
    std::fs::write(&ca, authority.pem()).unwrap();
    let clients = directory.path().join("clients.yaml");
    std::fs::write(
        &clients,
        "version: 1\nclients:\n- {name: prom, certificate: prometheus, clusters: [prod]}\n\
         - {name: other, certificate: other, clusters: [dev]}\n",
    )
    .unwrap();
    let env = [
        ("HT_HTTP__TLS__CERT", files.certificate.to_str().unwrap()),
        ("HT_HTTP__TLS__KEY", files.key.to_str().unwrap()),
        ("HT_HTTP__TLS__CLIENT_CA", ca.to_str().unwrap()),
        ("HT_AUTH__CLIENTS", clients.to_str().unwrap()),
    ];
    let process = Process::start(&world, &env).await.over_tls(authority.pem());
    let of = |name: &str| authority.client(name, None).unwrap();
    let status = async |name: &str| shown(&process, authority.pem(), Some(&of(name))).await;
    assert_eq!(status("prometheus").await.unwrap(), "HTTP/1.1 200 OK");
    assert_eq!(status("other").await.unwrap(), "HTTP/1.1 403 Forbidden");
    assert_eq!(status("nobody").await.unwrap(), "HTTP/1.1 401 Unauthorized");
    let without = shown(&process, authority.pem(), None).await.unwrap();
    assert_eq!(without, "HTTP/1.1 401 Unauthorized");
    // Signed by somebody else.
    let stranger = Authority::new("strangers")
        .unwrap()
        .client("prometheus", None)
        .unwrap();
    shown(&process, authority.pem(), Some(&stranger))
        .await
        .unwrap_err();
    // Asked without a certificate, health is told.
    let answer = process.send(Method::GET, "/-/healthy", &[], "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    // Plain HTTP is no answer.
    let plain = hollowtrees_harness::http_client::Client::plain().unwrap();
    let url = format!("http://{}/-/healthy", process.port.addr());
    plain.send(Method::GET, &url, &[], "".into()).await.unwrap_err();
    assert_eq!(world.notices().await.len(), 1);
    // Where a certificate is required, there is no talk without one.
    let env = [&env[..3], &[("HT_HTTP__TLS__CLIENT_REQUIRED", "true")]].concat();
    let process = Process::start(&world, &env).await.over_tls(authority.pem());
    shown(&process, authority.pem(), None).await.unwrap_err();
    let anybody = shown(&process, authority.pem(), Some(&of("anybody")))
        .await
        .unwrap();
    assert_eq!(anybody, "HTTP/1.1 200 OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let world = World::new().await;
    let directory = scratch::directory("tls").unwrap();
    let (before, after) = (
        Authority::new("before").unwrap(),
        Authority::new("after").unwrap(),
    );
    let files = before
        .server(&["127.0.0.1"])
        .unwrap()
        .write(directory.path(), "server")
        .unwrap();
    let env = [
        ("HT_HTTP__TLS__CERT", files.certificate.to_str().unwrap()),
        ("HT_HTTP__TLS__KEY", files.key.to_str().unwrap()),
    ];
    let process = Process::start(&world, &env).await;
    assert_eq!(
        shown(&process, before.pem(), None).await.unwrap(),
        "HTTP/1.1 200 OK"
    );
    after
        .server(&["127.0.0.1"])
        .unwrap()
        .write(directory.path(), "server")
        .unwrap();
    eventually(
        "the new certificate to be shown",
        Duration::from_secs(60),
        || async { shown(&process, after.pem(), None).await },
    )
    .await;
}
