//! Foreign headers and bytes: read or refused, never a panic; what is read can be written and read back.
//!
//! Input: header lines `name: value`, an empty line, the body.

#![no_main]

use hollowtrees_schemas::codec::{Wire, decode, encode_binary};
use hollowtrees_schemas::envelope::Envelope;
use hollowtrees_schemas::proto::{Action, Incident, Notice, Outcome, Run};
use libfuzzer_sys::fuzz_target;

fn wire(input: &[u8]) -> Wire {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let (head, body) = input.split_at(end);
    let headers = String::from_utf8_lossy(head)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim_start().to_owned()))
        .collect();
    Wire { headers, body: body.get(2..).unwrap_or_default().to_vec().into() }
}

fuzz_target!(|input: &[u8]| {
    let wire = wire(input);
    if let Ok(event) = decode(&wire) {
        let written = encode_binary(&event).expect("what was read can be written");
        let again = decode(&written).expect("what was written can be read");
        assert_eq!(encode_binary(&again).expect("written before"), written);
    }
    drop(Envelope::<Notice>::decode(&wire));
    drop(Envelope::<Action>::decode(&wire));
    drop(Envelope::<Outcome>::decode(&wire));
    drop(Envelope::<Incident>::decode(&wire));
    drop(Envelope::<Run>::decode(&wire));
});
