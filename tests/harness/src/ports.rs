//! Ports that stay ours while a server is down.
//!
//! A server that binds port 0 gets a free port, but cannot keep it over a restart: the kernel hands the same port out
//! for outgoing connections, and a client that keeps reconnecting to a loopback port of that range sooner or later
//! connects to itself and holds the port against the server. So ports are taken from below the kernel's ephemeral
//! range, and each is held by a lock on a file that all harness processes of a machine share.

use crate::{Context, Error, Result};
use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 15_000;
const COUNT: u16 = 16_000;

/// A loopback port that no other harness process hands out while this value lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves a free port.
    ///
    /// # Errors
    /// If none is free, or the directory of locks cannot be written.
    pub fn reserve() -> Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let locks = std::env::temp_dir().join("hollowtrees-ports");
        std::fs::create_dir_all(&locks).context(|| format!("cannot make {}", locks.display()))?;
        // Processes begin at different places, so that they seldom try the same port.
        let offset = (std::process::id().wrapping_mul(2_654_435_761) >> 16) as u16;
        for _ in 0..COUNT {
            let number = FIRST + NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(offset) % COUNT;
            let path = locks.join(number.to_string());
            let lock = File::create(&path).context(|| format!("cannot write {}", path.display()))?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => {
                    return Err(Error::new(format!("cannot lock {}: {error}", path.display())));
                }
            }
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _lock: lock });
            }
        }
        Err(Error::new(format!(
            "no free port between {FIRST} and {}",
            FIRST + COUNT
        )))
    }

    /// The port.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The port on the loopback interface.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}
