//! One server process: its files, ports and life.

use crate::ports::Port;
use crate::supervise::{Child, Launch, Signal};
use crate::testbed::{self, Program};
use crate::{Context, Error, Result, http_get, supervise, try_eventually};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Server {
    name: String,
    config: PathBuf,
    log: PathBuf,
    client: Port,
    monitor: Port,
    child: Mutex<Option<Child>>,
}

impl Server {
    pub(super) fn new(
        name: &str,
        directory: &Path,
        config_text: &str,
        client: Port,
        monitor: Port,
    ) -> Result<Self> {
        let config = directory.join(format!("{name}.conf"));
        std::fs::write(&config, config_text).context(|| format!("cannot write {}", config.display()))?;
        let log = directory.join(format!("{name}.log"));
        Ok(Self {
            name: name.to_owned(),
            config,
            log,
            client,
            monitor,
            child: Mutex::new(None),
        })
    }

    /// Starts the process and waits until it serves clients and JetStream.
    pub(super) async fn start(&self) -> Result<()> {
        self.launch().await?;
        self.ready("/healthz?js-enabled-only=true").await
    }

    /// Starts the process.
    pub(super) async fn launch(&self) -> Result<()> {
        let binary = testbed::binary_async(Program::NatsServer).await?;
        let child = Launch::new(self.name.clone(), binary, &self.log)
            .arg("-c")
            .arg(&self.config)
            .spawn()?;
        *self.child() = Some(child);
        Ok(())
    }

    /// Waits until the health page answers well and a client is greeted.
    pub(super) async fn ready(&self, health: &str) -> Result<()> {
        let waited = try_eventually(format!("{} to be ready", self.name), START, || async {
            if let Some(Some(status)) = self.child().as_ref().map(Child::exit_status) {
                return Ok(Err(Error::new(format!(
                    "{} ended at its start ({status})",
                    self.name
                ))));
            }
            let (status, body) = http_get::get(&format!("{}{health}", self.monitor_url())).await?;
            if !status.is_success() {
                return Err(Error::new(format!(
                    "{health}: {status} {}",
                    String::from_utf8_lossy(&body)
                )));
            }
            greeted(self.client.addr()).await.map(Ok)
        })
        .await
        .map_err(Error::from)
        .flatten();
        waited.map_err(|error| Error::new(format!("{error}\n{}", self.log_tail())))
    }

    pub(super) fn client_addr(&self) -> SocketAddr {
        self.client.addr()
    }

    pub(super) fn monitor_url(&self) -> String {
        format!("http://{}", self.monitor.addr())
    }

    pub(super) fn config_file(&self) -> &Path {
        &self.config
    }

    pub(super) fn log_tail(&self) -> String {
        supervise::log_tail(&self.log)
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child()
            .as_ref()
            .filter(|child| child.exit_status().is_none())
            .map(Child::pid)
    }

    pub(super) fn kill(&self) {
        // Taken first: the drop of a child waits for it, and need not hold the lock.
        let child = self.child().take();
        drop(child);
    }

    pub(super) async fn stop(&self) -> Result<()> {
        let child = self.child().take();
        if let Some(child) = child {
            child.terminate(STOP).await?;
        }
        Ok(())
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        match self.child().as_ref() {
            Some(child) => child.signal(signal),
            None => Err(Error::new(format!("{} does not run", self.name))),
        }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server greets each client with an INFO line, with and without TLS.
async fn greeted(addr: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(addr)
        .await
        .context(|| format!("cannot connect to {addr}"))?;
    let mut start = [0; 5];
    stream
        .read_exact(&mut start)
        .await
        .context(|| format!("no greeting from {addr}"))?;
    if &start == b"INFO " {
        Ok(())
    } else {
        Err(Error::new(format!("{addr} is no NATS server")))
    }
}
