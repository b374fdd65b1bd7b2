//! Messages on a stream of actions that are none.

use std::{sync::Arc, time::Duration};

use hollowtrees_bus::{
    Delivery,
    dead::{Class, Reason},
};
use hollowtrees_schemas::subject::Subject;

use super::{execute::Core, order::BadOrder};

/// A message that cannot be kept as a dead letter is handed back for this long.
const DEAD_LETTER_DELAY: Duration = Duration::from_secs(5);

/// Keeps what nobody can read as a dead letter before the server forgets it.
pub(crate) async fn refuse<H>(core: Arc<Core<H>>, delivery: Delivery, bad: BadOrder) {
    let class = match bad {
        BadOrder::Undecodable(_) => Class::Undecodable,
        BadOrder::Invalid { .. } => Class::Invalid,
    };
    let (cluster, kind) = match delivery.subject.parse() {
        Ok(Subject::Action { cluster, action, .. }) => (cluster, action),
        Ok(_) | Err(_) => (String::new(), String::new()),
    };
    let reason = Reason {
        class,
        text: bad.to_string(),
        attempts: 0,
        action_id: None,
        cluster: &cluster,
        worker: &core.author.worker,
    };
    tracing::warn!(subject = delivery.subject, error = %bad, "A message is no action; it is kept as a dead letter.");
    core.telemetry.dead_lettered(&kind, class);
    match core.bus.dead_letter(&delivery, &reason).await {
        Ok(_) => delivery.term().await,
        Err(error) => {
            tracing::error!(%error, "A dead letter could not be kept; the message is handed back.");
            delivery.nak(DEAD_LETTER_DELAY).await;
        }
    }
}
