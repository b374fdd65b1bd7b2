//! Waiting for what a notice sets off.

use std::time::Duration;

use hollowtrees_bus::Bus;
use hollowtrees_schemas::{
    id::{IncidentKey, NoticeId},
    key,
    names::{phase, result},
    proto,
};
use tokio::time::Instant;

use super::show::print;
use crate::{
    exit::{Exit, Failure},
    output::Output,
    story::{self, Shown},
};

/// How often the records are looked at.
const EVERY: Duration = Duration::from_millis(250);

/// How things stand with what a notice set off.
enum Stands {
    /// No router has merged it yet.
    Unknown,
    /// It is recorded, and no rule asks for anything.
    Recorded,
    /// So many runs have not ended.
    Running(usize),
    /// All have ended: whether all succeeded.
    Ended { well: bool },
}

/// Waits until every run of the notice's incident has ended, then tells the story.
pub(crate) async fn wait(
    bus: &Bus,
    notice: &proto::Notice,
    limit: Duration,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let until = Instant::now() + limit;
    let ended = loop {
        match stands(bus, notice).await? {
            Stands::Recorded => break Ok(Exit::Done),
            Stands::Ended { well: true } => break Ok(Exit::Done),
            Stands::Ended { well: false } => break Ok(Exit::Negative),
            Stands::Unknown if Instant::now() >= until => {
                break Err("no router has taken the notice up; is one running?".to_owned());
            }
            Stands::Running(left) if Instant::now() >= until => {
                let runs = if left == 1 { "run has" } else { "runs have" };
                break Err(format!("{left} {runs} not ended within {} s", limit.as_secs()));
            }
            Stands::Unknown | Stands::Running(_) => tokio::time::sleep(EVERY).await,
        }
    };
    let story = story::collect(bus, Some(&notice.cluster), &notice.instance).await?;
    print(&story, Shown::default(), output)?;
    ended.map_err(Failure::negative)
}

async fn stands(bus: &Bus, notice: &proto::Notice) -> Result<Stands, Failure> {
    let incident_key = IncidentKey::from(notice);
    let id = NoticeId::of(notice);
    let Some(incident) = bus.incidents().get(&key::incident(&incident_key)).await? else {
        return Ok(Stands::Unknown);
    };
    let incident = incident.value;
    if !incident.facts.iter().any(|fact| fact.notice_id == id.as_str()) {
        return Ok(Stands::Unknown);
    }
    if incident.runs.is_empty() {
        return Ok(Stands::Recorded);
    }
    let mut left = 0;
    let mut well = true;
    for run in &incident.runs {
        let key = key::run(&incident_key, incident.generation, &run.rule, &run.certainty);
        match bus.runs().get(&key).await? {
            Some(run) if run.value.phase == phase::FINISHED => {
                well &= run.value.result == result::SUCCEEDED;
            }
            Some(_) | None => left += 1,
        }
    }
    Ok(match left {
        0 => Stands::Ended { well },
        left => Stands::Running(left),
    })
}
