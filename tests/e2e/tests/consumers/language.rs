//! The examples as programs.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use hollowtrees_harness::{Missing, Result, language};

/// A language the examples are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Go,
    Node,
    /// On the project's own crates: it keeps the ledger.
    Rust,
}

/// The two programs of each language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Example {
    Serve,
    Watch,
}

impl Example {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Watch => "watch",
        }
    }
}

impl Language {
    /// All that can run here: the servers need Rust, Go and Python anyway, and only one example needs Node.js.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Python, Self::Go, Self::Rust];
        let missing = ["node", "npm"].into_iter().find(|program| {
            let asked = Command::new(program).arg("--version").output();
            !asked.is_ok_and(|answer| answer.status.success())
        });
        match missing {
            None => all.push(Self::Node),
            Some(program) => {
                Missing::Node.skip(format!(
                    "there is no `{program}` on the PATH for the examples in Node.js"
                ));
            }
        }
        all
    }

    /// What to start, with its arguments; `scratch` is a directory of the test's own. Installs or builds it at the first
    /// use, so it blocks.
    pub(crate) fn command(self, example: Example, scratch: &Path) -> Result<(PathBuf, Vec<PathBuf>)> {
        let sources = examples().join(self.directory());
        match self {
            Self::Python => {
                let python = language::python(&sources.join("requirements.txt"))?;
                // No compiled copies beside the sources.
                let script = sources.join(format!("{}.py", example.name()));
                Ok((python, vec!["-B".into(), "-u".into(), script]))
            }
            Self::Go => Ok((language::go_program(&sources, example.name())?, Vec::new())),
            Self::Node => {
                // Modules are found beside the program, and nothing is put into the checkout.
                let modules = language::node_modules(&sources)?;
                let link = scratch.join("node_modules");
                if !link.exists() {
                    std::os::unix::fs::symlink(modules, &link).unwrap();
                }
                for file in ["package.json", "bus.js", "wire.js", "serve.js", "watch.js"] {
                    std::fs::copy(sources.join(file), scratch.join(file)).unwrap();
                }
                let script = scratch.join(format!("{}.js", example.name()));
                Ok(("/usr/bin/env".into(), vec!["node".into(), script]))
            }
            Self::Rust => {
                let program = match example {
                    Example::Serve => env!("CARGO_BIN_EXE_example-serve"),
                    Example::Watch => env!("CARGO_BIN_EXE_example-watch"),
                };
                Ok((program.into(), Vec::new()))
            }
        }
    }

    fn directory(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Go => "go",
            Self::Node => "node",
            Self::Rust => "rust",
        }
    }
}

/// Where the page and its examples are.
pub(crate) fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn examples() -> PathBuf {
    docs().join("examples/custom-consumers")
}
