//! The process: connects, starts the parts, and stops them in order.

use std::{sync::Arc, time::Duration};

use hollowtrees_bus::{apply, liveness::Lease, topology::Consumer};
use hollowtrees_runtime::{Context, Failure, bus, exit::Code, health::Check};
use hollowtrees_schemas::proto;
use jiff::Timestamp;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    config::Settings,
    core::Core,
    index::Index,
    intake::{self, Feed},
    lanes::Lanes,
    purge,
    rulebook::Rulebook,
    telemetry::Telemetry,
};

/// How often readiness is looked at.
const READY_EVERY: Duration = Duration::from_millis(500);
/// What is left of the grace is divided so that the last words still go out.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs until it is told to drain.
///
/// # Errors
/// The rules are wrong, the bus refuses this process, or its streams are not as declared.
pub async fn run(context: Context<Settings>) -> Result<(), Failure> {
    let settings = &context.config.own;
    let ready = context.checks.register("router");
    let rulebook = Rulebook::open(settings.rules.file.clone())
        .await
        .map_err(|error| Failure::new(Code::Refused, error))?;
    let rulebook = Arc::new(rulebook);
    let bus = bus::connect(&context).await?;
    context.checks.complete();
    apply::verify(&bus)
        .await
        .map_err(|error| Failure::unavailable(&error))?;
    let me = proto::Worker {
        kind: context.identity.kind.to_owned(),
        process: context.identity.id.to_string(),
        version: context.identity.version.to_owned(),
    };
    let liveness = proto::Liveness {
        worker: Some(me.clone()),
        serves: Vec::new(),
        started_at: Some(proto::time::to_proto(Timestamp::now())),
        takes_at: String::new(),
    };
    let core = Arc::new(Core {
        lease: Lease::register(&bus, &liveness).await?,
        telemetry: Telemetry::register(&context.metrics)?,
        bus,
        me,
        rulebook,
        index: Index::default(),
        lanes: Lanes::default(),
        format: settings.router.format.into(),
    });
    core.telemetry
        .rules_in_force(core.rulebook.rules().as_slice().len());
    let weak = Arc::downgrade(&core);
    context.metrics.before_scrape(move || {
        if let Some(core) = weak.upgrade() {
            core.telemetry.records(core.index.sizes());
        }
    });
    serve(&context, Arc::clone(&core), ready).await?;
    core.lease.release().await;
    core.bus.flush(LAST_WORDS).await;
    Ok(())
}

async fn serve(context: &Context<Settings>, core: Arc<Core>, ready: Check) -> Result<(), Failure> {
    let settings = &context.config.own;
    let stop = CancellationToken::new();
    let (mut taking, mut troubles) = (Vec::new(), Vec::new());
    for (feed, consumer) in [
        (Feed::Notices, Consumer::router_notices()),
        (Feed::Outcomes, Consumer::router_outcomes()),
    ] {
        let deliveries = core
            .bus
            .consume(&consumer, settings.router.accepted)
            .await
            .map_err(|error| Failure::unavailable(&error))?;
        troubles.push(deliveries.trouble());
        let part = intake::take(Arc::clone(&core), feed, deliveries, stop.clone());
        taking.push(tokio::spawn(part));
    }
    let timing = clock::keep(Arc::clone(&core), settings.router.acting, stop.clone());
    taking.push(tokio::spawn(timing));
    let background = [
        tokio::spawn(clock::follow_incidents(Arc::clone(&core))),
        tokio::spawn(clock::follow_runs(Arc::clone(&core))),
        tokio::spawn(tell_readiness(Arc::clone(&core), ready, troubles)),
        tokio::spawn(purge::forget(Arc::clone(&core))),
        tokio::spawn(watch_rules(Arc::clone(&core), settings.rules.check_every)),
    ];

    let ended = tokio::select! {
        () = context.shutdown.draining() => None,
        ended = first_to_end(&mut taking, &background) => Some(ended),
    };
    stop.cancel();
    if let Some(part) = ended {
        let text =
            format!("the part `{part}` of the router ended by itself; this is a defect, please report it");
        return Err(Failure::new(Code::Failed, text));
    }
    let left = context.shutdown.left().saturating_sub(LAST_WORDS);
    let rest = futures::future::join_all(taking);
    if tokio::time::timeout(left, rest).await.is_err() {
        tracing::warn!("Not everything was done in time; the bus hands out the rest again.");
    }
    for task in &background {
        task.abort();
    }
    Ok(())
}

/// None of the parts ends while the process is to run.
async fn first_to_end(
    taking: &mut [tokio::task::JoinHandle<()>],
    background: &[tokio::task::JoinHandle<()>],
) -> &'static str {
    let mut ticks = tokio::time::interval(Duration::from_millis(250));
    loop {
        ticks.tick().await;
        if taking.iter().any(tokio::task::JoinHandle::is_finished) {
            return "intake or clock";
        }
        if background.iter().any(tokio::task::JoinHandle::is_finished) {
            return "watch or purge";
        }
    }
}

/// Ready is who knows the records and is given messages.
async fn tell_readiness(core: Arc<Core>, ready: Check, troubles: Vec<watch::Receiver<Option<String>>>) {
    let mut ticks = tokio::time::interval(READY_EVERY);
    loop {
        ticks.tick().await;
        let trouble = troubles.iter().find_map(|trouble| trouble.borrow().clone());
        match trouble {
            Some(trouble) => ready.fail(trouble),
            None if core.index.is_complete() => ready.pass(),
            None => ready.fail("the records are not all read yet"),
        }
        core.telemetry.clock_is_off_by(core.lease.clock_offset());
    }
}

async fn watch_rules(core: Arc<Core>, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    let mut hangups = signal(SignalKind::hangup()).ok();
    loop {
        let hangup = async {
            match hangups.as_mut() {
                Some(hangups) => hangups.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = ticks.tick() => {}
            _ = hangup => {}
        }
        core.telemetry.reloaded(&core.rulebook.reload().await);
    }
}
