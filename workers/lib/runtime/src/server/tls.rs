//! TLS: the server's certificate, read again when it changes, and the names in a client's.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use x509_parser::{extensions::GeneralName, prelude::parse_x509_certificate};

use crate::config::Problem;

/// `[http.tls]`
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Tls {
    /// Own certificate, PEM; with `key`.
    pub cert: Option<PathBuf>,
    /// Own key, PEM; with `cert`.
    pub key: Option<PathBuf>,
    /// Authorities of clients' certificates, PEM.
    pub client_ca: Option<PathBuf>,
    /// Whether a client has to show a certificate.
    pub client_required: bool,
}

impl Tls {
    /// Whether nobody comes in without a certificate.
    pub fn identifies(&self) -> bool {
        self.client_ca.is_some() && self.client_required
    }

    /// What does not go together.
    pub fn validate(&self, problems: &mut Vec<Problem>) {
        for (good, key, why) in [
            (
                self.cert.is_some() == self.key.is_some(),
                "http.tls.cert",
                "and http.tls.key go together; give both or neither",
            ),
            (
                self.client_ca.is_none() || self.cert.is_some(),
                "http.tls.client_ca",
                "needs TLS; set http.tls.cert and http.tls.key too",
            ),
            (
                !self.client_required || self.client_ca.is_some(),
                "http.tls.client_required",
                "needs authorities to check against; set http.tls.client_ca",
            ),
        ] {
            if !good {
                problems.push(Problem::new(key, why));
            }
        }
    }
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error("{path}: {problem}; set {key} to a PEM file that can be read", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The variable that names it.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The files do not go together.
    #[error("certificate and key cannot be used ({0}); is HT_HTTP__TLS__KEY the key of HT_HTTP__TLS__CERT?")]
    Unfit(String),
}

/// Shakes hands.
pub struct Acceptor {
    settings: Tls,
    current: RwLock<TlsAcceptor>,
}

impl Acceptor {
    /// As configured; `None` where no certificate is.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn new(settings: &Tls) -> Result<Option<Self>, TlsError> {
        let (Some(cert), Some(key)) = (&settings.cert, &settings.key) else {
            return Ok(None);
        };
        let config = read(settings, cert, key)?;
        Ok(Some(Self {
            settings: settings.clone(),
            current: RwLock::new(TlsAcceptor::from(Arc::new(config))),
        }))
    }

    /// Reads the files again; on an error what was read before remains.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn reload(&self) -> Result<(), TlsError> {
        if let (Some(cert), Some(key)) = (&self.settings.cert, &self.settings.key) {
            let config = read(&self.settings, cert, key)?;
            *self.current.write().unwrap_or_else(PoisonError::into_inner) =
                TlsAcceptor::from(Arc::new(config));
        }
        Ok(())
    }

    /// Shakes hands; the names in the client's certificate, where it showed one.
    ///
    /// # Errors
    /// The client does not.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, Vec<String>)> {
        let acceptor = self
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let stream = acceptor.accept(stream).await?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(|chain| chain.first());
        let names = certificate.map(names).unwrap_or_default();
        Ok((stream, names))
    }
}

fn read(settings: &Tls, cert: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let chain = certificates(cert, "HT_HTTP__TLS__CERT")?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::File {
        path: key.to_owned(),
        key: "HT_HTTP__TLS__KEY",
        problem: error.to_string(),
    })?;
    let unfit = |error: &dyn std::error::Error| TlsError::Unfit(error.to_string());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit(&error))?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path, "HT_HTTP__TLS__CLIENT_CA")? {
                roots.add(certificate).map_err(|error| unfit(&error))?;
            }
            let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            if !settings.client_required {
                verifier = verifier.allow_unauthenticated();
            }
            builder.with_client_cert_verifier(verifier.build().map_err(|error| unfit(&error))?)
        }
    };
    let mut config = builder
        .with_single_cert(chain, private)
        .map_err(|error| unfit(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path, key: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let refused = |problem: String| TlsError::File {
        path: path.to_owned(),
        key,
        problem,
    };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| refused(error.to_string()))?;
    if found.is_empty() {
        return Err(refused("holds no certificate".to_owned()));
    }
    Ok(found)
}

/// Names in a certificate that was checked: DNS names and URIs first, then the common names.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = parse_x509_certificate(certificate) else {
        return Vec::new();
    };
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative = alternative
        .iter()
        .flat_map(|extension| &extension.value.general_names);
    let alternative = alternative.filter_map(|name| match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        _ => None,
    });
    let common = certificate.subject().iter_common_name();
    let common = common.filter_map(|name| Some(name.as_str().ok()?.to_owned()));
    alternative.chain(common).collect()
}
