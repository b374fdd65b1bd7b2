//! Times between messages and [`jiff`], and RFC 3339 text.

use jiff::fmt::temporal::{DateTimeParser, DateTimePrinter};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

const NANOS: i128 = 1_000_000_000;
/// 0001-01-01T00:00:00Z, the least time protobuf and RFC 3339 know.
const MIN_SECOND: i64 = -62_135_596_800;
/// 10,000 years, the longest duration protobuf knows.
const MAX_DURATION_SECONDS: i64 = 315_576_000_000;

/// A time that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TimeError {
    /// Outside the years 1 to 9999, or nanoseconds outside 0 to 999,999,999.
    #[error(
        "timestamp of {seconds} s and {nanos} ns is out of range; it must lie in the years 1 to 9999 with 0 to 999999999 ns"
    )]
    Timestamp {
        /// Seconds since 1970.
        seconds: i64,
        /// Nanoseconds on top.
        nanos: i32,
    },
    /// Longer than 10,000 years, or seconds and nanoseconds of different signs.
    #[error(
        "duration of {seconds} s and {nanos} ns is out of range; both need one sign, at most 10,000 years and 999999999 ns"
    )]
    Duration {
        /// Whole seconds.
        seconds: i64,
        /// Nanoseconds on top, of the same sign.
        nanos: i32,
    },
    /// Text that is no RFC 3339 time.
    #[error("`{text}` is no RFC 3339 time; write e.g. 2026-01-31T12:00:00Z")]
    Text {
        /// The text, cut to 64 characters.
        text: String,
    },
    /// Text that is no proto3-JSON duration.
    #[error("`{text}` is no duration; write seconds and an s, e.g. 1.5s")]
    DurationText {
        /// The text, cut to 64 characters.
        text: String,
    },
}

/// A time for a message. Times before the year 1, which no message can hold, become its first moment.
pub fn to_proto(time: Timestamp) -> pbjson_types::Timestamp {
    let nanos = time.as_nanosecond();
    // Within range: jiff's times end with the year 9999.
    let seconds = i64::try_from(nanos.div_euclid(NANOS)).unwrap_or(MIN_SECOND);
    if seconds < MIN_SECOND {
        return pbjson_types::Timestamp {
            seconds: MIN_SECOND,
            nanos: 0,
        };
    }
    pbjson_types::Timestamp {
        seconds,
        nanos: i32::try_from(nanos.rem_euclid(NANOS)).unwrap_or(0),
    }
}

/// The time of a message.
pub fn from_proto(time: &pbjson_types::Timestamp) -> Result<Timestamp, TimeError> {
    let pbjson_types::Timestamp { seconds, nanos } = *time;
    let refused = || TimeError::Timestamp { seconds, nanos };
    if seconds < MIN_SECOND || !(0..=999_999_999).contains(&nanos) {
        return Err(refused());
    }
    Timestamp::from_nanosecond(i128::from(seconds) * NANOS + i128::from(nanos)).map_err(|_| refused())
}

/// A duration for a message; one beyond 10,000 years becomes 10,000 years.
pub fn duration_to_proto(duration: SignedDuration) -> pbjson_types::Duration {
    let seconds = duration.as_secs();
    if seconds.unsigned_abs() >= MAX_DURATION_SECONDS.unsigned_abs() {
        return pbjson_types::Duration {
            seconds: MAX_DURATION_SECONDS * seconds.signum(),
            nanos: 0,
        };
    }
    pbjson_types::Duration {
        seconds,
        nanos: duration.subsec_nanos(),
    }
}

/// The duration of a message.
pub fn duration_from_proto(duration: &pbjson_types::Duration) -> Result<SignedDuration, TimeError> {
    let pbjson_types::Duration { seconds, nanos } = *duration;
    let one_sign = (seconds <= 0 || nanos >= 0) && (seconds >= 0 || nanos <= 0);
    if !one_sign
        || nanos.unsigned_abs() > 999_999_999
        || seconds.unsigned_abs() > MAX_DURATION_SECONDS.unsigned_abs()
    {
        return Err(TimeError::Duration { seconds, nanos });
    }
    Ok(SignedDuration::new(seconds, nanos))
}

/// A time as text: RFC 3339 in UTC with `Z` and 0, 3, 6 or 9 digits of a second, the form proto3 JSON and
/// CloudEvents call canonical.
pub fn text(time: Timestamp) -> String {
    let digits = match time.subsec_nanosecond() {
        0 => 0,
        nanos if nanos % 1_000_000 == 0 => 3,
        nanos if nanos % 1_000 == 0 => 6,
        _ => 9,
    };
    DateTimePrinter::new()
        .precision(Some(digits))
        .timestamp_to_string(&time)
}

/// The time of an RFC 3339 text, strictly by its grammar (section 5.6): `T` and `Z` in either case, any
/// number of digits of a second (cut to nine), an offset with hours and minutes. A leap second reads as the
/// second before it.
pub fn parse(text: &str) -> Result<Timestamp, TimeError> {
    parse_rfc3339(text).ok_or_else(|| TimeError::Text { text: cut(text) })
}

fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    if !text.is_ascii() {
        return None;
    }
    let (date_time, rest) = text.split_at_checked(19)?;
    if !matches_shape(date_time, b"0000-00-00T00:00:00") {
        return None;
    }
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, offset) = rest.split_at_checked(digits)?;
            if fraction.is_empty() {
                return None;
            }
            (fraction.get(..9).unwrap_or(fraction), offset)
        }
        None => ("0", rest),
    };
    let zulu = offset.eq_ignore_ascii_case("z");
    let in_range = |range: std::ops::Range<usize>, limit: u8| {
        offset
            .get(range)
            .and_then(|part| part.parse::<u8>().ok())
            .is_some_and(|part| part < limit)
    };
    let numeric = (matches_shape(offset, b"+00:00") || matches_shape(offset, b"-00:00"))
        && in_range(1..3, 24)
        && in_range(4..6, 60);
    if !zulu && !numeric {
        return None;
    }
    let offset = if zulu { "Z" } else { offset };
    static PARSER: DateTimeParser = DateTimeParser::new();
    PARSER
        .parse_timestamp(format!("{date_time}.{fraction}{offset}"))
        .ok()
}

/// Whether `text` has digits where the shape has `0`, and the shape's other characters in either case.
fn matches_shape(text: &str, shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape).all(|(byte, &form)| match form {
            b'0' => byte.is_ascii_digit(),
            other => byte.eq_ignore_ascii_case(&other),
        })
}

/// The duration of a proto3-JSON text such as `1.5s`.
pub(crate) fn parse_duration(text: &str) -> Result<pbjson_types::Duration, TimeError> {
    let refused = || TimeError::DurationText { text: cut(text) };
    let number = text.strip_suffix('s').ok_or_else(refused)?;
    let (sign, number) = number
        .strip_prefix('-')
        .map_or((1, number), |number| (-1, number));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(whole, 12) || !digits(fraction, 9) {
        return Err(refused());
    }
    let seconds: i64 = whole.parse().map_err(|_| refused())?;
    let nanos: i32 = format!("{fraction:0<9}").parse().map_err(|_| refused())?;
    let duration = pbjson_types::Duration {
        seconds: sign * seconds,
        nanos: if sign < 0 { -nanos } else { nanos },
    };
    duration_from_proto(&duration).map(|_| duration)
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}
