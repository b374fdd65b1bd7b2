//! Bodies of queues and of topics: read or put aside event by event, never a panic, and the same for the same.
//!
//! Input: one byte that chooses whose body it is, then the body.

#![no_main]

use hollowtrees_gateway::{
    sns::message::{Address, Message, place},
    sqs::read::{Origin, contents},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((whose, body)) = input.split_first() else {
        return;
    };
    if whose % 2 == 0 {
        let text = String::from_utf8_lossy(body);
        let read = || contents(&text, &Origin::default());
        assert_eq!(read(), read());
        return;
    }
    let Ok(message) = serde_json::from_slice::<Message>(body) else {
        return;
    };
    let _ = (message.digest(), message.signed(), place(message.topic()));
    if let Some(address) = Address::of_sns(message.certificate()) {
        assert!(address.to_string().starts_with("https://sns."));
    }
});
