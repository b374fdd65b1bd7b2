//! Building the Go programs of the testbed.

use super::{BIN, Program, say};
use crate::{Context, Error, Result};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

const NO_GO: &str = "Go is not installed, and the test servers are built with it: \
    install Go 1.26 or newer (your system's package, or the download page of go.dev) so that `go` is on the PATH";

/// Such as `go1.26.8`; asked once a process.
pub(super) fn go_version() -> Result<String> {
    static VERSION: OnceLock<Result<String>> = OnceLock::new();
    VERSION
        .get_or_init(|| {
            let asked = Command::new("go")
                .args(["env", "GOVERSION"])
                .current_dir(super::sources())
                .output();
            match asked {
                Ok(output) if output.status.success() => {
                    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
                }
                Ok(output) => Err(Error::new(format!(
                    "`go env GOVERSION`: {}",
                    String::from_utf8_lossy(&output.stderr)
                ))),
                Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::new(format!(
                    "{NO_GO}; or set {BIN} to a directory with prebuilt ones"
                ))),
                Err(error) => Err(Error::new(format!("cannot run go: {error}"))),
            }
        })
        .clone()
}

/// A hash of all that the program is built from.
pub(super) fn key(sources: &Path, program: Program, go_version: &str) -> Result<String> {
    let mut files = vec![sources.join("go.mod"), sources.join("go.sum")];
    for directory in program.sources() {
        go_files(&sources.join(directory), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(go_version.as_bytes());
    for flag in flags(sources, program)? {
        part(flag.as_bytes());
    }
    for file in files {
        let name = file.strip_prefix(sources).unwrap_or(&file);
        part(name.as_os_str().as_encoded_bytes());
        part(&std::fs::read(&file).context(|| format!("cannot read {}", file.display()))?);
    }
    Ok(hash
        .finalize()
        .iter()
        .take(8)
        .fold(String::new(), |mut text, byte| {
            // Writing to a string does not fail.
            write!(text, "{byte:02x}").ok();
            text
        }))
}

fn go_files(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(directory).context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let path = entry
            .context(|| format!("cannot read {}", directory.display()))?
            .path();
        if path.is_dir() {
            go_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "go")
            && !path.to_string_lossy().ends_with("_test.go")
        {
            files.push(path);
        }
    }
    Ok(())
}

fn flags(sources: &Path, program: Program) -> Result<Vec<String>> {
    let mut link = "-s -w".to_owned();
    if program == Program::ControlPlane {
        // Built from the module, Kubernetes does not know its version; clients and charts ask for it.
        let version = required_version(sources, "k8s.io/kubernetes")?;
        let mut numbers = version.trim_start_matches('v').split('.');
        let package = "k8s.io/component-base/version";
        for (name, value) in [
            ("gitVersion", version.as_str()),
            ("gitMajor", numbers.next().unwrap_or_default()),
            ("gitMinor", numbers.next().unwrap_or_default()),
        ] {
            link.push_str(&format!(" -X {package}.{name}={value}"));
        }
    }
    Ok(["-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags"]
        .into_iter()
        .map(str::to_owned)
        .chain([link])
        .collect())
}

fn required_version(sources: &Path, module: &str) -> Result<String> {
    let path = sources.join("go.mod");
    let text = std::fs::read_to_string(&path).context(|| format!("cannot read {}", path.display()))?;
    text.lines()
        .filter_map(|line| line.trim().strip_prefix(module)?.strip_prefix(' '))
        .find(|rest| rest.starts_with('v'))
        .map(|rest| rest.split_whitespace().next().unwrap_or_default().to_owned())
        .ok_or_else(|| Error::new(format!("{} does not require {module}", path.display())))
}

pub(super) fn go_build(sources: &Path, program: Program, output: &Path) -> Result<()> {
    let name = program.name();
    say(&format!(
        "building {name} (first use; takes {}, is kept for the next time) ...",
        program.patience()
    ));
    let start = Instant::now();
    let built = Command::new("go")
        .arg("build")
        .args(flags(sources, program)?)
        .arg("-o")
        .arg(output)
        .arg(program.package())
        .current_dir(sources)
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .output()
        .context(|| "cannot run go")?;
    if !built.status.success() {
        return Err(Error::new(format!(
            "`go build {}` in {} failed ({}):\n{}",
            program.package(),
            sources.display(),
            built.status,
            String::from_utf8_lossy(&built.stderr)
        )));
    }
    say(&format!("{name} is built, in {} s.", start.elapsed().as_secs()));
    Ok(())
}
