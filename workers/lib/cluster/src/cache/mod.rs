//! A picture of the cluster's nodes, pods and budgets, or of its nodes alone, kept by a watch a kind for all who ask:
//! nobody lists or reads for one node or pod.

mod objects;
mod protobuf;
mod store;
mod volumes;
mod watch;
mod watched;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use hollowtrees_domain::drain::{Pod, budget::Budget, instance::Machine};
use kube::Client;
use tokio::{sync, task::JoinSet};

use crate::cordon;
pub(crate) use objects::WatchedNode;
use store::Store;
pub use watch::Limits;

/// A node, as far as anybody looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: Arc<str>,
    /// Tells it from an earlier or later node of the same name.
    pub uid: String,
    /// `spec.providerID`
    pub provider_id: String,
    /// What its instance may be called.
    pub instance_ids: Vec<String>,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether its kubelet says nothing any more.
    pub silent: bool,
    pub(crate) cordon: cordon::Seen,
}

impl Node {
    /// Whether it takes no new pods, but for such as tolerate our taint.
    pub fn is_unschedulable(&self) -> bool {
        self.cordon.unschedulable || self.cordon.is_tainted()
    }
}

/// What changed.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Node(Arc<str>),
    /// Pods on this node.
    Pods(Arc<str>),
    /// A budget as it is now, and what it allowed before.
    Budget(Arc<Budget>, Option<u32>),
    /// A budget that is no more.
    BudgetGone(Arc<Budget>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Nodes,
    Pods,
    Budgets,
    Volumes,
    Attachments,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Pods => "pods",
            Self::Budgets => "poddisruptionbudgets",
            Self::Volumes => "persistentvolumes",
            Self::Attachments => "volumeattachments",
        }
    }
}

/// How the watches do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Kinds that are watched.
    watched: BTreeSet<Kind>,
    /// Kinds that were listed whole once.
    listed: BTreeSet<Kind>,
    /// What broke a watch that has not come back.
    broken: BTreeMap<Kind, String>,
}

impl Health {
    fn of(kinds: &[Kind]) -> Self {
        Self {
            watched: kinds.iter().copied().collect(),
            listed: BTreeSet::new(),
            broken: BTreeMap::new(),
        }
    }

    /// Whether everything that is watched was seen once.
    pub fn is_synced(&self) -> bool {
        self.watched.is_subset(&self.listed)
    }

    /// What is wrong, if anything.
    pub fn trouble(&self) -> Option<String> {
        let broken = self.broken.iter().next();
        let missing = self.watched.difference(&self.listed).next();
        match (broken, missing) {
            (Some((kind, error)), _) => Some(format!("the watch of {} broke: {error}", kind.as_str())),
            (None, Some(kind)) => Some(format!("the {} are not listed yet", kind.as_str())),
            (None, None) => None,
        }
    }
}

/// The picture. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cache {
    inner: Arc<Inner>,
}

type Listener = Box<dyn Fn(&Change) + Send + Sync>;

struct Inner {
    store: RwLock<Store>,
    health: sync::watch::Sender<Health>,
    listener: OnceLock<Listener>,
    /// Counts the changes of nodes.
    arrivals: sync::watch::Sender<u64>,
    /// Counts the changes of what is on nodes: pods and attached volumes.
    contents: sync::watch::Sender<u64>,
}

impl Cache {
    /// One of these kinds, all still unseen. Of pods' annotations these are kept.
    pub(crate) fn of(kinds: &[Kind], annotations: impl IntoIterator<Item = String>) -> Self {
        let inner = Inner {
            store: RwLock::new(Store::new(annotations)),
            health: sync::watch::Sender::new(Health::of(kinds)),
            listener: OnceLock::new(),
            arrivals: sync::watch::Sender::default(),
            contents: sync::watch::Sender::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Hands every change to `listener`, which must be quick. The first one to ask is the one.
    pub(crate) fn listen(&self, listener: impl Fn(&Change) + Send + Sync + 'static) {
        self.inner.listener.set(Box::new(listener)).unwrap_or_default();
    }

    /// Starts the watches.
    pub(crate) fn follow(&self, client: &Client, limits: Limits, tasks: &mut JoinSet<()>) {
        let kinds = self.inner.health.borrow().watched.clone();
        for kind in kinds {
            let (client, inner) = (client.clone(), Arc::clone(&self.inner));
            match kind {
                Kind::Nodes => tasks.spawn(watch::follow::<objects::WatchedNode>(client, inner, limits)),
                Kind::Pods => tasks.spawn(watch::follow::<objects::WatchedPod>(client, inner, limits)),
                Kind::Budgets => tasks.spawn(watch::follow::<objects::WatchedBudget>(client, inner, limits)),
                Kind::Volumes => tasks.spawn(watch::follow::<volumes::WatchedVolume>(client, inner, limits)),
                Kind::Attachments => {
                    tasks.spawn(watch::follow::<volumes::WatchedAttachment>(client, inner, limits))
                }
            };
        }
    }

    pub(crate) fn health(&self) -> sync::watch::Receiver<Health> {
        self.inner.health.subscribe()
    }

    /// Changes with every node: one may have come, or become ready, that was asked for in vain.
    pub(crate) fn arrivals(&self) -> sync::watch::Receiver<u64> {
        self.inner.arrivals.subscribe()
    }

    /// Changes with every pod and every attached volume.
    pub(crate) fn contents(&self) -> sync::watch::Receiver<u64> {
        self.inner.contents.subscribe()
    }

    pub(crate) fn node(&self, name: &str) -> Option<Arc<Node>> {
        self.read(|store| store.node(name).cloned())
    }

    /// The node of an instance; by `alias`, its name, where the instance id leads nowhere.
    pub(crate) fn find(&self, instance: &str, alias: &str) -> Option<Arc<Node>> {
        self.read(|store| {
            let by_name = |name: &str| {
                store.node(name).filter(|node| {
                    let machine = Machine {
                        provider_id: &node.provider_id,
                        ..Machine::default()
                    };
                    !machine.is_another(instance)
                })
            };
            store
                .node_of(instance)
                .or_else(|| by_name(alias))
                .or_else(|| by_name(instance))
                .cloned()
        })
    }

    pub(crate) fn pods_on(&self, node: &str) -> Vec<Arc<Pod>> {
        self.read(|store| store.pods_on(node))
    }

    pub(crate) fn budgets_of(&self, pod: &Pod) -> Vec<Arc<Budget>> {
        self.read(|store| store.budgets_of(pod))
    }

    /// The volumes that are attached to a node, but for those of these pods, which stay on it.
    pub(crate) fn attached<'a>(&self, node: &str, staying: impl Iterator<Item = &'a Pod>) -> Vec<String> {
        self.read(|store| store.volumes.attached(node, staying))
    }

    /// Whether what is seen of budgets is what they are, but for the way here.
    pub(crate) fn sees_budgets(&self) -> bool {
        self.sees(Kind::Budgets)
    }

    /// The same of nodes.
    pub(crate) fn sees_nodes(&self) -> bool {
        self.sees(Kind::Nodes)
    }

    fn sees(&self, kind: Kind) -> bool {
        let health = self.inner.health.borrow();
        health.listed.contains(&kind) && !health.broken.contains_key(&kind)
    }

    /// How many nodes take no pods, and how many there are.
    pub(crate) fn unschedulable(&self) -> (usize, usize) {
        self.read(Store::unschedulable)
    }

    /// Nodes and pods it knows.
    pub(crate) fn counts(&self) -> (usize, usize) {
        self.read(Store::counts)
    }

    fn read<T>(&self, look: impl FnOnce(&Store) -> T) -> T {
        look(&self.inner.store.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    /// Before they wait for the rest of a list.
    fn trim<T: store::Kept>(&self, items: &mut [T]) {
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        items.iter_mut().for_each(|item| item.trim(&mut store));
    }

    fn apply(&self, change: impl FnOnce(&mut Store) -> Vec<Change>) {
        let changes = change(&mut self.store.write().unwrap_or_else(PoisonError::into_inner));
        let tell = |of: &sync::watch::Sender<u64>, is: fn(&Change) -> bool| {
            if changes.iter().any(is) {
                of.send_modify(|count| *count = count.wrapping_add(1));
            }
        };
        tell(&self.arrivals, |change| matches!(change, Change::Node(_)));
        tell(&self.contents, |change| matches!(change, Change::Pods(_)));
        if let Some(listener) = self.listener.get() {
            changes.iter().for_each(listener);
        }
    }

    /// The last word of this watch was a good one, and its list is whole.
    fn well(&self, kind: Kind) {
        self.health.send_if_modified(|health| {
            let first = health.listed.insert(kind);
            if first {
                tracing::info!(kind = kind.as_str(), "The cluster's objects are listed.");
            }
            health.broken.remove(&kind).is_some() || first
        });
    }

    fn trouble(&self, kind: Kind, error: &str) {
        tracing::warn!(kind = kind.as_str(), error, "A watch broke; it is started again.");
        self.health.send_modify(|health| {
            health.broken.insert(kind, error.to_owned());
        });
    }
}
