//! The binary itself: ready, stopped in its tracks, killed, told to go.

use std::time::Duration;

use hollowtrees_bus::topology::Consumer;
use hollowtrees_harness::{Worker, eventually, http_get, ports::Port, promtool::Promtool, supervise::Signal};
use hollowtrees_metrics::{claim::Counted, spans::Spans};
use hollowtrees_schemas::{names::Stream, proto};

use crate::world::{BOUND, World, counted, ended, outcome, value};

const NOTICES: Stream = Stream::Notices;

struct Process {
    worker: Worker,
    port: Port,
}

impl Process {
    async fn start(world: &World, env: &[(&str, &str)]) -> Self {
        let port = Port::reserve().unwrap();
        let binary = env!("CARGO_BIN_EXE_hollowtrees-metrics");
        let mut builder = Worker::builder("metrics", binary)
            .env("HT_NATS__URL", world.nats.url())
            .env("HT_HEALTH__LISTEN", port.addr().to_string())
            .env("HT_METRICS__POLL_EVERY", "200ms");
        for (key, value) in env {
            builder = builder.env(key, value);
        }
        let worker = builder.start().unwrap();
        let process = Self { worker, port };
        process
            .worker
            .ready(&process.url("/readyz"), BOUND)
            .await
            .unwrap();
        process
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.port.addr())
    }

    async fn scrape(&self) -> String {
        let (status, body) = http_get::get(&self.url("/metrics")).await.unwrap();
        assert!(status.is_success(), "{status}");
        String::from_utf8(body.to_vec()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_nothing_to_say_and_a_drain_ends_well() {
    let world = World::new().await;
    world.notices(0, 20).await;
    for (result, reason) in [
        ("progress", "cordoned"),
        ("succeeded", ""),
        ("failed", "deadline"),
        ("expired", "deadline"),
    ] {
        let outcome = proto::Outcome {
            reason: reason.to_owned(),
            ..outcome(&format!("a-{result}"), result)
        };
        world.send(ended(outcome)).await;
    }
    let process = Process::start(&world, &[]).await;
    let text = eventually("the process to have looked at everything", BOUND, || async {
        let text = process.scrape().await;
        let looked = value(&text, "hollowtrees_metrics_polled_timestamp_seconds").unwrap_or(0.0);
        (counted(&text, NOTICES) == 20 && counted(&text, Stream::Outcomes) == 4 && looked > 1.6e9)
            .then(|| text.clone())
            .ok_or(text)
    })
    .await;
    for series in [
        "hollowtrees_progress_total{action=\"drain\",reason=\"cordoned\"}",
        "hollowtrees_unsuccessful_total{action=\"drain\",result=\"failed\"}",
        "hollowtrees_unsuccessful_total{action=\"drain\",result=\"expired\"}",
        "hollowtrees_notice_to_drained_seconds_count{provider=\"aws\",result=\"succeeded\"}",
    ] {
        assert_eq!(value(&text, series), Some(1.0), "{series} in\n{text}");
    }
    if let Some(promtool) = Promtool::find() {
        let (content, said) = promtool.run(["check", "metrics"], &text).unwrap();
        assert!(content, "{said}");
        assert_eq!(said.trim(), "", "{said}");
    }
    process.worker.signal(Signal::TERM).unwrap();
    let status = process.worker.exited(Duration::from_secs(20)).await.unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_stopped_past_its_time_counts_nothing_twice() {
    let world = World::new().await;
    let a = Process::start(&world, &[("HT_METRICS__LINGER", "2s")]).await;
    let name = Consumer::metrics(NOTICES).name;
    // On a busy machine a batch may be claimed before its holder is stopped: then with the next one.
    let mut sent = 0;
    loop {
        world.notices(sent, 50).await;
        sent += 50;
        let last = u64::try_from(sent).unwrap();
        eventually("a batch to be held", BOUND, || async {
            let state = world.consumer(NOTICES, &name).await;
            (state.delivered == last).then_some(()).ok_or(state.delivered)
        })
        .await;
        a.worker.pause().unwrap();
        if world.consumer(NOTICES, &name).await.ack_pending == 50 && !is_claimed(&world, last).await {
            break;
        }
        a.worker.resume().unwrap();
        world.all_taken(NOTICES).await;
        assert!(sent < 500, "no batch was caught before it was claimed");
    }
    let by_a = u64::try_from(sent).unwrap() - 50;
    let b = Process::start(&world, &[]).await;
    eventually("the other process to count them", BOUND, || async {
        let so_far = counted(&b.scrape().await, NOTICES);
        (so_far == 50).then_some(()).ok_or(so_far)
    })
    .await;
    a.worker.resume().unwrap();
    let repeated = "hollowtrees_metrics_repeated_total{stream=\"HT_NOTICES\"}";
    eventually("the stopped process to find them counted", BOUND, || async {
        let text = a.scrape().await;
        (value(&text, repeated) >= Some(50.0)).then_some(()).ok_or(text)
    })
    .await;
    world.all_taken(NOTICES).await;
    let both = [
        counted(&a.scrape().await, NOTICES),
        counted(&b.scrape().await, NOTICES),
    ];
    assert_eq!(both, [by_a, 50]);
}

async fn is_claimed(world: &World, sequence: u64) -> bool {
    let record = world.bus.metrics::<Counted>().get(NOTICES.name()).await.unwrap();
    let Some(record) = record else { return false };
    let record = serde_json::to_value(record.value).unwrap();
    let spans: Spans = serde_json::from_value(record["spans"].clone()).unwrap();
    spans.contains(sequence)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_and_started_again_sums_to_no_more() {
    let world = World::new().await;
    let small = [
        ("HT_METRICS__ACCEPTED", "64"),
        ("HT_METRICS__BATCH", "32"),
        ("HT_METRICS__LINGER", "20ms"),
    ];
    let (a, b) = (
        Process::start(&world, &small).await,
        Process::start(&world, &small).await,
    );
    let publishing = async { world.notices(0, 1_000).await };
    let killing = async {
        let last = eventually("the first process to have counted some", BOUND, || async {
            let so_far = counted(&a.scrape().await, NOTICES);
            (so_far >= 100).then_some(so_far).ok_or(so_far)
        })
        .await;
        a.worker.kill();
        last
    };
    let ((), exported) = tokio::join!(publishing, killing);
    world.all_taken(NOTICES).await;
    let of_b = counted(&b.scrape().await, NOTICES);
    assert!(exported + of_b <= 1_000, "{exported} + {of_b}");
    a.worker.restart().unwrap();
    a.worker.ready(&a.url("/readyz"), BOUND).await.unwrap();
    world.notices(1_000, 200).await;
    world.all_taken(NOTICES).await;
    let after = counted(&a.scrape().await, NOTICES) + counted(&b.scrape().await, NOTICES);
    assert_eq!(after, of_b + 200);
}
