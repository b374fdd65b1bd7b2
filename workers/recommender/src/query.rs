//! The parameters of an address, each read once by its name.

use std::{collections::BTreeMap, str::FromStr};

use crate::problem::Problem;

/// Parameters of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    values: BTreeMap<String, String>,
}

impl Query {
    /// Of the part of an address behind `?`; only these names are known.
    ///
    /// # Errors
    /// A parameter that is not known, or is there twice.
    pub fn of(text: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut values = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            let name: String = name.chars().take(64).collect();
            if !known.contains(&name.as_str()) {
                let detail = format!("`{name}` is no parameter here; use {}", known.join(", "));
                return Err(Problem::field(name, detail));
            }
            if values.insert(name.clone(), value.into_owned()).is_some() {
                let detail = format!("`{name}` is given twice; give it once, lists with commas");
                return Err(Problem::field(name, detail));
            }
        }
        Ok(Self { values })
    }

    /// A text; none if it is not there or empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let value = self.values.get(name).map(|value| value.trim());
        value.filter(|value| !value.is_empty())
    }

    /// A comma-separated list.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let parts = self.text(name).unwrap_or_default().split(',').map(str::trim);
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// A whole number.
    ///
    /// # Errors
    /// It is none, or too large.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let bad = || {
            let shown: String = text.chars().take(32).collect();
            Problem::field(
                name,
                format!("`{name}` is `{shown}`, expected a whole number such as 4"),
            )
        };
        text.parse().map(Some).map_err(|_| bad())
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// It is neither.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.text(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Problem::field(
                name,
                format!("`{name}` is neither true nor false"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["like", "vcpus", "zones", "burstable"];

    #[test]
    fn parameters() {
        let query = Query::of(
            Some("like=m5.large&vcpus=4&zones=a,%20b,,&burstable=true"),
            &KNOWN,
        )
        .unwrap();
        assert_eq!(query.text("like"), Some("m5.large"));
        assert_eq!(query.number::<u32>("vcpus"), Ok(Some(4)));
        assert_eq!(query.list("zones"), ["a", "b"]);
        assert_eq!(query.flag("burstable"), Ok(Some(true)));
        let query = Query::of(Some("like=&vcpus=-1&burstable=yes"), &KNOWN).unwrap();
        assert_eq!(query.text("like"), None);
        let told = query.number::<u32>("vcpus").unwrap_err();
        assert_eq!(
            (told.field.as_str(), told.to_string().as_str()),
            ("vcpus", "`vcpus` is `-1`, expected a whole number such as 4")
        );
        query.flag("burstable").unwrap_err();
        assert_eq!(Query::of(None, &KNOWN), Ok(Query::default()));
    }

    #[test]
    fn what_is_not_known_or_twice_is_said() {
        let told = Query::of(Some("vcpu=4"), &KNOWN).unwrap_err().to_string();
        assert_eq!(
            told,
            "`vcpu` is no parameter here; use like, vcpus, zones, burstable"
        );
        let told = Query::of(Some("vcpus=4&vcpus=5"), &KNOWN)
            .unwrap_err()
            .to_string();
        assert_eq!(told, "`vcpus` is given twice; give it once, lists with commas");
    }
}
