//! Label values from outside, bounded in number.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// What stands for every value beyond the bound.
pub const OTHER: &str = "other";

/// `value` if it is one of `known`, else [`OTHER`].
pub fn among(known: &[&'static str], value: &str) -> &'static str {
    known
        .iter()
        .find(|name| **name == value)
        .copied()
        .unwrap_or(OTHER)
}

/// The first so many different values as they are, every later one as [`OTHER`]: for kinds and names that users may
/// add to.
#[derive(Debug)]
pub struct FirstSeen {
    most: usize,
    seen: Mutex<HashSet<Box<str>>>,
}

impl FirstSeen {
    /// At most `most` different values. Values longer than 64 bytes are [`OTHER`] always.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            seen: Mutex::default(),
        }
    }

    /// The label value for `value`.
    pub fn label<'v>(&self, value: &'v str) -> &'v str {
        if value.len() > 64 {
            return OTHER;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(value) {
            return value;
        }
        if seen.len() >= self.most {
            return OTHER;
        }
        seen.insert(value.into());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_the_bound_are_other() {
        assert_eq!(among(&["aws", "gcp"], "gcp"), "gcp");
        assert_eq!(among(&["aws", "gcp"], "x"), OTHER);
        let kinds = FirstSeen::new(2);
        let long = "x".repeat(65);
        let labels: Vec<_> = ["a", "b", "c", "a", &long]
            .into_iter()
            .map(|kind| kinds.label(kind))
            .collect();
        assert_eq!(labels, ["a", "b", OTHER, "a", OTHER]);
    }
}
