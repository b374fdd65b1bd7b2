//! The tasks that feed the loop, each over a bounded channel: a `select!` that drops a half-made pull or
//! watch would make it anew for ever.

use hollowtrees_bus::{
    Deliveries, Delivery, Store,
    consume::forward::{Forwarded, Forwards},
    watch::Change,
};
use hollowtrees_schemas::{proto, token};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::bounded::AbortOnDrop;

/// Deliveries on their way to the loop: it takes them at once.
const DELIVERIES: usize = 16;
/// Changes of incidents on their way to the loop.
const CHANGES: usize = 256;

/// Takes deliveries until `stop`, then hands back what was delivered and not taken.
pub(crate) fn deliveries(
    mut from: Deliveries,
    stop: CancellationToken,
) -> (mpsc::Receiver<Delivery>, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(DELIVERIES);
    let task = tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                delivery = from.next() => {
                    if let Err(unsent) = sender.send(delivery).await {
                        unsent.0.hand_over().await;
                        break;
                    }
                }
            }
        }
        from.stop().await;
    });
    (receiver, task)
}

/// Takes what others give until `stop`, and refuses it from then on until the guard is dropped.
pub(crate) fn forwards(
    from: Option<Forwards>,
    stop: CancellationToken,
) -> (mpsc::Receiver<Forwarded>, AbortOnDrop<()>) {
    let (sender, receiver) = mpsc::channel(DELIVERIES);
    let task = tokio::spawn(async move {
        let Some(mut from) = from else { return };
        while let Some(forwarded) = from.next().await {
            let refused = if stop.is_cancelled() {
                Some(forwarded)
            } else {
                sender.send(forwarded).await.err().map(|unsent| unsent.0)
            };
            if let Some(forwarded) = refused {
                refuse(forwarded).await;
            }
        }
    });
    (receiver, AbortOnDrop(task))
}

/// What is given to a process that ends stays where it was.
pub(crate) async fn refuse(forwarded: Forwarded) {
    forwarded.delivery.abandon();
    forwarded.word.refused("it ends").await;
}

/// Follows the incidents of one cluster, or of all.
pub(crate) fn incidents(
    store: &Store<proto::Incident>,
    cluster: Option<&str>,
) -> (mpsc::Receiver<(String, proto::Incident)>, JoinHandle<()>) {
    let filter = cluster.map_or_else(
        || ">".to_owned(),
        |cluster| format!("{}.>", token::escape(cluster)),
    );
    let mut watch = store.watch(&[&filter]);
    let (sender, receiver) = mpsc::channel(CHANGES);
    let task = tokio::spawn(async move {
        loop {
            match watch.next().await {
                Change::Put(key, incident) => {
                    if sender.send((key, incident.value)).await.is_err() {
                        return;
                    }
                }
                Change::Unreadable(error) => {
                    tracing::warn!(%error, "An incident could not be read; its changes are not seen.");
                }
                Change::Resync | Change::Removed(_) | Change::Synced => {}
            }
        }
    });
    (receiver, task)
}
