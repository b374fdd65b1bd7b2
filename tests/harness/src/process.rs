//! A process of our own under test.

use crate::supervise::{Child, Launch, Signal};
use crate::{Context, Error, Result, http_get, scratch, supervise, try_eventually};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// A worker process: started with arguments and environment, killed, paused, started again, its log kept.
///
/// Dropped, it is killed; if that happens in a panicking test, the end of its log is printed.
#[derive(Debug)]
pub struct Worker {
    name: String,
    launch: Launch,
    log: PathBuf,
    child: Mutex<Option<Child>>,
    // After the child, so that it is dropped after it.
    directory: TempDir,
}

/// Builds a [`Worker`].
#[derive(Debug)]
pub struct Builder {
    name: String,
    program: PathBuf,
    args: Vec<std::ffi::OsString>,
    env: Vec<(std::ffi::OsString, std::ffi::OsString)>,
}

impl Builder {
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

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts it, without waiting for anything: see [`Worker::ready`].
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn start(self) -> Result<Worker> {
        let directory = scratch::directory(&self.name)?;
        let log = directory.path().join("log");
        let launch = self.env.iter().fold(
            Launch::new(&self.name, &self.program, &log).args(&self.args),
            |launch, (name, value)| launch.env(name, value),
        );
        let child = Mutex::new(Some(launch.spawn()?));
        Ok(Worker {
            name: self.name,
            launch,
            log,
            child,
            directory,
        })
    }
}

impl Worker {
    /// A worker that people call `name`, from this file.
    pub fn builder(name: impl Into<String>, program: impl Into<PathBuf>) -> Builder {
        Builder {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
        }
    }

    /// Waits until a GET of this `http://` address, say `/readyz`, answers 2xx.
    ///
    /// # Errors
    /// If it does not in time, or the process ends: with the end of its log.
    pub async fn ready(&self, url: &str, timeout: Duration) -> Result<()> {
        let waited = try_eventually(format!("{} to be ready at {url}", self.name), timeout, || async {
            if let Some(status) = self.exit_status() {
                return Ok(Err(Error::new(format!("{} ended ({status})", self.name))));
            }
            let (status, body) = http_get::get(url).await?;
            if status.is_success() {
                Ok(Ok(()))
            } else {
                Err(Error::new(format!("{status} {}", String::from_utf8_lossy(&body))))
            }
        })
        .await
        .map_err(Error::from)
        .flatten();
        waited.map_err(|error| self.with_log(&error))
    }

    /// Waits until its log contains this text.
    ///
    /// # Errors
    /// If it does not in time: with the end of its log.
    pub async fn logged(&self, text: &str, timeout: Duration) -> Result<()> {
        try_eventually(format!("{} to log {text:?}", self.name), timeout, || async {
            if self.log()?.contains(text) {
                Ok(())
            } else {
                Err(Error::new("its log without it"))
            }
        })
        .await
        .map_err(|error| self.with_log(&error.into()))
    }

    /// All it has logged, over all its starts.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn log(&self) -> Result<String> {
        let bytes = std::fs::read(&self.log).context(|| format!("cannot read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A directory of its own, gone with it: for its configuration files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child()
            .as_ref()
            .filter(|child| child.exit_status().is_none())
            .map(Child::pid)
    }

    /// How it ended, if it was started and has ended by itself.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.child().as_ref().and_then(Child::exit_status)
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&self) {
        let child = self.child();
        if let Some(child) = child.as_ref() {
            child.kill();
        }
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// If it does not in time: with the end of its log.
    pub async fn terminate(&self, timeout: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.exited(timeout).await
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// If it does not in time: with the end of its log.
    pub async fn exited(&self, timeout: Duration) -> Result<ExitStatus> {
        try_eventually(format!("{} to end", self.name), timeout, || async {
            self.exit_status().ok_or("it runs")
        })
        .await
        .map_err(|error| self.with_log(&error.into()))
    }

    /// Stops it in its tracks (SIGSTOP).
    ///
    /// # Errors
    /// If the system refuses.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Sends it any other signal, say HUP to read its rules again.
    ///
    /// # Errors
    /// If the system refuses, or it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        match self.child().as_ref() {
            Some(child) if child.exit_status().is_none() => child.signal(signal),
            _ => Err(Error::new(format!("{} does not run", self.name))),
        }
    }

    /// Starts it again with the same arguments, after killing it if it runs.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn restart(&self) -> Result<()> {
        let mut child = self.child();
        *child = None;
        *child = Some(self.launch.spawn()?);
        Ok(())
    }

    pub(crate) fn with_log(&self, error: &Error) -> Error {
        Error::new(format!(
            "{error}\n--- end of its log:\n{}",
            supervise::log_tail(&self.log)
        ))
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
