//! `hollowtrees dead show`

use clap::Args;
use hollowtrees_bus::Bus;
use hollowtrees_schemas::proto;

use crate::{
    exit::{Exit, Failure},
    output::Output,
    when,
};

/// Bytes of a body that is no text which are shown.
const BYTES_SHOWN: usize = 512;
const BYTES_A_LINE: usize = 16;

/// `hollowtrees dead show`
#[derive(Clone, Debug, Args)]
pub struct Show {
    /// Its number, as `dead list` tells it
    pub number: u64,
}

pub(super) async fn run(bus: &Bus, show: &Show, output: &mut Output) -> Result<Exit, Failure> {
    let letter = bus.dead_show(show.number).await?;
    if output.is_json() {
        output.json(&letter)?;
        return Ok(Exit::Done);
    }
    tell(&letter, output)?;
    Ok(Exit::Done)
}

fn tell(letter: &proto::DeadLetter, output: &mut Output) -> Result<(), Failure> {
    let at = |field: Option<&pbjson_types::Timestamp>| when::of(field).map(when::text).unwrap_or_default();
    let rows = [
        ("dead letter", letter.sequence.to_string()),
        ("dead since", at(letter.dead_at.as_ref())),
        ("class", letter.error_class.clone()),
        ("reason", letter.reason.clone()),
        (
            "given up by",
            format!("{} {}", letter.worker, letter.worker_version),
        ),
        ("tried", letter.attempts.to_string()),
        ("cluster", letter.cluster.clone()),
        (
            "came from",
            format!(
                "{} number {}, by consumer {}",
                letter.stream, letter.original_sequence, letter.consumer
            ),
        ),
        ("stored at", at(letter.first_at.as_ref())),
        ("subject", letter.subject.clone()),
        ("action", letter.action_id.clone()),
    ];
    for (name, value) in rows {
        if !value.trim().is_empty() {
            output.line(format!("{name:<12} {value}"))?;
        }
    }
    output.line("headers")?;
    for header in &letter.headers {
        output.line(format!("    {}: {}", header.name, header.value))?;
    }
    output.line(format!("body         {} bytes", letter.body.len()))?;
    body(&letter.body, output)
}

/// JSON indented, other text as it is, anything else as bytes.
fn body(body: &[u8], output: &mut Output) -> Result<(), Failure> {
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) {
        let pretty = serde_json::to_string_pretty(&value)?;
        return indented(&pretty, output);
    }
    match std::str::from_utf8(body) {
        Ok(text) => indented(text, output),
        Err(_) => {
            let shown = body.get(..BYTES_SHOWN).unwrap_or(body);
            for line in shown.chunks(BYTES_A_LINE) {
                output.line(format!("    {}", hex(line)))?;
            }
            if shown.len() < body.len() {
                output.line("    ... (--output json has all of it, as base64)")?;
            }
            Ok(())
        }
    }
}

fn indented(text: &str, output: &mut Output) -> Result<(), Failure> {
    text.lines()
        .try_for_each(|line| output.line(format!("    {line}")))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 4);
    for byte in bytes {
        text.push_str(&format!("{byte:02x} "));
    }
    for &byte in bytes {
        text.push(if byte.is_ascii_graphic() {
            char::from(byte)
        } else {
            '.'
        });
    }
    text
}
