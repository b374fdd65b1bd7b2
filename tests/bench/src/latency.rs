//! Notice published -> handler started.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use hollowtrees_runtime::{
    metrics::Metrics,
    process::Identity,
    worker::{Failure, Handler, Job, Kind, Report, Settings, serve},
};
use hollowtrees_schemas::proto;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    floor::Bare,
    sample::{Latencies, latency_rows},
    setup::{self, Setup},
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

/// A system that waits: one notice, and the next when its handler has started.
pub(crate) async fn idle(count: usize) -> Result<()> {
    let ours = Box::pin(ours(count, None)).await?;
    let floor = Box::pin(floor(count, None)).await?;
    let bars = [Some(Duration::from_micros(500)), Some(Duration::from_millis(2))];
    latency_rows("notice -> handler, idle", &ours, &floor, bars);
    Ok(())
}

/// A system under load: notices at a steady rate.
pub(crate) async fn loaded(count: usize, per_second: u32) -> Result<()> {
    let pace = Some(Duration::from_secs(1) / per_second);
    let ours = Box::pin(ours(count, pace)).await?;
    let floor = Box::pin(floor(count, pace)).await?;
    latency_rows(
        &format!("notice -> handler, {per_second}/s"),
        &ours,
        &floor,
        [None, None],
    );
    Ok(())
}

async fn ours(count: usize, pace: Option<Duration>) -> Result<Latencies> {
    let setup = Setup::start().await?;
    let _router = setup.router().await?;
    let (sent, (measured, results)) = (Sent::default(), mpsc::channel(count.max(1)));
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
    let stop = CancellationToken::new();
    let settings = Settings::new("work", vec![Kind::new("work")]);
    let (bus, stopping) = (setup.another().await?, stop.clone());
    let worker =
        tokio::spawn(async move { serve(bus, handler, settings, process, &metrics, stopping, |_| {}).await });
    let publisher = setup.bus.clone();
    let latencies = drive(count, pace, &sent, results, async |instance: String| {
        publisher.publish(&setup::notice(&instance)?, None).await?;
        Ok(())
    })
    .await?;
    stop.cancel();
    worker.await??;
    Ok(latencies)
}

async fn floor(count: usize, pace: Option<Duration>) -> Result<Latencies> {
    let setup = Setup::start().await?;
    let (sent, (measured, results)) = (Sent::default(), mpsc::channel(count.max(1)));
    let routing = Bare::connect(&setup.nats).await?;
    let working = Bare::connect(&setup.nats).await?;
    let all = count + WARM;
    let router = tokio::spawn(async move {
        routing
            .take(
                "HT_NOTICES",
                "router-notices",
                all,
                256,
                |bare, instance| async move {
                    let action = setup::action(&instance)?;
                    let revision = bare.route(&instance, &action).await?;
                    bare.note(&instance, revision, &action).await
                },
            )
            .await
    });
    let noting = Arc::clone(&sent);
    let worker = tokio::spawn(async move {
        working
            .take("HT_ACTIONS", "work", all, 64, move |bare, instance| {
                let (sent, measured) = (Arc::clone(&noting), measured.clone());
                async move {
                    let revision = bare.claim(&instance).await?;
                    measure(&sent, &measured, &instance).await;
                    bare.conclude(&instance, revision, &setup::action(&instance)?)
                        .await
                }
            })
            .await
    });
    let publisher = Bare::connect(&setup.nats).await?;
    let latencies = drive(count, pace, &sent, results, async |instance: String| {
        let notice = setup::notice(&instance)?;
        publisher.publish(notice.subject.to_string(), &notice).await
    })
    .await?;
    router.await??;
    worker.await??;
    Ok(latencies)
}

/// Pause after each handler of the idle system: what follows it (outcome, run, events) has ended by then.
const SETTLE: Duration = Duration::from_millis(20);
/// Notices sent before the measuring begins.
const WARM: usize = 50;

async fn drive(
    count: usize,
    pace: Option<Duration>,
    sent: &Sent,
    mut results: mpsc::Receiver<Duration>,
    publish: impl AsyncFn(String) -> Result<()>,
) -> Result<Latencies> {
    let mut all = Vec::with_capacity(count);
    let send = async |number: usize| {
        let instance = format!("i-{number}");
        sent.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(instance.clone(), Instant::now());
        publish(instance).await
    };
    for number in 0..WARM {
        send(number).await?;
        results.recv().await;
    }
    let Some(pace) = pace else {
        for number in WARM..WARM + count {
            send(number).await?;
            all.extend(results.recv().await);
            tokio::time::sleep(SETTLE).await;
        }
        return Ok(Latencies::of(all));
    };
    let sending = async {
        let began = tokio::time::Instant::now();
        for number in WARM..WARM + count {
            let due = began + pace * u32::try_from(number - WARM).unwrap_or(u32::MAX);
            tokio::time::sleep_until(due).await;
            send(number).await?;
        }
        Ok::<_, anyhow::Error>(())
    };
    let receiving = async {
        while all.len() < count {
            match results.recv().await {
                Some(latency) => all.push(latency),
                None => break,
            }
        }
    };
    let (sending, ()) = tokio::join!(sending, receiving);
    sending?;
    Ok(Latencies::of(all))
}
