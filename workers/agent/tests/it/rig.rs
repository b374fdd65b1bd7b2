//! An agent as a process, and what it says on the bus.

use std::{net::SocketAddr, time::Duration};

use hollowtrees_bus::{
    Bus, Deliveries, Options, apply,
    topology::{Consumer, Profile},
};
use hollowtrees_harness::{Nats, Worker, eventually, http_get, ports::Port};
use hollowtrees_schemas::{envelope::Envelope, proto};
use jiff::Timestamp;

/// What is awaited comes sooner, also on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// An agent that reads fifty times a second.
pub(crate) struct Agent {
    pub(crate) worker: Worker,
    pub(crate) health: Port,
}

pub(crate) fn agent(metadata: &str, bus: &str, env: &[(&str, &str)]) -> Agent {
    let health = Port::reserve().unwrap();
    let mut builder = Worker::builder("agent", env!("CARGO_BIN_EXE_hollowtrees-agent"))
        .env("HT_CLUSTER", "blue")
        .env("HT_NODE", "ip-10-0-0-1")
        .env("HT_NATS__URL", bus)
        .env("HT_PROVIDER", "aws")
        .env("HT_METADATA__URL", metadata)
        .env("HT_METADATA__TIMEOUT", "300ms")
        .env("HT_POLL__INTERVAL", "20ms")
        .env("HT_POLL__REBALANCE", "20ms")
        .env("HT_POLL__LIFECYCLE", "20ms")
        .env("HT_POLL__MAINTENANCE", "20ms")
        .env("HT_HEALTH__LISTEN", health.addr().to_string());
    for (name, value) in env {
        builder = builder.env(name, value);
    }
    Agent {
        worker: builder.start().unwrap(),
        health,
    }
}

impl Agent {
    pub(crate) async fn ready(&self) {
        self.worker
            .ready(&format!("http://{}/readyz", self.health.addr()), LIMIT)
            .await
            .unwrap();
    }

    pub(crate) async fn listens(&self) {
        eventually("the agent to listen", LIMIT, || async {
            http_get::get(&format!("http://{}/livez", self.health.addr()))
                .await
                .map(|_| ())
        })
        .await;
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        get(self.health.addr(), path).await
    }

    /// The samples of a metric, as written.
    pub(crate) async fn samples(&self, name: &str) -> Vec<String> {
        let (_, text) = self.get("/metrics").await;
        let ours =
            |line: &&str| line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} "));
        text.lines().filter(ours).map(str::to_owned).collect()
    }

    /// Waits for one more error of this kind than there were.
    pub(crate) async fn meets(&self, kind: &str) {
        self.meets_at(kind, "metadata").await;
    }

    /// The same at another stage.
    pub(crate) async fn meets_at(&self, kind: &str, stage: &str) {
        let wanted = format!("hollowtrees_errors_total{{error_type=\"{kind}\",stage=\"{stage}\"}} ");
        let count = async || {
            let samples = self.samples("hollowtrees_errors_total").await;
            let count = samples
                .iter()
                .find_map(|sample| sample.strip_prefix(&wanted)?.parse::<u64>().ok());
            (count.unwrap_or(0), samples)
        };
        // Two: the first may have been on its way already.
        let (before, _) = count().await;
        eventually(format!("two more errors of type {kind}"), LIMIT, || async {
            let (now, samples) = count().await;
            if now >= before + 2 {
                Ok(())
            } else {
                Err(format!("{samples:?}"))
            }
        })
        .await;
    }

    /// Waits for this sample among all.
    pub(crate) async fn counts(&self, sample: &str) {
        eventually(sample.to_owned(), LIMIT, || async {
            let answer = http_get::get(&format!("http://{}/metrics", self.health.addr())).await;
            let (_, body) = answer.map_err(|error| error.to_string())?;
            let text = String::from_utf8_lossy(&body).into_owned();
            if text.lines().any(|line| line == sample) {
                Ok(())
            } else {
                Err(text)
            }
        })
        .await;
    }

    pub(crate) async fn shows(&self, name: &str, sample: &str) {
        eventually(format!("the agent to show {sample}"), LIMIT, || async {
            let samples = self.samples(name).await;
            if samples == [sample] {
                Ok(())
            } else {
                Err(format!("{samples:?}"))
            }
        })
        .await;
    }
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let (status, body) = http_get::get(&format!("http://{address}{path}")).await.unwrap();
    (status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
}

/// What arrives on the stream of notices.
pub(crate) struct Stream(Deliveries);

impl Stream {
    pub(crate) async fn of(nats: &Nats) -> Self {
        Self::with(&Options::new(nats.url())).await
    }

    pub(crate) async fn with(options: &Options) -> Self {
        let bus = Bus::connect(options).await.unwrap();
        let consumer = Consumer::router_notices();
        apply::apply(&bus, Profile::LOCAL, std::slice::from_ref(&consumer))
            .await
            .unwrap();
        Self(bus.consume(&consumer, 100).await.unwrap())
    }

    pub(crate) async fn next(&mut self) -> Envelope<proto::Notice> {
        tokio::time::timeout(LIMIT, self.whenever())
            .await
            .expect("a notice within 20 s")
    }

    /// The next one, however long it takes.
    pub(crate) async fn whenever(&mut self) -> Envelope<proto::Notice> {
        let delivery = self.0.next().await;
        let envelope = Envelope::decode(&delivery.wire).unwrap();
        delivery.ack().await;
        envelope
    }

    /// Nothing more comes within a second.
    pub(crate) async fn is_silent(&mut self) {
        if let Ok(delivery) = tokio::time::timeout(Duration::from_secs(1), self.0.next()).await {
            panic!("another message: {} {:?}", delivery.subject, delivery.wire);
        }
    }
}

/// Providers give whole seconds.
#[track_caller]
pub(crate) fn goes_at(notice: &proto::Notice, expected: Timestamp) {
    let seconds = notice.deadline.as_ref().unwrap().seconds;
    assert!(
        (0..=1).contains(&(expected.as_second() - seconds)),
        "{seconds}, not {expected}"
    );
}
