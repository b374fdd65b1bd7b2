//! One watch, for as long as the process lives.

use std::{fmt::Debug, sync::Arc};

use futures::StreamExt;
use hollowtrees_domain::drain::{Pod, budget::Budget};
use kube::{
    Api, Client, Resource,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;

use super::{
    Inner, Kind, Node,
    objects::{WatchedBudget, WatchedNode, WatchedPod},
    store::Kept,
};

/// A watched object and what is kept of it.
pub(super) trait Watched:
    Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static
{
    const KIND: Kind;
    /// Which objects, by field.
    const FIELDS: Option<&str>;
    type Content: Kept + Send;

    fn into_content(self) -> Self::Content;
}

impl Watched for WatchedNode {
    const KIND: Kind = Kind::Nodes;
    const FIELDS: Option<&str> = None;
    type Content = Node;

    fn into_content(self) -> Node {
        self.content
    }
}

impl Watched for WatchedPod {
    const KIND: Kind = Kind::Pods;
    /// Those that are bound to a node.
    const FIELDS: Option<&str> = Some("spec.nodeName!=");
    type Content = Pod;

    fn into_content(self) -> Pod {
        self.content
    }
}

impl Watched for WatchedBudget {
    const KIND: Kind = Kind::Budgets;
    const FIELDS: Option<&str> = None;
    type Content = Budget;

    fn into_content(self) -> Budget {
        self.content
    }
}

/// Follows all objects of a kind. A watch never ends: what goes wrong is told, and tried again with growing pauses.
pub(super) async fn follow<W: Watched>(client: Client, inner: Arc<Inner>) {
    let config = watcher::Config {
        field_selector: W::FIELDS.map(str::to_owned),
        ..watcher::Config::default()
    };
    let mut events = std::pin::pin!(watcher(Api::<W>::all(client), config).default_backoff());
    let mut listed = Vec::new();
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                inner.trouble(W::KIND, &error.to_string());
                continue;
            }
        };
        match event {
            Event::Apply(object) => inner.apply(|store| object.into_content().put(store)),
            Event::Delete(object) => inner.apply(|store| object.into_content().remove(store)),
            Event::Init => {
                listed = Vec::new();
                continue;
            }
            Event::InitApply(object) => {
                listed.push(object.into_content());
                continue;
            }
            Event::InitDone => {
                let all = std::mem::take(&mut listed);
                inner.apply(|store| Kept::replace(all, store));
            }
        }
        inner.well(W::KIND);
    }
}
