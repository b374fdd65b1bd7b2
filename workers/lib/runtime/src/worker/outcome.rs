//! Who writes outcomes, and by which clock.

use hollowtrees_bus::liveness::Lease;
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    proto::{self, time},
};
use jiff::Timestamp;

use super::{Report, order::Order};

/// This process, as it signs.
pub(crate) struct Author {
    pub(crate) worker: proto::Worker,
    pub(crate) lease: Lease,
    pub(crate) format: DataFormat,
}

impl Author {
    /// The time by the server's clock where ours is far off, by ours otherwise.
    pub(crate) fn now(&self) -> Timestamp {
        self.lease.now()
    }

    /// `ce-source` of what we say: names the kind of worker, never the process.
    pub(crate) fn source(&self, order: &Order) -> String {
        envelope::source(&["hollowtrees", &order.action.cluster, &self.worker.kind])
    }

    /// `ce-source` of an outcome that is told, or told again: of the kind of worker that made it.
    pub(crate) fn source_of(&self, outcome: &proto::Outcome) -> String {
        let made_by = outcome.worker.as_ref().map(|worker| worker.kind.as_str());
        let kind = made_by.filter(|kind| !kind.is_empty());
        envelope::source(&["hollowtrees", &outcome.cluster, kind.unwrap_or(&self.worker.kind)])
    }

    /// An outcome without its words.
    pub(crate) fn outcome(
        &self,
        order: &Order,
        result: &str,
        attempt: u32,
        started_at: Option<Timestamp>,
    ) -> proto::Outcome {
        let action = &order.action;
        proto::Outcome {
            action_id: action.id.clone(),
            cluster: action.cluster.clone(),
            kind: action.kind.clone(),
            instance: action.instance.clone(),
            generation: action.generation,
            result: result.to_owned(),
            mode: action.mode.clone(),
            worker: Some(self.worker.clone()),
            attempt,
            times: Some(proto::Times {
                noticed_at: action.noticed_at,
                published_at: Some(time::to_proto(order.published_at)),
                accepted_at: Some(time::to_proto(order.accepted_at)),
                started_at: started_at.map(time::to_proto),
                cordoned_at: None,
                ended_at: None,
            }),
            deadline: order.deadline.map(time::to_proto),
            redrive: order.redrive,
            provider: action
                .target
                .as_ref()
                .map(|target| target.provider.clone())
                .unwrap_or_default(),
            certainty: action.certainty.clone(),
            ..proto::Outcome::default()
        }
    }

    /// The final outcome a report makes.
    pub(crate) fn conclude(
        &self,
        order: &Order,
        report: Report,
        attempt: u32,
        started_at: Option<Timestamp>,
        deadline: Option<Timestamp>,
    ) -> proto::Outcome {
        let mut outcome = self.outcome(order, report.result, attempt, started_at);
        if let Some(times) = outcome.times.as_mut() {
            times.cordoned_at = report.cordoned_at.map(time::to_proto);
            times.ended_at = Some(time::to_proto(self.now()));
        }
        proto::Outcome {
            reason: report.reason,
            message: report.message,
            detail: report.detail,
            deadline: deadline.map(time::to_proto),
            ..outcome
        }
    }
}
