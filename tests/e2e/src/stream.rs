//! All that a stream holds.

use hollowtrees_bus::{
    Bus,
    read::{From, Message, Until},
};
use hollowtrees_schemas::{envelope::Envelope, names::Stream, proto};

/// The messages that a stream holds now, in order.
pub async fn held(bus: &Bus, stream: Stream) -> Vec<Message> {
    let mut reading = bus.read(stream, &[], From::First, Until::Present).await.unwrap();
    let mut found = Vec::new();
    while let Some(message) = reading.next().await.unwrap() {
        found.push(message);
    }
    found
}

/// The notices on the bus now, in order.
pub async fn notices(bus: &Bus) -> Vec<proto::Notice> {
    let held = held(bus, Stream::Notices).await;
    let decoded = held
        .iter()
        .map(|message| Envelope::<proto::Notice>::decode(&message.wire).unwrap());
    decoded.map(|envelope| envelope.data).collect()
}
