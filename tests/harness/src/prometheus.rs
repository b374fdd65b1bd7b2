//! A real Prometheus, where the machine has one: it is too large to build for a test, and every distribution has it (Debian
//! and Ubuntu: the package `prometheus`).

use std::path::PathBuf;
use std::time::Duration;

use crate::{Context, Missing, Result, Worker, ports::Port, scratch};

/// Names the program where it is not in `PATH`.
pub const VARIABLE: &str = "HOLLOWTREES_PROMETHEUS";
const MISSING: &str =
    "prometheus is missing; install the package `prometheus`, or name it in HOLLOWTREES_PROMETHEUS";
/// How long it may take to be ready.
const START: Duration = Duration::from_secs(60);

/// A running server.
#[derive(Debug)]
pub struct Prometheus {
    worker: Worker,
    port: Port,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    /// The program named by the environment, or the one in `PATH`; else says that a test does without.
    ///
    /// # Panics
    /// If there is none, and has to be: see [`Missing`].
    #[track_caller]
    pub fn find() -> Option<PathBuf> {
        let named = std::env::var_os(VARIABLE).map(PathBuf::from);
        let found = named.or_else(|| {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path)
                .map(|directory| directory.join("prometheus"))
                .find(|program| program.is_file())
        });
        if found.is_none() {
            Missing::Prometheus.skip(MISSING);
        }
        found
    }

    /// Starts it with this configuration and these rules, which it names as `rules.yml`. Alerts that fire are sent again
    /// every second.
    ///
    /// # Errors
    /// If it cannot be run, or does not become ready.
    pub async fn start(program: PathBuf, config: &str, rules: &str) -> Result<Self> {
        let directory = scratch::directory("prometheus")?;
        let at = |name: &str| directory.path().join(name);
        for (name, text) in [("prometheus.yml", config), ("rules.yml", rules)] {
            std::fs::write(at(name), text).context(|| format!("cannot write {name}"))?;
        }
        let port = Port::reserve()?;
        let worker = Worker::builder("prometheus", program)
            .arg(format!("--config.file={}", at("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", at("data").display()))
            .arg(format!("--web.listen-address={}", port.addr()))
            .arg("--rules.alert.resend-delay=1s")
            .start()?;
        let prometheus = Self {
            worker,
            port,
            _directory: directory,
        };
        let ready = format!("{}/-/ready", prometheus.url());
        prometheus.worker.ready(&ready, START).await?;
        Ok(prometheus)
    }

    /// Its address, `http://HOST:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.port.addr())
    }

    /// All it has logged.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn log(&self) -> Result<String> {
        self.worker.log()
    }
}
