//! Connections: so many at a time, none that dawdles, with TLS where there are certificates.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::tls::Acceptor;
use crate::http::Answer;

/// A request's head, in bytes: hyper answers 431 to a larger one.
const HEAD: usize = 64 * 1024;
/// Wait after a connection could not be taken: out of file descriptors, mostly.
const PAUSE: Duration = Duration::from_millis(200);

/// The other end of a connection.
#[derive(Debug)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Names in its certificate.
    pub certificate: Vec<String>,
}

/// What answers.
pub trait Service: Send + Sync + 'static {
    /// Answers a request.
    fn answer(&self, request: Request<Incoming>, peer: &Peer) -> impl Future<Output = Answer> + Send;
}

/// What a connection may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at one time.
    pub connections: usize,
    /// For the handshake, and for a request's head.
    pub header_time: Duration,
}

/// Serves until `end` is cancelled; then requests under way are answered, and it returns.
pub async fn serve<S: Service>(
    listener: TcpListener,
    acceptor: Option<Arc<Acceptor>>,
    service: Arc<S>,
    limits: Limits,
    end: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let open = TaskTracker::new();
    loop {
        let place = tokio::select! {
            () = end.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = end.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "A connection could not be accepted.");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (acceptor, service, end) = (acceptor.clone(), Arc::clone(&service), end.clone());
        open.spawn(async move {
            if let Err(error) = one(stream, address, acceptor, service, limits, end).await {
                tracing::debug!(%error, peer = %address, "A connection ended early.");
            }
            drop(place);
        });
    }
    drop(listener);
    open.close();
    open.wait().await;
}

async fn one<S: Service>(
    stream: TcpStream,
    address: SocketAddr,
    acceptor: Option<Arc<Acceptor>>,
    service: Arc<S>,
    limits: Limits,
    end: CancellationToken,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match acceptor {
        None => {
            let peer = Peer {
                address: address.ip(),
                certificate: Vec::new(),
            };
            spoken(stream, peer, service, limits, end).await
        }
        Some(acceptor) => {
            let shaken = timeout(limits.header_time, acceptor.accept(stream)).await;
            let (stream, certificate) = shaken.map_err(|_| io::ErrorKind::TimedOut)??;
            let peer = Peer {
                address: address.ip(),
                certificate,
            };
            spoken(stream, peer, service, limits, end).await
        }
    }
}

async fn spoken<T, S: Service>(
    stream: T,
    peer: Peer,
    service: Arc<S>,
    limits: Limits,
    end: CancellationToken,
) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    let peer = Arc::new(peer);
    let service = service_fn(move |request: Request<Incoming>| {
        let (service, peer) = (Arc::clone(&service), Arc::clone(&peer));
        async move { Ok::<_, Infallible>(service.answer(request, &peer).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(HEAD);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = end.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended.map_err(io::Error::other)
}
