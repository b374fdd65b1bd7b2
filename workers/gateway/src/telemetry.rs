//! Every metric of the gateway, and the log lines that go with them. Nothing of a body is ever logged but its id.

use std::time::Duration;

use hollowtrees_bus::{Published, dead::Class};
use hollowtrees_runtime::metrics::{Counters, Definition, Error, Gauge, Histograms, Metrics, count};
use hollowtrees_schemas::outgoing::Outgoing;

use crate::ingest::Origin;

/// Notices stored.
pub const STORED: Definition = Definition::new(
    "hollowtrees_gateway_notices_stored_total",
    "Notices the bus has stored, by way in.",
);
/// Notices the bus had already.
pub const REPEATED: Definition = Definition::new(
    "hollowtrees_gateway_notices_repeated_total",
    "Notices the bus had already under the same id, by way in.",
);
/// Notices refused.
pub const REFUSED: Definition = Definition::new(
    "hollowtrees_gateway_notices_refused_total",
    "What could not be made a notice or be stored as one, by way in and class of error.",
);
/// Things known and not of interest.
pub const IGNORED: Definition = Definition::new(
    "hollowtrees_gateway_ignored_total",
    "Events that are known and say nothing of an instance that goes, by way in.",
);
/// Dead letters.
pub const PUT_ASIDE: Definition = Definition::new(
    "hollowtrees_gateway_put_aside_total",
    "Bodies put aside as dead letters, by way in and class of error.",
);
/// Dead letters beyond the cap.
pub const NOT_KEPT: Definition = Definition::new(
    "hollowtrees_gateway_not_kept_total",
    "Bodies nobody can use that were not put aside because their source has sent too many, by way in.",
);
/// Notices under way.
pub const IN_FLIGHT: Definition = Definition::new(
    "hollowtrees_gateway_in_flight",
    "Notices that wait for the bus's acknowledgement.",
);
/// Time to the acknowledgement.
pub const STORE_TIME: Definition = Definition::new(
    "hollowtrees_gateway_store_seconds",
    "From a notice that is ready to the bus's acknowledgement, by way in.",
);

/// Requests answered.
pub const REQUESTS: Definition = Definition::new(
    "hollowtrees_gateway_requests_total",
    "HTTP requests answered, by path and status.",
);
/// Time to the answer.
pub const REQUEST_TIME: Definition = Definition::new(
    "hollowtrees_gateway_request_seconds",
    "From a request's head to its answer, by path.",
);
/// Requests that were not looked into.
pub const DENIED: Definition = Definition::new(
    "hollowtrees_gateway_denied_total",
    "HTTP requests of nobody known, of clients that may not, or too many of one client, by reason.",
);

const STORE_BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0];

/// Counts and tells. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Telemetry {
    stored: Counters<1>,
    repeated: Counters<1>,
    refused: Counters<2>,
    ignored: Counters<1>,
    put_aside: Counters<2>,
    not_kept: Counters<1>,
    in_flight: Gauge,
    store_time: Histograms<1>,
    requests: Counters<2>,
    request_time: Histograms<1>,
    denied: Counters<1>,
    errors: Metrics,
}

impl Telemetry {
    /// Registers them.
    ///
    /// # Errors
    /// A name is taken.
    pub fn register(metrics: &Metrics) -> Result<Self, Error> {
        Ok(Self {
            stored: metrics.counters(STORED, ["source"])?,
            repeated: metrics.counters(REPEATED, ["source"])?,
            refused: metrics.counters(REFUSED, ["source", "class"])?,
            ignored: metrics.counters(IGNORED, ["source"])?,
            put_aside: metrics.counters(PUT_ASIDE, ["source", "class"])?,
            not_kept: metrics.counters(NOT_KEPT, ["source"])?,
            in_flight: metrics.gauge(IN_FLIGHT)?,
            store_time: metrics.histograms(STORE_TIME, ["source"], &STORE_BUCKETS)?,
            requests: metrics.counters(REQUESTS, ["path", "status"])?,
            request_time: metrics.histograms(REQUEST_TIME, ["path"], &STORE_BUCKETS)?,
            denied: metrics.counters(DENIED, ["reason"])?,
            errors: metrics.clone(),
        })
    }

    /// Has every counter of a way in shown from the start, as 0.
    pub fn announce(&self, way: &'static str) {
        for counters in [&self.stored, &self.repeated, &self.ignored, &self.not_kept] {
            counters.add([way], 0);
        }
        for class in [Class::Undecodable, Class::Invalid, Class::Rejected] {
            self.refused.add([way, class.as_str()], 0);
            self.put_aside.add([way, class.as_str()], 0);
        }
    }

    pub(crate) fn in_flight(&self, held: usize) {
        self.in_flight.set(count(held));
    }

    pub(crate) fn stored(&self, origin: &Origin, out: &Outgoing, published: Published, taken: Duration) {
        let counters = if published.duplicate {
            &self.repeated
        } else {
            &self.stored
        };
        counters.increment([origin.way]);
        self.store_time.observe([origin.way], taken);
        tracing::debug!(
            source = %origin.source, id = %out.message_id, subject = %out.subject,
            sequence = published.sequence, duplicate = published.duplicate, "A notice is stored."
        );
    }

    /// Something is no notice, or none that can be stored; it was or will be put aside, or its origin told.
    pub fn refused(&self, origin: &Origin, class: Class) {
        self.refused.increment([origin.way, class.as_str()]);
    }

    /// Something is known and says nothing of an instance that goes.
    pub fn ignored(&self, way: &'static str) {
        self.ignored.increment([way]);
    }

    pub(crate) fn put_aside(&self, origin: &Origin, class: Class, id: &str) {
        self.put_aside.increment([origin.way, class.as_str()]);
        tracing::warn!(source = %origin.source, id, %class, "A body nobody can use is put aside as a dead letter.");
    }

    pub(crate) fn not_kept(&self, origin: &Origin, class: Class, id: &str) {
        self.not_kept.increment([origin.way]);
        tracing::debug!(source = %origin.source, id, %class, "A body nobody can use is not kept: its source has sent too many.");
    }

    pub(crate) fn lost(&self, origin: &Origin, id: &str, error: &dyn std::error::Error) {
        self.errors.error("too-large", "put aside");
        tracing::error!(source = %origin.source, id, %error, "A body nobody can use cannot be kept.");
    }

    pub(crate) fn answered(&self, path: &'static str, status: u16, taken: Duration) {
        self.requests.increment([path, &status.to_string()]);
        self.request_time.observe([path], taken);
    }

    pub(crate) fn denied(
        &self,
        reason: &'static str,
        path: &'static str,
        peer: &std::net::IpAddr,
        client: &str,
    ) {
        self.denied.increment([reason]);
        tracing::debug!(reason, path, %peer, client, "A request is not let in.");
    }

    pub(crate) fn late(&self, path: &'static str, correlation: &str) {
        self.errors.error("late", "store");
        tracing::warn!(
            path,
            correlation,
            "A client is told to send again: the bus has not acknowledged in time."
        );
    }

    pub(crate) fn put_off(&self, way: &'static str, correlation: &str, why: &str) {
        self.errors.error("unreachable", way);
        tracing::warn!(
            source = way,
            correlation,
            why,
            "What was posted cannot be told now; its sender posts it again."
        );
    }
}
