//! What can go wrong with an HTTP request.

use crate::Error;
use crate::http_server::{self, Body};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use jiff::Timestamp;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// A request that came through, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Its path with its query.
    pub path: String,
    /// The status of the answer; none if the connection was ended instead.
    pub status: Option<StatusCode>,
    /// Whether a fault had a hand in it.
    pub faulty: bool,
    /// When it came.
    pub at: Timestamp,
}

/// What goes wrong, for which requests, how often. Built by its effect, then narrowed.
#[derive(Clone, Debug)]
pub struct Fault {
    effect: Effect,
    method: Option<Method>,
    path: Option<String>,
    containing: Vec<String>,
    header: Option<(&'static str, String)>,
    skip: usize,
    times: usize,
    chance: Option<Chance>,
    struck: Arc<AtomicUsize>,
}

/// Requests that [`Fault::held_before`] or [`Fault::held_after`] holds. Dropped, it ends their connections without an answer.
#[derive(Debug)]
pub struct Held(Arc<Holding>);

#[derive(Debug)]
struct Holding {
    /// A permit for each request that is held and was not waited for.
    reached: Semaphore,
    /// Closed once nothing is held any more.
    over: Semaphore,
}

impl Held {
    fn new() -> (Self, Arc<Holding>) {
        let holding = Arc::new(Holding {
            reached: Semaphore::new(0),
            over: Semaphore::new(0),
        });
        (Self(Arc::clone(&holding)), holding)
    }

    /// Waits until one is held that was not waited for before.
    pub async fn reached(&self) {
        self.0
            .reached
            .acquire()
            .await
            .expect("it is never closed")
            .forget();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.over.close();
    }
}

impl Holding {
    async fn hold(&self) {
        self.reached.add_permits(1);
        // Nobody gives a permit.
        self.over.acquire().await.ok();
    }
}

/// So many of a hundred, by dice.
#[derive(Clone, Debug)]
struct Chance {
    percent: u64,
    dice: u64,
}

impl Chance {
    /// SplitMix64: the same seed gives the same throws.
    fn hits(&mut self) -> bool {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100 < self.percent
    }
}

#[derive(Clone, Debug)]
enum Effect {
    Answer {
        status: StatusCode,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    Slow(Duration),
    Garbage,
    Truncated,
    Stalled,
    NoAnswer,
    LostReply,
    HeldBefore(Arc<Holding>),
    HeldAfter(Arc<Holding>),
}

impl Fault {
    /// Answers this status, with a Kubernetes `Status` as the body, without asking the service.
    ///
    /// # Panics
    /// If it is no status.
    pub fn status(status: u16) -> Self {
        let body = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "message": "injected fault",
        });
        let status = StatusCode::from_u16(status).expect("a status between 100 and 999");
        Self::new(Effect::Answer {
            status,
            headers: Vec::new(),
            body: body.to_string(),
        })
    }

    /// Answers late by this much.
    pub fn slow(delay: Duration) -> Self {
        Self::new(Effect::Slow(delay))
    }

    /// Answers 200 with bytes that are no JSON and no text, without asking the service.
    pub fn garbage() -> Self {
        Self::new(Effect::Garbage)
    }

    /// Asks the service and ends the connection after half of its answer.
    pub fn truncated() -> Self {
        Self::new(Effect::Truncated)
    }

    /// Asks the service and sends half of its answer, then nothing more; the connection stays.
    pub fn stalled() -> Self {
        Self::new(Effect::Stalled)
    }

    /// Ends the connection without asking the service.
    pub fn no_answer() -> Self {
        Self::new(Effect::NoAnswer)
    }

    /// Asks the service, then ends the connection without an answer: it was done, and the client does not know.
    pub fn lost_reply() -> Self {
        Self::new(Effect::LostReply)
    }

    /// Holds a request without asking the service, and never asks it.
    pub fn held_before() -> (Self, Held) {
        let (held, holding) = Held::new();
        (Self::new(Effect::HeldBefore(holding)), held)
    }

    /// Asks the service, then holds its answer, and never gives it.
    pub fn held_after() -> (Self, Held) {
        let (held, holding) = Held::new();
        (Self::new(Effect::HeldAfter(holding)), held)
    }

    fn new(effect: Effect) -> Self {
        Self {
            effect,
            method: None,
            path: None,
            containing: Vec::new(),
            header: None,
            skip: 0,
            times: usize::MAX,
            chance: None,
            struck: Arc::default(),
        }
    }

    /// With this header in the answer, say `("retry-after", "1")`; for [`Fault::status`].
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Effect::Answer { headers, .. } = &mut self.effect {
            headers.push((name, value.into()));
        }
        self
    }

    /// With this body; for [`Fault::status`].
    #[must_use]
    pub fn body(mut self, text: impl Into<String>) -> Self {
        if let Effect::Answer { body, .. } = &mut self.effect {
            *body = text.into();
        }
        self
    }

    /// Only for requests of this method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only for requests whose path with query contains this text.
    #[must_use]
    pub fn path(mut self, text: impl Into<String>) -> Self {
        self.path = Some(text.into());
        self
    }

    /// Only for requests whose body contains this text, say `Action=RunInstances`; asked for more than once, all of them.
    #[must_use]
    pub fn containing(mut self, text: impl Into<String>) -> Self {
        self.containing.push(text.into());
        self
    }

    /// Only for requests with a header of this name that contains this text.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.header = Some((name, text.into()));
        self
    }

    /// Only for requests to AWS that are signed with this access key.
    #[must_use]
    pub fn signed_with(self, key: &str) -> Self {
        self.with_header("authorization", format!("Credential={key}/"))
    }

    /// Not for the first so many that match.
    #[must_use]
    pub fn skip(mut self, requests: usize) -> Self {
        self.skip = requests;
        self
    }

    /// For so many that match, and no more.
    #[must_use]
    pub fn times(mut self, requests: usize) -> Self {
        self.times = requests;
        self
    }

    /// For so many of a hundred that match, by dice of this seed.
    #[must_use]
    pub fn percent(mut self, percent: u64, seed: u64) -> Self {
        self.chance = Some(Chance { percent, dice: seed });
        self
    }

    /// How many requests it struck so far, its clones included.
    pub fn struck(&self) -> usize {
        self.struck.load(Ordering::Relaxed)
    }

    /// Whether it strikes this request; counts it.
    fn strikes(&mut self, method: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> bool {
        let matches = self.times > 0
            && self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self.path.as_ref().is_none_or(|wanted| path.contains(wanted))
            && self
                .containing
                .iter()
                .all(|wanted| contains(body, wanted.as_bytes()))
            && self.header.as_ref().is_none_or(|(name, wanted)| {
                let found = headers.get(*name);
                found.is_some_and(|found| contains(found.as_bytes(), wanted.as_bytes()))
            });
        let matches = matches && self.chance.as_mut().is_none_or(Chance::hits);
        if matches && self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if matches && self.times != usize::MAX {
            self.times -= 1;
        }
        self.struck.fetch_add(usize::from(matches), Ordering::Relaxed);
        matches
    }
}

/// The faults of one service and the requests it saw.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    faults: Mutex<Vec<Fault>>,
    seen: Mutex<Vec<Seen>>,
}

impl Faults {
    pub(crate) fn inject(&self, fault: Fault) {
        lock(&self.faults).push(fault);
    }

    pub(crate) fn heal(&self) {
        lock(&self.faults).clear();
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    /// Lets `service` answer, unless a fault does, or spoils the answer.
    pub(crate) async fn through<F: Future<Output = Response<Body>>>(
        &self,
        request: Request<Bytes>,
        service: impl FnOnce(Request<Bytes>) -> F,
    ) -> Option<Response<Body>> {
        let at = Timestamp::now();
        let method = request.method().clone();
        let path = request
            .uri()
            .path_and_query()
            .map_or_else(|| "/".to_owned(), ToString::to_string);
        let effect = lock(&self.faults).iter_mut().find_map(|fault| {
            fault
                .strikes(&method, &path, request.headers(), request.body())
                .then(|| fault.effect.clone())
        });
        let faulty = effect.is_some();
        let answer = affected(effect, request, service).await;
        lock(&self.seen).push(Seen {
            method,
            path,
            status: answer.as_ref().map(Response::status),
            faulty,
            at,
        });
        answer
    }
}

async fn affected<F: Future<Output = Response<Body>>>(
    effect: Option<Effect>,
    request: Request<Bytes>,
    service: impl FnOnce(Request<Bytes>) -> F,
) -> Option<Response<Body>> {
    let Some(effect) = effect else {
        return Some(service(request).await);
    };
    match effect {
        Effect::Slow(delay) => {
            tokio::time::sleep(delay).await;
            Some(service(request).await)
        }
        Effect::Answer {
            status,
            headers,
            body,
        } => {
            let mut answer = http_server::with_type(status, "application/json", body);
            for (name, value) in headers {
                answer
                    .headers_mut()
                    .insert(name, HeaderValue::from_str(&value).expect("a header's value"));
            }
            Some(answer)
        }
        Effect::Garbage => Some(http_server::with_type(
            StatusCode::OK,
            "application/json",
            &b"\x00\xff{]<\xfe garbage"[..],
        )),
        Effect::Truncated => {
            let cut = stream::iter([Err(Error::new("cut off, as was asked for"))]);
            half(service(request).await, cut).await
        }
        Effect::Stalled => half(service(request).await, stream::pending()).await,
        Effect::NoAnswer => None,
        Effect::LostReply => {
            // Read to its end, so that the service has done all it does.
            service(request).await.into_body().collect().await.ok();
            None
        }
        Effect::HeldBefore(holding) => {
            holding.hold().await;
            None
        }
        Effect::HeldAfter(holding) => {
            service(request).await.into_body().collect().await.ok();
            holding.hold().await;
            None
        }
    }
}

/// The length of the whole is promised, half of it comes, and then this.
async fn half(
    answer: Response<Body>,
    then: impl Stream<Item = Result<Frame<Bytes>, Error>> + Send + 'static,
) -> Option<Response<Body>> {
    let (mut head, body) = answer.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    head.headers.insert(header::CONTENT_LENGTH, body.len().into());
    head.headers.remove(header::TRANSFER_ENCODING);
    let half = stream::iter([Ok(Frame::data(body.slice(..body.len() / 2)))]);
    let body = StreamBody::new(half.chain(then));
    Some(Response::from_parts(head, BodyExt::boxed_unsync(body)))
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
