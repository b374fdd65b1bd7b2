//! One HTTP/1.1 connection, kept while the server keeps it: to a metadata service, or to the API server.

mod base;
mod socket;

use std::io;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle};

pub use base::Base;
use socket::Socket;
pub(crate) use socket::Trust;

#[derive(Debug)]
pub(crate) struct Connection {
    /// Where the service may be; at least one.
    bases: Vec<Base>,
    /// Whose certificates are believed; none: it is no TLS.
    trust: Option<Trust>,
    /// Which of them is tried, or answers.
    at: usize,
    open: Option<Open>,
    /// Whether the last attempt got as far as a connection.
    made: bool,
}

#[derive(Debug)]
struct Open {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[derive(Debug)]
pub(crate) enum Failed {
    /// No connection could be made.
    Connect {
        /// Base that was tried.
        url: String,
        error: io::Error,
    },
    /// The exchange broke off, or the answer is too large.
    Exchange(String),
}

impl Connection {
    pub(crate) fn new(bases: Vec<Base>) -> Self {
        Self {
            bases,
            trust: None,
            at: 0,
            open: None,
            made: false,
        }
    }

    /// With TLS, to whom `trust` believes.
    pub(crate) fn secure(base: Base, trust: Trust) -> Self {
        Self {
            trust: Some(trust),
            ..Self::new(vec![base])
        }
    }

    pub(crate) fn close(&mut self) {
        self.open = None;
        if !self.made {
            self.turn();
        }
    }

    pub(crate) fn was_made(&self) -> bool {
        self.made
    }

    /// The base that is tried, as it was written.
    pub(crate) fn url(&self) -> String {
        self.base().map(|base| base.url.clone()).unwrap_or_default()
    }

    fn base(&self) -> Option<&Base> {
        self.bases.get(self.at)
    }

    /// The next base is tried next.
    fn turn(&mut self) {
        self.at = (self.at + 1) % self.bases.len().max(1);
    }

    /// Sends a request that may be repeated; a kept connection that turns out to be closed is made again. An answer
    /// of more than `most` bytes is none.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        path: &'static str,
        most: usize,
    ) -> Result<Response<Bytes>, Failed> {
        if let Some(open) = self.open.take().filter(|open| !open.sender.is_closed()) {
            match self.exchange(open, request.clone(), most).await {
                Ok(answer) => return Ok(answer),
                Err(error) => tracing::debug!(path, error, "A kept connection was closed."),
            }
        }
        let open = match self.connect().await {
            Ok(open) => open,
            Err(error) => {
                let url = self.url();
                self.turn();
                return Err(Failed::Connect { url, error });
            }
        };
        self.exchange(open, request, most).await.map_err(Failed::Exchange)
    }

    async fn connect(&mut self) -> io::Result<Open> {
        self.made = false;
        let base = self.base().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let stream = TcpStream::connect((base.host.as_str(), base.port)).await?;
        stream.set_nodelay(true)?;
        let socket = Socket::open(stream, self.trust.as_ref(), &base.host).await?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(16 * 1024)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(io::Error::other)?;
        self.made = true;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "A connection ended.");
            }
        });
        Ok(Open { sender, driver })
    }

    async fn exchange(
        &mut self,
        mut open: Open,
        mut request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<Response<Bytes>, String> {
        let authority = self.base().map(|base| base.authority.clone());
        let authority = authority.unwrap_or(HeaderValue::from_static("localhost"));
        request.headers_mut().insert(header::HOST, authority);
        let answer = open
            .sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, most)
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        self.open = Some(open);
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}
