//! Prints every notice and every outcome, one line each, and goes on where it stopped.
//!
//! ```text
//! HT_NATS__URL=nats://127.0.0.1:4222 cargo run -p hollowtrees-custom-consumers --bin watch
//! ```
//!
//! The place it has read to is kept on the server, in the durable consumers `NAME-notices` and `NAME-outcomes`
//! (`HT_NAME`, default `watch`). The first start begins with the oldest message there is, at most 7 days old.
#![allow(
    clippy::print_stdout,
    reason = "lines on standard output are what this program is for"
)]

use std::process::ExitCode;

use hollowtrees_bus::{
    Bus, Deliveries, Delivery, apply,
    topology::{Consumer, Profile},
};
use hollowtrees_runtime::{Context, Failure, Frame, bus, config};
use hollowtrees_schemas::{codec::DecodeError, envelope::Envelope, filter, names::Stream, proto};
use serde::{Deserialize, Serialize};

#[derive(Clone, Deserialize, Serialize)]
struct Settings {
    name: String,
}

impl config::Settings for Settings {
    fn validate(&self, _: &mut Vec<config::Problem>) {}
}

const DEFAULTS: &str = "# What the place it has read to is kept under (HT_NAME).\nname = 'watch'\n";

async fn run(context: Context<Settings>) -> Result<(), Failure> {
    let name = &context.config.own.name;
    let bus = bus::connect(&context).await?;
    context.checks.complete();
    let mut notices = subscribe(
        &bus,
        format!("{name}-notices"),
        Stream::Notices,
        filter::notices(None),
    )
    .await?;
    let all = filter::outcomes(None, None, None);
    let mut outcomes = subscribe(&bus, format!("{name}-outcomes"), Stream::Outcomes, all).await?;
    loop {
        let (delivery, line) = tokio::select! {
            () = context.shutdown.draining() => break,
            delivery = notices.next() => { let line = notice(&delivery); (delivery, line) }
            delivery = outcomes.next() => { let line = outcome(&delivery); (delivery, line) }
        };
        println!(
            "{}",
            line.unwrap_or_else(|error| format!("unreadable {}: {error}", delivery.subject))
        );
        delivery.ack().await;
    }
    notices.stop().await;
    outcomes.stop().await;
    bus.flush(context.shutdown.left()).await;
    Ok(())
}

/// Takes from the durable consumer, made first if there is none.
async fn subscribe(bus: &Bus, name: String, stream: Stream, filter: String) -> Result<Deliveries, Failure> {
    let consumer = Consumer {
        description: format!("{name}: an example"),
        name,
        stream,
        filters: vec![filter],
    };
    let applied = apply::apply_consumer(bus, &consumer, Profile::LOCAL).await;
    applied.map_err(|error| Failure::unavailable(&error))?;
    let taking = bus.consume(&consumer, 64).await;
    taking.map_err(|error| Failure::unavailable(&error))
}

fn notice(delivery: &Delivery) -> Result<String, DecodeError> {
    let said = Envelope::<proto::Notice>::decode(&delivery.wire)?;
    let deadline = said
        .expirytime
        .map_or_else(|| "no deadline".to_owned(), |at| at.to_string());
    let proto::Notice {
        cluster,
        instance,
        kind,
        state,
        mode,
        ..
    } = &said.data;
    Ok(format!(
        "notice {cluster} {instance} {kind} {state} {mode} {deadline}"
    ))
}

fn outcome(delivery: &Delivery) -> Result<String, DecodeError> {
    let said = Envelope::<proto::Outcome>::decode(&delivery.wire)?.data;
    let proto::Outcome {
        cluster,
        instance,
        kind,
        result,
        reason,
        message,
        ..
    } = &said;
    let words = ["outcome", cluster, instance, kind, result, reason, message];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    Ok(words.join(" "))
}

fn main() -> ExitCode {
    Frame::new("watch", env!("CARGO_PKG_VERSION"))
        .about("prints notices and outcomes")
        .defaults(DEFAULTS)
        .run(run)
}
