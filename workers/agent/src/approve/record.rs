//! What of an incident and of its runs tells that all is done: a few fields of the router's records.

use hollowtrees_schemas::{
    id::IncidentKey,
    key,
    names::{result, state},
};
use serde::Deserialize;

/// The layout of records this program knows.
const SCHEMA: u32 = 1;
/// The router's words.
const OPEN: &str = "open";
const FINISHED: &str = "finished";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Incident {
    schema: u32,
    state: String,
    /// proto3-JSON writes 64 bits as text.
    generation: String,
    facts: Vec<Fact>,
    runs: Vec<RunRef>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fact {
    event_id: String,
    state: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RunRef {
    rule: String,
    certainty: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Run {
    schema: u32,
    phase: String,
    result: String,
}

/// Keys of the runs on which the event waits: of all that its incident has. None where it is not known that anything
/// follows from the event.
///
/// An incident lists its runs from the moment it knows the notice that starts them, so that one which knows of the event and
/// whose runs are over has nothing more to come by it.
///
/// # Errors
/// It is no record of an incident.
pub(super) fn runs(record: &[u8], of: &IncidentKey, event: &str) -> Result<Vec<String>, serde_json::Error> {
    let incident: Incident = serde_json::from_slice(record)?;
    let stands = |fact: &Fact| fact.event_id == event && fact.state == state::ACTIVE;
    let (Ok(generation), SCHEMA, OPEN, true) = (
        incident.generation.parse(),
        incident.schema,
        incident.state.as_str(),
        incident.facts.iter().any(stands),
    ) else {
        return Ok(Vec::new());
    };
    let runs = incident.runs.iter();
    Ok(runs
        .map(|run| key::run(of, generation, &run.rule, &run.certainty))
        .collect())
}

/// Whether the run is over and all of it succeeded.
///
/// # Errors
/// It is no record of a run.
pub(super) fn succeeded(record: &[u8]) -> Result<bool, serde_json::Error> {
    let run: Run = serde_json::from_slice(record)?;
    Ok((run.schema, run.phase.as_str(), run.result.as_str()) == (SCHEMA, FINISHED, result::SUCCEEDED))
}

#[cfg(test)]
mod tests {
    use hollowtrees_schemas::proto;

    use super::*;

    fn incident() -> proto::Incident {
        let fact = |event: &str, state: &str| proto::Fact {
            event_id: event.to_owned(),
            state: state.to_owned(),
            ..proto::Fact::default()
        };
        proto::Incident {
            schema: 1,
            state: "open".to_owned(),
            generation: 2,
            facts: vec![fact("E1", "cancelled"), fact("E2", "active"), fact("E3", "past")],
            runs: vec![proto::RunRef {
                rule: "spot".to_owned(),
                certainty: "certain".to_owned(),
            }],
            ..proto::Incident::default()
        }
    }

    #[test]
    fn what_an_event_waits_for() {
        let of = IncidentKey::new("c", "i-1", "live");
        let check = |incident: &proto::Incident, event: &str, expected: &[&str]| {
            let record = serde_json::to_vec(incident).unwrap();
            assert_eq!(runs(&record, &of, event).unwrap(), expected, "{event}");
        };
        check(&incident(), "E2", &["c.i-1.2.spot.certain"]);
        for event in ["E1", "E3", "E4", ""] {
            check(&incident(), event, &[]);
        }
        for (state, schema) in [("closed", 1), ("cancelled", 1), ("open", 2)] {
            let other = proto::Incident {
                state: state.to_owned(),
                schema,
                ..incident()
            };
            check(&other, "E2", &[]);
        }
        assert!(runs(b"{", &of, "E2").is_err());
    }

    #[test]
    fn only_a_run_that_is_over_and_well_counts() {
        for (phase, result, schema, expected) in [
            ("finished", "succeeded", 1, true),
            ("finished", "failed", 1, false),
            ("finished", "cancelled", 1, false),
            ("running", "", 1, false),
            ("cancelling", "succeeded", 1, false),
            ("finished", "succeeded", 2, false),
        ] {
            let run = proto::Run {
                schema,
                phase: phase.to_owned(),
                result: result.to_owned(),
                ..proto::Run::default()
            };
            let record = serde_json::to_vec(&run).unwrap();
            assert_eq!(succeeded(&record).unwrap(), expected, "{phase} {result} {schema}");
        }
    }
}
