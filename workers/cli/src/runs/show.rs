//! `hollowtrees runs show`

use clap::Args;
use hollowtrees_bus::Bus;
use jiff::Timestamp;

use crate::{
    exit::{Exit, Failure},
    output::Output,
    story::{self, Shown, Story},
};

/// `hollowtrees runs show`
#[derive(Clone, Debug, Args)]
pub struct Show {
    /// The provider's unique id of the instance
    pub instance: String,
    /// In this cluster only
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// All pods of a drain, not only the first 20
    #[arg(long)]
    pub all_pods: bool,
}

pub(super) async fn run(bus: &Bus, show: &Show, output: &mut Output) -> Result<Exit, Failure> {
    let story = story::collect(bus, show.cluster.as_deref(), &show.instance).await?;
    if story.is_empty() {
        let place = show.cluster.as_ref().map_or_else(
            || "any cluster".to_owned(),
            |cluster| format!("cluster {cluster}"),
        );
        return Err(Failure::negative(format!(
            "nothing is known of {} in {place}: no notice, incident, run or dead letter; instances go by the \
             provider's id (i-0abc...), and streams keep 7 days, records 30 days after the end",
            show.instance
        )));
    }
    let shown = if show.all_pods {
        Shown::AllPods
    } else {
        Shown::SomePods
    };
    print(&story, shown, output)?;
    Ok(Exit::Done)
}

pub(super) fn print(story: &Story, shown: Shown, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        output.json(&story::Json::from(story))
    } else {
        story::tell(story, Timestamp::now(), shown, output)
    }
}
