//! Reads documents of a metadata service: session tokens and headers, statuses, time limits.
//!
//! EC2's IMDSv2 and Alibaba's security hardening mode want a session token in every read, fetched by `PUT
//! /latest/api/token`, kept, and renewed after four fifths of its life. A 401 means that the token is not valid any
//! more (the instance was resumed, the service restarted): it is renewed once. Without a token (EC2's version 1)
//! nothing is read unless configured. The others want a header (`dialect.rs`).

mod dialect;
mod error;
mod token;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;

pub use crate::connection::Base;
pub use error::Error;

use crate::{
    connection::{Connection, Failed},
    provider::Provider,
    settings::Metadata,
};
use dialect::{Dialect, TokenWords};
use token::Token;

/// A document as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its bytes.
    pub body: Bytes,
    /// Google's mark of this version of it.
    pub etag: Option<String>,
}

/// One read.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The document's path, which names it in errors.
    pub path: &'static str,
    /// What follows the path after a `?`; empty: nothing.
    pub query: &'a str,
    /// How long the service may take beyond the usual limit, where it answers late on purpose.
    pub patience: Duration,
}

impl Question<'_> {
    /// Of a document that is there at once or is not.
    pub const fn of(path: &'static str) -> Self {
        Self {
            path,
            query: "",
            patience: Duration::ZERO,
        }
    }

    fn uri(&self) -> Result<Uri, Error> {
        let path = self.path;
        if self.query.is_empty() {
            return Ok(Uri::from_static(path));
        }
        let uri = format!("{path}?{}", self.query).parse::<Uri>();
        uri.map_err(|error| Error::Broken {
            path,
            cause: error.to_string(),
        })
    }
}

/// Reads documents of one provider's metadata service.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    provider: Provider,
    dialect: Dialect,
    timeout: Duration,
    ttl: Duration,
    allow_v1: bool,
    token: Option<Token>,
}

impl Client {
    /// A client that has not connected yet, of the bases in the settings or else the provider's own.
    ///
    /// # Errors
    /// A bad URL; validated settings have none.
    pub fn new(provider: Provider, settings: &Metadata) -> Result<Self, String> {
        let bases = if settings.url.is_empty() {
            provider.bases().iter().map(|url| Base::parse(url)).collect()
        } else {
            settings
                .url
                .iter()
                .map(|url| Base::parse(url))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            connection: Connection::new(bases?),
            provider,
            dialect: Dialect::of(provider),
            timeout: settings.timeout,
            ttl: settings.token_ttl,
            // Only EC2's first version is known to be in use.
            allow_v1: settings.allow_v1 && provider == Provider::Aws,
            token: None,
        })
    }

    /// The document at `path`, or `None` where the service says there is none (404).
    ///
    /// # Errors
    /// Everything else that is not the document, with what a person can do.
    pub async fn document(&mut self, path: &'static str) -> Result<Option<Bytes>, Error> {
        let document = self.ask(&Question::of(path)).await?;
        Ok(document.map(|document| document.body))
    }

    /// As [`Client::document`], with what Google's service knows besides.
    ///
    /// # Errors
    /// As [`Client::document`].
    pub async fn ask(&mut self, question: &Question<'_>) -> Result<Option<Document>, Error> {
        let path = question.path;
        let token = self.fresh_token().await?;
        let mut answer = self.get(question, token.as_ref()).await?;
        if answer.status() == StatusCode::UNAUTHORIZED
            && self.has_tokens()
            && (token.is_some() || !self.allow_v1)
        {
            self.token = None;
            let token = self.fresh_token().await?;
            answer = self.get(question, token.as_ref()).await?;
        }
        match answer.status() {
            // An error may well come from something in between; what is believed may not.
            StatusCode::OK | StatusCode::NOT_FOUND if !self.dialect.is_genuine(answer.headers()) => {
                Err(Error::Foreign {
                    provider: self.provider,
                    path,
                })
            }
            StatusCode::OK => {
                let etag = answer.headers().get(header::ETAG);
                let etag = etag.and_then(|etag| Some(etag.to_str().ok()?.to_owned()));
                Ok(Some(Document {
                    etag,
                    body: answer.into_body(),
                }))
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(self.refused(path, status)),
        }
    }

    /// Says something to a service that wants no token; saying it twice has to be the same as once.
    ///
    /// # Errors
    /// Every answer but 200.
    pub async fn post(&mut self, question: &Question<'_>, body: Bytes) -> Result<(), Error> {
        let path = question.path;
        let header = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut request = request(Method::POST, question.uri()?, header);
        request.headers_mut().extend(self.dialect.header());
        *request.body_mut() = Full::new(body);
        match self.send(request, path, question.patience).await?.status() {
            StatusCode::OK => Ok(()),
            status => Err(self.refused(path, status)),
        }
    }

    /// What an answer of this status means that is no document.
    fn refused(&self, path: &'static str, status: StatusCode) -> Error {
        match status {
            StatusCode::UNAUTHORIZED => Error::Unauthorized { path },
            StatusCode::FORBIDDEN => Error::Forbidden {
                provider: self.provider,
                path,
            },
            status => Error::Status { path, status },
        }
    }

    fn has_tokens(&self) -> bool {
        matches!(self.dialect, Dialect::Token(_))
    }

    /// A token that is good for now, or `None` where the provider has none, or for EC2's version 1.
    async fn fresh_token(&mut self) -> Result<Option<HeaderValue>, Error> {
        let Dialect::Token(words) = self.dialect else {
            return Ok(None);
        };
        let now = Instant::now();
        if let Some(token) = &self.token
            && !token.is_due(now)
        {
            return Ok(Some(token.value().clone()));
        }
        match self.fetch_token(words, now).await {
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

    async fn fetch_token(&mut self, words: &TokenWords, now: Instant) -> Result<Token, Error> {
        let path = words.path;
        let header = (words.ttl(), HeaderValue::from(self.ttl.as_secs()));
        let request = request(Method::PUT, Uri::from_static(path), header);
        let answer = self.send(request, path, Duration::ZERO).await?;
        match answer.status() {
            StatusCode::OK => {
                let ttl = answer
                    .headers()
                    .get(words.ttl())
                    .and_then(|value| value.to_str().ok()?.parse().ok());
                Token::new(answer.body(), ttl.map_or(self.ttl, Duration::from_secs), now).ok_or_else(|| {
                    Error::Broken {
                        path,
                        cause: "the token is not text".to_owned(),
                    }
                })
            }
            status => Err(self.refused(path, status)),
        }
    }

    async fn get(
        &mut self,
        question: &Question<'_>,
        token: Option<&HeaderValue>,
    ) -> Result<Response<Bytes>, Error> {
        let path = question.path;
        let header = match (self.dialect, token) {
            (Dialect::Token(words), Some(token)) => Some((words.token(), token.clone())),
            (dialect, _) => dialect.header(),
        };
        let uri = question.uri()?;
        let header = header.unwrap_or((header::ACCEPT, HeaderValue::from_static("*/*")));
        let request = request(Method::GET, uri, header);
        self.send(request, path, question.patience).await
    }

    /// No document is larger than this, in bytes.
    const fn most(&self) -> usize {
        match self.provider {
            // All machines of a scale set see the events of all of them.
            Provider::Azure => 1024 * 1024,
            _ => 64 * 1024,
        }
    }

    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        path: &'static str,
        patience: Duration,
    ) -> Result<Response<Bytes>, Error> {
        let limit = self.timeout + patience;
        let most = self.most();
        let sent = tokio::time::timeout(limit, self.connection.send(request, path, most)).await;
        match sent {
            Ok(Err(Failed::Connect { url, error })) => Err(Error::Unreachable {
                provider: self.provider,
                url,
                cause: error.to_string(),
            }),
            Ok(Err(Failed::Exchange(cause))) => Err(Error::Broken { path, cause }),
            Ok(Ok(answer)) => Ok(answer),
            Err(_) => {
                let (url, made) = (self.connection.url(), self.connection.was_made());
                self.connection.close();
                let of_token = matches!(self.dialect, Dialect::Token(words) if words.path == path);
                if of_token && made {
                    Err(Error::NoToken { limit })
                } else {
                    Err(Error::TimedOut { url, path, limit })
                }
            }
        }
    }
}

/// The host comes from the base that is asked.
fn request(method: Method, uri: Uri, (name, value): (HeaderName, HeaderValue)) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    request.headers_mut().insert(name, value);
    request
}
