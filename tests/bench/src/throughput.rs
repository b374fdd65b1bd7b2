//! How many a second, from a full stream.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use hollowtrees_bench::table::Table;
use hollowtrees_bus::read::{From, Until};
use hollowtrees_runtime::{
    metrics::Metrics,
    process::Identity,
    worker::{Failure, Handler, Job, Kind, Report, Settings, serve},
};
use hollowtrees_schemas::{names::Stream, outgoing::Outgoing, proto};
use tokio_util::sync::CancellationToken;

use crate::{
    floor::Bare,
    setup::{self, Setup},
};

const IN_FLIGHT: usize = 256;

/// The router against a bare loop with the same writes, and one publish a notice beside them.
pub(crate) async fn router(table: &mut Table, count: usize) -> Result<()> {
    let ours = {
        let setup = Setup::start().await?;
        fill(&setup, count, setup::notice).await?;
        let began = Instant::now();
        let _router = setup.router().await?;
        // Its start is not its work: the clock begins with the first action.
        let first = stored(&setup, Stream::Actions, 1).await?;
        let last = stored(&setup, Stream::Incidents, 2 * count).await?;
        last.duration_since(first.max(began))
    };
    let floor = {
        let setup = Setup::start().await?;
        fill(&setup, count, setup::notice).await?;
        let bare = Bare::connect(&setup.nats.url()).await?;
        let began = Instant::now();
        bare.take(
            "HT_NOTICES",
            "router-notices",
            count,
            IN_FLIGHT,
            Bare::work_on_notice,
        )
        .await?;
        began.elapsed()
    };
    table.rate("router, notices", count, ours, floor, Some(0.6));
    let one_publish = {
        let setup = Setup::start().await?;
        fill(&setup, count, setup::notice).await?;
        let bare = Bare::connect(&setup.nats.url()).await?;
        let began = Instant::now();
        bare.take(
            "HT_NOTICES",
            "router-notices",
            count,
            IN_FLIGHT,
            |bare, instance| async move {
                let action = setup::action(&instance)?;
                bare.publish(action.subject.to_string(), &action).await
            },
        )
        .await?;
        began.elapsed()
    };
    table.rate(
        "router, beside one publish a notice",
        count,
        ours,
        one_publish,
        None,
    );
    Ok(())
}

struct Empty;

impl Handler for Empty {
    async fn handle(&self, _: Job) -> Result<Report, Failure> {
        Ok(Report::succeeded("Nothing was asked."))
    }
}

/// The worker loop with an empty handler against a bare loop with the same writes.
pub(crate) async fn worker(table: &mut Table, count: usize) -> Result<()> {
    let ours = {
        let setup = Setup::start().await?;
        fill(&setup, count, setup::action).await?;
        let identity = Identity::new("work", "0.0.0");
        let process = proto::Worker {
            kind: "work".to_owned(),
            process: identity.id.to_string(),
            version: String::new(),
        };
        let metrics = Metrics::new(&identity)?;
        let stop = CancellationToken::new();
        let settings = Settings {
            running: IN_FLIGHT,
            ..Settings::new("work", vec![Kind::new("work")])
        };
        let (bus, stopping) = (setup.another().await?, stop.clone());
        let began = Instant::now();
        let worker =
            tokio::spawn(
                async move { serve(bus, Empty, settings, process, &metrics, stopping, |_| {}).await },
            );
        let ended = stored(&setup, Stream::Outcomes, count).await?;
        stop.cancel();
        worker.await??;
        ended.duration_since(began)
    };
    let floor = {
        let setup = Setup::start().await?;
        fill(&setup, count, setup::action).await?;
        let bare = Bare::connect(&setup.nats.url()).await?;
        let began = Instant::now();
        bare.take(
            "HT_ACTIONS",
            "work",
            count,
            IN_FLIGHT,
            |bare, instance| async move {
                let revision = bare.claim(&instance).await?;
                bare.conclude(&instance, revision, &setup::action(&instance)?)
                    .await
            },
        )
        .await?;
        began.elapsed()
    };
    table.rate("worker loop, empty handler", count, ours, floor, None);
    Ok(())
}

async fn fill(setup: &Setup, count: usize, message: impl Fn(&str) -> Result<Outgoing>) -> Result<()> {
    let all: Vec<Outgoing> = (0..count)
        .map(|number| message(&format!("i-{number}")))
        .collect::<Result<_>>()?;
    stream::iter(all)
        .map(|out| {
            let bus = setup.bus.clone();
            async move { bus.publish(&out, None).await }
        })
        .buffer_unordered(IN_FLIGHT)
        .try_for_each(async |_| Ok(()))
        .await?;
    Ok(())
}

/// When the stream had its `count`th message.
async fn stored(setup: &Setup, stream: Stream, count: usize) -> Result<Instant> {
    let bus = setup.another().await?;
    let mut reading = bus.read(stream, &[], From::First, Until::Stopped).await?;
    for _ in 0..count {
        tokio::time::timeout(Duration::from_secs(300), reading.next()).await??;
    }
    Ok(Instant::now())
}
