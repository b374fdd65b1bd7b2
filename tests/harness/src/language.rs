//! Programs in other languages, with what they depend on: installed or built on first use, at the versions their own
//! lock files pin, and kept outside the checkout beside the test servers (see [`crate::testbed`]).

use crate::testbed::{cache, say};
use crate::{Context, Error, Result};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const NO_PYTHON: &str = "Python 3 is not installed: install Python 3.11 or newer with its venv module (your system's \
    packages: python3 and python3-venv) so that `python3` is on the PATH";
const NO_NODE: &str = "Node.js is not installed: install Node.js 20 or newer with npm (your system's packages: nodejs \
    and npm, or the download page of nodejs.org) so that `node` and `npm` are on the PATH";
const NO_GO: &str = "Go is not installed: install Go 1.26 or newer (your system's package, or the download page of \
    go.dev) so that `go` is on the PATH";

/// The interpreter of a virtual environment with what this `requirements.txt` pins, made first if need be.
///
/// # Errors
/// If Python is missing, or the installation fails: hashes in the file are required and checked.
pub fn python(requirements: &Path) -> Result<PathBuf> {
    let version = run(Command::new("python3").arg("--version"), NO_PYTHON)?;
    let key = key("python", &version, &[requirements.to_owned()])?;
    let interpreter = Path::new("bin/python");
    // The interpreter finds its environment by where it is, so it may be moved into place; its scripts may not.
    made(&key, interpreter, |directory| {
        run(
            Command::new("python3").args(["-m", "venv"]).arg(directory),
            NO_PYTHON,
        )?;
        let pip = directory.join(interpreter);
        let flags = [
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--require-hashes",
        ];
        let mut install = Command::new(pip);
        install.args(["-m", "pip", "install"]).args(flags);
        run(install.arg("-r").arg(requirements), NO_PYTHON).map(drop)
    })
}

/// The `node_modules` that the `package-lock.json` of this directory pins, installed first if need be.
///
/// # Errors
/// If Node.js or npm is missing, or the installation fails.
pub fn node_modules(package: &Path) -> Result<PathBuf> {
    let version = run(Command::new("node").arg("--version"), NO_NODE)?;
    let files = ["package.json", "package-lock.json"].map(|name| package.join(name));
    let key = key("node", &version, &files)?;
    let made = made(&key, Path::new("node_modules/.package-lock.json"), |directory| {
        for file in &files {
            let name = file.file_name().unwrap_or_default();
            std::fs::copy(file, directory.join(name))
                .context(|| format!("cannot copy {}", file.display()))?;
        }
        let flags = ["--ignore-scripts", "--no-audit", "--no-fund"];
        run(
            Command::new("npm").arg("ci").args(flags).current_dir(directory),
            NO_NODE,
        )
        .map(drop)
    })?;
    Ok(made.parent().map(Path::to_owned).unwrap_or_default())
}

/// The program that the package `name` of this Go module builds, built first if need be.
///
/// # Errors
/// If Go is missing or the build fails.
pub fn go_program(module: &Path, name: &str) -> Result<PathBuf> {
    let version = run(Command::new("go").args(["env", "GOVERSION"]), NO_GO)?;
    let mut files = vec![module.join("go.sum")];
    list(module, &mut files)?;
    files.sort();
    let key = key(&format!("go-{name}"), &version, &files)?;
    made(&key, Path::new(name), |directory| {
        let flags = ["build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-o"];
        let mut build = Command::new("go");
        build
            .args(flags)
            .arg(directory.join(name))
            .arg(format!("./{name}"));
        run(build.current_dir(module).env("CGO_ENABLED", "0"), NO_GO).map(drop)
    })
}

/// The `go.mod` and `.go` files of a module.
fn list(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable = || format!("cannot read {}", directory.display());
    for entry in std::fs::read_dir(directory).context(unreadable)? {
        let path = entry.context(unreadable)?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|kind| kind == "go" || kind == "mod") {
            files.push(path);
        }
    }
    Ok(())
}

/// Names what is made of these files with this version of a language.
fn key(language: &str, version: &[u8], files: &[PathBuf]) -> Result<String> {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(version);
    for file in files {
        part(file.file_name().unwrap_or_default().as_encoded_bytes());
        part(&std::fs::read(file).context(|| format!("cannot read {}", file.display()))?);
    }
    let digest = hash.finalize();
    Ok(digest
        .iter()
        .take(8)
        .fold(format!("{language}-"), |mut key, byte| {
            // Writing to a string does not fail.
            write!(key, "{byte:02x}").ok();
            key
        }))
}

fn made(key: &str, file: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    cache::entry(key, &file.to_string_lossy(), |directory| {
        say(&format!(
            "making {key} (first use; takes less than a minute, is kept for the next time) ..."
        ));
        let start = Instant::now();
        make(directory)?;
        say(&format!("{key} is made, in {} s.", start.elapsed().as_secs()));
        Ok(())
    })
}

/// What a command prints.
fn run(command: &mut Command, missing: &str) -> Result<Vec<u8>> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(output.stdout),
        Ok(output) => Err(Error::new(format!(
            "{command:?} failed ({}): {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::new(missing)),
        Err(error) => Err(Error::new(format!("cannot run {command:?}: {error}"))),
    }
}
