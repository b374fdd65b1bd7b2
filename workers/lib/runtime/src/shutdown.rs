//! The first SIGTERM or SIGINT drains, the second exits at once.

use std::{
    io,
    time::{Duration, Instant},
};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Tells every part of a process that it is to end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown {
    token: CancellationToken,
    grace: Duration,
    started: std::sync::Arc<std::sync::OnceLock<Instant>>,
}

impl Shutdown {
    /// Not draining yet; a drain may take `grace`.
    pub fn new(grace: Duration) -> Self {
        Self {
            token: CancellationToken::new(),
            grace,
            started: std::sync::Arc::default(),
        }
    }

    /// Starts the drain; again is nothing.
    pub fn drain(&self) {
        self.started.get_or_init(Instant::now);
        self.token.cancel();
    }

    /// Whether the drain has begun.
    pub fn is_draining(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Ends when the drain begins.
    pub async fn draining(&self) {
        self.token.cancelled().await;
    }

    /// The token itself, for what takes one. Cancelling it starts the drain, but [`Shutdown::drain`] says when.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// How long a drain may take.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// What is left of the grace: all of it before the drain begins.
    pub fn left(&self) -> Duration {
        self.started
            .get()
            .map_or(self.grace, |started| self.grace.saturating_sub(started.elapsed()))
    }
}

/// SIGTERM and SIGINT, from now on caught.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches them from here on.
    ///
    /// # Errors
    /// The system refuses to register a handler.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Name of the next signal.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
