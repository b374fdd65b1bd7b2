//! Messages on a stream of actions that are none.

use std::{sync::Arc, time::Duration};

use hollowtrees_bus::{
    Bus, Delivery,
    dead::{Class, Reason},
};
use hollowtrees_schemas::subject::Subject;

use super::{execute::Core, order::BadOrder};

/// A message that cannot be kept as a dead letter is handed back for this long.
const DEAD_LETTER_DELAY: Duration = Duration::from_secs(5);

/// A dead letter is tried for this long: what is handed back holds no place, and is tried again when it comes back.
const DEAD_LETTER_LIMIT: Duration = Duration::from_secs(4);

/// Keeps a delivery as a dead letter, if that can be done soon. One kept after all, unheard, is kept once.
pub(crate) async fn dead_letter(bus: &Bus, delivery: &Delivery, reason: &Reason<'_>) -> Result<(), String> {
    match tokio::time::timeout(DEAD_LETTER_LIMIT, bus.dead_letter(delivery, reason)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", DEAD_LETTER_LIMIT.as_secs())),
    }
}

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
    match dead_letter(&core.bus, &delivery, &reason).await {
        Ok(()) => delivery.term().await,
        Err(error) => {
            tracing::error!(%error, "A dead letter could not be kept; the message is handed back.");
            delivery.nak(DEAD_LETTER_DELAY).await;
        }
    }
}
