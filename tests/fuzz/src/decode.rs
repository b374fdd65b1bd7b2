//! Foreign headers and bytes of the bus: what is read can be written and read back.
//!
//! Input: header lines `name: value`, an empty line, the body.

use hollowtrees_schemas::{
    codec::{Wire, decode, encode_binary},
    envelope::Envelope,
    proto::{Action, Incident, Notice, Outcome, Run},
};

pub(crate) fn reads(input: &[u8]) -> bool {
    let (headers, body) = crate::message(input);
    let wire = Wire {
        headers,
        body: body.to_vec().into(),
    };
    let event = decode(&wire);
    if let Ok(event) = &event {
        let written = encode_binary(event).expect("what was read can be written");
        let again = decode(&written).expect("what was written can be read");
        assert_eq!(encode_binary(&again).expect("written before"), written);
    }
    drop(Envelope::<Notice>::decode(&wire));
    drop(Envelope::<Action>::decode(&wire));
    drop(Envelope::<Outcome>::decode(&wire));
    drop(Envelope::<Incident>::decode(&wire));
    drop(Envelope::<Run>::decode(&wire));
    event.is_ok()
}
