//! Keeping new pods off a node, and letting them back.
//!
//! A cordon is held by incidents, named in an annotation of the node; the last one to let go takes it off, but never
//! what was there before the first one came. Each change is one JSON Patch that tests what it was planned on: whoever
//! wrote in between is never overwritten, the plan is made anew.

mod holders;
mod patch;
mod plan;
mod room;

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use crate::{
    cache::{Node, WatchedNode},
    request::{Refusal, Requests},
};
pub(crate) use patch::{Patch, TAINTS};
use plan::Plan;
pub(crate) use plan::Seen;
pub(crate) use room::Room;

/// Taint that keeps pods off, also those that tolerate `node.kubernetes.io/unschedulable`.
pub const TAINT: &str = "hollowtrees.io/terminating";
/// Its effect.
pub const EFFECT: &str = "NoSchedule";
/// Takes the node out of the load balancers that the cloud controller makes (well-known label).
pub const EXCLUSION_LABEL: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// Who holds the cordon, and what was there before: JSON.
pub const HOLDERS_ANNOTATION: &str = "hollowtrees.io/cordon";

/// Patches under way at once; they have a lane of their own and wait for no eviction.
const LANE: usize = 32;
/// Others who write the same node between two looks, before it is given up for now.
const TRIES: usize = 32;
/// Pauses between these tries, the first of which comes at once.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(80);

/// How much of a cordon is wished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Unschedulable, our taint, and out of the cloud's load balancers.
    #[default]
    Whole,
    /// Our taint: pods that tolerate it come all the same, and load balancers send on.
    Taint,
}

/// What came of a cordon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cordoned {
    /// The node takes no new pods, by our doing.
    Now,
    /// This holder had it cordoned already.
    Already,
    /// There is no such node any more.
    NodeGone,
    /// So many of so many nodes take no pods already: the cap allows no other one.
    TooMany {
        /// Nodes that take no pods.
        cordoned: usize,
        /// All nodes.
        nodes: usize,
    },
}

/// What came of an uncordon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// The node takes pods again, or is as it was before us.
    Last,
    /// So many others still hold it.
    Held(usize),
    /// This holder held nothing.
    NotHeld,
    /// There is no such node any more.
    NodeGone,
}

/// Cordons and uncordons. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cordons {
    requests: Requests,
    lane: Arc<Semaphore>,
}

impl Cordons {
    pub(crate) fn new(requests: Requests) -> Self {
        Self {
            requests,
            lane: Arc::new(Semaphore::new(LANE)),
        }
    }

    pub(crate) async fn cordon(
        &self,
        node: &Node,
        holder: &str,
        extent: Extent,
    ) -> Result<Cordoned, Refusal> {
        let done = self
            .change(node, Nothing::Believed, |node| {
                plan::cordon(&node.uid, &node.cordon, holder, extent)
            })
            .await?;
        Ok(match done {
            Some(Plan::Patch { .. }) => Cordoned::Now,
            Some(Plan::Nothing { .. }) => Cordoned::Already,
            None => Cordoned::NodeGone,
        })
    }

    pub(crate) async fn uncordon(&self, node: &Node, holder: &str) -> Result<Released, Refusal> {
        let done = self
            .change(node, Nothing::Checked, |node| {
                plan::uncordon(&node.uid, &node.cordon, holder)
            })
            .await?;
        Ok(match done {
            Some(Plan::Patch { others: 0, .. }) => Released::Last,
            Some(Plan::Patch { others, .. }) => Released::Held(others),
            Some(Plan::Nothing { .. }) => Released::NotHeld,
            None => Released::NodeGone,
        })
    }

    /// Plans on what the cache shows, and on what the server shows whenever that was not it. `None`: the node is gone,
    /// or another one has its name.
    async fn change(
        &self,
        node: &Node,
        nothing: Nothing,
        plan: impl Fn(&Node) -> Plan,
    ) -> Result<Option<Plan>, Refusal> {
        // The lane is never closed.
        let _place = self.lane.acquire().await;
        let mut current = node.clone();
        let mut is_read = false;
        let mut pause = Duration::ZERO;
        for _ in 0..TRIES {
            let planned = plan(&current);
            match &planned {
                Plan::Nothing { .. } if is_read || nothing == Nothing::Believed => return Ok(Some(planned)),
                Plan::Nothing { .. } => {}
                Plan::Patch { operations, .. } => {
                    match self.requests.patch_node(&current.name, operations).await {
                        Ok(_) => return Ok(Some(planned)),
                        Err(Refusal::Missing | Refusal::Replaced) => return Ok(None),
                        Err(Refusal::Changed) => {}
                        Err(refusal) => return Err(refusal),
                    }
                    tokio::time::sleep(pause.mul_f64(rand::random_range(0.0..=1.0))).await;
                    pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                }
            }
            match self.read(&current.name).await? {
                Some(read) if read.uid == node.uid => (current, is_read) = (read, true),
                Some(_) | None => return Ok(None),
            }
        }
        Err(Refusal::Transient {
            message: format!("others changed the node {TRIES} times meanwhile"),
            after: None,
        })
    }
    async fn read(&self, name: &str) -> Result<Option<Node>, Refusal> {
        let body = match self.requests.node(name).await {
            Ok(body) => body,
            Err(Refusal::Missing) => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        WatchedNode::read(&body).map(|read| Some(read.content))
    }
}

/// What to do when the cache shows that there is nothing to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nothing {
    /// The cache saw our own doing.
    Believed,
    /// The cache may not have seen our own doing yet: the server is asked.
    Checked,
}
