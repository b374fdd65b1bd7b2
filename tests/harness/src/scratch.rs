//! Where servers of this process keep their data and logs.
//!
//! One root directory a process, removed by the [guard](crate::supervise) when the process is gone, however it went.
//! Set `HOLLOWTREES_KEEP=1` to keep it, and the directories in it, for a look afterwards.

use crate::{Context, Error, Result};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Keeps what servers wrote when set to anything but `0`.
pub const KEEP: &str = "HOLLOWTREES_KEEP";

/// Whether scratch directories are kept.
pub fn keep() -> bool {
    std::env::var_os(KEEP).is_some_and(|value| !value.is_empty() && value != "0")
}

/// The root directory of this process.
///
/// # Errors
/// If it cannot be made.
pub fn root() -> Result<&'static Path> {
    static ROOT: OnceLock<Result<PathBuf>> = OnceLock::new();
    let made = ROOT.get_or_init(|| {
        tempfile::Builder::new()
            .prefix("hollowtrees-")
            .tempdir()
            .map(tempfile::TempDir::keep)
            .map_err(|error| {
                Error::new(format!(
                    "cannot make a directory in {}: {error}",
                    std::env::temp_dir().display()
                ))
            })
    });
    match made {
        Ok(path) => Ok(path),
        Err(error) => Err(error.clone()),
    }
}

/// A new directory in the root, removed on drop unless it is to be [kept](keep).
///
/// # Errors
/// If it cannot be made.
pub fn directory(name: &str) -> Result<tempfile::TempDir> {
    let root = root()?;
    // So that it is removed even if no child ever starts.
    crate::supervise::start_guard()?;
    tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .disable_cleanup(keep())
        .tempdir_in(root)
        .context(|| format!("cannot make a directory in {}", root.display()))
}
