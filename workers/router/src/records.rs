//! Reading the typed records.

use hollowtrees_bus::{Revision, Versioned};
use hollowtrees_domain::{incident::Incident, run::Run};
use hollowtrees_schemas::{id::IncidentKey, key};

use crate::{core::Core, trouble::Trouble};

/// A run as it was read or written.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) key: String,
    pub(crate) run: Run,
    pub(crate) revision: Revision,
}

impl Core {
    /// An incident by the instance it is about; `None`: this read saw none.
    pub(crate) async fn incident(&self, key: &IncidentKey) -> Result<Option<Versioned<Incident>>, Trouble> {
        self.incident_at(&key::incident(key)).await
    }

    /// An incident by its key in the store.
    pub(crate) async fn incident_at(&self, key: &str) -> Result<Option<Versioned<Incident>>, Trouble> {
        let Some(found) = self.bus.incidents().get(key).await? else {
            return Ok(None);
        };
        Ok(Some(Versioned {
            value: Incident::try_from(found.value)?,
            revision: found.revision,
            stored_at: found.stored_at,
        }))
    }

    /// A run by its key in the store; `None`: this read saw none.
    pub(crate) async fn run(&self, key: &str) -> Result<Option<Loaded>, Trouble> {
        let Some(found) = self.bus.runs().get(key).await? else {
            return Ok(None);
        };
        Ok(Some(Loaded {
            key: key.to_owned(),
            run: Run::try_from(found.value)?,
            revision: found.revision,
        }))
    }

    /// Keys of the runs of an incident's present generation.
    pub(crate) fn run_keys(incident: &Incident) -> Vec<String> {
        let key = |run: &hollowtrees_domain::incident::RunRef| {
            key::run(
                &incident.key,
                incident.generation,
                &run.rule,
                run.certainty.as_str(),
            )
        };
        incident.runs.iter().map(key).collect()
    }
}
