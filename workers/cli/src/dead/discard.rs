//! `hollowtrees dead discard`

use clap::Args;
use hollowtrees_bus::Bus;

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

/// `hollowtrees dead discard`
#[derive(Clone, Debug, Args)]
pub struct Discard {
    /// Their numbers, as `dead list` tells them
    #[arg(required = true)]
    pub number: Vec<u64>,
}

pub(super) async fn run(bus: &Bus, discard: &Discard, output: &mut Output) -> Result<Exit, Failure> {
    for &number in &discard.number {
        bus.dead_discard(number).await?;
        if output.is_json() {
            output.json(&serde_json::json!({ "number": number, "discarded": true }))?;
        } else {
            output.line(format!("dead letter {number} is gone"))?;
        }
        output.flush()?;
    }
    Ok(Exit::Done)
}
