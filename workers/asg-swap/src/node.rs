//! The wait for a replacement's node to be Ready.
//!
//! The worker serves all clusters and sees the nodes of at most one. A watch that is broken holds nothing up for long: what
//! is not seen Ready in time is attached all the same, and the worker stays ready and tells of it.

use std::{convert::Infallible, time::Duration};

use futures::future::OptionFuture;
use hollowtrees_cluster::{Nodes, Readiness, Sight};
use hollowtrees_domain::swap::{Node, Seen, Wait};
use hollowtrees_runtime::health::Check;
use hollowtrees_schemas::proto;

use crate::{desk::Coming, saga::Saga, worker::Swapper};

/// What one swap does about the node of its replacement.
#[derive(Clone)]
pub(crate) struct NodeWait {
    /// None: this worker sees no nodes of the action's cluster.
    nodes: Option<Nodes>,
    /// Zero: it is not waited for.
    pub(crate) within: Duration,
}

impl NodeWait {
    /// What the action asks for; else, for the cluster that is seen, what the configuration says.
    pub(crate) fn of(swapper: &Swapper, action: &proto::Action, asked: Option<Duration>) -> Self {
        let nodes = swapper
            .sight
            .as_ref()
            .and_then(|sight| sight.nodes_of(&action.cluster))
            .cloned();
        let configured = if nodes.is_some() {
            swapper.settings.wait_for_node
        } else {
            Duration::ZERO
        };
        Self {
            nodes,
            within: asked.unwrap_or(configured),
        }
    }

    /// What is seen now of the node of an instance.
    pub(crate) fn look(&self, instance: &str) -> Node {
        match &self.nodes {
            _ if self.within.is_zero() => Node::NotAsked,
            None => Node::Unseen,
            Some(nodes) => match nodes.readiness(instance) {
                Readiness::Absent => Node::NotThere,
                Readiness::NotReady => Node::NotReady,
                Readiness::Ready => Node::Ready,
            },
        }
    }

    /// Waits until something else is seen than was; for ever where nothing is.
    async fn changed(&self, instance: &str, was: Node) {
        let was = match was {
            Node::NotThere => Readiness::Absent,
            Node::NotReady => Readiness::NotReady,
            Node::Ready => Readiness::Ready,
            Node::NotAsked | Node::Unseen => return std::future::pending().await,
        };
        match &self.nodes {
            Some(nodes) => nodes.changed(instance, was).await,
            None => std::future::pending().await,
        };
    }
}

impl Saga<'_> {
    /// Waits until it is time for another look: at the latest when others of its group gather; for a node, as soon as there is
    /// another one to be seen.
    pub(crate) async fn wait(&mut self, wait: Wait, seen: &Seen) {
        let poll = self.swapper.settings.poll;
        let called = OptionFuture::from(self.coming.as_ref().map(Coming::called));
        let launched = self
            .checkpoint
            .launched
            .clone()
            .filter(|_| wait == Wait::NodeReady);
        let node = self.node.clone();
        let changed = launched
            .as_ref()
            .map(|launched| node.changed(launched, seen.node));
        tokio::select! {
            () = self.pause(poll) => {}
            Some(()) = called => {}
            Some(()) = OptionFuture::from(changed) => {}
        }
    }
}

/// Tells what is wrong with the watch of nodes. The worker is ready without: swaps go on, and wait in vain for as long as
/// they may.
pub(crate) async fn tell_trouble(sight: Option<Sight>, check: Option<Check>) -> Infallible {
    if let (Some(sight), Some(check)) = (sight, check) {
        let mut health = sight.health();
        loop {
            match health.borrow_and_update().trouble() {
                Some(trouble) => check.tell(format!("{trouble}; swaps go on without")),
                None => check.pass(),
            }
            if health.changed().await.is_err() {
                break;
            }
        }
    }
    std::future::pending().await
}
