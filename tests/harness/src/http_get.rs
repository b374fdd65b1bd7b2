//! One plain HTTP request on a connection of its own: enough to ask whether a server is up.

use crate::{Context, Error, Result};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// GETs an `http://` address: the status and the body.
///
/// # Errors
/// If there is no answer.
pub async fn get(url: &str) -> Result<(StatusCode, Bytes)> {
    send(Method::GET, url, &[], Bytes::new()).await
}

/// Sends any request to an `http://` address.
///
/// # Errors
/// If there is no answer.
pub async fn send(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<(StatusCode, Bytes)> {
    let uri: Uri = url.parse().context(|| format!("not an address: {url}"))?;
    let authority = uri
        .authority()
        .ok_or_else(|| Error::new(format!("no host in {url}")))?;
    let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80)))
        .await
        .context(|| format!("cannot connect to {authority}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .context(|| "HTTP handshake")?;
    let driver = tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, authority.as_str());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(body))
        .context(|| format!("cannot ask {url}"))?;
    let answer = sender
        .send_request(request)
        .await
        .context(|| format!("no answer from {url}"))?;
    let status = answer.status();
    let body = answer
        .into_body()
        .collect()
        .await
        .context(|| format!("the answer from {url} broke off"))?
        .to_bytes();
    driver.abort();
    Ok((status, body))
}
