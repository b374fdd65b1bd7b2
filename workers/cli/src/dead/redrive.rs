//! `hollowtrees dead redrive`: back onto the bus, or, what the gateway wrote, to the gateway.

use std::time::Duration;

use clap::Args;
use hollowtrees_bus::Bus;
use hollowtrees_schemas::names::GATEWAY;
use jiff::{SignedDuration, Timestamp};

use super::post;
use crate::{
    exit::{Exit, Failure},
    gateway::Gateway,
    output::Output,
    when::{self, parse_span, parse_time},
};

/// Longest wait for the acknowledgement of one.
const STORED_WITHIN: Duration = Duration::from_secs(10);

/// `hollowtrees dead redrive`
#[derive(Clone, Debug, Args)]
pub struct Redrive {
    /// Their numbers, as `dead list` tells them
    #[arg(required = true)]
    pub number: Vec<u64>,
    /// The deadline an action has now, RFC 3339; without one it keeps its own, which may have passed
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "in")]
    pub deadline: Option<Timestamp>,
    /// The same, so long from now: 30s, 2m
    #[arg(long = "in", id = "in", value_name = "SPAN", value_parser = parse_span)]
    pub within: Option<SignedDuration>,
    /// Where what the gateway wrote is posted again.
    #[command(flatten)]
    pub gateway: Gateway,
}

pub(super) async fn run(bus: &Bus, redrive: &Redrive, output: &mut Output) -> Result<Exit, Failure> {
    let within = redrive
        .within
        .and_then(|within| Timestamp::now().checked_add(within).ok());
    let deadline = redrive.deadline.or(within);
    let gateway = redrive.gateway.client()?;
    let mut exit = Exit::Done;
    for &number in &redrive.number {
        let letter = bus.dead_show(number).await?;
        if letter.consumer != GATEWAY {
            on_the_bus(bus, number, deadline, output).await?;
        } else if let Some(gateway) = &gateway {
            if deadline.is_some() {
                return Err(Failure::usage(format!(
                    "dead letter {number} is what was sent to the gateway, and no action: it can be given no deadline"
                )));
            }
            if !post::run(bus, gateway, &letter, output).await? {
                exit = Exit::Negative;
            }
        } else {
            return Err(Failure::usage(format!(
                "dead letter {number} is what was sent to the gateway ({}), and goes there again: name it with --gateway URL",
                letter.subject
            )));
        }
        output.flush()?;
    }
    Ok(exit)
}

async fn on_the_bus(
    bus: &Bus,
    number: u64,
    deadline: Option<Timestamp>,
    output: &mut Output,
) -> Result<(), Failure> {
    let sent = tokio::time::timeout(STORED_WITHIN, bus.dead_redrive(number, deadline)).await;
    let published = sent.map_err(|_| {
        Failure::unavailable(format!(
            "dead letter {number} was not taken within {} s; doing it again is safe",
            STORED_WITHIN.as_secs()
        ))
    })??;
    if output.is_json() {
        output.json(&serde_json::json!({
            "number": number,
            "sequence": published.sequence,
            "duplicate": published.duplicate,
            "deadline": deadline.map(hollowtrees_schemas::proto::time::text),
        }))
    } else if published.duplicate {
        output.line(format!(
            "dead letter {number} was redriven before, as number {}; nothing was sent",
            published.sequence
        ))
    } else {
        let until = deadline.map_or_else(String::new, |at| format!(", deadline {}", when::text(at)));
        output.line(format!(
            "dead letter {number} is sent again as number {}{until}",
            published.sequence
        ))
    }
}
