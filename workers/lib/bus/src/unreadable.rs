//! Messages the client cannot read.
//!
//! `nats-server` stores whatever stands in a header block; `async-nats` ends the connection when it meets
//! one it cannot parse (0.51.0 `connection.rs`, `HMSG`). Such a message is fetched through the JetStream API,
//! whose answers are JSON, and told apart here by the client's own rules.

use std::fmt::Write as _;

use hollowtrees_schemas::{codec::Wire, names::header};

use crate::raw;

/// Header that says what is wrong with the headers of an unreadable message.
pub const UNREADABLE: &str = "Ht-Unreadable";
/// Header with the header block of an unreadable message, its bytes escaped as in a Rust byte string.
pub const UNREADABLE_HEADERS: &str = "Ht-Unreadable-Headers";
/// Bytes of an escaped header block that are kept: four times a byte must not outgrow what HT_DEAD takes.
const KEPT: usize = 16 * 1024;

/// The pairs of a header block, or what is wrong with it.
pub(crate) fn parse(block: &[u8]) -> Result<Vec<(String, String)>, String> {
    if block.is_empty() {
        return Ok(Vec::new());
    }
    let text =
        std::str::from_utf8(block).map_err(|error| format!("its header block is no UTF-8 ({error})"))?;
    let mut lines = text.lines().peekable();
    let version = lines.next().and_then(|line| line.strip_prefix("NATS/1.0"));
    let status = version
        .ok_or("its header block does not begin with NATS/1.0")?
        .trim();
    let code = status.split(' ').next().unwrap_or_default();
    let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()) && code >= "100";
    if !code.is_empty() && !is_code {
        return Err("the status in its header block is no number".to_owned());
    }
    let mut pairs = Vec::new();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let place = pairs.len() + 1;
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| format!("header {place} has no colon"))?;
        if name.contains(|found: char| !found.is_ascii_graphic()) {
            return Err(format!("the name of header {place} is not printable ASCII"));
        }
        let mut value = value.trim_start().to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with(char::is_whitespace)) {
            value.push_str(more);
        }
        value.truncate(value.trim_end().len());
        pairs.push((name.to_owned(), value));
    }
    Ok(pairs)
}

/// What keeps the client from reading a message; `None` where nothing does.
pub(crate) fn flaw(message: &raw::Message) -> Option<String> {
    // A subject that was no UTF-8 has the replacement character in JSON.
    let strange =
        |found: char| found.is_whitespace() || found.is_control() || found == char::REPLACEMENT_CHARACTER;
    if message.subject.contains(strange) {
        return Some("its subject has white space, control characters or is no UTF-8".to_owned());
    }
    parse(&message.headers).err()
}

/// The message in a form that no decoder takes for an event, with all that is known of it for a dead letter.
pub(crate) fn wire(message: &raw::Message, flaw: &str) -> Wire {
    let headers = vec![
        (header::ce::SPECVERSION.to_owned(), "unreadable".to_owned()),
        (UNREADABLE.to_owned(), flaw.to_owned()),
        (UNREADABLE_HEADERS.to_owned(), escaped(&message.headers)),
    ];
    Wire {
        headers,
        body: message.body.clone(),
    }
}

fn escaped(block: &[u8]) -> String {
    let mut text = String::new();
    for byte in block {
        if text.len() >= KEPT {
            // A string takes what is written to it.
            let _infallible = write!(text, "... ({} bytes)", block.len());
            break;
        }
        text.extend(byte.escape_ascii().map(char::from));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(block: &[u8], expected: Result<&[(&str, &str)], &str>) {
        let found = parse(block);
        match (found, expected) {
            (Ok(pairs), Ok(expected)) => {
                let expected: Vec<_> = expected
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect();
                assert_eq!(pairs, expected);
            }
            (Err(flaw), Err(expected)) => assert!(flaw.contains(expected), "{flaw}"),
            (found, expected) => panic!("{block:?}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn what_the_client_reads_is_read_and_what_it_refuses_is_refused() {
        check(b"", Ok(&[]));
        check(b"NATS/1.0\r\n\r\n", Ok(&[]));
        check(b"NATS/1.0 503 nobody\r\n\r\n", Ok(&[]));
        check(
            b"NATS/1.0\r\na: b\r\nA:c:d \r\n\r\n",
            Ok(&[("a", "b"), ("A", "c:d")]),
        );
        check(b"NATS/1.0\r\na: b\r\n  c\r\n\r\n", Ok(&[("a", "b  c")]));
        check("NATS/1.0\r\na: ü\r\n\r\n".as_bytes(), Ok(&[("a", "ü")]));
        check(b"NATS/1.0\r\nX-\xff-bad: 1\r\n\r\n", Err("no UTF-8"));
        check(b"NATS/1.0\r\na: \xff\r\n\r\n", Err("no UTF-8"));
        check(
            "NATS/1.0\r\nä: 1\r\n\r\n".as_bytes(),
            Err("header 1 is not printable"),
        );
        check(
            b"NATS/1.0\r\na: 1\r\nb c: 1\r\n\r\n",
            Err("header 2 is not printable"),
        );
        check(b"NATS/1.0\r\nnothing\r\n\r\n", Err("header 1 has no colon"));
        check(b"HTTP/1.1\r\na: 1\r\n\r\n", Err("NATS/1.0"));
        check(b"NATS/1.0 abc\r\n\r\n", Err("no number"));
        check(b"NATS/1.0 042\r\n\r\n", Err("no number"));
    }

    #[test]
    fn a_block_is_kept_in_a_form_that_is_a_header_itself() {
        assert_eq!(escaped(b"X-\xff: 1\r\n"), r"X-\xff: 1\r\n");
        let long = escaped(&[0xff; 256 * 1024]);
        assert!(long.len() < KEPT + 64 && long.ends_with("(262144 bytes)"));
    }
}
