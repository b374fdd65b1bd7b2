//! The story as one JSON object: the form documented in `docs/cli.md`.

use hollowtrees_schemas::proto;
use serde::Serialize;

use super::{Episode, Pods, Story, standing};
use crate::event;

/// A story as JSON.
#[derive(Debug, Serialize)]
pub struct Json<'a> {
    instance: &'a str,
    episodes: Vec<EpisodeJson<'a>>,
    loose: Vec<event::Json<'a>>,
    troubles: &'a [String],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EpisodeJson<'a> {
    cluster: &'a str,
    mode: &'a str,
    generation: u64,
    /// Moment `afterSeconds` of the events counts from.
    zero: String,
    begins_with_notice: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<&'a proto::Incident>,
    runs: &'a [proto::Run],
    at_work: Vec<standing::Json<'a>>,
    /// What became of the pods of each drain.
    drains: Vec<Pods>,
    events: Vec<event::Json<'a>>,
}

impl<'a> From<&'a Story> for Json<'a> {
    fn from(story: &'a Story) -> Self {
        Self {
            instance: &story.instance,
            episodes: story.episodes.iter().map(EpisodeJson::from).collect(),
            loose: story
                .loose
                .iter()
                .map(|event| event::Json::of(event, None))
                .collect(),
            troubles: &story.troubles,
        }
    }
}

impl<'a> From<&'a Episode> for EpisodeJson<'a> {
    fn from(episode: &'a Episode) -> Self {
        let zero = Some(episode.zero);
        Self {
            cluster: episode.key.cluster(),
            mode: episode.key.mode(),
            generation: episode.generation,
            zero: proto::time::text(episode.zero),
            begins_with_notice: episode.begins_with_notice,
            incident: episode.incident.as_ref(),
            runs: &episode.runs,
            at_work: episode
                .standings
                .iter()
                .map(|(id, standing)| standing.json(id))
                .collect(),
            drains: episode
                .runs
                .iter()
                .flat_map(|run| &run.actions)
                .filter_map(|action| Pods::of(episode, &action.id))
                .collect(),
            events: episode
                .events
                .iter()
                .map(|event| event::Json::of(event, zero))
                .collect(),
        }
    }
}
