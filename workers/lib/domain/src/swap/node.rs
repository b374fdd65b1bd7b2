//! Whether the replacement's node is ready, and what came of waiting for it.
//!
//! A wait that is over is over: a node that was ready once has joined, and one that was not in time is not waited for
//! again. So the step after it is not called off by a node that flaps, and a crash in it waits no second time.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Checkpoint, Orders, Seen};

/// What is seen of the replacement's node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Node {
    /// Nobody asks for it.
    #[default]
    NotAsked,
    /// It is asked for, and this worker sees no nodes of that cluster.
    Unseen,
    /// No node of it is seen.
    NotThere,
    /// It has a node, which takes no pods yet.
    NotReady,
    /// Its node is ready.
    Ready,
}

impl Node {
    /// A word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAsked => "not-asked",
            Self::Unseen => "unseen",
            Self::NotThere => "not-there",
            Self::NotReady => "not-ready",
            Self::Ready => "ready",
        }
    }
}

/// What came of a wait for a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Waited {
    /// What was seen at its end.
    pub found: Node,
    /// How long the instance had been seen running.
    pub seconds: i64,
}

impl Waited {
    /// For a person: a sentence after that of the swap.
    pub(super) fn sentence(self) -> String {
        let seconds = self.seconds;
        match self.found {
            Node::NotAsked => String::new(),
            Node::Unseen => {
                " The replacement's node was not waited for: this worker sees no nodes of the cluster."
                    .to_owned()
            }
            Node::NotThere => {
                format!(
                    " No node of the replacement was seen in {seconds} s of its running; it was attached all the same."
                )
            }
            Node::NotReady => {
                format!(
                    " The replacement's node was not Ready in {seconds} s of its running; it was attached all the same."
                )
            }
            Node::Ready => {
                format!(" The replacement's node was Ready {seconds} s after it was seen running.")
            }
        }
    }
}

/// Whether the replacement, which runs, is to wait for its node; what came of it is noted when that is over.
///
/// It is over when the node is ready, when its time is, and when the old instance has left: then the group is one short, and
/// what is not attached soon the group replaces by itself.
pub(super) fn is_awaited(checkpoint: &mut Checkpoint, seen: &Seen, orders: &Orders, now: Timestamp) -> bool {
    if seen.node == Node::NotAsked || checkpoint.node.is_some() {
        return false;
    }
    if checkpoint.running_at == 0 {
        checkpoint.running_at = now.as_second();
    }
    let seconds = now.as_second().saturating_sub(checkpoint.running_at);
    let is_over = match seen.node {
        Node::NotAsked | Node::Unseen | Node::Ready => true,
        Node::NotThere | Node::NotReady => {
            orders.node_over
                || SignedDuration::from_secs(seconds) >= orders.node_within
                || seen.old_stays().is_none()
        }
    };
    if is_over {
        checkpoint.node = Some(Waited {
            found: seen.node,
            seconds,
        });
    }
    !is_over
}
