//! Hex digits of bytes, for escapes and hashes.

/// Appends `prefix` and two upper-case digits.
pub(crate) fn push_escaped(text: &mut String, prefix: char, byte: u8) {
    text.push(prefix);
    text.extend(digits(byte).map(|digit| digit.to_ascii_uppercase()));
}

/// Two lower-case digits.
pub(crate) fn digits(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 0xf].map(|nibble| {
        char::from(if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' + nibble - 10
        })
    })
}

/// The byte of two digits, in either case.
pub(crate) fn byte([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}
