//! A process whose machine's clock is off.
//!
//! A small library in C stands before the system's `clock_gettime` (`LD_PRELOAD`), so that a real process, unchanged, has
//! another time than all others. It holds for programs that ask the C library, as Rust's do and Go's do not.

use crate::{Context, Error, Result, process, scratch};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

const SOURCE: &str = include_str!("ahead.c");

/// Sets the clock of a process this many seconds ahead of the machine's, or behind it where that is negative.
///
/// # Errors
/// If there is no C compiler, `cc`.
pub fn ahead(process: process::Builder, seconds: i64) -> Result<process::Builder> {
    Ok(process
        .env("LD_PRELOAD", library()?)
        .env("TESTBED_CLOCK_AHEAD_SECONDS", seconds.to_string()))
}

/// Built once a process.
fn library() -> Result<PathBuf> {
    static LIBRARY: OnceLock<Result<PathBuf>> = OnceLock::new();
    LIBRARY.get_or_init(build).clone()
}

fn build() -> Result<PathBuf> {
    // It goes with the scratch root.
    let directory = scratch::directory("clock")?.keep();
    let (source, library) = (directory.join("ahead.c"), directory.join("ahead.so"));
    std::fs::write(&source, SOURCE).context(|| format!("cannot write {}", source.display()))?;
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .output()
        .context(|| "cannot start cc, the C compiler that Rust links with; is it installed?")?;
    if built.status.success() {
        Ok(library)
    } else {
        Err(Error::new(String::from_utf8_lossy(&built.stderr).into_owned()))
    }
}
