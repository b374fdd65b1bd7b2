//! Reads everything the bus has of one instance.

use hollowtrees_bus::{Bus, read::From};
use hollowtrees_schemas::{
    id::ActionId,
    key,
    names::{Stream, action_state, phase},
};

use super::{
    Story,
    standing::{Living, Standing},
};
use crate::{
    exit::Failure,
    reading::{self, Wanted},
    records,
};

/// The story of `instance`, in one cluster or wherever it is known.
///
/// # Errors
/// The bus does not answer.
pub async fn collect(bus: &Bus, cluster: Option<&str>, instance: &str) -> Result<Story, Failure> {
    let wanted = Wanted {
        cluster: cluster.map(str::to_owned),
        instance: Some(instance.to_owned()),
    };
    let keys = records::keys(cluster, Some(instance));
    let (incidents, runs, events) = tokio::try_join!(
        records::present(bus.incidents(), &keys),
        records::present(bus.runs(), &keys),
        reading::present(bus, &Stream::ALL, &wanted, From::First),
    )?;
    let mut story = Story::assemble(
        instance,
        events,
        incidents.records.into_values().collect(),
        runs.records.into_values().collect(),
    );
    let troubles = incidents.unreadable.iter().chain(&runs.unreadable);
    story.troubles = troubles.map(ToString::to_string).collect();
    look_at_work(bus, &mut story).await?;
    Ok(story)
}

/// Who is at work on what is published and has no outcome.
async fn look_at_work(bus: &Bus, story: &mut Story) -> Result<(), Failure> {
    let mut living = None;
    for episode in &mut story.episodes {
        let runs = episode.runs.iter().filter(|run| run.phase != phase::FINISHED);
        for action in runs.flat_map(|run| &run.actions) {
            if action.state != action_state::PUBLISHED {
                continue;
            }
            let Ok(id) = action.id.parse::<ActionId>() else {
                continue;
            };
            let living = match &living {
                Some(living) => living,
                None => {
                    let workers = records::present(bus.workers(), &records::keys(None, None)).await?;
                    living.insert(Living::of(workers.records.into_values()))
                }
            };
            let entry = match bus.ledger().get(&key::ledger(episode.key.cluster(), &id)).await {
                Ok(entry) => entry,
                Err(error @ hollowtrees_bus::StoreError::Unavailable { .. }) => return Err(error.into()),
                Err(error) => {
                    story.troubles.push(error.to_string());
                    continue;
                }
            };
            let standing = Standing::of(&action.kind, entry.as_ref().map(|entry| &entry.value), living);
            episode.standings.insert(action.id.clone(), standing);
        }
    }
    Ok(())
}
