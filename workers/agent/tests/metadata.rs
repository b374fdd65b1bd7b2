//! The client against a metadata service in every state it can be in.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of tests are tests"
)]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use hollowtrees_agent::{
    metadata::{Client, Error},
    provider::Provider,
    settings,
};
use hollowtrees_harness::{
    Metadata, http_server,
    metadata::{Instance, Mode},
    ports::Port,
    proxy::Fault,
};
use http::{Method, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

const ACTION: &str = "/latest/meta-data/spot/instance-action";
const TOKEN: &str = "/latest/api/token";

async fn service() -> Metadata {
    Metadata::start(Instance::new("i-1", "eu-west-1a")).await.unwrap()
}

fn client(url: &str) -> Client {
    client_with(url, |_| {})
}

fn client_with(url: &str, change: impl FnOnce(&mut settings::Metadata)) -> Client {
    let mut settings = settings::Metadata {
        url: vec![url.to_owned()],
        allow_v1: false,
        timeout: Duration::from_millis(300),
        token_ttl: Duration::from_secs(21600),
    };
    change(&mut settings);
    Client::new(Provider::Aws, &settings).unwrap()
}

/// Whether there is an instance action.
async fn read(client: &mut Client) -> Result<bool, Error> {
    Ok(client.document(ACTION).await?.is_some())
}

/// Statuses of the answers to `path`.
fn statuses(service: &Metadata, path: &str) -> Vec<u16> {
    let seen = service.seen().into_iter().filter(|seen| seen.path == path);
    seen.map(|seen| seen.status.map_or(0, |status| status.as_u16()))
        .collect()
}

/// Answers each connection once, with these bytes, then closes it: what no HTTP library can be made to do.
async fn raw(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.is_ok_and(|read| read > 0)
            {
            }
            stream
                .write_all(&answer(&String::from_utf8_lossy(&head)))
                .await
                .ok();
        }
    });
    (address, serving)
}

fn whole(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn one_token_serves_many_readings() {
    let service = service().await;
    let mut client = client(&service.url());
    for _ in 0..20 {
        assert_eq!(read(&mut client).await, Ok(false));
    }
    service.interrupt("terminate", Duration::from_secs(120));
    assert_eq!(read(&mut client).await, Ok(true));
    assert_eq!(service.count(TOKEN), 1);
    assert!(!statuses(&service, ACTION).contains(&401));
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_is_connected_to_again() {
    let (address, serving) = raw(|_| whole("x")).await;
    let mut client = client(&format!("http://{address}"));
    for _ in 0..10 {
        assert_eq!(read(&mut client).await, Ok(true));
    }
    serving.abort();
}

#[tokio::test]
async fn what_the_service_answers_and_what_it_is_taken_for() {
    let service = service().await;
    service.interrupt("terminate", Duration::from_secs(120));
    let mut client = client(&service.url());
    for (fault, kind, answered) in [
        (Fault::status(500), "metadata_status", true),
        (Fault::status(503), "metadata_status", true),
        (Fault::status(302), "metadata_status", true),
        (Fault::status(403), "metadata_forbidden", true),
        (Fault::truncated(), "metadata_broken", false),
        (Fault::no_answer(), "metadata_broken", false),
        (Fault::slow(Duration::from_millis(900)), "metadata_timeout", false),
        (Fault::slow(Duration::from_secs(60)), "metadata_timeout", false),
    ] {
        service.inject(fault.path(ACTION));
        let started = Instant::now();
        let error = read(&mut client).await.unwrap_err();
        assert_eq!((error.kind(), error.answered()), (kind, answered), "{error}");
        assert!(
            started.elapsed() < Duration::from_millis(800),
            "{error} took {:?}",
            started.elapsed()
        );
        // And the next reading is none the worse for it.
        service.heal();
        service.inject(Fault::slow(Duration::from_millis(100)).path(ACTION));
        assert_eq!(read(&mut client).await, Ok(true), "after {error}");
        service.heal();
    }
}

#[tokio::test]
async fn answers_that_are_no_documents() {
    for (name, body) in [
        (
            "not HTTP",
            b"\x16\x03\x01\x02\x00\x01\x00not http\r\n\r\n".to_vec(),
        ),
        (
            "cut short",
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec(),
        ),
        ("nothing", Vec::new()),
        ("too large", whole(&"x".repeat(200_000))),
        (
            "endless head",
            format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(200_000)).into_bytes(),
        ),
    ] {
        let answer = move |head: &str| {
            if head.starts_with("PUT") {
                whole("token")
            } else {
                body.clone()
            }
        };
        let (address, serving) = raw(answer).await;
        let error = read(&mut client(&format!("http://{address}"))).await.unwrap_err();
        assert_eq!(error.kind(), "metadata_broken", "{name}: {error}");
        serving.abort();
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let service = service().await;
    let mut client = client(&service.url());
    read(&mut client).await.unwrap();
    service.expire_tokens();
    assert_eq!(read(&mut client).await, Ok(false));
    assert_eq!(service.count(TOKEN), 2);

    service.inject(Fault::status(401).path(ACTION));
    let error = read(&mut client).await.unwrap_err();
    assert_eq!(error, Error::Unauthorized { path: ACTION });
    assert_eq!(service.count(TOKEN), 3, "one new token, not a storm of them");
    assert!(error.to_string().contains("HT_METADATA__URL"), "{error}");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_is_over_and_used_on_where_that_fails() {
    let service = service().await;
    let mut client = client_with(&service.url(), |settings| {
        settings.token_ttl = Duration::from_secs(2);
    });
    read(&mut client).await.unwrap();
    service.inject(Fault::status(503).path(TOKEN));
    tokio::time::sleep(Duration::from_millis(1700)).await;
    assert_eq!(
        read(&mut client).await,
        Ok(false),
        "four fifths are over, the token is good"
    );
    assert_eq!(service.count(TOKEN), 2);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(read(&mut client).await.unwrap_err().kind(), "metadata_status");
    service.heal();
    assert_eq!(read(&mut client).await, Ok(false));
}

#[tokio::test]
async fn what_hinders_a_token_is_explained() {
    let service = service().await;
    for (fault, kind, part) in [
        (
            Fault::status(403),
            "metadata_forbidden",
            "--http-endpoint enabled",
        ),
        (
            Fault::slow(Duration::from_secs(60)),
            "metadata_no_token",
            "HttpPutResponseHopLimit",
        ),
        (Fault::status(400), "metadata_status", "400"),
        (
            Fault::status(200).body("two\nlines"),
            "metadata_broken",
            "not text",
        ),
    ] {
        service.inject(fault.path(TOKEN));
        let error = read(&mut client(&service.url())).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(part), "{error}");
        service.heal();
    }
    assert_eq!(service.count(ACTION), 0, "never a request without a token");
}

#[tokio::test]
async fn version_one_only_where_allowed() {
    let service = service().await;
    for (mode, fault, works) in [
        (Mode::V1AndV2, Some(Fault::slow(Duration::from_secs(60))), true),
        (Mode::V1Only, None, true),
        (Mode::Disabled, None, false),
        (Mode::V2Required, Some(Fault::status(500)), false),
    ] {
        service.set_mode(mode);
        if let Some(fault) = fault {
            service.inject(fault.method(Method::PUT));
        }
        let before = service.count(ACTION);
        read(&mut client(&service.url())).await.unwrap_err();
        assert_eq!(
            service.count(ACTION),
            before,
            "{mode:?}: a request without a token"
        );
        let mut old = client_with(&service.url(), |settings| settings.allow_v1 = true);
        assert_eq!(read(&mut old).await.is_ok(), works, "{mode:?}");
        service.heal();
    }
    // Version 2 where it can be had.
    service.set_mode(Mode::V2Required);
    read(&mut client_with(&service.url(), |settings| {
        settings.allow_v1 = true;
    }))
    .await
    .unwrap();
}

#[tokio::test]
async fn a_service_that_comes_and_goes() {
    let port = Port::reserve().unwrap();
    let mut client = client(&format!("http://{}", port.addr()));
    let error = read(&mut client).await.unwrap_err();
    assert_eq!(error.kind(), "metadata_unreachable");
    assert!(error.to_string().contains(&port.addr().to_string()), "{error}");
    for _ in 0..2 {
        let handler = |request: http::Request<bytes::Bytes>| {
            let status = if request.method() == Method::PUT {
                StatusCode::OK
            } else {
                StatusCode::NOT_FOUND
            };
            Box::pin(async move { Some(http_server::text(status, "token")) }) as _
        };
        let server = hollowtrees_harness::eventually("the port to be free", Duration::from_secs(5), || {
            http_server::Server::start(port.addr(), None, handler)
        })
        .await;
        assert_eq!(read(&mut client).await, Ok(false));
        drop(server);
        tokio::task::yield_now().await;
        assert!(read(&mut client).await.is_err());
    }
}
