//! What is wrong with a configuration, said so that a person can put it right.

use std::fmt;

use super::origin::Origin;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key with its sections, `nats.tls.ca`; empty where the whole document is meant.
    pub key: String,
    /// Where the value came from.
    pub origin: Option<Origin>,
    /// What is wrong, and what to do.
    pub what: String,
}

impl Problem {
    /// A problem with `key`, found by a [`super::Settings::validate`]; the loader adds where the value came from.
    pub fn new(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            origin: None,
            what: what.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        if let Some(origin) = &self.origin {
            write!(f, " ({})", origin.describe(&self.key))?;
        }
        Ok(())
    }
}

/// Why a configuration was refused: every problem found, not only the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub Vec<Problem>);

impl Refused {
    pub(crate) fn one(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is refused:")?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// The known name that `given` was most likely meant to be: at most two edits away, or a third of its length.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (given.len() / 3).max(2);
    known
        .map(|name| (edits(given, name), name))
        .filter(|(n, _)| *n <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for ((y, above_left), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(i);
            next.push((above_left + usize::from(x != *y)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn nearest_known_name() {
        let known = ["url", "user", "password", "credentials"];
        for (given, expected) in [
            ("urll", Some("url")),
            ("uri", Some("url")),
            ("pasword", Some("password")),
            ("credental", Some("credentials")),
            ("creds_file", None),
            ("cluster", None),
        ] {
            assert_eq!(nearest(given, known.into_iter()), expected, "{given}");
        }
    }
}
