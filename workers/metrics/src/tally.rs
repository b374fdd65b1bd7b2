//! What one message adds.

use std::sync::Arc;

use hollowtrees_runtime::metrics::Histograms;
use hollowtrees_schemas::{
    codec::Wire,
    envelope::{Envelope, Message},
    names::{Stream, header, mode, result, state},
    proto::{self, time},
    subject::Subject,
};
use jiff::Timestamp;

use crate::{
    labels::{certainty_of, class_of, mode_of, result_of, state_of},
    lead,
    telemetry::Telemetry,
};

/// Counts messages.
pub struct Tally(Arc<Telemetry>);

impl Tally {
    /// Into these metrics.
    pub fn new(telemetry: Arc<Telemetry>) -> Self {
        Self(telemetry)
    }

    /// Counts one message of a stream, which stored it at `stored_at`. One that cannot be read is counted as such.
    pub fn count(&self, stream: Stream, subject: &str, wire: &Wire, stored_at: Timestamp) {
        self.0.counted(stream);
        match stream {
            Stream::Notices => self.each(stream, wire, |notice| self.notice(notice, stored_at)),
            Stream::Actions => self.each(stream, wire, |action| self.action(action)),
            Stream::Outcomes => self.each(stream, wire, |outcome| self.outcome(outcome, stored_at)),
            Stream::Incidents => match subject.parse() {
                Ok(Subject::Incident { event, .. }) => {
                    self.each(stream, wire, |incident| self.incident(event.as_str(), incident));
                }
                Ok(Subject::Run { event, .. }) => {
                    self.each(stream, wire, |run| self.run(event.as_str(), run));
                }
                Ok(_) => {}
                Err(error) => self.0.unreadable(stream, &error),
            },
            Stream::Dead => self.dead(wire),
        }
    }

    fn each<T: Message>(&self, stream: Stream, wire: &Wire, count: impl FnOnce(&T)) {
        match Envelope::<T>::decode(wire) {
            Ok(envelope) => count(&envelope.data),
            Err(error) => self.0.unreadable(stream, &error),
        }
    }

    fn notice(&self, notice: &proto::Notice, stored_at: Timestamp) {
        let Self(telemetry) = self;
        let labels = &telemetry.labels;
        let (provider, kind) = (labels.provider(&notice.provider), labels.notice(&notice.kind));
        let (state, mode) = (state_of(&notice.state), mode_of(&notice.mode));
        let cluster = labels.cluster(&notice.cluster);
        telemetry
            .notices
            .increment([cluster, provider, kind, state, mode]);
        // What was taken back has no deadline to keep.
        if mode == mode::LIVE && state == state::ACTIVE {
            let lead = lead::of_notice(notice, stored_at);
            latency(&telemetry.notice_delay, [provider, kind], lead.delay);
            margin(&telemetry.notice_lead, [provider, kind], lead.lead);
        }
    }

    fn action(&self, action: &proto::Action) {
        let Self(telemetry) = self;
        let labels = &telemetry.labels;
        let provider = action
            .target
            .as_ref()
            .map_or("", |target| target.provider.as_str());
        telemetry.actions.increment([
            labels.cluster(&action.cluster),
            labels.provider(provider),
            labels.action(&action.kind),
            certainty_of(&action.certainty),
            mode_of(&action.mode),
        ]);
    }

    fn outcome(&self, outcome: &proto::Outcome, stored_at: Timestamp) {
        let Self(telemetry) = self;
        let labels = &telemetry.labels;
        let (action, result) = (labels.action(&outcome.kind), result_of(&outcome.result));
        let reason = labels.reason(&outcome.reason);
        if result == result::PROGRESS {
            telemetry.progress.increment([action, reason]);
            return;
        }
        if outcome.late {
            telemetry.late.increment([action, result]);
            return;
        }
        let mode = mode_of(&outcome.mode);
        let provider = labels.provider(&outcome.provider);
        telemetry
            .outcomes
            .increment([labels.cluster(&outcome.cluster), provider, action, result, mode]);
        if mode != mode::LIVE {
            return;
        }
        telemetry.reasons.increment([action, result, reason]);
        if [result::FAILED, result::EXPIRED].contains(&result) {
            telemetry.unsuccessful.increment([action, result]);
        }
        let lead = lead::of_outcome(outcome, stored_at);
        if lead::missed(outcome, lead.left) {
            telemetry.missed.increment([action]);
        }
        // A redriven one waited for a person.
        if outcome.redrive == 0 {
            latency(&telemetry.to_accepted, [provider, action], lead.accepted);
            latency(&telemetry.to_cordoned, [provider, action], lead.cordoned);
            latency(&telemetry.to_drained, [provider, result], lead.drained);
            latency(&telemetry.to_outcome, [provider, action, result], lead.ended);
            latency(&telemetry.turnaround, [action, result], lead.turnaround);
            margin(&telemetry.left, [provider, action, result], lead.left);
        }
    }

    fn incident(&self, event: &str, incident: &proto::Incident) {
        let Self(telemetry) = self;
        let cluster = telemetry.labels.cluster(&incident.cluster);
        telemetry
            .incidents
            .increment([cluster, event, mode_of(&incident.mode)]);
    }

    fn run(&self, event: &str, run: &proto::Run) {
        let Self(telemetry) = self;
        let (rule, result) = (telemetry.labels.rule(&run.rule), result_of(&run.result));
        let mode = mode_of(&run.mode);
        telemetry.runs.increment([rule, event, result, mode]);
        let at = |time: &Option<pbjson_types::Timestamp>| {
            time.as_ref().and_then(|time| time::from_proto(time).ok())
        };
        if mode == mode::LIVE
            && let (Some(started), Some(finished)) = (at(&run.started_at), at(&run.finished_at))
        {
            let took = finished.duration_since(started).as_secs_f64();
            latency(&telemetry.run_length, [result], Some(took));
        }
    }

    /// A dead letter is no event: what is said of it stands in its headers.
    fn dead(&self, wire: &Wire) {
        let Self(telemetry) = self;
        let told = |name| wire.header(name).unwrap_or_default();
        let origin = told(header::dead::STREAM);
        let stream = Stream::of_name(origin).map_or("other", Stream::name);
        telemetry.dead.increment([
            stream,
            telemetry.labels.consumer(told(header::dead::CONSUMER)),
            class_of(told(header::dead::CLASS)),
        ]);
    }
}

/// Two clocks that disagree do not make time run backwards.
fn latency<const N: usize>(histograms: &Histograms<N>, values: [&str; N], seconds: Option<f64>) {
    margin(histograms, values, seconds.map(|seconds| seconds.max(0.0)));
}

fn margin<const N: usize>(histograms: &Histograms<N>, values: [&str; N], seconds: Option<f64>) {
    if let (Some(seconds), Some(histogram)) = (seconds, histograms.with(values)) {
        histogram.observe(seconds);
    }
}
