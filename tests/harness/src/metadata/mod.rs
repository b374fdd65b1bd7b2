//! A simulated EC2 instance metadata service (IMDSv2), after the EC2 user guide's pages on instance metadata, spot
//! interruption notices, rebalance recommendations and scheduled events; and beside it those of other clouds:
//! [`Gcp`], [`Azure`], [`Alibaba`], and of those that announce nothing, [`Silent`].

mod alibaba;
mod azure;
mod gcp;
mod pages;
mod service;
mod silent;
mod tokens;

pub use alibaba::Alibaba;
pub use azure::{Azure, Event};
pub use gcp::Gcp;
pub use silent::Silent;

pub use pages::{Instance, Notice, When};

use crate::Result;
use crate::http_server::{self, Body, Server};
use crate::ports::Port;
use crate::proxy::{Fault, Faults, Seen};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokens::Tokens;

/// How the service treats requests without a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Refuses them (401).
    V2Required,
    /// Answers them as well.
    V1AndV2,
    /// Knows no tokens at all: asking for one is 404.
    V1Only,
    /// Switched off: everything is 403.
    Disabled,
}

/// The metadata service of one instance, on a loopback port. It stops when it is dropped.
#[derive(Debug)]
pub struct Metadata {
    server: Server,
    shared: Arc<Shared>,
    _port: Option<Port>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    faults: Faults,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    controlled: bool,
    instance: Instance,
    tokens: Tokens,
    spot: Option<Notice>,
    rebalance: Option<Timestamp>,
    /// What the older document of an interruption says, whatever the newer one does.
    termination_time: Option<String>,
    maintenance: serde_json::Value,
}

impl Metadata {
    /// Starts one for this instance, without any notice.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(instance: Instance) -> Result<Self> {
        let port = Port::reserve()?;
        let mut metadata = Self::start_on(port.addr(), instance).await?;
        metadata._port = Some(port);
        Ok(metadata)
    }

    /// Starts one on a given address.
    ///
    /// # Errors
    /// If the address is taken.
    pub async fn start_on(addr: SocketAddr, instance: Instance) -> Result<Self> {
        let state = State {
            mode: Mode::V2Required,
            controlled: false,
            instance,
            tokens: Tokens::default(),
            spot: None,
            rebalance: None,
            termination_time: None,
            maintenance: serde_json::json!([]),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            faults: Faults::default(),
        });
        let handler = {
            let shared = Arc::clone(&shared);
            move |request| {
                let shared = Arc::clone(&shared);
                Box::pin(async move {
                    shared
                        .faults
                        .through(request, async |request| shared.state().answer(&request))
                        .await
                }) as _
            }
        };
        Ok(Self {
            server: Server::start(addr, None, handler).await?,
            shared,
            _port: None,
        })
    }

    /// `http://127.0.0.1:port`, what stands for `http://169.254.169.254`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.addr())
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Gives notice of a spot interruption: `terminate`, `stop` or `hibernate` in so much time from now.
    pub fn interrupt(&self, action: &str, after: Duration) {
        self.shared.state().spot = Some(Notice::at(action, after));
    }

    /// As [`interrupt`](Self::interrupt), with any time.
    pub fn interrupt_when(&self, action: &str, when: When) {
        self.shared.state().spot = Some(Notice::of(action, when));
    }

    /// Takes the interruption notice back.
    pub fn withdraw(&self) {
        self.shared.state().spot = None;
    }

    /// Lets the older document of an interruption say this, without the newer one: a time, or anything.
    pub fn termination_time(&self, text: Option<&str>) {
        self.shared.state().termination_time = text.map(str::to_owned);
    }

    /// Recommends a rebalance as of now, or takes it back.
    pub fn recommend_rebalance(&self, recommended: bool) {
        self.shared.state().rebalance = recommended.then(Timestamp::now);
    }

    /// Sets the scheduled maintenance events, an array as EC2 has it.
    pub fn schedule_maintenance(&self, events: serde_json::Value) {
        self.shared.state().maintenance = events;
    }

    /// Changes what it says about the instance, say its lifecycle state or its tags.
    pub fn update(&self, change: impl FnOnce(&mut Instance)) {
        change(&mut self.shared.state().instance);
    }

    /// How it treats requests without a token.
    pub fn set_mode(&self, mode: Mode) {
        self.shared.state().mode = mode;
    }

    /// Makes all tokens given out so far invalid: they answer 401.
    pub fn expire_tokens(&self) {
        self.shared.state().tokens.expire();
    }

    /// Lets requests give and withdraw notices, for a service that runs apart from who steers it:
    /// `PUT /testbed/interrupt?action=terminate&seconds=120`, `PUT /testbed/rebalance`, `PUT /testbed/withdraw`.
    pub fn allow_control(&self) {
        self.shared.state().controlled = true;
    }

    /// From now on this goes wrong, too.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.inject(fault);
    }

    /// Ends all injected faults.
    pub fn heal(&self) {
        self.shared.faults.heal();
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.faults.seen()
    }

    /// How many requests there were for paths that contain this.
    pub fn count(&self, path: &str) -> usize {
        self.seen().iter().filter(|seen| seen.path.contains(path)).count()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TOKEN_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";

impl State {
    fn answer(&mut self, request: &Request<Bytes>) -> Response<Body> {
        let refuse = |status: StatusCode| http_server::text(status, format!("{status}\n"));
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let path = request.uri().path();
        if let (true, Some(order)) = (self.controlled, path.strip_prefix("/testbed/")) {
            return refuse(self.obey(order, request.uri().query().unwrap_or_default()));
        }
        if self.mode == Mode::Disabled {
            return refuse(StatusCode::FORBIDDEN);
        }
        if path == "/latest/api/token" {
            return match (self.mode, request.method() == Method::PUT) {
                (Mode::V1Only, _) => refuse(StatusCode::NOT_FOUND),
                (_, false) => refuse(StatusCode::METHOD_NOT_ALLOWED),
                // A request that came through a proxy may come from outside the instance.
                _ if header("x-forwarded-for").is_some() => refuse(StatusCode::FORBIDDEN),
                _ => match header(TOKEN_TTL).and_then(|ttl| self.tokens.issue(ttl)) {
                    Some((token, ttl)) => {
                        let mut answer = http_server::text(StatusCode::OK, token);
                        answer.headers_mut().insert(TOKEN_TTL, ttl.into());
                        answer
                    }
                    None => refuse(StatusCode::BAD_REQUEST),
                },
            };
        }
        if request.method() != Method::GET {
            return refuse(StatusCode::METHOD_NOT_ALLOWED);
        }
        let admitted = match (self.mode, header(TOKEN)) {
            (Mode::V1Only, _) => true,
            (_, Some(token)) => self.tokens.valid(token),
            (mode, None) => mode == Mode::V1AndV2,
        };
        if !admitted {
            return refuse(StatusCode::UNAUTHORIZED);
        }
        match self.page(path) {
            Some(text) => http_server::text(StatusCode::OK, text),
            None => refuse(StatusCode::NOT_FOUND),
        }
    }

    fn obey(&mut self, order: &str, query: &str) -> StatusCode {
        let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let seconds = query
            .get("seconds")
            .map_or(Ok(120), |seconds| seconds.parse::<u32>());
        match (order, seconds) {
            ("interrupt", Ok(seconds)) => {
                let action = query.get("action").map_or("terminate", String::as_str);
                self.spot = Some(Notice::at(action, Duration::from_secs(seconds.into())));
            }
            ("interrupt", Err(_)) => return StatusCode::BAD_REQUEST,
            ("rebalance", _) => self.rebalance = Some(Timestamp::now()),
            ("withdraw", _) => {
                self.spot = None;
                self.rebalance = None;
            }
            _ => return StatusCode::NOT_FOUND,
        }
        StatusCode::OK
    }

    fn page(&self, path: &str) -> Option<String> {
        match path.trim_end_matches('/') {
            "/latest/meta-data/spot/instance-action" => Some(self.spot.as_ref()?.json(Timestamp::now())),
            "/latest/meta-data/spot/termination-time" => match &self.termination_time {
                Some(text) => Some(text.clone()),
                None => self.spot.as_ref()?.termination_time(Timestamp::now()),
            },
            "/latest/meta-data/events/recommendations/rebalance" => {
                Some(serde_json::json!({"noticeTime": pages::time(self.rebalance?)}).to_string())
            }
            "/latest/meta-data/events/maintenance/scheduled" => Some(self.maintenance.to_string()),
            other => self.instance.page(other),
        }
    }
}
