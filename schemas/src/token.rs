//! One escape for every name that becomes a subject token or a part of a KV key.
//!
//! Bytes of `[A-Za-z0-9_-]` stand for themselves, all others become `=XX` (upper-case hex), and an empty
//! name becomes a lone `=`. `=` is allowed in NATS subjects and KV keys; `%`, `.`, `*`, `>` and space are not
//! (NATS ADR-6, ADR-8), so any name fits, and two names never give one token.

use thiserror::Error;

use crate::hex;

/// A token that [`escape`] never writes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The token has no characters; an empty name is written `=`.
    #[error("a token is empty; an empty name is written `=`")]
    Empty,
    /// A character that must be escaped stands for itself.
    #[error("token `{token}` holds {found:?} unescaped; write it as `=XX` (upper-case hex of each byte)")]
    Unescaped {
        /// The token.
        token: String,
        /// The character that must not stand for itself.
        found: char,
    },
    /// `=` without two upper-case hex digits after it, or an escape of a byte that needs none.
    #[error(
        "token `{token}` holds an escape that is never written at byte {at}; write `=XX` with upper-case hex, and only where it is needed"
    )]
    Escape {
        /// The token.
        token: String,
        /// Offset of the `=`.
        at: usize,
    },
    /// The escaped bytes are no UTF-8.
    #[error("token `{token}` does not spell UTF-8; escape the bytes of the name's UTF-8 form")]
    NotUtf8 {
        /// The token.
        token: String,
    },
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// The token of a name. Never empty; [`unescape`] gives the name back.
pub fn escape(name: &str) -> String {
    let mut token = String::with_capacity(name.len().max(1));
    escape_into(name, &mut token);
    token
}

/// As [`escape`], appended to `out`.
pub(crate) fn escape_into(name: &str, out: &mut String) {
    if name.is_empty() {
        out.push('=');
    }
    for byte in name.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            hex::push_escaped(out, '=', byte);
        }
    }
}

/// The name of a token; refuses whatever [`escape`] never writes, so that one name has one token.
pub fn unescape(token: &str) -> Result<String, TokenError> {
    if token.is_empty() {
        return Err(TokenError::Empty);
    }
    if token == "=" {
        return Ok(String::new());
    }
    let mut name = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if is_plain(byte) {
            name.push(byte);
            rest = after;
        } else if byte == b'=' {
            let at = token.len() - rest.len();
            let escaped = after
                .split_first_chunk::<2>()
                .and_then(|(pair, after)| Some((upper(*pair)?, after)));
            match escaped {
                Some((value, after)) if !is_plain(value) => {
                    name.push(value);
                    rest = after;
                }
                _ => {
                    return Err(TokenError::Escape {
                        token: token.to_owned(),
                        at,
                    });
                }
            }
        } else {
            let at = token.len() - rest.len();
            let found = token
                .get(at..)
                .and_then(|tail| tail.chars().next())
                .unwrap_or(char::REPLACEMENT_CHARACTER);
            return Err(TokenError::Unescaped {
                token: token.to_owned(),
                found,
            });
        }
    }
    String::from_utf8(name).map_err(|_| TokenError::NotUtf8 {
        token: token.to_owned(),
    })
}

/// The byte of two digits, refusing lower case.
fn upper(pair: [u8; 2]) -> Option<u8> {
    hex::byte(pair).filter(|_| !pair.iter().any(u8::is_ascii_lowercase))
}
