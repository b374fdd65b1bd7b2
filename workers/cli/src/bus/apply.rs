//! `hollowtrees bus apply`

use std::time::Duration;

use clap::Args;
use hollowtrees_bus::{
    Bus,
    apply::{self, Difference},
    topology::{self, Profile},
};
use jiff::SignedDuration;
use tokio::time::Instant;

use super::{Declared, declared::Json};
use crate::{
    connect::AGAIN,
    exit::{Exit, Failure},
    output::Output,
    when::parse_span,
};

/// `hollowtrees bus apply`
#[derive(Clone, Debug, Default, Args)]
pub struct Apply {
    /// What is declared.
    #[command(flatten)]
    pub declared: Declared,
    /// Go on trying for so long while the bus cannot be reached or is not ready: for who starts with it
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub wait: Option<SignedDuration>,
}

impl Apply {
    /// How long to go on trying.
    pub(crate) fn patience(&self) -> Duration {
        self.wait
            .and_then(|wait| Duration::try_from(wait).ok())
            .unwrap_or_default()
    }

    /// One try; safe to repeat.
    async fn once(&self, bus: &Bus) -> Result<(Profile, Vec<Difference>), Failure> {
        let profile = self.declared.profile(bus).await?;
        let changed = apply::apply(bus, profile, &self.declared.consumers()).await?;
        Ok((profile, changed))
    }
}

pub(super) async fn run(bus: &Bus, apply: &Apply, output: &mut Output) -> Result<Exit, Failure> {
    let until = Instant::now() + apply.patience();
    let (profile, changed) = loop {
        match apply.once(bus).await {
            Err(Failure::Said {
                exit: Exit::Unavailable,
                ..
            }) if Instant::now() < until => tokio::time::sleep(AGAIN).await,
            answered => break answered?,
        }
    };
    let consumers = apply.declared.consumers();
    if output.is_json() {
        let changed: Vec<Json<'_>> = changed.iter().map(Json::from).collect();
        output.json(&serde_json::json!({ "changed": changed, "replicas": profile.replicas }))?;
        return Ok(Exit::Done);
    }
    for change in &changed {
        if change.actual.is_empty() {
            output.line(format!("made     {}", change.what))?;
        } else {
            output.line(format!(
                "changed  {}: {} from {} to {}",
                change.what, change.setting, change.actual, change.declared
            ))?;
        }
    }
    let (streams, consumers) = (topology::streams(profile).len(), consumers.len());
    let copies = match profile.replicas {
        1 => "one copy".to_owned(),
        copies => format!("{copies} copies"),
    };
    output.line(format!(
        "{streams} streams and buckets ({copies} each) and {consumers} consumers are as declared; {}",
        match changed.len() {
            0 => "nothing was changed".to_owned(),
            1 => "1 change".to_owned(),
            changes => format!("{changes} changes"),
        }
    ))?;
    Ok(Exit::Done)
}
