//! The filter dialects of the CloudEvents Subscriptions API, version 1.0,
//! section 3.2.4: `exact`, `prefix`, `suffix`, `all`, `any`, `not`
//! (<https://github.com/cloudevents/spec/blob/main/subscriptions/spec.md>).
//! `sql` is not known. Beyond the specification, a name may be
//! `data.<field>`.

use super::path::{Candidate, Path};

/// How a value is compared. All are case-sensitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// The value is this text.
    Exact,
    /// The value begins with it.
    Prefix,
    /// The value ends with it.
    Suffix,
}

impl Test {
    /// Name of the dialect.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Prefix => "prefix",
            Self::Suffix => "suffix",
        }
    }

    pub(super) fn holds(self, value: &str, text: &str) -> bool {
        match self {
            Self::Exact => value == text,
            Self::Prefix => value.starts_with(text),
            Self::Suffix => value.ends_with(text),
        }
    }
}

/// A condition on a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Every named value is there and passes.
    Compare(Test, Vec<(Path, String)>),
    /// Every inner one holds; true of none.
    All(Vec<Filter>),
    /// At least one inner one holds.
    Any(Vec<Filter>),
    /// The inner one does not hold.
    Not(Box<Filter>),
}

impl Filter {
    /// Whether it holds. A value that is not there passes no comparison.
    #[must_use]
    pub fn matches(&self, candidate: &Candidate<'_>) -> bool {
        match self {
            Self::Compare(test, entries) => entries.iter().all(|(path, text)| {
                path.value(candidate)
                    .is_some_and(|value| test.holds(&value, text))
            }),
            Self::All(filters) => filters.iter().all(|filter| filter.matches(candidate)),
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(candidate)),
            Self::Not(filter) => !filter.matches(candidate),
        }
    }
}

/// Like `all(exact(data.kind="preempted"), not(prefix(source="/test")))`.
impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |f: &mut std::fmt::Formatter<'_>, name: &str, filters: &[Self]| {
            write!(f, "{name}(")?;
            for (at, filter) in filters.iter().enumerate() {
                write!(f, "{}{filter}", if at > 0 { ", " } else { "" })?;
            }
            f.write_str(")")
        };
        match self {
            Self::Compare(test, entries) => {
                write!(f, "{}(", test.as_str())?;
                for (at, (path, text)) in entries.iter().enumerate() {
                    write!(f, "{}{}={text:?}", if at > 0 { ", " } else { "" }, path.as_str())?;
                }
                f.write_str(")")
            }
            Self::All(filters) => list(f, "all", filters),
            Self::Any(filters) => list(f, "any", filters),
            Self::Not(filter) => list(f, "not", std::slice::from_ref(filter)),
        }
    }
}
