//! Prometheus' own checker, where the machine has it: it is too large to build for a check, and every distribution has
//! it (Debian and Ubuntu: the package `prometheus`).

use crate::{Context, Missing, Result};
use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Names the program where it is not in `PATH`.
pub const VARIABLE: &str = "HOLLOWTREES_PROMTOOL";
const MISSING: &str =
    "promtool is missing; install the package `prometheus`, or name it in HOLLOWTREES_PROMTOOL";

/// `promtool`.
#[derive(Clone, Debug)]
pub struct Promtool {
    program: PathBuf,
}

impl Promtool {
    /// The one named by the environment, or the one in `PATH`; else says that a test does without.
    ///
    /// # Panics
    /// If there is none, and has to be: see [`Missing`].
    #[track_caller]
    pub fn find() -> Option<Self> {
        let named = std::env::var_os(VARIABLE).map(PathBuf::from);
        let found = named.or_else(|| {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path)
                .map(|directory| directory.join("promtool"))
                .find(|program| program.is_file())
        });
        if found.is_none() {
            Missing::Prometheus.skip(MISSING);
        }
        found.map(|program| Self { program })
    }

    /// Runs it with this on its input: whether it was content, and all it said.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn run(
        &self,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
        input: &str,
    ) -> Result<(bool, String)> {
        let name = self.program.display();
        let mut child = Command::new(&self.program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context(|| format!("cannot run {name}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that reads nothing may have closed it.
            stdin.write_all(input.as_bytes()).unwrap_or_default();
        }
        let output = child
            .wait_with_output()
            .context(|| format!("no answer from {name}"))?;
        let said = [output.stdout, output.stderr].concat();
        Ok((
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        ))
    }
}
