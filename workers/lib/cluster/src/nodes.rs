//! The nodes of a cluster alone, for who only asks whether one is ready.

use std::sync::Arc;

use tokio::{sync::watch, task::JoinSet};

use crate::{
    Access, ConnectError, Health, Limits, Node,
    cache::{Cache, Kind},
    connect,
};

/// The nodes of a cluster, kept by one watch: it asks for `list` and `watch` of nodes, and for nothing else. Cheap to
/// clone; the watch ends with the last clone.
#[derive(Clone)]
pub struct Nodes {
    cache: Cache,
    _tasks: Arc<JoinSet<()>>,
}

/// What is seen of an instance's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// None is seen: it has not joined, or nothing is seen at all (see [`Nodes::health`]).
    Absent,
    /// It is there and takes no pods.
    NotReady,
    /// Its kubelet says that it is ready.
    Ready,
}

/// The nodes of one cluster, by its name on the bus.
#[derive(Clone)]
pub struct Sight {
    cluster: String,
    nodes: Nodes,
}

impl Sight {
    /// Those of the cluster of this name.
    pub fn of(cluster: &str, nodes: Nodes) -> Self {
        Self {
            cluster: cluster.to_owned(),
            nodes,
        }
    }

    /// The nodes of this cluster; none where another one is seen.
    pub fn nodes_of(&self, cluster: &str) -> Option<&Nodes> {
        (self.cluster == cluster).then_some(&self.nodes)
    }

    /// How the watch does, and every change of it.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.nodes.health()
    }
}

impl Nodes {
    /// Connects and starts the watch. The API server need not answer yet: see [`Nodes::health`].
    ///
    /// # Errors
    /// Nothing says where the API server is, or what says so cannot be used.
    pub async fn connect(access: &Access, limits: Limits) -> Result<Self, ConnectError> {
        let client = connect::client(access).await?;
        let cache = Cache::of(&[Kind::Nodes], []);
        let mut tasks = JoinSet::new();
        cache.follow(&client, limits, &mut tasks);
        Ok(Self {
            cache,
            _tasks: Arc::new(tasks),
        })
    }

    /// How the watch does, and every change of it.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.cache.health()
    }

    /// The node of an instance, at the last word of the watch.
    pub fn node_of(&self, instance: &str) -> Option<Arc<Node>> {
        self.cache.find(instance, "")
    }

    /// Whether the node of an instance is ready, at the last word of the watch.
    pub fn readiness(&self, instance: &str) -> Readiness {
        match self.node_of(instance) {
            None => Readiness::Absent,
            Some(node) if node.ready => Readiness::Ready,
            Some(_) => Readiness::NotReady,
        }
    }

    /// Waits until the node of an instance is something else than `from`; at once, where it is already.
    pub async fn changed(&self, instance: &str, from: Readiness) -> Readiness {
        let mut arrivals = self.cache.arrivals();
        loop {
            arrivals.borrow_and_update();
            let now = self.readiness(instance);
            if now != from {
                return now;
            }
            // The cache that it comes from is ours, so that it does not end.
            if arrivals.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
