//! What the router tells everyone: `ht.incident` and `ht.run`.

use hollowtrees_domain::{
    incident::{Change, Incident},
    run::Run,
    words::IncidentState,
};
use hollowtrees_schemas::{
    envelope, outgoing, proto,
    subject::{IncidentEvent, RunEvent},
};

use crate::{core::Core, trouble::Trouble};

impl Core {
    /// Tells what became of an incident.
    pub(crate) async fn incident_event(
        &self,
        event: IncidentEvent,
        incident: &Incident,
    ) -> Result<(), Trouble> {
        let source = self.own_source(incident.key.cluster());
        let envelope = envelope::incident(event, proto::Incident::from(incident), source);
        self.publish(outgoing::incident(event, &envelope, self.format))
            .await?;
        Ok(())
    }

    /// Tells that a run began.
    pub(crate) async fn run_started(&self, run: &Run) -> Result<(), Trouble> {
        if !self.run_event(RunEvent::Started, run).await? {
            self.telemetry.run_started(&run.rule);
            tracing::info!(run = %run.id(), rule = run.rule, incident = %run.key, certainty = %run.certainty, "A run started.");
        }
        Ok(())
    }

    /// Tells that a run ended; the same end told twice is stored once.
    pub(crate) async fn run_finished(&self, run: &Run) -> Result<(), Trouble> {
        let duplicate = self.run_event(RunEvent::Finished, run).await?;
        if let Some(result) = run.result.filter(|_| !duplicate) {
            self.telemetry.run_finished(result.as_str());
            tracing::info!(run = %run.id(), rule = run.rule, incident = %run.key, %result, "A run finished.");
        }
        // A withdrawn incident waits for nothing else.
        self.index.poke_incident(&run.key, self.now());
        Ok(())
    }

    /// Whether the stream had it already.
    async fn run_event(&self, event: RunEvent, run: &Run) -> Result<bool, Trouble> {
        let source = self.own_source(run.key.cluster());
        let envelope = envelope::run(event, proto::Run::from(run), source);
        let published = self.publish(outgoing::run(event, &envelope, self.format)).await?;
        Ok(published.duplicate)
    }
}

/// The event of a change; none where nobody needs to hear of it. Of one that was merged before, the event
/// its first delivery may not have got to tell.
pub(crate) fn event_of(change: Change, incident: &Incident, redelivered: bool) -> Option<IncidentEvent> {
    match change {
        Change::Opened | Change::Reopened => Some(IncidentEvent::Opened),
        Change::Changed { .. } => Some(IncidentEvent::Changed),
        Change::Cancelled => Some(IncidentEvent::Cancelled),
        Change::Recorded => None,
        Change::Unchanged if !redelivered || incident.generation == 0 => None,
        Change::Unchanged => Some(match incident.state {
            IncidentState::Cancelled => IncidentEvent::Cancelled,
            IncidentState::Closed => IncidentEvent::Closed,
            IncidentState::Open if incident.changes == 1 => IncidentEvent::Opened,
            IncidentState::Open => IncidentEvent::Changed,
        }),
    }
}
