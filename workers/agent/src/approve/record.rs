//! What of an incident and of its runs tells that all is done: a few fields of the router's records.

use hollowtrees_schemas::{
    id::IncidentKey,
    key,
    names::{result, state},
};
use serde_json::Value;

/// The layout of records this program knows.
const SCHEMA: u64 = 1;
/// The router's words.
const OPEN: &str = "open";
const FINISHED: &str = "finished";

/// Keys of the runs on which the event waits: of all that its incident has. None where it is not known that anything
/// follows from the event.
///
/// An incident lists its runs from the moment it knows the notice that starts them, so that one which knows of the event and
/// whose runs are over has nothing more to come by it.
///
/// # Errors
/// It is no JSON.
pub(super) fn runs(record: &[u8], of: &IncidentKey, event: &str) -> Result<Vec<String>, serde_json::Error> {
    let incident: Value = serde_json::from_slice(record)?;
    let stands = |fact: &Value| text(fact, "eventId") == event && text(fact, "state") == state::ACTIVE;
    let is_known = is_of_schema(&incident)
        && text(&incident, "state") == OPEN
        && list(&incident, "facts").iter().any(stands);
    // proto3-JSON writes 64 bits as text.
    let Some(generation) = text(&incident, "generation").parse().ok().filter(|_| is_known) else {
        return Ok(Vec::new());
    };
    let runs = list(&incident, "runs").iter();
    Ok(runs
        .map(|run| key::run(of, generation, text(run, "rule"), text(run, "certainty")))
        .collect())
}

/// Whether the run is over and all of it succeeded.
///
/// # Errors
/// It is no JSON.
pub(super) fn succeeded(record: &[u8]) -> Result<bool, serde_json::Error> {
    let run: Value = serde_json::from_slice(record)?;
    Ok(is_of_schema(&run) && text(&run, "phase") == FINISHED && text(&run, "result") == result::SUCCEEDED)
}

fn is_of_schema(record: &Value) -> bool {
    record.get("schema").and_then(Value::as_u64) == Some(SCHEMA)
}

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(record: &'a Value, field: &str) -> &'a [Value] {
    record
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
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
