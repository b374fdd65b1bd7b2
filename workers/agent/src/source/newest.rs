//! Tells an answer that is older than one before it.

use std::time::Duration;

use tokio::time::Instant;

/// An older version that has stood for so long is the provider's present one: it began to count anew.
const STANDS: Duration = Duration::from_secs(10);

/// The newest version of a document that was read.
///
/// Azure's `DocumentIncarnation` "increases when the events array changes" (Microsoft, "Azure Metadata Service: Scheduled
/// Events for Linux VMs", event properties), so a list of a lower one was made before what is known, and neither brings
/// an event back nor cancels one. Whether it goes on counting when the machine moves to another host, or after a day
/// in which nobody asked, is not documented; a list that were ignored for ever would hide an eviction.
#[derive(Debug, Default)]
pub(super) struct Newest {
    version: u64,
    /// Since when each answer has been older.
    older: Option<Instant>,
}

impl Newest {
    /// Whether a document of this version is not to be believed now.
    pub(super) fn outdates(&mut self, version: u64, now: Instant) -> bool {
        if version < self.version {
            let since = *self.older.get_or_insert(now);
            if now.duration_since(since) < STANDS {
                return true;
            }
        }
        *self = Self { version, older: None };
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let start = Instant::now();
        let mut newest = Newest::default();
        for (second, version, outdated) in [
            (0, 1, false),
            (1, 3, false),
            (2, 3, false),
            (3, 2, true),
            (5, 3, false),
            (6, 1, true),
            // Two that take turns, one of which lags behind.
            (15, 3, false),
            (16, 2, true),
            (25, 1, true),
            // It has counted anew for ten seconds.
            (26, 2, false),
            (27, 1, true),
            (28, 4, false),
        ] {
            let now = start + Duration::from_secs(second);
            assert_eq!(newest.outdates(version, now), outdated, "{version} at {second} s");
        }
    }
}
