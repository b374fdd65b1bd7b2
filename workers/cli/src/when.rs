//! Times as people read and write them.

use hollowtrees_domain::duration;
use hollowtrees_schemas::proto::time;
use jiff::{SignedDuration, Timestamp, fmt::temporal::DateTimePrinter};

/// Beyond this a span is written in hours and minutes, not in seconds.
const LONG: SignedDuration = SignedDuration::from_mins(10);

/// RFC 3339 in UTC with milliseconds: always as wide.
pub fn text(at: Timestamp) -> String {
    DateTimePrinter::new().precision(Some(3)).timestamp_to_string(&at)
}

/// A time of a message; none where it is unset or cannot be.
pub fn of(field: Option<&pbjson_types::Timestamp>) -> Option<Timestamp> {
    field.and_then(|at| time::from_proto(at).ok())
}

/// How far `at` lies behind `zero`: `+1.204s`, `-0.010s`.
pub fn after(at: Timestamp, zero: Timestamp) -> String {
    let millis = at.duration_since(zero).as_millis();
    let sign = if millis < 0 { '-' } else { '+' };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}s", millis / 1_000, millis % 1_000)
}

/// A length of time, whatever its sign: `85.8s`, `1h2m5s`.
pub fn span(length: SignedDuration) -> String {
    let length = length.abs();
    if length < LONG {
        let tenths = length.as_millis() / 100;
        format!("{}.{}s", tenths / 10, tenths % 10)
    } else {
        duration::format(SignedDuration::from_secs(length.as_secs()))
    }
}

/// Where `at` lies seen from now: `in 85.8s`, `85.8s ago`.
pub fn from_now(at: Timestamp, now: Timestamp) -> String {
    let left = at.duration_since(now);
    if left.is_negative() {
        format!("{} ago", span(left))
    } else {
        format!("in {}", span(left))
    }
}

/// A moment as it is given: a length of time before now (`1h`), or a time (RFC 3339).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(SignedDuration),
    /// Then.
    At(Timestamp),
}

impl Since {
    /// The moment, seen from `now`.
    pub fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(length) => now.checked_sub(length).unwrap_or(Timestamp::UNIX_EPOCH),
            Self::At(at) => at,
        }
    }
}

/// Reads a [`Since`].
///
/// # Errors
/// Says how it is written.
pub fn parse_since(text: &str) -> Result<Since, String> {
    if let Ok(length) = duration::parse(text) {
        return Ok(Since::Ago(length));
    }
    time::parse(text)
        .map(Since::At)
        .map_err(|_| "write how long ago, like 30m, 1h or 2d, or a time like 2026-01-31T12:00:00Z".to_owned())
}

/// Reads a length of time.
///
/// # Errors
/// Says how it is written.
pub fn parse_span(text: &str) -> Result<SignedDuration, String> {
    duration::parse(text).map_err(|error| error.to_string())
}

/// Reads a time.
///
/// # Errors
/// Says how it is written.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    time::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    #[test]
    fn times() {
        assert_eq!(text(at(7)), "2027-01-15T08:00:00.007Z");
        assert_eq!(after(at(1_204), at(0)), "+1.204s");
        assert_eq!(after(at(0), at(10)), "-0.010s");
        assert_eq!(after(at(0), at(0)), "+0.000s");
        assert_eq!(span(SignedDuration::from_millis(85_849)), "85.8s");
        assert_eq!(span(SignedDuration::from_millis(-3_725_900)), "1h2m5s");
        assert_eq!(from_now(at(0), at(1_500)), "1.5s ago");
        assert_eq!(from_now(at(2_000), at(500)), "in 1.5s");
    }

    #[test]
    fn moments() {
        assert_eq!(
            parse_since("1h").unwrap().moment(at(0)),
            at(-3_600_000),
            "a length of time"
        );
        assert_eq!(
            parse_since("2027-01-15T08:00:00Z").unwrap().moment(at(99)),
            at(0),
            "a time"
        );
        assert!(parse_since("yesterday").unwrap_err().contains("how long ago"));
    }
}
