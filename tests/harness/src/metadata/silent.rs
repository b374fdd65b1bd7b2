//! Simulated metadata services of clouds that announce no interruption: as much of them as it takes to know them.

use super::service::{Service, Shared, service};
use crate::Result;
use crate::http_server::{self, Body};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use std::sync::Arc;

/// The metadata service of one instance, on a loopback port. It stops when it is dropped.
#[derive(Debug)]
pub struct Silent(Service<State>);

#[derive(Debug)]
struct State {
    path: &'static str,
    text: &'static str,
    /// A header without which it refuses.
    header: Option<(&'static str, &'static str)>,
}

service!(Silent);

impl Silent {
    /// Oracle's, version 2 (Oracle, "Getting Instance Metadata").
    ///
    /// # Errors
    /// If no port is free.
    pub async fn oracle() -> Result<Self> {
        Self::of(State {
            path: "/opc/v2/instance/id",
            text: "ocid1.instance.oc1.phx.abyhqljrexamplexample",
            header: Some(("authorization", "Bearer Oracle")),
        })
        .await
    }

    /// DigitalOcean's (DigitalOcean, "Metadata API").
    ///
    /// # Errors
    /// If no port is free.
    pub async fn digitalocean() -> Result<Self> {
        Self::of(State {
            path: "/metadata/v1/id",
            text: "2756294",
            header: None,
        })
        .await
    }

    async fn of(state: State) -> Result<Self> {
        Ok(Self(Service::start(None, state, answer).await?))
    }
}

async fn answer(shared: Arc<Shared<State>>, request: Request<Bytes>) -> Response<Body> {
    let state = shared.state();
    let admitted = |(name, value)| request.headers().get(name).is_some_and(|found| found == value);
    if state.header.is_some_and(|header| !admitted(header)) {
        return http_server::text(StatusCode::NOT_FOUND, "{\"code\": 404}");
    }
    if request.uri().path() == state.path {
        http_server::text(StatusCode::OK, state.text)
    } else {
        http_server::text(StatusCode::NOT_FOUND, "404")
    }
}
