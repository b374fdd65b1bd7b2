//! The rules of attributes: names, and the canonical text of values (CloudEvents 1.0.2, "Type System" and
//! "Context Attributes"). Writer and reader check by the same.

use thiserror::Error;

use super::media;
use crate::proto::time;

/// What is wrong with an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// A name that is no attribute's.
    #[error("its name must be lower-case ASCII letters and digits, and not `data`; rename it")]
    Name,
    /// Empty where that is not allowed.
    #[error("it is empty; set it or leave it out")]
    Empty,
    /// A character the String type excludes.
    #[error("it holds {0:?}, and control characters and noncharacters are not allowed; remove it")]
    Character(char),
    /// A version other than 1.0.
    #[error("`{0}` is no version of CloudEvents that is read here; send 1.0")]
    Version(String),
    /// No URI reference.
    #[error("`{0}` is no URI reference (RFC 3986); percent-encode what is not allowed")]
    UriReference(String),
    /// No absolute URI.
    #[error("`{0}` is no absolute URI (RFC 3986); begin with a scheme, percent-encode what is not allowed")]
    Uri(String),
    /// No media type.
    #[error("`{0}` is no media type (RFC 2046); write e.g. application/json")]
    MediaType(String),
    /// No time.
    #[error(transparent)]
    Time(#[from] time::TimeError),
    /// A JSON value no attribute can have.
    #[error("it is a JSON {0}; an attribute is text, true, false, or a whole number of 32 bits")]
    JsonType(&'static str),
    /// A JSON value of an attribute that is text.
    #[error("it is a JSON {0}, and this attribute is text; send a string")]
    NotText(&'static str),
    /// A number beyond 32 bits.
    #[error("{0} does not fit 32 bits, the range of the Integer type; send it as text")]
    Integer(i64),
    /// Percent-encoding that cannot be undone.
    #[error("its percent-encoding at byte {0} is not `%` and two hex digits; write `%` itself as %25")]
    Percent(usize),
    /// Percent-encoding that gives no UTF-8.
    #[error("its percent-encoding gives no UTF-8; encode the bytes of the UTF-8 form")]
    Utf8,
    /// A quoted string that does not end.
    #[error("it begins with a double quote and does not end with one; write a double quote itself as %22")]
    Quote,
}

/// Checks a name: `[a-z0-9]+` and not `data`.
pub(super) fn check_name(name: &str) -> Result<(), Fault> {
    let right = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if right && name != "data" {
        Ok(())
    } else {
        Err(Fault::Name)
    }
}

/// Checks the canonical text of the attribute of that name.
pub(super) fn check_value(name: &str, value: &str) -> Result<(), Fault> {
    let kind = Kind::of(name);
    if value.is_empty() && kind != Kind::Text {
        return Err(Fault::Empty);
    }
    // Nearly all values are printable ASCII, of which nothing is excluded.
    let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !plain && let Some(found) = value.chars().find(|&found| is_excluded(found)) {
        return Err(Fault::Character(found));
    }
    match kind {
        Kind::Text | Kind::FilledText => Ok(()),
        Kind::Version if value == "1.0" => Ok(()),
        Kind::Version => Err(Fault::Version(cut(value))),
        Kind::UriReference if is_uri_reference(value) => Ok(()),
        Kind::UriReference => Err(Fault::UriReference(cut(value))),
        Kind::Uri if is_uri_reference(value) && has_scheme(value) => Ok(()),
        Kind::Uri => Err(Fault::Uri(cut(value))),
        Kind::MediaType if media::is_media_type(value) => Ok(()),
        Kind::MediaType => Err(Fault::MediaType(cut(value))),
        Kind::Time => Ok(time::parse(value).map(|_| ())?),
    }
}

/// Checks that the attribute of that name may be something else than text: `found`, as JSON calls it.
pub(super) fn check_not_text(name: &str, found: &'static str) -> Result<(), Fault> {
    if Kind::of(name) == Kind::Text {
        Ok(())
    } else {
        Err(Fault::NotText(found))
    }
}

/// Types of the attributes that are known, here and in the documented extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    FilledText,
    Version,
    UriReference,
    Uri,
    MediaType,
    Time,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            "specversion" => Self::Version,
            "id" | "type" | "subject" | "partitionkey" | "sequence" | "traceparent" => Self::FilledText,
            "source" | "dataref" => Self::UriReference,
            "dataschema" => Self::Uri,
            "datacontenttype" => Self::MediaType,
            "time" | "expirytime" | "recordedtime" => Self::Time,
            _ => Self::Text,
        }
    }
}

/// Control characters (C0, DEL, C1) and noncharacters.
fn is_excluded(found: char) -> bool {
    let code = u32::from(found);
    found.is_control() || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

/// Only characters RFC 3986 allows, and `%` only before two hex digits.
fn is_uri_reference(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'%' => match after.split_first_chunk::<2>() {
                Some((pair, after)) if pair.iter().all(u8::is_ascii_hexdigit) => after,
                _ => return false,
            },
            _ if byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte) => after,
            _ => return false,
        };
    }
    true
}

fn has_scheme(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

/// Text for a message to a person.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}
