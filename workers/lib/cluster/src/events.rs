//! What `kubectl describe node` shows of a drain: an event at its start, one at its end, and one where budgets keep it;
//! and of a cordon alone and its end.
//!
//! They are told on the side and once: no drain waits for them, and one more than can be kept is dropped. While nodes are
//! cordoned and pods wait for their turn only a few are told, for the API server has better things to do; each has the
//! time at which it happened all the same.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use tokio::sync::{Mutex, mpsc};

use crate::{cache::Node, request::Requests};

/// Nodes have no namespace; their events are kept here.
pub const NAMESPACE: &str = "default";
/// Who tells.
const COMPONENT: &str = "hollowtrees-drain";
/// Events that wait to be told.
const WAITING: usize = 16_384;
/// Events told at once.
const AT_ONCE: usize = 4;
/// While there is more urgent work, one is told after so long.
const GIVES_WAY_FOR: Duration = Duration::from_millis(100);
/// Between two looks at whether there is.
const LOOK: Duration = Duration::from_millis(20);
/// The API server takes no longer message.
const LONGEST_MESSAGE: usize = 1_024;

/// What happened to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It was cordoned, and no more.
    Cordoned,
    /// Pods are let back on it.
    Uncordoned,
    /// Its drain began.
    Draining,
    /// Budgets keep pods on it.
    Blocked,
    /// It is empty.
    Drained,
    /// It is not, and nothing more is done.
    NotDrained,
    /// Its instance is gone: it was marked out of service.
    OutOfService,
}

impl Happened {
    fn reason(self) -> &'static str {
        match self {
            Self::Cordoned => "HollowtreesCordoned",
            Self::Uncordoned => "HollowtreesUncordoned",
            Self::Draining => "HollowtreesDraining",
            Self::Blocked => "HollowtreesBlocked",
            Self::Drained => "HollowtreesDrained",
            Self::NotDrained => "HollowtreesNotDrained",
            Self::OutOfService => "HollowtreesOutOfService",
        }
    }

    fn is_warning(self) -> bool {
        matches!(self, Self::Blocked | Self::NotDrained | Self::OutOfService)
    }
}

/// Where events are handed in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Events {
    sender: mpsc::Sender<Event>,
}

impl Events {
    /// `is_busy`: there is more urgent work for the API server.
    pub(crate) fn new(
        requests: Requests,
        is_busy: impl Fn() -> bool + Clone + Send + 'static,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let waiting = futures::stream::unfold(receiver, |mut receiver| async {
            let event = receiver.recv().await?;
            Some((event, receiver))
        });
        let turn = Arc::new(Mutex::new(()));
        let telling = waiting.for_each_concurrent(AT_ONCE, move |event| {
            let (requests, is_busy, turn) = (requests.clone(), is_busy.clone(), Arc::clone(&turn));
            async move {
                give_way(&turn, is_busy).await;
                // One that was told already, by whoever had this drain before, is refused as well.
                if let Err(error) = requests.event(NAMESPACE, &event).await {
                    tracing::debug!(%error, "An event was not told.");
                }
            }
        });
        (Self { sender }, telling)
    }

    /// Tells of `node`. The same `story` tells each thing once, whoever tells it.
    pub(crate) fn tell(&self, node: &Node, happened: Happened, story: &str, message: &str) {
        let now = Some(Time(Timestamp::now()));
        let event = Event {
            metadata: ObjectMeta {
                name: Some(format!("{story}.{}", happened.reason().to_ascii_lowercase())),
                namespace: Some(NAMESPACE.to_owned()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Node".to_owned()),
                name: Some(node.name.to_string()),
                // `kubectl describe node` looks for events by the node's name in place of its uid.
                uid: Some(node.name.to_string()),
                ..ObjectReference::default()
            },
            reason: Some(happened.reason().to_owned()),
            type_: Some(
                if happened.is_warning() {
                    "Warning"
                } else {
                    "Normal"
                }
                .to_owned(),
            ),
            message: Some(message.chars().take(LONGEST_MESSAGE).collect()),
            source: Some(EventSource {
                component: Some(COMPONENT.to_owned()),
                host: None,
            }),
            first_timestamp: now.clone(),
            last_timestamp: now,
            count: Some(1),
            ..Event::default()
        };
        if self.sender.try_send(event).is_err() {
            tracing::debug!(node = %node.name, "Too many events wait; one is not told.");
        }
    }
}

/// Waits while there is more urgent work, one event after another, but not for ever.
async fn give_way(turn: &Mutex<()>, is_busy: impl Fn() -> bool) {
    if !is_busy() {
        return;
    }
    let _turn = turn.lock().await;
    let began = Instant::now();
    while is_busy() && began.elapsed() < GIVES_WAY_FOR {
        tokio::time::sleep(LOOK).await;
    }
}
