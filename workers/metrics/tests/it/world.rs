//! A bus, messages on it, and replicas that count them.

use std::time::Duration;

use hollowtrees_bus::{
    Bus, Options, apply,
    lag::ConsumerState,
    topology::{self, Consumer, Profile},
};
use hollowtrees_harness::{Nats, eventually};
use hollowtrees_metrics::{config, part::Part};
use hollowtrees_runtime::{Failure, config::Loader, health::Checks, metrics::Metrics, process::Identity};
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    names::Stream,
    outgoing::{self, Outgoing},
    proto::{self, time::to_proto},
};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) bus: Bus,
    pub(crate) nats: Nats,
}

/// A replica in this process, with metrics that outlive it.
pub(crate) struct Replica {
    metrics: Metrics,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Failure>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let nats = Nats::start().await.unwrap();
        let bus = connect(&nats.url()).await;
        apply::apply(&bus, Profile::LOCAL, &topology::consumers())
            .await
            .unwrap();
        Self { bus, nats }
    }

    pub(crate) async fn replica(&self) -> Replica {
        Replica::start(&self.nats.url(), settings(&[])).await
    }

    pub(crate) async fn send(&self, out: Outgoing) {
        self.bus.publish(&out, None).await.unwrap();
    }

    /// Publishes notices about instances `i-<first>` and on.
    pub(crate) async fn notices(&self, first: usize, count: usize) {
        for number in first..first + count {
            self.send(notice_about(&format!("i-{number}"))).await;
        }
    }

    pub(crate) async fn consumer(&self, stream: Stream, name: &str) -> ConsumerState {
        let states = self.bus.consumer_states(stream).await.unwrap();
        states.into_iter().find(|state| state.name == name).unwrap()
    }

    /// Waits until the metrics consumer of a stream has nothing left.
    pub(crate) async fn all_taken(&self, stream: Stream) {
        let name = Consumer::metrics(stream).name;
        eventually(format!("{name} to have nothing left"), BOUND, || async {
            let state = self.consumer(stream, &name).await;
            if state.pending == 0 && state.ack_pending == 0 {
                Ok(())
            } else {
                Err(format!("{state:?}"))
            }
        })
        .await;
    }
}

impl Replica {
    pub(crate) async fn start(url: &str, settings: config::Metrics) -> Self {
        let bus = connect(url).await;
        let identity = Identity::new("metrics", "0.0.0");
        let metrics = Metrics::new(&identity).unwrap();
        let part = Part {
            bus,
            settings,
            worker: proto::Worker {
                kind: "metrics".to_owned(),
                process: identity.id.to_string(),
                version: "0.0.0".to_owned(),
            },
            metrics: metrics.clone(),
            checks: Checks::default(),
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(part.work(stop.clone()));
        Self { metrics, stop, task }
    }

    pub(crate) fn text(&self) -> String {
        self.metrics.encode().unwrap()
    }

    /// Value of one series, written as in a scrape; 0 where it is not there.
    pub(crate) fn value(&self, series: &str) -> f64 {
        value(&self.text(), series).unwrap_or(0.0)
    }

    /// Messages of a stream this replica counted.
    pub(crate) fn counted(&self, stream: Stream) -> u64 {
        counted(&self.text(), stream)
    }

    /// Waits until a series has this value.
    pub(crate) async fn shows(&self, series: &str, expected: f64) {
        eventually(format!("{series} to be {expected}"), BOUND, || async {
            let found = value(&self.text(), series);
            if found == Some(expected) {
                Ok(())
            } else {
                Err(format!("{found:?}"))
            }
        })
        .await;
    }

    pub(crate) async fn stop(self) -> String {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        self.metrics.encode().unwrap()
    }

    /// As a crash: no word to anyone; what it had counted by then.
    pub(crate) async fn crash(self) -> String {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.metrics.encode().unwrap()
    }
}

pub(crate) async fn connect(url: &str) -> Bus {
    Bus::connect(&Options::new(url)).await.unwrap()
}

pub(crate) fn settings(env: &[(&str, &str)]) -> config::Metrics {
    let fast = [("HT_METRICS__POLL_EVERY", "100ms")];
    let env = fast
        .iter()
        .chain(env)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let loaded = Loader::new(config::DEFAULTS).env(env.collect()).load();
    loaded
        .map(|config: hollowtrees_runtime::config::Config<config::Settings>| config.own.metrics)
        .unwrap()
}

pub(crate) fn value(text: &str, series: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

pub(crate) fn counted(text: &str, stream: Stream) -> u64 {
    let series = format!("hollowtrees_metrics_counted_total{{stream=\"{stream}\"}}");
    value(text, &series).unwrap_or(0.0) as u64
}

pub(crate) fn notice(instance: &str) -> proto::Notice {
    proto::Notice {
        cluster: "prod".to_owned(),
        provider: "aws".to_owned(),
        instance: instance.to_owned(),
        kind: "spot-interruption".to_owned(),
        ..proto::Notice::default()
    }
}

pub(crate) fn told(notice: proto::Notice) -> Outgoing {
    outgoing::notice(&envelope::notice(notice, "/aws/1/eu/imds"), DataFormat::Json).unwrap()
}

pub(crate) fn notice_about(instance: &str) -> Outgoing {
    told(notice(instance))
}

/// Publishes notices about one instance; a subject keeps its newest 256.
pub(crate) async fn babble(world: &World, first: i64, count: i64) {
    for number in first..first + count {
        let notice = proto::Notice {
            deadline: Some(pbjson_types::Timestamp {
                seconds: 2_000_000_000 + number,
                nanos: 0,
            }),
            ..notice("i-babbling")
        };
        world.send(told(notice)).await;
    }
}

/// So many seconds after the notice that all outcomes here are about.
pub(crate) fn second(second: i64) -> Option<pbjson_types::Timestamp> {
    Some(to_proto(base() + SignedDuration::from_secs(second)))
}

fn base() -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap()
}

/// An outcome of a drain, told in time.
pub(crate) fn outcome(id: &str, result: &str) -> proto::Outcome {
    proto::Outcome {
        action_id: id.to_owned(),
        cluster: "prod".to_owned(),
        kind: "drain".to_owned(),
        instance: "i-1".to_owned(),
        result: result.to_owned(),
        provider: "aws".to_owned(),
        deadline: second(120),
        times: Some(proto::Times {
            noticed_at: second(0),
            accepted_at: second(1),
            cordoned_at: second(2),
            ended_at: second(80),
            ..proto::Times::default()
        }),
        ..proto::Outcome::default()
    }
}

pub(crate) fn ended(outcome: proto::Outcome) -> Outgoing {
    outgoing::outcome(
        &envelope::outcome(outcome, "/hollowtrees/prod/drain"),
        DataFormat::Json,
    )
    .unwrap()
}
