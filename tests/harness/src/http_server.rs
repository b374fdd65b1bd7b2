//! A small HTTP/1 server for simulated services and proxies.

use crate::{Context, Error, Result, tls};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::{ServerConfig, crypto::aws_lc_rs};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// The body of an answer: whole, or a stream.
pub type Body = UnsyncBoxBody<Bytes, Error>;

/// Answers a request; `None` ends the connection without an answer.
pub trait Handler:
    Fn(Request<Bytes>) -> BoxFuture<'static, Option<Response<Body>>> + Send + Sync + 'static
{
}

impl<F> Handler for F where
    F: Fn(Request<Bytes>) -> BoxFuture<'static, Option<Response<Body>>> + Send + Sync + 'static
{
}

/// A running server. It stops, and its connections end, when it is dropped.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens on this address, with TLS if it is given an identity, and lets `handler` answer.
    ///
    /// # Errors
    /// If the address is taken, or the identity is none.
    pub async fn start(
        addr: SocketAddr,
        identity: Option<&tls::Identity>,
        handler: impl Handler,
    ) -> Result<Self> {
        let listener = TcpListener::bind(addr)
            .await
            .context(|| format!("cannot listen on {addr}"))?;
        let addr = listener.local_addr().context(|| "no address")?;
        let acceptor = identity.map(acceptor).transpose()?;
        let accepting = tokio::spawn(accept(listener, acceptor, Arc::new(handler)));
        Ok(Self { addr, accepting })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// An answer of this status with a plain text.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    with_type(status, "text/plain", body)
}

/// An answer of this status with a body of this content type.
pub fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(whole(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    answer
}

/// A body that is all there.
pub fn whole(body: impl Into<Bytes>) -> Body {
    Full::new(body.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn acceptor(identity: &tls::Identity) -> Result<TlsAcceptor> {
    let certificates = CertificateDer::pem_slice_iter(identity.certificate.as_bytes())
        .collect::<std::result::Result<Vec<_>, _>>()
        .context(|| "not a certificate")?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).context(|| "not a key")?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .context(|| "cannot set up TLS")?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .context(|| "cannot serve with this certificate")?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, handler: Arc<impl Handler>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                stream.set_nodelay(true).ok();
                let (acceptor, handler) = (acceptor.clone(), Arc::clone(&handler));
                connections.spawn(async move {
                    match acceptor {
                        // A client that gives up in the handshake is its own affair.
                        Some(acceptor) => if let Ok(stream) = acceptor.accept(stream).await {
                            serve(stream, handler).await;
                        },
                        None => serve(stream, handler).await,
                    }
                });
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, handler: Arc<impl Handler>) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let handler = Arc::clone(&handler);
        async move {
            let (head, body) = request.into_parts();
            let body = body
                .collect()
                .await
                .context(|| "the request broke off")?
                .to_bytes();
            handler(Request::from_parts(head, body))
                .await
                .ok_or_else(|| Error::new("no answer, as was asked for"))
        }
    });
    // Ends with an error whenever a client leaves or a fault ends the connection: both are wanted.
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok();
}
