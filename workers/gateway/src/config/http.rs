//! `[http]`

use std::{net::SocketAddr, time::Duration};

use hollowtrees_runtime::{
    config::{self, Problem},
    server::Tls,
};
use serde::{Deserialize, Serialize};

use super::check;

/// The server of all sources that come by HTTP.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Http {
    /// Whether it is there.
    pub enabled: bool,
    /// Where.
    pub listen: SocketAddr,
    /// Connections at one time.
    pub connections: usize,
    /// For a handshake, and for a request's head.
    #[serde(with = "config::duration")]
    pub header_time: Duration,
    /// For a request's body.
    #[serde(with = "config::duration")]
    pub body_time: Duration,
    /// Until the client is told to send again.
    #[serde(with = "config::duration")]
    pub answer_time: Duration,
    /// Of one request, in bytes.
    pub body_bytes: usize,
    /// Of all requests at one time, in bytes.
    pub memory_bytes: usize,
    /// Requests of one client in a second.
    pub rate: u32,
    /// Requests of one client at once.
    pub burst: u32,
    /// `[http.tls]`
    pub tls: Tls,
}

impl Http {
    pub(super) fn validate(&self, problems: &mut Vec<Problem>) {
        let time = |time: Duration| (Duration::from_millis(100)..=Duration::from_secs(300)).contains(&time);
        for (good, key, why) in [
            (
                (1..=65_536).contains(&self.connections),
                "http.connections",
                "expected 1 to 65536",
            ),
            (time(self.header_time), "http.header_time", "expected 100ms to 5m"),
            (time(self.body_time), "http.body_time", "expected 100ms to 5m"),
            (time(self.answer_time), "http.answer_time", "expected 100ms to 5m"),
            (
                (1_024..=4_194_304).contains(&self.body_bytes),
                "http.body_bytes",
                "expected 1024 to 4194304",
            ),
            (
                self.memory_bytes >= self.body_bytes && self.memory_bytes <= 1 << 31,
                "http.memory_bytes",
                "expected at least http.body_bytes, at most 2 GiB",
            ),
            (
                self.rate > 0,
                "http.rate",
                "is zero, which lets nobody in; give at least 1",
            ),
            (
                self.burst > 0,
                "http.burst",
                "is zero, which lets nobody in; give at least 1",
            ),
        ] {
            check(problems, good, key, why);
        }
        self.tls.validate(problems);
    }
}
