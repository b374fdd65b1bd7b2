//! What all parts of the router share.

use std::{sync::Arc, time::Duration};

use hollowtrees_bus::{Bus, Delivery, Published, liveness::Lease, topology::ACK_WAIT};
use hollowtrees_schemas::{
    codec::EncodeError,
    envelope::{self, DataFormat},
    names::header,
    outgoing::Outgoing,
    proto,
};
use jiff::{SignedDuration, Timestamp};

use crate::{index::Index, lanes::Lanes, rulebook::Rulebook, telemetry::Telemetry, trouble::Trouble};

/// A message is tried for this long; then its delivery is handed back and tries again, perhaps elsewhere.
const PUBLISH_FOR: SignedDuration = SignedDuration::from_secs(10);
/// Times a record is read again after somebody else wrote it first.
pub(crate) const TRIES: u32 = 16;

/// The bus, the rules, and what is known of the records.
pub(crate) struct Core {
    pub(crate) bus: Bus,
    pub(crate) lease: Lease,
    pub(crate) me: proto::Worker,
    pub(crate) rulebook: Arc<Rulebook>,
    pub(crate) index: Index,
    pub(crate) lanes: Lanes,
    pub(crate) telemetry: Telemetry,
    pub(crate) format: DataFormat,
}

impl Core {
    /// The time by the server's clock where ours is far off, by ours otherwise.
    pub(crate) fn now(&self) -> Timestamp {
        self.lease.now()
    }

    /// `ce-source` of what a kind of process says about a cluster.
    pub(crate) fn source(cluster: &str, kind: &str) -> String {
        envelope::source(&["hollowtrees", cluster, kind])
    }

    /// `ce-source` of what the router says about a cluster.
    pub(crate) fn own_source(&self, cluster: &str) -> String {
        Self::source(cluster, &self.me.kind)
    }

    /// Stores a message.
    pub(crate) async fn publish(&self, message: Result<Outgoing, EncodeError>) -> Result<Published, Trouble> {
        let message = message.map_err(|error| Trouble::Unusable(error.to_string()))?;
        let until = Timestamp::now().saturating_add(PUBLISH_FOR).ok();
        Ok(self.bus.publish(&message, until).await?)
    }

    /// Whether somebody may have begun on a delivery before and stopped in between. The count of deliveries
    /// alone does not tell: a consumer that changed its leader may count anew, and a redriven message is
    /// another one to the bus.
    pub(crate) fn may_be_begun(&self, delivery: &Delivery) -> bool {
        let age = Duration::try_from(self.now().duration_since(delivery.stored_at));
        delivery.delivered > 1
            || age.is_ok_and(|age| age > ACK_WAIT)
            || delivery.wire.header(header::REDRIVE).is_some()
    }

    /// Waits a little, longer after each of `tries`, so that those who collided do not collide again.
    pub(crate) async fn step_back(&self, tries: u32) {
        self.telemetry.conflicted();
        let most = Duration::from_millis(4).saturating_mul(1 << tries.min(6));
        tokio::time::sleep(most.mul_f64(rand::random_range(0.0..1.0))).await;
    }
}

/// A delay with jitter, half to one and a half of it.
pub(crate) fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(rand::random_range(0.5..1.5))
}
