//! One watch, for as long as the process lives.
//!
//! Made of kube's requests, not of its `watcher`: that one pauses for up to half a minute, resets its pauses before it
//! asks again, waits without a limit for an answer, and does not say when a watch stands again on which nothing
//! happens.

use std::{
    fmt::Debug,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt;
use hollowtrees_domain::drain::{Pod, budget::Budget};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ListParams, WatchEvent, WatchParams},
};
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use super::{
    Inner, Kind, Node,
    objects::{WatchedBudget, WatchedNode, WatchedPod},
    protobuf::{self, Events},
    store::Kept,
    volumes::{Attachment, Volume, WatchedAttachment, WatchedVolume},
};

/// First and longest pause after something went wrong: two minutes of notice leave no time for more.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// A watch that lasted this long was no failure.
const LASTED: Duration = Duration::from_secs(5);
/// The server ends a watch at its time; if it does not, the way to it is lost.
const OVERTIME: Duration = Duration::from_secs(5);
/// After so many breaks in a row, without a word between, everything is listed again.
const BREAKS: u32 = 8;
/// Objects a page of a list.
const PAGE: u32 = 500;

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For the answer to a request.
    pub request: Duration,
    /// For the end of a watch, which is then begun anew where it was: a way that was lost without a word is noticed
    /// after that.
    pub watch: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(10),
            watch: Duration::from_secs(30),
        }
    }
}

/// A watched object and what is kept of it.
pub(super) trait Watched:
    Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static
{
    const KIND: Kind;
    /// Which objects, by field.
    const FIELDS: Option<&str>;
    type Content: Kept + Send;

    fn into_content(self) -> Self::Content;

    /// The events of a watch.
    fn events(
        client: &Client,
        params: &WatchParams,
        version: &str,
    ) -> impl Future<Output = Result<Events<Self>, kube::Error>> + Send {
        json(client, params, version)
    }
}

async fn json<W: Watched>(
    client: &Client,
    params: &WatchParams,
    version: &str,
) -> Result<Events<W>, kube::Error> {
    let events = Api::<W>::all(client.clone()).watch(params, version).await?;
    Ok(events.boxed())
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

    /// Of all objects pods change most.
    async fn events(
        client: &Client,
        params: &WatchParams,
        version: &str,
    ) -> Result<Events<Self>, kube::Error> {
        match protobuf::pods(client, params, version).await? {
            Some(events) => Ok(events),
            None => json(client, params, version).await,
        }
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

impl Watched for WatchedVolume {
    const KIND: Kind = Kind::Volumes;
    const FIELDS: Option<&str> = None;
    type Content = Volume;

    fn into_content(self) -> Volume {
        self.content
    }
}

impl Watched for WatchedAttachment {
    const KIND: Kind = Kind::Attachments;
    const FIELDS: Option<&str> = None;
    type Content = Attachment;

    fn into_content(self) -> Attachment {
        self.content
    }
}

/// Follows all objects of a kind. A watch never ends: what goes wrong is told, and tried again with growing pauses.
pub(super) async fn follow<W: Watched>(client: Client, inner: Arc<Inner>, limits: Limits) {
    let watch = Watch {
        api: Api::<W>::all(client.clone()),
        client,
        inner,
        limits,
    };
    let mut version = None;
    let mut breaks = Breaks::default();
    loop {
        let ended = match version.take() {
            Some(from) => watch.follow(from).await,
            None => watch.list().await,
        };
        if ended.was_well {
            breaks = Breaks::default();
        }
        version = ended.version;
        if let Some(trouble) = ended.trouble {
            if let Trouble::Broken(error) = trouble {
                watch.inner.trouble(W::KIND, &error);
            }
            sleep(breaks.pause()).await;
            version = version.filter(|_| !breaks.in_a_row.is_multiple_of(BREAKS));
        }
    }
}

struct Watch<W> {
    client: Client,
    api: Api<W>,
    inner: Arc<Inner>,
    limits: Limits,
}

/// How a list or a watch ended.
struct Ended {
    /// Where to go on; `None`: all has to be listed.
    version: Option<String>,
    /// It gave what it should for a while.
    was_well: bool,
    trouble: Option<Trouble>,
}

enum Trouble {
    /// It ended before it was worth anything.
    Short,
    Broken(String),
}

impl<W: Watched> Watch<W> {
    async fn list(&self) -> Ended {
        let listed = self.pages().await;
        let (version, trouble) = match listed {
            Ok((all, version)) => {
                self.inner.apply(|store| Kept::replace(all, store));
                self.inner.well(W::KIND);
                (Some(version), None)
            }
            Err(error) => (None, Some(Trouble::Broken(error))),
        };
        // What comes of it is seen when it is watched.
        Ended {
            version,
            was_well: false,
            trouble,
        }
    }

    async fn pages(&self) -> Result<(Vec<W::Content>, String), String> {
        let mut all = Vec::new();
        let mut params = ListParams {
            field_selector: W::FIELDS.map(str::to_owned),
            limit: Some(PAGE),
            ..ListParams::default()
        };
        loop {
            let page = timeout(self.limits.request, self.api.list(&params)).await;
            let page = page
                .map_err(|_| self.no_answer())?
                .map_err(|error| error.to_string())?;
            let mut items: Vec<W::Content> = page.items.into_iter().map(W::into_content).collect();
            self.inner.trim(&mut items);
            all.extend(items);
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                let version = page
                    .metadata
                    .resource_version
                    .filter(|version| !version.is_empty());
                let version = version.ok_or("the list has no resourceVersion")?;
                return Ok((all, version));
            }
        }
    }

    async fn follow(&self, mut version: String) -> Ended {
        let params = WatchParams {
            field_selector: W::FIELDS.map(str::to_owned),
            timeout: u32::try_from(self.limits.watch.as_secs()).ok(),
            bookmarks: true,
            ..WatchParams::default()
        };
        let began = Instant::now();
        let mut heard = false;
        let broken = |version, heard: bool, error: String| Ended {
            version,
            was_well: heard || began.elapsed() >= LASTED,
            trouble: Some(Trouble::Broken(error)),
        };
        let answer = timeout(self.limits.request, W::events(&self.client, &params, &version)).await;
        let mut events = match answer {
            Ok(Ok(events)) => events,
            // The time it took to be refused says nothing good.
            Ok(Err(error)) => {
                return Ended {
                    was_well: false,
                    ..broken(
                        Some(version).filter(|_| !is_gone(&error)),
                        false,
                        error.to_string(),
                    )
                };
            }
            Err(_) => {
                return Ended {
                    was_well: false,
                    ..broken(Some(version), false, self.no_answer())
                };
            }
        };
        // It stands again, whether or not anything happens on it.
        self.inner.well(W::KIND);
        loop {
            let event = match timeout(self.limits.watch + OVERTIME, events.next()).await {
                Ok(Some(Ok(event))) => event,
                Ok(Some(Err(error))) => return broken(Some(version), heard, error.to_string()),
                Ok(None) => {
                    let was_well = heard || began.elapsed() >= LASTED;
                    return Ended {
                        version: Some(version),
                        was_well,
                        trouble: (!was_well).then_some(Trouble::Short),
                    };
                }
                Err(_) => return broken(Some(version), heard, "nothing was heard any more".to_owned()),
            };
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    version = object.resource_version().unwrap_or(version);
                    self.inner.apply(|store| object.into_content().put(store));
                }
                WatchEvent::Deleted(object) => {
                    version = object.resource_version().unwrap_or(version);
                    self.inner.apply(|store| object.into_content().remove(store));
                }
                WatchEvent::Bookmark(bookmark) => version = bookmark.metadata.resource_version,
                WatchEvent::Error(status) => {
                    let version = Some(version).filter(|_| status.code != GONE);
                    return broken(version, heard, status.message);
                }
            }
            heard = true;
            self.inner.well(W::KIND);
        }
    }

    fn no_answer(&self) -> String {
        format!("no answer within {} s", self.limits.request.as_secs_f64())
    }
}

/// The version is older than what the server keeps (410): list again.
const GONE: u16 = 410;

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == GONE)
}

/// Breaks in a row, and the pauses after them.
#[derive(Debug, Default)]
struct Breaks {
    in_a_row: u32,
}

impl Breaks {
    fn pause(&mut self) -> Duration {
        let (first, longest) = PAUSES;
        let pause = first
            .saturating_mul(2_u32.saturating_pow(self.in_a_row))
            .min(longest);
        self.in_a_row = self.in_a_row.saturating_add(1);
        pause.mul_f64(rand::random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_two_seconds_and_no_further() {
        let mut breaks = Breaks::default();
        for most in [100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000] {
            let most = Duration::from_millis(most);
            let pause = breaks.pause();
            assert!(pause >= most / 2 && pause <= most, "{pause:?}, at most {most:?}");
        }
        breaks.in_a_row = u32::MAX;
        assert!(breaks.pause() <= PAUSES.1);
    }
}
