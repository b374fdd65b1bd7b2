//! The rules in force: read at the start, read again when their file changes, and kept where the new ones
//! are bad.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use hollowtrees_domain::rule::{RuleErrors, Rules};

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadRules {
    /// The file cannot be read.
    #[error("cannot read the rules in {file} ({cause}); check rules.file (HT_RULES__FILE)")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        cause: std::io::Error,
    },
    /// Some of them are wrong.
    #[error("{0}")]
    Wrong(#[from] RuleErrors),
}

/// What reading the file again came to.
#[derive(Debug)]
pub enum Reloaded {
    /// It has not changed since it was last read.
    Same,
    /// Its rules are in force now; how many.
    New(usize),
    /// They are not; the ones before stay in force.
    Bad(BadRules),
}

/// The rules in force. Shared by all parts of the router.
#[derive(Debug)]
pub struct Rulebook {
    /// Empty for the default rules.
    file: PathBuf,
    held: RwLock<Held>,
}

#[derive(Debug)]
struct Held {
    rules: Arc<Rules>,
    /// What was last read, good or bad: told once.
    text: String,
}

impl Rulebook {
    /// Reads the rules for the first time.
    ///
    /// # Errors
    /// The file cannot be read, or any of its rules is wrong: there are none to fall back to.
    pub async fn open(file: PathBuf) -> Result<Self, BadRules> {
        let (rules, text) = if file.as_os_str().is_empty() {
            (Rules::default_rules(), String::new())
        } else {
            let text = read(&file).await?;
            (Rules::parse(&text, &file.display().to_string())?, text)
        };
        let held = RwLock::new(Held {
            rules: Arc::new(rules),
            text,
        });
        Ok(Self { file, held })
    }

    /// The rules in force now.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).rules)
    }

    /// Reads the file again.
    pub async fn reload(&self) -> Reloaded {
        if self.file.as_os_str().is_empty() {
            return Reloaded::Same;
        }
        let text = match read(&self.file).await {
            Ok(text) => text,
            Err(bad) => return self.unreadable(bad),
        };
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.text == text {
            return Reloaded::Same;
        }
        let rules = Rules::parse(&text, &self.file.display().to_string());
        held.text = text;
        match rules {
            Ok(rules) => {
                let count = rules.as_slice().len();
                held.rules = Arc::new(rules);
                Reloaded::New(count)
            }
            Err(errors) => Reloaded::Bad(errors.into()),
        }
    }

    /// Told once, like bad rules: until the file can be read its text is the error.
    fn unreadable(&self, bad: BadRules) -> Reloaded {
        let text = format!("\0{bad}");
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.text == text {
            return Reloaded::Same;
        }
        held.text = text;
        Reloaded::Bad(bad)
    }
}

async fn read(file: &PathBuf) -> Result<String, BadRules> {
    tokio::fs::read_to_string(file)
        .await
        .map_err(|cause| BadRules::Unreadable {
            file: file.display().to_string(),
            cause,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &str = "version: 1\nrules: []\n";

    #[tokio::test]
    async fn bad_rules_leave_the_last_good_ones_in_force() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("rules.yaml");
        std::fs::write(&file, Rules::default_text()).unwrap();
        let book = Rulebook::open(file.clone()).await.unwrap();
        assert!(matches!(book.reload().await, Reloaded::Same));
        std::fs::write(&file, "version: 1\nrules: 7\n").unwrap();
        let Reloaded::Bad(bad) = book.reload().await else {
            panic!("they are bad")
        };
        assert!(
            bad.to_string()
                .ends_with("rules.yaml:2: rules: expected a list of rules, found `7`"),
            "{bad}"
        );
        assert_eq!(book.rules().as_slice().len(), 1);
        assert!(matches!(book.reload().await, Reloaded::Same), "told once");
        std::fs::write(&file, NONE).unwrap();
        assert!(matches!(book.reload().await, Reloaded::New(0)));
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(
            book.reload().await,
            Reloaded::Bad(BadRules::Unreadable { .. })
        ));
        assert!(Rulebook::open(file).await.is_err());
    }
}
