//! `hollowtrees dead list`

use clap::Args;
use hollowtrees_bus::{Bus, read::From};
use hollowtrees_schemas::names::Stream;
use jiff::Timestamp;

use crate::{
    event::{Json, Said},
    exit::{Exit, Failure},
    output::Output,
    reading::{self, Wanted},
    table::Table,
    when::{self, Since, parse_since},
};

/// `hollowtrees dead list`
#[derive(Clone, Debug, Args)]
pub struct List {
    /// Of this cluster only
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Of this instance only
    #[arg(long, value_name = "ID")]
    pub instance: Option<String>,
    /// From so long ago, or from a time on: 30m, 2d, 2026-01-31T12:00:00Z [default: all there are, 30 days]
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    pub since: Option<Since>,
}

pub(super) async fn run(bus: &Bus, list: &List, output: &mut Output) -> Result<Exit, Failure> {
    let wanted = Wanted {
        cluster: list.cluster.clone(),
        instance: list.instance.clone(),
    };
    let from = list
        .since
        .map_or(From::First, |since| From::Time(since.moment(Timestamp::now())));
    let events = reading::present(bus, &[Stream::Dead], &wanted, from).await?;
    if output.is_json() {
        events
            .iter()
            .try_for_each(|event| output.json(&Json::of(event, None)))?;
        return Ok(Exit::Done);
    }
    if events.is_empty() {
        output.line("no dead letters")?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        "NUMBER",
        "DEAD SINCE",
        "CLUSTER",
        "INSTANCE",
        "STREAM",
        "BY",
        "CLASS",
        "TRIED",
        "REASON",
    ]);
    for event in &events {
        let Said::Dead(letter) = &event.said else {
            continue;
        };
        table.row([
            event.sequence.to_string(),
            when::text(event.stored_at),
            event.cluster.clone(),
            event.instance.clone(),
            letter.stream.clone(),
            letter.consumer.clone(),
            letter.error_class.clone(),
            letter.attempts.to_string(),
            letter.reason.clone(),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Done)
}
