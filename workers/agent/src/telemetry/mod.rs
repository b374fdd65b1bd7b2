//! What the agent logs and counts; each method is one noteworthy event.

pub mod exporters;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hollowtrees_bus::{PublishError, Published};
use hollowtrees_runtime::metrics::{Counters, Definition, Error, Gauge, Gauges, IntCounter, Metrics, count};
use hollowtrees_schemas::codec::EncodeError;

use crate::{
    approve::{self, Pending},
    cordon,
    document::{Document, Identity},
    listen::Trouble,
    notice::Message,
    provider::Provider,
    settings,
    spool::{Offered, Unreadable},
};

use exporters::Exporters;
pub use exporters::Interruption;

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
/// Events that were approved.
pub const APPROVALS: Definition = Definition::new(
    "hollowtrees_agent_approvals_total",
    "Scheduled events of Azure that this agent has approved.",
);
/// Cordons by the agent itself.
pub const CORDONS: Definition = Definition::new(
    "hollowtrees_agent_cordons_total",
    "How often this agent cordoned its own node because the bus did not store a notice.",
);
/// Where the node runs.
pub const PROVIDER: Definition = Definition::new(
    "hollowtrees_agent_provider_info",
    "Always 1; the cloud this node runs in as a label: unknown while nothing tells, none where the settings say so.",
);

/// The same trouble is logged again after so long.
const REMIND: Duration = Duration::from_secs(300);

/// Logs and metrics of one agent. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Telemetry {
    metrics: Metrics,
    exporters: Exporters,
    notices: Counters<2>,
    waiting: Gauge,
    provider: Gauges<1>,
    approvals: IntCounter,
    cordons: IntCounter,
    troubles: Arc<Mutex<Troubles>>,
}

/// Kind of the trouble with each document (with the identity: none) that was logged last, and when.
type Troubles = BTreeMap<Option<Document>, (&'static str, Instant)>;

impl Telemetry {
    /// Registers all metrics of the agent.
    ///
    /// # Errors
    /// A name is taken.
    pub fn register(metrics: &Metrics, settings: &settings::Exporters) -> Result<Self, Error> {
        let telemetry = Self {
            metrics: metrics.clone(),
            exporters: Exporters::register(metrics, settings)?,
            notices: metrics.counters(NOTICES, ["kind", "result"])?,
            waiting: metrics.gauge(WAITING)?,
            provider: metrics.gauges(PROVIDER, ["provider"])?,
            approvals: metrics.counter(APPROVALS)?,
            cordons: metrics.counter(CORDONS)?,
            troubles: Arc::default(),
        };
        telemetry.provider.set(["unknown"], 1.0);
        Ok(telemetry)
    }

    /// The provider is known, by this.
    pub(crate) fn provider(&self, provider: Provider, by: &str) {
        self.provider.clear();
        self.provider.set([provider.name()], 1.0);
        self.exporters.provider(provider);
        tracing::info!(%provider, by, "The provider is known.");
    }

    /// It announces nothing.
    pub(crate) fn silent(&self, provider: Provider, why: &str) {
        tracing::warn!(%provider, why, "Nothing is read: this provider's metadata service announces no interruption.");
    }

    /// There is none, by the settings.
    pub(crate) fn no_provider(&self) {
        self.provider.clear();
        self.provider.set(["none"], 1.0);
        tracing::info!("Nothing is read: the provider is `none` by the settings.");
    }

    /// Nothing tells; logged now and then, counted each time.
    pub(crate) fn provider_unknown(&self, loud: bool) {
        self.metrics.error("provider_unknown", "detect");
        if loud {
            tracing::warn!(
                "The provider is unknown: neither the firmware nor a metadata service names one. It is looked for \
                 again and again; set HT_PROVIDER, to `none` where nothing is to be heard."
            );
        }
    }

    /// The environment has variables of the original termination handler.
    pub(crate) fn inherited(&self, understood: &[String], without: &[String]) {
        if !understood.is_empty() {
            tracing::info!(
                variables = understood.join(", "),
                "Settings of spot-termination-handler are in force."
            );
        }
        for variable in without {
            tracing::warn!(
                variable,
                "This setting of spot-termination-handler has no counterpart."
            );
        }
    }

    /// The instance is known.
    pub(crate) fn identified(&self, identity: &Identity) {
        self.exporters.identified();
        tracing::info!(
            instance = identity.instance_id,
            name = identity.name,
            account = identity.account_id,
            region = identity.region,
            zone = identity.availability_zone,
            instance_type = identity.instance_type,
            "The instance is known."
        );
    }

    /// The document was read, or is known not to be there.
    pub(crate) fn well(&self, document: Option<Document>) {
        if self.troubles().remove(&document).is_some() {
            tracing::info!(?document, "The metadata service is well again.");
        }
    }

    /// The service gave no usable answer; counted each time, logged when it begins or changes, and every five minutes.
    pub(crate) fn trouble(&self, document: Option<Document>, trouble: &Trouble) {
        self.metrics.error(trouble.kind(), "metadata");
        let mut troubles = self.troubles();
        let logged = |(kind, at): &(&str, Instant)| *kind == trouble.kind() && at.elapsed() < REMIND;
        if !troubles.get(&document).is_some_and(logged) {
            troubles.insert(document, (trouble.kind(), Instant::now()));
            drop(troubles);
            tracing::warn!(error = %trouble, "The metadata service gives no usable answer.");
        }
    }

    /// What the document that tells of interruptions says.
    pub(crate) fn interruption(&self, identity: &Identity, answered: bool, interruption: &Interruption) {
        self.exporters.interruption(identity, answered, interruption);
    }

    /// Whether a rebalance is recommended.
    pub(crate) fn rebalance(&self, identity: &Identity, recommended: bool) {
        self.exporters.rebalance(identity, recommended);
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

    /// Azure may start it.
    pub(crate) fn approved(&self, event: &Pending) {
        self.approvals.inc();
        let machines = event.machines.join(", ");
        tracing::info!(
            event = event.id,
            machines,
            "An event was approved: all that follows from it is done."
        );
    }

    /// It waits for another try, or for its time; counted each time.
    pub(crate) fn not_approved(&self, event: &Pending, error: &approve::Error, loud: bool) {
        self.metrics.error(error.kind(), "approve");
        if loud {
            tracing::warn!(event = event.id, %error, "An event could not be approved; it is tried again.");
        }
    }

    /// The bus did not store that the instance goes, and no new pods come to its node.
    pub(crate) fn cordoned(&self, node: &str, marked: bool) {
        self.cordons.inc();
        tracing::warn!(node, marked, "Cut off from the bus: this node was cordoned.");
    }

    /// Neither the bus nor the API server heard it; it is tried again.
    pub(crate) fn not_cordoned(&self, node: &str, error: &cordon::Error) {
        self.metrics.error("cordon_failed", "cordon");
        tracing::error!(node, %error, "Cut off from the bus, and this node could not be cordoned; it is tried again.");
    }

    /// The directory of waiting notices cannot be written; they wait in memory all the same.
    pub(crate) fn disk(&self, error: &std::io::Error) {
        self.metrics.error("spool_disk", "publish");
        tracing::error!(%error, "The directory of waiting notices cannot be written: see spool.directory.");
    }

    /// A file there that holds no notice.
    pub(crate) fn unreadable(&self, unreadable: &Unreadable) {
        self.metrics.error("spool_unreadable", "publish");
        tracing::error!(%unreadable, "A waiting notice cannot be read.");
    }

    /// So many notices were left by the process before.
    pub(crate) fn taken_over(&self, waiting: usize) {
        self.waiting.set(count(waiting));
        if waiting > 0 {
            tracing::info!(waiting, "Notices of an earlier process are published first.");
        }
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

    fn troubles(&self) -> std::sync::MutexGuard<'_, Troubles> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
