//! The loop itself: takes, orders, starts, keeps alive, and stops in order.

mod accept;
mod stop;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use hollowtrees_bus::{
    Bus, WriteError,
    consume::{ConsumeError, forward::Forwards},
    liveness::Lease,
};
use hollowtrees_schemas::proto;
use jiff::Timestamp;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::metrics::{self, Metrics};

use super::{
    Handler, Settings,
    affinity::Affinity,
    attempt::{Attempt, Stays, observe},
    claim::Claim,
    execute::{Core, Ended},
    hear::Hearing,
    job::Control,
    order::Order,
    outcome::Author,
    parcel::Parcel,
    queue::{Item, Queue},
    refuse::refuse,
    suspects::Suspects,
    take,
    telemetry::Telemetry,
};

/// Held deliveries are kept alive this often: well within the five seconds of `ACK_WAIT`.
const KEEPALIVE_EVERY: Duration = Duration::from_millis(1_500);
/// The loop looks at its queue at least this often, whatever its timers say.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// An action handed out again while its end is being written comes once more after this.
const SETTLED_DELAY: Duration = Duration::from_secs(1);
/// A redriven action waits this long for the one it repeats.
const REDRIVE_DELAY: Duration = Duration::from_secs(2);

/// Why a worker cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The streams or its consumer are not as declared.
    #[error(transparent)]
    Topology(#[from] hollowtrees_bus::apply::ApplyError),
    /// Its consumer is not as declared.
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    /// It could not say that it is alive.
    #[error("cannot register as alive: {0}")]
    Register(#[from] WriteError),
    /// Its metrics were registered before.
    #[error("cannot count: {0}")]
    Metrics(#[from] metrics::Error),
    /// A task of the loop ended by itself.
    #[error("the {0} task of the worker loop ended by itself; this is a defect, please report it")]
    Ended(&'static str),
}

/// Serves actions with `handler` until `stop`, then finishes or hands over what it holds.
///
/// `process` names this start of this process; `metrics` takes what it counts;
/// `serving` is called once actions are taken, with what keeps them from being taken should that happen.
pub async fn serve<H: Handler>(
    bus: Bus,
    handler: H,
    settings: Settings,
    process: proto::Worker,
    metrics: &Metrics,
    stop: CancellationToken,
    serving: impl FnOnce(watch::Receiver<Option<String>>),
) -> Result<(), ServeError> {
    hollowtrees_bus::apply::verify(&bus).await?;
    let consumer = settings.consumer();
    let deliveries = bus.consume(&consumer, settings.accepted).await?;
    let trouble = deliveries.trouble();
    let affinity = settings
        .affinity
        .then(|| Affinity::of(&settings, &process.process));
    let given = match &affinity {
        Some(affinity) => given_on(&deliveries, affinity).await,
        None => None,
    };
    let liveness = proto::Liveness {
        worker: Some(process.clone()),
        serves: settings.kinds.iter().map(|kind| kind.name.clone()).collect(),
        started_at: Some(proto::time::to_proto(Timestamp::now())),
        takes_at: affinity
            .as_ref()
            .filter(|_| given.is_some())
            .map_or_else(String::new, |affinity| affinity.own.clone()),
    };
    let lease = Lease::register(&bus, &liveness).await?;
    let telemetry = Telemetry::register(metrics, &settings)?;
    let author = Arc::new(Author {
        worker: process,
        lease: lease.clone(),
        format: settings.format,
    });
    let core = Arc::new(Core {
        bus,
        lease,
        author,
        handler: Arc::new(handler),
        settings,
        telemetry,
        affinity: affinity.filter(|_| given.is_some()).map(Arc::new),
    });
    serving(trouble);
    Loop::new(core).run(deliveries, given, stop).await
}

/// What others give to this process; none where it cannot hear them, and so gives nothing to them either.
async fn given_on(deliveries: &hollowtrees_bus::Deliveries, affinity: &Affinity) -> Option<Forwards> {
    let given = deliveries.forwards(affinity.own.clone()).await;
    given
        .inspect_err(|error| {
            tracing::warn!(%error, "Actions that belong together are done where they come; see docs/nats-permissions.md.");
        })
        .ok()
}

struct Loop<H> {
    core: Arc<Core<H>>,
    held: HashMap<String, Held>,
    /// Action ids by the key of their incident.
    by_incident: HashMap<String, HashSet<String>>,
    queue: Queue,
    suspects: Suspects,
    hearing: Hearing,
    /// Those that wait; those that run are with their task.
    waiting: HashMap<String, Attempt>,
    running: JoinSet<(String, Ended)>,
    /// The last round of keep-alives.
    keeping_alive: Option<tokio::task::JoinHandle<()>>,
    /// Action id of each task, for one that breaks off.
    tasks: HashMap<tokio::task::Id, String>,
}

/// What the loop keeps of an action while it waits or runs.
struct Held {
    order: Arc<Order>,
    parcel: Arc<Parcel>,
    control: watch::Sender<Control>,
    claim: Arc<OnceLock<Arc<Claim>>>,
}

impl<H: Handler> Loop<H> {
    fn new(core: Arc<Core<H>>) -> Self {
        Self {
            hearing: Hearing::new(core.bus.incidents()),
            core,
            held: HashMap::new(),
            by_incident: HashMap::new(),
            queue: Queue::default(),
            suspects: Suspects::default(),
            waiting: HashMap::new(),
            running: JoinSet::new(),
            keeping_alive: None,
            tasks: HashMap::new(),
        }
    }

    async fn run(
        mut self,
        from: hollowtrees_bus::Deliveries,
        given: Option<Forwards>,
        stop: CancellationToken,
    ) -> Result<(), ServeError> {
        let (mut deliveries, taking) = take::deliveries(from, stop.clone());
        let (mut given, _refusing) = take::forwards(given, stop.clone());
        let (mut incidents, watching) =
            take::incidents(self.core.bus.incidents(), self.core.settings.cluster.as_deref());
        let mut keepalive = tokio::time::interval(KEEPALIVE_EVERY);
        keepalive.set_missed_tick_behavior(MissedTickBehavior::Delay);

        let result = loop {
            self.start_what_can_start();
            self.hearing.ask(|id| {
                let waits = self.waiting.get(id)?;
                Some(waits.order.incident_key.clone())
            });
            let wake = self.next_wake();
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                _ = keepalive.tick() => self.keep_alive(),
                Some(ended) = self.running.join_next_with_id(), if !self.running.is_empty() => self.ended(ended),
                delivery = deliveries.recv() => match delivery {
                    Some(delivery) => self.accept(delivery, Stays::No),
                    None if stop.is_cancelled() => break Ok(()),
                    None => break Err(ServeError::Ended("taking")),
                },
                Some(forwarded) = given.recv() => self.accept_given(forwarded),
                change = incidents.recv() => match change {
                    Some((key, incident)) => self.incident_changed(&key, &incident),
                    None => break Err(ServeError::Ended("watching")),
                },
                heard = self.hearing.heard(), if self.hearing.is_reading() => {
                    if let Some((key, incident)) = heard {
                        self.incident_changed(&key, &incident);
                    }
                }
                () = tokio::time::sleep_until(wake) => {}
            }
        };

        given.close();
        while let Some(forwarded) = given.recv().await {
            take::refuse(forwarded).await;
        }
        deliveries.close();
        // What is handed back must not come to this process once more: its pull has to be gone first.
        let taken = taking.await;
        while let Some(delivery) = deliveries.recv().await {
            delivery.hand_over().await;
        }
        self.stop().await;
        watching.abort();
        if taken.is_err() {
            return Err(ServeError::Ended("taking"));
        }
        result
    }

    fn wait(&mut self, id: String, attempt: Attempt, not_before: Option<Timestamp>) {
        let control = *attempt.control.borrow();
        let may_be_answered = attempt.may_be_answered();
        let item = Item {
            not_before,
            deadline: control.deadline,
            expires: !attempt.order.run_expired && may_be_answered,
            withdrawn: control.cancelled && may_be_answered,
        };
        match attempt.suspect {
            Some(start) => {
                let last = start >= self.core.settings.poison_after;
                self.suspects.put(&id, item, last);
            }
            None => self.queue.put(&id, item),
        }
        self.waiting.insert(id, attempt);
    }

    fn start_what_can_start(&mut self) {
        let now = self.core.author.now();
        loop {
            let slot_free = self.running.len() < self.core.settings.running;
            let suspect = self.suspects.pop(now, slot_free);
            let next = suspect.or_else(|| Some((self.queue.pop(now, slot_free)?, slot_free)));
            let Some((id, has_slot)) = next else {
                break;
            };
            let Some(attempt) = self.waiting.remove(&id) else {
                continue;
            };
            let core = Arc::clone(&self.core);
            let name = id.clone();
            let task = self.running.spawn(async move {
                let ended = core.execute(attempt, has_slot).await;
                (name, ended)
            });
            self.tasks.insert(task.id(), id);
        }
        self.core.telemetry.holds(self.held.len(), self.running.len());
    }

    fn next_wake(&self) -> Instant {
        let next = [self.queue.next_wake(), self.suspects.next_wake()];
        let wait = next.into_iter().flatten().min().map_or(LONGEST_SLEEP, |at| {
            let left = at.duration_since(self.core.author.now());
            Duration::try_from(left)
                .unwrap_or(Duration::ZERO)
                .clamp(Duration::from_millis(1), LONGEST_SLEEP)
        });
        let now = Instant::now();
        let freed = self.suspects.frees_at().filter(|at| *at > now);
        [freed, self.hearing.due()]
            .into_iter()
            .flatten()
            .fold(now + wait, Instant::min)
    }

    fn ended(&mut self, ended: Result<(tokio::task::Id, (String, Ended)), tokio::task::JoinError>) {
        match ended {
            Ok((task, (id, ended))) => {
                self.tasks.remove(&task);
                self.suspects.ended(&id, true);
                match ended {
                    Ended::Settled => self.forget(&id),
                    Ended::Again(attempt, not_before) => self.wait(id, *attempt, Some(not_before)),
                    Ended::NoSlot(attempt) => {
                        let not_before = attempt.order.starts_later(self.core.author.now());
                        self.wait(id, *attempt, not_before);
                    }
                    Ended::Apart(attempt) => {
                        tracing::warn!(action = %attempt.order.id, "Several starts of an action broke off; it runs in its turn among such ones.");
                        self.wait(id, *attempt, None);
                    }
                }
            }
            // The tasks catch what a handler does; one that dies itself leaves its delivery to the server.
            Err(error) => {
                tracing::error!(%error, "A task of the worker loop broke off; its action comes again.");
                let lost = self.tasks.remove(&error.id());
                if let Some(id) = lost {
                    self.suspects.ended(&id, false);
                    self.forget(&id);
                }
            }
        }
    }

    fn forget(&mut self, id: &str) {
        if let Some(held) = self.held.remove(id)
            && let Some(ids) = self.by_incident.get_mut(&held.order.incident_key)
        {
            ids.remove(id);
            if ids.is_empty() {
                self.by_incident.remove(&held.order.incident_key);
            }
        }
    }

    fn incident_changed(&mut self, key: &str, incident: &proto::Incident) {
        let Some(ids) = self.by_incident.get(key) else {
            return;
        };
        for id in ids {
            let Some(held) = self.held.get(id) else { continue };
            if !observe(&held.control, &held.order, incident) {
                continue;
            }
            let Control {
                deadline, cancelled, ..
            } = *held.control.borrow();
            let may_be_answered = self.waiting.get(id).is_some_and(Attempt::may_be_answered);
            let change = |item: &mut Item| {
                item.deadline = deadline;
                item.withdrawn = cancelled && may_be_answered;
            };
            self.queue.change(id, change);
            self.suspects.change(id, change);
        }
    }

    /// One round at a time, and none while the connection is away: rounds that wait in its queue would come
    /// before everything else once it is back, and keep nothing alive.
    fn keep_alive(&mut self) {
        self.core
            .telemetry
            .clock_is_off_by(self.core.lease.clock_offset());
        let under_way = self
            .keeping_alive
            .as_ref()
            .is_some_and(|round| !round.is_finished());
        if under_way || !self.core.bus.is_connected() {
            return;
        }
        let alive: Vec<_> = self
            .held
            .values()
            .filter_map(|held| held.parcel.keepalive())
            .collect();
        self.keeping_alive = Some(tokio::spawn(async move {
            for delivery in alive {
                delivery.touch().await;
            }
        }));
    }
}
