//! An HTTP client for servers with certificates of our own making.

use crate::{Context, Error, Result};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client as Pool, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use std::sync::Arc;

/// Keeps connections; speaks `http://` and, with what it trusts, `https://`.
#[derive(Clone, Debug)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Client {
    /// A client for `http://` only.
    ///
    /// # Errors
    /// If TLS cannot be set up all the same.
    pub fn plain() -> Result<Self> {
        Self::trusting("")
    }

    /// A client that trusts the certificates in this PEM text and no other.
    ///
    /// # Errors
    /// If one of them is none.
    pub fn trusting(ca_pem: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
            let certificate = certificate.context(|| "not a certificate")?;
            roots
                .add(certificate)
                .context(|| "not an authority's certificate")?;
        }
        // Named, since no process-wide provider is installed in tests.
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .context(|| "cannot set up TLS")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self {
            pool: Pool::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// If there is no answer, or it breaks off.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, String)],
        body: Bytes,
    ) -> Result<Response<Bytes>> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(Full::new(body))
            .context(|| format!("cannot ask {url}"))?;
        self.forward(request).await
    }

    /// Sends a request that is complete with its address, and reads the whole answer.
    ///
    /// # Errors
    /// If there is no answer, or it breaks off.
    pub async fn forward(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
        let (head, body) = self.stream(request).await?.into_parts();
        let body = body
            .collect()
            .await
            .context(|| "the answer broke off")?
            .to_bytes();
        Ok(Response::from_parts(head, body))
    }

    /// Sends a request that is complete with its address; the body of the answer is still to be read.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn stream(&self, request: Request<Full<Bytes>>) -> Result<Response<hyper::body::Incoming>> {
        let what = format!("{} {}", request.method(), request.uri());
        self.pool.request(request).await.map_err(|error| {
            let cause = std::error::Error::source(&error)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            Error::new(format!("{what}: {error}{cause}"))
        })
    }
}
