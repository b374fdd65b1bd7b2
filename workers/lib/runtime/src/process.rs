//! Who this process is.

use std::sync::Arc;

/// Identity of one start of one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Kind of worker: `agent`, `router`, `drain`, ...
    pub kind: &'static str,
    /// Unique to this start: host name and a random suffix, of `[A-Za-z0-9_-]`.
    pub id: Arc<str>,
    /// Version of the worker's crate.
    pub version: &'static str,
}

impl Identity {
    /// A new identity for this start.
    pub fn new(kind: &'static str, version: &'static str) -> Self {
        Self {
            kind,
            id: unique(&host(), rand::random()).into(),
            version,
        }
    }
}

/// The pod's name in Kubernetes (64 bytes at most on Linux).
fn host() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let known = kernel.or_else(|| std::env::var("HOSTNAME").ok());
    known
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

fn unique(host: &str, suffix: u32) -> String {
    let host: String = host
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '-'
            }
        })
        .collect();
    format!("{host}-{suffix:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_starts_differ_and_names_are_safe_as_keys() {
        let (a, b) = (Identity::new("router", "1.0.0"), Identity::new("router", "1.0.0"));
        assert_ne!(a.id, b.id);
        assert_eq!(
            unique("ip-10-0-0-1.eu.internal", 0xab),
            "ip-10-0-0-1-eu-internal-000000ab"
        );
    }
}
