//! `ce-source` values.

use crate::hex;

/// A `ce-source` of path segments, e.g. `["aws", account, region, "imds"]` as `/aws/<account>/<region>/imds`.
///
/// Bytes outside `[A-Za-z0-9._~-]` are percent-encoded (RFC 3986 section 2.3), so that any name is a segment.
pub fn source(segments: &[&str]) -> String {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        for byte in segment.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                hex::push_escaped(&mut path, '%', byte);
            }
        }
    }
    path
}
