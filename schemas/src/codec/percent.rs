//! Header values: percent-encoding of NATS binding 1.0.3-wip section 3.1.3.2 (the HTTP binding's).

use std::borrow::Cow;

use super::attribute::Fault;
use crate::hex;

/// Whether a byte stands for itself: U+0021 to U+007E but `"` and `%`.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"' && byte != b'%'
}

/// Encodes what must be encoded, and no more: space, `"`, `%`, and all outside U+0021 to U+007E, as the bytes of
/// their UTF-8 form in upper-case hex.
pub(super) fn encode(value: &str) -> String {
    if value.bytes().all(is_plain) {
        return value.to_owned();
    }
    let mut text = String::with_capacity(value.len() + 16);
    for byte in value.bytes() {
        if is_plain(byte) {
            text.push(char::from(byte));
        } else {
            hex::push_escaped(&mut text, '%', byte);
        }
    }
    text
}

/// Undoes it: un-quotes a double-quoted string first, then exactly one round of percent-decoding. Accepts
/// lower-case hex and needless encoding, and what should have been encoded and was not (other SDKs do so);
/// refuses a `%` without two hex digits and what is no UTF-8.
pub(super) fn decode(value: &str) -> Result<Cow<'_, str>, Fault> {
    let value = unquote(value)?;
    if !value.contains('%') {
        return Ok(value);
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = if byte == b'%' {
            let pair = after
                .split_first_chunk()
                .and_then(|(&pair, after)| Some((hex::byte(pair)?, after)));
            let Some((decoded, after)) = pair else {
                return Err(Fault::Percent(value.len() - rest.len()));
            };
            bytes.push(decoded);
            after
        } else {
            bytes.push(byte);
            after
        };
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Fault::Utf8)
}

/// The content of a quoted string (RFC 7230 section 3.2.6), or the value itself.
fn unquote(value: &str) -> Result<Cow<'_, str>, Fault> {
    let Some(inner) = value.strip_prefix('"') else {
        return Ok(Cow::Borrowed(value));
    };
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(found) = chars.next() {
        match found {
            '"' if chars.as_str().is_empty() => return Ok(Cow::Owned(text)),
            '"' => return Err(Fault::Quote),
            '\\' => text.push(chars.next().ok_or(Fault::Quote)?),
            other => text.push(other),
        }
    }
    Err(Fault::Quote)
}
