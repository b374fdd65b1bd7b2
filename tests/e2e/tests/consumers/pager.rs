//! A pager, as the world the examples act upon. It remembers whom it was asked to page, and can be slow.

use std::sync::{Arc, Mutex};

use hollowtrees_harness::{
    eventually,
    http_server::{Server, text},
};
use http::StatusCode;
use tokio::sync::watch;

use crate::world::BOUND;

/// One request to page somebody.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// Under which it is paged once, however often it is asked for: `<action id>/<person>`.
    pub(crate) key: String,
    pub(crate) person: String,
    /// The copy of the example that asked.
    pub(crate) process: String,
    pub(crate) about: String,
}

pub(crate) struct Pager {
    server: Server,
    pages: Arc<Mutex<Vec<Page>>>,
    answering: watch::Sender<bool>,
}

impl Pager {
    pub(crate) async fn start() -> Self {
        let pages = Arc::new(Mutex::new(Vec::new()));
        let answering = watch::Sender::new(true);
        let handler = {
            let (pages, answering) = (Arc::clone(&pages), answering.clone());
            move |request: http::Request<bytes::Bytes>| {
                let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
                let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
                let of_body = |name: &str| body[name].as_str().unwrap().to_owned();
                pages.lock().unwrap().push(Page {
                    key: header("idempotency-key"),
                    person: of_body("person"),
                    process: header("user-agent"),
                    about: of_body("text"),
                });
                let mut answering = answering.subscribe();
                Box::pin(async move {
                    answering.wait_for(|answering| *answering).await.ok()?;
                    Some(text(StatusCode::ACCEPTED, "paged"))
                }) as _
            }
        };
        let server = Server::start("127.0.0.1:0".parse().unwrap(), None, handler)
            .await
            .unwrap();
        Self {
            server,
            pages,
            answering,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/page", self.server.addr())
    }

    /// From now on it takes requests and does not answer, until [`Pager::answer`].
    pub(crate) fn hold(&self) {
        self.answering.send_replace(false);
    }

    /// Answers what waits, and what comes.
    pub(crate) fn answer(&self) {
        self.answering.send_replace(true);
    }

    /// All requests so far, in order.
    pub(crate) fn pages(&self) -> Vec<Page> {
        self.pages.lock().unwrap().clone()
    }

    /// Waits for so many requests.
    pub(crate) async fn asked(&self, count: usize) -> Vec<Page> {
        eventually(format!("{count} requests to the pager"), BOUND, async || {
            let pages = self.pages();
            if pages.len() >= count {
                Ok(pages)
            } else {
                Err(format!("{pages:?}"))
            }
        })
        .await
    }

    /// Whom it was asked to page for this instance, in order, repetitions included.
    pub(crate) fn people(&self, instance: &str) -> Vec<String> {
        let about = format!("{instance} in ");
        let pages = self.pages();
        let of_it = pages.iter().filter(|page| page.about.starts_with(&about));
        of_it.map(|page| page.person.clone()).collect()
    }
}
