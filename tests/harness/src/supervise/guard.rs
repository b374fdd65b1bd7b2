//! The process that ends the children when we are gone.

use crate::{Context, Error, Result, scratch};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// `$1` is the directory to remove in the end, empty for none.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
groups=
while read -r verb group; do
    case "$verb" in
    add) groups="$groups $group" ;;
    forget)
        left=
        for one in $groups; do [ "$one" = "$group" ] || left="$left $one"; done
        groups=$left
        ;;
    esac
done
for one in $groups; do kill -KILL "-$one" 2>/dev/null; done
[ -z "$1" ] || rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
"#;

fn pipe() -> Result<&'static Mutex<ChildStdin>> {
    static PIPE: OnceLock<Result<Mutex<ChildStdin>>> = OnceLock::new();
    match PIPE.get_or_init(start) {
        Ok(pipe) => Ok(pipe),
        Err(error) => Err(error.clone()),
    }
}

/// Starts it unless it runs.
pub(crate) fn start_guard() -> Result<()> {
    pipe().map(drop)
}

fn start() -> Result<Mutex<ChildStdin>> {
    let remove = if scratch::keep() {
        "".as_ref()
    } else {
        scratch::root()?.as_os_str()
    };
    let mut guard = Command::new("/bin/sh")
        .args(["-c", SCRIPT, "hollowtrees-guard"])
        .arg(remove)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context(|| "cannot start the guard of child processes with /bin/sh")?;
    guard
        .stdin
        .take()
        .map(Mutex::new)
        .ok_or_else(|| Error::new("the guard of child processes has no input"))
}

fn tell(line: &str) -> Result<()> {
    let mut pipe = pipe()?.lock().unwrap_or_else(PoisonError::into_inner);
    pipe.write_all(line.as_bytes())
        .context(|| "the guard of child processes is gone")
}

/// Makes the guard kill this process group when we are gone.
pub(super) fn add(group: u32) -> Result<()> {
    tell(&format!("add {group}\n"))
}

/// The group has ended; its number may be reused by the system.
pub(super) fn forget(group: u32) {
    // Without a guard there is nothing to forget.
    drop(tell(&format!("forget {group}\n")));
}
