//! The gauges of the original exporters, by their names and labels, so that dashboards and alert rules made for them go
//! on working: spot-termination-exporter (`aws_*`), preemption-exporter (`gcp_*`), spot-termination-handler (`sth_*`).
//!
//! One value is put right: `gcp_instance_termination_in` was in fact the host's uptime; here it is the time left.

use std::sync::{Arc, Mutex, PoisonError};

use hollowtrees_runtime::metrics::{Definition, Error, Gauges, Metrics};
use jiff::Timestamp;

use crate::{document::Identity, provider::Provider, settings};

/// As spot-termination-exporter.
pub const AWS_AVAILABLE: Definition = Definition::new(
    "aws_instance_metadata_service_available",
    "1 if the metadata service answered, 0 if it did not.",
);
/// As spot-termination-exporter.
pub const AWS_IMMINENT: Definition = Definition::new(
    "aws_instance_termination_imminent",
    "1 if the instance is about to be taken back, with the action; 0 if it is not.",
);
/// As spot-termination-exporter.
pub const AWS_IN: Definition = Definition::new(
    "aws_instance_termination_in",
    "Seconds until the instance is taken back, while there are any.",
);
/// Asked for as banzaicloud/spot-termination-exporter#13.
pub const REBALANCE_RECOMMENDED: Definition = Definition::new(
    "aws_instance_rebalance_recommended",
    "1 if the provider recommends to replace the instance.",
);
/// As preemption-exporter.
pub const GCP_AVAILABLE: Definition = Definition::new(
    "gcp_instance_metadata_service_available",
    "As preemption-exporter: 1 if the metadata service answered, 0 if it did not.",
);
/// As preemption-exporter.
pub const GCP_IMMINENT: Definition = Definition::new(
    "gcp_instance_termination_imminent",
    "As preemption-exporter: 1 if the instance is being preempted, 0 if it is not.",
);
/// As preemption-exporter, which told the uptime under this name.
pub const GCP_IN: Definition = Definition::new(
    "gcp_instance_termination_in",
    "Seconds until the instance is preempted, while there are any; preemption-exporter told its uptime here.",
);
/// As spot-termination-handler.
pub const STH_AVAILABLE: Definition = Definition::new(
    "sth_instance_metadata_service_available",
    "As spot-termination-handler: 1 if the metadata service answered, 0 if it did not.",
);
/// As spot-termination-handler.
pub const STH_IMMINENT: Definition = Definition::new(
    "sth_instance_termination_imminent",
    "As spot-termination-handler: 1 if the instance is about to be taken back, with the action; 0 if it is not.",
);
/// As spot-termination-handler.
pub const STH_WITHIN: Definition = Definition::new(
    "sth_instance_termination_within_seconds",
    "As spot-termination-handler: seconds until the instance is taken back, while there are any.",
);

/// What is known of the instance's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interruption {
    /// This will be done with it, then.
    Imminent {
        /// What the provider will do.
        action: String,
        /// When.
        at: Option<Timestamp>,
    },
    /// The provider says nothing of the kind.
    None,
    /// The provider's word could not be read.
    Unknown,
}

/// The families that are switched on. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Exporters {
    aws: Option<Aws>,
    gcp: Option<Gcp>,
    handler: Option<Handler>,
    end: Arc<Mutex<Option<End>>>,
}

#[derive(Debug, Clone)]
struct Aws {
    available: Gauges<1>,
    imminent: Gauges<2>,
    recommended: Gauges<1>,
}

#[derive(Debug, Clone)]
struct Gcp {
    available: Gauges<2>,
    imminent: Gauges<2>,
}

#[derive(Debug, Clone)]
struct Handler {
    available: Gauges<1>,
    imminent: Gauges<2>,
}

/// The end that is near, for the gauges that count down.
#[derive(Debug)]
struct End {
    provider: Provider,
    instance: String,
    name: String,
    action: String,
    at: Timestamp,
}

impl Exporters {
    pub(super) fn register(metrics: &Metrics, settings: &settings::Exporters) -> Result<Self, Error> {
        let end: Arc<Mutex<Option<End>>> = Arc::default();
        let mut exporters = Self {
            aws: None,
            gcp: None,
            handler: None,
            end: Arc::clone(&end),
        };
        if settings.spot_termination_exporter {
            exporters.aws = Some(Aws {
                available: metrics.gauges(AWS_AVAILABLE, ["instance_id"])?,
                imminent: metrics.gauges(AWS_IMMINENT, ["instance_action", "instance_id"])?,
                recommended: metrics.gauges(REBALANCE_RECOMMENDED, ["instance_id"])?,
            });
            let left = metrics.gauges(AWS_IN, ["instance_id"])?;
            count_down(metrics, &end, left, |end| {
                (end.provider == Provider::Aws).then_some([&end.instance])
            });
        }
        if settings.preemption_exporter {
            let labels = ["instance_id", "instance_name"];
            exporters.gcp = Some(Gcp {
                available: metrics.gauges(GCP_AVAILABLE, labels)?,
                imminent: metrics.gauges(GCP_IMMINENT, labels)?,
            });
            let left = metrics.gauges(GCP_IN, labels)?;
            count_down(metrics, &end, left, |end| {
                (end.provider == Provider::Gcp).then_some([&end.instance, &end.name])
            });
        }
        if settings.spot_termination_handler {
            let labels = ["action", "instance_id"];
            exporters.handler = Some(Handler {
                available: metrics.gauges(STH_AVAILABLE, ["instance_id"])?,
                imminent: metrics.gauges(STH_IMMINENT, labels)?,
            });
            let left = metrics.gauges(STH_WITHIN, labels)?;
            count_down(metrics, &end, left, |end| Some([&end.action, &end.instance]));
        }
        Ok(exporters)
    }

    /// Until the instance has a name.
    pub(super) fn provider(&self, provider: Provider) {
        if let (Provider::Aws, Some(aws)) = (provider, &self.aws) {
            aws.available.set([""], 0.0);
        }
        if let (Provider::Gcp, Some(gcp)) = (provider, &self.gcp) {
            gcp.available.set(["", ""], 0.0);
        }
        if let Some(handler) = &self.handler {
            handler.available.set([""], 0.0);
        }
    }

    pub(super) fn identified(&self) {
        if let Some(aws) = &self.aws {
            aws.available.clear();
        }
        if let Some(gcp) = &self.gcp {
            gcp.available.clear();
        }
        if let Some(handler) = &self.handler {
            handler.available.clear();
        }
    }

    /// What stands keeps standing while the service is away; what did not stand is not known then, and not shown.
    pub(super) fn interruption(&self, identity: &Identity, answered: bool, interruption: &Interruption) {
        let (id, name) = (identity.instance_id.as_str(), identity.name.as_str());
        let up = f64::from(u8::from(answered));
        match interruption {
            Interruption::Imminent { action, at } => {
                *self.end() = at.map(|at| End {
                    provider: identity.provider,
                    instance: id.to_owned(),
                    name: name.to_owned(),
                    action: action.clone(),
                    at,
                });
            }
            Interruption::None => *self.end() = None,
            Interruption::Unknown => {}
        }
        if let (Provider::Aws, Some(aws)) = (identity.provider, &self.aws) {
            aws.available.set([id], up);
            by_action(&aws.imminent, id, interruption);
        }
        if let (Provider::Gcp, Some(gcp)) = (identity.provider, &self.gcp) {
            gcp.available.set([id, name], up);
            match interruption {
                Interruption::Imminent { .. } => gcp.imminent.set([id, name], 1.0),
                Interruption::None => gcp.imminent.set([id, name], 0.0),
                Interruption::Unknown => {}
            }
        }
        if let Some(handler) = &self.handler {
            handler.available.set([id], up);
            by_action(&handler.imminent, id, interruption);
        }
    }

    pub(super) fn rebalance(&self, identity: &Identity, recommended: bool) {
        if let Some(aws) = &self.aws {
            aws.recommended
                .set([&identity.instance_id], f64::from(u8::from(recommended)));
        }
    }

    fn end(&self) -> std::sync::MutexGuard<'_, Option<End>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Labels: action (empty: none), instance.
fn by_action(imminent: &Gauges<2>, id: &str, interruption: &Interruption) {
    match interruption {
        Interruption::Imminent { action, .. } => {
            imminent.clear();
            imminent.set([action, id], 1.0);
        }
        Interruption::None => {
            imminent.clear();
            imminent.set(["", id], 0.0);
        }
        Interruption::Unknown => imminent.remove(["", id]),
    }
}

/// Shows the seconds that are left, while there are any, with these labels.
fn count_down<const N: usize>(
    metrics: &Metrics,
    end: &Arc<Mutex<Option<End>>>,
    left: Gauges<N>,
    labels: impl Fn(&End) -> Option<[&String; N]> + Send + Sync + 'static,
) {
    let end = Arc::clone(end);
    metrics.before_scrape(move || {
        left.clear();
        let end = end.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(end) = end.as_ref() else { return };
        let seconds = end.at.duration_since(Timestamp::now()).as_secs_f64();
        if let (Some(labels), true) = (labels(end), seconds > 0.0) {
            left.set(labels.map(String::as_str), seconds);
        }
    });
}
