//! A Kubernetes cluster, as the workers see it. The only crate that names kube.
//!
//! | module | what it does |
//! |---|---|
//! | [`clock`] | the time deadlines are compared with |
//! | [`connect`] | the way to the API server |
//! | `request` | one request, and what its answer means |
//! | `cache` | nodes, pods and budgets, kept by watches |
//! | [`cordon`] | keeps new pods off a node and lets them back |
//! | [`engine`] | drains all nodes of a process |
//! | [`events`] | tells of it on the node |
//! | `nodes` | the nodes alone |
//! | [`removal`] | what is left of a node whose instance is gone |
//!
//! [`Cluster`] puts them together; [`Nodes`] is for who drains nothing and only asks whether a node is ready.

mod cache;
pub mod clock;
pub mod connect;
pub mod cordon;
pub mod engine;
pub mod events;
mod nodes;
pub mod removal;
mod request;

use std::{sync::Arc, time::Duration};

use hollowtrees_domain::drain::{self, Assessment, Options, Pod, Want, cap::Cap};
use jiff::Timestamp;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use cache::{Cache, Kind};
pub use cache::{Health, Limits, Node};
use clock::Clock;
pub use connect::{Access, ConnectError};
use cordon::{Cordoned, Cordons, Extent, Released, Room};
use engine::{Engine, Observer, Ticket};
use events::{Events, Happened};
pub use nodes::{Nodes, Readiness, Sight};
use removal::{Left, Removal, Write};
pub use request::Refusal;
use request::Requests;

/// How much is asked of the API server at once, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which pods go.
    pub options: Options,
    /// Requests about pods under way at once.
    pub in_flight: usize,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How long is waited for a drained node's volumes to be detached; zero: not at all, and nobody asks for volumes.
    pub volume_wait: Duration,
    /// How long one watch lasts before it is begun anew where it was: a way that was lost without a word is noticed
    /// after that.
    pub watch_for: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            options: Options::default(),
            in_flight: 64,
            request_timeout: limits.request,
            volume_wait: Duration::from_secs(60),
            watch_for: limits.watch,
        }
    }
}

/// A cluster. Cheap to clone; its tasks end when `stop` does, or with the last clone.
#[derive(Clone)]
pub struct Cluster {
    cache: Cache,
    cordons: Cordons,
    requests: Requests,
    room: Room,
    engine: Engine,
    events: Events,
    options: Options,
    clock: Clock,
    _tasks: Arc<JoinSet<()>>,
}

impl Cluster {
    /// Connects and starts the watches and the engine. The API server need not answer yet: see [`Cluster::health`].
    ///
    /// # Errors
    /// Nothing says where the API server is, or what says so cannot be used.
    pub async fn connect(
        access: &Access,
        settings: Settings,
        observer: Arc<dyn Observer>,
        stop: CancellationToken,
    ) -> Result<Self, ConnectError> {
        let client = connect::client(access).await?;
        Ok(Self::start(&client, settings, observer, stop))
    }

    fn start(
        client: &kube::Client,
        settings: Settings,
        observer: Arc<dyn Observer>,
        stop: CancellationToken,
    ) -> Self {
        let requests = Requests::new(client.clone(), settings.request_timeout);
        let mut tasks = JoinSet::new();
        let annotations = settings.options.annotations().map(str::to_owned);
        let mut kinds = vec![Kind::Nodes, Kind::Pods, Kind::Budgets];
        if !settings.volume_wait.is_zero() {
            kinds.extend([Kind::Volumes, Kind::Attachments]);
        }
        let cache = Cache::of(&kinds, annotations);
        let clock = Clock::default();
        let engine = Engine::new(&cache, &settings, observer, clock.clone());
        let limits = Limits {
            request: settings.request_timeout,
            watch: settings.watch_for,
        };
        cache.follow(client, limits, &mut tasks);
        tasks.spawn(engine.clone().run(requests.clone(), stop));
        let busy = engine.clone();
        let (events, telling) = Events::new(requests.clone(), move || busy.is_busy());
        tasks.spawn(telling);
        Self {
            room: Room::new(cache.clone()),
            cache,
            cordons: Cordons::new(requests.clone()),
            requests,
            engine,
            events,
            options: settings.options,
            clock,
            _tasks: Arc::new(tasks),
        }
    }

    /// The clock that deadlines are compared with: who knows better corrects it.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How the watches do, and every change of it.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.cache.health()
    }

    /// The node of an instance, by its id or, where that leads nowhere, by `alias`, its name. Waits for the cache to be
    /// whole, and then until `until` for a node that has not joined yet.
    pub async fn find(&self, instance: &str, alias: &str, until: Timestamp) -> Option<Arc<Node>> {
        let (mut health, mut arrivals) = (self.cache.health(), self.cache.arrivals());
        // What is seen is there, whether or not all is seen.
        loop {
            arrivals.borrow_and_update();
            if let Some(node) = self.cache.find(instance, alias) {
                return Some(node);
            }
            // Absence is believed only where everything was seen and nothing is amiss.
            let whole = health.borrow_and_update().trouble().is_none();
            let left = Duration::try_from(until.duration_since(self.clock.now())).unwrap_or_default();
            if whole && left.is_zero() {
                return None;
            }
            tokio::select! {
                changed = arrivals.changed() => changed.ok()?,
                changed = health.changed() => changed.ok()?,
                () = tokio::time::sleep(left), if !left.is_zero() => {}
            }
        }
    }

    /// Keeps new pods off a node, in the name of `holder`.
    ///
    /// # Errors
    /// The API server did not do it.
    pub async fn cordon(&self, node: &Node, holder: &str) -> Result<Cordoned, Refusal> {
        self.cordon_as(Extent::Whole, None, node, holder).await
    }

    /// The same to this extent and, with a cap, unless too much of the cluster takes no pods already.
    ///
    /// # Errors
    /// The API server did not do it.
    pub async fn cordon_as(
        &self,
        extent: Extent,
        cap: Option<Cap>,
        node: &Node,
        holder: &str,
    ) -> Result<Cordoned, Refusal> {
        if let Some(cap) = cap {
            // The newest that is seen: a node may have been cordoned since it was found.
            let seen = self.cache.node(&node.name);
            if let Err(too_many) = self.room.take(seen.as_deref().unwrap_or(node), cap) {
                return Ok(too_many);
            }
        }
        let _first = self.engine.cordoning();
        let done = self.cordons.cordon(node, holder, extent).await;
        if cap.is_some() && !matches!(done, Ok(Cordoned::Now | Cordoned::Already)) {
            self.room.give_back(node);
        }
        done
    }

    /// Lets go of a node; the last holder lets pods back.
    ///
    /// # Errors
    /// The API server did not do it.
    pub async fn uncordon(&self, node: &Node, holder: &str) -> Result<Released, Refusal> {
        self.cordons.uncordon(node, holder).await
    }

    /// Waits until the machine of a node was started anew since `holder` came to hold it, and is ready; `None`: the node is
    /// no more.
    pub async fn rebooted(&self, node: &Node, holder: &str) -> Option<Arc<Node>> {
        self.becomes(node, |seen| seen.ready && seen.cordon.was_rebooted_under(holder))
            .await
    }

    /// Waits until the kubelet of a node says nothing any more; `None`: the node is no more.
    pub async fn silent(&self, node: &Node) -> Option<Arc<Node>> {
        self.becomes(node, |seen| seen.silent).await
    }

    async fn becomes(&self, node: &Node, is: impl Fn(&Node) -> bool) -> Option<Arc<Node>> {
        let mut arrivals = self.cache.arrivals();
        loop {
            arrivals.borrow_and_update();
            let seen = self.cache.node(&node.name).filter(|seen| seen.uid == node.uid)?;
            if is(&seen) {
                return Some(seen);
            }
            arrivals.changed().await.ok()?;
        }
    }

    /// Marks a node whose kubelet is silent out of service.
    ///
    /// # Errors
    /// The API server did not do it.
    pub async fn mark_out_of_service(&self, node: &Node) -> Result<Removal, Refusal> {
        removal::write(&self.requests, node, Write::Mark).await
    }

    /// Deletes the object of a node whose kubelet is silent.
    ///
    /// # Errors
    /// The API server did not do it.
    pub async fn delete_node(&self, node: &Node) -> Result<Removal, Refusal> {
        removal::write(&self.requests, node, Write::Delete).await
    }

    /// Waits until no pods but static ones are on a node, and no volume is attached to it.
    pub async fn emptied(&self, node: &Node) {
        removal::emptied(&self.cache, node).await;
    }

    /// What still is.
    pub fn left(&self, node: &Node) -> Left {
        removal::left(&self.cache, node)
    }

    /// Drains a node, or joins who does. It should be cordoned. `until`: waited no longer, deadline or not.
    pub fn drain(&self, node: &Node, want: impl Into<Want>, until: Option<Timestamp>) -> Ticket {
        self.engine.drain(node, want.into(), until)
    }

    /// What would be done about a node's pods now.
    pub fn rehearse<T>(&self, node: &Node, want: Want, tell: impl FnOnce(&Assessment<'_>) -> T) -> T {
        let pods = self.cache.pods_on(&node.name);
        let pods = pods.iter().map(Arc::as_ref);
        tell(&drain::assess(
            pods,
            &self.options,
            &[want],
            |_| false,
            self.clock.now(),
        ))
    }

    /// The node as it is now.
    pub fn node(&self, name: &str) -> Option<Arc<Node>> {
        self.cache.node(name)
    }

    /// The pods bound to a node.
    pub fn pods_on(&self, node: &str) -> Vec<Arc<Pod>> {
        self.cache.pods_on(node)
    }

    /// Puts an event on a node. The same `story` (a name of its own, such as an action's id) tells each thing once.
    pub fn tell(&self, node: &Node, happened: Happened, story: &str, message: &str) {
        self.events.tell(node, happened, story, message);
    }

    /// How much it holds and does.
    pub fn counts(&self) -> Counts {
        let (nodes, pods) = self.cache.counts();
        Counts {
            nodes,
            pods,
            ..self.engine.counts()
        }
    }
}

/// How much a [`Cluster`] holds and does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Nodes it knows.
    pub nodes: usize,
    /// Pods it knows.
    pub pods: usize,
    /// Nodes being drained.
    pub draining: usize,
    /// Pods whose turn has not come.
    pub queued: usize,
    /// How long the one of them has waited that waits longest.
    pub queued_for: Duration,
    /// Pods that wait for a budget.
    pub kept: usize,
    /// Requests about pods under way.
    pub in_flight: usize,
}
