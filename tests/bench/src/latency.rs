//! Notice published -> handler started.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hollowtrees_bench::{sample::Latencies, table::Table};
use hollowtrees_bus::Bus;
use hollowtrees_harness::Worker;
use hollowtrees_runtime::{
    metrics::Metrics,
    process::Identity,
    worker::{Failure, Handler, Job, Kind, Report, Settings, serve},
};
use hollowtrees_schemas::proto;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    floor::Bare,
    roles::Role,
    setup::{self, Process, Setup},
};

/// When each instance's notice was sent; shared by who sends and who measures.
type Sent = Arc<Mutex<HashMap<String, Instant>>>;

/// Measures from the sending of the notice to its own start.
struct Measuring {
    sent: Sent,
    measured: mpsc::Sender<Duration>,
}

impl Handler for Measuring {
    async fn handle(&self, job: Job) -> Result<Report, Failure> {
        measure(&self.sent, &self.measured, &job.action().instance).await;
        Ok(Report::succeeded("Measured."))
    }
}

async fn measure(sent: &Sent, measured: &mpsc::Sender<Duration>, instance: &str) {
    let now = Instant::now();
    let began = sent
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(instance)
        .copied();
    if let Some(began) = began {
        measured.send(now.duration_since(began)).await.unwrap_or_default();
    }
}

/// A system that waits: one notice, and the next when all that follows from it has ended. Ours and the floor take
/// turns, so that whatever else the machine does falls on both.
pub(crate) async fn idle(table: &mut Table, count: usize) -> Result<()> {
    let mut ours = Box::pin(System::ours(count)).await?;
    let mut floor = Box::pin(System::floor(count)).await?;
    let mut times = (Vec::with_capacity(count), Vec::with_capacity(count));
    for number in 0..WARM + count {
        let pair = (ours.one(number).await?, floor.one(number).await?);
        if number >= WARM {
            times.0.push(pair.0);
            times.1.push(pair.1);
        }
    }
    let bars = [Some(Duration::from_micros(500)), Some(Duration::from_millis(2))];
    let (ours, floor) = (Latencies::of(times.0), Latencies::of(times.1));
    table.latencies("notice -> handler, idle", &ours, &floor, bars);
    Ok(())
}

/// A system under load: notices at a steady rate.
pub(crate) async fn loaded(table: &mut Table, count: usize, per_second: u32) -> Result<()> {
    let pace = Duration::from_secs(1) / per_second;
    let ours = Box::pin(System::ours(count)).await?.paced(count, pace).await?;
    let floor = Box::pin(System::floor(count)).await?.paced(count, pace).await?;
    table.latencies(
        &format!("notice -> handler, {per_second}/s"),
        &ours,
        &floor,
        [None, None],
    );
    Ok(())
}

/// Notices sent before the measuring begins.
const WARM: usize = 50;
/// Pause of the idle system after each handler: what follows from it (outcome, run, events) has ended by then.
const SETTLE: Duration = Duration::from_millis(20);

/// A server, a router and a worker that measures.
struct System {
    publisher: Publisher,
    sent: Sent,
    measured: mpsc::Receiver<Duration>,
    _worker: AbortOnDropHandle<Result<()>>,
    _router: Router,
    _setup: Setup,
}

enum Publisher {
    Ours(Bus),
    Bare(Box<Bare>),
}

/// A process, stopped when dropped.
enum Router {
    Ours(#[expect(dead_code, reason = "held")] Process),
    Bare(#[expect(dead_code, reason = "held")] Worker),
}

impl System {
    /// Room for `count` measurements.
    async fn ours(count: usize) -> Result<Self> {
        let setup = Setup::start().await?;
        let router = setup.router().await?;
        let (sent, (measured, results)) = (Sent::default(), mpsc::channel(count + WARM));
        let handler = Measuring {
            sent: Arc::clone(&sent),
            measured,
        };
        let identity = Identity::new("work", "0.0.0");
        let process = proto::Worker {
            kind: "work".to_owned(),
            process: identity.id.to_string(),
            version: String::new(),
        };
        let metrics = Metrics::new(&identity)?;
        let settings = Settings::new("work", vec![Kind::new("work")]);
        let bus = setup.another().await?;
        let worker = tokio::spawn(async move {
            let stop = CancellationToken::new();
            Ok(serve(bus, handler, settings, process, &metrics, stop, |_| {}).await?)
        });
        Ok(Self {
            publisher: Publisher::Ours(setup.bus.clone()),
            sent,
            measured: results,
            _worker: AbortOnDropHandle::new(worker),
            _router: Router::Ours(router),
            _setup: setup,
        })
    }

    /// The same processes and calls, on the bare client.
    async fn floor(count: usize) -> Result<Self> {
        let setup = Setup::start().await?;
        let router = Role::bare_router(&setup.nats.url())?;
        let (sent, (measured, results)) = (Sent::default(), mpsc::channel(count + WARM));
        let working = Bare::connect(&setup.nats.url()).await?;
        let noting = Arc::clone(&sent);
        let work = move |bare: Bare, instance: String| {
            let (sent, measured) = (Arc::clone(&noting), measured.clone());
            async move {
                let revision = bare.claim(&instance).await?;
                measure(&sent, &measured, &instance).await;
                let outcome = setup::action(&instance)?;
                bare.conclude(&instance, revision, &outcome).await
            }
        };
        let worker =
            tokio::spawn(async move { working.take("HT_ACTIONS", "work", usize::MAX, 64, work).await });
        Ok(Self {
            publisher: Publisher::Bare(Box::new(Bare::connect(&setup.nats.url()).await?)),
            sent,
            measured: results,
            _worker: AbortOnDropHandle::new(worker),
            _router: Router::Bare(router),
            _setup: setup,
        })
    }

    async fn send(&self, number: usize) -> Result<()> {
        let instance = format!("i-{number}");
        self.sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(instance.clone(), Instant::now());
        let notice = setup::notice(&instance)?;
        match &self.publisher {
            Publisher::Ours(bus) => bus.publish(&notice, None).await.map(drop)?,
            Publisher::Bare(bare) => bare.publish(notice.subject.to_string(), &notice).await?,
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Duration> {
        self.measured.recv().await.context("the worker has ended")
    }

    /// Sends a notice to an idle system, and lets it become idle again.
    async fn one(&mut self, number: usize) -> Result<Duration> {
        self.send(number).await?;
        let latency = self.next().await?;
        tokio::time::sleep(SETTLE).await;
        Ok(latency)
    }

    /// Sends notices at a steady rate.
    async fn paced(mut self, count: usize, pace: Duration) -> Result<Latencies> {
        for number in 0..WARM {
            self.send(number).await?;
            self.next().await?;
        }
        let began = tokio::time::Instant::now();
        for number in 0..count {
            let due = began + pace * u32::try_from(number).unwrap_or(u32::MAX);
            tokio::time::sleep_until(due).await;
            self.send(WARM + number).await?;
        }
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            all.push(self.next().await?);
        }
        Ok(Latencies::of(all))
    }
}
