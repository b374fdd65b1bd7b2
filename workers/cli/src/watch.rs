//! `hollowtrees watch`: everything that happens, as it happens.

use clap::{Args, ValueEnum};
use hollowtrees_bus::{Bus, read::From};
use hollowtrees_schemas::names::Stream;
use jiff::Timestamp;

use crate::{
    event::{Event, Json, Said},
    exit::{Exit, Failure},
    line,
    output::Output,
    reading::{self, Followed, Wanted},
    when::{self, Since, parse_since},
};

/// `hollowtrees watch`
#[derive(Clone, Debug, Args)]
pub struct Watch {
    /// Of this cluster only
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Of this instance only
    #[arg(long, value_name = "ID")]
    pub instance: Option<String>,
    /// Only these kinds of event, with commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "EVENTS")]
    pub only: Vec<Only>,
    /// Begin so long ago, or at a time: 30m, 2d, 2026-01-31T12:00:00Z [default: now]
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    pub since: Option<Since>,
}

/// Kinds of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Only {
    /// Notices
    Notice,
    /// Actions published
    Action,
    /// Final outcomes
    Outcome,
    /// Facts on the way to an outcome
    Progress,
    /// Incidents opened, changed, cancelled, closed
    Incident,
    /// Runs started and finished
    Run,
    /// Dead letters
    Dead,
}

impl Only {
    const fn stream(self) -> Stream {
        match self {
            Self::Notice => Stream::Notices,
            Self::Action => Stream::Actions,
            Self::Outcome | Self::Progress => Stream::Outcomes,
            Self::Incident | Self::Run => Stream::Incidents,
            Self::Dead => Stream::Dead,
        }
    }
}

pub(crate) async fn run(bus: &Bus, watch: &Watch, output: &mut Output) -> Result<Exit, Failure> {
    let wanted = Wanted {
        cluster: watch.cluster.clone(),
        instance: watch.instance.clone(),
    };
    let streams: Vec<Stream> = Stream::ALL
        .into_iter()
        .filter(|&stream| watch.only.is_empty() || watch.only.iter().any(|only| only.stream() == stream))
        .collect();
    let from = watch
        .since
        .map_or(From::Next, |since| From::Time(since.moment(Timestamp::now())));
    stream(bus, &streams, &wanted, from, output, |event| {
        let label = line::label(event);
        // What cannot be read is shown whatever it may have been.
        watch.only.is_empty()
            || matches!(event.said, Said::Unreadable(_))
            || watch
                .only
                .iter()
                .filter_map(Only::to_possible_value)
                .any(|only| only.matches(label, false))
    })
    .await
}

/// Prints the events of streams as they come, until nobody reads them.
pub(crate) async fn stream(
    bus: &Bus,
    streams: &[Stream],
    wanted: &Wanted,
    from: From,
    output: &mut Output,
    shown: impl Fn(&Event) -> bool,
) -> Result<Exit, Failure> {
    let mut events = reading::follow(bus, streams, wanted, from).await?;
    while let Some(followed) = events.recv().await {
        match followed {
            Followed::Event(event) if shown(&event) => print(&event, output)?,
            Followed::Event(_) => {}
            Followed::Again(error) => output.warn(format!("{error}; following it again")),
        }
        if events.is_empty() {
            output.flush()?;
        }
    }
    Ok(Exit::Done)
}

fn print(event: &Event, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.json(&Json::of(event, None));
    }
    output.line(format!(
        "{}  {:<10}  {}/{}  {}{}",
        when::text(event.stored_at),
        line::label(event),
        event.cluster,
        if event.instance.is_empty() {
            "-"
        } else {
            &event.instance
        },
        line::mode_mark(event),
        line::text(event, event.stored_at)
    ))
}
