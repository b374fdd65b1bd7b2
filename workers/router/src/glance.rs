//! What the clock reads of a record: its times and no more. A watch is shown every write there is, the router's own
//! among them, and the rest of a record is of no use to it.

use hollowtrees_domain::{incident::Times, words::IncidentState};
use hollowtrees_schemas::{names::phase, proto::time};
use jiff::Timestamp;
use pbjson_types::Timestamp as Time;
use serde::Deserialize;

/// The times of a [`hollowtrees_schemas::proto::Incident`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Incident {
    state: String,
    deadline: Option<Time>,
    last_noticed_at: Option<Time>,
    closed_at: Option<Time>,
}

/// The times of a [`hollowtrees_schemas::proto::Run`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Run {
    phase: String,
    due_at: Option<Time>,
    finished_at: Option<Time>,
}

impl Incident {
    /// None where they make no sense.
    pub(crate) fn times(&self) -> Option<Times> {
        let state: IncidentState = self.state.parse().ok()?;
        Some(Times {
            state,
            deadline: read(self.deadline.as_ref()),
            last_noticed_at: read(self.last_noticed_at.as_ref())?,
            closed_at: read(self.closed_at.as_ref()),
        })
    }
}

impl Run {
    /// When it is to be looked at.
    pub(crate) fn due_at(&self) -> Option<Timestamp> {
        read(self.due_at.as_ref())
    }

    /// When it ended.
    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        read(self.finished_at.as_ref()).filter(|_| self.phase == phase::FINISHED)
    }
}

fn read(at: Option<&Time>) -> Option<Timestamp> {
    at.and_then(|at| time::from_proto(at).ok())
}

#[cfg(test)]
mod tests {
    use hollowtrees_schemas::proto;

    use super::*;

    fn at(second: i64) -> Option<Time> {
        Some(Time {
            seconds: 1_800_000_000 + second,
            nanos: 500_000_000,
        })
    }

    fn seen(at: Option<Time>) -> Option<Timestamp> {
        read(at.as_ref())
    }

    #[test]
    fn what_is_read_is_what_the_record_says() {
        let incident = proto::Incident {
            schema: 1,
            state: "open".to_owned(),
            deadline: at(60),
            noticed_at: at(1),
            last_noticed_at: at(2),
            closed_at: at(90),
            ..proto::Incident::default()
        };
        let glance: Incident = serde_json::from_slice(&serde_json::to_vec(&incident).unwrap()).unwrap();
        let expected = Times {
            state: IncidentState::Open,
            deadline: seen(at(60)),
            last_noticed_at: seen(at(2)).unwrap(),
            closed_at: seen(at(90)),
        };
        assert_eq!(glance.times(), Some(expected));

        let run = |phase: &str| {
            let run = proto::Run {
                phase: phase.to_owned(),
                due_at: at(5),
                finished_at: at(7),
                ..proto::Run::default()
            };
            serde_json::from_slice::<Run>(&serde_json::to_vec(&run).unwrap()).unwrap()
        };
        assert_eq!(run(phase::RUNNING).due_at(), seen(at(5)));
        assert_eq!(run(phase::RUNNING).ended_at(), None);
        assert_eq!(run(phase::FINISHED).ended_at(), seen(at(7)));
    }
}
