//! Takes deliveries, keeps them alive while they are worked on, and settles each once.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use hollowtrees_bus::{
    Deliveries, Delivery,
    dead::{Class, Reason},
    delivery::Keepalive,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    core::{Core, jittered},
    notices, outcomes,
    trouble::{Refusal, Trouble},
};

/// Well within the five seconds of the consumers' `ack_wait`.
const KEEPALIVE_EVERY: Duration = Duration::from_millis(1_500);
/// A delivery is handed back after this long, so that it does not stay with a process that is stuck.
const AT_MOST: Duration = Duration::from_secs(60);
/// A dead letter that is not stored by then is tried again with its delivery.
const DEAD_LETTER_WITHIN: Duration = Duration::from_secs(30);
/// Starts that broke off after which a message counts as poison.
const POISON_AFTER: u32 = 3;

/// What the router takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feed {
    Notices,
    Outcomes,
}

impl Feed {
    /// The word in metrics and logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Notices => "notice",
            Self::Outcomes => "outcome",
        }
    }
}

/// Takes from a consumer until told to stop, then hands back what was not begun and waits for the rest.
pub(crate) async fn take(core: Arc<Core>, feed: Feed, mut deliveries: Deliveries, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let suspects = Arc::new(Suspects::default());
    loop {
        // The consumer hands out no more than it may hold, so the tasks are bounded.
        let delivery = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            delivery = deliveries.next() => delivery,
        };
        let (core, suspects) = (Arc::clone(&core), Arc::clone(&suspects));
        tasks.spawn(async move { work(&core, feed, delivery, &suspects).await });
    }
    deliveries.stop().await;
    tasks.close();
    tasks.wait().await;
}

/// Works on one delivery and settles it.
async fn work(core: &Core, feed: Feed, delivery: Delivery, suspects: &Suspects) {
    let keepalive = delivery.keepalive();
    let handled = {
        // A panic is caught here so that the message that leads to it can be told from others.
        let handling = std::panic::AssertUnwindSafe(handle(core, feed, &delivery)).catch_unwind();
        let handling = tokio::time::timeout(AT_MOST, handling);
        tokio::select! {
            handled = handling => handled,
            never = keep_alive(keepalive) => match never {},
        }
    };
    let result = match handled {
        Ok(Ok(result)) => result,
        Ok(Err(_panicked)) => Err(suspects.broke_off(&delivery)),
        Err(_elapsed) => Err(Refusal::Later(Trouble::Unavailable(format!(
            "not done within {} s",
            AT_MOST.as_secs()
        )))),
    };
    match result {
        Ok(()) => {
            core.telemetry.handled(feed, delivery.stored_at);
            delivery.ack().await;
        }
        Err(Refusal::Later(trouble)) => {
            core.telemetry.handed_back(feed, &delivery, &trouble);
            delivery.nak(jittered(trouble.delay())).await;
        }
        Err(Refusal::Dead { class, text, cluster }) => {
            bury(core, feed, delivery, class, text, &cluster).await;
        }
    }
}

/// Beside the handling, not within it: without a connection a touch waits, and the handling and its limit go
/// on all the same.
async fn keep_alive(keepalive: Option<Keepalive>) -> Infallible {
    let Some(keepalive) = keepalive else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(KEEPALIVE_EVERY).await;
        keepalive.touch().await;
    }
}

async fn handle(core: &Core, feed: Feed, delivery: &Delivery) -> Result<(), Refusal> {
    match feed {
        Feed::Notices => notices::handle(core, delivery).await,
        Feed::Outcomes => outcomes::handle(core, delivery).await,
    }
}

/// Keeps what nobody can use, then ends its delivery: never the other way round.
async fn bury(core: &Core, feed: Feed, delivery: Delivery, class: Class, text: String, cluster: &str) {
    let reason = Reason {
        class,
        text,
        attempts: u32::try_from(delivery.delivered).unwrap_or(u32::MAX),
        action_id: None,
        cluster,
        worker: &core.me,
    };
    match tokio::time::timeout(DEAD_LETTER_WITHIN, core.bus.dead_letter(&delivery, &reason)).await {
        Ok(Ok(_)) => {
            core.telemetry.buried(feed, &delivery, &reason);
            delivery.term().await;
        }
        Ok(Err(error)) => {
            let trouble = error.into();
            core.telemetry.handed_back(feed, &delivery, &trouble);
            delivery.nak(jittered(trouble.delay())).await;
        }
        Err(_elapsed) => delivery.nak(jittered(Duration::from_secs(5))).await,
    }
}

/// Messages whose handling broke off, by their sequence. In memory: a message that ends the whole process is
/// not told from others; with `unsafe` forbidden and sizes bounded none is known to.
#[derive(Debug, Default)]
struct Suspects(Mutex<HashMap<u64, u32>>);

impl Suspects {
    /// Most suspects remembered; beyond it all are forgotten.
    const MOST: usize = 10_000;

    fn broke_off(&self, delivery: &Delivery) -> Refusal {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= Self::MOST {
            counts.clear();
        }
        let count = counts.entry(delivery.sequence).or_default();
        *count += 1;
        if *count < POISON_AFTER {
            return Refusal::Later(Trouble::Unavailable("its handling broke off".to_owned()));
        }
        counts.remove(&delivery.sequence);
        Refusal::Dead {
            class: Class::Poison,
            text: format!("its handling broke off {POISON_AFTER} times; this is a defect, please report it"),
            cluster: String::new(),
        }
    }
}
