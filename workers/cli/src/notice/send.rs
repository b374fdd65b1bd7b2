//! `hollowtrees notice send`

use std::time::Duration;

use clap::Args;
use hollowtrees_bus::Bus;
use hollowtrees_domain::notice::Notice;
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    names::mode,
    outgoing, proto,
};
use jiff::{SignedDuration, Timestamp};

use super::Facts;
use crate::{
    exit::{Exit, Failure},
    output::Output,
    runs, when,
};

/// Longest wait for the acknowledgement.
const STORED_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// `hollowtrees notice send`
#[derive(Clone, Debug, Args)]
pub struct Send {
    /// Cluster of the instance
    #[arg(long, value_name = "NAME")]
    pub cluster: String,
    /// The provider's unique id of the instance
    #[arg(long, value_name = "ID")]
    pub instance: String,
    /// What the notice says.
    #[command(flatten)]
    pub facts: Facts,
    /// Then wait so long for its runs to end, and print the story; exit code 1 if one fails or does not end
    #[arg(long, value_name = "SPAN", value_parser = when::parse_span)]
    pub wait: Option<SignedDuration>,
}

impl Send {
    /// Refuses at once what the router would refuse.
    pub(crate) fn check(&self) -> Result<proto::Notice, Failure> {
        let now = Timestamp::now();
        let notice = self.facts.notice(&self.cluster, &self.instance, now);
        Notice::parse(notice.clone(), &self.source(), now)
            .map_err(|invalid| Failure::usage(invalid.to_string()))?;
        Ok(notice)
    }

    /// Who says so: a person, by this command.
    fn source(&self) -> String {
        envelope::source(&["hollowtrees", &self.cluster, "cli"])
    }
}

pub(super) async fn run(bus: &Bus, send: &Send, output: &mut Output) -> Result<Exit, Failure> {
    let envelope = envelope::notice(send.check()?, send.source());
    let out = outgoing::notice(&envelope, DataFormat::Json)
        .map_err(|error| Failure::usage(format!("the notice cannot be written: {error}")))?;
    let until = Timestamp::now().checked_add(STORED_WITHIN).ok();
    let published = bus.publish(&out, until).await?;
    if output.is_json() {
        output.json(&serde_json::json!({
            "id": envelope.id,
            "subject": out.subject.to_string(),
            "sequence": published.sequence,
            "duplicate": published.duplicate,
            "notice": envelope.data,
        }))?;
    } else {
        let said = &envelope.data;
        output.line(format!(
            "{} of {} in {}, mode {}: {}",
            said.kind,
            said.instance,
            said.cluster,
            said.mode,
            if published.duplicate {
                format!(
                    "the bus has this very notice already (number {}); another --event-id or --in makes it a new one",
                    published.sequence
                )
            } else {
                format!("stored as number {}", published.sequence)
            }
        ))?;
        if said.mode == mode::LIVE {
            output.line("mode live: workers act on it")?;
        }
    }
    match send.wait {
        Some(limit) => {
            output.flush()?;
            let limit = Duration::try_from(limit).unwrap_or_default();
            runs::wait(bus, &envelope.data, limit, output).await
        }
        None if output.is_json() => Ok(Exit::Done),
        None => {
            output.line(format!(
                "`hollowtrees runs show {}` tells what becomes of it",
                send.instance
            ))?;
            Ok(Exit::Done)
        }
    }
}
