//! Durations as people write them in rules: `500ms`, `30s`, `2m`, `1h30m`, `2d`.

use jiff::SignedDuration;

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration like `30s`, `2m` or `1h30m` (units ms, s, m, h, d), found `{0}`")]
pub struct BadDuration(pub String);

const UNITS: [(&str, i64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Reads a duration of one or more whole numbers, each with its unit. Never
/// negative; at most ten years, so that adding it to a time cannot overflow.
pub fn parse(text: &str) -> Result<SignedDuration, BadDuration> {
    let bad = || BadDuration(text.to_owned());
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad());
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(letters);
        let number: i64 = number.parse().map_err(|_| bad())?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        total = number
            .checked_mul(*millis)
            .and_then(|n| total.checked_add(n))
            .ok_or_else(bad)?;
        rest = next;
    }
    const TEN_YEARS: i64 = 10 * 366 * 86_400_000;
    if total > TEN_YEARS {
        Err(bad())
    } else {
        Ok(SignedDuration::from_millis(total))
    }
}

/// Writes a duration so that [`parse`] reads it back, in the largest units;
/// parts below a millisecond are left out.
#[must_use]
pub fn format(duration: SignedDuration) -> String {
    let mut left = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).max(0);
    let mut text = String::new();
    for (unit, millis) in UNITS.iter().rev() {
        let count = left / millis;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
            left %= millis;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, millis: Option<i64>) {
        assert_eq!(
            parse(text).ok().map(|d| d.as_millis()),
            millis.map(i128::from),
            "{text}"
        );
    }

    #[test]
    fn texts() {
        check("30s", Some(30_000));
        check("1h30m", Some(5_400_000));
        check("500ms", Some(500));
        check("2d", Some(172_800_000));
        check("0s", Some(0));
        check(" 2m ", Some(120_000));
        check("", None);
        check("30", None);
        check("s", None);
        check("-1s", None);
        check("1.5h", None);
        check("1 h", None);
        check("1w", None);
        check("99999999999999999999s", None);
        check("9999999999d", None);
        check("5000d", None);
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(millis in 0i64..10_000_000_000) {
            let duration = SignedDuration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn never_panics(text in ".*") {
            let _unused = parse(&text);
        }
    }
}
