//! Durations as people write them: `500ms`, `30s`, `2m`, `1h 30m`.
//!
//! For a field of type [`Duration`]: `#[serde(with = "hollowtrees_runtime::config::duration")]`.

use std::time::Duration;

use jiff::fmt::friendly::{SpanParser, SpanPrinter};
use serde::{Deserialize, Deserializer, Serializer, de::Error};

static PARSER: SpanParser = SpanParser::new();
static PRINTER: SpanPrinter = SpanPrinter::new();

/// Reads a duration. A bare number is refused: it does not say its unit.
///
/// # Errors
/// Says what was given and how a duration is written.
pub fn parse(text: &str) -> Result<Duration, String> {
    PARSER.parse_unsigned_duration(text).map_err(|_| {
        format!(
            "`{text}` is not a duration; write a number and a unit, such as `500ms`, `30s`, `2m` or `1h 30m`"
        )
    })
}

/// Writes a duration as [`parse`] reads it.
pub fn format(duration: &Duration) -> String {
    PRINTER.unsigned_duration_to_string(duration)
}

/// For serde.
///
/// # Errors
/// As [`parse`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// For serde.
///
/// # Errors
/// Whatever the serializer says.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(duration))
}
