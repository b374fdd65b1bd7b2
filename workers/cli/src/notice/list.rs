//! `hollowtrees notice list`

use clap::Args;
use hollowtrees_bus::{Bus, read::From};
use hollowtrees_schemas::names::{Stream, mode, state};
use jiff::Timestamp;

use crate::{
    event::{Event, Json, Said},
    exit::{Exit, Failure},
    line,
    output::Output,
    reading::{self, Wanted},
    table::Table,
    watch,
    when::{self, Since, parse_since},
};

/// `hollowtrees notice list`
#[derive(Clone, Debug, Args)]
pub struct List {
    /// From so long ago, or from a time on: 30m, 2d, 2026-01-31T12:00:00Z
    #[arg(long, value_name = "WHEN", default_value = "1h", value_parser = parse_since)]
    pub since: Since,
    /// Of this cluster only
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Of this instance only
    #[arg(long, value_name = "ID")]
    pub instance: Option<String>,
    /// Go on with those that come, until stopped
    #[arg(long)]
    pub follow: bool,
}

pub(super) async fn run(bus: &Bus, list: &List, output: &mut Output) -> Result<Exit, Failure> {
    let wanted = Wanted {
        cluster: list.cluster.clone(),
        instance: list.instance.clone(),
    };
    let from = From::Time(list.since.moment(Timestamp::now()));
    if list.follow {
        return watch::stream(bus, &[Stream::Notices], &wanted, from, output, |_| true).await;
    }
    let events = reading::present(bus, &[Stream::Notices], &wanted, from).await?;
    if output.is_json() {
        events
            .iter()
            .try_for_each(|event| output.json(&Json::of(event, None)))?;
        return Ok(Exit::Done);
    }
    if events.is_empty() {
        output.line("no notices; --since looks further back")?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        "STORED",
        "CLUSTER",
        "INSTANCE",
        "KIND",
        "STATE",
        "CERTAINTY",
        "DEADLINE",
        "MODE",
        "SOURCE",
    ]);
    for event in &events {
        table.row(row(event));
    }
    output.table(&table)?;
    Ok(Exit::Done)
}

fn row(event: &Event) -> [String; 9] {
    let head = [
        when::text(event.stored_at),
        event.cluster.clone(),
        event.instance.clone(),
    ];
    let rest = match &event.said {
        Said::Notice(notice) => [
            notice.kind.clone(),
            state::or_active(&notice.state).to_owned(),
            line::certainty(notice).to_owned(),
            when::of(notice.deadline.as_ref())
                .map(|at| when::after(at, event.stored_at))
                .unwrap_or_default(),
            mode::or_live(&notice.mode).to_owned(),
            event.source.clone(),
        ],
        Said::Unreadable(error) => [
            "unreadable".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            error.clone(),
        ],
        Said::Action(_) | Said::Outcome(_) | Said::Incident(..) | Said::Run(..) | Said::Dead(_) => {
            Default::default()
        }
    };
    let ([a, b, c], [d, e, f, g, h, i]) = (head, rest);
    [a, b, c, d, e, f, g, h, i]
}
