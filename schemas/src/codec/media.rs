//! Media types: which mode, which data.

use super::error::DecodeError;

/// The part before any parameter, and the parameters.
fn split(content_type: &str) -> (&str, &str) {
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    (essence.trim(), parameters)
}

fn strip_prefix_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

/// Structured or batched mode, by its first characters in any case (NATS binding section 3).
pub(super) fn is_cloudevents(content_type: &str) -> bool {
    strip_prefix_any_case(content_type.trim_start(), "application/cloudevents").is_some()
}

/// Refuses a batch, and any structured format or charset but JSON in UTF-8.
pub(super) fn check_structured(content_type: &str) -> Result<(), DecodeError> {
    let (essence, parameters) = split(content_type);
    let format = strip_prefix_any_case(essence, "application/cloudevents").unwrap_or(essence);
    if strip_prefix_any_case(format, "-batch").is_some() {
        return Err(DecodeError::Batch {
            found: super::attribute::cut(content_type),
        });
    }
    let json = format.is_empty() || format.eq_ignore_ascii_case("+json");
    let mut charsets = parameters.split(';').filter_map(|parameter| {
        strip_prefix_any_case(parameter.trim(), "charset=").map(|value| value.trim_matches('"'))
    });
    let utf8 = charsets
        .all(|charset| charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii"));
    if json && utf8 {
        Ok(())
    } else {
        Err(DecodeError::Format {
            found: super::attribute::cut(content_type),
        })
    }
}

/// Whether data of this type is JSON: `*/json` or `*/*+json`, with any parameters.
pub(crate) fn is_json(content_type: &str) -> bool {
    let (essence, _) = split(content_type);
    essence.split_once('/').is_some_and(|(_, subtype)| {
        let suffix = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
        suffix.eq_ignore_ascii_case("json")
    })
}

/// Whether data of this type is protobuf, by any of the names in use.
pub(crate) fn is_protobuf(content_type: &str) -> bool {
    let (essence, _) = split(content_type);
    [
        "application/protobuf",
        "application/x-protobuf",
        "application/vnd.google.protobuf",
    ]
    .iter()
    .any(|known| essence.eq_ignore_ascii_case(known))
}

/// `type/subtype` of token characters (RFC 2045 section 5.1); parameters are not looked into.
pub(super) fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte))
    };
    let (essence, _) = split(text);
    essence
        .split_once('/')
        .is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}
