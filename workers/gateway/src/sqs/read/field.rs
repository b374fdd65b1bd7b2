//! Fields of an event, checked once.

use jiff::{Timestamp, fmt::rfc2822};
use serde_json::Value;

use super::{Document, Origin, Unusable};

/// No account, region or word of AWS's is longer.
const WORD: usize = 64;
/// Longest name of a group or hook (Auto Scaling API reference).
const NAME: usize = 255;

/// A text.
pub(super) fn text<'d>(document: &'d Document, key: &str) -> Option<&'d str> {
    document.get(key)?.as_str()
}

/// The `detail` of an EventBridge event.
pub(super) fn detail<'d>(document: &'d Document, kind: &'static str) -> Result<&'d Document, Unusable> {
    document
        .get("detail")
        .and_then(Value::as_object)
        .ok_or(Unusable::Field {
            kind,
            field: "detail",
            wanted: "an object",
        })
}

/// A word that fits a subject, an id or a source; empty where there is none.
pub(super) fn word(document: &Document, key: &str) -> String {
    text(document, key)
        .map(str::trim)
        .filter(|word| is_word(word, WORD))
        .unwrap_or_default()
        .to_owned()
}

/// A name of Auto Scaling's; empty where there is none.
pub(super) fn name(document: &Document, key: &str) -> String {
    text(document, key)
        .filter(|name| name.len() <= NAME && !name.chars().any(char::is_control))
        .unwrap_or_default()
        .to_owned()
}

/// An instance id.
pub(super) fn instance(
    document: &Document,
    kind: &'static str,
    field: &'static str,
) -> Result<String, Unusable> {
    text(document, field)
        .filter(|id| is_instance(id))
        .map(str::to_owned)
        .ok_or(Unusable::Field {
            kind,
            field,
            wanted: "the id of an instance",
        })
}

/// `i-` and hexadecimal digits, as they are now or were before 2016, with room for longer ones.
pub(super) fn is_instance(id: &str) -> bool {
    id.strip_prefix("i-").is_some_and(|digits| {
        (1..=WORD).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Account of the event, else of the queue. Twelve digits: it becomes part of a role's name.
pub(super) fn account(document: &Document, key: &str, origin: &Origin) -> String {
    text(document, key)
        .filter(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))
        .unwrap_or(&origin.account)
        .to_owned()
}

/// Region of the event, else of the queue. Words and a number, `us-gov-east-1`: it becomes part of a host's name.
pub(super) fn region(document: &Document, key: &str, origin: &Origin) -> String {
    text(document, key)
        .filter(|region| is_region(region))
        .unwrap_or(&origin.region)
        .to_owned()
}

fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    let number = parts
        .next()
        .is_some_and(|number| number.parse::<u8>().is_ok_and(|number| number < 100));
    let words: Vec<_> = parts.collect();
    number
        && (2..=3).contains(&words.len())
        && words
            .iter()
            .all(|word| (2..=16).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// A time in one of AWS's two forms: RFC 3339, or that of HTTP and mail, `Sat, 05 Jun 2016 15:10:09 GMT` (the day of the
/// week is not looked at: AWS's own example has a wrong one). Only what a message can hold.
pub(super) fn time(document: &Document, key: &str) -> Option<Timestamp> {
    let text = text(document, key)?.trim();
    let time = match text.parse::<Timestamp>() {
        Ok(time) => time,
        Err(_) => rfc2822::DateTimeParser::new()
            .relaxed_weekday(true)
            .parse_timestamp(text)
            .ok()?,
    };
    hollowtrees_schemas::proto::time::from_proto(&hollowtrees_schemas::proto::time::to_proto(time)).ok()
}

/// What is left of a text in a sentence.
pub(super) fn short(text: &str) -> String {
    text.chars().take(WORD).flat_map(char::escape_debug).collect()
}

fn is_word(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
