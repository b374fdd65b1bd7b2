//! What the agent logs and counts; each method is one noteworthy event.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hollowtrees_bus::{PublishError, Published};
use hollowtrees_runtime::metrics::{Counters, Definition, Error, Gauge, Gauges, Metrics, count};
use hollowtrees_schemas::codec::EncodeError;
use jiff::Timestamp;

use crate::{
    decide::{Observation, Reading},
    document::Identity,
    notice::Message,
    poll::Trouble,
    spool::Offered,
};

/// As the original spot-termination-exporter.
pub const SERVICE_AVAILABLE: Definition = Definition::new(
    "aws_instance_metadata_service_available",
    "1 if the metadata service answered, 0 if it did not.",
);
/// As the original spot-termination-exporter.
pub const TERMINATION_IMMINENT: Definition = Definition::new(
    "aws_instance_termination_imminent",
    "1 if the instance is about to be taken back, with the action; 0 if it is not.",
);
/// As the original spot-termination-exporter.
pub const TERMINATION_IN: Definition = Definition::new(
    "aws_instance_termination_in",
    "Seconds until the instance is taken back, while there are any.",
);
/// Asked for as banzaicloud/spot-termination-exporter#13.
pub const REBALANCE_RECOMMENDED: Definition = Definition::new(
    "aws_instance_rebalance_recommended",
    "1 if the provider recommends to replace the instance.",
);
/// Notices by what became of them.
pub const NOTICES: Definition = Definition::new(
    "hollowtrees_agent_notices_total",
    "Notices by kind and by what became of them: noticed, published, duplicate, refused, dropped.",
);
/// Notices not stored yet.
pub const WAITING: Definition = Definition::new(
    "hollowtrees_agent_notices_waiting",
    "Notices that the bus has not stored yet.",
);

/// The same trouble is logged again after so long.
const REMIND: Duration = Duration::from_secs(300);

/// Logs and metrics of one agent. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Telemetry {
    metrics: Metrics,
    available: Gauges<1>,
    imminent: Gauges<2>,
    recommended: Gauges<1>,
    notices: Counters<2>,
    waiting: Gauge,
    shown: Arc<Mutex<Shown>>,
}

#[derive(Debug, Default)]
struct Shown {
    /// Instance and time of what is imminent, for [`TERMINATION_IN`].
    going: Option<(String, Timestamp)>,
    /// Kind of the trouble that was logged last, and when.
    trouble: Option<(&'static str, Instant)>,
}

impl Telemetry {
    /// Registers all metrics of the agent.
    ///
    /// # Errors
    /// A name is taken.
    pub fn register(metrics: &Metrics) -> Result<Self, Error> {
        let shown = Arc::new(Mutex::new(Shown::default()));
        let left = metrics.gauges(TERMINATION_IN, ["instance_id"])?;
        let going = Arc::clone(&shown);
        metrics.before_scrape(move || {
            left.clear();
            let shown = going.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((instance, time)) = &shown.going {
                let seconds = time.duration_since(Timestamp::now()).as_secs_f64();
                if seconds > 0.0 {
                    left.set([instance], seconds);
                }
            }
        });
        let telemetry = Self {
            metrics: metrics.clone(),
            available: metrics.gauges(SERVICE_AVAILABLE, ["instance_id"])?,
            imminent: metrics.gauges(TERMINATION_IMMINENT, ["instance_action", "instance_id"])?,
            recommended: metrics.gauges(REBALANCE_RECOMMENDED, ["instance_id"])?,
            notices: metrics.counters(NOTICES, ["kind", "result"])?,
            waiting: metrics.gauge(WAITING)?,
            shown,
        };
        // Until the instance has a name.
        telemetry.available.set([""], 0.0);
        Ok(telemetry)
    }

    /// The instance is known.
    pub(crate) fn identified(&self, identity: &Identity) {
        self.available.clear();
        tracing::info!(
            instance = identity.instance_id,
            account = identity.account_id,
            region = identity.region,
            zone = identity.availability_zone,
            instance_type = identity.instance_type,
            "The instance is known."
        );
    }

    /// The service answered, in whatever way, or it did not.
    pub(crate) fn service(&self, identity: &Identity, trouble: Option<&Trouble>) {
        let answered = match trouble {
            Some(Trouble::Metadata(error)) => error.answered(),
            Some(Trouble::Garbage(_) | Trouble::Nameless) | None => true,
        };
        self.available
            .set([&identity.instance_id], f64::from(u8::from(answered)));
    }

    /// The service gave usable answers.
    pub(crate) fn metadata_is_well(&self) {
        if self.shown().trouble.take().is_some() {
            tracing::info!("The metadata service is well again.");
        }
    }

    /// The service gave none; counted each time, logged when it begins or changes, and every five minutes.
    pub(crate) fn trouble(&self, trouble: &Trouble) {
        self.metrics.error(trouble.kind(), "metadata");
        let mut shown = self.shown();
        let logged = |(kind, at): &(&str, Instant)| *kind == trouble.kind() && at.elapsed() < REMIND;
        if !shown.trouble.as_ref().is_some_and(logged) {
            shown.trouble = Some((trouble.kind(), Instant::now()));
            drop(shown);
            tracing::warn!(error = %trouble, "The metadata service gives no usable answer.");
        }
    }

    /// What the original exporters show. What stands keeps standing while the service is away; what did not stand is
    /// not known then, and not shown.
    pub(crate) fn observed(&self, identity: &Identity, seen: &Observation) {
        let instance = identity.instance_id.as_str();
        match &seen.interruption {
            Reading::Present(present) => {
                self.imminent.clear();
                self.imminent.set([&present.action, instance], 1.0);
                self.shown().going = present.time.map(|time| (instance.to_owned(), time));
            }
            Reading::Absent => {
                self.imminent.clear();
                self.imminent.set(["", instance], 0.0);
                self.shown().going = None;
            }
            Reading::Unknown => self.imminent.remove(["", instance]),
        }
        match &seen.rebalance {
            Reading::Present(_) => self.recommended.set([instance], 1.0),
            Reading::Absent => self.recommended.set([instance], 0.0),
            Reading::Unknown => {}
        }
    }

    /// Something is to be said.
    pub(crate) fn noticed(&self, message: &Message, identity: &Identity, offered: &Offered, waiting: usize) {
        self.notices.increment([message.kind, "noticed"]);
        self.waiting.set(count(waiting));
        tracing::info!(
            kind = message.kind,
            instance = identity.instance_id,
            message = %message.outgoing.message_id,
            "Noticed."
        );
        if let Offered::InPlaceOf(gone) = offered {
            self.notices.increment([gone.kind, "dropped"]);
            self.metrics.error("spool_full", "publish");
            tracing::error!(
                kind = gone.kind,
                message = %gone.outgoing.message_id,
                "A notice was dropped: too many wait for the bus. Raise spool.notices (HT_SPOOL__NOTICES)."
            );
        }
    }

    /// The bus has stored it.
    pub(crate) fn published(&self, message: &Message, published: Published, waiting: usize) {
        let result = if published.duplicate {
            "duplicate"
        } else {
            "published"
        };
        self.notices.increment([message.kind, result]);
        self.waiting.set(count(waiting));
        tracing::info!(
            kind = message.kind,
            message = %message.outgoing.message_id,
            sequence = published.sequence,
            duplicate = published.duplicate,
            "Published."
        );
    }

    /// The bus did not store it in time; it is tried again.
    pub(crate) fn delayed(&self, message: &Message, error: &PublishError) {
        self.metrics.error("publish_timeout", "publish");
        tracing::warn!(kind = message.kind, %error, "A notice is not stored yet; it is published again.");
    }

    /// The bus will never store it.
    pub(crate) fn refused(&self, message: &Message, error: &PublishError, waiting: usize) {
        self.notices.increment([message.kind, "refused"]);
        self.metrics.error("publish_refused", "publish");
        self.waiting.set(count(waiting));
        tracing::error!(kind = message.kind, %error, "A notice is lost: the bus refuses it.");
    }

    /// A fact that cannot be written as a message.
    pub(crate) fn unsayable(&self, error: &EncodeError) {
        self.metrics.error("encode", "publish");
        tracing::error!(%error, "A notice is lost: it cannot be written as an event.");
    }

    /// The grace is over and notices wait; the next start reads them from the provider again.
    pub(crate) fn left_behind(&self, waiting: usize) {
        self.metrics.error("left_behind", "shutdown");
        tracing::error!(waiting, "Ending with notices that the bus has not stored.");
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
