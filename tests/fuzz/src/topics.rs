//! Messages of SNS: what is signed and by whom; nobody but SNS is asked for a certificate.
//!
//! Input: the body.

use hollowtrees_gateway::sns::message::{Address, Message, place};

pub(crate) fn reads(input: &[u8]) -> bool {
    let Ok(message) = serde_json::from_slice::<Message>(input) else {
        return false;
    };
    let signed = message.signed();
    let known = message.purpose().is_ok() && message.digest().is_ok();
    let (_account, region) = place(message.topic());
    assert!(message.topic().contains(region), "{region} is of the topic");
    if let Some(address) = Address::of_sns(message.certificate()) {
        assert!(address.to_string().starts_with("https://sns."));
    }
    known && signed.is_ok()
}
