//! In place of the public image of the local stack's Kubernetes API: the testbed's control plane, open to all at
//! `http://0.0.0.0:8080` as that image is.
#![allow(clippy::print_stderr, reason = "says at the terminal what it does")]

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use bytes::Bytes;
use hollowtrees_harness::{
    ControlPlane, Error, Result, http_client,
    http_server::{self, Body, Server},
};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use tokio::signal::unix::{SignalKind, signal};

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8080);

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<()> {
    let plane = ControlPlane::start().await?;
    let ca = plane.authority().pem().to_owned();
    let door = Arc::new(Door {
        server: plane.url(),
        client: http_client::Client::trusting(&ca)?,
        bearer: format!("Bearer {}", plane.admin_token()),
    });
    let _server = Server::start(LISTEN, None, move |request| {
        let door = Arc::clone(&door);
        Box::pin(async move { Some(door.pass(request).await) }) as _
    })
    .await?;
    eprintln!("The Kubernetes API is at http://{LISTEN}.");
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| Error::new(format!("no SIGTERM: {error}")))?;
    terminate.recv().await;
    Ok(())
}

/// Passes everything on with all rights.
struct Door {
    server: String,
    client: http_client::Client,
    bearer: String,
}

impl Door {
    async fn pass(&self, request: Request<Bytes>) -> Response<Body> {
        match self.forward(request).await {
            Ok(answer) => {
                answer.map(|body| body.map_err(|error| Error::new(error.to_string())).boxed_unsync())
            }
            Err(error) => http_server::text(StatusCode::BAD_GATEWAY, error.to_string()),
        }
    }

    async fn forward(&self, request: Request<Bytes>) -> Result<Response<hyper::body::Incoming>> {
        let wrong = |error: &dyn std::fmt::Display| Error::new(format!("cannot pass it on: {error}"));
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("{}{path}", self.server)
            .parse()
            .map_err(|error: http::uri::InvalidUri| wrong(&error))?;
        head.headers.remove(header::HOST);
        head.headers.remove(header::CONNECTION);
        let bearer = HeaderValue::from_str(&self.bearer).map_err(|error| wrong(&error))?;
        head.headers.insert(header::AUTHORIZATION, bearer);
        self.client
            .stream(Request::from_parts(head, Full::new(body)))
            .await
    }
}
