//! A simulated metadata service of Alibaba Cloud ECS in security hardening mode, after Alibaba's page "Instance
//! metadata".

use super::service::{Service, Shared, service};
use super::{
    pages::{self, When},
    tokens::Tokens,
};
use crate::Result;
use crate::http_server::{self, Body};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const TOKEN: &str = "x-aliyun-ecs-metadata-token";
const TOKEN_TTL: &str = "x-aliyun-ecs-metadata-token-ttl-seconds";

/// The metadata service of the instance i-bp13znx0m0me8cquu123, on a loopback port. It stops when it is dropped.
#[derive(Debug)]
pub struct Alibaba(Service<State>);

#[derive(Debug, Default)]
struct State {
    tokens: Tokens,
    released: Option<When>,
}

service!(Alibaba);

impl Alibaba {
    /// Starts one.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start() -> Result<Self> {
        Ok(Self(Service::start(None, State::default(), answer).await?))
    }

    /// Starts one on a given address.
    ///
    /// # Errors
    /// If the address is taken.
    pub async fn start_on(addr: SocketAddr) -> Result<Self> {
        Ok(Self(Service::start(Some(addr), State::default(), answer).await?))
    }

    /// Announces the release of the instance in so much time from now.
    pub fn release(&self, after: Duration) {
        self.release_when(When::At(Timestamp::now() + after));
    }

    /// The same, with any time.
    pub fn release_when(&self, when: When) {
        self.0.state().released = Some(when);
    }

    /// Makes all tokens given out so far invalid: they answer 401.
    pub fn expire_tokens(&self) {
        self.0.state().tokens.expire();
    }
}

async fn answer(shared: Arc<Shared<State>>, request: Request<Bytes>) -> Response<Body> {
    let refuse = |status: StatusCode| http_server::text(status, format!("{status}\n"));
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let mut state = shared.state();
    let path = request.uri().path();
    if path == "/latest/api/token" && request.method() == Method::PUT {
        return match header(TOKEN_TTL).and_then(|ttl| state.tokens.issue(ttl)) {
            Some((token, _)) => http_server::text(StatusCode::OK, token),
            None => refuse(StatusCode::BAD_REQUEST),
        };
    }
    if !header(TOKEN).is_some_and(|token| state.tokens.valid(token)) {
        return refuse(StatusCode::UNAUTHORIZED);
    }
    let text = match path {
        "/latest/meta-data/instance/spot/termination-time" => state
            .released
            .map(|when| pages::time(when.time(Timestamp::now()))),
        "/latest/meta-data/instance/instance-type" => Some("ecs.g6e.large".to_owned()),
        "/latest/meta-data/instance-id" => Some("i-bp13znx0m0me8cquu123".to_owned()),
        "/latest/dynamic/instance-identity/document" => Some(
            json!({
                "zone-id": "cn-hangzhou-i",
                "serial-number": "4acd2b47-b328-4762-852f-998a",
                "instance-id": "i-bp13znx0m0me8cquu123",
                "region-id": "cn-hangzhou",
                "private-ipv4": "192.168.0.1",
                "owner-account-id": "1609123456789012",
                "mac": "00:16:3e:0f:00:01",
                "image-id": "aliyun_3_x64_20G_alibase_20210425.vhd",
                "instance-type": "ecs.g6e.large",
            })
            .to_string(),
        ),
        _ => None,
    };
    match text {
        Some(text) => http_server::text(StatusCode::OK, text),
        None => refuse(StatusCode::NOT_FOUND),
    }
}
