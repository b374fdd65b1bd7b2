//! Who may ask; then the handler of the path.

use std::{sync::Arc, time::Instant};

use hollowtrees_domain::recommend::{Asked, Evidence, Taste, Wish};
use hollowtrees_runtime::{
    http::{Answer, text, typed},
    server::{Bodies, BodyError, Peer, Service},
};
use http::{HeaderValue, Request, StatusCode, header, request};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde_json::Value;
use subtle::ConstantTimeEq;
use tokio::sync::{Semaphore, watch};

use super::{OPENAPI, route::Route};
use crate::{
    config::Http,
    files::Files,
    interruptions::Book,
    known::{Known, Shelf, Types},
    pools,
    problem::{Names, Problem},
    spot_recommender,
    telemetry::Telemetry,
    telescopes,
};

/// Answers worked out at one time: the widest takes some tens of milliseconds of a processor.
const AT_ONCE: usize = 2;

/// What all answers are made from. Cheap to clone.
#[derive(Clone)]
pub struct Knowledge {
    /// What AWS said.
    pub shelf: Shelf,
    /// What the operator said.
    pub files: watch::Receiver<Arc<Files>>,
    /// What we lost.
    pub book: Book,
    /// What the operator cares for.
    pub taste: Taste,
}

/// A region that can be asked for.
pub struct Ground {
    /// Its name.
    pub region: String,
    /// What is known.
    pub known: Known,
    /// Its types.
    pub types: Arc<Types>,
    /// What the operator said.
    pub files: Arc<Files>,
    /// When it is asked.
    pub now: Timestamp,
    /// What we lost.
    pub book: Book,
    /// What the operator cares for.
    pub taste: Taste,
}

impl Knowledge {
    /// What is known of a region now.
    ///
    /// # Errors
    /// It is none of ours, or nothing has been read yet.
    pub fn ground(&self, region: &str) -> Result<Ground, Problem> {
        let Some(known) = self.shelf.get(region) else {
            let ours: Vec<_> = self.shelf.regions().collect();
            let detail = format!(
                "region `{region}` is not looked at here; ask for {}, or add it to `regions` (HT_REGIONS)",
                ours.join(", ")
            );
            return Err(Problem {
                field: "region".to_owned(),
                ..Problem::new(StatusCode::NOT_FOUND, detail)
            });
        };
        let missing = |what: &str, trouble: Option<&str>| {
            let why = trouble.map_or_else(|| "the first read is under way".to_owned(), str::to_owned);
            let detail = format!("{what} of {region} are not known yet: {why}; ask again in some seconds");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        };
        let Some(types) = known.types.clone() else {
            return Err(missing("the types", known.offered.trouble()));
        };
        if known.prices.value().is_none() {
            return Err(missing("the prices", known.prices.trouble()));
        }
        Ok(Ground {
            region: region.to_owned(),
            known,
            types,
            files: Arc::clone(&self.files.borrow()),
            now: Timestamp::now(),
            book: self.book.clone(),
            taste: self.taste,
        })
    }
}

impl Ground {
    /// A wish, read against what the region has, and what is known of the pools that fit it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn wish(&self, asked: &Asked, names: Names) -> Result<(Wish, Evidence), Problem> {
        let wish = Wish::read(asked, &self.types.catalogue).map_err(|error| Problem::wish(&error, names))?;
        let lost = self.book.of(&self.region);
        let evidence = self
            .known
            .evidence(&wish, &self.types, &self.files, lost, self.now);
        Ok((wish, evidence))
    }
}

/// Everything between a connection and an answer.
pub struct Gate {
    knowledge: Knowledge,
    bodies: Bodies,
    working: Semaphore,
    http: Http,
    telemetry: Telemetry,
}

impl Gate {
    /// Answers from this.
    pub fn new(knowledge: Knowledge, http: Http, telemetry: Telemetry) -> Self {
        Self {
            knowledge,
            bodies: Bodies::new(http.body_bytes, http.memory_bytes, http.body_time),
            working: Semaphore::new(AT_ONCE),
            http,
            telemetry,
        }
    }

    async fn routed(&self, route: Route, head: request::Parts, body: Incoming) -> Result<Answer, Problem> {
        match &route {
            Route::Status => return Ok(typed(StatusCode::OK, "application/json", "\"ok\"")),
            Route::Version => return Ok(text(StatusCode::OK, concat!(env!("CARGO_PKG_VERSION"), "\n"))),
            Route::OpenApi => return Ok(typed(StatusCode::OK, "application/yaml", OPENAPI)),
            _ => self.admit(&head)?,
        }
        let body = match route {
            Route::Cluster(_) | Route::ScaleOut(_) => {
                let held = self.bodies.read(&head.headers, body).await;
                Some(held.map_err(|error| unread(&error))?)
            }
            _ => None,
        };
        let _turn = self.working.acquire().await;
        let bytes = body.as_ref().map_or(&[][..], |held| &held.bytes);
        let query = head.uri.query();
        let answer = match route {
            Route::Pools(region) => pools::answer(&self.knowledge, &region, query)?,
            Route::SpotRecommender(region) => spot_recommender::answer(&self.knowledge, &region, query)?,
            Route::Cluster(place) => telescopes::cluster(&self.knowledge, &place, bytes)?,
            Route::ScaleOut(place) => telescopes::scale_out(&self.knowledge, &place, bytes)?,
            Route::Status | Route::Version | Route::OpenApi => Value::Null,
        };
        Ok(typed(StatusCode::OK, "application/json", answer.to_string()))
    }

    fn admit(&self, head: &request::Parts) -> Result<(), Problem> {
        let Some(token) = &self.http.token else {
            return Ok(());
        };
        let shown = head.headers.get(header::AUTHORIZATION);
        let shown = shown.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        if shown.is_some_and(|shown| shown.ct_eq(token.expose().as_bytes()).into()) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "a bearer token is needed; send `Authorization: Bearer ...` with the value of http.token",
        ))
    }
}

impl Service for Gate {
    async fn answer(&self, request: Request<Incoming>, _peer: &Peer) -> Answer {
        let start = Instant::now();
        let (head, body) = request.into_parts();
        let (word, answer) = match Route::of(&head.method, head.uri.path()) {
            Ok(route) => {
                let word = route.word();
                let answer = self.routed(route, head, body).await;
                (word, answer.unwrap_or_else(|problem| problem.answer()))
            }
            Err((status, allowed)) => {
                let detail = "there is nothing at this path, or not by this method; see /openapi.yaml";
                let mut answer = Problem::new(status, detail).answer();
                if let Ok(allowed) = HeaderValue::from_str(&allowed)
                    && status == StatusCode::METHOD_NOT_ALLOWED
                {
                    answer.headers_mut().insert(header::ALLOW, allowed);
                }
                ("none", answer)
            }
        };
        self.telemetry
            .answered(word, answer.status().as_u16(), start.elapsed());
        answer
    }
}

fn unread(error: &BodyError) -> Problem {
    let status = match error {
        BodyError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::Slow(_) => StatusCode::REQUEST_TIMEOUT,
        BodyError::Broken => StatusCode::BAD_REQUEST,
        BodyError::Compressed => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        BodyError::Full => StatusCode::SERVICE_UNAVAILABLE,
    };
    Problem::new(status, error.to_string())
}
