//! EC2 instance metadata service, version 2 (AWS: "Use the Instance Metadata Service to access instance metadata").
//!
//! Every read carries a session token, fetched by `PUT /latest/api/token`, kept, and renewed after four fifths of its
//! life. A 401 means that the token is not valid any more (the instance was resumed, the service restarted): it is
//! renewed once. Version 1, without a token, is never used unless configured.

mod connection;
mod error;
mod token;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Empty;

pub use error::Error;

use crate::settings::Metadata;
use connection::Connection;
use token::Token;

const TOKEN_PATH: &str = "/latest/api/token";
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const TOKEN_TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");

/// Reads documents of the metadata service.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    base: String,
    authority: HeaderValue,
    timeout: Duration,
    ttl: Duration,
    allow_v1: bool,
    token: Option<Token>,
}

/// Host and port of a base URL.
///
/// # Errors
/// Says what was given and how one is written.
pub fn base(url: &str) -> Result<(String, u16), String> {
    let wrong =
        || format!("`{url}` is not the base of a metadata service; write http://HOST or http://HOST:PORT");
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let plain = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none();
    match uri.host() {
        Some(host) if plain => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            Ok((host.to_owned(), uri.port_u16().unwrap_or(80)))
        }
        _ => Err(wrong()),
    }
}

impl Client {
    /// A client that has not connected yet.
    ///
    /// # Errors
    /// A bad URL; validated settings have none.
    pub fn new(settings: &Metadata) -> Result<Self, String> {
        let (host, port) = base(&settings.url)?;
        let authority = settings.url.trim_start_matches("http://").trim_end_matches('/');
        Ok(Self {
            connection: Connection::new(host, port),
            base: settings.url.clone(),
            authority: HeaderValue::from_str(authority).map_err(|error| error.to_string())?,
            timeout: settings.timeout,
            ttl: settings.token_ttl,
            allow_v1: settings.allow_v1,
            token: None,
        })
    }

    /// The document at `path` (`/latest/...`), or `None` where the service says there is none (404).
    ///
    /// # Errors
    /// Everything else that is not the document, with what a person can do.
    pub async fn document(&mut self, path: &'static str) -> Result<Option<Bytes>, Error> {
        let token = self.fresh_token().await?;
        let mut answer = self.get(path, token.as_ref()).await?;
        if answer.status() == StatusCode::UNAUTHORIZED && (token.is_some() || !self.allow_v1) {
            self.token = None;
            let token = self.fresh_token().await?;
            answer = self.get(path, token.as_ref()).await?;
        }
        match answer.status() {
            StatusCode::OK => Ok(Some(answer.into_body())),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED => Err(Error::Unauthorized { path }),
            StatusCode::FORBIDDEN => Err(Error::Forbidden { path }),
            status => Err(Error::Status { path, status }),
        }
    }

    /// A token that is good for now, or `None` for a request of version 1.
    async fn fresh_token(&mut self) -> Result<Option<HeaderValue>, Error> {
        let now = Instant::now();
        if let Some(token) = &self.token
            && !token.is_due(now)
        {
            return Ok(Some(token.value().clone()));
        }
        match self.fetch_token(now).await {
            Ok(token) => {
                let value = token.value().clone();
                self.token = Some(token);
                Ok(Some(value))
            }
            Err(error) => match &self.token {
                // Renewal is early so that it may fail for a while.
                Some(token) if !token.is_over(now) => Ok(Some(token.value().clone())),
                _ if self.allow_v1 && error.leaves_v1() => Ok(None),
                _ => Err(error),
            },
        }
    }

    async fn fetch_token(&mut self, now: Instant) -> Result<Token, Error> {
        let request = self.request(
            Method::PUT,
            TOKEN_PATH,
            TOKEN_TTL,
            HeaderValue::from(self.ttl.as_secs()),
        );
        let answer = self.send(request, TOKEN_PATH).await?;
        match answer.status() {
            StatusCode::OK => {
                let ttl = answer
                    .headers()
                    .get(TOKEN_TTL)
                    .and_then(|value| value.to_str().ok()?.parse().ok());
                Token::new(answer.body(), ttl.map_or(self.ttl, Duration::from_secs), now).ok_or_else(|| {
                    Error::Broken {
                        path: TOKEN_PATH,
                        cause: "the token is not text".to_owned(),
                    }
                })
            }
            StatusCode::FORBIDDEN => Err(Error::Forbidden { path: TOKEN_PATH }),
            StatusCode::UNAUTHORIZED => Err(Error::Unauthorized { path: TOKEN_PATH }),
            status => Err(Error::Status {
                path: TOKEN_PATH,
                status,
            }),
        }
    }

    async fn get(
        &mut self,
        path: &'static str,
        token: Option<&HeaderValue>,
    ) -> Result<http::Response<Bytes>, Error> {
        let request = match token {
            Some(token) => self.request(Method::GET, path, TOKEN, token.clone()),
            None => self.request(Method::GET, path, header::ACCEPT, HeaderValue::from_static("*/*")),
        };
        self.send(request, path).await
    }

    fn request(
        &self,
        method: Method,
        path: &'static str,
        name: HeaderName,
        value: HeaderValue,
    ) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from_static(path);
        request.headers_mut().insert(header::HOST, self.authority.clone());
        request.headers_mut().insert(name, value);
        request
    }

    async fn send(
        &mut self,
        request: Request<Empty<Bytes>>,
        path: &'static str,
    ) -> Result<http::Response<Bytes>, Error> {
        let sent = tokio::time::timeout(self.timeout, self.connection.send(request, path)).await;
        match sent {
            Ok(Err(connection::Failed::Connect(cause))) => Err(Error::Unreachable {
                url: self.base.clone(),
                cause: cause.to_string(),
            }),
            Ok(Err(connection::Failed::Exchange(cause))) => Err(Error::Broken { path, cause }),
            Ok(Ok(answer)) => Ok(answer),
            Err(_) => {
                self.connection.close();
                let (url, limit) = (self.base.clone(), self.timeout);
                if path == TOKEN_PATH && self.connection.was_made() {
                    Err(Error::NoToken { limit })
                } else {
                    Err(Error::TimedOut { url, path, limit })
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases() {
        for (url, expected) in [
            ("http://169.254.169.254", Some(("169.254.169.254", 80))),
            ("http://169.254.169.254/", Some(("169.254.169.254", 80))),
            ("http://[fd00:ec2::254]:8080", Some(("fd00:ec2::254", 8080))),
            ("http://metadata:1338", Some(("metadata", 1338))),
            ("https://169.254.169.254", None),
            ("http://169.254.169.254/latest", None),
            ("169.254.169.254", None),
            ("", None),
        ] {
            let expected = expected.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(base(url).ok(), expected, "{url}");
        }
    }
}
