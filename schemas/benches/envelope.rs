//! What an action costs on its way: `cargo bench -p hollowtrees-schemas`. Bar: well under 50 µs there and back.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program that prints a table"
)]

use std::hint::black_box;
use std::time::Instant;

use hollowtrees_schemas::envelope::{self, DataFormat, Envelope};
use hollowtrees_schemas::outgoing;
use hollowtrees_schemas::proto::{Action, Target, time};
use jiff::{SignedDuration, Timestamp};
use pbjson_types::value::Kind;
use pbjson_types::{Struct, Value};

const ROUNDS: u32 = 50_000;

fn action() -> Action {
    let at = |second: i64| {
        Some(time::to_proto(
            Timestamp::new(1_767_225_600 + second, 123_456_789).expect("a time"),
        ))
    };
    let text = |text: &str| Value {
        kind: Some(Kind::StringValue(text.to_owned())),
    };
    Action {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        cluster: "prod.eu".to_owned(),
        kind: "drain".to_owned(),
        instance: "i-0123456789abcdef0".to_owned(),
        generation: 1,
        certainty: "certain".to_owned(),
        mode: "live".to_owned(),
        effect: "per-instance".to_owned(),
        rule: "spot".to_owned(),
        noticed_at: at(0),
        created_at: at(1),
        deadline: at(120),
        close_at: at(300),
        deadline_reserve: Some(time::duration_to_proto(SignedDuration::from_secs(5))),
        when_expired: "skip".to_owned(),
        params: Some(Struct {
            fields: [
                ("strategy".to_owned(), text("swap")),
                ("emptyDir".to_owned(), text("delete")),
            ]
            .into(),
        }),
        target: Some(Target {
            provider: "aws".to_owned(),
            account: "001234567890".to_owned(),
            region: "eu-west-1".to_owned(),
            zone: "eu-west-1a".to_owned(),
            node: "ip-10-0-0-1.eu-west-1.compute.internal".to_owned(),
            group: "web-blue".to_owned(),
            instance_type: "m5.large".to_owned(),
        }),
        ..Action::default()
    }
}

fn measure(what: &str, mut work: impl FnMut()) {
    for _ in 0..ROUNDS / 10 {
        work();
    }
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        work();
    }
    println!(
        "{what:<40} {:>8.2} µs",
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
    );
}

fn main() {
    for format in [DataFormat::Json, DataFormat::Protobuf] {
        let action = action();
        let envelope = envelope::action(action.clone(), "/hollowtrees/router");
        let wire = envelope.encode(format).expect("legal");
        println!(
            "{format:?}: {} bytes of message, {} of body",
            wire.size(),
            wire.body.len()
        );
        measure("  envelope and message id", || {
            let envelope = envelope::action(black_box(action.clone()), "/hollowtrees/router");
            black_box(outgoing::action(&envelope, format).expect("legal"));
        });
        measure("  encode", || {
            drop(black_box(envelope.encode(format).expect("legal")));
        });
        measure("  decode", || {
            drop(black_box(
                Envelope::<Action>::decode(black_box(&wire)).expect("legal"),
            ));
        });
    }
}
