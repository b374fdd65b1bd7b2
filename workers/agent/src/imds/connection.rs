//! One HTTP/1.1 connection, kept while the server keeps it.

use std::io;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle};

/// Documents are a few hundred bytes; more than this is none of them.
const BODY: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Connection {
    host: String,
    port: u16,
    open: Option<Open>,
    /// Whether the last attempt got as far as a connection.
    made: bool,
}

#[derive(Debug)]
struct Open {
    sender: SendRequest<Empty<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[derive(Debug)]
pub(super) enum Failed {
    /// No connection could be made.
    Connect(io::Error),
    /// The exchange broke off, or the answer is too large.
    Exchange(String),
}

impl Connection {
    pub(super) fn new(host: String, port: u16) -> Self {
        Self {
            host,
            port,
            open: None,
            made: false,
        }
    }

    pub(super) fn close(&mut self) {
        self.open = None;
    }

    pub(super) fn was_made(&self) -> bool {
        self.made
    }

    /// Sends a request that may be repeated; a kept connection that turns out to be closed is made again.
    pub(super) async fn send(
        &mut self,
        request: Request<Empty<Bytes>>,
        path: &'static str,
    ) -> Result<Response<Bytes>, Failed> {
        if let Some(open) = self.open.take().filter(|open| !open.sender.is_closed()) {
            match self.exchange(open, request.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => tracing::debug!(path, error, "A kept connection was closed."),
            }
        }
        let open = self.connect().await.map_err(Failed::Connect)?;
        self.exchange(open, request).await.map_err(Failed::Exchange)
    }

    async fn connect(&mut self) -> io::Result<Open> {
        self.made = false;
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(16 * 1024)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        self.made = true;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "The connection to the metadata service ended.");
            }
        });
        Ok(Open { sender, driver })
    }

    async fn exchange(
        &mut self,
        mut open: Open,
        request: Request<Empty<Bytes>>,
    ) -> Result<Response<Bytes>, String> {
        let answer = open
            .sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, BODY)
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        self.open = Some(open);
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}
