//! A NATS server with JetStream, and a cluster of them.

mod builder;
mod cluster;
mod config;
mod server;

pub use builder::{Builder, User};
pub use cluster::NatsCluster;

use crate::supervise::Signal;
use crate::{Result, tls};
use server::Server;
use std::path::Path;
use tempfile::TempDir;

/// A NATS server with JetStream on a port and a store of its own. Both stay the same over restarts; both go with it.
#[derive(Debug)]
pub struct Nats {
    server: Server,
    tls: Option<Tls>,
    // After the server, so that it is dropped after it.
    directory: TempDir,
}

/// The certificates of a server with TLS.
#[derive(Debug)]
struct Tls {
    authority: tls::Authority,
    ca: std::path::PathBuf,
}

impl Nats {
    /// Starts one with nothing special; ready when it returns.
    ///
    /// # Errors
    /// If it does not come up, with the end of its log.
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    /// Starts one with users, TLS, limits or any other configuration.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// `nats://` or, with TLS, `tls://`, without credentials.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "tls" } else { "nats" };
        format!("{scheme}://{}", self.addr())
    }

    /// The URL with a user's credentials in it.
    pub fn url_for(&self, user: &str, password: &str) -> String {
        let scheme = if self.tls.is_some() { "tls" } else { "nats" };
        format!("{scheme}://{user}:{password}@{}", self.addr())
    }

    /// Where clients connect; what a fault proxy is put in front of.
    pub fn addr(&self) -> std::net::SocketAddr {
        self.server.client_addr()
    }

    /// Where `/varz`, `/jsz` and `/healthz` are, as `http://host:port`.
    pub fn monitor_url(&self) -> String {
        self.server.monitor_url()
    }

    /// The file with the certificate to trust, if it was built with TLS.
    pub fn ca_file(&self) -> Option<&Path> {
        self.tls.as_ref().map(|tls| tls.ca.as_path())
    }

    /// Files with a client certificate of this common name, if it was built with TLS.
    ///
    /// # Errors
    /// If they cannot be made.
    pub fn client_certificate(&self, name: &str) -> Result<Option<tls::Files>> {
        let Some(tls) = &self.tls else { return Ok(None) };
        tls.authority
            .client(name, None)?
            .write(self.directory.path(), name)
            .map(Some)
    }

    /// Kills it with SIGKILL; its store stays.
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Ends it with SIGTERM and waits until it has ended; its store stays.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn stop(&self) -> Result<()> {
        self.server.stop().await
    }

    /// Starts it again, on the same port with the same store, after killing it if it runs; ready when it returns.
    ///
    /// # Errors
    /// If it does not come up, with the end of its log.
    pub async fn restart(&self) -> Result<()> {
        self.server.kill();
        self.server.start().await
    }

    /// Stops it in its tracks (SIGSTOP): connections stay, nothing moves.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn pause(&self) -> Result<()> {
        self.server.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn resume(&self) -> Result<()> {
        self.server.signal(Signal::CONT)
    }

    /// Reads its configuration file again, after the test has changed it (SIGHUP).
    ///
    /// # Errors
    /// If the system refuses.
    pub fn reload(&self) -> Result<()> {
        self.server.signal(Signal::HUP)
    }

    /// Its configuration file.
    pub fn config_file(&self) -> &Path {
        self.server.config_file()
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        self.server.log_tail()
    }

    /// The process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }
}
