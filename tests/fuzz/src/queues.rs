//! Bodies of SQS: read or put aside event by event, and the same for the same.
//!
//! Input: the body.

use hollowtrees_gateway::sqs::read::{Origin, contents};

pub(crate) fn reads(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let read = || contents(&text, &Origin::default());
    let (first, second) = (read(), read());
    assert_eq!(first, second);
    !first.events.is_empty() || !first.idle.is_empty()
}
