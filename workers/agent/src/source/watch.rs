//! Google's documents: each request waits at the service until its document changes, so that nothing is asked in vain
//! and a change is known at once.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::{Instant, sleep, sleep_until};

use super::jittered;
use crate::{
    document::{Document, Heard, Identity, Pauses, gcp},
    listen::{Ear, Trouble},
    metadata::{Client, Question},
    settings::Settings,
};

/// Not more than one request in this time, whatever the service answers: a change is known at most so much later.
const PAUSE: Duration = Duration::from_millis(20);
/// The first pause after an error ("503 for less than a second" while the host is maintained).
const BACKOFF: Duration = Duration::from_millis(100);

/// One document that is waited for.
struct Watch<'a> {
    client: Client,
    document: Document,
    path: &'static str,
    settings: &'a Settings,
    notice: SignedDuration,
    /// The version that was read last.
    etag: Option<String>,
    /// The next request waits for another version; after an error one is asked for that answers at once, so that it is
    /// known when the service is well again.
    waits: bool,
    /// It was read, and did not say anything.
    was_calm: bool,
}

/// Reads for ever. Two clients: a request that waits holds its connection.
pub(super) async fn run([mut one, two]: [Client; 2], settings: &Settings, ear: &Ear) {
    let identity = loop {
        match ear.learns(identity(&mut one).await) {
            Some(identity) => break identity,
            None => sleep(jittered(settings.poll.interval)).await,
        }
    };
    let notice = notice(&mut one, settings).await;
    let watch = |client, document, path| Watch {
        client,
        document,
        path,
        settings,
        notice,
        etag: None,
        waits: false,
        was_calm: false,
    };
    let preempted = watch(one, Document::GcpPreempted, gcp::PREEMPTED);
    let maintenance = watch(two, Document::GcpMaintenance, gcp::MAINTENANCE_EVENT);
    tokio::join!(preempted.run(&identity, ear), maintenance.run(&identity, ear));
}

async fn identity(client: &mut Client) -> Result<Identity, Trouble> {
    let mut bodies = [const { None }; 5];
    for (body, path) in bodies.iter_mut().zip(gcp::IDENTITY) {
        *body = client.document(path).await?;
    }
    Ok(gcp::identity(&bodies)?)
}

/// How long the instance has after it was preempted: by its own attribute, or else by the settings.
async fn notice(client: &mut Client, settings: &Settings) -> SignedDuration {
    let own = client.document(gcp::NOTICE).await.ok().flatten();
    let own = own.and_then(|body| match gcp::notice(&body) {
        Ok(notice) => Some(notice),
        Err(error) => {
            tracing::warn!(%error, "The instance's own notice is not used.");
            None
        }
    });
    let notice = own.unwrap_or(settings.gcp.notice);
    tracing::info!(?notice, "How long a preempted instance has.");
    SignedDuration::try_from(notice).unwrap_or_default()
}

impl Watch<'_> {
    async fn run(mut self, identity: &Identity, ear: &Ear) {
        let interval = self.settings.poll.interval;
        let mut backoff = BACKOFF;
        loop {
            let asked = Instant::now();
            let (waited, before) = (self.waits, self.etag.clone());
            let read = self.read().await;
            let failed = read.is_err();
            ear.hear(identity, self.document, read);
            self.waits = !failed && self.etag.is_some();
            if failed {
                sleep(jittered(backoff)).await;
                backoff = (backoff * 2).min(interval.max(BACKOFF));
                continue;
            }
            backoff = BACKOFF;
            // A service that answers at once though nothing changed is polled.
            let at_once = self.waits && (!waited || self.etag != before);
            let pause = if at_once { PAUSE } else { jittered(interval) };
            sleep_until(asked + pause).await;
        }
    }

    async fn read(&mut self) -> Result<Option<Heard>, Trouble> {
        let wait = self.settings.gcp.wait;
        let query = match &self.etag {
            Some(etag) if self.waits => format!(
                "wait_for_change=true&last_etag={}&timeout_sec={}",
                escaped(etag),
                wait.as_secs()
            ),
            _ => String::new(),
        };
        let question = Question {
            query: &query,
            patience: if query.is_empty() { Duration::ZERO } else { wait },
            ..Question::of(self.path)
        };
        let Some(document) = self.client.ask(&question).await? else {
            self.etag = None;
            return Ok(None);
        };
        let heard = match self.document {
            Document::GcpMaintenance => {
                let pauses: Pauses = self.settings.maintenance.pauses;
                gcp::maintenance_event(&document.body, document.etag.as_deref(), pauses)?
            }
            _ => gcp::preempted(&document.body, Some(self.notice).filter(|_| self.was_calm))?,
        };
        self.was_calm = heard.words.is_empty();
        // Only now: what could not be understood is asked for again.
        self.etag = document.etag;
        Ok(Some(heard))
    }
}

/// As a part of a query (RFC 3986 section 2.3).
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_in_a_query() {
        assert_eq!(escaped("411261ca6c9e9c3d"), "411261ca6c9e9c3d");
        assert_eq!(escaped("\"a b&c\""), "%22a%20b%26c%22");
    }
}
