//! One child process: started, signalled, its log kept.

use super::guard;
use crate::{Context, Error, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Waits for leave, then becomes the program; without leave, ends.
const GATE: &str = r#"IFS= read -r leave && exec "$0" "$@" </dev/null"#;

const TAIL_BYTES: u64 = 6_000;
/// A process that is told to stop has stopped by then.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// What to start and how.
#[derive(Clone, Debug)]
pub struct Launch {
    name: String,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    log: PathBuf,
}

impl Launch {
    /// `program`, which people call `name`, with its output appended to the file `log`.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            log: log.into(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable besides those of this process.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// If the program or its log cannot be opened.
    pub fn spawn(&self) -> Result<Child> {
        if self.program.components().count() > 1 && !self.program.exists() {
            return Err(Error::new(format!(
                "cannot start {}: no file {}",
                self.name,
                self.program.display()
            )));
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .context(|| format!("cannot write the log {}", self.log.display()))?;
        let errors = log.try_clone().context(|| "cannot share the log")?;
        let mut child = Command::new("/bin/sh")
            .args(["-c", GATE])
            .arg(&self.program)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .context(|| format!("cannot start {}", self.name))?;
        let gate = child.stdin.take();
        let child = Child {
            name: self.name.clone(),
            pid: child.id(),
            log: self.log.clone(),
            process: Mutex::new(Process { child, ended: None }),
        };
        guard::add(child.pid)?;
        gate.ok_or_else(|| Error::new("the child has no input"))?
            .write_all(b"go\n")
            .context(|| format!("cannot start {}", self.name))?;
        Ok(child)
    }
}

/// A running, or ended, child process and those it started itself. Killed on drop; when that happens in a panicking
/// test, the end of its log is printed.
#[derive(Debug)]
pub struct Child {
    name: String,
    pid: u32,
    log: PathBuf,
    process: Mutex<Process>,
}

#[derive(Debug)]
struct Process {
    child: std::process::Child,
    ended: Option<ExitStatus>,
}

impl Process {
    /// How it ended, if it did. The guard is told once: after that the number may belong to another child.
    fn poll(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
            if self.ended.is_some() {
                guard::forget(self.child.id());
            }
        }
        self.ended
    }

    fn signal(&self, signal: Signal) -> rustix::io::Result<()> {
        kill_process_group(Pid::from_child(&self.child), signal)
    }
}

/// A signal is sent before it has taken effect: on a busy machine a thread may run on for a while.
fn wait_until_stopped(pid: u32) {
    let threads = format!("/proc/{pid}/task");
    let stops_by = Instant::now() + STOPS_WITHIN;
    while Instant::now() < stops_by {
        // pid (name) state ...; a name may have parentheses of its own.
        let runs = |stat: &str| {
            stat.rsplit_once(')')
                .is_some_and(|(_, rest)| !rest.trim_start().starts_with(['T', 't', 'Z', 'X']))
        };
        let mut stats = std::fs::read_dir(&threads)
            .into_iter()
            .flatten()
            .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("stat")).ok());
        if !stats.any(|stat| runs(&stat)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Child {
    /// Its process id, which is the id of its group too.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The file with its output.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// The last few thousand bytes of its output.
    pub fn log_tail(&self) -> String {
        log_tail(&self.log)
    }

    /// How it ended, if it did.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.process().poll()
    }

    /// Sends a signal to its process group; nothing if it has ended.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let mut process = self.process();
        // The lock keeps the process id from being reaped, and so from being reused, in between.
        if process.poll().is_some() {
            return Ok(());
        }
        process
            .signal(signal)
            .context(|| format!("cannot send {signal:?} to {} ({})", self.name, self.pid))?;
        if signal == Signal::STOP {
            wait_until_stopped(self.pid);
        }
        Ok(())
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(&self) {
        let mut process = self.process();
        if process.poll().is_none() {
            // Either it ends by this, or it ended by itself just now.
            process.signal(Signal::KILL).ok();
            drop(process.child.wait());
            process.poll();
        }
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// If it does not within the time, with the end of its log.
    pub async fn exited(&self, timeout: Duration) -> Result<ExitStatus> {
        crate::try_eventually(
            format!("{} ({}) to end", self.name, self.pid),
            timeout,
            || async { self.exit_status().ok_or("it runs") },
        )
        .await
        .map_err(|error| Error::new(format!("{error}\n{}", self.log_tail())))
    }

    /// Asks it to end with SIGTERM and waits until it has.
    ///
    /// # Errors
    /// If it does not within the time, with the end of its log.
    pub async fn terminate(&self, timeout: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.exited(timeout).await
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let ended = self.exit_status();
        self.kill();
        if std::thread::panicking() {
            let state = ended.map_or_else(|| "running".to_owned(), |status| status.to_string());
            // Not eprintln: the harness of the tests would not show it for another thread than its own.
            drop(writeln!(
                std::io::stderr(),
                "--- {} ({state}), end of its log:\n{}",
                self.name,
                self.log_tail()
            ));
        }
    }
}

/// The last few thousand bytes of a file, from the beginning of a line on.
pub fn log_tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = length <= TAIL_BYTES;
        Ok(if whole {
            text
        } else {
            text.split_once('\n')
                .map_or_else(|| text.clone(), |(_, rest)| rest.to_owned())
        })
    };
    read().unwrap_or_else(|error| format!("(no log at {}: {error})", path.display()))
}
