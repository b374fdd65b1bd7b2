//! Instance types by name, with `*` for any part: `m5.large`, `c5*.*`, `*.metal` (as EC2's `AllowedInstanceTypes`).

use std::str::FromStr;

/// Characters a pattern may have (EC2 API reference, `InstanceRequirements`).
const LONGEST: usize = 30;

/// A pattern for names of instance types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an instance type like `m5.large` or `c5*.*`, at most 30 of a-z, 0-9, `.`, `-` and `*`, found `{0}`"
)]
pub struct BadPattern(pub String);

impl FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-*".contains(c);
        if text.is_empty() || text.len() > LONGEST || !text.chars().all(known) {
            return Err(BadPattern(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Pattern {
    /// Whether it is this type's.
    #[must_use]
    pub fn matches(&self, instance_type: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else {
            return self.0 == instance_type;
        };
        let Some(mut left) = instance_type.strip_prefix(head) else {
            return false;
        };
        let mut parts: Vec<&str> = rest.split('*').collect();
        let tail = parts.pop().unwrap_or_default();
        // The earliest place of each part between two stars leaves the most for those after it.
        for part in parts {
            let Some((_, after)) = left.split_once(part) else {
                return false;
            };
            left = after;
        }
        left.ends_with(tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, instance_type: &str, expected: bool) {
        assert_eq!(
            pattern.parse::<Pattern>().unwrap().matches(instance_type),
            expected,
            "{pattern} on {instance_type}"
        );
    }

    #[test]
    fn stars_stand_for_any_part() {
        check("m5.large", "m5.large", true);
        check("m5.large", "m5.larger", false);
        check("m5.*", "m5.large", true);
        check("m5.*", "m5a.large", false);
        check("m5*.*", "m5a.large", true);
        check("*.metal", "c5.metal", true);
        check("*.metal", "c5.metal-24xl", false);
        check("*", "c5.large", true);
        check("*5*large", "m5.xlarge", true);
        check("*5*large", "m6.xlarge", false);
        check("m*m", "m", false);
        check("**", "t3.nano", true);
    }

    #[test]
    fn what_is_no_pattern_is_said() {
        for text in ["", "M5.large", "m5 large", "m5.large,c5.large", &"m".repeat(31)] {
            let told = text.parse::<Pattern>().unwrap_err().to_string();
            assert!(
                told.contains("m5.large") && told.ends_with(&format!("`{text}`")),
                "{told}"
            );
        }
    }
}
