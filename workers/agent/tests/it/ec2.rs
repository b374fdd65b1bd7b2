//! On EC2.

use std::{net::SocketAddr, time::Duration};

use hollowtrees_harness::{
    Metadata, Nats, eventually, http_get,
    metadata::{Instance, Mode, When},
    nats,
    ports::Port,
    promtool::Promtool,
    proxy::{self, Fault},
};
use jiff::Timestamp;

use crate::rig::{LIMIT, Stream, agent, get, goes_at};

const ACTION: &str = "/latest/meta-data/spot/instance-action";
const IDENTITY: &str = "/latest/dynamic/instance-identity/document";
const INSTANCE: &str = "i-0d2aab13057917887";
const TWO_MINUTES: Duration = Duration::from_secs(120);

async fn instance() -> Metadata {
    Metadata::start(Instance::new(INSTANCE, "eu-west-1a"))
        .await
        .unwrap()
}

/// An interruption in so long from now; returns its deadline.
fn going(service: &Metadata, action: &str, life: Duration) -> Timestamp {
    service.interrupt(action, life);
    Timestamp::now() + life
}

#[tokio::test]
async fn a_notice_is_one_message_however_often_it_is_read() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let mut stream = Stream::of(&nats).await;
    let agent = agent(&service.url(), &nats.url(), &[]);
    agent.ready().await;
    agent
        .shows(
            "aws_instance_termination_imminent",
            &format!(
                "aws_instance_termination_imminent{{instance_action=\"\",instance_id=\"{INSTANCE}\"}} 0"
            ),
        )
        .await;
    assert!(agent.samples("aws_instance_termination_in").await.is_empty());

    let at = going(&service, "terminate", TWO_MINUTES);
    let envelope = stream.next().await;
    let notice = &envelope.data;
    assert_eq!(envelope.source, "/aws/123456789012/eu-west-1/imds");
    assert_eq!(
        (notice.cluster.as_str(), notice.node.as_str()),
        ("blue", "ip-10-0-0-1")
    );
    assert_eq!(
        (notice.kind.as_str(), notice.certainty.as_str()),
        ("spot-interruption", "certain")
    );
    assert_eq!(
        (notice.instance.as_str(), notice.instance_type.as_str()),
        (INSTANCE, "m5.large")
    );
    assert_eq!(
        (notice.account.as_str(), notice.zone.as_str()),
        ("123456789012", "eu-west-1a")
    );
    assert_eq!(
        (notice.provider_action.as_str(), notice.mode.as_str()),
        ("terminate", "live")
    );
    goes_at(notice, at);
    assert!(notice.detail.as_ref().unwrap().fields.contains_key("action"));

    let before = service.count(ACTION);
    eventually("a hundred more readings", LIMIT, || async {
        let more = service.count(ACTION) - before;
        if more >= 100 { Ok(()) } else { Err(more) }
    })
    .await;
    stream.is_silent().await;
    agent
        .shows(
            "aws_instance_termination_imminent",
            &format!("aws_instance_termination_imminent{{instance_action=\"terminate\",instance_id=\"{INSTANCE}\"}} 1"),
        )
        .await;
    let left = agent.samples("aws_instance_termination_in").await;
    let seconds: f64 = left[0].rsplit(' ').next().unwrap().parse().unwrap();
    assert!((90.0..120.0).contains(&seconds), "{left:?}");

    // Tighter: at once, once.
    let tighter = going(&service, "terminate", Duration::from_secs(60));
    goes_at(&stream.next().await.data, tighter);
    stream.is_silent().await;

    // The service goes: what stands goes on standing.
    service.inject(Fault::slow(LIMIT).path(ACTION));
    agent
        .shows(
            "aws_instance_metadata_service_available",
            &format!("aws_instance_metadata_service_available{{instance_id=\"{INSTANCE}\"}} 0"),
        )
        .await;
    assert_eq!(agent.samples("aws_instance_termination_imminent").await.len(), 1);
    assert_eq!(agent.get("/readyz").await.0, 503);
}

#[tokio::test]
async fn a_time_that_moves_with_every_reading_is_one_message() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let mut stream = Stream::of(&nats).await;
    service.interrupt_when("terminate", When::After(TWO_MINUTES));
    let _agent = agent(&service.url(), &nats.url(), &[]);
    stream.next().await;
    eventually("two hundred readings", LIMIT, || async {
        let asked = service.count(ACTION);
        if asked >= 200 { Ok(()) } else { Err(asked) }
    })
    .await;
    stream.is_silent().await;
}

#[tokio::test]
async fn a_restarted_agent_says_the_same_thing_and_the_stream_keeps_one() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let mut stream = Stream::of(&nats).await;
    going(&service, "stop", TWO_MINUTES);
    let agent = agent(&service.url(), &nats.url(), &[]);
    stream.next().await;
    agent.worker.kill();
    agent.worker.restart().unwrap();
    let duplicate = "hollowtrees_agent_notices_total{kind=\"spot-interruption\",result=\"duplicate\"} 1";
    eventually("the duplicate to be counted", LIMIT, || async {
        let (_, text) = http_get::get(&format!("http://{}/metrics", agent.health.addr()))
            .await
            .map(|(status, body)| (status, String::from_utf8_lossy(&body).into_owned()))
            .map_err(|error| error.to_string())?;
        if text.contains(duplicate) {
            Ok(())
        } else {
            Err(text)
        }
    })
    .await;
    stream.is_silent().await;
}

#[tokio::test]
async fn a_rebalance_recommendation_is_advisory_and_has_no_deadline() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let mut stream = Stream::of(&nats).await;
    service.recommend_rebalance(true);
    let agent = agent(&service.url(), &nats.url(), &[("HT_MODE", "dry-run")]);
    let notice = stream.next().await.data;
    assert_eq!(
        (notice.kind.as_str(), notice.certainty.as_str()),
        ("rebalance-recommendation", "advisory")
    );
    assert_eq!(
        (notice.mode.as_str(), notice.deadline.is_none()),
        ("dry-run", true)
    );
    stream.is_silent().await;
    agent
        .shows(
            "aws_instance_rebalance_recommended",
            &format!("aws_instance_rebalance_recommended{{instance_id=\"{INSTANCE}\"}} 1"),
        )
        .await;
}

#[tokio::test]
async fn a_notice_outlives_a_cut_bus_and_its_own_deadline() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let mut stream = Stream::of(&nats).await;
    let proxy = proxy::Tcp::start(nats.addr()).await.unwrap();
    let agent = agent(
        &service.url(),
        &format!("nats://{}", proxy.addr()),
        &[("HT_NATS__REQUEST_TIMEOUT", "500ms")],
    );
    agent.ready().await;
    for fault in [proxy::Tcp::cut, proxy::Tcp::blackhole] {
        fault(&proxy);
        let at = going(&service, "terminate", Duration::from_secs(2));
        agent
            .shows(
                "hollowtrees_agent_notices_waiting",
                "hollowtrees_agent_notices_waiting 1",
            )
            .await;
        eventually("the deadline to pass", LIMIT, || async {
            if Timestamp::now() > at {
                Ok(())
            } else {
                Err("not yet")
            }
        })
        .await;
        // Readings go on meanwhile.
        let asked = service.count(ACTION);
        eventually("another reading", LIMIT, || async {
            if service.count(ACTION) > asked + 5 {
                Ok(())
            } else {
                Err("none")
            }
        })
        .await;
        service.withdraw();
        proxy.heal();
        goes_at(&stream.next().await.data, at);
        agent
            .shows(
                "hollowtrees_agent_notices_waiting",
                "hollowtrees_agent_notices_waiting 0",
            )
            .await;
        stream.is_silent().await;
        // A later interruption of a resumed instance is news only after ten seconds.
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

#[tokio::test]
async fn an_agent_that_starts_before_bus_and_stream() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    nats.kill();
    let agent = agent(&service.url(), &nats.url(), &[]);
    agent.listens().await;
    agent
        .shows(
            "hollowtrees_agent_notices_waiting",
            "hollowtrees_agent_notices_waiting 0",
        )
        .await;
    assert_eq!(agent.get("/livez").await.0, 200);
    let (status, why) = agent.get("/readyz").await;
    assert!(
        status == 503 && why.contains("bus: no connection to NATS"),
        "{why}"
    );
    let at = going(&service, "stop", TWO_MINUTES);
    agent
        .shows(
            "hollowtrees_agent_notices_waiting",
            "hollowtrees_agent_notices_waiting 1",
        )
        .await;
    nats.restart().await.unwrap();
    agent.ready().await;
    // The stream is made last of all.
    let mut stream = Stream::of(&nats).await;
    goes_at(&stream.next().await.data, at);
}

#[tokio::test]
async fn no_state_of_the_metadata_service_ends_the_agent() {
    let nats = Nats::start().await.unwrap();
    let mut stream = Stream::of(&nats).await;
    let port = Port::reserve().unwrap();
    let agent = agent(&format!("http://{}", port.addr()), &nats.url(), &[]);
    agent.listens().await;
    agent.meets("metadata_unreachable").await;
    assert_eq!(
        agent.samples("aws_instance_metadata_service_available").await,
        ["aws_instance_metadata_service_available{instance_id=\"\"} 0"]
    );
    let service = Metadata::start_on(port.addr(), Instance::new(INSTANCE, "eu-west-1a"))
        .await
        .unwrap();
    // Before anything else the agent asks who it is, so that is what it asks until it knows.
    service.inject(Fault::status(503).path(IDENTITY));
    service.set_mode(Mode::Disabled);
    agent.meets("metadata_forbidden").await;
    service.set_mode(Mode::V1Only);
    agent.meets("metadata_status").await;
    service.set_mode(Mode::V2Required);
    agent.meets("metadata_status").await;
    service.heal();
    service.inject(Fault::garbage().path(IDENTITY));
    agent.meets("metadata_garbage").await;
    service.heal();
    service.inject(Fault::status(404).path("/latest/").method(http::Method::GET));
    agent.meets("metadata_no_identity").await;
    service.heal();
    service.inject(Fault::status(404).path(IDENTITY));
    agent.ready().await;
    for (fault, kind) in [
        (Fault::status(500), "metadata_status"),
        (Fault::status(503), "metadata_status"),
        (Fault::garbage(), "metadata_garbage"),
        (Fault::status(200).body("i-am-no-json"), "metadata_garbage"),
        (Fault::no_answer(), "metadata_broken"),
        (Fault::slow(LIMIT), "metadata_timeout"),
        (Fault::status(401), "metadata_unauthorized"),
        (Fault::status(403), "metadata_forbidden"),
    ] {
        service.heal();
        service.inject(fault.path(ACTION));
        agent.meets(kind).await;
    }
    // There is a notice now, but only half of it arrives.
    let at = going(&service, "terminate", TWO_MINUTES);
    service.heal();
    service.inject(Fault::truncated().path(ACTION));
    agent.meets("metadata_broken").await;
    service.expire_tokens();
    service.heal();
    let notice = stream.next().await.data;
    goes_at(&notice, at);
    assert_eq!(
        (notice.instance.as_str(), notice.account.as_str()),
        (INSTANCE, ""),
        "only the id could be read"
    );
    stream.is_silent().await;
}

#[tokio::test]
async fn the_trigger_gives_a_notice_of_mode_test() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let mut stream = Stream::of(&nats).await;
    let port = Port::reserve().unwrap();
    let address = port.addr();
    let agent = agent(
        &service.url(),
        &nats.url(),
        &[("HT_TRIGGER__LISTEN", &address.to_string())],
    );
    agent.ready().await;
    let post = |origin, body| trigger(address, origin, body);
    assert_eq!(post(None, "").await, 202);
    let notice = stream.next().await.data;
    assert_eq!(
        (notice.mode.as_str(), notice.instance.as_str()),
        ("test", INSTANCE)
    );
    assert!((1..=120).contains(&(notice.deadline.as_ref().unwrap().seconds - Timestamp::now().as_second())));
    assert_eq!(
        post(None, r#"{"mode": "live", "action": "stop", "in": "30s"}"#).await,
        202
    );
    let notice = stream.next().await.data;
    assert_eq!(
        (notice.mode.as_str(), notice.provider_action.as_str()),
        ("live", "stop")
    );
    assert_eq!(post(Some("http://evil.example"), "").await, 403);
    assert_eq!(post(None, "{\"mode\": \"real\"}").await, 400);
    assert_eq!(get(address, "/terminate").await.0, 405);
    assert_eq!(get(address, "/metrics").await.0, 404);
    assert_eq!(
        get(agent.health.addr(), "/terminate").await.0,
        404,
        "not where everybody can reach it"
    );
    stream.is_silent().await;
}

/// Asks the trigger for a notice and returns the status.
async fn trigger(address: SocketAddr, origin: Option<&str>, body: &str) -> u16 {
    let mut request = http::Request::post(format!("http://{address}/terminate"));
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let request = request.body(bytes::Bytes::copy_from_slice(body.as_bytes()));
    raw(address, &request.unwrap()).await
}

/// Sends a request as it is and returns the status.
async fn raw(address: SocketAddr, request: &http::Request<bytes::Bytes>) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n",
        request.method(),
        request.uri().path()
    );
    for (name, value) in request.headers() {
        head += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    head += &format!("content-length: {}\r\n\r\n", request.body().len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(request.body()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_trigger_anybody_could_reach_is_refused() {
    let agent = agent(
        "http://127.0.0.1:1",
        "nats://127.0.0.1:1",
        &[("HT_TRIGGER__LISTEN", "0.0.0.0:9188")],
    );
    let status = agent.worker.exited(LIMIT).await.unwrap();
    assert_eq!(status.code(), Some(64));
    let log = agent.worker.log().unwrap();
    assert!(log.contains("trigger.listen: is not a loopback address"), "{log}");
}

#[tokio::test]
async fn the_end_waits_for_what_is_not_stored_but_not_for_ever() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let mut stream = Stream::of(&nats).await;
    let proxy = proxy::Tcp::start(nats.addr()).await.unwrap();
    let url = format!("nats://{}", proxy.addr());
    let agent = agent(
        &service.url(),
        &url,
        &[
            ("HT_SHUTDOWN__GRACE", "4s"),
            ("HT_NATS__REQUEST_TIMEOUT", "500ms"),
        ],
    );
    agent.ready().await;
    proxy.cut();
    let at = going(&service, "terminate", TWO_MINUTES);
    agent
        .shows(
            "hollowtrees_agent_notices_waiting",
            "hollowtrees_agent_notices_waiting 1",
        )
        .await;
    agent
        .worker
        .signal(hollowtrees_harness::supervise::Signal::TERM)
        .unwrap();
    agent.worker.logged("Draining.", LIMIT).await.unwrap();
    proxy.heal();
    goes_at(&stream.next().await.data, at);
    assert_eq!(agent.worker.exited(LIMIT).await.unwrap().code(), Some(0));

    proxy.cut();
    agent.worker.restart().unwrap();
    agent.listens().await;
    agent
        .shows(
            "hollowtrees_agent_notices_waiting",
            "hollowtrees_agent_notices_waiting 1",
        )
        .await;
    assert_eq!(agent.worker.terminate(LIMIT).await.unwrap().code(), Some(0));
    agent
        .worker
        .logged("Ending with notices that the bus has not stored.", LIMIT)
        .await
        .unwrap();
}

#[tokio::test]
async fn over_tls_with_a_user() {
    let nats = Nats::builder()
        .tls()
        .user(nats::User::new("agent", "s3cret"))
        .start()
        .await
        .unwrap();
    let ca = nats.ca_file().unwrap().display().to_string();
    let service = instance().await;
    let env = [
        ("HT_NATS__TLS__CA", ca.as_str()),
        ("HT_NATS__USER", "agent"),
        ("HT_NATS__PASSWORD", "s3cret"),
    ];
    let agent = agent(&service.url(), &nats.url(), &env);
    agent.ready().await;
    assert!(!agent.worker.log().unwrap().contains("s3cret"));
}

#[tokio::test]
async fn more_notices_than_the_spool_holds_push_out_the_oldest_and_are_counted() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    nats.kill();
    let address = Port::reserve().unwrap();
    let agent = agent(
        &service.url(),
        &nats.url(),
        &[
            ("HT_TRIGGER__LISTEN", &address.addr().to_string()),
            ("HT_SPOOL__NOTICES", "2"),
        ],
    );
    agent.listens().await;
    agent
        .shows(
            "aws_instance_termination_imminent",
            &format!(
                "aws_instance_termination_imminent{{instance_action=\"\",instance_id=\"{INSTANCE}\"}} 0"
            ),
        )
        .await;
    for action in ["one", "two", "three", "four", "five"] {
        let wish = format!("{{\"action\": \"{action}\"}}");
        assert_eq!(trigger(address.addr(), None, &wish).await, 202);
    }
    let counted = |result: &str, count: usize| {
        format!("hollowtrees_agent_notices_total{{kind=\"spot-interruption\",result=\"{result}\"}} {count}")
    };
    let notices = agent.samples("hollowtrees_agent_notices_total").await;
    assert_eq!(notices, [counted("dropped", 3), counted("noticed", 5)]);
    assert_eq!(
        agent.samples("hollowtrees_agent_notices_waiting").await,
        ["hollowtrees_agent_notices_waiting 2"]
    );
    let full = "hollowtrees_errors_total{error_type=\"spool_full\",stage=\"publish\"} 3";
    let errors = agent.samples("hollowtrees_errors_total").await;
    assert!(errors.iter().any(|sample| sample == full), "{errors:?}");
    let log = agent.worker.log().unwrap();
    assert!(log.contains("Raise spool.notices (HT_SPOOL__NOTICES)."), "{log}");

    nats.restart().await.unwrap();
    let mut stream = Stream::of(&nats).await;
    for action in ["four", "five"] {
        assert_eq!(stream.next().await.data.provider_action, action);
    }
    stream.is_silent().await;
    let notices = agent.samples("hollowtrees_agent_notices_total").await;
    assert_eq!(
        notices,
        [
            counted("dropped", 3),
            counted("noticed", 5),
            counted("published", 2)
        ]
    );
}

#[tokio::test]
async fn a_notice_on_disk_outlives_its_process_and_its_document() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let mut stream = Stream::of(&nats).await;
    let proxy = proxy::Tcp::start(nats.addr()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("spool").display().to_string();
    let agent = agent(
        &service.url(),
        &format!("nats://{}", proxy.addr()),
        &[
            ("HT_SPOOL__DIRECTORY", &place),
            ("HT_NATS__REQUEST_TIMEOUT", "500ms"),
        ],
    );
    agent.ready().await;
    proxy.cut();
    let waiting = |count| format!("hollowtrees_agent_notices_waiting {count}");
    let at = going(&service, "terminate", TWO_MINUTES);
    agent
        .shows("hollowtrees_agent_notices_waiting", &waiting(1))
        .await;
    agent.worker.kill();
    // The provider knows of nothing any more, and somebody was at the files.
    service.withdraw();
    std::fs::write(format!("{place}/0.notice"), "{\"headers\": 1").unwrap();
    agent.worker.restart().unwrap();
    agent.listens().await;
    agent
        .shows("hollowtrees_agent_notices_waiting", &waiting(1))
        .await;
    agent
        .counts("hollowtrees_errors_total{error_type=\"spool_unreadable\",stage=\"publish\"} 1")
        .await;
    proxy.heal();
    goes_at(&stream.next().await.data, at);
    agent
        .shows("hollowtrees_agent_notices_waiting", &waiting(0))
        .await;
    stream.is_silent().await;
    let left = std::fs::read_dir(&place).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["0.unreadable"]);
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let place = file.display().to_string();
    let agent = agent(
        "http://127.0.0.1:1",
        "nats://127.0.0.1:1",
        &[("HT_SPOOL__DIRECTORY", &place)],
    );
    agent.worker.exited(LIMIT).await.unwrap();
    let log = agent.worker.log().unwrap();
    assert!(
        log.contains("cannot keep notices in") && log.contains("set HT_SPOOL__DIRECTORY"),
        "{log}"
    );
}

#[tokio::test]
async fn promtool_finds_nothing_to_say() {
    let (nats, service) = (Nats::start().await.unwrap(), instance().await);
    let mut stream = Stream::of(&nats).await;
    let agent = agent(&service.url(), &nats.url(), &[]);
    agent.ready().await;
    service.recommend_rebalance(true);
    going(&service, "terminate", TWO_MINUTES);
    for _ in 0..2 {
        stream.next().await;
    }
    service.inject(Fault::status(500).path(ACTION));
    agent.meets("metadata_status").await;
    let (status, text) = agent.get("/metrics").await;
    assert_eq!(status, 200);
    for shown in [
        "aws_instance_termination_in{",
        "aws_instance_rebalance_recommended{",
        "hollowtrees_agent_notices_total{",
        "hollowtrees_errors_total{",
    ] {
        assert!(
            text.lines().any(|line| line.starts_with(shown)),
            "no {shown} in\n{text}"
        );
    }
    let Some(promtool) = Promtool::find() else {
        return;
    };
    let (content, said) = promtool.run(["check", "metrics"], &text).unwrap();
    assert!(content && said.trim().is_empty(), "{said}");
}
