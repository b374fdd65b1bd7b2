//! A proxy that speaks HTTP.

use super::fault::{Fault, Faults, Seen};
use crate::http_server::{self, Body, Server};
use crate::ports::Port;
use crate::{Error, Result, http_client, tls};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use std::net::SocketAddr;
use std::sync::Arc;

/// An HTTP proxy in front of a service, that answers some requests in its place, late, or not at all.
///
/// Answers are passed on as they come, watches included; connections are HTTP/1, upgrades are not supported. It stops
/// when it is dropped.
#[derive(Debug)]
pub struct Http {
    server: Server,
    scheme: &'static str,
    shared: Arc<Shared>,
    _port: Port,
}

/// Builds an [`Http`] proxy.
#[derive(Debug)]
pub struct Builder {
    upstream: String,
    trust: String,
    identity: Option<tls::Identity>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    client: http_client::Client,
    faults: Faults,
}

impl Builder {
    /// Trusts this authority when the service is `https://`.
    #[must_use]
    pub fn trust(mut self, ca_pem: &str) -> Self {
        ca_pem.clone_into(&mut self.trust);
        self
    }

    /// Serves `https://` with this certificate.
    #[must_use]
    pub fn serve_tls(mut self, identity: tls::Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// If no port is free, or a certificate is none.
    pub async fn start(self) -> Result<Http> {
        let port = Port::reserve()?;
        let shared = Arc::new(Shared {
            upstream: self.upstream,
            client: http_client::Client::trusting(&self.trust)?,
            faults: Faults::default(),
        });
        let handler = {
            let shared = Arc::clone(&shared);
            move |request| {
                let shared = Arc::clone(&shared);
                Box::pin(async move {
                    shared
                        .faults
                        .through(request, |request| shared.pass(request))
                        .await
                }) as _
            }
        };
        let scheme = if self.identity.is_some() { "https" } else { "http" };
        let server = Server::start(port.addr(), self.identity.as_ref(), handler).await?;
        Ok(Http {
            server,
            scheme,
            shared,
            _port: port,
        })
    }
}

impl Http {
    /// Starts one in front of a service at `http://host:port`, without TLS.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(upstream: &str) -> Result<Self> {
        Self::builder(upstream).start().await
    }

    /// Starts one with TLS on either side.
    pub fn builder(upstream: &str) -> Builder {
        Builder {
            upstream: upstream.trim_end_matches('/').to_owned(),
            trust: String::new(),
            identity: None,
        }
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.addr())
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// From now on this goes wrong, too. The first fault that matches a request strikes it.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.inject(fault);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.shared.faults.heal();
    }

    /// All requests so far, in the order of their answers.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.faults.seen()
    }
}

impl Shared {
    async fn pass(&self, request: Request<Bytes>) -> Response<Body> {
        match self.forward(request).await {
            Ok(answer) => {
                answer.map(|body| body.map_err(|error| Error::new(error.to_string())).boxed_unsync())
            }
            Err(error) => http_server::text(StatusCode::BAD_GATEWAY, error.to_string()),
        }
    }

    async fn forward(&self, request: Request<Bytes>) -> Result<Response<hyper::body::Incoming>> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("{}{path}", self.upstream)
            .parse::<Uri>()
            .map_err(|error| Error::new(format!("not an address: {}{path}: {error}", self.upstream)))?;
        // Both belong to the connection that the request came on.
        head.headers.remove(header::HOST);
        head.headers.remove(header::CONNECTION);
        head.version = http::Version::HTTP_11;
        self.client
            .stream(Request::from_parts(head, Full::new(body)))
            .await
    }
}
