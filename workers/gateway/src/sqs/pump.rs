//! Polls a queue: one long poll while it is idle, more while they pay, no more than can be held.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hollowtrees_aws::{Queue, Refusal, Taken, queue::BATCH};
use hollowtrees_runtime::{Shutdown, health::Check};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    aws_events::Door,
    ingest::{Ingest, Origin},
};

use super::{
    WAY,
    delete::Deletions,
    gather::Backlog,
    handle::Handler,
    held::{Held, Holding},
    settings::Sqs,
    telemetry::{Fate, Telemetry},
    teller::Teller,
};

/// How long a poll beside the first one waits for a message; then it is not needed any more.
const EXTRA_WAIT: Duration = Duration::from_secs(1);
/// First and longest wait after a poll that failed.
const AGAIN: Duration = Duration::from_millis(500);
const AGAIN_AT_MOST: Duration = Duration::from_secs(15);
/// A queue that could not be read for so long makes the process not ready.
const NOT_READY: Duration = Duration::from_secs(30);
/// How often SQS is asked how full the queue is.
const DEPTH_EVERY: Duration = Duration::from_secs(30);
/// Kept of the grace for giving back what is left.
const RESERVE: Duration = Duration::from_secs(2);
/// A message that could not be told comes again after this.
const LATER: Duration = Duration::from_secs(15);

/// A queue and what is known of it.
pub(super) struct Source {
    pub(super) queue: Queue,
    pub(super) name: Arc<str>,
    pub(super) account: String,
    pub(super) region: String,
    /// Cluster of instances that nothing else names; or empty.
    pub(super) cluster: String,
}

impl Source {
    pub(super) fn queue_url(&self) -> String {
        self.queue.url().to_owned()
    }

    /// For what is posted as if it came from this queue.
    pub(super) fn door(&self, teller: Teller) -> Door {
        Door {
            teller,
            account: self.account.clone(),
            region: self.region.clone(),
            cluster: self.cluster.clone(),
        }
    }
}

/// What reads one queue.
pub(super) struct Pump {
    queue: Queue,
    name: Arc<str>,
    handler: Arc<Handler>,
    held: Held,
    places: Arc<Semaphore>,
    most_polls: usize,
    wait: Duration,
    hidden: Duration,
    polls: AtomicUsize,
    backlog: Backlog,
    telemetry: Telemetry,
}

/// What the polls of a queue share.
struct Shared {
    pump: Pump,
    check: Check,
    stop: CancellationToken,
    tasks: TaskTracker,
    done: mpsc::Sender<Holding>,
}

impl Pump {
    pub(super) fn new(
        source: Source,
        settings: &Sqs,
        teller: Teller,
        ingest: Ingest,
        telemetry: Telemetry,
    ) -> Self {
        let (queue, name) = (source.queue.clone(), Arc::clone(&source.name));
        let held = Held::new(
            queue.clone(),
            Arc::clone(&name),
            settings.hidden,
            telemetry.clone(),
        );
        let backlog = teller.lookup.backlog(&source.region);
        let handler = Handler {
            origin: Origin::new(WAY, format!("{WAY}/{name}")),
            source,
            teller,
            ingest,
            telemetry: telemetry.clone(),
        };
        Self {
            queue,
            name,
            handler: Arc::new(handler),
            held,
            places: Arc::new(Semaphore::new(settings.held)),
            most_polls: settings.polls,
            wait: settings.wait,
            hidden: settings.hidden,
            polls: AtomicUsize::new(0),
            backlog,
            telemetry,
        }
    }

    /// Until the process drains: then it takes no more, lets what it holds end while there is time, and gives the rest
    /// back.
    pub(super) async fn run(self, shutdown: Shutdown, check: Check) {
        let held = self.held.clone();
        let keeper = tokio::spawn(held.clone().keep());
        let (done, deletions) = mpsc::channel(BATCH * self.most_polls * 2);
        let deleter = tokio::spawn(
            Deletions {
                queue: self.queue.clone(),
                name: Arc::clone(&self.name),
                at_once: self.most_polls,
                telemetry: self.telemetry.clone(),
            }
            .run(deletions),
        );
        let depth = tokio::spawn(watch_depth(
            self.queue.clone(),
            Arc::clone(&self.name),
            self.telemetry.clone(),
        ));
        let tasks = TaskTracker::new();
        let shared = Arc::new(Shared {
            pump: self,
            check,
            stop: shutdown.token().clone(),
            tasks: tasks.clone(),
            done,
        });
        while !shared.stop.is_cancelled() {
            // The first poll goes on until the end; should it break off, the queue would not be read any more.
            if let Some(first) = shared.begin_poll(true)
                && let Err(error) = first.await
            {
                tracing::error!(queue = %shared.pump.name, %error, "A poll broke off; it begins again.");
                tokio::time::sleep(AGAIN).await;
            }
        }
        // The last sender of deletions goes with the last task.
        drop(shared);
        tasks.close();
        let in_time = shutdown.left().saturating_sub(RESERVE);
        let all_ended = async {
            tasks.wait().await;
            deleter.await
        };
        if tokio::time::timeout(in_time, all_ended).await.is_err() {
            tracing::warn!("What was taken from a queue and is not on the bus yet is given back to it.");
        }
        keeper.abort();
        depth.abort();
        if tokio::time::timeout(shutdown.left().min(RESERVE), held.give_all_back())
            .await
            .is_err()
        {
            tracing::warn!("Not all messages were given back in time; they come again by themselves.");
        }
    }
}

impl Shared {
    /// One more poll, unless there are enough.
    fn begin_poll(self: &Arc<Self>, first: bool) -> Option<JoinHandle<()>> {
        let most = if first { usize::MAX } else { self.pump.most_polls };
        let polling = Polling::begin(self, most)?;
        let shared = Arc::clone(self);
        Some(self.tasks.spawn(async move {
            let _polling = polling;
            shared
                .stop
                .run_until_cancelled(Box::pin(shared.poll(first)))
                .await;
        }))
    }

    /// Polls again and again; one that is not the first ends when it finds nothing.
    async fn poll(self: &Arc<Self>, first: bool) {
        let pump = &self.pump;
        // At the start it is asked without waiting, to know at once whether the queue can be read.
        let mut wait = Duration::ZERO;
        let mut again = AGAIN;
        let mut failing_since = None;
        let mut full = false;
        loop {
            let places = u32::try_from(BATCH).unwrap_or(u32::MAX);
            let Ok(places) = Arc::clone(&pump.places).acquire_many_owned(places).await else {
                return;
            };
            let asked = Instant::now();
            let expecting = full.then(|| pump.backlog.expect());
            let taken = pump.queue.take(wait, pump.hidden).await;
            drop(expecting);
            pump.telemetry.called("ReceiveMessage", &taken);
            full = taken.as_ref().is_ok_and(|messages| messages.len() == BATCH);
            // After a full batch it is soon known whether there are more.
            wait = if first && !full {
                pump.wait
            } else {
                EXTRA_WAIT.min(pump.wait)
            };
            match taken {
                Ok(messages) => {
                    failing_since = None;
                    again = AGAIN;
                    self.check.pass();
                    let found = messages.len();
                    self.take_up(messages, places, asked);
                    if full {
                        self.begin_poll(false);
                    } else if found == 0 && !first {
                        return;
                    }
                }
                Err(refusal) => {
                    let since = *failing_since.get_or_insert(asked);
                    self.failed(&refusal, since.elapsed());
                    if !first {
                        return;
                    }
                    drop(places);
                    tokio::time::sleep(again.mul_f64(rand::random_range(0.5..=1.0))).await;
                    again = (again * 2).min(AGAIN_AT_MOST);
                }
            }
        }
    }

    fn show_polls(&self) {
        let polls = self.pump.polls.load(Ordering::Relaxed);
        self.pump.telemetry.polls(&self.pump.name, polls);
    }

    fn failed(&self, refusal: &Refusal, lasts: Duration) {
        let pump = &self.pump;
        pump.telemetry.not_taken(&pump.name, refusal);
        if refusal.is_definite() || lasts >= NOT_READY {
            self.check
                .fail(format!("the queue {} cannot be read: {refusal}", pump.name));
        }
    }

    fn take_up(self: &Arc<Self>, messages: Vec<Taken>, mut places: OwnedSemaphorePermit, asked: Instant) {
        for message in messages {
            let Some(place) = places.split(1) else {
                // SQS gives no more than it is asked for; if it did, the rest comes again.
                return;
            };
            let holding = self.pump.held.hold(message.receipt.clone(), asked, place);
            let shared = Arc::clone(self);
            self.tasks.spawn(async move {
                let fate = Box::pin(shared.pump.handler.handle(&message)).await;
                if fate == Fate::GivenBack {
                    holding.give_back(LATER).await;
                } else {
                    // Ended: then it comes again.
                    drop(shared.done.send(holding).await);
                }
            });
        }
    }
}

/// One of the polls under way.
struct Polling(Arc<Shared>);

impl Polling {
    fn begin(shared: &Arc<Shared>, most: usize) -> Option<Self> {
        let more = |polls| (polls < most).then_some(polls + 1);
        let polls = &shared.pump.polls;
        polls
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        shared.show_polls();
        Some(Self(Arc::clone(shared)))
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.0.pump.polls.fetch_sub(1, Ordering::Relaxed);
        self.0.show_polls();
    }
}

async fn watch_depth(queue: Queue, name: Arc<str>, telemetry: Telemetry) {
    loop {
        let depth = queue.depth().await;
        telemetry.called("GetQueueAttributes", &depth);
        if let Ok(depth) = depth {
            telemetry.depth(&name, depth);
        }
        tokio::time::sleep(DEPTH_EVERY).await;
    }
}
