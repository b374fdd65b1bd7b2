//! Python programs of the testbed, each set in a virtual environment of its own.

use super::{cache, say, sources};
use crate::{Context, Error, Result};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Names a `moto_server` program to use; nothing is installed then.
pub const MOTO: &str = "HOLLOWTREES_TESTBED_MOTO";

const NO_PYTHON: &str = "Python 3 is not installed, and the simulated AWS (moto) needs it: install Python 3.11 or \
    newer with its venv module (your system's package: python3 and python3-venv) so that `python3` is on the PATH";

/// The `moto_server` program, installed from `tests/testbed/requirements.txt` first if need be; blocks meanwhile.
///
/// # Errors
/// If Python is missing or the installation fails.
pub fn moto_server() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os(MOTO).filter(|value| !value.is_empty()) {
        return Ok(program.into());
    }
    let requirements = sources().join("requirements.txt");
    let text = std::fs::read(&requirements).context(|| format!("cannot read {}", requirements.display()))?;
    let version = python(&["--version"])?;
    let hash = Sha256::new()
        .chain_update(&version)
        .chain_update(&text)
        .finalize();
    let key = hash.iter().take(8).fold("moto-".to_owned(), |mut key, byte| {
        write!(key, "{byte:02x}").ok();
        key
    });
    let marker = cache::entry(&key, "installed", |directory| install(&requirements, directory))?;
    // The environment does not survive a move, so what is moved into place is only a note of where it is.
    let place = std::fs::read_to_string(&marker).context(|| format!("cannot read {}", marker.display()))?;
    Ok(Path::new(&place).join("bin/moto_server"))
}

fn install(requirements: &Path, directory: &Path) -> Result<()> {
    let place = directory.with_extension("venv");
    say(
        "installing moto, the simulated AWS (first use; takes about a minute, is kept for the next time) ...",
    );
    let start = Instant::now();
    let text = place.display().to_string();
    python(&["-m", "venv", "--clear", &text])?;
    let pip = Command::new(place.join("bin/python"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "-r",
        ])
        .arg(requirements)
        .output()
        .context(|| "cannot run pip")?;
    if !pip.status.success() {
        let errors = String::from_utf8_lossy(&pip.stderr);
        return Err(Error::new(format!(
            "pip install -r {} failed:\n{errors}",
            requirements.display()
        )));
    }
    std::fs::write(directory.join("installed"), text).context(|| "cannot finish the installation of moto")?;
    say(&format!("moto is installed, in {} s.", start.elapsed().as_secs()));
    Ok(())
}

fn python(args: &[&str]) -> Result<Vec<u8>> {
    match Command::new("python3").args(args).output() {
        Ok(output) if output.status.success() => Ok(output.stdout),
        Ok(output) => Err(Error::new(format!(
            "`python3 {}` failed: {}{}",
            args.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::new(NO_PYTHON)),
        Err(error) => Err(Error::new(format!("cannot run python3: {error}"))),
    }
}
